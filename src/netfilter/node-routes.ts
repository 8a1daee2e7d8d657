/**
 * A node's addresses, routes and routing rules, as `ip -j addr`, `ip -j route` and `ip -j rule` print them, and the
 * kernel's look-up over them (net/ipv4/fib_rules.c, net/ipv6/fib6_rules.c).
 *
 * The local table is made from the addresses: `ip route` does not print it.
 */
import { type Address, type Family, formatAddress, parseAddress } from '../addr/address.js';
import { maskAddress, type Prefix, parsePrefix, prefixContains } from '../addr/prefix.js';
import { addressKey } from './packet.js';
import { protocolNumber } from './protocols.js';

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'
  | 'nat';

export interface Hop {
  readonly dev: string | null;
  readonly gateway: Address | null;
  readonly weight: number;
}

export interface Route {
  readonly prefix: Prefix;
  readonly type: RouteType;
  readonly table: string;
  readonly metric: number;
  readonly tos: number;
  readonly hops: readonly Hop[];
  readonly prefsrc: Address | null;
}

export interface RoutingRule {
  readonly family: Family | null;
  readonly priority: number;
  readonly not: boolean;
  readonly src: Prefix | null;
  readonly dst: Prefix | null;
  readonly iif: string | null;
  readonly oif: string | null;
  readonly mark: number;
  readonly markMask: number;
  readonly tos: number | null;
  readonly proto: number | null;
  readonly srcPorts: readonly [number, number] | null;
  readonly dstPorts: readonly [number, number] | null;
  readonly action: 'lookup' | 'blackhole' | 'unreachable' | 'prohibit' | 'goto' | 'nop';
  readonly table: string;
  readonly goto: number | null;
  readonly suppressPrefixLength: number | null;
  readonly text: string;
  /** names a condition that is not modelled */
  readonly unread: string | null;
}

interface InterfaceAddress {
  readonly address: Address;
  readonly prefixLength: number;
  readonly scope: string;
  readonly secondary: boolean;
  readonly deprecated: boolean;
}

export interface Link {
  readonly name: string;
  readonly index: number;
  readonly up: boolean;
  readonly mtu: number;
  readonly kind: string;
  readonly group: string;
  readonly master: string | null;
  readonly addresses: readonly InterfaceAddress[];
}

export interface RouteQuery {
  readonly src: Address;
  readonly dst: Address;
  readonly iif: string | null;
  readonly mark: number;
  readonly tos: number;
  readonly proto: number;
  readonly srcPort: number;
  readonly dstPort: number;
}

export interface RouteAnswer {
  readonly type: RouteType;
  readonly route: Route | null;
  readonly rule: RoutingRule | null;
}

const DEFAULT_RULES: readonly RoutingRule[] = [
  { priority: 0, table: 'local' },
  { priority: 32766, table: 'main' },
  { priority: 32767, table: 'default' },
].map(({ priority, table }) => plainRule(priority, table));

function plainRule(priority: number, table: string): RoutingRule {
  return {
    family: null,
    priority,
    not: false,
    src: null,
    dst: null,
    iif: null,
    oif: null,
    mark: 0,
    markMask: 0,
    tos: null,
    proto: null,
    srcPorts: null,
    dstPorts: null,
    action: 'lookup',
    table,
    goto: null,
    suppressPrefixLength: null,
    text: `${priority}: from all lookup ${table}`,
    unread: null,
  };
}

export class NodeRoutes {
  readonly links: Link[] = [];
  hasRoutes = false;
  private readonly rules: { 4: RoutingRule[]; 6: RoutingRule[] } = { 4: [], 6: [] };
  private readonly tables = new Map<string, RouteTable>();
  private localMade = false;

  addRoute(route: Route): void {
    this.hasRoutes = true;
    this.table(route.table, route.prefix.address.family).add(route);
  }

  addRules(family: Family, rules: readonly RoutingRule[]): void {
    this.rules[family].push(...rules);
    this.rules[family].sort((a, b) => a.priority - b.priority);
  }

  rulesOf(family: Family): readonly RoutingRule[] {
    return this.rules[family].length > 0 ? this.rules[family] : DEFAULT_RULES;
  }

