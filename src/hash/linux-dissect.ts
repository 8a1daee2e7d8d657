/**
 * The multipath hash of a packet from its bytes, as the Linux router computes it: its flow dissector's view of the
 * headers (not a protocol analyser's) and the four hash policies.
 *
 * What it follows: IPv4 options, IPv6 extension headers, IP-in-IP (4, 41) and GRE to the inner header, ICMP errors
 * to the quoted one. Ports exist for TCP, UDP, UDP-Lite, SCTP, DCCP, ESP and AH (there: halves of the SPI), and for
 * no fragment. Cut headers yield what was captured: missing ports are 0.
 */

import { ICMP, ICMPV6, SCTP, TCP, UDP } from '../wire/ip-protocol.js';
import {
  FIELD_PROTO,
  type FlowHashSettings,
  INNER_FIELDS_SHIFT,
  linuxFieldsHash,
  swap32,
} from './flow-hash.js';
import { jhash2Words } from './jhash.js';
import { linuxFlowHash } from './linux-flow-keys.js';

const IPIP = 4;
const DCCP = 33;
const IPV6 = 41;
const GRE = 47;
const ESP = 50;
const AH = 51;
const UDP_LITE = 136;

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;

const PROTOCOLS_WITH_PORTS = new Set([TCP, UDP, DCCP, ESP, AH, SCTP, UDP_LITE]);
const ICMP_ERRORS = new Set([3, 4, 5, 11, 12]);

/** One IP header as the dissector sees it. */
class Header {
  family: 4 | 6 = 4;
  readonly words = new Uint32Array(8);
  /** after extension headers */
  proto = 0;
  /** as in the base header */
  baseProto = 0;
  label = 0;
  srcPort = 0;
  dstPort = 0;
  /** offset of what follows, -1 where it is a fragment or was not captured */
  next = -1;

  /** Reads the header at `at`; false where it is none. */
  read(view: DataView, at: number, end: number): boolean {
    if (at >= end) return false;
    const version = view.getUint8(at) >>> 4;
    this.words.fill(0);
    this.srcPort = 0;
    this.dstPort = 0;
    this.label = 0;
    if (version === 4) return this.readIpv4(view, at, end);
    return version === 6 && this.readIpv6(view, at, end);
  }

  private readIpv4(view: DataView, at: number, end: number): boolean {
    const headerBytes = (view.getUint8(at) & 15) * 4;
    if (at + 20 > end || headerBytes < 20) return false;
    this.family = 4;
    this.words[0] = view.getUint32(at + 12);
    this.words[4] = view.getUint32(at + 16);
    this.proto = view.getUint8(at + 9);
    this.baseProto = this.proto;
    const fragment = (view.getUint16(at + 6) & 0x3fff) !== 0;
    this.follow(view, fragment ? -1 : at + headerBytes, end);
    return true;
  }

  private readIpv6(view: DataView, at: number, end: number): boolean {
    if (at + 40 > end) return false;
    this.family = 6;
    for (let i = 0; i < 8; i++) this.words[i] = view.getUint32(at + 8 + 4 * i);
    this.label = view.getUint32(at) & 0xfffff;
    this.proto = view.getUint8(at + 6);
    this.baseProto = this.proto;
    let next = at + 40;
    for (;;) {
      if (this.proto === FRAGMENT) {
        this.proto = next < end ? view.getUint8(next) : FRAGMENT;
        next = -1;
        break;
      }
      const extension =
        this.proto === HOP_BY_HOP || this.proto === ROUTING || this.proto === DESTINATION_OPTIONS;
      if (!extension || next + 2 > end) break;
      this.proto = view.getUint8(next);
      next += (view.getUint8(next + 1) + 1) * 8;
    }
    this.follow(view, next, end);
    return true;
  }

  private follow(view: DataView, next: number, end: number): void {
    this.next = next;
    if (next < 0 || !PROTOCOLS_WITH_PORTS.has(this.proto)) return;
    // AH: the SPI stands behind next header, length and a reserved word
    const at = this.proto === AH ? next + 4 : next;
    if (at + 4 > end) return;
    this.srcPort = view.getUint16(at);
    this.dstPort = view.getUint16(at + 2);
  }
}

