/**
 * A router's flow hash by name. Linux's are exact (linux-flow-keys.ts). The others are the published algorithms
 * over the five-tuple; which of them a vendor's ASIC uses, over which fields and with which key, is not published,
 * so that a result under them stands for "some such hash" and is read over many seeds.
 *
 * Their input, as far as `fields` selects it: source address, destination address, source port, destination port
 * (network order), protocol. Toeplitz takes no protocol, as in receive side scaling. What is not selected is zero.
 */
import { crc16, crc32c } from './crc.js';
import { jhash2Words, jhashWords } from './jhash.js';
import { linuxFlowHash } from './linux-flow-keys.js';
import { murmur3 } from './murmur3.js';
import { Toeplitz } from './toeplitz.js';

/** Bits of fib_multipath_hash_fields for the outer (or only) header. */
export const FIELD_SRC = 0x01;
export const FIELD_DST = 0x02;
export const FIELD_PROTO = 0x04;
export const FIELD_LABEL = 0x08;
export const FIELD_SRC_PORT = 0x10;
export const FIELD_DST_PORT = 0x20;
/** the same six for the inner header: shifted by this */
export const INNER_FIELDS_SHIFT = 6;
/** source, destination and protocol: the kernel's default */
export const DEFAULT_FIELDS = FIELD_SRC | FIELD_DST | FIELD_PROTO;
const FIVE_TUPLE = DEFAULT_FIELDS | FIELD_SRC_PORT | FIELD_DST_PORT;

/** Every hash a router may be given. */
export const FLOW_HASHES = [
  'linux-l3',
  'linux-l4',
  'linux-inner',
  'linux-custom',
  'crc32c',
  'crc16',
  'toeplitz',
  'jenkins',
  'murmur3',
  'xor',
] as const;
export type FlowHashName = (typeof FLOW_HASHES)[number];

export interface FlowHashSettings {
  readonly hash: FlowHashName;
  /** unsigned 32 bits */
  readonly seed: number;
  /** FIELD_ bits, for linux-custom; the other non-Linux hashes take the whole five-tuple where this is the default */
  readonly fields: number;
  /**
   * Of the hashes that are not Linux's: both directions of a flow hash alike, because the two ends (address with
   * port) are put in order first. Linux's always do, each pair on its own.
   */
  readonly symmetric?: boolean | undefined;
}

export interface FlowHash {
  /** how many bits the hash has: 31 for Linux (after its >> 1) */
  readonly bits: 16 | 31 | 32;
  /**
   * Hash of a packet without a tunnel, unsigned. Ports are 0 where the packet has none (fragments, ICMP).
   *
   * @param words addresses as four words each (addr/address.ts), source at `src`, destination at `dst`
   */
  hashTuple(
    family: 4 | 6,
    words: Uint32Array,
    src: number,
    dst: number,
    proto: number,
    srcPort: number,
    dstPort: number,
    label: number,
  ): number;
}

export function createFlowHash({ hash, seed, fields, symmetric }: FlowHashSettings): FlowHash {
  const chosen = fields === DEFAULT_FIELDS ? FIVE_TUPLE : fields;
  switch (hash) {
    case 'linux-l3':
      return overAddresses(seed, (label) => label);
    case 'linux-l4':
      return {
        bits: 31,
        hashTuple: (family, words, src, dst, proto, srcPort, dstPort) =>
          linuxFlowHash(seed, family, words, src, dst, proto, srcPort, dstPort, 0) >>> 1,
      };
    case 'linux-inner':
      return overAddresses(seed, swap32);
    case 'linux-custom':
      return {
        bits: 31,
        hashTuple: (family, words, src, dst, proto, srcPort, dstPort, label) =>
          jhash2Words(
            linuxFieldsHash(seed, fields, family, words, src, dst, proto, srcPort, dstPort, label),
            0,
            0,
          ) >>> 1,
      };
    default:
      return symmetric === true ? inOrder(overOctets(hash, seed, chosen)) : overOctets(hash, seed, chosen);
  }
}

/** Linux's hash without ports (policies 0 and 2): the addresses, and for IPv6 protocol and flow label as well. */
function overAddresses(seed: number, labelWord: (label: number) => number): FlowHash {
  return {
    bits: 31,
    hashTuple: (family, words, src, dst, proto, _sp, _dp, label) =>
      (family === 4
        ? linuxFlowHash(seed, 4, words, src, dst, 0, 0, 0, 0)
        : linuxFlowHash(seed, 6, words, src, dst, proto, 0, 0, labelWord(label))) >>> 1,
  };
}

