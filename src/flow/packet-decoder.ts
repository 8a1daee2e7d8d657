/**
 * From a captured frame to its IP layers: link layer by LINKTYPE, then header by header, without allocating.
 *
 * Terms as in the report: `outer` is the first IP header behind the link layer (VLAN tags, MPLS labels, PPPoE and
 * LLC belong to that), `inner` the last one, through every tunnel that names itself (tunnel-header.ts). The packet
 * that an ICMP error quotes is neither; it is `quoted`. Ports and flags are those of the header straight behind
 * the IP header. Never throws, and never looks outside the captured bytes.
 *
 * The walk's common currency is the EtherType: whatever names the next header is turned into one.
 */
import { LinkType } from '../capture/link-types.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as protocols from '../wire/ip-protocol.js';
import * as llc from '../wire/llc.js';
import * as mpls from '../wire/mpls.js';
import * as nflog from '../wire/nflog.js';
import * as nullLoop from '../wire/null-loop.js';
import * as ppp from '../wire/ppp.js';
import * as pppoe from '../wire/pppoe.js';
import * as sll from '../wire/sll.js';
import * as sll2 from '../wire/sll2.js';
import * as vlan from '../wire/vlan.js';
import { DecodeFault } from './decode-fault.js';
import { IpLayer } from './ip-layer.js';

import { TunnelHeader } from './tunnel-header.js';

/** headers of any kind in one frame; more is an attack on decoders, not traffic */
const MAX_HEADERS = 64;
/** the walk is over */
const NOTHING = -1;

export type Level = 'outer' | 'inner';

export class PacketDecoder {
  /** valid if `layers` > 0 */
  readonly outer = new IpLayer();
  private deeper = new IpLayer();
  private spare = new IpLayer();
  /** valid if `hasQuoted`: the packet quoted by an ICMP error in the innermost layer */
  readonly quoted = new IpLayer();
  hasQuoted = false;
  /** IP headers found, not counting quoted ones */
  layers = 0;
  fault: DecodeFault = DecodeFault.none;

  private readonly tunnel = new TunnelHeader();
  private at = 0;
  private end = 0;

  /** The innermost IP layer; valid if `layers` > 0. */
  get inner(): IpLayer {
    return this.layers > 1 ? this.deeper : this.outer;
  }

  /** Decodes the frame at `at`; at level outer the walk ends with the first IP header. */
  decode(view: DataView, at: number, capLen: number, wireLen: number, linkType: number, level: Level): void {
    this.layers = 0;
    this.hasQuoted = false;
    this.fault = DecodeFault.none;
    this.at = at;
    this.end = at + capLen;
    const wireEnd = at + Math.max(capLen, wireLen);
    let type = this.linkLayer(view, linkType);
    for (let headers = 0; type !== NOTHING; headers++) {
      if (headers === MAX_HEADERS) {
        this.fault = DecodeFault.tooManyHeaders;
        return;
      }
      if (type === ethernet.ETHERTYPE_IPV4 || type === ethernet.ETHERTYPE_IPV6) {
        type = this.ipLayer(view, type === ethernet.ETHERTYPE_IPV4 ? 4 : 6, wireEnd, level);
      } else {
        type = this.shim(view, type);
      }
    }
  }

  private stop(fault: DecodeFault): number {
    this.fault = fault;
    return NOTHING;
  }

  /** Passes the link header; returns the EtherType of what follows. */
  private linkLayer(view: DataView, linkType: number): number {
    switch (linkType) {
      case LinkType.ethernet:
        return ethernet.ETHERTYPE_TRANSPARENT_BRIDGING;
      case LinkType.ipv4:
        return ethernet.ETHERTYPE_IPV4;
      case LinkType.ipv6:
        return ethernet.ETHERTYPE_IPV6;
      case LinkType.raw:
      case LinkType.rawBsd:
      case LinkType.rawOpenbsd:
        return this.byVersion(view, DecodeFault.unknownLinkProtocol);
      case LinkType.linuxSll:
      case LinkType.linuxSll2:
        return this.cooked(view, linkType);
      case LinkType.null:
      case LinkType.loop:
        return this.loopback(view);
      case LinkType.ppp:
      case LinkType.pppHdlc:
        return this.pppLink(view);
      case LinkType.ciscoHdlc:
        return this.ciscoHdlc(view);
      case LinkType.nflog:
        return this.nflog(view);
      default:
        return this.stop(DecodeFault.linkType);
    }
  }

