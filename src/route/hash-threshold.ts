/**
 * Hash-threshold (RFC 2992) as Linux selects in multipath routes and plain next-hop groups: the hash space is cut
 * into one region a next hop, in the order of the table and in proportion to weight. Next hop i owns the hashes up to
 * round(2^bits * (w_0 + .. + w_i) / W) - 1. Verified against a running kernel.
 *
 * A next hop whose neighbour cannot be resolved is passed over where the kernel looks at that (nexthop objects, or
 * fib_multipath_use_neigh=1): the regions stay, the hash goes to the next usable hop in the list, from the end of the
 * list to the first usable one; with none usable, to the first.
 */
import type { NextHopGroup, WeightedNextHop } from './next-hop-group.js';
import { checkNextHops, cumulativeShares } from './weighted-shares.js';

export class HashThresholdGroup implements NextHopGroup {
  readonly select = 'hash-threshold';
  readonly deadlineS = Number.POSITIVE_INFINITY;
  version = 0;
  nextHops: readonly WeightedNextHop[] = [];
  /** first hash that is no longer next hop i's */
  private bounds: Float64Array = new Float64Array(0);
  private ids = new Int32Array(0);
  /** ids of next hops to pass over; null = none */
  private unusable: ReadonlySet<number> | null = null;

  constructor(
    private readonly hashBits: number,
    nextHops: readonly WeightedNextHop[],
  ) {
    this.replace(nextHops);
  }

  choose(hash: number): number {
    return this.peek(hash);
  }

  peek(hash: number): number {
    const { bounds, ids } = this;
    if (this.unusable !== null) return this.peekUsable(hash, this.unusable);
    for (let i = 0; i < bounds.length; i++) if (hash < bounds[i]!) return ids[i]!;
    return -1;
  }

  /** Next hops to pass over from now on. */
  passOver(unusable: ReadonlySet<number>): void {
    this.unusable = unusable.size === 0 ? null : new Set(unusable);
    this.version++;
  }

  private peekUsable(hash: number, unusable: ReadonlySet<number>): number {
    const { bounds, ids } = this;
    let first = -1;
    for (let i = 0; i < ids.length; i++) {
      if (unusable.has(ids[i]!)) continue;
      if (hash < bounds[i]!) return ids[i]!;
      if (first < 0) first = ids[i]!;
    }
    return first >= 0 ? first : (ids[0] ?? -1);
  }

  bucketOf(): number {
    return -1;
  }

  table(): null {
    return null;
  }

  replace(nextHops: readonly WeightedNextHop[]): void {
    checkNextHops(nextHops);
    this.nextHops = nextHops;
    this.bounds = cumulativeShares(nextHops, 2 ** this.hashBits);
    this.ids = Int32Array.from(nextHops, ({ id }) => id);
    this.version++;
  }

  advance(): boolean {
    return false;
  }
}
