/**
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), low 32 bits of the 64-bit result.
 *
 * The names v0..v3 are the paper's; each 64-bit word is two int32 halves (`h` high, `l` low), because BigInt is
 * 35 times slower here. Input is a whole number of 64-bit words, given as 32-bit little-endian halves (low half first);
 * the length block is added here. Finalisation is two more blocks of zeros: its four rounds are the same rounds.
 */

/**
 * Low 32 bits (unsigned) of SipHash-2-4 over `words[0 .. count)`.
 *
 * @param k0 low half of both key words' pattern: Linux keys its multipath hash with k0 = k1 = seed << 32 | seed,
 *   so that all four halves are the seed
 * @param count number of 32-bit words; even
 */
export function sipHash24(k0: number, words: Int32Array, count: number): number {
  const key = k0 | 0;
  let v0l = key ^ 0x70736575;
  let v0h = key ^ 0x736f6d65;
  let v1l = key ^ 0x6e646f6d;
  let v1h = key ^ 0x646f7261;
  let v2l = key ^ 0x6e657261;
  let v2h = key ^ 0x6c796765;
  let v3l = key ^ 0x79746573;
  let v3h = key ^ 0x74656462;
  // two rounds a block: the message, the length block at `count`, then twice nothing
  for (let i = 0; i <= count + 4; i += 2) {
    const ml = i < count ? words[i]! : 0;
    const mh = i < count ? words[i + 1]! : i === count ? (count * 4) << 24 : 0;
    if (i === count + 2) v2l ^= 0xff;
    v3l ^= ml;
    v3h ^= mh;
    for (let r = 0; r < 2; r++) {
      let t = (v0l + v1l) | 0;
      v0h = (v0h + v1h + carry(v0l, v1l, t)) | 0;
      v0l = t;
      t = (v1l << 13) | (v1h >>> 19);
      v1h = (v1h << 13) | (v1l >>> 19);
      v1l = t ^ v0l;
      v1h ^= v0h;
      t = v0l;
      v0l = v0h;
      v0h = t;
      t = (v2l + v3l) | 0;
      v2h = (v2h + v3h + carry(v2l, v3l, t)) | 0;
      v2l = t;
      t = (v3l << 16) | (v3h >>> 16);
      v3h = (v3h << 16) | (v3l >>> 16);
      v3l = t ^ v2l;
      v3h ^= v2h;
      t = (v0l + v3l) | 0;
      v0h = (v0h + v3h + carry(v0l, v3l, t)) | 0;
      v0l = t;
      t = (v3l << 21) | (v3h >>> 11);
      v3h = (v3h << 21) | (v3l >>> 11);
      v3l = t ^ v0l;
      v3h ^= v0h;
      t = (v2l + v1l) | 0;
      v2h = (v2h + v1h + carry(v2l, v1l, t)) | 0;
      v2l = t;
      t = (v1l << 17) | (v1h >>> 15);
      v1h = (v1h << 17) | (v1l >>> 15);
      v1l = t ^ v2l;
      v1h ^= v2h;
      t = v2l;
      v2l = v2h;
      v2h = t;
    }
    v0l ^= ml;
    v0h ^= mh;
  }
  return (v0l ^ v1l ^ v2l ^ v3l) >>> 0;
}

/** What the int32 sum `t` of `a` and `b` carries, 0 or 1. A comparison is a branch taken at random: twice the time in all. */
function carry(a: number, b: number, t: number): number {
  return ((a & b) | ((a | b) & ~t)) >>> 31;
}
