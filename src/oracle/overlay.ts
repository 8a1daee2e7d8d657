/**
 * An overlay between nodes, on bytes: a packet for a pod of another node is put into an outer packet from node to node,
 * and taken out of it there. IPIP (RFC 2003): 20 octets more, IPv4 in IPv4 only. VXLAN (RFC 7348, as Calico and flannel
 * set it up): outer IP, UDP to port 4789 with a source port of the flow's, eight octets of VXLAN, an inner Ethernet
 * header; 50 octets over IPv4, 70 over IPv6. So much less is left of the path's MTU; nothing is fragmented here.
 *
 * The inner packet is not changed by the tunnel but for one hop of its TTL. What the tunnel does to the source address
 * is masquerade.ts.
 */
import type { Address } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import { TUPLE_DST, TUPLE_SRC, Tuple } from '../conntrack/tuple.js';
import { addressOf } from '../state/cluster-state.js';
import { flowKey } from '../state/draw.js';
import { isTunnelled } from '../state/masquerade.js';
import type { Packet } from '../state/packet.js';
import { foldChecksum, sumWords } from '../wire/checksum.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as udp from '../wire/udp.js';
import * as vxlan from '../wire/vxlan.js';

const PROTO_IPIP = 4;
const UDP = 17;
const TTL = 64;
/** Calico's VNI. */
const VNI = 4096;
/** net.ipv4.ip_local_port_range, from which the kernel takes VXLAN source ports */
const FIRST_PORT = 32768;
const PORTS = 28232;
const ROOM_BYTES = 2048;

export class Overlay {
  /** the outer packet of the last one that was carried */
  readonly outer = new DataView(new ArrayBuffer(ROOM_BYTES));
  outerBytes = 0;
  private readonly tuple = new Tuple();

  constructor(private readonly model: ClusterModel) {}

  /**
   * Carries `packet` from one node to another: afterwards it lies inside the outer packet, as the other node takes it
   * out. False: no overlay between them, nothing was done.
   */
  carry(packet: Packet, from: number, to: number): boolean {
    this.outerBytes = 0;
    if (from === to || to < 0 || !isTunnelled(this.model, packet.family)) return false;
    const [here, there] = [this.model.nodes[from]!, this.model.nodes[to]!];
    const family = addressOf(here.addresses, 4) && addressOf(there.addresses, 4) ? 4 : 6;
    const source = addressOf(here.addresses, family);
    const target = addressOf(there.addresses, family);
    if (source === null || target === null) return false;
    const isVxlan = this.model.dataplane.overlay === 'vxlan';
    const ip = family === 4 ? ipv4.MIN_HEADER_BYTES : ipv6.HEADER_BYTES;
    const inner = isVxlan
      ? ip + udp.HEADER_BYTES + vxlan.HEADER_BYTES + ethernet.HEADER_BYTES
      : ipv4.MIN_HEADER_BYTES;
    const innerBytes = packet.end - packet.l3;
    if (inner + innerBytes > ROOM_BYTES) return false;
    packet.readTuple(this.tuple);
    for (let i = 0; i < innerBytes; i++) {
      this.outer.setUint8(inner + i, packet.view.getUint8(packet.l3 + i));
    }
    this.outerBytes = inner + innerBytes;
    if (isVxlan) this.writeVxlan(ip, packet.family);
    const proto = isVxlan ? UDP : PROTO_IPIP;
    if (family === 4) this.writeIpv4(source, target, proto);
    else this.writeIpv6(source, target);
    const { proto: innerProto, payloadBytes, l3, l4 } = packet;
    packet.set(this.outer, packet.family, innerProto, inner, inner + l4 - l3, this.outerBytes, payloadBytes);
    return true;
  }

  private writeIpv4(source: Address, target: Address, proto: number): void {
    const { outer } = this;
    outer.setUint16(0, 0x4500);
    ipv4.setTotalBytes(outer, 0, this.outerBytes);
    outer.setUint16(4, 0);
    outer.setUint16(6, 0x4000);
    ipv4.setTtl(outer, 0, TTL);
    outer.setUint8(9, proto);
    ipv4.setSrc(outer, 0, source.w0);
    ipv4.setDst(outer, 0, target.w0);
    ipv4.setChecksum(outer, 0, 0);
    ipv4.setChecksum(outer, 0, foldChecksum(sumWords(outer, 0, ipv4.MIN_HEADER_BYTES)));
  }

  private writeIpv6(source: Address, target: Address): void {
    const { outer } = this;
    outer.setUint32(0, 0x60000000);
    ipv6.setPayloadBytes(outer, 0, this.outerBytes - ipv6.HEADER_BYTES);
    outer.setUint8(6, UDP);
    ipv6.setHopLimit(outer, 0, TTL);
    const from = [source.w0, source.w1, source.w2, source.w3];
    const to = [target.w0, target.w1, target.w2, target.w3];
    for (let i = 0; i < 4; i++) {
      ipv6.setSrcWord(outer, 0, i, from[i]!);
      ipv6.setDstWord(outer, 0, i, to[i]!);
    }
  }

  /** UDP, VXLAN and inner Ethernet headers; the UDP checksum is 0, as VXLAN devices leave it. */
  private writeVxlan(at: number, innerFamily: number): void {
    const { outer } = this;
    const { words, srcPort, dstPort, proto } = this.tuple;
    const key = flowKey(words, TUPLE_SRC, TUPLE_DST, srcPort, dstPort, proto) >>> 0;
    udp.setSrcPort(outer, at, FIRST_PORT + (key % PORTS));
    udp.setDstPort(outer, at, vxlan.UDP_PORT);
    udp.setLengthBytes(outer, at, this.outerBytes - at);
    udp.setChecksum(outer, at, 0);
    const header = at + udp.HEADER_BYTES;
    outer.setUint32(header, 0x08000000);
    outer.setUint32(header + 4, VNI << 8);
    const frame = header + vxlan.HEADER_BYTES;
    ethernet.setDst(outer, frame, 0, 0);
    ethernet.setSrc(outer, frame, 0, 0);
    const type = innerFamily === 4 ? ethernet.ETHERTYPE_IPV4 : ethernet.ETHERTYPE_IPV6;
    ethernet.setTypeOrLength(outer, frame, type);
  }
}
