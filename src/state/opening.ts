/** What a node's real rules make of a connection: of its first packet, and of those that follow in either direction. */
import type { Address } from '../addr/address.js';
import { type Direction, Segment } from '../conntrack/tcp-states.js';
import type { Connection } from '../netfilter/connections.js';
import { Outcome } from './disposition.js';

/** A connection's first packet, as it comes to the node. */
export interface FirstPacket {
  readonly proto: number;
  readonly src: Address;
  readonly srcPort: number;
  readonly dst: Address;
  readonly dstPort: number;
  /** of TCP; -1: a combination of flags that no stack sends */
  readonly segment: Segment | -1;
}

/** What becomes of a packet that the rules do not let through; `answered`: they do. */
export interface Ruling {
  /** -1: nobody can say, see `said` */
  readonly outcome: Outcome | typeof UNDECIDED;
  /** see disposition.ts */
  readonly reason: number;
  /** the rule, with node and chain, to end a sentence; empty where nothing is wrong */
  readonly said: string;
}

export const UNDECIDED = -1;

/** when an entry of a dumped table was made, seconds since t = 0: nobody says, long ago */
export const BEFORE_CAPTURE_S = -1e6;

export interface Opening extends Ruling {
  /** row of the endpoint's pod; -1 where the packet comes to none */
  readonly pod: number;
  /** as the endpoint sees it; null: the client's own */
  readonly source: Address | null;
  /** null: the kernel draws it */
  readonly sourcePort: number | null;
  /** of all ways that this packet's draws can fall, the probability of this one */
  readonly probability: number;
  /** among those ways, which */
  readonly way: number;
  readonly connection: Connection | null;
  /** interfaces of the node: towards the client, and towards the endpoint */
  readonly iif: string | null;
  readonly oif: string | null;
  readonly later: LaterRulings;
}

/** Rulings on later packets, by {@link laterRow}, as long as no node gets other rules. */
export interface LaterRulings {
  generation: number;
  rows: (Ruling | undefined)[];
}

export function noRulings(): LaterRulings {
  return { generation: -1, rows: [] };
}

export const PASSES: Ruling = { outcome: Outcome.answered, reason: 0, said: '' };

/** Kinds of later packets that rules may tell apart: direction, TCP segment, and whether an answer was seen. */
export function laterRow(direction: Direction, segment: Segment | -1, replied: boolean): number {
  const kind = segment < 0 ? Segment.none : segment;
  return (direction * 6 + kind) * 2 + (replied ? 1 : 0);
}
