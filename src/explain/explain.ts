/**
 * The post-mortem of a capture: which flows came to grief in it, by which signs, which of these belong together,
 * and what may have caused it. Looks at answers and resets, as a replay never does.
 *
 * Two passes over the file: the first makes the index; {@link suspectFlows} says which flows deserve a second
 * look; the caller then feeds a {@link FlowAutopsy} for each of them, packet by packet, and {@link explain} puts
 * the findings together. Flows that closed with a FIN from both sides and without RST are ordinary closes.
 */
import {
  type CaptureIndex,
  FLOW_FIN_IN,
  FLOW_FIN_OUT,
  FLOW_RST_IN,
  FLOW_RST_OUT,
} from '../flow/flow-columns.js';
import { clientSide } from '../flow/flow-rows.js';
import type { Finding, FindingKind } from './flow-autopsy.js';
import { findBursts, type ResetBurst } from './reset-bursts.js';

const TCP = 6;

export interface ExplainedBurst extends ResetBurst {
  /** "b1", "b2", ... in order of time */
  readonly id: string;
  /** flows whose client sent something meanwhile: those that could have been reset */
  readonly active: number;
  /** what the scenario's timeline says shortly before, or null */
  readonly event: string | null;
  /** what the figures suggest */
  readonly reading: string;
}

export interface TimedEvent {
  readonly at: number;
  readonly detail: string;
}

export interface Explanation {
  readonly bursts: readonly ExplainedBurst[];
  /** by row; null where nothing can be said: not TCP */
  findingOf(row: number): Finding | null;
  readonly summary: {
    readonly flows: number;
    /** TCP flows */
    readonly judged: number;
    readonly byFinding: Partial<Record<FindingKind, number>>;
    readonly notes: readonly string[];
  };
}

/** How long after an event its resets begin at most: clients have to send first. */
const EVENT_WITHIN_S = 3;
/** Netlink and capture clocks differ by fractions of a millisecond. */
const CLOCK_SLACK_S = 0.05;
/** From this share of the active flows on, all are taken to be hit. */
const NEARLY_ALL = 0.95;

/** 1 for rows that need a second look. */
export function suspectFlows({ flows }: CaptureIndex): Uint8Array {
  const suspect = new Uint8Array(flows.count);
  for (let f = 0; f < flows.count; f++) {
    if (flows.proto[f] !== TCP) continue;
    const marks = flows.marks[f]!;
    const reset = (marks & (FLOW_RST_OUT | FLOW_RST_IN)) !== 0;
    const closed = (marks & FLOW_FIN_OUT) !== 0 && (marks & FLOW_FIN_IN) !== 0;
    if (reset || !closed) suspect[f] = 1;
  }
  return suspect;
}

/** `findings`: of the suspects, by row. `events`: the scenario's timeline, if there is one, by time. */
export function explain(
  index: CaptureIndex,
  findings: ReadonlyMap<number, Finding>,
  originS: number,
  events: readonly TimedEvent[],
): Explanation {
  const { flows } = index;
  const ordinary = (f: number): Finding => ({
    kind: 'ordinary-close',
    at: flows.lastNs[f]! / 1e9 - originS,
    evidence: ['FIN from both sides'],
  });
  const findingOf = (f: number): Finding | null =>
    flows.proto[f] === TCP ? (findings.get(f) ?? ordinary(f)) : null;
  const byFinding: Partial<Record<FindingKind, number>> = {};
  let judged = 0;
  let twoSided = 0;
  for (let f = 0; f < flows.count; f++) {
    if (flows.packetsIn[f]! > 0) twoSided++;
    const finding = findingOf(f);
    if (finding === null) continue;
    judged++;
    byFinding[finding.kind] = (byFinding[finding.kind] ?? 0) + 1;
  }
  const dated = [...findings].map(([flow, finding]) => ({ flow, finding }));
  const bursts = findBursts(dated);
  const active = activeClients(index, bursts, originS);
  const notes: string[] = [];
  if (flows.count > 0 && twoSided === 0) {
    notes.push('The capture shows one direction only: whether anybody answered cannot be told from it.');
  }
  if (judged < flows.count) {
    notes.push(
      `Not judged, for they are not TCP and without acknowledgements silence means nothing: ${flows.count - judged} of the flows.`,
    );
  }
  return {
    findingOf,
    bursts: bursts.map((burst, i) => ({
      ...burst,
      id: `b${i + 1}`,
      active: active[i]!,
      event: eventBefore(events, burst.from),
      reading: readingOf(burst, active[i]!),
    })),
    summary: { flows: flows.count, judged, byFinding, notes },
  };
}

function eventBefore(events: readonly TimedEvent[], atS: number): string | null {
  const before = events.filter(({ at }) => at <= atS + CLOCK_SLACK_S && atS - at <= EVENT_WITHIN_S);
  const last = before.at(-1);
  return last === undefined ? null : `${last.detail} at ${last.at.toFixed(3)} s`;
}

function readingOf({ flows }: ResetBurst, active: number): string {
  if (active > 0 && flows / active >= NEARLY_ALL) {
    return 'every flow that sent was reset: an endpoint restarted, or a node lost its connection table';
  }
  return 'a part of the flows was reset while the others went on: a changed set of next hops';
}

/** For each burst, the TCP flows whose client sent a packet within it. */
function activeClients(index: CaptureIndex, bursts: readonly ResetBurst[], originS: number): number[] {
  const { flows, packets } = index;
  return bursts.map(({ from, to }) => {
    const seen = new Uint8Array(flows.count);
    let active = 0;
    const fromNs = (from + originS - CLOCK_SLACK_S) * 1e9;
    const toNs = (to + originS) * 1e9;
    for (const segment of packets.segments) {
      for (let row = 0; row < segment.count; row++) {
        const timeNs = segment.timeNs[row]!;
        if (timeNs < fromNs || timeNs > toNs) continue;
        const flowDir = segment.flowDir[row]!;
        const f = flowDir >>> 1;
        if (seen[f] === 1 || flows.proto[f] !== TCP) continue;
        if (((flowDir & 1) === 1) !== (clientSide(flows, f) === 'b')) continue;
        seen[f] = 1;
        active++;
      }
    }
    return active;
  });
}
