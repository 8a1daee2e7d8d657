/**
 * Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, 3.4).
 *
 * Every backend has a permutation of the table's positions, (offset + j * skip) mod M with M prime. Backends take
 * turns, each taking the next free position of its permutation, until the table is full. With weights a backend
 * takes its turn as often as its weight says, relative to the heaviest.
 *
 * The algorithm is exact; the bits are not those of any product: Cilium, Katran and the paper each hash backend
 * names in their own way for offset and skip. Here both come from the next hop's id.
 */
import { mixPair } from './mix.js';
import type { WeightedNextHop } from './next-hop-group.js';
import { TableGroup } from './table-group.js';

/** Table sizes that products use: Cilium's default and largest, Katran's. */
export const MAGLEV_SIZES = { cilium: 16381, 'cilium-largest': 131071, katran: 65537, paper: 65537 } as const;

/** The table size that goes by this name, or null. */
export function tableSizeOf(name: string): number | null {
  return Object.hasOwn(MAGLEV_SIZES, name) ? MAGLEV_SIZES[name as keyof typeof MAGLEV_SIZES] : null;
}

export class MaglevGroup extends TableGroup {
  readonly select = 'maglev';

  constructor(
    private readonly size: number,
    nextHops: readonly WeightedNextHop[],
  ) {
    super();
    if (!isPrime(size)) {
      throw new RangeError(
        `maglev: expected a prime table size (permutations must reach every position), got ${size}; try ${nextPrime(size)}`,
      );
    }
    this.replace(nextHops);
  }

  override replace(nextHops: readonly WeightedNextHop[]): void {
    if (nextHops.length > this.size) {
      throw new RangeError(`maglev: a table of ${this.size} cannot hold ${nextHops.length} next hops`);
    }
    super.replace(nextHops);
  }

  protected build(nextHops: readonly WeightedNextHop[]): Int32Array<ArrayBuffer> {
    const offsets = Int32Array.from(nextHops, ({ id }) => mixPair(id, 1) % this.size);
    const skips = Int32Array.from(nextHops, ({ id }) => (mixPair(id, 2) % (this.size - 1 || 1)) + 1);
    const order = maglevTable(
      this.size,
      offsets,
      skips,
      Int32Array.from(nextHops, ({ weight }) => weight),
    );
    return order.map((row) => nextHops[row]!.id);
  }
}

/**
 * The lookup table: row of the backend for each of `size` positions.
 *
 * @param offsets first position of each backend's permutation, 0 .. size-1
 * @param skips its step, 1 .. size-1
 */
export function maglevTable(
  size: number,
  offsets: Int32Array,
  skips: Int32Array,
  weights: Int32Array,
): Int32Array<ArrayBuffer> {
  const backends = offsets.length;
  const table = new Int32Array(size);
  // a bit a position: the last positions take thousands of probes each, and a bit set stays in the nearest cache
  const taken = new Int32Array((size + 31) >>> 5);
  const last = size - 1;
  const position = Int32Array.from(offsets);
  const heaviest = Math.max(...weights);
  const equal = weights.every((weight) => weight === heaviest);
  // turns owed: a backend takes one whenever its sum of weights has reached the heaviest
  const owed = new Int32Array(backends);
  for (let filled = 0; ; ) {
    for (let row = 0; row < backends; row++) {
      if (!equal) {
        owed[row]! += weights[row]!;
        if (owed[row]! < heaviest) continue;
        owed[row]! -= heaviest;
      }
      let at = position[row]!;
      const skip = skips[row]!;
      while ((taken[at >>> 5]! & (1 << at)) !== 0) {
        at += skip;
        // modulo without a branch that would be mispredicted every other time: the mask is all ones beyond the end
        at -= size & ((last - at) >> 31);
      }
      taken[at >>> 5]! |= 1 << at;
      table[at] = row;
      at += skip;
      position[row] = at - (size & ((last - at) >> 31));
      if (++filled === size) return table;
    }
  }
}

export function isPrime(n: number): boolean {
  if (!Number.isInteger(n) || n < 2) return false;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}

function nextPrime(n: number): number {
  let p = Math.max(2, Math.ceil(n) || 2);
  while (!isPrime(p)) p++;
  return p;
}