const outer = new Header();
const inner = new Header();
const quoted = new Header();

/** Whether `hash` can be had from bytes beyond the five-tuple; the others hash what the decoder says. */
export function isLinuxHash(hash: FlowHashSettings['hash']): boolean {
  return hash.startsWith('linux-');
}

/**
 * The 31-bit hash of the IP packet at `at`, or -1 where no IP header can be read. `end` is one past the last
 * captured octet.
 */
export function linuxPacketHash(settings: FlowHashSettings, view: DataView, at: number, end: number): number {
  if (!outer.read(view, at, end)) return -1;
  const { seed, fields } = settings;
  switch (settings.hash) {
    case 'linux-l3':
      return addressesOnly(seed, readQuoted(view, end) ? quoted : outer) >>> 1;
    case 'linux-l4':
      return (
        linuxFlowHash(seed, outer.family, outer.words, 0, 4, outer.proto, outer.srcPort, outer.dstPort, 0) >>>
        1
      );
    case 'linux-inner':
      return innermost(seed, readInner(view, end)) >>> 1;
    case 'linux-custom': {
      const within = readInner(view, end);
      const a = chosen(seed, fields, outer);
      const b = within ? chosen(seed, fields >>> INNER_FIELDS_SHIFT, inner) : 0;
      return jhash2Words(a, b, 0) >>> 1;
    }
    default:
      throw new RangeError(`linuxPacketHash: expected one of Linux's hashes, got ${settings.hash}`);
  }
}

/** Policy 0. */
function addressesOnly(seed: number, of: Header): number {
  if (of.family === 4) return linuxFlowHash(seed, 4, of.words, 0, 4, 0, 0, 0, 0);
  return linuxFlowHash(seed, 6, of.words, 0, 4, of.baseProto, 0, 0, of.label);
}

/** Policy 2. The outer flow label stays where the inner header has none. */
function innermost(seed: number, within: boolean): number {
  const of = within ? inner : outer;
  if (of.family === 4) return linuxFlowHash(seed, 4, of.words, 0, 4, 0, 0, 0, 0);
  return linuxFlowHash(seed, 6, of.words, 0, 4, of.proto, 0, 0, swap32(of.label || outer.label));
}

/** Policy 3, one header's half. */
function chosen(seed: number, fields: number, of: Header): number {
  const proto = (fields & FIELD_PROTO) !== 0 ? of.proto : 0;
  return linuxFieldsHash(seed, fields, of.family, of.words, 0, 4, proto, of.srcPort, of.dstPort, of.label);
}

/** The packet that an ICMP error quotes, for policy 0. */
function readQuoted(view: DataView, end: number): boolean {
  const { next, proto } = outer;
  if (next < 0 || next + 8 >= end) return false;
  const type = view.getUint8(next);
  const isError =
    outer.family === 4 ? proto === ICMP && ICMP_ERRORS.has(type) : proto === ICMPV6 && type < 128;
  return isError && quoted.read(view, next + 8, end) && quoted.family === outer.family;
}

/** The innermost header of a tunnel, into {@link inner}. */
function readInner(view: DataView, end: number): boolean {
  let { proto, next } = outer;
  let found = false;
  while (next >= 0) {
    const payload = proto === IPIP || proto === IPV6 ? next : proto === GRE ? afterGre(view, next, end) : -1;
    if (payload < 0 || !inner.read(view, payload, end)) break;
    found = true;
    proto = inner.proto;
    next = inner.next;
  }
  return found;
}

/** Offset behind a GRE version 0 header that carries IP, or -1 (RFC 2784, RFC 2890). */
function afterGre(view: DataView, at: number, end: number): number {
  if (at + 4 > end) return -1;
  const flags = view.getUint16(at);
  const protocol = view.getUint16(at + 2);
  if ((flags & 7) !== 0 || (protocol !== 0x0800 && protocol !== 0x86dd)) return -1;
  const optional =
    ((flags & 0x8000) !== 0 ? 4 : 0) + ((flags & 0x2000) !== 0 ? 4 : 0) + ((flags & 0x1000) !== 0 ? 4 : 0);
  return at + 4 + optional;
}
