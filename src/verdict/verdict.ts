/**
 * The verdicts of a replay: the rows and fields of `flowfate/report/1`. The JSON report is exactly these
 * objects; every other output is written from them.
 *
 * Times are seconds since t = 0; addresses and ports strings and numbers; the client's side comes first.
 */

import type { Assumption } from '../cluster/model.js';
import type { CaptureLoss } from '../flow/capture-loss.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import type { FlowRow } from '../flow/flow-rows.js';

export type { Assumption, FlowRow };

export type Fate =
  | 'delivered'
  | 'reset'
  | 'refused'
  | 'timeout'
  | 'endpoint-closed'
  | 'misdelivered'
  | 'unknown';

/** Why nothing is said about a connection: one table for the report and its sentences. `unknown` is its fate. */
export const UNJUDGED = {
  'no-vip': 'neither end is a VIP of the scenario',
  'before-capture': 'it began before the capture, so that its endpoint cannot be known',
  'no-client-packet': 'the capture holds no packet of its client',
  'capture-loss':
    'packets of its client are missing from the capture after it broke: they may have healed it',
  'not-modelled':
    'what decides it is not modelled: a full connection tracking table, a network policy, or what `unread` names of its service',
  'rule-not-understood': 'what its node’s rules do with it cannot be said',
} as const;
export type Unjudged = keyof typeof UNJUDGED;

/** What the client's application got where the network delivered. `--fail-on` takes each as a figure. */
export const APPLICATION_TROUBLES = {
  slow: 'the answer came later than the client’s patience',
  'no-answer': 'the connection was acknowledged and no answer ever came',
  'bad-request':
    'the request was answered 400, or the connection closed, for want or surplus of a PROXY header',
  'wrong-client-address': 'the application took somebody else for the client',
} as const;
export type ApplicationTrouble = keyof typeof APPLICATION_TROUBLES;

/** The headline in one word. `inconclusive`: nothing was judged, or no event met a judged connection. */
export type Conclusion = 'broken' | 'none-broken' | 'inconclusive';

/** Why a packet or a flow broke. One table for data path, report and metrics. */
export const REASONS = {
  'ecmp-rehash': 'the router now sends the flow to a node that does not know it',
  'no-local-endpoint': 'externalTrafficPolicy Local, and the node has no endpoint of its own',
  'no-endpoint': 'the service has no endpoint at all; the node rejects',
  'endpoint-gone': 'the endpoint that held the connection no longer exists',
  'endpoint-stopped': 'the endpoint was stopped and closed its connections',
  'node-down': 'the node does not answer',
  'no-route': 'the router has no route to the VIP',
  'not-a-service': 'the node has no rule for this address and port',
  'invalid-dropped': 'conntrack calls the segment INVALID and kube-proxy drops it',
  'forwarding-loop': 'the packet is not translated and loops between node and router until its TTL ends',
  'entry-expired': 'the conntrack entry timed out while the flow was idle',
  'loose-off': 'tcp_loose is 0: a segment of an unknown connection is INVALID',
  'conntrack-full': 'the connection tracking table is full, and no entry in reach may go',
  'snat-port-exhausted': 'the search for a source port towards this endpoint found none free',
  'stale-rules': 'the rules on the node still name an endpoint that is gone',
  'invalid-refused':
    'conntrack calls the segment INVALID; it is not translated, and the node’s own stack resets it',
  'next-hop-failed':
    'the router’s next hop cannot be reached: its neighbour entry failed, or the link is down',
  'member-unknown': 'the load balancer sends traffic to a pool member it knows nothing about',
  'member-down': 'the load balancer took the pool member for down and ended its connections',
  'no-member': 'the load balancer has no pool member that may get a connection',
  'edge-unmatched': 'the load balancer has no such connection and resets it',
  'tunnel-address-collision': "the pod has the address of the node's tunnel",
  'no-entry-reset': 'the node has the VIP itself and no such connection: its own stack resets',
  'mid-flow-dropped': 'the node drops the middle of a connection that it does not know',
  'stale-entry': 'the node still has the entry of an earlier connection from the same client port',
  'source-range': 'the source ranges of the service (loadBalancerSourceRanges) do not have the client',
  'policy-denied': 'a network policy of the endpoint does not allow the connection',
  'rule-dropped': 'a rule or a route of the node, as it was dumped, drops the packet',
  'rule-rejected': 'a rule or a route of the node, as it was dumped, rejects the packet',
  'stack-refused': 'no rule of the node translates the packet, and its own stack has no such socket',
  'answer-astray': 'the node does not masquerade, and the answer does not come back through it',
  'reset-ignored': 'the reset leaves with the address of the pod, which the client does not know',
} as const;
export type Reason = keyof typeof REASONS;

