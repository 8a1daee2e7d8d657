/** Weights as cumulative shares, and the check that every selection makes of its next hops. */
import type { WeightedNextHop } from './next-hop-group.js';

/** half of 2^53, so that adding half a total stays exact too */
const EXACT_BELOW = 2 ** 52;

/**
 * Cumulative shares of `whole`, rounded half up as the kernel divides: floor((whole * cum_i + floor(W / 2)) / W).
 * Exact for whole up to 2^32: products beyond 2^53 are taken apart.
 */
export function cumulativeShares(nextHops: readonly WeightedNextHop[], whole: number): Float64Array {
  const total = nextHops.reduce((sum, { weight }) => sum + weight, 0);
  const shares = new Float64Array(nextHops.length);
  let cumulative = 0;
  for (let i = 0; i < nextHops.length; i++) {
    cumulative += nextHops[i]!.weight;
    const product = whole * cumulative;
    shares[i] =
      product < EXACT_BELOW
        ? Math.floor((product + Math.floor(total / 2)) / total)
        : Number((BigInt(whole) * BigInt(cumulative) + BigInt(total) / 2n) / BigInt(total));
  }
  return shares;
}

/** Throws RangeError where a weight is not 1 .. 65535, or a next hop is listed twice. */
export function checkNextHops(nextHops: readonly WeightedNextHop[]): void {
  const seen = new Set<number>();
  for (const { id, weight } of nextHops) {
    if (!Number.isInteger(weight) || weight < 1 || weight > 65535) {
      throw new RangeError(`next-hop group: expected weights from 1 to 65535, got ${weight}`);
    }
    if (seen.has(id))
      throw new RangeError(`next-hop group: next hop ${id} is listed twice; give it a weight instead`);
    seen.add(id);
  }
}
