/**
 * Tables of BGP daemons: FRR's `show ip route json` and `show bgp ipv4 unicast json`, GoBGP's `gobgp global rib -j`, BIRD's
 * `show route` with or without `all`. Observed with FRR 8.4.4, GoBGP 3.10 and BIRD 2.0.12 over one set of speakers:
 *
 * - zebra prints next hops by address; the kernel's group stands in the order in which zebra first saw them.
 * - bgpd marks the paths that share the traffic (`bestpath`, `multipath`).
 * - GoBGP programs no kernel; with multiple paths its RIB still marks one best.
 * - BIRD merges paths on the way to the kernel, where `merge paths` is on: `show route export <kernel protocol>` shows it
 *   ("via" several times in one route), `show route` a route a session.
 */
import { compareAddresses, parseAddress } from '../../addr/address.js';
import {
  type Raw,
  type RouterTable,
  raw,
  rawList,
  type TableHop,
  type TableRoute,
  tableHop,
  tablePrefix,
} from './router-table.js';

const BY_ADDRESS =
  'prints next hops by address; the kernel may have them in another order, which ip -j route shows';

/** `{ "203.0.113.10/32": [{ protocol, selected, installed, nexthops }] }` */
export function isZebra(value: Raw): boolean {
  return everyEntry(value, (entry) => 'nexthops' in entry && 'protocol' in entry);
}

export function zebraTable(value: Raw): RouterTable {
  const routes = Object.entries(value).flatMap(([text, entries]): TableRoute[] => {
    const prefix = tablePrefix(text);
    const chosen = rawList(entries).find((entry) => entry.selected === true && entry.installed !== false);
    if (prefix === null || chosen === undefined) return [];
    const hops = rawList(chosen.nexthops).filter((hop) => hop.fib === true && hop.duplicate !== true);
    return [
      {
        prefix,
        hops: hops.flatMap((hop) => tableHop(hop.ip, hop.weight)),
        ecmp: { order: 'arrival', nexthops: 'objects' },
      },
    ];
  });
  return {
    source: 'show ip route json',
    layer: 'fib',
    routes,
    ecmp: {},
    notes: routes.some(isShared) ? [`FRR ${BY_ADDRESS}.`] : [],
  };
}

/** `{ vrfName, routes: { "203.0.113.10/32": [{ bestpath, multipath, nexthops }] } }` */
export function isFrrBgp(value: Raw): boolean {
  return 'vrfId' in value && raw(value.routes) !== null;
}

export function frrBgpTable(value: Raw): RouterTable {
  const routes = Object.entries(raw(value.routes) ?? {}).flatMap(([text, paths]): TableRoute[] => {
    const prefix = tablePrefix(text);
    const used = rawList(paths).filter((path) => path.bestpath === true || path.multipath === true);
    if (prefix === null || used.length === 0) return [];
    return [{ prefix, hops: sorted(used.flatMap(bgpHop)), ecmp: { order: 'arrival', nexthops: 'objects' } }];
  });
  return {
    source: 'show bgp json',
    layer: 'rib',
    routes,
    ecmp: {},
    notes: routes.some(isShared)
      ? [`bgpd says which paths share the traffic, not in which order; ip -j route shows that.`]
      : [],
  };
}

/** Of an IPv6 path the link-local address forwards, and the global one says whose it is. */
function bgpHop(path: Raw): TableHop[] {
  const hops = rawList(path.nexthops);
  const used = hops.find((hop) => hop.used === true) ?? hops[0];
  const known = hops.find((hop) => hop.scope === 'global') ?? used;
  return tableHop(used?.ip).map((hop) => ({
    ...hop,
    alias: typeof known?.ip === 'string' ? (parseAddress(known.ip) ?? undefined) : undefined,
  }));
}

/** `{ "203.0.113.10/32": [{ nlri, best, attrs }] }` */
export function isGobgp(value: Raw): boolean {
  return everyEntry(value, (entry) => 'nlri' in entry && 'attrs' in entry);
}

export function gobgpTable(value: Raw): RouterTable {
  const routes = Object.entries(value).flatMap(([text, entries]): TableRoute[] => {
    const prefix = tablePrefix(text);
    const paths = rawList(entries).filter((path) => path.stale !== true);
    const best = paths.find((path) => path.best === true);
    if (prefix === null || best === undefined) return [];
    const equal = paths.filter((path) => rankOf(path) === rankOf(best));
    return [{ prefix, hops: equal.flatMap((path) => tableHop(nextHopOf(path))) }];
  });
  const notes = routes.some(isShared)
    ? [
        'GoBGP’s RIB does not say which paths share the traffic: all that equal the best one (local preference, AS path length, origin, MED) are taken, as with use-multiple-paths.',
      ]
    : [];
  return { source: 'gobgp global rib', layer: 'rib', routes, ecmp: {}, notes };
}

