/**
 * The routing decision for a packet that comes in (net/ipv4/route.c `ip_route_input_slow`, net/ipv6/route.c) and for one
 * that the node sends: local, forwarded, or not at all.
 */
import type { Address } from '../addr/address.js';
import { prefixContains } from '../addr/prefix.js';
import type { Hop, Route, RouteAnswer, RouteQuery, RouteType } from './node-routes.js';
import { routeText } from './node-routes.js';
import { addressKey } from './packet.js';
import type { Walk } from './rule-set.js';

export interface Routed {
  readonly kind: 'local' | 'forward' | 'dropped' | 'rejected' | 'unknown';
  readonly with?: string;
  readonly route: Route | null;
  readonly oif: string | null;
  readonly gateway: Address | null;
  readonly text: string;
}

function query(walk: Walk): RouteQuery {
  const { src, dst, mark, tos, proto, srcPort, dstPort } = walk.packet;
  return { src, dst, iif: walk.iif, mark, tos, proto, srcPort, dstPort };
}

function end(kind: Routed['kind'], text: string, sent?: string): Routed {
  const routed = { kind, route: null, oif: null, gateway: null, text };
  return sent === undefined ? routed : { ...routed, with: sent };
}

/** For a packet from outside, in `walk.iif`. */
export function routeInput(walk: Walk): Routed {
  const { packet, node } = walk;
  const { family } = packet;
  if (packet.markUnknown && node.routes.rulesOf(family).some(({ markMask }) => markMask !== 0)) {
    return end('unknown', 'the mark that chooses the routing table is not known');
  }
  if (!node.routes.hasRoutes && !node.hasAddresses) {
    return end('unknown', `no routes or addresses of ${node.name} were given (ip -j route, ip -j addr)`);
  }
  const martian = martianText(walk);
  if (martian !== null) return end('dropped', martian);
  const answer = node.routes.lookup(query(walk));
  if ('unread' in answer) return end('unknown', answer.unread);
  if (family === 4) {
    const source = checkSource(walk, answer);
    if (source !== null) return source;
  }
  const forwarding = family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding';
  const isLocal = answer.type === 'local' || answer.type === 'broadcast' || answer.type === 'anycast';
  if (!isLocal && answer.type === 'unicast' && node.sysctl(forwarding) === 0) {
    return end('dropped', `${forwarding} is 0`);
  }
  if (!isLocal && node.sysctl(forwarding) === null) walk.assume(`${forwarding} is 1`);
  return decide(walk, answer);
}

/** For a packet of the node's own, or one that IPVS sends on. */
export function routeOutput(walk: Walk): Routed {
  const { node } = walk;
  if (!node.routes.hasRoutes && !node.hasAddresses) {
    return end('unknown', `no routes or addresses of ${node.name} were given (ip -j route, ip -j addr)`);
  }
  const answer = node.routes.lookup({ ...query(walk), iif: 'lo' });
  if ('unread' in answer) return end('unknown', answer.unread);
  return decide(walk, answer);
}

function decide(walk: Walk, { type, route, rule }: RouteAnswer): Routed {
  const { family } = walk.packet;
  const v4 = family === 4;
  const by = route === null ? (rule?.text ?? 'no route') : routeText(route);
  switch (type) {
    case 'local':
    case 'broadcast':
    case 'anycast':
      return { kind: 'local', route, oif: null, gateway: null, text: `local: ${by}` };
    case 'multicast':
      return end('unknown', 'multicast is not modelled');
    case 'blackhole':
      return end('dropped', by);
    case 'prohibit':
      return end('rejected', by, v4 ? 'icmp-admin-prohibited' : 'icmp6-adm-prohibited');
    case 'unreachable':
      if (route === null && rule === null) {
        return end('rejected', 'no route', v4 ? 'icmp-net-unreachable' : 'icmp6-no-route');
      }
      return end('rejected', by, v4 ? 'icmp-host-unreachable' : 'icmp6-no-route');
    case 'unicast': {
      const hop = hopOf(walk, route!);
      if (hop.dev === null) return end('unknown', `${by} names no interface`);
      return { kind: 'forward', route, oif: hop.dev, gateway: hop.gateway, text: `forwarded: ${by}` };
    }
    default:
      return end('unknown', `a route of type ${type} is not modelled`);
  }
}

