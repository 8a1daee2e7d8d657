/**
 * Flows as columns: row `f` is one bidirectional five-tuple. The `a` side sent the flow's first packet in the
 * capture, the `b` side is the other one. Addresses are four words each (IPv4 in the first, see addr/address.ts).
 * "out" counts packets from a to b, "in" from b to a; bytes are wire lengths with the link header.
 */
export interface FlowColumns {
  /** rows in use */
  readonly count: number;
  /** 4 or 6 */
  readonly family: Uint8Array;
  /** IP protocol number: 6, 17, 33, 132, 136 */
  readonly proto: Uint8Array;
  /** eight words a row: a's address (4), b's address (4) */
  readonly addresses: Uint32Array;
  readonly aPort: Uint16Array;
  readonly bPort: Uint16Array;
  /** nanoseconds since the capture's base, first and last packet in file order */
  readonly firstNs: Float64Array;
  readonly lastNs: Float64Array;
  readonly packetsOut: Uint32Array;
  readonly packetsIn: Uint32Array;
  readonly bytesOut: Float64Array;
  readonly bytesIn: Float64Array;
  /** IPv6 flow label of the first packet from a to b / from b to a; 0 for IPv4 */
  readonly labelOut: Uint32Array;
  readonly labelIn: Uint32Array;
  /** see FLOW_ bits */
  readonly marks: Uint16Array;
  /** number in the file (from 1) of the first packet */
  readonly firstPacket: Float64Array;
}

/** Columns of `count` rows, all zero. */
export function createFlowColumns(count: number): FlowColumns {
  return {
    count,
    family: new Uint8Array(count),
    proto: new Uint8Array(count),
    addresses: new Uint32Array(8 * count),
    aPort: new Uint16Array(count),
    bPort: new Uint16Array(count),
    firstNs: new Float64Array(count),
    lastNs: new Float64Array(count),
    packetsOut: new Uint32Array(count),
    packetsIn: new Uint32Array(count),
    bytesOut: new Float64Array(count),
    bytesIn: new Float64Array(count),
    labelOut: new Uint32Array(count),
    labelIn: new Uint32Array(count),
    marks: new Uint16Array(count),
    firstPacket: new Float64Array(count),
  };
}

/** a packet with SYN and without ACK was seen from a / from b */
export const FLOW_SYN_OUT = 0x01;
export const FLOW_SYN_IN = 0x02;
/** SYN+ACK from a / from b */
export const FLOW_SYNACK_OUT = 0x04;
export const FLOW_SYNACK_IN = 0x08;
export const FLOW_FIN_OUT = 0x10;
export const FLOW_FIN_IN = 0x20;
export const FLOW_RST_OUT = 0x40;
export const FLOW_RST_IN = 0x80;

/** What reading a whole capture yields: the index that any number of scenarios run over. */
export interface CaptureIndex {
  readonly summary: CaptureSummary;
  readonly flows: FlowColumns;
  readonly packets: import('./packet-index.js').PacketIndex;
}

/** Facts about the file itself; the `capture` record of a report. */
export interface CaptureSummary {
  readonly file: string;
  /** "pcap" or "pcapng" */
  readonly format: string;
  /** names of the link types met, e.g. "ethernet", in order of appearance */
  readonly linkTypes: string[];
  readonly packets: number;
  /** wire bytes */
  readonly bytes: number;
  /** the IP header that keyed the packets; absent = outer */
  readonly level?: 'outer' | 'inner';
  /** nanoseconds since 1970 of the first record */
  readonly baseNs: bigint;
  /** seconds from the earliest to the latest record */
  readonly duration: number;
  /** the file ends inside its last record, or reading stopped at damage */
  readonly truncated: boolean;
  /** packets not (wholly) understood, by kind */
  readonly decodeFaults: Record<string, number>;
  /** packets that the capturing system says it lost; null or absent: the file does not say */
  readonly dropped?: number | null;
  /** where reading stopped because the rest is damaged; what came before is in the index */
  readonly damage: { readonly message: string; readonly offset: number } | null;
  /** human-readable notices that belong on standard error (truncation, clock running backwards, ...) */
  readonly warnings: string[];
}
