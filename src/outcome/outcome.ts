/**
 * What an engine leaves behind: all that verdicts, chains, provenance and reports read of a replay, and nothing of how
 * the engine came to it. Both engines give it (engine/columns-outcome.ts, oracle/packets-outcome.ts), and the same
 * replay gives the same report from either.
 *
 * Rows are those of the plan ("f"), one a connection. What is asked of one that reached no endpoint (see
 * {@link ReplayOutcome.homeNode}) has no meaning there.
 */
import type { EdgeInsert } from '../cluster/edge-model.js';
import type { ClusterState } from '../state/cluster-state.js';
import type { PolicySource } from '../state/policy-gate.js';
import type { EventSource } from '../timeline/timeline.js';
import type { EventCounts } from './event-counts.js';
import type { FlowPlan } from './flow-plan.js';
import type { PathLog } from './path-log.js';
import type { VerdictTracker } from './verdict-tracker.js';

/** Who turned a connection away, and whom they took for its source. */
export interface Denial {
  /** the network policies, by name */
  readonly policies: string;
  readonly source: PolicySource;
}

export interface ReplayOutcome {
  readonly plan: FlowPlan;
  /** nodes and pods as the replay left them */
  readonly cluster: ClusterState;
  readonly timeline: EventSource;
  /** how each connection ended, and because of what */
  readonly tracker: VerdictTracker;
  /** the way of each connection's packets */
  readonly paths: PathLog;
  /** by event, node and pod */
  readonly counts: EventCounts;
  /** A connection table was full, so that what it gave up was drawn. */
  readonly wasPressed: boolean;

  /** Seconds since t = 0 of a time in the index. */
  seconds(timeNs: number): number;

  /** Whether a connection that was delivered would break at its next packet, the client's or the server's. */
  isLatent(f: number): boolean;
  /** The connection began before the capture, and which endpoint has it is a guess. */
  isGuessed(f: number): boolean;
  /** Whether the load balancer before the cluster is in its way. */
  isViaEdge(f: number): boolean;

  /** The network policies that turned it away; null: none did. */
  denial(f: number): Denial | null;
  /** What is not known of the network policies of its endpoint, a clause; null: nothing that matters. */
  policyDoubt(f: number): string | null;

  /** What a node's real rules do with one of its packets cannot be said. */
  isUndecided(f: number): boolean;
  /** Which of a node's real rules decided on it; null: none did, or the engine does not tell. */
  saidByRules(f: number): string | null;
  /** It began before the capture, and a node's dumped table had its entry. */
  wasKnown(f: number): boolean;

  /** Node through which its endpoint accepted the connection; -1: none did. */
  homeNode(f: number): number;
  /** That endpoint's pod, where the connection has one. */
  homePod(f: number): number;
  /** Whether that node put another source in the client's place, and the port that it took for it. */
  isMasqueraded(f: number): boolean;
  sourcePort(f: number): number;

  /** Address that the load balancer puts in the client's place, as text; null: none. */
  edgeSource(f: number): string | null;
  /** What the load balancer says of the client to whom it sends on; of a connection that it is in the way of. */
  edgeInsert(f: number): EdgeInsert;
  /** Port that the connection has behind the load balancer: the client's own without one. */
  edgePort(f: number): number;
}
