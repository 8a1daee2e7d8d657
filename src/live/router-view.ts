/**
 * What page, API, metrics and live traffic read from a running router, and all that they know of it.
 *
 * Whoever runs sessions and tables implements this; whoever shows them asks. Everything here is a copy of one moment,
 * made when it is asked for: a reader keeps nothing that moves under it, and changes nothing.
 *
 * Invariants:
 * - Calls are synchronous and see one consistent state: RIB and FIB as they are after the last finished change.
 * - A listener is called after the state has changed, never in the middle; it may read the view, and must not throw.
 * - Tables may hold 10^6 prefixes: nothing returns a whole table unless its caller names a limit.
 * - `atMs` is milliseconds since 1970 by the router's clock; addresses and prefixes in binary, as everywhere inside.
 */
import type { Address } from '../addr/address.js';
import type { Prefix } from '../addr/prefix.js';
import type { EcmpSettings } from '../cluster/model.js';

/** States of RFC 4271 section 8.2.2, by their names there; for a peer without a connection `Idle`. */
export const SESSION_STATES = [
  'Idle',
  'Connect',
  'Active',
  'OpenSent',
  'OpenConfirm',
  'Established',
] as const;
export type SessionState = (typeof SESSION_STATES)[number];

export interface RouterView {
  readonly asn: number;
  readonly routerId: string;
  /** where it listens, like "127.0.0.1:1790" */
  readonly listen: readonly string[];
  readonly startedMs: number;
  /** how groups of the FIB are made; live traffic hashes and selects by the same */
  readonly ecmp: EcmpSettings;
  /** every configured or connected peer, in an order that stays */
  peers(): readonly PeerView[];
  /** a row for each family that is configured or holds anything */
  tables(): readonly TableView[];
  /** routes of the RIB in an order that stays while nothing changes; the best one of a prefix comes first */
  routes(query: RouteQuery): Page<RouteView>;
  /** entries of the FIB in an order that stays while nothing changes */
  fib(offset: number, limit: number): Page<FibEntryView>;
  /** the FIB's longest match, or null */
  lookup(address: Address): FibEntryView | null;
  /** Calls `listener` for everything that happens from now on; returns what ends that. */
  subscribe(listener: (event: RouterEvent) => void): () => void;
}

export interface RouteQuery {
  /** null = every prefix of both families */
  readonly prefix: Prefix | null;
  /** that prefix alone, or it and all that lie inside it */
  readonly match: 'exact' | 'longer';
  /** id of the peer that the routes came from; null = any */
  readonly peer: string | null;
  /** routes to leave out, and to give at most */
  readonly offset: number;
  readonly limit: number;
}

/** Some of `total` rows. */
export interface Page<Row> {
  readonly total: number;
  readonly rows: readonly Row[];
}

export interface PeerView {
  /** name of the session, the same for its whole life: the peer's address, with its port where several share one */
  readonly id: string;
  readonly address: string;
  readonly port: number | null;
  /** null before a peer of any AS has said its own */
  readonly asn: number | null;
  /** BGP identifier that it sent */
  readonly routerId: string | null;
  readonly state: SessionState;
  /** when it came into this state */
  readonly sinceMs: number;
  /** null while the session is not up */
  readonly establishedMs: number | null;
  /** negotiated; configured ones while it is not up. Names like "ipv4-unicast" */
  readonly families: readonly PeerFamilyView[];
  /** null while the session is not up */
  readonly holdTimeS: number | null;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly updatesIn: number;
  readonly updatesOut: number;
  /** times that the session went down */
  readonly flaps: number;
  /** why the session last ended, a sentence, or null */
  readonly lastError: string | null;
  /** how the last session that was up ended, or null */
  readonly lastReset: {
    readonly atMs: number;
    readonly reason: string;
    /** `6/2`, code and subcode of the NOTIFICATION that ended it, or null */
    readonly notification: string | null;
    readonly sentBy: 'us' | 'peer' | null;
  } | null;
  /** NOTIFICATIONs by code and subcode, like `6/2`; `other` for those that no registry names */
  readonly notificationsIn: Readonly<Record<string, number>>;
  readonly notificationsOut: Readonly<Record<string, number>>;
  /** an operator shut it down: it does not come back by itself */
  readonly shutDown: boolean;
  /** an operator leads traffic away from it */
  readonly draining: boolean;
}

