/**
 * How IPVS's source-hashing schedulers choose a real server: `sh` (net/netfilter/ipvs/ip_vs_sh.c) and `mh`
 * (ip_vs_mh.c), as the kernel computes them. No draw and no memory: the same destinations, added in the same order,
 * give a client the same real server on every node.
 *
 * Both walk the service's destinations newest first, because the kernel puts each new one at the head of its list.
 *
 * - `sh`: 256 buckets dealt to the destinations, each taking as many in a row as its weight (one where it is 0).
 * - `mh`: a Maglev table of 4093 positions; offset and skip come from the destination's address and port, so that the
 *   order of adding matters only for who takes the first free position. Weights are divided by their greatest common
 *   divisor, and halved until the largest fits into 64 turns.
 *
 * A destination whose weight has become 0 keeps its buckets in `sh` and gets nothing: its clients are dropped.
 */
import { hsipHashWord } from '../hash/hsiphash.js';

export interface IpvsDestination {
  /** see {@link ipvsFold} */
  readonly fold: number;
  readonly port: number;
  readonly weight: number;
}

/** IP_VS_SH_TAB_BITS */
const SH_BITS = 8;
/** include/linux/hash.h: GOLDEN_RATIO_32 */
const GOLDEN_RATIO_32 = 0x61c88647;
/** CONFIG_IP_VS_MH_TAB_INDEX is 12 by default: the fifth prime of the scheduler's list */
const MH_SIZE = 4093;
/** half the index: weights above 2^6 (after division) are shifted down */
const MH_WEIGHT_BITS = 6;
/** the scheduler's two fixed keys: of offsets and look-ups, and of skips */
const MH_KEY = 2654435761;
const MH_SKIP_KEY = 2654446892;

export type IpvsSourceScheduler = 'sh' | 'mh';

/** An address as the schedulers hash it: IPv4 as it is, IPv6 folded into 32 bits by exclusive or. */
export function ipvsFold(address: {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}): number {
  return (address.w0 ^ address.w1 ^ address.w2 ^ address.w3) >>> 0;
}

/** The table of one service; rows are places in the list of destinations given. */
export class IpvsSourceTable {
  /** row of the destination of each bucket; -1 where no destination takes connections */
  readonly buckets: Int32Array;

  /** @param destinations in the order in which they were added */
  constructor(
    readonly scheduler: IpvsSourceScheduler,
    private readonly destinations: readonly IpvsDestination[],
  ) {
    this.buckets = scheduler === 'sh' ? dealSh(destinations) : fillMh(destinations);
  }

  /** What the scheduler hashes: the look-up's bucket. `port` is 0 unless the service has the flag sh-port or mh-port. */
  bucketOf(fold: number, port: number): number {
    const sum = (fold + port) >>> 0;
    return this.scheduler === 'sh'
      ? Math.imul(sum, GOLDEN_RATIO_32) >>> (32 - SH_BITS)
      : hsipHashWord(MH_KEY, sum) % MH_SIZE;
  }

  /** Row of the destination, or -1 where the client gets none (no destinations, or its own has weight 0). */
  choose(fold: number, port: number): number {
    const row = this.buckets[this.bucketOf(fold, port)]!;
    return row >= 0 && this.destinations[row]!.weight > 0 ? row : -1;
  }
}

function dealSh(destinations: readonly IpvsDestination[]): Int32Array {
  const buckets = new Int32Array(1 << SH_BITS).fill(-1);
  let row = destinations.length - 1;
  let dealt = 0;
  for (let bucket = 0; destinations.length > 0 && bucket < buckets.length; bucket++) {
    buckets[bucket] = row;
    if (++dealt < destinations[row]!.weight) continue;
    row = row === 0 ? destinations.length - 1 : row - 1;
    dealt = 0;
  }
  return buckets;
}

function fillMh(destinations: readonly IpvsDestination[]): Int32Array {
  const table = new Int32Array(MH_SIZE).fill(-1);
  const divisor = destinations.reduce((so, { weight }) => greatestCommonDivisor(so, weight), 0);
  if (divisor < 1) return table;
  const heaviest = Math.max(...destinations.map(({ weight }) => weight)) / divisor;
  const shift = Math.max(0, 32 - Math.clz32(heaviest) - MH_WEIGHT_BITS);
  const rows = destinations
    .map(({ fold, port, weight }, row) => ({
      row,
      at: hsipHashWord(MH_KEY, (fold + port) >>> 0) % MH_SIZE,
      skip: (hsipHashWord(MH_SKIP_KEY, (fold + port) >>> 0) % (MH_SIZE - 1)) + 1,
      turns: (weight / divisor) >> shift || (weight === 0 ? 0 : 1),
    }))
    .filter(({ turns }) => turns > 0)
    .reverse();
  for (let filled = 0; ; ) {
    for (const permutation of rows) {
      for (let turn = 0; turn < permutation.turns; turn++) {
        while (table[permutation.at]! >= 0) permutation.at = (permutation.at + permutation.skip) % MH_SIZE;
        table[permutation.at] = permutation.row;
        if (++filled === MH_SIZE) return table;
      }
    }
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