  /** Rules beyond the three that every node has: the kernel then checks sources fully, and keeps local and main apart. */
  hasCustomRules(family: Family): boolean {
    return this.rules[family].some(
      ({ table, priority, action }) =>
        action !== 'lookup' ||
        ![0, 32766, 32767].includes(priority) ||
        !['local', 'main', 'default'].includes(table),
    );
  }

  linkOf(name: string | null): Link | null {
    return this.links.find((link) => link.name === name) ?? null;
  }

  isLocalAddress(address: Address): boolean {
    return this.linkOfAddress(address) !== null;
  }

  linkOfAddress(address: Address): Link | null {
    const key = addressKey(address);
    for (const link of this.links) {
      for (const own of link.addresses) {
        if (own.address.family === address.family && addressKey(own.address) === key) return link;
      }
    }
    return null;
  }

  /** Look-up in one table only; null where nothing matches. */
  inTable(table: string, dst: Address, tos = 0): Route | null {
    this.makeLocal();
    return this.tables.get(`${dst.family} ${table}`)?.find(dst, tos, -1) ?? null;
  }

  lookup(query: RouteQuery): RouteAnswer | { readonly unread: string } {
    this.makeLocal();
    const { dst } = query;
    const rules = this.rulesOf(dst.family);
    for (let at = 0; at < rules.length; at++) {
      const rule = rules[at]!;
      if (!ruleMatches(rule, query)) continue;
      if (rule.unread !== null) return { unread: `${rule.text}: ${rule.unread}` };
      if (rule.action === 'goto') {
        const to = rules.findIndex(({ priority }) => priority === rule.goto);
        if (to > at) at = to - 1;
        continue;
      }
      if (rule.action === 'nop') continue;
      if (rule.action !== 'lookup') return { type: rule.action, route: null, rule };
      const route = this.tables
        .get(`${dst.family} ${rule.table}`)
        ?.find(dst, query.tos, rule.suppressPrefixLength ?? -1);
      if (route === undefined || route === null || route.type === 'throw') continue;
      return { type: route.type, route, rule };
    }
    return { type: 'unreachable', route: null, rule: null };
  }

  private table(name: string, family: Family): RouteTable {
    const key = `${family} ${name}`;
    let table = this.tables.get(key);
    if (table === undefined) {
      table = new RouteTable(family);
      this.tables.set(key, table);
    }
    return table;
  }

  /** What the kernel puts into the local table for each address of a link that is up. */
  private makeLocal(): void {
    if (this.localMade) return;
    this.localMade = true;
    for (const link of this.links.filter(({ up }) => up)) {
      for (const { address, prefixLength } of link.addresses) {
        const { family } = address;
        const put = (to: Address, length: number, type: RouteType, table = 'local'): void =>
          this.table(table, family).add({
            prefix: { address: maskAddress(to, length), length },
            type,
            table,
            metric: 0,
            tos: 0,
            hops: [{ dev: link.name, gateway: null, weight: 1 }],
            prefsrc: address,
          });
        const bits = family === 4 ? 32 : 128;
        put(address, bits, 'local');
        if (family === 4) {
          if (link.name === 'lo' && prefixLength < 32) put(address, prefixLength, 'local');
          else if (prefixLength < 31) {
            put({ ...address, w0: (address.w0 | (0xffffffff >>> prefixLength)) >>> 0 }, 32, 'broadcast');
          }
        } else if (prefixLength < 127 && link.name !== 'lo') {
          put(maskAddress(address, prefixLength), 128, 'anycast');
        }
        // without `ip route` the connected networks are all that is known
        if (!this.hasRoutes && link.name !== 'lo') put(address, prefixLength, 'unicast', 'main');
      }
    }
    this.table('local', 6).add({
      prefix: parsePrefix('ff00::/8')!,
      type: 'multicast',
      table: 'local',
      metric: 256,
      tos: 0,
      hops: [],
      prefsrc: null,
    });
  }
}

class RouteTable {
  /** by prefix length, longest first */
  private readonly lengths: { readonly length: number; readonly routes: Map<number | string, Route[]> }[] =
    [];

  constructor(readonly family: Family) {}

