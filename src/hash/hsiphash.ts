/**
 * HalfSipHash's stand-in on 64-bit kernels: SipHash-1-3 with a 64-bit state, low 32 bits of the result, over one
 * 32-bit word (lib/siphash.c, `hsiphash_1u32`, where BITS_PER_LONG is 64). IPVS's Maglev scheduler hashes with it.
 *
 * Each 64-bit word of the state is two int32 halves, low half first. One message block (the word with its length, 4, in
 * the top byte) gets one round, the finalisation three.
 */

/** v0l v0h v1l v1h v2l v2h v3l v3h */
const state = new Int32Array(8);

/** @param key low half of both key words; their high halves are 0 */
export function hsipHashWord(key: number, word: number): number {
  state[0] = key ^ 0x70736575;
  state[1] = 0x736f6d65;
  state[2] = key ^ 0x6e646f6d;
  state[3] = 0x646f7261;
  state[4] = key ^ 0x6e657261;
  state[5] = 0x6c796765;
  state[6] = key ^ 0x79746573;
  state[7] = 0x74656462;
  const length = 4 << 24;
  state[6]! ^= word;
  state[7]! ^= length;
  sipRound();
  state[0]! ^= word;
  state[1]! ^= length;
  state[4]! ^= 0xff;
  sipRound();
  sipRound();
  sipRound();
  return (state[0]! ^ state[2]! ^ state[4]! ^ state[6]!) >>> 0;
}

function sipRound(): void {
  add(0, 2);
  rotate(2, 13);
  mix(2, 0);
  swap(0);
  add(4, 6);
  rotate(6, 16);
  mix(6, 4);
  add(0, 6);
  rotate(6, 21);
  mix(6, 0);
  add(4, 2);
  rotate(2, 17);
  mix(2, 4);
  swap(4);
}

/** `to += from`, 64 bits wide */
function add(to: number, from: number): void {
  const low = (state[to]! >>> 0) + (state[from]! >>> 0);
  state[to + 1] = state[to + 1]! + state[from + 1]! + (low > 0xffffffff ? 1 : 0);
  state[to] = low;
}

function rotate(at: number, bits: number): void {
  const low = state[at]!;
  const high = state[at + 1]!;
  state[at] = (low << bits) | (high >>> (32 - bits));
  state[at + 1] = (high << bits) | (low >>> (32 - bits));
}

function mix(to: number, from: number): void {
  state[to]! ^= state[from]!;
  state[to + 1]! ^= state[from + 1]!;
}

/** rotation by 32 bits */
function swap(at: number): void {
  const low = state[at]!;
  state[at] = state[at + 1]!;
  state[at + 1] = low;
}
