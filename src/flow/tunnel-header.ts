/**
 * What lies inside a tunnel: from an IP layer to the next header, named by an EtherType where it has one.
 *
 * UDP tunnels are known by their IANA ports, the lower port of the packet first, as tshark does.
 */
import * as erspan from '../wire/erspan.js';
import * as etherip from '../wire/etherip.js';
import * as ethernet from '../wire/ethernet.js';
import * as geneve from '../wire/geneve.js';
import * as gre from '../wire/gre.js';
import * as gtpU from '../wire/gtp-u.js';
import * as protocols from '../wire/ip-protocol.js';
import * as l2tp from '../wire/l2tp.js';
import * as mpls from '../wire/mpls.js';
import * as teredo from '../wire/teredo.js';
import * as udp from '../wire/udp.js';
import * as vxlan from '../wire/vxlan.js';
import { DecodeFault } from './decode-fault.js';
import type { IpLayer } from './ip-layer.js';

/** GRE in UDP (RFC 8086) and MPLS in UDP (RFC 7510) */
const UDP_PORT_GRE = 4754;
const UDP_PORT_MPLS = 6635;
/** web cache redirection: IP, behind four octets of its own in version 2 */
const GRE_PROTOCOL_WCCP = 0x883e;

export const UDP_TUNNEL_PORTS: readonly number[] = [
  l2tp.UDP_PORT,
  gtpU.UDP_PORT,
  teredo.UDP_PORT,
  UDP_PORT_GRE,
  vxlan.UDP_PORT,
  vxlan.UDP_PORT_GPE,
  geneve.UDP_PORT,
  UDP_PORT_MPLS,
];

/** Finds the header inside; results in `type`, `at`, `end` and `fault`. */
export class TunnelHeader {
  /** EtherType of what is inside, or -1: no tunnel, or nothing that can be looked into */
  type = -1;
  at = 0;
  end = 0;
  fault: DecodeFault = DecodeFault.none;

  /** Looks behind `layer`, which is no later fragment. */
  open(view: DataView, layer: IpLayer): void {
    this.type = -1;
    this.fault = DecodeFault.none;
    this.at = layer.l4;
    this.end = layer.end;
    switch (layer.proto) {
      case protocols.IPV4:
        this.type = ethernet.ETHERTYPE_IPV4;
        break;
      case protocols.IPV6:
        this.type = ethernet.ETHERTYPE_IPV6;
        break;
      case protocols.MPLS:
        this.type = mpls.ETHERTYPE_UNICAST;
        break;
      case protocols.ETHERNET:
        this.type = ethernet.ETHERTYPE_TRANSPARENT_BRIDGING;
        break;
      case protocols.ETHERIP:
        if (etherip.check(this.at, this.end)) {
          this.inside(ethernet.ETHERTYPE_TRANSPARENT_BRIDGING, this.at + etherip.HEADER_BYTES);
        } else this.fault = DecodeFault.tunnelHeaderCut;
        break;
      case protocols.GRE:
        this.openGre(view);
        break;
      case protocols.UDP:
        if (layer.hasPorts) this.openUdp(view, layer);
        break;
    }
  }

  private inside(type: number, at: number): void {
    if (at > this.end) {
      this.fault = DecodeFault.tunnelHeaderCut;
      return;
    }
    this.type = type;
    this.at = at;
  }

  private openUdp(view: DataView, layer: IpLayer): void {
    const { srcPort, dstPort } = layer;
    const low = Math.min(srcPort, dstPort);
    const port = isTunnelPort(low) ? low : Math.max(srcPort, dstPort);
    if (!isTunnelPort(port)) return;
    if (!udp.check(this.at, this.end)) {
      this.fault = DecodeFault.tunnelHeaderCut;
      return;
    }
    const lengthBytes = udp.lengthBytes(view, this.at);
    if (lengthBytes >= udp.HEADER_BYTES) this.end = Math.min(this.end, this.at + lengthBytes);
    this.at += udp.HEADER_BYTES;
    switch (port) {
      case vxlan.UDP_PORT:
      case vxlan.UDP_PORT_GPE:
        this.openVxlan(view, port);
        break;
      case geneve.UDP_PORT:
        this.openGeneve(view);
        break;
      case gtpU.UDP_PORT:
        this.openGtpU(view);
        break;
      case teredo.UDP_PORT: {
        const at = teredo.payloadAt(view, this.at, this.end);
        if (at < 0) this.fault = DecodeFault.tunnelHeaderCut;
        else this.openIp(view, at);
        break;
      }
      case l2tp.UDP_PORT:
        this.openL2tp(view);
        break;
      case UDP_PORT_GRE:
        this.openGre(view);
        break;
      case UDP_PORT_MPLS:
        this.inside(mpls.ETHERTYPE_UNICAST, this.at);
        break;
    }
  }

