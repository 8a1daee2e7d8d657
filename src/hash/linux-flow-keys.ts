/**
 * The key block that Linux hashes for multipath routes, and the hash over it (fib_multipath_hash, 6.11 and later;
 * layout verified against a running 6.18 kernel). Little-endian hosts; a big-endian router orders IPv4 addresses
 * and ports differently.
 *
 * ```
 *   bytes  field                                       bytes   field
 *   0-1    0 (ethertype)                               28-29   source port, network order
 *   2      IP protocol                                 30-31   destination port
 *   3      0                                           32-35   0 (ICMP)
 *   4-7    IPv6 flow label                             36-..   source, then destination address, then 4 zero bytes:
 *   8-27   0 (VLAN slots, GRE key)                             48 bytes in all for IPv4, 72 for IPv6
 * ```
 *
 * Before hashing, addresses are put in order (IPv4 as little-endian numbers, IPv6 bytewise), and so are ports, each
 * pair on its own: hash(A,B,p,q) = hash(B,A,q,p) = hash(A,B,q,p). The key of SipHash-2-4 is the seed four times.
 */
import { sipHash24 } from './siphash.js';

/** An empty key block is 12 or 18 words; one buffer serves all calls. */
const WORDS_V4 = 12;
const WORDS_V6 = 18;
const block = new Int32Array(WORDS_V6);

/**
 * Hash (unsigned 32 bits, never 0) of one flow key.
 *
 * @param words addresses as network-order words (addr/address.ts); source at `src`, destination at `dst`
 * @param label IPv6 flow label as the word that stands in bytes 4-7, read in network order (0: none)
 */
export function linuxFlowHash(
  seed: number,
  family: 4 | 6,
  words: Uint32Array,
  src: number,
  dst: number,
  proto: number,
  srcPort: number,
  dstPort: number,
  label: number,
): number {
  const count = writeFlowKey(block, family, words, src, dst, proto, srcPort, dstPort, label);
  return sipHash24(seed, block, count) || 1;
}

/** Writes the key block itself, put in order, as little-endian words into `out` (18 of them); returns how many. */
export function writeFlowKey(
  out: Int32Array,
  family: 4 | 6,
  words: Uint32Array,
  src: number,
  dst: number,
  proto: number,
  srcPort: number,
  dstPort: number,
  label: number,
): number {
  const count = family === 4 ? WORDS_V4 : WORDS_V6;
  out[0] = proto << 16;
  out[1] = swap32(label);
  const p = swap16(srcPort);
  const q = swap16(dstPort);
  out[7] = q < p ? q | (p << 16) : p | (q << 16);
  if (family === 4) {
    const a = swap32(words[src]!);
    const b = swap32(words[dst]!);
    const swapped = b >>> 0 < a >>> 0;
    out[9] = swapped ? b : a;
    out[10] = swapped ? a : b;
    out[11] = 0;
  } else {
    const swapped = isBelow(words, dst, src);
    const first = swapped ? dst : src;
    const second = swapped ? src : dst;
    for (let i = 0; i < 4; i++) {
      out[9 + i] = swap32(words[first + i]!);
      out[13 + i] = swap32(words[second + i]!);
    }
    out[17] = 0;
  }
  return count;
}

function isBelow(words: Uint32Array, a: number, b: number): boolean {
  for (let i = 0; i < 4; i++) {
    if (words[a + i] !== words[b + i]) return words[a + i]! < words[b + i]!;
  }
  return false;
}

function swap16(x: number): number {
  return ((x & 0xff) << 8) | (x >>> 8);
}

function swap32(x: number): number {
  return (x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24);
}
