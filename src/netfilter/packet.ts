/**
 * The packet that is traced: the header fields that rules look at, and the octets of both headers as far as they are
 * known. What a five-tuple does not say has the value that a plain packet has (TTL 64, no options, no fragment) and is
 * reported as assumed once a rule has read it; what no plain packet could be guessed to have (checksums, sequence
 * numbers, payload) is unknown.
 */
import { type Address, addressBytes, type Family } from '../addr/address.js';
import { ICMP, ICMPV6, SCTP, TCP, UDP } from '../wire/ip-protocol.js';

export interface PacketFields {
  readonly iif: string | null;
  readonly proto: number;
  readonly src: Address;
  readonly srcPort: number;
  readonly dst: Address;
  readonly dstPort: number;
  /** TCP flags octet */
  readonly flags?: number | undefined;
  /** octets of the IP packet */
  readonly length?: number | undefined;
  readonly icmpType?: number | undefined;
  readonly icmpCode?: number | undefined;
  readonly ttl?: number | undefined;
  readonly tos?: number | undefined;
  readonly mark?: number | undefined;
  /** the IP packet as captured; its octets are then all known */
  readonly bytes?: Uint8Array | undefined;
}

/** A value that nobody gave and that cannot be assumed. */
export const UNKNOWN = Symbol('unknown');
export type Unknown = typeof UNKNOWN;

export type HeaderBase = 'nh' | 'th' | 'ih' | 'll';

export class Packet {
  readonly family: Family;
  readonly proto: number;
  src: Address;
  dst: Address;
  srcPort: number;
  dstPort: number;
  readonly flags: number;
  readonly icmpType: number;
  readonly icmpCode: number;
  /** identifier of an echo; null where it was not given */
  icmpId: number | null;
  readonly length: number;
  ttl: number;
  tos: number;
  mark: number;
  /** a value that a rule computed and that is not known */
  markUnknown = false;
  priority = 0;
  readonly given: PacketFields;
  private headers: { readonly nh: Octets; readonly th: Octets } | null = null;

  constructor(fields: PacketFields) {
    this.given = fields;
    this.family = fields.src.family;
    this.proto = fields.proto;
    this.src = fields.src;
    this.dst = fields.dst;
    this.srcPort = fields.srcPort;
    this.dstPort = fields.dstPort;
    this.flags = fields.flags ?? 0x02;
    this.icmpType = fields.icmpType ?? (fields.src.family === 4 ? 8 : 128);
    this.icmpCode = fields.icmpCode ?? 0;
    this.icmpId = null;
    const header = fields.src.family === 4 ? 20 : 40;
    this.length = fields.length ?? header + (fields.proto === TCP ? 20 : 8);
    this.ttl = fields.ttl ?? 64;
    this.tos = fields.tos ?? 0;
    this.mark = fields.mark ?? 0;
    const { bytes } = fields;
    if (bytes !== undefined && this.isIcmp) {
      const at = transportAt(bytes);
      if (at + 6 <= bytes.length) this.icmpId = bytes[at + 4]! * 256 + bytes[at + 5]!;
    }
  }

  get isIcmp(): boolean {
    return this.proto === (this.family === 4 ? ICMP : ICMPV6);
  }

  get hasPorts(): boolean {
    return hasPorts(this.proto);
  }

  /** Octets from the network header's end on. */
  get transportLength(): number {
    return this.length - (this.family === 4 ? 20 : 40);
  }

  /** After a change of an address, a port, TTL or TOS the octets are laid out anew. */
  changed(): void {
    this.headers = null;
  }

  /** The source or destination as one comparable key. */
  get dstKey(): number | string {
    return addressKey(this.dst);
  }

  /** `bits` bits from bit `offset` of a header; beyond its end null, which ends an nft rule. */
  bits(base: HeaderBase, offset: number, bits: number): number | bigint | Unknown | null {
    if (base === 'll') return UNKNOWN;
    if (base === 'ih') return UNKNOWN;
    this.headers ??= { nh: networkOctets(this), th: transportOctets(this) };
    const { octets, known, end } = this.headers[base];
    if (offset + bits > end * 8) return null;
    let value = 0n;
    for (let bit = offset; bit < offset + bits; ) {
      const at = bit >> 3;
      const take = Math.min(8 - (bit & 7), offset + bits - bit);
      const shift = 8 - (bit & 7) - take;
      const mask = ((1 << take) - 1) << shift;
      if (((known[at] ?? 0) & mask) !== mask) return UNKNOWN;
      value = (value << BigInt(take)) | BigInt((octets[at]! & mask) >> shift);
      bit += take;
    }
    return bits <= 48 ? Number(value) : value;
  }
}

