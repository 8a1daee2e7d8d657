/**
 * One packet on its way through the hops: bytes in a buffer, with the offsets of its headers. The hops read and
 * rewrite it in place; checksums are mended incrementally (RFC 1624), never computed anew.
 *
 * Whoever fills it promises that the IP header and, for a first or whole packet, the layer-4 header are inside
 * the captured bytes (the decoder's check). Fragments carry no layer-4 fields to rewrite.
 */
import type { Address } from '../addr/address.js';
import { TUPLE_DST, TUPLE_SRC, type Tuple } from '../conntrack/tuple.js';
import { adjustChecksum16, adjustChecksum32 } from '../wire/checksum.js';
import { TCP, UDP } from '../wire/ip-protocol.js';

const IPV4_FRAGMENT = 6;
/** more fragments, and the offset (RFC 791 3.1) */
const IPV4_FRAGMENT_BITS = 0x3fff;
const IPV4_TTL = 8;
const IPV4_CHECKSUM = 10;
const IPV4_SRC = 12;
const IPV4_DST = 16;
const IPV6_NEXT_HEADER = 6;
/** RFC 8200 4.5 */
const FRAGMENT_HEADER = 44;
const IPV6_HOP_LIMIT = 7;
const IPV6_SRC = 8;
const IPV6_DST = 24;
const TCP_FLAGS = 13;
const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;

export class Packet {
  view: DataView = new DataView(new ArrayBuffer(0));
  family = 4;
  proto = 0;
  /** offset of the IP header */
  l3 = 0;
  /** offset of the layer-4 header */
  l4 = 0;
  /** one past the last captured byte */
  end = 0;
  /** octets of layer-4 payload on the wire */
  payloadBytes = 0;

  set(
    view: DataView,
    family: number,
    proto: number,
    l3: number,
    l4: number,
    end: number,
    payloadBytes: number,
  ): void {
    this.view = view;
    this.family = family;
    this.proto = proto;
    this.l3 = l3;
    this.l4 = l4;
    this.end = end;
    this.payloadBytes = payloadBytes;
  }

  /** Whether it is a fragment; over IPv6 where the fragment header is the first. */
  get isFragment(): boolean {
    const { view, l3 } = this;
    if (this.family === 6) return view.getUint8(l3 + IPV6_NEXT_HEADER) === FRAGMENT_HEADER;
    return (view.getUint16(l3 + IPV4_FRAGMENT) & IPV4_FRAGMENT_BITS) !== 0;
  }

  get tcpFlags(): number {
    return this.view.getUint8(this.l4 + TCP_FLAGS);
  }

  /** Replaces the TCP flags and mends the checksum. */
  setTcpFlags(flags: number): void {
    const at = this.l4 + TCP_FLAGS - 1;
    const before = this.view.getUint16(at);
    const after = (before & 0xff00) | flags;
    this.view.setUint16(at, after);
    this.mend16(before, after);
  }

  /** Reads the packet's tuple. */
  readTuple(out: Tuple): void {
    const { view } = this;
    const v4 = this.family === 4;
    for (let i = 0; i < 4; i++) {
      out.words[TUPLE_SRC + i] = v4 ? 0 : view.getUint32(this.l3 + IPV6_SRC + 4 * i);
      out.words[TUPLE_DST + i] = v4 ? 0 : view.getUint32(this.l3 + IPV6_DST + 4 * i);
    }
    if (v4) {
      out.words[TUPLE_SRC] = view.getUint32(this.l3 + IPV4_SRC);
      out.words[TUPLE_DST] = view.getUint32(this.l3 + IPV4_DST);
    }
    out.setKind(this.family, this.proto);
    out.setPorts(view.getUint16(this.l4), view.getUint16(this.l4 + 2));
  }

  /** Makes the packet's addresses and ports those of `tuple`. */
  writeTuple(tuple: Tuple): void {
    if (this.family === 4) {
      this.setWord(this.l3 + IPV4_SRC, tuple.words[TUPLE_SRC]!);
      this.setWord(this.l3 + IPV4_DST, tuple.words[TUPLE_DST]!);
    } else {
      for (let i = 0; i < 4; i++) {
        this.setWord(this.l3 + IPV6_SRC + 4 * i, tuple.words[TUPLE_SRC + i]!);
        this.setWord(this.l3 + IPV6_DST + 4 * i, tuple.words[TUPLE_DST + i]!);
      }
    }
    this.setPort(this.l4, tuple.srcPort);
    this.setPort(this.l4 + 2, tuple.dstPort);
  }

  /** Destination as it stands in the header. */
  destination(): Address {
    const { view, l3 } = this;
    if (this.family === 4) return { family: 4, w0: view.getUint32(l3 + IPV4_DST), w1: 0, w2: 0, w3: 0 };
    const at = l3 + IPV6_DST;
    return {
      family: 6,
      w0: view.getUint32(at),
      w1: view.getUint32(at + 4),
      w2: view.getUint32(at + 8),
      w3: view.getUint32(at + 12),
    };
  }

  /** One hop further. Returns false where the TTL ends here. */
  decrementTtl(): boolean {
    const { view, l3 } = this;
    if (this.family === 6) {
      const limit = view.getUint8(l3 + IPV6_HOP_LIMIT);
      if (limit <= 1) return false;
      view.setUint8(l3 + IPV6_HOP_LIMIT, limit - 1);
      return true;
    }
    const before = view.getUint16(l3 + IPV4_TTL);
    if (before >>> 8 <= 1) return false;
    const after = before - 0x100;
    view.setUint16(l3 + IPV4_TTL, after);
    view.setUint16(l3 + IPV4_CHECKSUM, adjustChecksum16(view.getUint16(l3 + IPV4_CHECKSUM), before, after));
    return true;
  }

  /** Writes an address word; the IPv4 header checksum and the pseudo-header part of layer 4 follow. */
  private setWord(at: number, word: number): void {
    const { view } = this;
    const before = view.getUint32(at);
    if (before === word) return;
    view.setUint32(at, word);
    if (this.family === 4) {
      const sum = this.l3 + IPV4_CHECKSUM;
      view.setUint16(sum, adjustChecksum32(view.getUint16(sum), before, word));
    }
    const sum = this.checksumAt();
    if (sum >= 0) view.setUint16(sum, this.kept(adjustChecksum32(view.getUint16(sum), before, word)));
  }

  private setPort(at: number, port: number): void {
    const before = this.view.getUint16(at);
    if (before === port) return;
    this.view.setUint16(at, port);
    this.mend16(before, port);
  }

  private mend16(before: number, after: number): void {
    const sum = this.checksumAt();
    if (sum >= 0)
      this.view.setUint16(sum, this.kept(adjustChecksum16(this.view.getUint16(sum), before, after)));
  }

  /** A UDP checksum of 0 would mean "none" (RFC 768). */
  private kept(checksum: number): number {
    return this.proto === UDP && checksum === 0 ? 0xffff : checksum;
  }

  /** Offset of the layer-4 checksum, or -1: cut off, none (UDP 0 over IPv4), or not one of addresses and ports. */
  private checksumAt(): number {
    const at = this.proto === TCP ? this.l4 + TCP_CHECKSUM : this.proto === UDP ? this.l4 + UDP_CHECKSUM : -1;
    if (at < 0 || at + 2 > this.end) return -1;
    if (this.proto === UDP && this.view.getUint16(at) === 0) return -1;
    return at;
  }
}
