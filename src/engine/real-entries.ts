/**
 * Entries of nodes with real rules: those of the dumped tables, of connections that began before the capture, and of new
 * ones. The twin of what NodeWalk does by the model.
 */
import { Segment, TcpState } from '../conntrack/tcp-states.js';
import { Outcome, ReasonCode } from '../state/disposition.js';
import { BEFORE_CAPTURE_S, type Opening } from '../state/opening.js';
import type { RealPlane } from '../state/real-plane.js';
import { TCP } from '../wire/ip-protocol.js';
import { DEAD, ENTRY_ASSURED, ENTRY_REPLIED, ENTRY_SNAT, type EntryPool, STATELESS } from './entry-pool.js';
import type { DumpedEntry, RealWalk } from './real-walk.js';

/** What NodeWalk does for them. */
export interface EntryHost {
  readonly entries: EntryPool;
  readonly real: RealWalk;
  readonly guessed: Uint8Array;
  add(
    f: number,
    node: number,
    pod: number,
    ordinal: number,
    state: number,
    marks: number,
    nowS: number,
    port: number,
  ): number;
  liveEntry(f: number, node: number, nowS: number): number;
  expiresS(e: number): number;
  timeoutS(e: number): number;
  entryChanged(e: number): void;
  tupleOf(f: number): number;
  nextOrdinal(f: number): number;
  portFor(f: number, node: number, opening: Opening, ordinal: number, nowS: number): number;
  deniedBeyond(f: number, node: number, opening: Opening): number;
  refuseAt(node: number, outcome: Outcome, reason: number): -1;
}

/** An entry that a node's table held at t = 0. */
export function install(walk: EntryHost, { f, node, connection, opening }: DumpedEntry): void {
  if (opening === null) return;
  const { entries } = walk;
  const marks =
    (connection.seenReply ? ENTRY_REPLIED : 0) | (connection.assured ? ENTRY_ASSURED : 0) | snatOf(opening);
  const state = connection.original.proto === TCP ? connection.tcp : STATELESS;
  const e = walk.add(f, node, opening.pod, 0, state, marks, 0, opening.sourcePort ?? 0);
  walk.real.opened(e, opening);
  entries.createdS[e] = BEFORE_CAPTURE_S;
  // it ends when the dump says, whatever the scenario's timeouts are
  entries.lastS[e] = 0;
  entries.lastS[e] = (connection.expiresS ?? walk.timeoutS(e)) - walk.timeoutS(e);
  walk.entryChanged(e);
}

/**
 * The entry of a connection that began before the capture: a dumped table knows it, this node's or another one's; without
 * one the rules say which endpoints it can have.
 */
export function adoptByRules(
  walk: EntryHost,
  f: number,
  node: number,
  plane: RealPlane,
  nowS: number,
): number {
  const { entries, real } = walk;
  const own = walk.liveEntry(f, node, nowS);
  let e = own >= 0 ? own : entries.head[walk.tupleOf(f)]!;
  while (e >= 0 && (entries.state[e] === DEAD || nowS > walk.expiresS(e))) e = entries.next[e]!;
  if (e >= 0) {
    real.wasKnown[f] = 1;
    return e;
  }
  const ordinal = walk.nextOrdinal(f);
  const opening = real.open(f, plane, Segment.ack, ordinal, nowS);
  if (opening.pod < 0) return -1;
  const marks = ENTRY_REPLIED | ENTRY_ASSURED | snatOf(opening);
  const port = Math.max(walk.portFor(f, node, opening, ordinal, nowS), 0);
  const made = walk.add(f, node, opening.pod, ordinal, TcpState.established, marks, nowS, port);
  real.opened(made, opening);
  walk.guessed[f] = real.choices(f, plane) > 1 ? 1 : 0;
  return made;
}

/** The entry of a new connection; an outcome and a reason where the rules make none. */
export function openByRules(
  walk: EntryHost,
  f: number,
  plane: RealPlane,
  state: number,
  segment: Segment | -1,
  nowS: number,
): number {
  const node = plane.row;
  const ordinal = walk.nextOrdinal(f);
  const opening = walk.real.open(f, plane, segment, ordinal, nowS);
  const { pod, reason } = opening;
  if (pod < 0) return walk.refuseAt(node, walk.real.note(f, opening), reason);
  const port = walk.portFor(f, node, opening, ordinal, nowS);
  if (port < 0) return walk.refuseAt(node, Outcome.silent, ReasonCode['snat-port-exhausted']);
  const marks = snatOf(opening) | walk.deniedBeyond(f, node, opening);
  const e = walk.add(f, node, pod, ordinal, state, marks, nowS, port);
  walk.real.opened(e, opening);
  return e;
}

/** What an endpoint that has the connection answers at once; -1: nothing. */
export function answerTo(proto: number, segment: Segment | -1, payload: number): Segment | -1 {
  if (proto !== TCP) return Segment.none;
  if (segment === Segment.rst) return -1;
  if (segment === Segment.syn) return Segment.synAck;
  return segment === Segment.fin || payload !== 0 ? Segment.ack : -1;
}

/** The ruling on the answer to a packet of entry `e` that had this outcome; null where there is none, or it comes through. */
export function lostAnswer({ real }: EntryHost, e: number, outcome: Outcome, answer: Segment | -1) {
  if (outcome === Outcome.silent || (outcome === Outcome.answered && answer < 0)) return null;
  return real.back(e, outcome === Outcome.reset ? Segment.rst : answer);
}

function snatOf({ source }: Opening): number {
  return source === null ? 0 : ENTRY_SNAT;
}
