/**
 * The sets of next hops that routes have, each once: what a FIB entry points to.
 *
 * Set 0 is the empty one. References are counted by prefix; a set that no prefix has is forgotten. The hops stand
 * in the order of the router's table: by `address` as BIRD lists them, or by `arrival` as zebra does
 * (next-hop-table.ts). While a set is in use its order does not change.
 */
import { grownColumn } from './grown-column.js';
import type { NextHopTable } from './next-hop-table.js';

export type HopOrder = 'address' | 'arrival';

export const NO_HOPS = 0;

export class NextHopSetTable {
  /** rows of the next-hop table, in order; `null` = no such set */
  private readonly hops: (readonly number[] | null)[] = [[]];
  private references = new Uint32Array(64);
  private readonly setOf = new Map<string, number>();
  /** set of one hop, by the hop's row */
  private readonly solo: number[] = [];
  private readonly free: number[] = [];

  constructor(
    private readonly nextHops: NextHopTable,
    private readonly order: HopOrder,
  ) {}

  /** Sets in use. */
  get count(): number {
    return this.hops.length - 1 - this.free.length;
  }

  /** Every set's number is below. */
  get rows(): number {
    return this.hops.length;
  }

  hopsOf(set: number): readonly number[] {
    return this.hops[set] ?? [];
  }

  /** The set of that one hop. Like {@link intern} it must be retained, or discarded. */
  internOne(hop: number, nowS: number): number {
    // a read behind the end would have the compiler give up on the function
    const solo = hop < this.solo.length ? this.solo[hop]! : 0;
    if (solo > 0) return solo;
    const set = this.intern([hop], nowS);
    while (this.solo.length <= hop) this.solo.push(0);
    this.solo[hop] = set;
    return set;
  }

  /** The set of `hops`, which are in order of preference and all different. */
  intern(hops: readonly number[], nowS: number): number {
    if (hops.length === 0) return NO_HOPS;
    const key = [...hops].sort((a, b) => a - b).join();
    const known = this.setOf.get(key);
    if (known !== undefined) return known;
    for (const hop of hops) this.nextHops.use(hop, nowS);
    const { places } = this.nextHops;
    const ordered = [...hops].sort((a, b) =>
      this.order === 'address' ? this.nextHops.compareByAddress(a, b) : places[a]! - places[b]!,
    );
    const set = this.free.pop() ?? this.hops.length;
    this.hops[set] = ordered;
    if (set >= this.references.length) this.references = grownColumn(this.references, 2 * set);
    this.references[set] = 0;
    this.setOf.set(key, set);
    return set;
  }

  retain(set: number): void {
    this.references[set]!++;
  }

  /** Gives up one reference, or a set that was never retained. */
  release(set: number, nowS: number): void {
    if (set === NO_HOPS) return;
    if (this.references[set]! > 0) this.references[set]!--;
    if (this.references[set] !== 0) return;
    const hops = this.hops[set]!;
    for (const hop of hops) this.nextHops.leave(hop, nowS);
    if (hops.length === 1) this.solo[hops[0]!] = 0;
    this.setOf.delete([...hops].sort((a, b) => a - b).join());
    this.hops[set] = null;
    this.free.push(set);
  }
}