  /** IP without anything that says which version. */
  private byVersion(view: DataView, otherwise: DecodeFault): number {
    if (this.at >= this.end) return this.stop(DecodeFault.linkHeaderCut);
    const version = view.getUint8(this.at) >>> 4;
    if (version === 4) return ethernet.ETHERTYPE_IPV4;
    if (version === 6) return ethernet.ETHERTYPE_IPV6;
    return this.stop(otherwise);
  }

  private cooked(view: DataView, linkType: number): number {
    const { at, end } = this;
    const format = linkType === LinkType.linuxSll ? sll : sll2;
    if (!format.check(at, end)) return this.stop(DecodeFault.linkHeaderCut);
    this.at = at + format.HEADER_BYTES;
    if (format.deviceType(view, at) === sll.DEVICE_NETLINK) return this.stop(DecodeFault.unknownLinkProtocol);
    const protocol = format.protocol(view, at);
    if (protocol > ethernet.MAX_LENGTH_FIELD) return protocol;
    if (protocol === sll.PROTOCOL_LLC) return ethernet.ETHERTYPE_LLC;
    if (protocol === sll.PROTOCOL_ETHERNET) return ethernet.ETHERTYPE_TRANSPARENT_BRIDGING;
    if (protocol === sll.PROTOCOL_PPP) return ethernet.ETHERTYPE_PPP;
    return this.stop(DecodeFault.unknownLinkProtocol);
  }

  private loopback(view: DataView): number {
    const { at, end } = this;
    if (!nullLoop.check(at, end)) return this.stop(DecodeFault.linkHeaderCut);
    const family = nullLoop.family(view, at);
    this.at = at + nullLoop.HEADER_BYTES;
    if (family === nullLoop.FAMILY_IPV4) return ethernet.ETHERTYPE_IPV4;
    if (nullLoop.isIpv6(family)) return ethernet.ETHERTYPE_IPV6;
    return this.stop(DecodeFault.unknownLinkProtocol);
  }

  private pppLink(view: DataView): number {
    return ppp.isCiscoHdlc(view, this.at, this.end) ? this.ciscoHdlc(view) : ethernet.ETHERTYPE_PPP;
  }

  private ciscoHdlc(view: DataView): number {
    const { at, end } = this;
    if (at + ppp.CISCO_HEADER_BYTES > end) return this.stop(DecodeFault.linkHeaderCut);
    this.at = at + ppp.CISCO_HEADER_BYTES;
    return ppp.ciscoEtherType(view, at);
  }

  private nflog(view: DataView): number {
    const { end } = this;
    if (!nflog.check(view, this.at, end)) return this.stop(DecodeFault.linkHeaderCut);
    let at = this.at + nflog.HEADER_BYTES;
    const little = at + nflog.ATTRIBUTE_HEADER_BYTES <= end && nflog.isLittleEndian(view, at);
    while (at + nflog.ATTRIBUTE_HEADER_BYTES <= end) {
      const bytes = nflog.attributeBytes(view, at, little);
      if (bytes < nflog.ATTRIBUTE_HEADER_BYTES) return this.stop(DecodeFault.linkHeaderCut);
      if (nflog.attributeType(view, at, little) === nflog.ATTRIBUTE_PAYLOAD) {
        this.at = at + nflog.ATTRIBUTE_HEADER_BYTES;
        this.end = Math.min(end, at + bytes);
        return this.byVersion(view, DecodeFault.unknownLinkProtocol);
      }
      at += (bytes + 3) & ~3;
    }
    return this.stop(DecodeFault.linkHeaderCut);
  }

  /** Passes a header between link layer and IP; returns the EtherType of what follows. */
  private shim(view: DataView, type: number): number {
    const { at, end } = this;
    switch (type) {
      case ethernet.ETHERTYPE_TRANSPARENT_BRIDGING:
        if (!ethernet.check(at, end)) return this.stop(DecodeFault.linkHeaderCut);
        this.at = at + ethernet.HEADER_BYTES;
        return this.typeOrLength(ethernet.typeOrLength(view, at));
      case vlan.ETHERTYPE_8021Q:
      case vlan.ETHERTYPE_8021AD:
      case vlan.ETHERTYPE_QINQ_OLD:
        if (!vlan.check(at, end)) return this.stop(DecodeFault.linkHeaderCut);
        this.at = at + vlan.HEADER_BYTES;
        return this.typeOrLength(vlan.typeOrLength(view, at));
      case mpls.ETHERTYPE_UNICAST:
      case mpls.ETHERTYPE_MULTICAST:
        return this.labels(view);
      case pppoe.ETHERTYPE_SESSION:
        if (!pppoe.check(at, end)) return this.stop(DecodeFault.linkHeaderCut);
        this.at = at + pppoe.HEADER_BYTES;
        this.end = Math.min(end, this.at + pppoe.payloadBytes(view, at));
        return ethernet.ETHERTYPE_PPP;
      case ethernet.ETHERTYPE_PPP:
        return this.ppp(view);
      case ethernet.ETHERTYPE_LLC:
        return this.llc(view);
      case ethernet.ETHERTYPE_ARP:
      case ethernet.ETHERTYPE_RARP:
        return NOTHING;
      default:
        return this.stop(DecodeFault.unknownEtherType);
    }
  }

