/**
 * A next-hop group chooses one of its next hops for a flow hash. One class per selection algorithm implements
 * this; the FIB holds them, the router hop asks them, and nobody else knows how the choice is made.
 *
 * `hash` is what the router's hash yields for the packet: 31 bits for Linux (after its `>> 1`), 32 bits for the
 * others; a group is told which at construction. Time is an argument in seconds; nothing here reads a clock.
 */

/** A next hop by the caller's number for it (a node's row) with its weight (>= 1). */
export interface WeightedNextHop {
  readonly id: number;
  readonly weight: number;
}

/** Every way to select; one class each, in a file of its name (the documented ones share one). */
export const SELECTS = [
  'modulo',
  'hash-threshold',
  'resilient',
  'resilient-cumulus',
  'resilient-arista',
  'resilient-juniper',
  'rendezvous',
  'maglev',
  'ring',
] as const;
export type SelectName = (typeof SELECTS)[number];

export interface NextHopGroup {
  readonly select: SelectName;
  /** in the order of the router's table */
  readonly nextHops: readonly WeightedNextHop[];
  /** changes whenever any hash may have a new answer */
  readonly version: number;
  /** earliest time (s) at which the group changes by itself (resilient upkeep); Infinity = never */
  readonly deadlineS: number;
  /** id of the next hop for this hash, or -1 where the group is empty. Stamps what is used (resilient). Allocates nothing. */
  choose(hash: number, nowS: number): number;
  /** the same choice without stamping anything */
  peek(hash: number): number;
  /** bucket that the hash falls into, or -1 where the selection has none */
  bucketOf(hash: number): number;
  /** next-hop id of every bucket, or null where the selection has none */
  table(): Int32Array | null;
  /** a changed set of next hops, in table order */
  replace(nextHops: readonly WeightedNextHop[], nowS: number): void;
  /** do what is due by `nowS` (resilient upkeep); returns whether the version changed */
  advance(nowS: number): boolean;
}

export interface GroupSettings {
  readonly select: SelectName;
  /** how many bits the hash has: 31 for Linux, 16 or 32 for others */
  readonly hashBits: 16 | 31 | 32;
  /** buckets or table size; selections without a table ignore it */
  readonly buckets: number;
  readonly idleTimerS: number;
  /** 0 = never force */
  readonly unbalancedTimerS: number;
  /** resilient: does a changed set migrate the table, or start a fresh one (what a new group id does) */
  readonly replace: 'in-place' | 'fresh-group';
  /** resilient: draws by how much the kernel's timers are late; without it they are in time */
  readonly timerSeed?: number | undefined;
}