interface Octets {
  readonly octets: Uint8Array;
  /** a bit for each known bit */
  readonly known: Uint8Array;
  /** where the packet ends, from this header's start */
  readonly end: number;
}

function networkOctets(packet: Packet): Octets {
  const { family, given } = packet;
  const size = family === 4 ? 20 : 40;
  const octets = new Uint8Array(size);
  const known = new Uint8Array(size).fill(255);
  if (given.bytes !== undefined) octets.set(given.bytes.subarray(0, size));
  else if (family === 4) {
    octets[0] = 0x45;
    octets[2] = packet.length >> 8;
    octets[3] = packet.length;
    known.fill(0, 4, 6);
    known.fill(0, 10, 12);
  } else {
    octets[0] = 0x60;
    octets[4] = packet.transportLength >> 8;
    octets[5] = packet.transportLength;
  }
  if (family === 4) {
    octets[1] = packet.tos;
    octets[8] = packet.ttl;
    octets[9] = packet.proto;
    octets.set(addressBytes(packet.src), 12);
    octets.set(addressBytes(packet.dst), 16);
  } else {
    octets[0] = 0x60 | (packet.tos >> 4);
    octets[1] = ((packet.tos & 15) << 4) | (octets[1]! & 15);
    if (given.bytes === undefined) octets[6] = packet.proto;
    octets[7] = packet.ttl;
    octets.set(addressBytes(packet.src), 8);
    octets.set(addressBytes(packet.dst), 24);
  }
  return { octets, known, end: packet.length };
}

function transportOctets(packet: Packet): Octets {
  const { given, transportLength } = packet;
  const room = Math.max(20, Math.min(1500, transportLength));
  const octets = new Uint8Array(room);
  const known = new Uint8Array(room);
  if (given.bytes !== undefined) {
    const from = given.bytes.subarray(transportAt(given.bytes));
    octets.set(from.subarray(0, room));
    known.fill(255, 0, Math.min(room, from.length));
  }
  if (packet.hasPorts) {
    octets[0] = packet.srcPort >> 8;
    octets[1] = packet.srcPort;
    octets[2] = packet.dstPort >> 8;
    octets[3] = packet.dstPort;
    known.fill(255, 0, 4);
  }
  if (given.bytes === undefined) {
    if (packet.proto === TCP) {
      octets[12] = 0x50;
      octets[13] = packet.flags;
      // the window that a Linux client's SYN has
      octets[14] = 64240 >> 8;
      octets[15] = 64240 & 255;
      known.fill(255, 12, 16);
      if ((packet.flags & 0x20) === 0) known.fill(255, 18, 20);
    } else if (packet.proto === UDP) {
      octets[4] = transportLength >> 8;
      octets[5] = transportLength;
      known.fill(255, 4, 6);
    } else if (packet.isIcmp) {
      octets[0] = packet.icmpType;
      octets[1] = packet.icmpCode;
      known.fill(255, 0, 2);
    }
  }
  return { octets, known, end: transportLength };
}

/** Where the transport header begins: behind IPv4 options and IPv6 extension headers. */
export function transportAt(bytes: Uint8Array): number {
  if (bytes[0]! >> 4 === 4) return (bytes[0]! & 15) * 4;
  let at = 40;
  let next = bytes[6]!;
  while ((next === 0 || next === 43 || next === 60 || next === 44) && at + 8 <= bytes.length) {
    const length = next === 44 ? 8 : (bytes[at + 1]! + 1) * 8;
    next = bytes[at]!;
    at += length;
  }
  return at;
}

export function hasPorts(proto: number): boolean {
  return proto === TCP || proto === UDP || proto === SCTP || proto === 33 || proto === 136;
}

/** Equal for equal addresses of one family: a number for IPv4, a text for IPv6. */
export function addressKey(a: Address): number | string {
  return a.family === 4 ? a.w0 : `${a.w0}:${a.w1}:${a.w2}:${a.w3}`;
}
