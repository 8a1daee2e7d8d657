/** What goes into the clients' process, and what comes out of it: both as JSON. */
import type { PlannedConnection } from './traffic-plan.js';

export interface ClientPlan {
  /** seconds since 1970 of t = 0 */
  readonly epochS: number;
  readonly durationS: number;
  readonly connections: readonly PlannedConnection[];
}

/**
 * `ok` alive at the end; `eof` the server closed first; `timeout` a request stayed unanswered; `stall` what the server
 * pushes no longer comes; `udp-lost` a datagram had no answer; `misdelivered` another endpoint answered later datagrams;
 * the rest as named.
 */
export type Outcome =
  | 'ok'
  | 'closed'
  | 'rst'
  | 'eof'
  | 'timeout'
  | 'stall'
  | 'fin-unacked'
  | 'udp-lost'
  | 'misdelivered'
  | 'connect-timeout'
  | 'connect-refused'
  | 'connect-rst'
  | 'connect-error'
  | 'error';

/** One life of a planned connection. Times are seconds after t = 0. */
export interface ClientResult {
  readonly id: number;
  /** counts the connections of one source port from 0 */
  readonly life: number;
  synS: number | null;
  establishedS: number | null;
  outcome: Outcome | null;
  breakS: number | null;
  errno: string;
  replies: number;
  lastReplyS: number | null;
  /** the oldest request without an answer */
  unansweredS: number | null;
  readonly pods: string[];
  /** `address port` as a pod saw the source */
  readonly sources: string[];
}
