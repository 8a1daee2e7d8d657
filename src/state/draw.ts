/**
 * Chance, made repeatable. What a real node draws at random (which endpoint, which source port) is drawn here
 * from the scenario's seed through a named stream, as a function of the flow and of how many draws it has had:
 * no hidden state, so that neither the order of other flows nor an added draw elsewhere changes an outcome.
 */

/** Named streams. A node has one of each. */
export const Stream = {
  endpoint: 1,
  sourcePort: 2,
  probe: 3,
  proxyPort: 4,
  edgePort: 5,
  earlyDrop: 6,
} as const;
export type Stream = (typeof Stream)[keyof typeof Stream];

/** Uniform 32 bits (unsigned) for the `ordinal`-th draw of the flow `key` from a node's stream. */
export function draw(seed: number, node: number, stream: Stream, key: number, ordinal: number): number {
  let h = mix(seed ^ 0x9e3779b9);
  h = mix(h ^ Math.imul(node + 1, 0x85ebca6b));
  h = mix(h ^ Math.imul(stream, 0xc2b2ae35));
  h = mix(h ^ key);
  h = mix(h ^ Math.imul(ordinal + 1, 0x27d4eb2f));
  return h >>> 0;
}

/** `u32` scaled to 0 .. n-1. */
export function scale(u32: number, n: number): number {
  return Math.floor((u32 * n) / 0x1_0000_0000);
}

/** A 32-bit key of the tuple client -> VIP, for {@link draw}. Words as in addr/address.ts. */
export function flowKey(
  words: Uint32Array,
  srcAt: number,
  dstAt: number,
  srcPort: number,
  dstPort: number,
  proto: number,
): number {
  let h = mix(proto + 0x51ed270b);
  for (let i = 0; i < 4; i++) h = mix(h ^ words[srcAt + i]!);
  for (let i = 0; i < 4; i++) h = mix(h ^ words[dstAt + i]!);
  return mix(h ^ ((srcPort << 16) | dstPort));
}

/** Finaliser of murmur3: every input bit reaches every output bit. */
function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
