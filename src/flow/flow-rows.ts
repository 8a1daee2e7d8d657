/** Flows as objects, for reports: one at a time, since objects for a million flows are expensive. */
import { type Address, formatAddress, ipv4, ipv6 } from '../addr/address.js';
import * as protocols from '../wire/ip-protocol.js';
import {
  FLOW_SYN_IN,
  FLOW_SYN_OUT,
  FLOW_SYNACK_IN,
  FLOW_SYNACK_OUT,
  type FlowColumns,
} from './flow-columns.js';
import { senderServes } from './server-side.js';

/** What the flow table alone knows of a flow; the client's side comes first. */
export interface FlowRow {
  /** 0-based row */
  readonly id: number;
  /** "tcp", "udp", "sctp", "dccp", "udplite" or the number */
  readonly proto: string | number;
  readonly src: string;
  readonly srcPort: number;
  readonly dst: string;
  readonly dstPort: number;
  readonly family: 4 | 6;
  /** seconds */
  readonly start: number;
  readonly end: number;
  readonly packets: { readonly out: number; readonly in: number };
  readonly bytes: { readonly out: number; readonly in: number };
  /** a SYN without ACK was seen from the client's side */
  readonly sawSyn: boolean;
}

export type FlowSide = 'a' | 'b';

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  [protocols.TCP]: 'tcp',
  [protocols.UDP]: 'udp',
  [protocols.SCTP]: 'sctp',
  [protocols.DCCP]: 'dccp',
  [protocols.UDP_LITE]: 'udplite',
};

export function protocolName(proto: number): string | number {
  return PROTOCOL_NAMES[proto] ?? proto;
}

export function flowAddress(flows: FlowColumns, f: number, side: FlowSide): Address {
  const at = 8 * f + (side === 'a' ? 0 : 4);
  const { addresses } = flows;
  if (flows.family[f] === 4) return ipv4(addresses[at]!);
  return ipv6(addresses[at]!, addresses[at + 1]!, addresses[at + 2]!, addresses[at + 3]!);
}

/**
 * Who opened the flow, as far as the flow tells: the side that sent a SYN, or that was answered by SYN+ACK; without a
 * handshake the one that by its port does not serve ({@link senderServes}), else the sender of the first packet.
 */
export function clientSide(flows: FlowColumns, f: number): FlowSide {
  const marks = flows.marks[f]!;
  const fromA = (marks & (FLOW_SYN_OUT | FLOW_SYNACK_IN)) !== 0;
  const fromB = (marks & (FLOW_SYN_IN | FLOW_SYNACK_OUT)) !== 0;
  if (fromA || fromB) return fromA ? 'a' : 'b';
  return senderServes(flows.proto[f]!, flows.aPort[f]!, flows.bPort[f]!) ? 'b' : 'a';
}

/**
 * Row `f` as an object. `client` says which side is the client's where the caller knows better; `null` asks the
 * flow itself. Times are seconds after `epochNs`, nanoseconds since the capture's base (0: its first record).
 */
export function flowRow(flows: FlowColumns, f: number, client: FlowSide | null, epochNs = 0): FlowRow {
  const side = client ?? clientSide(flows, f);
  const a = side === 'a';
  const out = { packets: flows.packetsOut[f]!, bytes: flows.bytesOut[f]! };
  const back = { packets: flows.packetsIn[f]!, bytes: flows.bytesIn[f]! };
  const [from, to] = a ? [out, back] : [back, out];
  return {
    id: f,
    proto: protocolName(flows.proto[f]!),
    src: formatAddress(flowAddress(flows, f, side)),
    srcPort: a ? flows.aPort[f]! : flows.bPort[f]!,
    dst: formatAddress(flowAddress(flows, f, a ? 'b' : 'a')),
    dstPort: a ? flows.bPort[f]! : flows.aPort[f]!,
    family: flows.family[f] === 6 ? 6 : 4,
    start: (flows.firstNs[f]! - epochNs) / 1e9,
    end: (flows.lastNs[f]! - epochNs) / 1e9,
    packets: { out: from.packets, in: to.packets },
    bytes: { out: from.bytes, in: to.bytes },
    sawSyn: (flows.marks[f]! & (a ? FLOW_SYN_OUT : FLOW_SYN_IN)) !== 0,
  };
}