export interface Cause {
  /** id of the event record, or null where no event of the timeline explains it */
  readonly event: string | null;
  /** e.g. "router", "node n3", "endpoint n1-p0" */
  readonly hop: string;
  readonly reason: Reason;
}

export interface PathStep {
  readonly at: number;
  readonly nextHop: string | null;
  readonly node: string | null;
  readonly endpoint: string | null;
  /** address and port after DNAT, "10.244.1.10:8080"; null where no endpoint is known */
  readonly target: string | null;
}

export interface SourceStep {
  readonly hop: string;
  /** "ecmp" never appears: only what changes the source does; e.g. "masquerade" */
  readonly mechanism: string;
  readonly from: string;
  readonly to: string;
  /** the value is drawn at random in the real system */
  readonly random?: true;
}

export interface SourceVerdict {
  readonly atClient: string;
  /** what the endpoint sees; null where no packet reached one */
  readonly atEndpoint: string | null;
  readonly preserved: boolean | null;
  readonly steps: readonly SourceStep[];
  readonly recoverable: string | null;
  /** where the endpoint is an L7 proxy: what the application behind it makes of the request */
  readonly application?: ApplicationVerdict;
}

/** Whom the application takes for the client. */
export interface ApplicationVerdict {
  /** source of the connection that it accepts: the proxy's pod */
  readonly peer: string;
  /** whom it takes for the client; null where the request never comes, or names nobody */
  readonly sees: string | null;
  readonly preserved: boolean;
  /** what the client claims about itself, where it is not so */
  readonly forged: string | null;
  /** the application believes that claim */
  readonly forgedWins: boolean;
  /** the proxy closes the connection, or answers 400, for want or surplus of a PROXY header */
  readonly fault: string | null;
  /** settings, each enough by itself, with which it sees the client, whatever the client claims */
  readonly restoredBy: readonly string[];
}

export type Unanswered = 'SYN' | 'data' | 'FIN' | 'server-data';

export interface FlowVerdict extends FlowRow {
  /** which connection of its five-tuple it is, from 0 */
  readonly connection: number;
  readonly service: string | null;
  readonly fate: Fate;
  /** false exactly where `fate` is `unknown` */
  readonly judged: boolean;
  /** why it was not judged; null where it was */
  readonly unjudged: Unjudged | null;
  /** the fate depends on a draw of the real system, and `fate` is the likeliest */
  readonly drawn?: true;
  /** with `drawn`: probability of each fate that any draw gave; null elsewhere */
  readonly chances: Readonly<Partial<Record<Fate, number>>> | null;
  readonly latent?: true | undefined;
  /** with fate timeout: what nobody answered, or `server-data`: what the client waits for */
  readonly unanswered?: Unanswered | undefined;
  /** what the client's application got where the network delivered; null: what it asked for, or no request */
  readonly application: ApplicationTrouble | null;
  readonly cause: Cause | null;
  /** the causal chain, a sentence a step */
  readonly chain: readonly string[];
  readonly brokenAt: number | null;
  readonly path: readonly PathStep[];
  readonly source: SourceVerdict | null;
}

/** A client's request as the L7 proxy sends it on. */
export interface RewrittenRequest {
  /** number of the packet of the capture that completes the client's request */
  readonly packet: number;
  /** an IP packet of its own, from the proxy to the application, with the PROXY header where one is sent */
  readonly ipPacket: Uint8Array;
}

export interface EventRecord {
  /** "e1", "e2", ... in order of time */
  readonly id: string;
  readonly at: number;
  readonly kind: string;
  /** one sentence */
  readonly detail: string;
  /** flows open at that moment */
  readonly flowsActive: number;
  /** of these, flows whose next hop it changed */
  readonly flowsMoved: number;
  /** flows whose cause it is */
  readonly flowsBroken: number;
  /** client packets dropped because of it */
  readonly dropped: number;
}

export interface LoadShare {
  readonly name: string;
  readonly flows: number;
  readonly bytes: number;
}

