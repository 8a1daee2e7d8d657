/**
 * The forwarding table that follows from a RIB: longest match to next-hop groups (src/route), without an object a
 * prefix. Prefixes with the same next hops share one group; ids in a group are rows of the RIB's next-hop table.
 *
 * A group is made when somebody first asks for it. Where a changed set migrates the buckets in place (resilient
 * groups), a prefix that was asked for keeps a group of its own, because its buckets have a history of their own;
 * its group goes with its last route. Otherwise a changed set is another group, as in FRR.
 */
import type { Address } from '../../addr/address.js';
import { createNextHopGroup } from '../../route/create-group.js';
import type { GroupSettings, NextHopGroup } from '../../route/next-hop-group.js';
import type { FamilyRib } from './family-rib.js';
import { NO_HOPS } from './next-hop-set-table.js';
import type { Rib } from './rib.js';

export class RibFib {
  /** changes whenever a prefix may have another group or a group other next hops */
  version = 0;
  /** by the list of hops, which a set keeps for its whole life */
  private shared = new WeakMap<readonly number[], NextHopGroup>();
  /** by prefix row, where groups are migrated in place */
  private readonly own = new Map<FamilyRib, Map<number, NextHopGroup>>();

  constructor(
    private readonly rib: Rib,
    private settings: GroupSettings,
  ) {}

  /** The group of the longest prefix with a next hop that covers the address, or null. */
  lookup(family: 4 | 6, w0: number, w1: number, w2: number, w3: number): NextHopGroup | null {
    const rib = family === 4 ? this.rib.ipv4 : this.rib.ipv6;
    const prefix = this.longestMatch(rib, w0, w1, w2, w3);
    return prefix < 0 ? null : this.groupOf(rib, prefix);
  }

  /** Row of the longest prefix with a next hop that covers the address, or -1. */
  match({ family, w0, w1, w2, w3 }: Address): number {
    return this.longestMatch(family === 4 ? this.rib.ipv4 : this.rib.ipv6, w0, w1, w2, w3);
  }

  /** The group of a prefix row, or null where it has no next hop. */
  groupOf(rib: FamilyRib, prefix: number): NextHopGroup | null {
    const set = rib.hops[prefix]!;
    if (set === NO_HOPS) return null;
    const hops = this.rib.hopSets.hopsOf(set);
    if (!this.migrates) {
      let group = this.shared.get(hops);
      if (group === undefined) {
        group = this.make(hops);
        this.shared.set(hops, group);
      }
      return group;
    }
    let groups = this.own.get(rib);
    if (groups === undefined) {
      groups = new Map();
      this.own.set(rib, groups);
    }
    let group = groups.get(prefix);
    if (group === undefined) {
      group = this.make(hops);
      groups.set(prefix, group);
    }
    return group;
  }

  /** To be called from the RIB's route listener. */
  routeChanged(rib: FamilyRib, prefix: number, after: number): void {
    this.version++;
    const groups = this.own.get(rib);
    const group = groups?.get(prefix);
    if (group === undefined) return;
    if (after === NO_HOPS) groups!.delete(prefix);
    else group.replace(weighted(this.rib.hopSets.hopsOf(after)), this.rib.nowS);
  }

  /** Other settings: every group is made afresh. */
  configure(settings: GroupSettings): void {
    this.settings = settings;
    this.shared = new WeakMap();
    this.own.clear();
    this.version++;
  }

  /** Whether all entries with the same next hops have one group. */
  get isShared(): boolean {
    return !this.migrates;
  }

  private get migrates(): boolean {
    return this.settings.select === 'resilient' && this.settings.replace === 'in-place';
  }

  private longestMatch(rib: FamilyRib, w0: number, w1: number, w2: number, w3: number): number {
    return rib.table.longestMatch(w0, w1, w2, w3, rib.table.bits, (row) => rib.hops[row] !== NO_HOPS);
  }

  private make(hops: readonly number[]): NextHopGroup {
    return createNextHopGroup(this.settings, weighted(hops), this.rib.nowS);
  }
}

function weighted(hops: readonly number[]): { id: number; weight: number }[] {
  return hops.map((id) => ({ id, weight: 1 }));
}