/** One of several next hops: the kernel's hash has a seed that no dump shows, so each has its share. */
function hopOf(walk: Walk, { hops }: Route): Hop {
  if (hops.length === 1) return hops[0]!;
  const sum = hops.reduce((so, { weight }) => so + weight, 0);
  return hops[walk.decisions.draw(hops.map(({ weight }) => weight / sum))]!;
}

const LOOPBACK = 127;

/** Addresses that no packet from outside may have. */
function martianText(walk: Walk): string | null {
  const { src, dst, family } = walk.packet;
  if (walk.iif === 'lo') return null;
  if (family === 6) {
    if (src.w0 >>> 24 === 0xff) return 'a multicast source';
    return isLoopback6(src) || isLoopback6(dst) ? 'a loopback address from outside' : null;
  }
  if (src.w0 >>> 28 === 14 || src.w0 === 0xffffffff) return 'a multicast or broadcast source';
  if (src.w0 >>> 24 === 0 && src.w0 !== 0) return 'a source in 0.0.0.0/8';
  const localnet =
    walk.node.sysctl(`net.ipv4.conf.${walk.iif}.route_localnet`) === 1 ||
    walk.node.sysctl('net.ipv4.conf.all.route_localnet') === 1;
  if (!localnet && (src.w0 >>> 24 === LOOPBACK || dst.w0 >>> 24 === LOOPBACK)) {
    return 'a loopback address from outside (route_localnet is 0)';
  }
  return null;
}

function isLoopback6({ w0, w1, w2, w3 }: Address): boolean {
  return w0 === 0 && w1 === 0 && w2 === 0 && w3 === 1;
}

/**
 * net/ipv4/fib_frontend.c `fib_validate_source`: without rp_filter only the node's own addresses are refused; with rules
 * of one's own, or rp_filter, the way back is looked up.
 */
function checkSource(walk: Walk, answer: RouteAnswer): Routed | null {
  const { node, packet, iif } = walk;
  const { src } = packet;
  if (src.w0 === 0) return null;
  const filter = Math.max(
    node.sysctl('net.ipv4.conf.all.rp_filter') ?? 0,
    node.sysctl(`net.ipv4.conf.${iif}.rp_filter`) ?? 0,
  );
  if (node.sysctls.size === 0) walk.assume('rp_filter is 0 on every interface');
  if (node.sysctl(`net.ipv4.conf.${iif}.accept_local`) === 1) return null;
  if (filter === 0 && !node.routes.hasCustomRules(4)) {
    return node.routes.isLocalAddress(src) ? end('dropped', 'the source is an address of the node') : null;
  }
  if (answer.type === 'broadcast' && filter === 0) return null;
  const back = node.routes.lookup({
    src: packet.dst,
    dst: src,
    iif: 'lo',
    mark: node.sysctl(`net.ipv4.conf.${iif}.src_valid_mark`) === 1 ? packet.mark : 0,
    tos: packet.tos,
    proto: 0,
    srcPort: 0,
    dstPort: 0,
  });
  if ('unread' in back) return end('unknown', back.unread);
  if (back.route === null && back.rule === null) {
    return filter === 0 ? null : end('dropped', 'no route back to the source (rp_filter)');
  }
  if (back.type !== 'unicast') return end('dropped', `the route back to the source is ${back.type}`);
  const sameWay = back.route?.hops.some(({ dev }) => dev === iif) ?? false;
  return filter === 1 && !sameWay
    ? end('dropped', 'the way back leaves by another interface (rp_filter)')
    : null;
}

/** Linux's RTN type of an address, as addrtype and fib ask for it (IPv4: fib_frontend.c `__inet_dev_addr_type`). */
export function addressType4(walk: Walk, address: Address, dev: string | null): RouteType | 'unicast' {
  if (address.w0 >>> 24 === 0 || address.w0 === 0xffffffff) return 'broadcast';
  if (address.w0 >>> 28 === 14) return 'multicast';
  // only the local table is asked; a blackhole or its kin is an error of the look-up, and the address stays unicast
  const found = walk.node.routes.inTable('local', address);
  if (found === null) return 'unicast';
  if (dev !== null && !found.hops.some((hop) => hop.dev === dev)) return 'unicast';
  return found.type;
}

