/**
 * One IP header of a packet and the start of what it carries: a reused record, filled in place.
 *
 * `read` covers IPv4 with options, IPv6 with its extension headers, AH, fragments and the first octets of layer 4.
 * All offsets lie between the start of the header and `end`, and `end` never passes the captured bytes.
 */
import * as ah from '../wire/ah.js';
import * as dccp from '../wire/dccp.js';
import * as protocols from '../wire/ip-protocol.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as extension from '../wire/ipv6-extension.js';
import * as sctp from '../wire/sctp.js';
import * as tcp from '../wire/tcp.js';
import * as udp from '../wire/udp.js';
import { DecodeFault } from './decode-fault.js';
import { LABEL_SACK, LABEL_SCALE_SHIFT, LABEL_SCALED } from './packet-index.js';

/** where `words` keeps what */
export const LAYER_SRC = 0;
export const LAYER_DST = 4;

export class IpLayer {
  /** 4 or 6 */
  family = 0;
  /** source (4 words), destination (4 words); IPv4 in the first of each */
  readonly words = new Uint32Array(8);
  /** after extension headers; where these are cut off, the one that is */
  proto = 0;
  /** TTL or hop limit */
  ttl = 0;
  /** IPv6 flow label, 0 for IPv4 */
  flowLabel = 0;
  /** offset of the IP header */
  l3 = 0;
  /** offset of what follows IP and extension headers, at most `end` */
  l4 = 0;
  /** one past the last captured octet of this IP packet */
  end = 0;
  /** octets from `l3`, by the IP length */
  ipBytes = 0;
  /** in octets */
  fragmentOffset = 0;
  moreFragments = false;
  /** IPv4 with an offset or MF, IPv6 with a fragment header (Linux hashes these without ports) */
  isFragment = false;
  /** both ports were captured; false for non-first fragments */
  hasPorts = false;
  srcPort = 0;
  dstPort = 0;
  /** the lower eight; -1 if this is not TCP or they were not captured */
  tcpFlags = -1;
  /** TCP: sequence and acknowledgement number and window as sent; 0 where they were not captured */
  sequence = 0;
  /** SCTP: 1 + the type of the first chunk */
  acknowledgment = 0;
  window = 0;
  /** what a SYN's options say of windows: LABEL_ bits of the packet index */
  tcpOptions = 0;
  /** octets behind the layer-4 header, by the IP length; 0 without ports */
  payloadBytes = 0;

  /**
   * Reads the header at `at`. `end` is one past the last captured octet, `wireEnd` where the frame ended on the
   * wire. With a fault of the IP header itself the layer is void; later faults leave what was read before.
   */
  read(view: DataView, type: 4 | 6, at: number, end: number, wireEnd: number): DecodeFault {
    this.l3 = at;
    this.hasPorts = false;
    this.srcPort = 0;
    this.dstPort = 0;
    this.tcpFlags = -1;
    this.payloadBytes = 0;
    this.sequence = 0;
    this.acknowledgment = 0;
    this.window = 0;
    this.tcpOptions = 0;
    this.fragmentOffset = 0;
    this.moreFragments = false;
    this.isFragment = false;
    this.family = 0;
    const fault = type === 4 ? this.readIpv4(view, at, end, wireEnd) : this.readIpv6(view, at, end, wireEnd);
    if (fault !== DecodeFault.none || this.fragmentOffset !== 0) return fault;
    return this.readL4(view);
  }

  private readIpv4(view: DataView, at: number, end: number, wireEnd: number): DecodeFault {
    if (!ipv4.check(at, end)) return DecodeFault.ipv4HeaderCut;
    const headerBytes = ipv4.headerBytes(view, at);
    // a length of 0 is what segmentation offload leaves behind
    const ipBytes = ipv4.totalBytes(view, at) || wireEnd - at;
    if (ipv4.version(view, at) !== 4 || headerBytes < ipv4.MIN_HEADER_BYTES || ipBytes < headerBytes) {
      return DecodeFault.ipv4HeaderBad;
    }
    this.family = 4;
    this.words.fill(0);
    this.words[LAYER_SRC] = ipv4.src(view, at);
    this.words[LAYER_DST] = ipv4.dst(view, at);
    this.proto = ipv4.protocol(view, at);
    this.ttl = ipv4.ttl(view, at);
    this.flowLabel = 0;
    this.ipBytes = ipBytes;
    this.end = Math.min(end, at + ipBytes);
    this.l4 = Math.min(at + headerBytes, this.end);
    this.fragmentOffset = ipv4.fragmentOffset(view, at);
    this.moreFragments = ipv4.moreFragments(view, at);
    this.isFragment = this.moreFragments || this.fragmentOffset !== 0;
    if (at + headerBytes > end) return DecodeFault.ipv4HeaderCut;
    if (this.proto === protocols.AH && this.fragmentOffset === 0) return this.skipAuthentication(view);
    return DecodeFault.none;
  }

