/** Matches on the node: marks, routes, sets, counters, limits, sockets. */
import { parsePrefix } from '../addr/prefix.js';
import { jhashWords } from '../hash/jhash.js';
import {
  interfaceTest,
  type MatchCompiler,
  named,
  onlyNamed,
  readMasked,
  readNumber,
  type Test,
} from './iptables-options.js';
import type { RouteType } from './node-routes.js';
import { addressType4, plainLookup } from './routing.js';
import type { Walk } from './rule-set.js';

const mark: MatchCompiler = (options) => {
  const option = named(options, 'mark');
  const masked = readMasked(option?.values[0]);
  if (option === undefined || masked === null) return null;
  return [
    (walk) => {
      if (walk.packet.markUnknown) return walk.unknown('the mark of the packet is not known');
      return ((walk.packet.mark & masked[1]) >>> 0 === masked[0]) !== option.negated;
    },
  ];
};

const TYPES4: Readonly<Record<string, RouteType | 'unspec'>> = {
  UNSPEC: 'unspec',
  UNICAST: 'unicast',
  LOCAL: 'local',
  BROADCAST: 'broadcast',
  ANYCAST: 'anycast',
  MULTICAST: 'multicast',
  BLACKHOLE: 'blackhole',
  UNREACHABLE: 'unreachable',
  PROHIBIT: 'prohibit',
  THROW: 'throw',
  NAT: 'nat',
};

/** net/netfilter/xt_addrtype.c */
const addrtype: MatchCompiler = (options) => {
  if (!onlyNamed(options, 'src-type', 'dst-type', 'limit-iface-in', 'limit-iface-out')) return null;
  const limit =
    named(options, 'limit-iface-in') !== undefined ? 'iif' : named(options, 'limit-iface-out') ? 'oif' : null;
  const tests: Test[] = [];
  for (const { name, values, negated } of options) {
    if (name.startsWith('limit')) continue;
    const words = (values[0] ?? '').toUpperCase().split(',');
    if (words.some((word) => TYPES4[word] === undefined)) return null;
    const of = name === 'src-type' ? 'src' : 'dst';
    tests.push((walk) => {
      if (!walk.node.hasAddresses) {
        return walk.unknown(
          `addrtype --${name} ${words.join(',')}: the node's addresses were not given (ip -j addr)`,
        );
      }
      const dev = limit === null ? null : walk[limit];
      return typeMatches(walk, of, words, dev) !== negated;
    });
  }
  return tests;
};

function typeMatches(walk: Walk, of: 'src' | 'dst', words: readonly string[], dev: string | null): boolean {
  const address = walk.packet[of];
  if (address.family === 4) return words.some((word) => TYPES4[word] === addressType4(walk, address, dev));
  // IPv6 looks at the kind of address first, and at the route only for these three
  const multicast = address.w0 >>> 24 === 0xff;
  const unspecified = address.w0 === 0 && address.w1 === 0 && address.w2 === 0 && address.w3 === 0;
  if (words.includes('MULTICAST') && !multicast) return false;
  if (words.includes('UNICAST') && (multicast || unspecified)) return false;
  if (words.includes('UNSPEC') && !unspecified) return false;
  if (!words.some((word) => word === 'ANYCAST' || word === 'LOCAL' || word === 'UNREACHABLE')) return true;
  const { routes } = walk.node;
  const answer = plainLookup(walk, address);
  if (answer === null) return words.includes('UNREACHABLE');
  const found: string[] = [];
  if (dev !== null && words.includes('LOCAL') && routes.linkOfAddress(address)?.name === dev)
    found.push('LOCAL');
  if (['blackhole', 'unreachable', 'prohibit', 'throw'].includes(answer.type)) found.push('UNREACHABLE');
  if (dev === null && answer.type === 'local') found.push('LOCAL');
  if (answer.type === 'anycast') found.push('ANYCAST');
  return found.some((word) => words.includes(word));
}

const set: MatchCompiler = (options, { node }) => {
  const option = named(options, 'match-set', 'set');
  const [name, dimensions] = option?.values ?? [];
  if (option === undefined || name === undefined || dimensions === undefined) return null;
  if (!onlyNamed(options, 'match-set', 'set', 'return-nomatch', 'update-counters', 'update-subcounters'))
    return null;
  return [
    (walk) => {
      const found = node.ipSets.get(name);
      if (found === undefined) return walk.unknown(`the set ${name} was not given (ipset save)`);
      const has = found.matches(walk, dimensions.split(','));
      return has === null
        ? walk.unknown(`the set ${name} of type ${found.type} is not modelled`)
        : has !== option.negated;
    },
  ];
};