  add(route: Route): void {
    const { length, address } = route.prefix;
    let level = this.lengths.find((each) => each.length === length);
    if (level === undefined) {
      level = { length, routes: new Map() };
      this.lengths.push(level);
      this.lengths.sort((a, b) => b.length - a.length);
    }
    const key = addressKey(address);
    const at = level.routes.get(key);
    if (at === undefined) level.routes.set(key, [route]);
    else {
      at.push(route);
      at.sort((a, b) => b.tos - a.tos || a.metric - b.metric);
    }
  }

  /** @param suppressed a match of this length or shorter does not count */
  find(dst: Address, tos: number, suppressed: number): Route | null {
    for (const { length, routes } of this.lengths) {
      if (length <= suppressed) return null;
      const found = routes.get(addressKey(maskAddress(dst, length)));
      const route = found?.find((each) => each.tos === 0 || each.tos === (tos & 0xfc));
      if (route !== undefined) return route;
    }
    return null;
  }
}

function ruleMatches(rule: RoutingRule, q: RouteQuery): boolean {
  const within = (range: readonly [number, number] | null, port: number): boolean =>
    range === null || (port >= range[0] && port <= range[1]);
  const matches =
    (rule.src === null || prefixContains(rule.src, q.src)) &&
    (rule.dst === null || prefixContains(rule.dst, q.dst)) &&
    (rule.iif === null || rule.iif === (q.iif ?? 'lo')) &&
    rule.oif === null &&
    ((q.mark ^ rule.mark) & rule.markMask) === 0 &&
    (rule.tos === null || rule.tos === (q.tos & 0xfc)) &&
    (rule.proto === null || rule.proto === q.proto) &&
    within(rule.srcPorts, q.srcPort) &&
    within(rule.dstPorts, q.dstPort);
  return matches !== rule.not;
}

// ---- what `ip -j` prints

type Json = Readonly<Record<string, unknown>>;

export function readLinks(list: readonly Json[]): Link[] {
  return list.map((link) => ({
    name: String(link.ifname ?? '').replace(/@.*/, ''),
    index: Number(link.ifindex ?? 0),
    up: !Array.isArray(link.flags) || link.flags.includes('UP'),
    mtu: Number(link.mtu ?? 0),
    kind: String(link.link_type ?? ''),
    group: String(link.group ?? 'default'),
    master: typeof link.master === 'string' ? link.master : null,
    addresses: (Array.isArray(link.addr_info) ? (link.addr_info as Json[]) : []).flatMap((info) => {
      const address = parseAddress(String(info.local ?? ''));
      if (address === null || info.tentative === true) return [];
      return {
        address,
        prefixLength: Number(info.prefixlen ?? (address.family === 4 ? 32 : 128)),
        scope: String(info.scope ?? 'global'),
        secondary: info.secondary === true,
        deprecated: info.deprecated === true,
      };
    }),
  }));
}

/** @param family of `default` and other entries that name no address */
export function readRoute(entry: Json, family: Family): Route | null {
  const text = String(entry.dst ?? '');
  const prefix = text === 'default' ? { address: zero(family), length: 0 } : parsePrefix(text);
  if (prefix === null) return null;
  const hop = (of: Json): Hop => {
    const via = of.gateway ?? (of.via as Json | undefined)?.host;
    return {
      dev: typeof of.dev === 'string' ? of.dev : null,
      gateway: via === undefined ? null : parseAddress(String(via)),
      weight: Number(of.weight ?? 1),
    };
  };
  const nexthops = Array.isArray(entry.nexthops) ? (entry.nexthops as Json[]) : [];
  return {
    prefix,
    type: String(entry.type ?? 'unicast') as RouteType,
    table: String(entry.table ?? 'main'),
    metric: Number(entry.metric ?? 0),
    tos: Number(entry.tos ?? 0),
    hops: nexthops.length > 0 ? nexthops.map(hop) : [hop(entry)],
    prefsrc: typeof entry.prefsrc === 'string' ? parseAddress(entry.prefsrc) : null,
  };
}

