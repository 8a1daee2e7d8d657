/** How long an idle conntrack entry lives, by what it is (Linux nf_conntrack; seconds). */
import { TcpState } from './tcp-states.js';

/** Seconds; names of the kernel's sysctls without `nf_conntrack_` and `_timeout`. */
export interface TimeoutTable {
  readonly synSent: number;
  readonly synRecv: number;
  readonly established: number;
  readonly finWait: number;
  readonly closeWait: number;
  readonly lastAck: number;
  readonly timeWait: number;
  readonly close: number;
  /** an ESTABLISHED entry that was picked up loosely and has had no reply */
  readonly unacknowledged: number;
  readonly udp: number;
  readonly udpStream: number;
}

/** A UDP entry becomes a stream when it has seen replies and is older than this. */
export const UDP_STREAM_AFTER_S = 2;

/** By {@link TcpState}; the timeouts of entries that have had a reply. */
export function tcpTimeouts(t: TimeoutTable): Float64Array {
  const table = new Float64Array(10);
  table[TcpState.synSent] = t.synSent;
  table[TcpState.synRecv] = t.synRecv;
  table[TcpState.established] = t.established;
  table[TcpState.finWait] = t.finWait;
  table[TcpState.closeWait] = t.closeWait;
  table[TcpState.lastAck] = t.lastAck;
  table[TcpState.timeWait] = t.timeWait;
  table[TcpState.close] = t.close;
  table[TcpState.synSent2] = t.synSent;
  return table;
}