/** net/netfilter/xt_statistic.c: 31 random bits below a rounded bound, or a counter. */
const statistic: MatchCompiler = (options) => {
  const mode = named(options, 'mode')?.values[0];
  if (mode === 'random') {
    const option = named(options, 'probability');
    const bound = Math.round(Number(option?.values[0]) * 0x80000000);
    if (option === undefined || !Number.isFinite(bound)) return null;
    const p = Math.min(1, Math.max(0, bound / 0x80000000));
    return [
      ({ decisions }) => {
        if (p === 0 || p === 1) return (p === 1) !== option.negated;
        return (decisions.draw([p, 1 - p]) === 0) !== option.negated;
      },
    ];
  }
  const every = named(options, 'every');
  const modulus = readNumber(every?.values[0]);
  const packet = readNumber(named(options, 'packet')?.values[0]) ?? 0;
  if (mode !== 'nth' || every === undefined || modulus === null || modulus < 1) return null;
  return [({ decisions }) => (decisions.counted(options, modulus, 0) === packet % modulus) !== every.negated];
};

/** One packet finds the bucket full, unless the limit is nothing. */
function withinLimit(what: string): MatchCompiler {
  return () => [
    (walk) => {
      walk.assume(`${what} has tokens left`);
      return true;
    },
  ];
}

const hashlimit: MatchCompiler = (options) => {
  const above = named(options, 'hashlimit-above') !== undefined;
  const below = named(options, 'hashlimit-upto', 'hashlimit');
  if (!above && below === undefined) return null;
  return [
    (walk) => {
      walk.assume('hashlimit has tokens left');
      return above === (below?.negated ?? false);
    },
  ];
};

/** net/netfilter/xt_recent.c; lists begin empty, because no dump shows them. */
const recent: MatchCompiler = (options) => {
  const action = options.find(({ name }) => ['set', 'rcheck', 'update', 'remove'].includes(name));
  if (action === undefined) return null;
  const list = named(options, 'name')?.values[0] ?? 'DEFAULT';
  const side = named(options, 'rdest') === undefined ? 'src' : 'dst';
  const key = `${list} ${side}`;
  const seconds = readNumber(named(options, 'seconds')?.values[0]) ?? 0;
  const wanted = readNumber(named(options, 'hitcount')?.values[0]) ?? 1;
  return [
    (walk) => {
      const { recentLists } = walk.node;
      if (recentLists === null) walk.assume(`the recent list ${list} holds only what this packet puts there`);
      else walk.assume(`the recent list ${list} is empty at first`);
      const address = walk.packet[side];
      const before = walk.recent.get(key);
      const own = before?.noted === true ? 1 : 0;
      const known = before?.removed === true ? 0 : (recentLists?.hits(list, address, seconds) ?? 0);
      const isThere = before?.removed !== true && (recentLists?.hits(list, address, 0) ?? 0) > 0;
      const note = (): void => {
        walk.recent.set(key, { list, address, noted: true, removed: before?.removed === true });
      };
      if (action.name === 'set') {
        note();
        return !action.negated;
      }
      if (action.name === 'remove') {
        walk.recent.set(key, { list, address, noted: false, removed: true });
        return (own > 0 || isThere) !== action.negated;
      }
      const matches = own + known >= wanted;
      if (action.name === 'update' && matches) note();
      return matches !== action.negated;
    },
  ];
};

/** A forwarded packet has no socket (xt_owner.c): nothing matches, and every negation does. */
const owner: MatchCompiler = (options) => {
  return [
    (walk) => {
      if (walk.packet.given.iif === null) return walk.unknown('owner: which process sends it is not known');
      return options.every(({ negated }) => negated);
    },
  ];
};

const socket: MatchCompiler = () => [
  (walk) => walk.unknown('socket: which sockets the node has open is not known'),
];

const rpfilter: MatchCompiler = (options) => {
  if (!onlyNamed(options, 'loose', 'validmark', 'accept-local', 'invert')) return null;
  const has = (name: string): boolean => named(options, name) !== undefined;
  const invert = has('invert');
  return [
    (walk) => {
      const { packet, iif, node } = walk;
      if (iif === 'lo') return !invert;
      if (!node.routes.hasRoutes) return walk.unknown('rpfilter: no routes were given (ip -j route)');
      const back = plainLookup(walk, packet.src, has('validmark') ? packet.mark : 0);
      const right =
        back !== null &&
        (back.type === 'unicast' || (back.type === 'local' && has('accept-local'))) &&
        (has('loose') || back.route!.hops.some(({ dev }) => dev === iif));
      return right !== invert;
    },
  ];
};

