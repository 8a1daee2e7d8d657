/**
 * One packet with ports, as the post-mortem wants it: a reused record, filled either by {@link SeenPacket.readPlain},
 * which knows the usual frames only, or from a decoded layer, which knows all. They agree (a test holds them).
 */
import { LinkType } from '../capture/link-types.js';
import { type IpLayer, LAYER_DST } from '../flow/ip-layer.js';
import * as ethernet from '../wire/ethernet.js';
import * as protocols from '../wire/ip-protocol.js';
import * as ipv4 from '../wire/ipv4.js';
import * as tcp from '../wire/tcp.js';
import { hashOf, type PacketEnds } from './connection-table.js';

const ETHERNET_BYTES = 14;
const PLAIN_IPV4_BYTES = 20;
const PLAIN_IPV6_BYTES = 40;

export class SeenPacket implements PacketEnds {
  readonly ends = new Uint32Array(8);
  srcPort = 0;
  dstPort = 0;
  kind = 0;
  /** to be brought up to date by {@link SeenPacket.rehash} once ends, ports and kind are */
  hash = 0;
  timeNs = 0;
  /** octets of the IP packet */
  ipBytes = 0;
  /** octets behind the layer-4 header, by the IP length */
  payload = 0;
  ttl = 0;
  /** IPv4 identification; 0 under IPv6, which has none */
  identification = 0;
  /** the last four octets of the destination MAC address, 0 where the link has none */
  nextHop = 0;
  /** octets of TCP options */
  optionBytes = 0;
  flags = 0;
  seq = 0;
  ack = 0;
  window = 0;
  /** offset of the payload in the view, and one past its last captured octet */
  payloadAt = 0;
  end = 0;

  /**
   * Reads an Ethernet frame with an IPv4 header without options or an IPv6 header without extensions, unfragmented,
   * and a whole TCP or UDP header. False where the frame is anything else: nothing of the record is valid then.
   */
  readPlain(view: DataView, at: number, capLen: number, linkType: number): boolean {
    if (linkType !== LinkType.ethernet || capLen < ETHERNET_BYTES + PLAIN_IPV4_BYTES + 8) return false;
    const l3 = at + ETHERNET_BYTES;
    const type = view.getUint16(at + 12);
    const { ends } = this;
    let l4: number;
    let proto: number;
    let end = at + capLen;
    if (type === ethernet.ETHERTYPE_IPV4) {
      const head = view.getUint32(l3);
      // version 4, five words, and the length
      if (head >>> 24 !== 0x45) return false;
      const total = head & 0xffff;
      if ((view.getUint16(l3 + 6) & 0x3fff) !== 0 || total < PLAIN_IPV4_BYTES) return false;
      proto = view.getUint8(l3 + 9);
      this.ttl = view.getUint8(l3 + 8);
      this.identification = view.getUint16(l3 + 4);
      ends[0] = view.getUint32(l3 + 12);
      ends[4] = view.getUint32(l3 + 16);
      if ((ends[1]! | ends[5]! | ends[2]! | ends[6]! | ends[3]! | ends[7]!) !== 0) {
        ends[1] = ends[2] = ends[3] = ends[5] = ends[6] = ends[7] = 0;
      }
      l4 = l3 + PLAIN_IPV4_BYTES;
      this.ipBytes = total;
      if (l3 + total < end) end = l3 + total;
      this.kind = proto | 0x400;
    } else if (type === ethernet.ETHERTYPE_IPV6) {
      if (capLen < ETHERNET_BYTES + PLAIN_IPV6_BYTES + 8 || view.getUint8(l3) >>> 4 !== 6) return false;
      proto = view.getUint8(l3 + 6);
      this.ttl = view.getUint8(l3 + 7);
      this.identification = 0;
      for (let i = 0; i < 8; i++) ends[i] = view.getUint32(l3 + 8 + 4 * i);
      l4 = l3 + PLAIN_IPV6_BYTES;
      this.ipBytes = PLAIN_IPV6_BYTES + view.getUint16(l3 + 4);
      if (this.ipBytes === PLAIN_IPV6_BYTES) return false;
      if (l3 + this.ipBytes < end) end = l3 + this.ipBytes;
      this.kind = proto | 0x600;
    } else {
      return false;
    }
    if (proto !== protocols.TCP && proto !== protocols.UDP) return false;
    this.nextHop = view.getUint32(at + 2);
    return this.readL4(view, l3, l4, end, proto);
  }

  /** From a layer of the decoder; false where it has no ports or its TCP header is cut. */
  readLayer(view: DataView, layer: IpLayer, nextHop: number): boolean {
    if (!layer.hasPorts) return false;
    this.ends.set(layer.words);
    this.kind = layer.proto | (layer.family << 8);
    this.ttl = layer.ttl;
    this.identification = layer.family === 4 ? ipv4.identification(view, layer.l3) : 0;
    this.ipBytes = layer.ipBytes;
    this.nextHop = nextHop;
    if (layer.proto === protocols.TCP || layer.proto === protocols.UDP) {
      return this.readL4(view, layer.l3, layer.l4, layer.end, layer.proto);
    }
    this.srcPort = layer.srcPort;
    this.dstPort = layer.dstPort;
    this.payload = layer.payloadBytes;
    this.payloadAt = layer.l4;
    this.end = layer.end;
    return true;
  }

  /** The five-tuple of a packet that an ICMP error quotes. */
  readQuoted(layer: IpLayer): boolean {
    if (!layer.hasPorts) return false;
    this.ends.set(layer.words.subarray(0, LAYER_DST + 4));
    this.kind = layer.proto | (layer.family << 8);
    this.srcPort = layer.srcPort;
    this.dstPort = layer.dstPort;
    return true;
  }

  rehash(): void {
    this.hash = hashOf(this.ends, this.srcPort, this.dstPort, this.kind);
  }

  private readL4(view: DataView, l3: number, l4: number, end: number, proto: number): boolean {
    if (l4 + 8 > end) return false;
    const ports = view.getUint32(l4);
    this.srcPort = ports >>> 16;
    this.dstPort = ports & 0xffff;
    this.end = end;
    if (proto === protocols.UDP) {
      this.payloadAt = l4 + 8;
      this.payload = Math.max(0, l3 + this.ipBytes - l4 - 8);
      return true;
    }
    if (!tcp.check(l4, end)) return false;
    this.seq = view.getUint32(l4 + 4);
    this.ack = view.getUint32(l4 + 8);
    const rest = view.getUint32(l4 + 12);
    const headerBytes = (rest >>> 28) << 2;
    this.flags = (rest >>> 16) & 0xff;
    this.window = rest & 0xffff;
    this.optionBytes = headerBytes - tcp.MIN_HEADER_BYTES;
    this.payloadAt = l4 + headerBytes;
    this.payload = Math.max(0, l3 + this.ipBytes - l4 - headerBytes);
    return true;
  }
}
