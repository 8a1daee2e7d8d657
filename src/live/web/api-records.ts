/**
 * What the API says, as JSON: one interface a record. Program and page share them; the page takes the types alone.
 *
 * Where the report of a replay has a name for a thing it is the name here (`flowfate/report/1`). `time` is milliseconds
 * since 1970; `at`, `start`, `end`, `brokenAt` are seconds of the traffic's own time, which `--speed` makes faster.
 */
import type { EcmpSettings } from '../../cluster/model.js';
import type { Fate, FlowVerdict } from '../../verdict/verdict.js';
import type { PeerFamilyView, SessionState, TableView } from '../router-view.js';

export interface LiveNextHop {
  readonly nextHop: string;
  readonly weight: number;
}

export interface LiveRouteChange {
  readonly prefix: string;
  readonly before: readonly LiveNextHop[];
  readonly after: readonly LiveNextHop[];
}

export interface LiveEvent {
  /** "e1", "e2", ... */
  readonly id: string;
  readonly time: number;
  readonly at: number;
  /** session-up, session-down, session-failed, or the cause of a change of routes */
  readonly kind: string;
  /** one sentence */
  readonly detail: string;
  readonly peer: string | null;
  /** entries of the FIB that changed; the first of them stand in `changes` */
  readonly total: number;
  readonly changes: readonly LiveRouteChange[];
  /** as in the report's event records */
  readonly flowsActive: number;
  readonly flowsMoved: number;
  readonly flowsBroken: number;
  readonly dropped: number;
  /** flows that get no answer because of it at this moment, and may still heal */
  readonly flowsStalled: number;
}

export interface PeerRecord {
  readonly peer: string;
  readonly address: string;
  readonly port: number | null;
  readonly asn: number | null;
  readonly routerId: string | null;
  readonly state: SessionState;
  /** seconds in this state */
  readonly stateFor: number;
  /** seconds since the session came up, or null */
  readonly uptime: number | null;
  readonly received: number;
  readonly accepted: number;
  readonly sent: number;
  readonly families: readonly PeerFamilyView[];
  readonly holdTime: number | null;
  readonly messages: { readonly in: number; readonly out: number };
  readonly updates: { readonly in: number; readonly out: number };
  readonly flaps: number;
  readonly lastError: string | null;
  /** how the last session that was up ended; `notification` is code/subcode, like "6/2" */
  readonly lastReset: {
    readonly time: number;
    readonly reason: string;
    readonly notification: string | null;
    readonly sentBy: 'us' | 'peer' | null;
  } | null;
  /** NOTIFICATIONs by code/subcode */
  readonly notifications: {
    readonly in: Readonly<Record<string, number>>;
    readonly out: Readonly<Record<string, number>>;
  };
  /** an operator shut it down, or leads traffic away from it */
  readonly shutDown: boolean;
  readonly draining: boolean;
}

export interface RouteRecord {
  readonly prefix: string;
  readonly family: string;
  readonly peer: string;
  readonly nextHop: string | null;
  readonly best: boolean;
  readonly multipath: boolean;
  /** `no`, or why it may not be used: "policy", "as-loop", ... */
  readonly excluded: string;
  /** the step of the choice at which it fell behind, or why it takes no share; of the best: the step that decided */
  readonly decidedBy: string | null;
  /** why it is or is not used, in words */
  readonly why: string;
  /** as received with ADD-PATH (RFC 7911); 0 without */
  readonly pathId: number;
  readonly stale: boolean;
  /** beyond the restart time of its peer: the last choice (RFC 9494) */
  readonly longLivedStale: boolean;
  readonly origin: string;
  readonly asPath: string;
  readonly localPref: number | null;
  readonly med: number | null;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  /** "rt:64512:100", "color:0:100", ...; those without a text as hexadecimal digits */
  readonly extendedCommunities: readonly string[];
  /** seconds for which its peer has announced it as it is; the same once more does not make it younger */
  readonly age: number;
}

