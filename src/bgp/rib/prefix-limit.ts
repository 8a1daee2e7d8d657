/**
 * Whether an UPDATE would give a peer more paths of a family than it may have, found out before anything of it is in use
 * (RFC 4271 section 6.7, RFC 4486: "Maximum Number of Prefixes Reached").
 *
 * Nearly every UPDATE is known to fit by the number of its prefixes. Only one that might not is looked through: what the
 * peer has announced before, or announces twice, counts once.
 */

import { OUTCOME } from '../attribute/descriptor.js';
import { type FamilyKey, IPV4_UNICAST, IPV6_UNICAST } from '../codec/address-family.js';
import type { MultiprotocolSection } from '../codec/multiprotocol-section.js';
import { NlriCursor } from '../codec/nlri-cursor.js';
import type { UpdateView } from '../codec/update-view.js';
import type { FamilyRib } from './family-rib.js';
import type { Rib } from './rib.js';

/** The first family of which peer `row` would have more than `limit` paths after the UPDATE, or `null`. */
export function familyOverLimit(rib: Rib, row: number, update: UpdateView, limit: number): FamilyKey | null {
  if (isOver(rib, row, rib.ipv4, update, limit)) return IPV4_UNICAST;
  return isOver(rib, row, rib.ipv6, update, limit) ? IPV6_UNICAST : null;
}

function isOver(rib: Rib, row: number, of: FamilyRib, update: UpdateView, limit: number): boolean {
  const atMost = (of.received[row] ?? 0) + announcedCount(rib, row, of.family, update);
  return atMost > limit && receivedAfter(rib, row, of, update) > limit;
}

function announcedCount(rib: Rib, row: number, family: FamilyKey, update: UpdateView): number {
  const { nlriCount, reach } = update;
  return (hasIpv4Fields(rib, row, family) ? nlriCount : 0) + (isOf(reach, family) ? reach.count : 0);
}

/** Paths that the peer has of the family once the UPDATE has been applied, in the order in which `Rib.update` does. */
function receivedAfter(rib: Rib, row: number, of: FamilyRib, update: UpdateView): number {
  const { reach, unreach, outcome } = update;
  const announced = outcome < OUTCOME.treatAsWithdraw ? 'present' : 'gone';
  const count = new PathCount(of, row);
  if (hasIpv4Fields(rib, row, of.family)) {
    update.openWithdrawn(count.cursor);
    count.become('gone');
    update.openNlri(count.cursor);
    count.become(announced);
  }
  if (isOf(unreach, of.family)) {
    update.openSection(count.cursor, unreach);
    count.become('gone');
  }
  if (isOf(reach, of.family)) {
    update.openSection(count.cursor, reach);
    count.become(announced);
  }
  return count.paths;
}

class PathCount {
  readonly cursor = new NlriCursor();
  paths: number;
  /** whether a path of the UPDATE is there, as far as it was read */
  private readonly known = new Map<string, boolean>();

  constructor(
    private readonly rib: FamilyRib,
    private readonly peer: number,
  ) {
    this.paths = rib.received[peer] ?? 0;
  }

  /** What is left before the cursor is present, or gone, from now on. */
  become(state: 'present' | 'gone'): void {
    const { cursor } = this;
    const isThere = state === 'present';
    while (cursor.next()) {
      const key = `${cursor.words.join()}/${cursor.length} ${cursor.pathId}`;
      const wasThere = this.known.get(key) ?? this.isInRib();
      this.known.set(key, isThere);
      this.paths += Number(isThere) - Number(wasThere);
    }
  }

  private isInRib(): boolean {
    const { words, length, pathId } = this.cursor;
    const prefix = this.rib.table.find(words[0]!, words[1]!, words[2]!, words[3]!, length);
    return prefix >= 0 && this.rib.pathOf(prefix, this.peer, pathId) >= 0;
  }
}

/** The fields before and after the attributes are IPv4 unicast, where the session has that. */
function hasIpv4Fields(rib: Rib, row: number, family: FamilyKey): boolean {
  const families = rib.peers[row]?.settings.context.families ?? null;
  return family === IPV4_UNICAST && (families === null || families.has(IPV4_UNICAST));
}

function isOf(section: MultiprotocolSection, family: FamilyKey): boolean {
  return section.present && section.count > 0 && section.family === family;
}
