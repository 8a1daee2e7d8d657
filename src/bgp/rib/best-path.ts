/**
 * The choice among the paths of one prefix: RFC 4271 section 9.1.2, with the steps of RFC 4456 section 9 and the
 * multipath that every vendor adds. Deterministic: what it chooses does not depend on the order of arrival.
 *
 * ```
 *   usable paths
 *     our own before learned ones; fresh before long-lived stale, here or at whoever announced it (RFC 9494)
 *     highest LOCAL_PREF, shortest AS_PATH, lowest ORIGIN
 *     lowest MED, each among the paths from its own neighbouring AS
 *     eBGP before iBGP; connected next hop before a remote one
 *   = equal enough to share the traffic (multipath)
 *     lowest ORIGINATOR_ID or BGP identifier, shortest CLUSTER_LIST, lowest peer address, lowest path id
 *   = the best path
 * ```
 */

import { MARK } from './attribute-columns.js';
import type { AttributeStore } from './attribute-store.js';
import type { NextHopTable } from './next-hop-table.js';
import { EXCLUDED, type PathTable, STALE } from './path-table.js';
import { comparePeers, type RibPeer } from './rib-peer.js';

/** the row that stands for ourselves among the peers */
export const LOCAL_PEER = 0;

export interface MultipathSettings {
  /** 1 = no multipath */
  readonly maxPaths: number;
  /**
   * Which AS paths of equal length may share traffic: `relax` any; `same-neighbour` those from one neighbouring
   * AS (internal peers: those that are equal).
   */
  readonly asPaths: 'relax' | 'same-neighbour';
}

export class PathChoice {
  /** the best path, or -1 */
  best = -1;
  /** paths that share the traffic, best first, each with another next hop; empty for a route of our own */
  readonly shared: number[] = [];

  private readonly left: number[] = [];
  /** by neighbouring AS */
  private readonly lowestMed = new Map<number, number>();

  constructor(
    private readonly store: AttributeStore,
    private readonly nextHops: NextHopTable,
    private readonly peers: readonly (RibPeer | null)[],
    private readonly settings: MultipathSettings,
  ) {}

  /** Chooses among the paths of the list that begins at `first`. */
  choose(paths: PathTable, first: number): void {
    const left = this.left;
    left.length = 0;
    this.shared.length = 0;
    for (let path = first; path >= 0; path = paths.next[path]!) {
      if (paths.excluded[path] === EXCLUDED.no) left.push(path);
    }
    if (left.length > 1) this.eliminate(paths);
    if (left.length > 1) left.sort((a, b) => this.compareLast(paths, a, b));
    this.best = left[0] ?? -1;
    if (this.best >= 0 && paths.owner[this.best] !== LOCAL_PEER + 1) this.share(paths);
  }

  private eliminate(paths: PathTable): void {
    const { columns } = this.store;
    const { set, owner, stale } = paths;
    const { peers, nextHops } = this;
    this.keepLowest((path) => (owner[path] === LOCAL_PEER + 1 ? 0 : 1));
    this.keepLowest((path) =>
      stale[path] === STALE.longLived || (columns.marks[set[path]!]! & MARK.llgrStale) !== 0 ? 1 : 0,
    );
    this.keepLowest((path) => -columns.localPref[set[path]!]!);
    this.keepLowest((path) => columns.pathLength[set[path]!]!);
    this.keepLowest((path) => columns.origin[set[path]!]!);
    this.keepLowestMeds(paths);
    this.keepLowest((path) => (peers[owner[path]! - 1]!.isInternal ? 1 : 0));
    this.keepLowest((path) =>
      (columns.marks[set[path]!]! & MARK.hasNextHop) === 0
        ? 0
        : nextHops.kinds[columns.nextHop[set[path]!]!]!,
    );
  }

  private keepLowest(rank: (path: number) => number): void {
    const left = this.left;
    let lowest = Number.POSITIVE_INFINITY;
    for (const path of left) lowest = Math.min(lowest, rank(path));
    let kept = 0;
    for (const path of left) if (rank(path) === lowest) left[kept++] = path;
    left.length = kept;
  }

  /** Compares within a neighbouring AS only; with one MED for all, the common case, nothing is to be done. */
  private keepLowestMeds({ set }: PathTable): void {
    const { left, lowestMed } = this;
    const { neighbourAs, med } = this.store.columns;
    const first = med[set[left[0]!]!]!;
    if (left.every((path) => med[set[path]!] === first)) return;
    lowestMed.clear();
    for (const path of left) {
      const row = set[path]!;
      const known = lowestMed.get(neighbourAs[row]!);
      if (known === undefined || med[row]! < known) lowestMed.set(neighbourAs[row]!, med[row]!);
    }
    let kept = 0;
    for (const path of left) {
      const row = set[path]!;
      if (med[row] === lowestMed.get(neighbourAs[row]!)) left[kept++] = path;
    }
    left.length = kept;
  }

  private compareLast(paths: PathTable, a: number, b: number): number {
    const { columns } = this.store;
    const [setA, setB] = [paths.set[a]!, paths.set[b]!];
    const [peerA, peerB] = [this.peers[paths.owner[a]! - 1]!, this.peers[paths.owner[b]! - 1]!];
    const idA = columns.originatorId[setA]! || peerA.settings.bgpId;
    const idB = columns.originatorId[setB]! || peerB.settings.bgpId;
    return (
      idA - idB ||
      columns.clusterLength[setA]! - columns.clusterLength[setB]! ||
      comparePeers(peerA, peerB) ||
      peerA.row - peerB.row ||
      paths.pathId[a]! - paths.pathId[b]!
    );
  }

  private share(paths: PathTable): void {
    const { shared } = this;
    const { marks, nextHop } = this.store.columns;
    for (const path of this.left) {
      if (shared.length >= this.settings.maxPaths) return;
      const set = paths.set[path]!;
      if ((marks[set]! & MARK.hasNextHop) === 0 || !this.mayShare(paths, path)) continue;
      if (!shared.some((other) => nextHop[paths.set[other]!] === nextHop[set])) shared.push(path);
    }
  }

  private mayShare(paths: PathTable, path: number): boolean {
    if (path === this.best || this.settings.asPaths === 'relax') return true;
    const [set, bestSet] = [paths.set[path]!, paths.set[this.best]!];
    if (this.peers[paths.owner[path]! - 1]!.isInternal) return this.store.samePath(set, bestSet);
    const { neighbourAs } = this.store.columns;
    return neighbourAs[set] === neighbourAs[bestSet];
  }
}