  private typeOrLength(value: number): number {
    if (value > ethernet.MAX_LENGTH_FIELD) return value;
    this.end = Math.min(this.end, this.at + value);
    return ethernet.ETHERTYPE_LLC;
  }

  private labels(view: DataView): number {
    for (;;) {
      const { at, end } = this;
      if (!mpls.check(at, end)) return this.stop(DecodeFault.linkHeaderCut);
      this.at = at + mpls.ENTRY_BYTES;
      if (!mpls.isBottom(view, at)) continue;
      if (this.at < end && view.getUint8(this.at) >>> 4 === 0) {
        this.at += mpls.CONTROL_WORD_BYTES;
        return ethernet.ETHERTYPE_TRANSPARENT_BRIDGING;
      }
      return this.byVersion(view, DecodeFault.unknownLinkProtocol);
    }
  }

  private ppp(view: DataView): number {
    const at = this.at + ppp.addressControlBytes(view, this.at, this.end);
    const bytes = ppp.protocolBytes(view, at, this.end);
    if (bytes === 0) return this.stop(DecodeFault.linkHeaderCut);
    this.at = at + bytes;
    switch (ppp.protocol(view, at, bytes)) {
      case ppp.PROTOCOL_IPV4:
        return ethernet.ETHERTYPE_IPV4;
      case ppp.PROTOCOL_IPV6:
        return ethernet.ETHERTYPE_IPV6;
      case ppp.PROTOCOL_MPLS_UNICAST:
      case ppp.PROTOCOL_MPLS_MULTICAST:
        return mpls.ETHERTYPE_UNICAST;
      default:
        return this.stop(DecodeFault.unknownLinkProtocol);
    }
  }

  private llc(view: DataView): number {
    const { at, end } = this;
    if (!llc.check(at, end)) return this.stop(DecodeFault.linkHeaderCut);
    if (!llc.isUnnumberedInformation(view, at)) return this.stop(DecodeFault.unknownLinkProtocol);
    if (llc.dsap(view, at) === llc.SAP_IP) {
      this.at = at + llc.LLC_BYTES;
      return ethernet.ETHERTYPE_IPV4;
    }
    if (llc.dsap(view, at) !== llc.SAP_SNAP) return this.stop(DecodeFault.unknownLinkProtocol);
    if (!llc.checkSnap(at, end)) return this.stop(DecodeFault.linkHeaderCut);
    if (llc.oui(view, at) !== 0) return this.stop(DecodeFault.unknownLinkProtocol);
    this.at = at + llc.SNAP_BYTES;
    return llc.protocol(view, at);
  }

  /** Reads an IP header; returns the EtherType of what a tunnel carries. */
  private ipLayer(view: DataView, family: 4 | 6, wireEnd: number, level: Level): number {
    // a header that turns out cut or bad must not spoil the last good one
    const layer = this.layers === 0 ? this.outer : this.spare;
    const fault = layer.read(view, family, this.at, this.end, wireEnd);
    if (layer.family !== 0 && this.layers++ > 0) {
      this.spare = this.deeper;
      this.deeper = layer;
    }
    if (fault !== DecodeFault.none) return this.stop(fault);
    if (level === 'outer' || layer.fragmentOffset !== 0) return NOTHING;
    if (layer.proto === protocols.ICMP || layer.proto === protocols.ICMPV6) {
      this.readQuoted(view, layer, wireEnd);
      return NOTHING;
    }
    const { tunnel } = this;
    tunnel.open(view, layer);
    this.at = tunnel.at;
    this.end = tunnel.end;
    if (tunnel.fault !== DecodeFault.none) return this.stop(tunnel.fault);
    return tunnel.type;
  }

  private readQuoted(view: DataView, layer: IpLayer, wireEnd: number): void {
    const { l4, end } = layer;
    if (!icmp.check(l4, end)) return;
    const type = icmp.type(view, l4);
    const v4 = layer.proto === protocols.ICMP;
    if (!(v4 ? icmp.isError(type) : icmpv6.isError(type))) return;
    this.quoted.read(view, v4 ? 4 : 6, l4 + icmp.HEADER_BYTES, end, wireEnd);
    this.hasQuoted = this.quoted.family !== 0;
  }
}
