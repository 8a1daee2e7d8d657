/**
 * Rules as every front end (iptables-save, nft's JSON) leaves them and the walk reads them.
 *
 * A table has chains, a chain has rules, and a rule is a list of steps: a step looks at the packet and says "go on with
 * this rule", "this rule does not match", or gives a verdict. That is nft's own model; an iptables rule is its matches
 * followed by its target. What was not understood is a step as well: it asks the walk to answer `unknown`.
 *
 * What a step sees of the walk and of the node stands here too, because rules and walk are made of each other.
 */
import type { Address } from '../addr/address.js';
import type { Connection, ConnectionTable, Found, Tuple } from './connections.js';
import type { Decisions } from './decisions.js';
import type { NodeRoutes, Route } from './node-routes.js';
import type { Packet } from './packet.js';
import type { RecentLists } from './recent-lists.js';

export type RuleFamily = 'ip' | 'ip6' | 'inet' | 'netdev' | 'bridge' | 'arp';

export type Hook = 'ingress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'egress';

/** the rule goes on with its next step */
export const NEXT = 0;
/** the rule does not match */
export const BREAK = 1;

export type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly target: Chain }
  /** what the kernel sends back: `tcp-reset`, `icmp-port-unreachable`, … */
  | { readonly kind: 'reject'; readonly with: string }
  /** handed to something outside the rules, or a target that is not understood: the walk ends here without an answer */
  | { readonly kind: 'unknown'; readonly why: string };

export type StepResult = typeof NEXT | typeof BREAK | Verdict;

export type Step = (walk: Walk) => StepResult;

export interface Rule {
  readonly table: Table;
  readonly chain: Chain;
  /** 1-based place in its chain, as `iptables -L --line-numbers` counts */
  readonly number: number;
  /** as the dump has it (iptables), or as nft would list it */
  readonly text: string;
  readonly steps: readonly Step[];
  /** what the packet must have for the rule to match, as far as an index can use it */
  readonly guard: Guard;
  /** a counter in the dump that is not 0: real traffic has hit this rule */
  readonly packets: number | null;
}

/** Necessary conditions of a rule; absent ones hold for every packet. */
export interface Guard {
  /** host address, as `Packet.dstKey` */
  readonly dst?: number | string | undefined;
  readonly proto?: number | undefined;
  readonly dstPort?: number | undefined;
}

export const NO_GUARD: Guard = {};

export interface BaseHook {
  readonly type: string;
  readonly hook: Hook;
  readonly priority: number;
  policy: 'accept' | 'drop';
  readonly devices: readonly string[];
  /** the order of registration; among equal priorities the kernel runs the newest first */
  readonly order: number;
}

export interface Chain {
  readonly table: Table;
  readonly name: string;
  base: BaseHook | null;
  readonly rules: Rule[];
}

export interface Table {
  readonly family: RuleFamily;
  readonly name: string;
  /** where it came from; an iptables table reads `nat`, an nft one `ip kube-proxy` */
  readonly label: string;
  readonly chains: Map<string, Chain>;
  /** `flags dormant`: its hooks do not run */
  readonly dormant: boolean;
}

export const ACCEPT: Verdict = { kind: 'accept' };
export const DROP: Verdict = { kind: 'drop' };
export const RETURN: Verdict = { kind: 'return' };

export function newTable(family: RuleFamily, name: string, label: string, dormant = false): Table {
  return { family, name, label, chains: new Map(), dormant };
}

export function newChain(table: Table, name: string, base: BaseHook | null): Chain {
  const chain: Chain = { table, name, base, rules: [] };
  table.chains.set(name, chain);
  return chain;
}

/** Where a packet stands towards connection tracking; `none` before the look-up. */
export type Ctinfo = 'none' | 'new' | 'established' | 'related' | 'invalid' | 'untracked';

/** What a step did or found, for people. */
export interface TraceStep {
  readonly hook: Hook | 'routing' | 'conntrack' | 'nat' | 'ipvs' | 'end';
  readonly table?: string;
  readonly chain?: string;
  readonly rule?: number;
  readonly text: string;
  /** what followed: a verdict, a change, where the walk went on */
  readonly result: string;
}

export interface By {
  readonly table: string;
  readonly chain: string;
  /** the rule as its dump has it; `policy` where the chain's policy decided */
  readonly rule: string;
}

export type FinalVerdict = 'forwarded' | 'local' | 'dropped' | 'rejected' | 'unknown';

export interface Final {
  readonly verdict: FinalVerdict;
  readonly with?: string;
  readonly by: By | null;
  readonly why?: string;
}

/** A set of `ipset save`. */
export interface PacketSet {
  readonly type: string;
  /** Null where the set cannot say. `directions`: `src` or `dst` for each dimension. */
  matches(walk: Walk, directions: readonly string[]): boolean | null;
}

/** What a packet does to a list of `-m recent`. */
export interface RecentNote {
  readonly list: string;
  readonly address: Address;
  readonly noted: boolean;
  readonly removed: boolean;
}

/** What steps may ask of the node. */
export interface NodeView {
  readonly name: string;
  readonly routes: NodeRoutes;
  readonly connections: ConnectionTable;
  readonly ipSets: ReadonlyMap<string, PacketSet>;
  readonly sysctls: ReadonlyMap<string, string>;
  readonly hasConnections: boolean;
  readonly hasAddresses: boolean;
  /** null: a walk by itself, before which there was none */
  readonly recentLists: RecentLists | null;
  sysctl(name: string): number | null;
}

/** A packet on its way. */
export interface Walk {
  readonly node: NodeView;
  readonly packet: Packet;
  readonly decisions: Decisions;
  readonly recording: boolean;
  readonly hook: Hook;
  readonly iif: string | null;
  readonly oif: string | null;
  readonly route: Route | null;
  readonly gateway: Address | null;
  connection: Connection | null;
  ctinfo: Ctinfo;
  /** the packet goes in its connection's reply direction */
  isReply: boolean;
  /** zone that a rule set before the look-up */
  zone: number;
  helper: string | null;
  /** source port drawn by the kernel: not to be printed */
  portDrawn: boolean;
  /** the entry of an ended connection whose place a new one takes */
  replaces: Connection | null;
  /** what this packet has done to lists of `-m recent`, by list and side */
  readonly recent: Map<string, RecentNote>;
  /** elements that rules added to dynamic sets for this packet */
  readonly added: Map<object, Set<string>>;

  /** Does something hold that nobody can say? `what` completes "rule …: …". */
  unknown(what: string): boolean;
  /** `what`, with the rule before it */
  whereWhat(what: string): string;
  /** Something that nobody gave was taken for granted. */
  assume(what: string): void;
  note(hook: TraceStep['hook'], text: string, result: string): void;
  /** The rule at hand changed something. */
  changed(text: string): void;
  /** The packet's own tuple. */
  tuple(): Tuple;
  /** The packet begins a connection. */
  begin(): Connection;
  /** The packet belongs to an entry; what is returned is a copy, because a walk may be run again. */
  join(found: Found): Connection;
  /** IPVS has chosen a real server: the packet is translated, routed afresh, and leaves as the node's own would. */
  redirectTo(address: Address, port: number): Final;
}