export interface PeerFamilyView {
  readonly family: string;
  /** prefixes in Adj-RIB-In */
  readonly received: number;
  /** of these, the ones that policy and checks let into the decision */
  readonly accepted: number;
  /** prefixes in Adj-RIB-Out */
  readonly sent: number;
  /** kept over a restart of the peer (RFC 4724, RFC 9494) */
  readonly stale: number;
}

export interface TableView {
  readonly family: string;
  /** prefixes, and routes to them, in the RIB */
  readonly prefixes: number;
  readonly routes: number;
  /** prefixes in the FIB */
  readonly fib: number;
}

/** A route of the RIB. */
export interface RouteView {
  readonly prefix: Prefix;
  readonly family: string;
  /** id of the peer it came from */
  readonly peer: string;
  readonly nextHop: Address | null;
  /** the best route of its prefix */
  readonly best: boolean;
  /** one that the FIB uses beside the best */
  readonly multipath: boolean;
  /** `no`, or why it may not be used: "policy", "as-loop", ... */
  readonly excluded: string;
  /** the step of the choice at which it fell behind, or why it takes no share; of the best: the step that decided */
  readonly decidedBy: string | null;
  /** why it is or is not used, in words */
  readonly why: string;
  readonly pathId: number;
  readonly stale: boolean;
  /** stale beyond the restart time of its peer, and the last choice (RFC 9494) */
  readonly longLivedStale: boolean;
  /** how long its peer has announced it as it is */
  readonly ageS: number;
  readonly origin: string;
  /** as it is written: "64512 {64513,64514}" */
  readonly asPath: string;
  readonly localPref: number | null;
  readonly med: number | null;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  /** RFC 4360 and RFC 5701: "rt:64512:100", others as hexadecimal digits */
  readonly extendedCommunities: readonly string[];
}

export interface NextHopView {
  readonly address: Address;
  readonly weight: number;
}

export interface FibEntryView {
  readonly prefix: Prefix;
  /** in the order of the router's table; at least one */
  readonly nextHops: readonly NextHopView[];
  /** per bucket the position of its owner in `nextHops` (-1: nobody); null where the selection has no buckets */
  readonly buckets: Int32Array | null;
}

export type RouterEvent = SessionChanged | RoutesChanged;

export interface SessionChanged {
  readonly kind: 'session';
  readonly atMs: number;
  readonly peer: string;
  readonly asn: number | null;
  readonly from: SessionState;
  readonly to: SessionState;
  /** why, a sentence, or null where there is nothing to say */
  readonly reason: string | null;
}

/**
 * FIB entries changed together: by one UPDATE, by the loss of one session, by a reload. One such event is one cause:
 * what a flow meets because of it is blamed on it. A bulk load may join many UPDATEs into one, within 100 ms.
 */
export interface RoutesChanged {
  readonly kind: 'routes';
  readonly atMs: number;
  /** peer that made them change, or null where it was not a peer */
  readonly peer: string | null;
  readonly cause: RouteCause;
  /** how many entries changed */
  readonly total: number;
  /** the first {@link MAX_LISTED_CHANGES} of them */
  readonly changes: readonly RouteChange[];
}

const ROUTE_CAUSES = {
  announce: 'announced',
  withdraw: 'withdrawn',
  update: 'announced and withdrawn together',
  'session-lost': 'the session that they came from ended',
  'long-lived-stale': 'not back within its restart time: used only where there is nothing else (RFC 9494)',
  'stale-expired': 'not announced again after a graceful restart',
  policy: 'the configuration was changed',
  drain: 'traffic is led away from the peer, or no longer',
  loaded: 'loaded from a dump',
} as const;
export type RouteCause = keyof typeof ROUTE_CAUSES;

export const MAX_LISTED_CHANGES = 64;

/** An entry of the FIB before and after; an empty list means that there was, or is, none. */
export interface RouteChange {
  readonly prefix: Prefix;
  readonly before: readonly NextHopView[];
  readonly after: readonly NextHopView[];
}
