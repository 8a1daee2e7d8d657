/**
 * The kernel's tables as iproute2 prints them (`ip -j route`, `ip -j -6 route`, `ip -j nexthop`) and its settings as
 * `sysctl` does. A route that names a next-hop object shows the group's members in the kernel's order, too; whether
 * the group is resilient, and with what timers, stands in `ip -j nexthop` alone. `ip` prints a prefix of full length
 * without it, weights a route's from 1 and a group's only from 2 (iproute2 6.1, Linux 6.18).
 */
import type { EcmpSettings } from '../model.js';
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

export function isLinuxRoute(value: Raw): boolean {
  return (
    typeof value.dst === 'string' &&
    ('flags' in value || 'dev' in value || 'nexthops' in value || 'type' in value)
  );
}

export function isNextHopObject(value: Raw): boolean {
  return (
    typeof value.id === 'number' &&
    !('bucket' in value) &&
    ('flags' in value || 'group' in value || 'gateway' in value)
  );
}

/** @param values routes and next-hop objects, in any order */
export function linuxTable(values: readonly Raw[]): RouterTable {
  const objects = new Map(values.filter(isNextHopObject).map((object) => [object.id as number, object]));
  const routes = new Map<string, { metric: number; route: TableRoute }>();
  for (const value of values.filter(isLinuxRoute)) {
    // other tables are reached by rules, which nobody gave
    if (value.table !== undefined && value.table !== 'main') continue;
    const { dst, metric = 0 } = value;
    const family = isIpv6(value) ? 6 : 4;
    const prefix = tablePrefix(dst as string, family);
    if (prefix === null) continue;
    const route = { prefix, hops: hopsOf(value, objects), ecmp: groupSettings(value, objects) };
    const key = `${family} ${dst}`;
    const before = routes.get(key);
    // of several routes to one prefix the one with the lowest metric forwards
    if (before === undefined || Number(metric) < before.metric)
      routes.set(key, { metric: Number(metric), route });
  }
  const names = [values.some(isLinuxRoute) ? 'ip -j route' : '', objects.size > 0 ? 'ip -j nexthop' : ''];
  const usesObjects = [...routes.values()].some(({ route }) => route.ecmp?.nexthops === 'objects');
  const isResilient = [...routes.values()].some(({ route }) => route.ecmp?.select === 'resilient');
  const notes = [
    ...(usesObjects && objects.size === 0
      ? [
          'Routes of the router name next-hop objects; without ip -j nexthop whether their groups are resilient is not known.',
        ]
      : []),
    ...(isResilient
      ? [
          'The buckets of the router’s resilient group are taken as a new group deals them; one that has seen changes has others.',
        ]
      : []),
  ];
  return {
    source: names.filter((name) => name !== '').join(' and '),
    layer: 'kernel',
    routes: [...routes.values()].map(({ route }) => route),
    ecmp: {},
    notes,
  };
}

function isIpv6({ dst, gateway, nexthops }: Raw): boolean {
  const via = [dst, gateway, ...rawList(nexthops).map((hop) => hop.gateway)];
  return via.some((text) => typeof text === 'string' && text.includes(':'));
}

function hopsOf(route: Raw, objects: ReadonlyMap<number, Raw>): TableHop[] {
  const object = objects.get(route.nhid as number);
  const group = object?.group;
  if (Array.isArray(group)) {
    return rawList(group).flatMap(({ id, weight }) => {
      const member = objects.get(id as number);
      return member === undefined || isDead(member) ? [] : gatewayOf(member, weight);
    });
  }
  const listed = rawList(route.nexthops);
  const hops = Array.isArray(route.nexthops) ? listed : [route];
  return hops.flatMap((hop) => (isDead(hop) ? [] : gatewayOf(hop, hop.weight)));
}

/** `via` is how a gateway of the other family stands (RFC 8950). */
function gatewayOf({ gateway, via }: Raw, weight: unknown): TableHop[] {
  return tableHop(gateway ?? raw(via)?.host, weight ?? 1);
}

function isDead({ flags }: Raw): boolean {
  return Array.isArray(flags) && flags.includes('dead');
}

function groupSettings({ nhid, protocol }: Raw, objects: ReadonlyMap<number, Raw>): Partial<EcmpSettings> {
  if (typeof nhid !== 'number')
    return { nexthops: 'legacy', ...(protocol === 'bird' ? { order: 'address' } : {}) };
  const object = objects.get(nhid);
  const args = raw(object?.resilient_args);
  // zebra orders a group by the ids of its next hops: by when it first saw them
  const order = protocol === 'bgp' || protocol === 'zebra' ? ({ order: 'arrival' } as const) : {};
  if (object === undefined) return { nexthops: 'objects', ...order };
  if (object.type !== 'resilient' || args === null)
    return { nexthops: 'objects', select: 'hash-threshold', ...order };
  return {
    nexthops: 'objects',
    select: 'resilient',
    buckets: Number(args.buckets),
    idleTimerS: Number(args.idle_timer),
    unbalancedTimerS: Number(args.unbalanced_timer),
    ...order,
  };
}

const POLICIES = ['linux-l3', 'linux-l4', 'linux-inner', 'linux-custom'] as const;
const SYSCTL =
  /^net[./](ipv[46])[./](fib_multipath_\w+|conf[./]all[./]ignore_routes_with_linkdown)\s*=\s*(\S+)$/gm;

/** Settings by sysctl, or null where `text` has none. IPv4's count; where IPv6's differ, that is a note. */
export function sysctlTable(text: string): RouterTable | null {
  const found = new Map(
    [...text.matchAll(SYSCTL)].map(([, family, key, value]) => [
      `${family} ${key!.split(/[./]/).at(-1)}`,
      value!,
    ]),
  );
  if (found.size === 0) return null;
  const get = (key: string): number | null =>
    found.has(`ipv4 ${key}`) ? Number(found.get(`ipv4 ${key}`)) : null;
  const policy = POLICIES[get('fib_multipath_hash_policy') ?? -1];
  const fields = get('fib_multipath_hash_fields');
  const seed = get('fib_multipath_hash_seed');
  const notes: string[] = [];
  const other = found.get('ipv6 fib_multipath_hash_policy');
  if (other !== undefined && policy !== undefined && POLICIES[Number(other)] !== policy) {
    notes.push(
      `The router hashes IPv6 with policy ${other} and IPv4 with policy ${found.get('ipv4 fib_multipath_hash_policy')}: IPv4's is taken for both.`,
    );
  }
  if (seed === 0)
    notes.push(
      'The router’s fib_multipath_hash_seed is 0, its own at random since boot: which flow goes to which next hop is a draw; flowfate recover-seed finds it from a capture behind the router.',
    );
  return {
    source: 'sysctl',
    layer: 'kernel',
    routes: [],
    ecmp: {
      ...(policy === undefined ? {} : { hash: policy }),
      ...(fields === null || !Number.isInteger(fields) ? {} : { fields }),
      ...(seed === null || seed === 0 || !Number.isInteger(seed) ? {} : { seed }),
      ...(get('fib_multipath_use_neigh') === null ? {} : { useNeigh: get('fib_multipath_use_neigh') === 1 }),
      ...(get('ignore_routes_with_linkdown') === null
        ? {}
        : { ignoreLinkdown: get('ignore_routes_with_linkdown') === 1 }),
    },
    notes,
  };
}

/** `text` without the lines that {@link sysctlTable} reads, and others of their kind. */
export function withoutSysctl(text: string): string {
  return text.replace(/^net[./]\S+\s*=.*$/gm, '');
}