/** net/ipv6/netfilter/nft_fib_ipv6.c `__nft_fib6_eval_type` */
export function addressType6(walk: Walk, address: Address, dev: string | null): RouteType {
  if (address.w0 >>> 24 === 0xff) return 'multicast';
  const { routes } = walk.node;
  if (dev !== null) {
    const own = routes
      .linkOf(dev)
      ?.addresses.some((each) => addressKey(each.address) === addressKey(address));
    if (own === true && address.family === 6) return 'local';
  }
  const answer = plainLookup(walk, address);
  if (answer === null) return 'unreachable';
  if (answer.type === 'local') return dev === null ? 'local' : 'unicast';
  return answer.type;
}

/** A look-up by destination alone. */
export function plainLookup(walk: Walk, dst: Address, mark = 0): RouteAnswer | null {
  const answer = walk.node.routes.lookup({
    src: { family: dst.family, w0: 0, w1: 0, w2: 0, w3: 0 },
    dst,
    iif: 'lo',
    mark,
    tos: 0,
    proto: 0,
    srcPort: 0,
    dstPort: 0,
  });
  return 'unread' in answer || (answer.route === null && answer.rule === null) ? null : answer;
}

/** The node's address for what leaves by `dev` to `nextHop` (net/ipv4/devinet.c `inet_select_addr`). */
export function selectAddress4(walk: Walk, dev: string, nextHop: Address): Address | null {
  const { routes } = walk.node;
  const link = routes.linkOf(dev);
  const usable = (scope: string): boolean => scope !== 'link' && scope !== 'host';
  const own = (link?.addresses ?? []).filter(({ address, secondary }) => address.family === 4 && !secondary);
  const candidates = own.filter(({ scope }) => usable(scope));
  const near = candidates.find(({ address, prefixLength }) =>
    prefixContains({ address: maskOf(address, prefixLength), length: prefixLength }, nextHop),
  );
  const chosen = near ?? candidates[0];
  if (chosen !== undefined) return chosen.address;
  for (const other of routes.links) {
    const found = other.addresses.find(
      ({ address, secondary, scope }) => address.family === 4 && !secondary && usable(scope),
    );
    if (found !== undefined) return found.address;
  }
  return null;
}

function maskOf(address: Address, length: number): Address {
  return { ...address, w0: length === 0 ? 0 : (address.w0 & (0xffffffff << (32 - length))) >>> 0 };
}

/** RFC 6724 5, as far as one interface's addresses differ: scope, then not deprecated, then the longest common prefix. */
export function selectAddress6(walk: Walk, dev: string, dst: Address): Address | null {
  const { routes } = walk.node;
  const scopeOf = (a: Address): number =>
    a.w0 >>> 22 === 0x3fa ? 2 : a.w0 >>> 16 === 0 && a.w3 === 1 ? 1 : 14;
  const common = (a: Address): number => {
    let bits = 0;
    for (const key of ['w0', 'w1', 'w2', 'w3'] as const) {
      const zeros = Math.clz32(a[key] ^ dst[key]);
      bits += zeros;
      if (zeros < 32) break;
    }
    return bits;
  };
  const wanted = scopeOf(dst);
  const rank = (of: { address: Address; deprecated: boolean }): readonly number[] => {
    const scope = scopeOf(of.address);
    const fit = scope === wanted ? 2 : scope > wanted ? 1 : 0;
    return [fit, of.deprecated ? 0 : 1, isUla(of.address) === isUla(dst) ? 1 : 0, common(of.address)];
  };
  const better = (a: readonly number[], b: readonly number[]): boolean => {
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! > b[i]!;
    return false;
  };
  let best: { address: Address; deprecated: boolean } | null = null;
  const own = routes.linkOf(dev)?.addresses.filter(({ address }) => address.family === 6) ?? [];
  const lists = [
    own,
    routes.links.flatMap(({ addresses }) => addresses.filter((a) => a.address.family === 6)),
  ];
  for (const list of lists) {
    for (const each of list) if (best === null || better(rank(each), rank(best))) best = each;
    // an address of the interface itself wins unless its scope is too small
    if (best !== null && rank(best)[0]! > 0) break;
  }
  return best?.address ?? null;
}

/** fc00::/7 has a label of its own in the default policy table */
function isUla({ w0 }: Address): boolean {
  return w0 >>> 25 === 0x7e;
}
