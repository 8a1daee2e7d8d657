/** The RIB as a reader sees it: prefixes and routes as values, for pages, APIs and tests. Nothing here is hot. */

import type { Address } from '../../addr/address.js';
import { ipv4, ipv6 } from '../../addr/address.js';
import type { Prefix } from '../../addr/prefix.js';
import type { PathAttribute } from '../attribute/descriptor.js';
import { OFFLINE } from '../codec/codec-context.js';
import { decodeAttributeList } from '../codec/update-message.js';
import { MARK } from './attribute-columns.js';
import type { FamilyRib } from './family-rib.js';
import { NO_HOPS } from './next-hop-set-table.js';
import { EXCLUDED_NAMES, STALE } from './path-table.js';
import type { Rib } from './rib.js';
import { type Standing, standings } from './why-chosen.js';

/** One path of a prefix. */
export interface RibRoute {
  /** row of the peer; 0 = our own route */
  readonly peer: number;
  readonly pathId: number;
  readonly best: boolean;
  /** shares the traffic: among the next hops of the FIB (the best path itself counts) */
  readonly multipath: boolean;
  /** `no`, or why the path may not be used */
  readonly excluded: (typeof EXCLUDED_NAMES)[number];
  /** why it is or is not used */
  readonly standing: Standing;
  /** `longLived`: beyond the restart time of its peer (RFC 9494) */
  readonly stale: 'no' | keyof typeof STALE;
  /** whole seconds for which the peer has announced it as it is: saying the same again changes nothing */
  readonly ageS: number;
  /** after the import policy */
  readonly attributes: readonly PathAttribute[];
  /** as the peer announced them */
  readonly received: readonly PathAttribute[];
  readonly nextHop: Address | null;
}

export function prefixOfRow({ table }: FamilyRib, row: number): Prefix {
  const { words, width } = table;
  const at = row * width;
  const length = table.lengths[row]!;
  if (width === 1) return { address: ipv4(words[at]!), length };
  return { address: ipv6(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!), length };
}

export function ribOf(rib: Rib, prefix: Prefix): FamilyRib {
  return prefix.address.family === 4 ? rib.ipv4 : rib.ipv6;
}

/** Row of exactly that prefix where it has a path, or -1. */
export function findPrefix(rib: Rib, prefix: Prefix): number {
  const of = ribOf(rib, prefix);
  const { w0, w1, w2, w3 } = prefix.address;
  const row = of.table.find(w0, w1, w2, w3, prefix.length);
  return row >= 0 && of.first[row] !== 0 ? row : -1;
}

/** Row of the longest prefix that covers the address and has a best path, or -1. */
export function matchAddress(rib: Rib, address: Address): number {
  const of = address.family === 4 ? rib.ipv4 : rib.ipv6;
  const { w0, w1, w2, w3 } = address;
  return of.table.longestMatch(w0, w1, w2, w3, of.table.bits, (row) => of.best[row] !== 0);
}

/** Some of the paths of a family, by whole prefixes. */
export interface PathPage {
  /** paths that there are */
  readonly total: number;
  /** prefix rows that hold the paths asked for, in an order that stays while nothing changes */
  readonly rows: readonly number[];
  /** paths of the first row that come before those asked for */
  readonly skip: number;
}

/**
 * Where the paths from number `offset` on stand, `limit` of them: all, or those inside of `prefix`, or of one peer.
 * Looks at every row of the family.
 */
export function pathPage(
  of: FamilyRib,
  { prefix, peer }: { readonly prefix: Prefix | null; readonly peer: number | null },
  offset: number,
  limit: number,
): PathPage {
  const { table, paths, first } = of;
  const { w0, w1, w2, w3 } = prefix?.address ?? { w0: 0, w1: 0, w2: 0, w3: 0 };
  const length = prefix?.length ?? 0;
  const rows: number[] = [];
  let total = 0;
  let skip = 0;
  for (let row = 0; row < table.rows; row++) {
    if (!table.isUsed(row) || first[row] === 0) continue;
    if (length > 0 && !table.isInside(row, w0, w1, w2, w3, length)) continue;
    let count = 0;
    for (let path = first[row]! - 1; path >= 0; path = paths.next[path]!) {
      if (peer === null || paths.owner[path] === peer + 1) count++;
    }
    if (count > 0 && total + count > offset && total < offset + limit) {
      if (rows.length === 0) skip = Math.max(0, offset - total);
      rows.push(row);
    }
    total += count;
  }
  return { total, rows, skip };
}

/** Rows with a next hop, that is: the FIB. In an order that stays while nothing changes. */
export function routedPrefixes(
  of: FamilyRib,
  offset: number,
  limit: number,
): { total: number; rows: number[] } {
  return rowsWhere(of, offset, limit, (row) => of.hops[row] !== NO_HOPS);
}

/** The paths of a prefix row at `nowS` of the RIB's time, the best one first. */
export function routesOf(rib: Rib, of: FamilyRib, row: number, nowS: number = rib.nowS): RibRoute[] {
  const { paths } = of;
  const shared = new Set(rib.sharedPaths(of, row));
  const standing = standings(rib, of, row);
  const routes: RibRoute[] = [];
  for (let path = of.first[row]! - 1; path >= 0; path = paths.next[path]!) {
    const set = paths.set[path]!;
    const received = paths.received[path]!;
    const { columns } = rib.store;
    const attributes = attributesOf(rib, set);
    const hasHop = (columns.marks[set]! & MARK.hasNextHop) !== 0;
    routes.push({
      peer: paths.owner[path]! - 1,
      pathId: paths.pathId[path]!,
      best: of.best[row] === path + 1,
      multipath: shared.has(path),
      excluded: EXCLUDED_NAMES[paths.excluded[path]!]!,
      standing: standing.get(path)!,
      stale: staleName(paths.stale[path]!),
      ageS: Math.max(0, Math.floor(nowS) - paths.sinceS[path]!),
      attributes,
      received: received === set ? attributes : attributesOf(rib, received),
      nextHop: hasHop ? rib.nextHops.addresses[columns.nextHop[set]!]! : null,
    });
  }
  return routes.sort((a, b) => Number(b.best) - Number(a.best) || a.peer - b.peer || a.pathId - b.pathId);
}

function attributesOf({ store }: Rib, set: number): PathAttribute[] {
  return decodeAttributeList(store.view, store.startOf(set), store.endOf(set), OFFLINE);
}

function staleName(stale: number): RibRoute['stale'] {
  return stale === STALE.longLived ? 'longLived' : stale === STALE.graceful ? 'graceful' : 'no';
}

/** Stale paths of a peer. Looks at every path of the family. */
export function stalePaths({ paths }: FamilyRib, peer: number): number {
  let count = 0;
  for (let path = 0; path < paths.rows; path++) {
    if (paths.owner[path] === peer + 1 && paths.stale[path] !== 0) count++;
  }
  return count;
}

function rowsWhere(
  of: FamilyRib,
  offset: number,
  limit: number,
  accepts: (row: number) => boolean,
): { total: number; rows: number[] } {
  const rows: number[] = [];
  let total = 0;
  for (let row = 0; row < of.table.rows; row++) {
    if (!of.table.isUsed(row) || !accepts(row)) continue;
    if (total >= offset && rows.length < limit) rows.push(row);
    total++;
  }
  return { total, rows };
}
