/**
 * Where client addresses were lost, and what would bring them back: the provenance steps of flows, gathered by
 * what changed the source and in front of what it can be recovered. On large captures every n-th flow is looked
 * at; the counts of preserved and lost flows come from the summary and are exact.
 */
import type { FlowVerdict, ReplayResult } from '../replay/verdict.js';

const LOOKED_AT = 2000;
/** hops and addresses called by name */
const NAMES = 4;

export interface SourceLoss {
  /** e.g. "masquerade" */
  readonly mechanism: string;
  /** hops where it happened, the most frequent first */
  readonly hops: readonly string[];
  /** what the endpoints saw instead, the most frequent first */
  readonly seen: readonly string[];
  readonly recoverable: string | null;
  /** among the flows looked at */
  readonly flows: number;
}

export interface SourceDigest {
  readonly lookedAt: number;
  readonly losses: readonly SourceLoss[];
}

interface Tally {
  readonly mechanism: string;
  readonly recoverable: string | null;
  readonly hops: Map<string, number>;
  readonly seen: Map<string, number>;
  flows: number;
}

export function digestSources(result: ReplayResult): SourceDigest {
  const tallies = new Map<string, Tally>();
  const stride = Math.max(1, Math.ceil(result.flowCount / LOOKED_AT));
  let lookedAt = 0;
  if (result.summary.sourcePreserved.no > 0) {
    for (let row = 0; row < result.flowCount; row += stride) {
      lookedAt++;
      tallyFlow(tallies, result.flowVerdict(row));
    }
  }
  const losses = [...tallies.values()]
    .map(({ mechanism, recoverable, hops, seen, flows }) => ({
      mechanism,
      recoverable,
      hops: byFrequency(hops),
      seen: byFrequency(seen),
      flows,
    }))
    .sort((x, y) => y.flows - x.flows || (x.mechanism < y.mechanism ? -1 : 1));
  return { lookedAt, losses };
}

function tallyFlow(tallies: Map<string, Tally>, { source }: FlowVerdict): void {
  if (source === null || source.preserved !== false) return;
  const mechanism = [...new Set(source.steps.map((step) => step.mechanism))].join(', then ') || 'rewritten';
  const key = `${mechanism}\n${source.recoverable ?? ''}`;
  let tally = tallies.get(key);
  if (tally === undefined) {
    tally = { mechanism, recoverable: source.recoverable, hops: new Map(), seen: new Map(), flows: 0 };
    tallies.set(key, tally);
  }
  tally.flows++;
  for (const hop of new Set(source.steps.map((step) => step.hop))) bump(tally.hops, hop);
  if (source.atEndpoint !== null) bump(tally.seen, withoutPort(source.atEndpoint));
}

function bump(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function byFrequency(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([key]) => key);
}

/** What changed the source, where, what endpoints see instead, and what brings the address back. */
export function lossSentence(loss: SourceLoss): string {
  const remedy =
    loss.recoverable === null ? 'nothing on this path carries it on' : `recoverable by ${loss.recoverable}`;
  return `by ${loss.mechanism} at ${hopsText(loss.hops, NAMES)}; endpoints see ${firstOf(loss.seen, NAMES)}; ${remedy}`;
}

/** "nodes n1, n2 and 4 more", "node n1", "node n1, endpoint p": at most `limit` hops by name. */
function hopsText(hops: readonly string[], limit: number): string {
  const nodes = hops.filter((hop) => hop.startsWith('node ')).map((hop) => hop.slice('node '.length));
  const others = hops.filter((hop) => !hop.startsWith('node '));
  if (nodes.length < 2) return firstOf(hops, limit);
  return [`nodes ${firstOf(nodes, limit)}`, ...others.slice(0, limit)].join(', ');
}

/** "a, b and 4 more". */
function firstOf(names: readonly string[], limit: number): string {
  const rest = names.length - limit;
  return rest > 0 ? `${names.slice(0, limit).join(', ')} and ${rest} more` : names.join(', ');
}

/** `10.0.0.1:40123` and `[fd00::1]:40123` without the port; bare addresses as they are. */
function withoutPort(text: string): string {
  const bracketed = /^\[(.*)\](?::\d+)?$/.exec(text);
  if (bracketed !== null) return bracketed[1]!;
  return text.indexOf(':') === text.lastIndexOf(':') ? text.replace(/:\d+$/, '') : text;
}
