/**
 * Hash-threshold (RFC 2992) as Linux selects in multipath routes and plain next-hop groups: the hash space is cut
 * into one region a next hop, in the order of the table and in proportion to weight. Next hop i owns the hashes up to
 * round(2^bits * (w_0 + .. + w_i) / W) - 1. Verified against a running kernel.
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
    for (let i = 0; i < bounds.length; i++) if (hash < bounds[i]!) return ids[i]!;
    return -1;
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
