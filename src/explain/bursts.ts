/** Connections that broke close to each other in time: what they have in common, and what not. */
import type { FindingName } from './finding.js';

/** One broken connection, as far as bursts look at it. */
export interface Break {
  readonly row: number;
  readonly atNs: number;
  readonly finding: FindingName;
  readonly reset: boolean;
  readonly server: string;
  readonly client: string;
  readonly family: 4 | 6;
  /** TTL of the reset, -1 without one */
  readonly ttl: number;
  readonly gapNs: number;
}

/** A connection that could have broken: when it was used. */
export interface Life {
  readonly firstNs: number;
  readonly lastNs: number;
}

export interface Burst {
  /** "b1", "b2", ... in order of time */
  readonly id: string;
  /** seconds since t = 0 */
  readonly from: number;
  readonly to: number;
  /** connections that broke in it; of these, by a reset, and by silence */
  readonly flows: number;
  readonly resets: number;
  readonly silent: number;
  /** connections that were in use then, the broken ones among them */
  readonly active: number;
  readonly byFinding: Partial<Record<FindingName, number>>;
  /** what all of them share, and in what they differ, a sentence each */
  readonly common: readonly string[];
  readonly differ: readonly string[];
  /** the change of routes shortly before, or null */
  readonly event: string | null;
  /** what the figures suggest */
  readonly reading: string;
}

/** Breaks closer than this belong together. */
const GAP_NS = 0.75e9;
/** Fewer are a coincidence. */
const LEAST = 5;
/** From this share of the active connections on, all are taken to be hit. */
const NEARLY_ALL = 0.95;
const EVENT_WITHIN_NS = 3e9;
const SLACK_NS = 50e6;

export interface BurstEvent {
  readonly atNs: number;
  readonly detail: string;
}

/** `breaks` in any order; `originNs`: t = 0 in nanoseconds since the first record. */
export function findBursts(
  breaks: readonly Break[],
  lives: readonly Life[],
  events: readonly BurstEvent[],
  originNs: number,
): Burst[] {
  const sorted = [...breaks].sort((a, b) => a.atNs - b.atNs);
  const bursts: Burst[] = [];
  for (let first = 0; first < sorted.length; ) {
    let last = first;
    while (last + 1 < sorted.length && sorted[last + 1]!.atNs - sorted[last]!.atNs <= GAP_NS) last++;
    if (last - first + 1 >= LEAST) {
      bursts.push(burstOf(`b${bursts.length + 1}`, sorted.slice(first, last + 1), lives, events, originNs));
    }
    first = last + 1;
  }
  return bursts;
}

function burstOf(
  id: string,
  hits: readonly Break[],
  lives: readonly Life[],
  events: readonly BurstEvent[],
  originNs: number,
): Burst {
  const fromNs = hits[0]!.atNs;
  const toNs = hits.at(-1)!.atNs;
  const byFinding: Partial<Record<FindingName, number>> = {};
  for (const { finding } of hits) byFinding[finding] = (byFinding[finding] ?? 0) + 1;
  let active = 0;
  for (const { firstNs, lastNs } of lives) if (firstNs <= toNs && lastNs >= fromNs - SLACK_NS) active++;
  active = Math.max(active, hits.length);
  const resets = hits.filter(({ reset }) => reset).length;
  const before = events
    .filter(({ atNs }) => atNs <= fromNs + SLACK_NS && fromNs - atNs <= EVENT_WITHIN_NS)
    .at(-1);
  const { common, differ } = compare(hits);
  return {
    id,
    from: seconds(fromNs - originNs),
    to: seconds(toNs - originNs),
    flows: hits.length,
    resets,
    silent: hits.length - resets,
    active,
    byFinding,
    common,
    differ,
    event:
      before === undefined ? null : `${before.detail} at ${((before.atNs - originNs) / 1e9).toFixed(3)} s`,
    reading: readingOf(byFinding, hits.length, active),
  };
}

function compare(hits: readonly Break[]): { common: string[]; differ: string[] } {
  const common: string[] = [];
  const differ: string[] = [];
  const look = <T>(of: (hit: Break) => T, one: (value: T) => string, many: (n: number) => string): void => {
    const values = new Set(hits.map(of));
    if (values.size === 1) common.push(one([...values][0]!));
    else differ.push(many(values.size));
  };
  look(
    ({ server }) => server,
    (server) => `all went to ${server}`,
    (n) => `${n} servers`,
  );
  look(
    ({ client }) => client,
    (client) => `all came from ${client}`,
    (n) => `${n} clients`,
  );
  look(
    ({ family }) => family,
    (family) => `all are IPv${family}`,
    () => 'IPv4 and IPv6',
  );
  const ttls = hits.filter(({ ttl }) => ttl >= 0);
  if (ttls.length > 1) {
    const values = [...new Set(ttls.map(({ ttl }) => ttl))].sort((a, b) => a - b);
    if (values.length === 1) common.push(`all resets came with TTL ${values[0]}`);
    else differ.push(`TTLs of the resets: ${values.slice(0, 6).join(', ')}`);
  }
  const gaps = hits.map(({ gapNs }) => gapNs / 1e9).sort((a, b) => a - b);
  differ.push(`idle before for ${gaps[0]!.toFixed(2)} to ${gaps.at(-1)!.toFixed(2)} s`);
  return { common, differ };
}

function readingOf(byFinding: Burst['byFinding'], flows: number, active: number): string {
  const [most] = Object.entries(byFinding).sort(([, a], [, b]) => b - a)[0] as [FindingName, number];
  switch (most) {
    case 'rehash':
      return 'a part of the connections was sent to another next hop: the set of next hops changed';
    case 'late-use':
      return 'clients used connections that their server had closed: keep-alive times that race';
    case 'endpoint-died':
    case 'endpoint-stopped':
      return 'one server ended: everything that it held went with it';
    case 'idle-timeout':
      return 'a table on the way forgot idle connections';
    case 'middlebox':
      return 'somebody between client and server reset them';
    case 'pmtu-black-hole':
      return 'full-size packets are lost on the way';
    default:
      if (flows >= NEARLY_ALL * active) {
        return 'every connection that was used broke: an endpoint restarted, a node lost its connection table, or the way is cut';
      }
      return 'a part of the connections broke while the others went on: a changed set of next hops, one endpoint of several, or one next hop that drops; the capture alone does not say which';
  }
}

function seconds(ns: number): number {
  return Math.round(ns) / 1e9;
}