function attribute(path: Raw, type: number): Raw | undefined {
  return rawList(path.attrs).find((one) => one.type === type);
}

function nextHopOf(path: Raw): unknown {
  return attribute(path, 3)?.nexthop ?? attribute(path, 14)?.nexthop;
}

/** What RFC 4271 9.1.2.2 compares before it needs an arbiter. */
function rankOf(path: Raw): string {
  const segments = rawList(attribute(path, 2)?.as_paths);
  const length = segments.reduce(
    (sum, segment) => sum + (segment.segment_type === 1 ? 1 : Number(segment.num ?? 0)),
    0,
  );
  return [
    attribute(path, 5)?.value ?? 100,
    length,
    attribute(path, 1)?.value ?? 0,
    attribute(path, 4)?.metric ?? 0,
  ].join(' ');
}

/** A line that begins a route: prefix or nothing, then `unicast [session time] * (preference)`. */
const BIRD_ROUTE =
  /^(\S+\/\d+)?\s+(unicast|blackhole|unreachable|prohibit)\s+\[(\S+)[^\]]*\]\s*(\*)?\s*\((\d+)/;
const BIRD_VIA = /^\s+via (\S+) on \S+(?: weight (\d+))?/;

export function isBird(text: string): boolean {
  return text.split('\n').some((line) => BIRD_ROUTE.test(line));
}

interface BirdRoute {
  readonly prefix: string;
  readonly isPrimary: boolean;
  readonly preference: string;
  readonly hops: TableHop[];
  readonly attributes: Map<string, string>;
}

export function birdTable(text: string): RouterTable {
  const byPrefix = new Map<string, BirdRoute[]>();
  let prefix = '';
  let current: BirdRoute | null = null;
  for (const line of text.split('\n')) {
    const head = BIRD_ROUTE.exec(line);
    if (head !== null) {
      prefix = head[1] ?? prefix;
      current = { prefix, isPrimary: head[4] === '*', preference: head[5]!, hops: [], attributes: new Map() };
      byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), current]);
      continue;
    }
    const via = BIRD_VIA.exec(line);
    if (via !== null) current?.hops.push(...tableHop(via[1], via[2] ?? 1));
    const attribute = /^\s+(BGP\.\w+): (.*)$/.exec(line);
    if (attribute !== null) current?.attributes.set(attribute[1]!, attribute[2]!);
  }
  let merged = false;
  const routes = [...byPrefix].flatMap(([name, entries]): TableRoute[] => {
    const parsed = tablePrefix(name);
    const primary = entries.find(({ isPrimary }) => isPrimary);
    if (parsed === null || primary === undefined) return [];
    const equal =
      primary.hops.length > 1 ? [primary] : entries.filter((entry) => birdRank(entry) === birdRank(primary));
    merged ||= equal.length > 1;
    return [
      {
        prefix: parsed,
        hops: sorted(equal.flatMap(({ hops }) => hops)),
        ecmp: { order: 'address' as const, nexthops: 'legacy' as const },
      },
    ];
  });
  const notes = merged
    ? [
        'BIRD printed a route a session: that paths which equal the best share the traffic holds where its kernel protocol has merge paths; show route export <kernel protocol> shows what it gives the kernel.',
      ]
    : [];
  return { source: 'birdc show route', layer: 'rib', routes, ecmp: {}, notes };
}

function birdRank({ preference, attributes }: BirdRoute): string {
  const length = (attributes.get('BGP.as_path') ?? '').split(' ').filter((part) => part !== '').length;
  return [
    preference,
    attributes.get('BGP.local_pref') ?? '100',
    length,
    attributes.get('BGP.origin') ?? '',
    attributes.get('BGP.med') ?? '0',
  ].join(' ');
}

function everyEntry(value: Raw, test: (entry: Raw) => boolean): boolean {
  const entries = Object.values(value);
  return (
    entries.length > 0 &&
    entries.every((list) => Array.isArray(list) && list.length > 0 && rawList(list).every(test))
  );
}

function isShared({ hops }: TableRoute): boolean {
  return hops.length > 1;
}

function sorted(hops: TableHop[]): TableHop[] {
  return hops.sort((a, b) => compareHops(a, b));
}

function compareHops(a: TableHop, b: TableHop): number {
  return compareAddresses(a.alias ?? a.address, b.alias ?? b.address);
}