export interface Balance {
  readonly nodes: readonly LoadShare[];
  readonly endpoints: readonly LoadShare[];
  /** busiest over mean, by flows; null where there is nothing to balance */
  readonly maxOverMean: { readonly nodes: number | null; readonly endpoints: number | null };
}

/** One service's part of the summary. */
export interface ServiceSummary {
  readonly service: string;
  readonly flows: number;
  readonly judged: number;
  readonly broken: number;
  /** broken over judged; null where nothing was judged */
  readonly brokenShare: number | null;
  readonly byFate: Record<Fate, number>;
  readonly sourcePreserved: SourceCounts;
  readonly balance: Balance;
}

export interface SourceCounts {
  readonly yes: number;
  readonly no: number;
  readonly unknown: number;
}

/** Mean over draws with the interval that holds 90 % of them. */
export interface Expectation {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** What the draws of the real system make of the whole. */
export interface Expected {
  readonly draws: number;
  readonly broken: Expectation;
  readonly byFate: Readonly<Record<Fate, number>>;
}

export interface Summary {
  readonly verdict: Conclusion;
  readonly basis: 'what-if' | 'as-recorded';
  readonly flows: number;
  readonly judged: number;
  /** by reason; reasons that nothing had are absent */
  readonly unjudged: Readonly<Partial<Record<Unjudged, number>>>;
  readonly broken: number;
  /** broken over judged; null where nothing was judged */
  readonly brokenShare: number | null;
  readonly byFate: Record<Fate, number>;
  readonly expected: Expected | null;
  readonly latent: number;
  readonly byCause: Record<string, number>;
  readonly byApplication: Readonly<Partial<Record<ApplicationTrouble, number>>>;
  readonly sourcePreserved: SourceCounts;
  /** over every service; `maxOverMean.endpoints` is that of the most uneven service, never of several mixed */
  readonly balance: Balance;
  readonly byService: readonly ServiceSummary[];
  readonly hits: Hits;
  readonly scenario: { readonly name: string; readonly seed: number; readonly madeFromCapture: boolean };
  readonly assumed: readonly Assumption[];
  /** what was given, bears on paths, and was not used */
  readonly unread: readonly string[];
  /** notices about what the result depends on, e.g. a VIP that never appears */
  readonly notes: readonly string[];
}

/** One row of a breakdown. */
export interface Hit {
  readonly name: string;
  readonly judged: number;
  readonly broken: number;
}

/** Who is hit: broken connections by client address, by first node, and by minute of the capture, most broken first. */
export interface Hits {
  /** clients with a broken connection, at most 50 */
  readonly clients: readonly Hit[];
  /** how many clients there are, and how many of them had a connection broken */
  readonly clientsJudged: number;
  readonly clientsBroken: number;
  /** by the node that the connection first went to */
  readonly nodes: readonly Hit[];
  /** by minute since t = 0 in which they broke; `judged` is of the connections that began in it */
  readonly minutes: readonly { readonly minute: number; readonly judged: number; readonly broken: number }[];
}

export interface CaptureRecord {
  readonly file: string;
  readonly format: string;
  readonly linkTypes: readonly string[];
  readonly packets: number;
  readonly bytes: number;
  /** seconds since 1970 of the first packet, as decimal number */
  readonly startTime: number;
  /** seconds since 1970 of t = 0, from which every time of the report counts */
  readonly t0: number;
  readonly duration: number;
  /** which IP header keyed the packets: the outermost, or the innermost of tunnels and mirrors */
  readonly level: 'outer' | 'inner';
  readonly truncated: boolean;
  readonly decodeFaults: Record<string, number>;
  /** signs that packets were lost in capturing; null: none */
  readonly captureLoss: CaptureLoss | null;
}

/**
 * A replay's result. Verdicts of 10^6 flows as objects are expensive, so flows are made one at a time: `flowVerdict(f)`
 * builds row `f` when somebody asks, and the writers stream.
 */
export interface ReplayResult {
  readonly index: CaptureIndex;
  readonly capture: CaptureRecord;
  readonly events: readonly EventRecord[];
  readonly summary: Summary;
  /** connections; what has none counts as one a five-tuple */
  readonly flowCount: number;
  /** row of the flow table of a verdict's row */
  flowTableRow(row: number): number;
  flowVerdict(row: number): FlowVerdict;
  /** what an L7 proxy makes of the flow's first request; null: there is none, or no proxy */
  rewrittenRequest(row: number): RewrittenRequest | null;
  /** cheap: the fate alone */
  fateOf(row: number): Fate;
}
