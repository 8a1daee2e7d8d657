/**
 * The connections of a capture's five-tuples, told apart by their clients' packets alone.
 *
 * A SYN begins another connection where the one before it began before the capture or used another initial sequence
 * number; a SYN with the same number is a retransmission (a client that answers a challenge ACK with RST sends one
 * too). Where no numbers were captured, a SYN after FIN or RST begins another one. Protocols without connections have
 * one a five-tuple.
 */
import type { PacketIndex } from '../flow/packet-index.js';
import { META_FLAGS_CUT, META_LENGTH_SHIFT } from '../flow/packet-index.js';
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.js';

/** What the flow table says of a five-tuple, for each of the connections of one that has several. */
export interface ConnectionColumns {
  readonly firstNs: Float64Array;
  readonly lastNs: Float64Array;
  /** from the client, and to it */
  readonly packetsOut: Uint32Array;
  readonly packetsIn: Uint32Array;
  readonly bytesOut: Float64Array;
  readonly bytesIn: Float64Array;
  readonly sawSyn: Uint8Array;
}

/** no SYN was seen */
const NO_ISN = -1;

/** Follows the packets of `tuples` five-tuples in order; says which connection each client packet belongs to. */
export class ConnectionSplit {
  /** by five-tuple: connections so far */
  readonly counts: Int32Array;
  private readonly isn: Float64Array;
  private readonly ended: Uint8Array;

  constructor(tuples: number) {
    this.counts = new Int32Array(tuples);
    this.isn = new Float64Array(tuples).fill(NO_ISN);
    this.ended = new Uint8Array(tuples);
  }

  /** Number of the connection within five-tuple `t` that a TCP packet of its client belongs to. */
  of(t: number, meta: number, seq: number): number {
    const { counts, isn, ended } = this;
    if (counts[t] === 0) counts[t] = 1;
    else if ((meta & (TCP_SYN | TCP_ACK | META_FLAGS_CUT)) === TCP_SYN && this.begins(t, seq)) {
      counts[t]!++;
      ended[t] = 0;
      isn[t] = NO_ISN;
    }
    if ((meta & META_FLAGS_CUT) === 0) {
      if ((meta & TCP_SYN) !== 0) isn[t] = seq;
      if ((meta & (TCP_FIN | TCP_RST)) !== 0) ended[t] = 1;
    }
    return counts[t]! - 1;
  }

  private begins(t: number, seq: number): boolean {
    return this.isn[t] !== seq || (seq === 0 && this.ended[t] === 1);
  }
}

/** One pass over the packets of those connections: `connectionAt` says which one a packet belongs to, or -1. */
export function connectionColumns(
  count: number,
  { segments }: PacketIndex,
  connectionAt: (flowDir: number, meta: number, seq: number) => { f: number; fromClient: boolean } | null,
): ConnectionColumns {
  const columns: ConnectionColumns = {
    firstNs: new Float64Array(count).fill(Number.NaN),
    lastNs: new Float64Array(count),
    packetsOut: new Uint32Array(count),
    packetsIn: new Uint32Array(count),
    bytesOut: new Float64Array(count),
    bytesIn: new Float64Array(count),
    sawSyn: new Uint8Array(count),
  };
  for (const segment of segments) {
    for (let i = 0; i < segment.count; i++) {
      const meta = segment.meta[i]!;
      const found = connectionAt(segment.flowDir[i]!, meta, segment.seq[i]!);
      if (found === null) continue;
      const { f, fromClient } = found;
      const timeNs = segment.timeNs[i]!;
      if (Number.isNaN(columns.firstNs[f]!)) columns.firstNs[f] = timeNs;
      columns.lastNs[f] = timeNs;
      const bytes = meta >>> META_LENGTH_SHIFT;
      if (fromClient) {
        columns.packetsOut[f]!++;
        columns.bytesOut[f]! += bytes;
        if ((meta & (TCP_SYN | TCP_ACK)) === TCP_SYN) columns.sawSyn[f] = 1;
      } else {
        columns.packetsIn[f]!++;
        columns.bytesIn[f]! += bytes;
      }
    }
  }
  return columns;
}