const physdev: MatchCompiler = (options) => {
  // packets of a bridge are not modelled; one that is routed has no bridge port (xt_physdev.c)
  return [
    (walk) => {
      walk.assume('the packet did not come through a bridge port');
      return options.every(({ name, negated, values }) => {
        if (name === 'physdev-in' || name === 'physdev-out')
          return interfaceTest(values[0] ?? '')('') !== negated;
        return negated;
      });
    },
  ];
};

const time: MatchCompiler = (options) => [
  (walk) =>
    walk.unknown(
      `time ${options.map(({ name, values }) => `--${name} ${values.join(' ')}`).join(' ')}: it depends on the hour`,
    ),
];

const devgroup: MatchCompiler = (options) => {
  const tests: Test[] = [];
  for (const { name, values, negated } of options) {
    const of = name === 'src-group' ? 'iif' : 'oif';
    const masked = readMasked(values[0] === 'default' ? '0' : values[0]);
    if (masked === null) return null;
    tests.push((walk) => {
      const group = walk.node.routes.linkOf(walk[of])?.group ?? 'default';
      const value = group === 'default' ? 0 : readNumber(group);
      if (value === null) return walk.unknown(`the number of the device group ${group} is not known`);
      return ((value & masked[1]) >>> 0 === masked[0]) !== negated;
    });
  }
  return tests;
};

const cpu: MatchCompiler = (options) => {
  const option = named(options, 'cpu');
  return option === undefined
    ? null
    : [(walk) => walk.unknown('cpu: which CPU takes the packet is not known')];
};

const quota: MatchCompiler = (options) => {
  const option = named(options, 'quota');
  const left = readNumber(option?.values[0]);
  if (option === undefined || left === null) return null;
  return [
    (walk) => {
      walk.assume('quota: nothing of it has been used since it was dumped');
      return left >= walk.packet.length !== option.negated;
    },
  ];
};

const realm: MatchCompiler = () => [(walk) => walk.unknown('realm: routing realms are not modelled')];

/** net/netfilter/xt_cluster.c: each connection belongs to one node, by a hash of its original source. */
const cluster: MatchCompiler = (options) => {
  const total = readNumber(named(options, 'cluster-total-nodes')?.values[0]);
  const seed = readNumber(named(options, 'cluster-hash-seed')?.values[0]) ?? 0;
  const local = named(options, 'cluster-local-node');
  const mask = named(options, 'cluster-local-nodemask');
  const number = readNumber((local ?? mask)?.values[0]);
  if (total === null || number === null) return null;
  const nodes = local === undefined ? number : 1 << (number - 1);
  const negated = (local ?? mask)!.negated;
  return [
    ({ connection }) => {
      if (connection === null) return false;
      const { src } = connection.original;
      // of an IPv6 address too only the first word: the kernel divides a number of words by the size of one
      const hash = jhashWords(Uint32Array.of(swapped(src.w0)), 1, seed);
      const node = Number((BigInt(hash) * BigInt(total)) >> 32n);
      return (((nodes >>> node) & 1) === 1) !== negated;
    },
  ];
};

/** A word as the kernel has it in memory. */
function swapped(word: number): number {
  return (((word & 255) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** `-m nfacct`, `-m comment`: always match. */
const always: MatchCompiler = () => [];

/** xt_policy: a packet that came in plain has no IPsec policy. */
const policy: MatchCompiler = (options) => {
  const wanted = named(options, 'pol');
  if (wanted === undefined) return null;
  return [
    (walk) => {
      walk.assume('no IPsec policy applies to the packet');
      return (wanted.values[0] === 'none') !== wanted.negated;
    },
  ];
};

/** Sets of one's own making for a prefix: `-m ipvs`. */
const ipvs: MatchCompiler = (options) => {
  const address = named(options, 'vaddr');
  if (address !== undefined && parsePrefix(address.values[0] ?? '') === null) return null;
  return [(walk) => walk.unknown('ipvs: whether IPVS has handled the packet is not modelled here')];
};

const rateest: MatchCompiler = () => [(walk) => walk.unknown('rateest: rates are not known')];

export const NODE_MATCHES: Readonly<Record<string, MatchCompiler>> = {
  mark,
  addrtype,
  set,
  statistic,
  limit: withinLimit('limit'),
  hashlimit,
  recent,
  owner,
  socket,
  rpfilter,
  physdev,
  time,
  devgroup,
  cpu,
  quota,
  realm,
  cluster,
  nfacct: always,
  policy,
  ipvs,
  rateest,
};