  private openVxlan(view: DataView, port: number): void {
    const { at } = this;
    if (!vxlan.check(at, this.end)) {
      this.fault = DecodeFault.tunnelHeaderCut;
      return;
    }
    const next = port === vxlan.UDP_PORT ? vxlan.GPE_ETHERNET : vxlan.gpeNextProtocol(view, at);
    const type = VXLAN_INSIDE[next];
    if (type === undefined) this.fault = DecodeFault.tunnelNotUnderstood;
    else this.inside(type, at + vxlan.HEADER_BYTES);
  }

  private openGeneve(view: DataView): void {
    const { at } = this;
    if (!geneve.check(at, this.end)) this.fault = DecodeFault.tunnelHeaderCut;
    else if (geneve.version(view, at) !== 0) this.fault = DecodeFault.tunnelNotUnderstood;
    else this.inside(geneve.protocol(view, at), at + geneve.headerBytes(view, at));
  }

  private openGtpU(view: DataView): void {
    const { at, end } = this;
    if (!gtpU.check(at, end)) {
      this.fault = DecodeFault.tunnelHeaderCut;
      return;
    }
    if (gtpU.version(view, at) !== 1) {
      this.fault = DecodeFault.tunnelNotUnderstood;
      return;
    }
    if (gtpU.messageType(view, at) !== gtpU.TYPE_PACKET) return;
    const headerBytes = gtpU.headerBytes(view, at, end);
    if (headerBytes < 0) this.fault = DecodeFault.tunnelHeaderCut;
    else this.openIp(view, at + headerBytes);
  }

  /** An IP header of whichever version. */
  private openIp(view: DataView, at: number): void {
    if (at >= this.end) {
      this.fault = DecodeFault.tunnelHeaderCut;
      return;
    }
    const version = view.getUint8(at) >>> 4;
    if (version === 4) this.inside(ethernet.ETHERTYPE_IPV4, at);
    else if (version === 6) this.inside(ethernet.ETHERTYPE_IPV6, at);
    else this.fault = DecodeFault.tunnelNotUnderstood;
  }

  private openL2tp(view: DataView): void {
    const { at, end } = this;
    if (!l2tp.check(at, end)) {
      this.fault = DecodeFault.tunnelHeaderCut;
      return;
    }
    if (l2tp.version(view, at) !== 2) {
      this.fault = DecodeFault.tunnelNotUnderstood;
      return;
    }
    if (l2tp.isControl(view, at)) return;
    const headerBytes = l2tp.headerBytes(view, at, end);
    if (headerBytes < 0) this.fault = DecodeFault.tunnelHeaderCut;
    else this.inside(ethernet.ETHERTYPE_PPP, at + headerBytes);
  }

  private openGre(view: DataView): void {
    const { at, end } = this;
    if (!gre.check(at, end)) {
      this.fault = DecodeFault.tunnelHeaderCut;
      return;
    }
    if (gre.hasRouting(view, at) || gre.version(view, at) > 1) {
      this.fault = DecodeFault.tunnelNotUnderstood;
      return;
    }
    let type = gre.protocol(view, at);
    let next = at + gre.headerBytes(view, at);
    if (type === gre.PROTOCOL_ERSPAN || type === gre.PROTOCOL_ERSPAN_3) {
      const headerBytes = erspan.headerBytes(view, at, type, next, end);
      next = headerBytes < 0 ? end + 1 : next + headerBytes;
      type = ethernet.ETHERTYPE_TRANSPARENT_BRIDGING;
    } else if (type === GRE_PROTOCOL_WCCP) {
      if (next < end && view.getUint8(next) >>> 4 !== 4) next += 4;
      type = ethernet.ETHERTYPE_IPV4;
    }
    this.inside(type, next);
  }
}

const VXLAN_INSIDE: Readonly<Record<number, number>> = {
  [vxlan.GPE_IPV4]: ethernet.ETHERTYPE_IPV4,
  [vxlan.GPE_IPV6]: ethernet.ETHERTYPE_IPV6,
  [vxlan.GPE_ETHERNET]: ethernet.ETHERTYPE_TRANSPARENT_BRIDGING,
  [vxlan.GPE_MPLS]: mpls.ETHERTYPE_UNICAST,
};

function isTunnelPort(port: number): boolean {
  return UDP_TUNNEL_PORTS.includes(port);
}