  private readIpv6(view: DataView, at: number, end: number, wireEnd: number): DecodeFault {
    if (!ipv6.check(at, end)) return DecodeFault.ipv6HeaderCut;
    if (ipv6.version(view, at) !== 6) return DecodeFault.ipv6HeaderBad;
    this.family = 6;
    for (let i = 0; i < 4; i++) {
      this.words[LAYER_SRC + i] = ipv6.srcWord(view, at, i);
      this.words[LAYER_DST + i] = ipv6.dstWord(view, at, i);
    }
    this.proto = ipv6.nextHeader(view, at);
    this.ttl = ipv6.hopLimit(view, at);
    this.flowLabel = ipv6.flowLabel(view, at);
    const payloadBytes = ipv6.payloadBytes(view, at);
    // 0: a jumbogram (RFC 2675) or segmentation offload
    this.ipBytes = payloadBytes === 0 ? wireEnd - at : ipv6.HEADER_BYTES + payloadBytes;
    this.end = Math.min(end, at + this.ipBytes);
    this.l4 = at + ipv6.HEADER_BYTES;
    return this.skipExtensions(view);
  }

  /** Moves `l4` and `proto` over the extension headers. */
  private skipExtensions(view: DataView): DecodeFault {
    for (;;) {
      const { proto, l4, end } = this;
      if (proto === protocols.FRAGMENT) {
        if (!extension.check(l4, end)) return DecodeFault.ipv6ExtensionCut;
        this.isFragment = true;
        this.fragmentOffset = extension.fragmentOffset(view, l4);
        this.moreFragments = extension.moreFragments(view, l4);
        this.proto = extension.nextHeader(view, l4);
        this.l4 = l4 + extension.FRAGMENT_BYTES;
        if (this.fragmentOffset !== 0) return DecodeFault.none;
      } else if (proto === protocols.AH) {
        const fault = this.skipAuthentication(view);
        if (fault !== DecodeFault.none) return fault;
      } else if (extension.isOptions(proto)) {
        if (!extension.check(l4, end)) return DecodeFault.ipv6ExtensionCut;
        const next = l4 + extension.headerBytes(view, l4);
        if (next > end) return DecodeFault.ipv6ExtensionCut;
        this.proto = extension.nextHeader(view, l4);
        this.l4 = next;
      } else {
        return DecodeFault.none;
      }
    }
  }

  private skipAuthentication(view: DataView): DecodeFault {
    const { l4, end } = this;
    if (!ah.check(l4, end)) return DecodeFault.ipv6ExtensionCut;
    const next = l4 + ah.headerBytes(view, l4);
    if (next > end) return DecodeFault.ipv6ExtensionCut;
    this.proto = ah.nextHeader(view, l4);
    this.l4 = next;
    return DecodeFault.none;
  }

  private readL4(view: DataView): DecodeFault {
    const { proto, l4, end } = this;
    if (!protocols.hasPorts(proto)) return DecodeFault.none;
    if (l4 + 4 > end) return DecodeFault.l4HeaderCut;
    this.hasPorts = true;
    this.srcPort = view.getUint16(l4);
    this.dstPort = view.getUint16(l4 + 2);
    let headerBytes: number = udp.HEADER_BYTES;
    if (proto === protocols.TCP) {
      headerBytes = tcp.MIN_HEADER_BYTES;
      if (tcp.checkFlags(l4, end)) {
        this.tcpFlags = tcp.flags(view, l4);
        headerBytes = tcp.headerBytes(view, l4);
        if ((this.tcpFlags & tcp.TCP_SYN) !== 0) {
          this.tcpOptions = windowOptions(view, l4 + tcp.MIN_HEADER_BYTES, Math.min(end, l4 + headerBytes));
        }
      }
      if (tcp.checkWindow(l4, end)) {
        this.sequence = tcp.sequence(view, l4);
        this.acknowledgment = tcp.acknowledgment(view, l4);
        this.window = tcp.window(view, l4);
      }
    } else if (proto === protocols.SCTP) {
      headerBytes = sctp.HEADER_BYTES;
      if (l4 + sctp.HEADER_BYTES < end) this.acknowledgment = 1 + view.getUint8(l4 + sctp.HEADER_BYTES);
    } else if (proto === protocols.DCCP) {
      headerBytes = dccp.check(l4, end) ? dccp.headerBytes(view, l4) : dccp.MIN_HEADER_BYTES;
    }
    this.payloadBytes = Math.max(0, this.ipBytes - (l4 - this.l3) - headerBytes);
    return DecodeFault.none;
  }
}

/** Largest shift that counts (RFC 7323 2.3). */
const MAX_SCALE = 14;

/** Window scale and SACK permitted among the options of a SYN, as LABEL_ bits of the packet index. */
function windowOptions(view: DataView, from: number, end: number): number {
  let found = 0;
  for (let at = from; at < end; ) {
    const kind = view.getUint8(at);
    if (kind === tcp.OPTION_END) break;
    if (kind === tcp.OPTION_NOP) {
      at++;
      continue;
    }
    if (at + 2 > end) break;
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > end) break;
    if (kind === tcp.OPTION_WINDOW_SCALE && length === 3) {
      found |= LABEL_SCALED | (Math.min(view.getUint8(at + 2), MAX_SCALE) << LABEL_SCALE_SHIFT);
    } else if (kind === tcp.OPTION_SACK_PERMITTED && length === 2) {
      found |= LABEL_SACK;
    }
    at += length;
  }
  return found;
}
