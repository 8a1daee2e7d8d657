/**
 * Selections that are a table: hash modulo its length is a bucket, and a bucket names a next hop. A subclass says
 * how the table is made of a list of next hops; it does so afresh at every change.
 */
import type { NextHopGroup, SelectName, WeightedNextHop } from './next-hop-group.js';
import { checkNextHops } from './weighted-shares.js';

export abstract class TableGroup implements NextHopGroup {
  abstract readonly select: SelectName;
  readonly deadlineS = Number.POSITIVE_INFINITY;
  version = 0;
  nextHops: readonly WeightedNextHop[] = [];
  protected buckets = new Int32Array(0);

  choose(hash: number): number {
    return this.peek(hash);
  }

  peek(hash: number): number {
    const { buckets } = this;
    return buckets.length === 0 ? -1 : buckets[hash % buckets.length]!;
  }

  bucketOf(hash: number): number {
    return this.buckets.length === 0 ? -1 : hash % this.buckets.length;
  }

  table(): Int32Array | null {
    return this.buckets;
  }

  replace(nextHops: readonly WeightedNextHop[]): void {
    checkNextHops(nextHops);
    this.nextHops = nextHops;
    this.buckets = nextHops.length === 0 ? new Int32Array(0) : this.build(nextHops);
    this.version++;
  }

  advance(): boolean {
    return false;
  }

  protected abstract build(nextHops: readonly WeightedNextHop[]): Int32Array<ArrayBuffer>;
}