/** `of`, given the lower end first. */
function inOrder(of: FlowHash): FlowHash {
  return {
    bits: of.bits,
    hashTuple: (family, words, src, dst, proto, srcPort, dstPort, label) =>
      isBelow(words, dst, dstPort, src, srcPort)
        ? of.hashTuple(family, words, dst, src, proto, dstPort, srcPort, label)
        : of.hashTuple(family, words, src, dst, proto, srcPort, dstPort, label),
  };
}

function isBelow(words: Uint32Array, a: number, aPort: number, b: number, bPort: number): boolean {
  for (let i = 0; i < 4; i++) {
    if (words[a + i] !== words[b + i]) return words[a + i]! < words[b + i]!;
  }
  return aPort < bPort;
}

const selected = new Uint32Array(8);

/** Linux's hash over the chosen fields of one header (policy 3); 0 where no field of it is chosen. */
export function linuxFieldsHash(
  seed: number,
  fields: number,
  family: 4 | 6,
  words: Uint32Array,
  src: number,
  dst: number,
  proto: number,
  srcPort: number,
  dstPort: number,
  label: number,
): number {
  if ((fields & 0x3f) === 0) return 0;
  for (let i = 0; i < 4; i++) {
    selected[i] = (fields & FIELD_SRC) !== 0 ? words[src + i]! : 0;
    selected[4 + i] = (fields & FIELD_DST) !== 0 ? words[dst + i]! : 0;
  }
  return linuxFlowHash(
    seed,
    family,
    selected,
    0,
    4,
    (fields & FIELD_PROTO) !== 0 ? proto : 0,
    (fields & FIELD_SRC_PORT) !== 0 ? srcPort : 0,
    (fields & FIELD_DST_PORT) !== 0 ? dstPort : 0,
    family === 6 && (fields & FIELD_LABEL) !== 0 ? swap32(label) : 0,
  );
}

/** Policies 2 and 3 take the label as a host-order number, policy 0 as it stands in the header. */
export function swap32(x: number): number {
  return ((x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)) >>> 0;
}

/** The five-tuple as octets for the hashes that are not Linux's. */
function overOctets(hash: Exclude<FlowHashName, `linux-${string}`>, seed: number, fields: number): FlowHash {
  const octets = new Uint8Array(40);
  const view = new DataView(octets.buffer);
  const asWords = new Int32Array(octets.buffer);
  const unsigned = new Uint32Array(octets.buffer);
  const toeplitz = hash === 'toeplitz' ? new Toeplitz(seed) : null;
  const fill: FlowHash['hashTuple'] = (family, words, src, dst, proto, srcPort, dstPort) => {
    const each = family === 4 ? 1 : 4;
    for (let i = 0; i < each; i++) {
      view.setUint32(4 * i, (fields & FIELD_SRC) !== 0 ? words[src + i]! : 0);
      view.setUint32(4 * (each + i), (fields & FIELD_DST) !== 0 ? words[dst + i]! : 0);
    }
    const at = 8 * each;
    view.setUint16(at, (fields & FIELD_SRC_PORT) !== 0 ? srcPort : 0);
    view.setUint16(at + 2, (fields & FIELD_DST_PORT) !== 0 ? dstPort : 0);
    view.setUint32(at + 4, 0);
    octets[at + 4] = (fields & FIELD_PROTO) !== 0 ? proto : 0;
    return at + 4;
  };
  const digest = (ports: number): number => {
    switch (hash) {
      case 'crc32c':
        return crc32c(octets, ports + 1, seed);
      case 'crc16':
        return crc16(octets, ports + 1, seed);
      case 'toeplitz':
        return toeplitz!.hash(octets, ports);
      case 'murmur3':
        return murmur3(asWords, (ports + 4) >> 2, seed);
      case 'jenkins':
        return jhashWords(unsigned, (ports + 4) >> 2, seed);
      case 'xor': {
        let folded = seed;
        for (let i = 0; i <= ports; i += 4) folded ^= view.getUint32(i);
        folded ^= folded >>> 16;
        return folded >>> 0;
      }
    }
  };
  return {
    bits: hash === 'crc16' ? 16 : 32,
    hashTuple: (family, words, src, dst, proto, srcPort, dstPort, label) =>
      digest(fill(family, words, src, dst, proto, srcPort, dstPort, label)),
  };
}
