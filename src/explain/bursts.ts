/** Connections that broke close to each other in time: what they have in common, and what not. */
import type { FindingName } from './finding.js';

/** One broken connection. */
export interface Break {
  readonly row: number;
  readonly atNs: number;
  readonly finding: FindingName;
  readonly reset: boolean;
}

/** What bursts compare, of one row; read before the next row is asked for. */
export interface Traits {
  /** equal for equal addresses, and ports */
  readonly serverKey: number | string;
  readonly clientKey: number | string;
  /** the same in words */
  readonly server: string;
  readonly client: string;
  readonly family: 4 | 6;
  /** TTL of the reset, -1 without one */
  readonly ttl: number;
  readonly gapNs: number;
}

/** When the connections that could have broken were in use: first and last packets, each sorted by itself. */
export interface Lives {
  readonly firstNs: Float64Array;
  readonly lastNs: Float64Array;
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
  traitsOf: (row: number) => Traits,
  lives: Lives,
  events: readonly BurstEvent[],
  originNs: number,
): Burst[] {
  const sorted = [...breaks].sort((a, b) => a.atNs - b.atNs);
  const bursts: Burst[] = [];
  for (let first = 0; first < sorted.length; ) {
    let last = first;
    while (last + 1 < sorted.length && sorted[last + 1]!.atNs - sorted[last]!.atNs <= GAP_NS) last++;
    if (last - first + 1 >= LEAST) {
      const hits = sorted.slice(first, last + 1);
      bursts.push(burstOf(`b${bursts.length + 1}`, hits, traitsOf, lives, events, originNs));
    }
    first = last + 1;
  }
  return bursts;
}

function burstOf(
  id: string,
  hits: readonly Break[],
  traitsOf: (row: number) => Traits,
  { firstNs, lastNs }: Lives,
  events: readonly BurstEvent[],
  originNs: number,
): Burst {
  const fromNs = hits[0]!.atNs;
  const toNs = hits.at(-1)!.atNs;
  const byFinding: Partial<Record<FindingName, number>> = {};
  let resets = 0;
  for (const { finding, reset } of hits) {
    byFinding[finding] = (byFinding[finding] ?? 0) + 1;
    if (reset) resets++;
  }
  // begun by its end, less what was over before it
  const inUse = notAbove(firstNs, toNs) - notAbove(lastNs, fromNs - SLACK_NS);
  const active = Math.max(inUse, hits.length);
  const before = events
    .filter(({ atNs }) => atNs <= fromNs + SLACK_NS && fromNs - atNs <= EVENT_WITHIN_NS)
    .at(-1);
  return {
    id,
    from: seconds(fromNs - originNs),
    to: seconds(toNs - originNs),
    flows: hits.length,
    resets,
    silent: hits.length - resets,
    active,
    byFinding,
    ...compare(hits, traitsOf),
    event:
      before === undefined ? null : `${before.detail} at ${((before.atNs - originNs) / 1e9).toFixed(3)} s`,
    reading: readingOf(byFinding, hits.length, active),
  };
}

/** How many of the sorted times are at most `ns`. */
function notAbove(times: Float64Array, ns: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! <= ns) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(
  hits: readonly Break[],
  traitsOf: (row: number) => Traits,
): { common: string[]; differ: string[] } {
  const servers = new Set<number | string>();
  const clients = new Set<number | string>();
  const families = new Set<number>();
  const ttls = new Set<number>();
  let resets = 0;
  let gapLow = Number.POSITIVE_INFINITY;
  let gapHigh = 0;
  for (const { row } of hits) {
    const { serverKey, clientKey, family, ttl, gapNs } = traitsOf(row);
    servers.add(serverKey);
    clients.add(clientKey);
    families.add(family);
    if (ttl >= 0) {
      ttls.add(ttl);
      resets++;
    }
    gapLow = Math.min(gapLow, gapNs);
    gapHigh = Math.max(gapHigh, gapNs);
  }
  const one = traitsOf(hits[0]!.row);
  const common: string[] = [];
  const differ: string[] = [];
  const sort = (size: number, same: string, many: string): void => {
    if (size === 1) common.push(same);
    else differ.push(many);
  };
  sort(servers.size, `all went to ${one.server}`, `${servers.size} servers`);
  sort(clients.size, `all came from ${one.client}`, `${clients.size} clients`);
  sort(families.size, `all are IPv${one.family}`, 'IPv4 and IPv6');
  if (resets > 1) {
    const list = [...ttls].sort((a, b) => a - b);
    sort(
      ttls.size,
      `all resets came with TTL ${list[0]}`,
      `TTLs of the resets: ${list.slice(0, 6).join(', ')}`,
    );
  }
  differ.push(`idle before for ${(gapLow / 1e9).toFixed(2)} to ${(gapHigh / 1e9).toFixed(2)} s`);
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