export interface FibRecord {
  readonly prefix: string;
  readonly nextHops: readonly FibNextHop[];
  /** per bucket the position of its owner in `nextHops`, -1 for nobody; null where there are none, or too many to show */
  readonly buckets: readonly number[] | null;
}

export interface FibNextHop extends LiveNextHop {
  /** name of the node that has this address, where traffic runs */
  readonly node: string | null;
  /** share of the hash space, 0 to 1 */
  readonly share: number;
}

export interface VipRecord {
  readonly vip: string;
  readonly service: string;
  /** the longest prefix of the FIB that covers it, or null: no route now */
  readonly route: (Omit<FibRecord, 'nextHops'> & { readonly nextHops: readonly VipNextHop[] }) | null;
  readonly flowsActive: number;
  readonly flowsStalled: number;
  readonly flowsBroken: number;
}

interface VipNextHop extends FibNextHop {
  readonly flowsActive: number;
}

/** One moment of the traffic, once a second. Columns `flowsBroken` and `flowsStarted` count from the beginning. */
export interface TrafficSample {
  readonly time: number;
  readonly flowsActive: number;
  readonly flowsStalled: number;
  readonly flowsStarted: number;
  readonly flowsBroken: number;
}

export interface TrafficRecord {
  readonly capture: string;
  readonly scenario: string;
  readonly madeFromCapture: boolean;
  readonly speed: number;
  readonly loop: boolean;
  /** waiting: no VIP has had a route yet; ended: the capture is over and does not loop */
  readonly state: 'waiting' | 'running' | 'ended';
  /** number of the round, from 1 */
  readonly round: number;
  readonly at: number;
  /** length of a round */
  readonly duration: number;
  readonly flowsStarted: number;
  /** of these, all but what began before the capture, or depends on an endpoint that nobody knows: every share is of them */
  readonly flowsJudged: number;
  readonly flowsActive: number;
  readonly flowsStalled: number;
  readonly flowsBroken: number;
  /** of flows that are over, and of those that broke */
  readonly byFate: Readonly<Record<Fate, number>>;
  readonly byCause: Readonly<Record<string, number>>;
  /** seconds of traffic that were left out because the machine could not keep up, or slept */
  readonly skipped: number;
}

export interface SummaryRecord {
  readonly schema: 'flowfate/live/1';
  readonly version: string;
  readonly time: number;
  readonly router: {
    readonly asn: number;
    readonly routerId: string;
    readonly listen: readonly string[];
    readonly uptime: number;
    readonly ecmp: EcmpSettings;
  };
  readonly peers: readonly PeerRecord[];
  readonly families: readonly TableView[];
  readonly vips: readonly VipRecord[];
  /** the first entries of the FIB, where no traffic says which matter */
  readonly fib: readonly FibRecord[];
  readonly traffic: TrafficRecord | null;
  /** newest first */
  readonly events: readonly LiveEvent[];
  readonly history: readonly TrafficSample[];
}

/** A flow as the report has it; `round` says which turn of the capture it belongs to. */
export interface LiveFlow extends FlowVerdict {
  readonly round: number;
  /** it gets no answer now and may still heal */
  readonly open?: true;
}

export interface Listing<Row> {
  readonly total: number;
  readonly offset: number;
  readonly limit: number;
  readonly rows: readonly Row[];
}

/** Messages of `/api/v1/events`, by the name of the event. */
export interface StreamMessages {
  /** first of all, and after a gap that the ring could not fill */
  readonly hello: { readonly version: string; readonly missed: boolean };
  /** something happened */
  readonly event: LiveEvent;
  /** what an earlier event did to the flows has changed */
  readonly impact: LiveEvent;
  /** once a second */
  readonly sample: { readonly sample: TrafficSample; readonly traffic: TrafficRecord };
  /** peers, tables or VIPs are not what they were: ask for the summary */
  readonly changed: { readonly what: 'peers' | 'routes' };
}