/** The family that a list of routes shows, for its `default` entries. */
export function familyOfRoute(entry: Json): Family | null {
  for (const text of [entry.dst, entry.gateway, (entry.via as Json | undefined)?.host, entry.prefsrc]) {
    if (typeof text !== 'string') continue;
    const found = parsePrefix(text);
    if (found !== null) return found.address.family;
  }
  const first = Array.isArray(entry.nexthops) ? (entry.nexthops[0] as Json | undefined) : undefined;
  if (first !== undefined) return familyOfRoute(first);
  // only IPv6 routes have a preference
  return 'pref' in entry ? 6 : null;
}

const RULE_KEYS = new Set([
  'priority', 'not', 'src', 'srclen', 'dst', 'dstlen', 'tos', 'fwmark', 'fwmask', 'iif', 'oif', 'ipproto', 'sport', 'dport',
  'table', 'suppress_prefixlen', 'suppress_prefixlength', 'action', 'goto', 'to', 'protocol', 'iif_detached', 'oif_detached',
]); // biome-ignore format: a list of words

export function readRoutingRule(entry: Json): RoutingRule {
  const number = (key: string): number | null =>
    entry[key] === undefined ? null : Number(String(entry[key]).split('-')[0]);
  const side = (key: 'src' | 'dst'): Prefix | null => {
    const text = entry[key];
    if (typeof text !== 'string' || text === 'all') return null;
    const length = entry[`${key}len`];
    return parsePrefix(length === undefined || text.includes('/') ? text : `${text}/${String(length)}`);
  };
  const ports = (key: string): readonly [number, number] | null => {
    const end = entry[`${key}_end`] ?? String(entry[key] ?? '').split('-')[1];
    const start = number(key) ?? number(`${key}_start`);
    return start === null ? null : [start, end === undefined ? start : Number(end)];
  };
  const src = side('src');
  const dst = side('dst');
  const mark = number('fwmark');
  const action = String(entry.action ?? (entry.goto === undefined ? 'lookup' : 'goto'));
  const known = ['blackhole', 'unreachable', 'prohibit', 'goto', 'nop', 'lookup'];
  const unread = Object.keys(entry).find((key) => !RULE_KEYS.has(key) && !/^[sd]port_(start|end)$/.test(key));
  return {
    family: src?.address.family ?? dst?.address.family ?? null,
    priority: Number(entry.priority ?? 0),
    not: 'not' in entry,
    src,
    dst,
    iif: typeof entry.iif === 'string' ? entry.iif : null,
    oif: typeof entry.oif === 'string' ? entry.oif : null,
    mark: mark ?? 0,
    markMask: mark === null ? 0 : (number('fwmask') ?? 0xffffffff),
    tos: number('tos'),
    proto: entry.ipproto === undefined ? null : protocolNumber(String(entry.ipproto)),
    srcPorts: ports('sport'),
    dstPorts: ports('dport'),
    action: known.includes(action) ? (action as RoutingRule['action']) : 'lookup',
    table: String(entry.table ?? 'main'),
    goto: number('goto'),
    suppressPrefixLength: number('suppress_prefixlen') ?? number('suppress_prefixlength'),
    text: ruleText(entry),
    unread: unread === undefined ? null : `the selector ${unread} is not modelled`,
  };
}

function ruleText(entry: Json): string {
  const words = Object.entries(entry)
    .filter(([key]) => !['priority', 'src', 'srclen', 'table'].includes(key))
    .map(([key, value]) => `${key} ${String(value)}`);
  return [
    `${String(entry.priority)}: from ${String(entry.src ?? 'all')}`,
    ...words,
    `lookup ${String(entry.table ?? '-')}`,
  ].join(' ');
}

function zero(family: Family): Address {
  return { family, w0: 0, w1: 0, w2: 0, w3: 0 };
}

export function routeText(route: Route): string {
  const to =
    route.prefix.length === 0 ? 'default' : `${formatAddress(route.prefix.address)}/${route.prefix.length}`;
  const hop = route.hops[0];
  const via = hop?.gateway ? ` via ${formatAddress(hop.gateway)}` : '';
  const dev = hop?.dev ? ` dev ${hop.dev}` : '';
  const more = route.hops.length > 1 ? ` and ${route.hops.length - 1} more next hops` : '';
  return `${route.type === 'unicast' ? '' : `${route.type} `}${to}${via}${dev}${more} (table ${route.table})`;
}
