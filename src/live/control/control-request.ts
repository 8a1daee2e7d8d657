/**
 * What may be asked of a running router or speaker over its control socket, and what it answers: one protocol for both.
 *
 * A request is one object with its `command`, an answer one object with its `kind`. Times are milliseconds since 1970
 * (`time`) or seconds; peers and VIPs go by name, routes and flows by the records of the API (web/api-records.ts).
 */
import { z } from 'zod';
import { FATES } from '../../verdict/fates.js';
import type {
  FibRecord,
  Listing,
  LiveEvent,
  LiveFlow,
  PeerRecord,
  RouteRecord,
  TrafficRecord,
} from '../web/api-records.js';

/** which routes: chosen ones and their rivals, as announced by a peer, or as a peer was told them */
const ROUTE_TABLES = ['rib', 'received', 'advertised'] as const;
type RouteTable = (typeof ROUTE_TABLES)[number];

/** how many rows one answer may hold: a client asks again for the next ones */
export const MAX_ROWS = 2000;

const rows = { offset: z.int().min(0), limit: z.int().min(0).max(MAX_ROWS) };
const text = z.string();

export const routerRequest = z.discriminatedUnion('command', [
  z.object({ command: z.literal('show summary') }),
  z.object({ command: z.literal('show neighbors'), peer: text.nullable() }),
  /** the longest match of an address or a prefix, with all its paths */
  z.object({ command: z.literal('show prefix'), prefix: text }),
  z.object({
    command: z.literal('show routes'),
    table: z.enum(ROUTE_TABLES),
    peer: text.nullable(),
    prefix: text.nullable(),
    family: z.literal([4, 6]).nullable(),
    ...rows,
  }),
  z.object({ command: z.literal('show fib'), prefix: text.nullable(), ...rows }),
  z.object({ command: z.literal('show nexthop-groups'), prefix: text.nullable(), ...rows }),
  z.object({
    command: z.literal('show flows'),
    fate: z.enum(FATES).nullable(),
    event: text.nullable(),
    ...rows,
  }),
  z.object({ command: z.literal('show events') }),
  z.object({
    command: z.literal('clear'),
    peer: text,
    how: z.enum(['hard', 'soft', 'soft in', 'soft out']),
  }),
  z.object({ command: z.literal('shutdown'), peer: text, text }),
  z.object({ command: z.literal('enable'), peer: text }),
  z.object({ command: z.enum(['drain', 'undrain']), name: text }),
  z.object({ command: z.literal('reload'), apply: z.boolean() }),
]);
export type RouterRequest = z.output<typeof routerRequest>;

export const speakerRequest = z.discriminatedUnion('command', [
  z.object({ command: z.literal('status') }),
  z.object({ command: z.enum(['announce', 'withdraw', 'drain', 'undrain']), name: text }),
]);
export type SpeakerRequest = z.output<typeof speakerRequest>;

export type ControlRequest = RouterRequest | SpeakerRequest;

/** A peer with all that a session was agreed on. */
export interface NeighborRecord extends PeerRecord {
  readonly hostName: string | null;
  /** our end of the session, and who opened it; null while there is none */
  readonly local: { readonly address: string; readonly port: number } | null;
  readonly openedBy: 'us' | 'peer' | null;
  readonly passive: boolean;
  readonly configuredHoldTime: number;
  /** names of the capabilities in the OPENs; null while there is no session */
  readonly capabilities: { readonly sent: readonly string[]; readonly received: readonly string[] } | null;
  readonly gracefulRestart: {
    readonly families: readonly string[];
    readonly restartTime: number;
    readonly longLived: readonly string[];
  } | null;
  readonly bfd: {
    readonly state: string;
    readonly transmitIntervalMs: number;
    readonly detectionTimeMs: number;
  } | null;
  /** `all`, `none`, or how many terms the policy has */
  readonly import: string;
  readonly export: string;
  readonly maxPrefixes: number | null;
  /** prefixes that it is still to be told of */
  readonly queued: number;
}

export interface GroupRecord extends Omit<FibRecord, 'prefix'> {
  /** number of the group, as long as it lives */
  readonly id: number;
  readonly select: string;
  /** entries of the FIB that use it, and the first of them */
  readonly prefixes: number;
  readonly first: string;
}

/** What a new configuration changes. */
export interface ConfigChange {
  /** `peer 10.0.0.1`, `range 10.0.0.0/24`, `router` */
  readonly of: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly keys: readonly { readonly key: string; readonly before: unknown; readonly after: unknown }[];
  /** what it does to the sessions */
  readonly effect: string;
}

export type RouterAnswer =
  | {
      readonly kind: 'summary';
      readonly routerId: string;
      readonly asn: number;
      readonly listen: readonly string[];
      /** seconds */
      readonly uptime: number;
      readonly tables: readonly {
        readonly family: string;
        readonly prefixes: number;
        readonly routes: number;
        readonly fib: number;
      }[];
      readonly peers: readonly NeighborRecord[];
    }
  | { readonly kind: 'neighbors'; readonly neighbors: readonly NeighborRecord[] }
  | {
      readonly kind: 'prefix';
      readonly asked: string;
      /** the longest match; null = none */
      readonly prefix: string | null;
      readonly routes: readonly RouteRecord[];
      readonly advertisedTo: readonly string[];
      readonly fib: FibRecord | null;
    }
  | ({ readonly kind: 'routes'; readonly table: RouteTable } & Listing<RouteRecord>)
  | ({ readonly kind: 'fib' } & Listing<FibRecord>)
  | ({ readonly kind: 'nexthop-groups' } & Listing<GroupRecord>)
  | ({ readonly kind: 'flows'; readonly traffic: TrafficRecord | null } & Listing<LiveFlow>)
  | { readonly kind: 'events'; readonly events: readonly LiveEvent[] }
  /** an action was taken: a sentence for each peer that it meant */
  | { readonly kind: 'done'; readonly lines: readonly string[] }
  | { readonly kind: 'reload'; readonly applied: boolean; readonly changes: readonly ConfigChange[] };
