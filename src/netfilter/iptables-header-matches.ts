/** Matches on what stands in a packet's headers. */
import { type Address, compareAddresses, parseAddress } from '../addr/address.js';
import { ICMP, ICMPV6, SCTP, TCP } from '../wire/ip-protocol.js';
import {
  type MatchCompiler,
  named,
  onlyNamed,
  type RuleOption,
  readNumber,
  readRange,
  type Test,
} from './iptables-options.js';
import type { Walk } from './rule-set.js';

const FLAGS: Readonly<Record<string, number>> = {
  FIN: 1,
  SYN: 2,
  RST: 4,
  PSH: 8,
  ACK: 16,
  URG: 32,
  ALL: 63,
  NONE: 0,
};

function readFlags(text: string | undefined): number {
  let flags = 0;
  for (const word of (text ?? '').split(','))
    flags |= FLAGS[word.trim().toUpperCase()] ?? (Number(word) || 0);
  return flags;
}

function portTests(options: readonly RuleOption[]): Test[] | null {
  const tests: Test[] = [];
  for (const { name, values, negated } of options) {
    const isSource =
      name === 'sport' || name === 'source-port' || name === 'sports' || name === 'source-ports';
    if (!isSource && !['dport', 'destination-port'].includes(name)) continue;
    const range = readRange(values[0], 65535);
    if (range === null) return null;
    const of = isSource ? 'srcPort' : 'dstPort';
    tests.push(({ packet }) => (packet[of] >= range[0] && packet[of] <= range[1]) !== negated);
  }
  return tests;
}

const PORTS = ['sport', 'source-port', 'dport', 'destination-port'];

const tcp: MatchCompiler = (options) => {
  const tests = portTests(options);
  if (tests === null || !onlyNamed(options, ...PORTS, 'tcp-flags', 'syn', 'tcp-option')) return null;
  for (const { name, values, negated } of options) {
    if (name === 'tcp-flags' || name === 'syn') {
      const mask = name === 'syn' ? FLAGS.SYN! | FLAGS.RST! | FLAGS.ACK! | FLAGS.FIN! : readFlags(values[0]);
      const want = name === 'syn' ? FLAGS.SYN! : readFlags(values[1]);
      tests.push(({ packet }) => ((packet.flags & mask) === want) !== negated);
    } else if (name === 'tcp-option') {
      const kind = readNumber(values[0]);
      if (kind === null) return null;
      tests.push((walk) => (tcpOption(walk, kind) !== null) !== negated);
    }
  }
  return [({ packet }) => packet.proto === TCP, ...tests];
};

/** The value of a TCP option (its octets behind kind and length); null where the packet has none. */
export function tcpOption(walk: Walk, kind: number): Uint8Array | null {
  const { packet } = walk;
  const { bytes } = packet.given;
  if (bytes === undefined) {
    walk.assume('the TCP header has no options');
    return null;
  }
  const doff = packet.bits('th', 96, 4);
  if (typeof doff !== 'number') return null;
  const start = bytes.length - (packet.length - (packet.family === 4 ? (bytes[0]! & 15) * 4 : 40));
  for (let at = start + 20; at < Math.min(bytes.length, start + doff * 4); ) {
    const type = bytes[at]!;
    if (type === 0) return null;
    if (type === 1) {
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2) return null;
    if (type === kind) return bytes.subarray(at + 2, at + length);
    at += length;
  }
  return null;
}

const udp: MatchCompiler = (options) => {
  const tests = portTests(options);
  return tests === null || !onlyNamed(options, ...PORTS) ? null : tests;
};

const sctp: MatchCompiler = (options) => {
  const tests = portTests(options);
  if (tests === null || !onlyNamed(options, ...PORTS, 'chunk-types')) return null;
  const chunks = named(options, 'chunk-types');
  if (chunks !== undefined) {
    tests.push((walk) =>
      walk.unknown(`sctp --chunk-types ${chunks.values.join(' ')}: the chunks are not known`),
    );
  }
  return [({ packet }) => packet.proto === SCTP, ...tests];
};

const multiport: MatchCompiler = (options) => {
  const tests: Test[] = [];
  for (const { name, values, negated } of options) {
    const ranges = (values[0] ?? '').split(',').map((part) => readRange(part, 65535));
    if (ranges.some((range) => range === null)) return null;
    const within = (port: number): boolean => ranges.some((range) => port >= range![0] && port <= range![1]);
    if (['sports', 'source-ports', 'sport'].includes(name)) {
      tests.push(({ packet }) => within(packet.srcPort) !== negated);
    } else if (['dports', 'destination-ports', 'dport'].includes(name)) {
      tests.push(({ packet }) => within(packet.dstPort) !== negated);
    } else if (['ports', 'port'].includes(name)) {
      tests.push(({ packet }) => (within(packet.srcPort) || within(packet.dstPort)) !== negated);
    } else return null;
  }
  return [({ packet }) => packet.hasPorts, ...tests];
};

const ICMP_NAMES: Readonly<Record<string, string>> = {
  any: 'any',
  'echo-reply': '0',
  pong: '0',
  'destination-unreachable': '3',
  'network-unreachable': '3/0',
  'host-unreachable': '3/1',
  'protocol-unreachable': '3/2',
  'port-unreachable': '3/3',
  'fragmentation-needed': '3/4',
  'source-quench': '4',
  redirect: '5',
  'echo-request': '8',
  ping: '8',
  'router-advertisement': '9',
  'router-solicitation': '10',
  'time-exceeded': '11',
  'ttl-exceeded': '11',
  'parameter-problem': '12',
  'timestamp-request': '13',
  'timestamp-reply': '14',
  'address-mask-request': '17',
  'address-mask-reply': '18',
};
const ICMPV6_NAMES: Readonly<Record<string, string>> = {
  'destination-unreachable': '1',
  'no-route': '1/0',
  'communication-prohibited': '1/1',
  'address-unreachable': '1/3',
  'port-unreachable': '1/4',
  'packet-too-big': '2',
  'time-exceeded': '3',
  'ttl-exceeded': '3',
  'parameter-problem': '4',
  'echo-request': '128',
  ping: '128',
  'echo-reply': '129',
  pong: '129',
  'router-solicitation': '133',
  'router-advertisement': '134',
  'neighbor-solicitation': '135',
  'neighbour-solicitation': '135',
  'neighbor-advertisement': '136',
  'neighbour-advertisement': '136',
  redirect: '137',
};

function icmp(proto: number, option: string, names: Readonly<Record<string, string>>): MatchCompiler {
  return (options) => {
    const tests: Test[] = [({ packet }) => packet.proto === proto];
    for (const { name, values, negated } of options) {
      if (name !== option) return null;
      const text = names[values[0] ?? ''] ?? values[0] ?? '';
      if (text === 'any' || text === '255') continue;
      const [, typeText, codeText] = /^(\d+)(?:\/(\d+(?:[:-]\d+)?))?$/.exec(text) ?? [];
      if (typeText === undefined) return null;
      const type = Number(typeText);
      const codes = codeText === undefined ? [0, 255] : readRange(codeText, 255);
      if (codes === null) return null;
      tests.push(({ packet: { icmpType, icmpCode } }) => {
        const is = icmpType === type && icmpCode >= codes[0]! && icmpCode <= codes[1]!;
        return is !== negated;
      });
    }
    return tests;
  };
}

const iprange: MatchCompiler = (options) => {
  const tests: Test[] = [];
  for (const { name, values, negated } of options) {
    const [low, high] = (values[0] ?? '').split('-').map((part) => parseAddress(part));
    if (low === null || low === undefined || high === null) return null;
    if (name !== 'src-range' && name !== 'dst-range') return null;
    const of = name === 'src-range' ? 'src' : 'dst';
    const within = (a: Address): boolean =>
      a.family === low.family && compareAddresses(a, low) >= 0 && compareAddresses(a, high ?? low) <= 0;
    tests.push(({ packet }) => within(packet[of]) !== negated);
  }
  return tests;
};

/** A match on one number with a range: `--length 40:100`. */
function rangeOn(option: string, most: number, value: (walk: Walk) => number): MatchCompiler {
  return (options) => {
    const tests: Test[] = [];
    for (const { name, values, negated } of options) {
      const range = readRange(values[0], most);
      if (name !== option || range === null) return null;
      tests.push((walk) => {
        const own = value(walk);
        return (own >= range[0] && own <= range[1]) !== negated;
      });
    }
    return tests;
  };
}

/** xt_length counts the payload of the IPv6 header as well as that header itself. */
const lengthOf = ({ packet }: Walk): number => packet.length;

const DSCP_CLASSES: Readonly<Record<string, number>> = {
  CS0: 0, CS1: 8, CS2: 16, CS3: 24, CS4: 32, CS5: 40, CS6: 48, CS7: 56, BE: 0, EF: 46,
  AF11: 10, AF12: 12, AF13: 14, AF21: 18, AF22: 20, AF23: 22, AF31: 26, AF32: 28, AF33: 30, AF41: 34, AF42: 36, AF43: 38,
}; // biome-ignore format: a table

export function dscpOf(text: string | undefined): number | null {
  return DSCP_CLASSES[(text ?? '').toUpperCase()] ?? readNumber(text);
}

function tosOf(walk: Walk): number {
  if (walk.packet.given.tos === undefined && walk.packet.given.bytes === undefined)
    walk.assume('the DSCP and ECN bits are 0');
  return walk.packet.tos;
}

const dscp: MatchCompiler = (options) => {
  const tests: Test[] = [];
  for (const { name, values, negated } of options) {
    const value = dscpOf(values[0]);
    if ((name !== 'dscp' && name !== 'dscp-class') || value === null) return null;
    tests.push((walk) => (tosOf(walk) >> 2 === value) !== negated);
  }
  return tests;
};

const TOS_NAMES: Readonly<Record<string, string>> = {
  'minimize-delay': '0x10/0x3f',
  'maximize-throughput': '0x08/0x3f',
  'maximize-reliability': '0x04/0x3f',
  'minimize-cost': '0x02/0x3f',
  'normal-service': '0x00/0x3f',
};

const tos: MatchCompiler = (options) => {
  const tests: Test[] = [];
  for (const { name, values, negated } of options) {
    const [valueText, maskText] = (TOS_NAMES[(values[0] ?? '').toLowerCase()] ?? values[0] ?? '').split('/');
    const value = readNumber(valueText);
    const mask = maskText === undefined ? 0xff : readNumber(maskText);
    if (name !== 'tos' || value === null || mask === null) return null;
    tests.push((walk) => ((tosOf(walk) & mask) === value) !== negated);
  }
  return tests;
};

/** `-m ttl` (IPv4) and `-m hl` (IPv6) */
function ttlLike(prefix: string): MatchCompiler {
  return (options) => {
    const tests: Test[] = [];
    for (const { name, values, negated } of options) {
      const value = readNumber(values[0]);
      if (value === null) return null;
      const ttl = (walk: Walk): number => {
        if (walk.packet.given.ttl === undefined) walk.assume('the TTL is 64 when it comes in');
        return walk.packet.ttl;
      };
      if (name === `${prefix}-eq`) tests.push((walk) => (ttl(walk) === value) !== negated);
      else if (name === `${prefix}-lt`) tests.push((walk) => ttl(walk) < value !== negated);
      else if (name === `${prefix}-gt`) tests.push((walk) => ttl(walk) > value !== negated);
      else return null;
    }
    return tests;
  };
}

const ecn: MatchCompiler = (options) => {
  const tests: Test[] = [];
  for (const { name, values, negated } of options) {
    if (name === 'ecn-ip-ect') {
      const value = readNumber(values[0]);
      if (value === null) return null;
      tests.push((walk) => ((tosOf(walk) & 3) === value) !== negated);
    } else if (name === 'ecn-tcp-cwr' || name === 'ecn-tcp-ece') {
      const bit = name === 'ecn-tcp-cwr' ? 0x80 : 0x40;
      tests.push(({ packet }) => packet.proto === TCP && ((packet.flags & bit) !== 0) !== negated);
    } else return null;
  }
  return tests;
};

const tcpmss: MatchCompiler = (options) => {
  const tests: Test[] = [];
  for (const { name, values, negated } of options) {
    const range = readRange(values[0], 65535);
    if (name !== 'mss' || range === null) return null;
    tests.push((walk) => {
      const value = walk.packet.proto === TCP ? tcpOption(walk, 2) : null;
      // xt_tcpmss: a segment without the option matches only the inverted rule
      if (value === null || value.length < 2) return negated;
      const mss = value[0]! * 256 + value[1]!;
      return (mss >= range[0] && mss <= range[1]) !== negated;
    });
  }
  return tests;
};

/** `u32`: `start&mask>>shift=range,…&&…`, read as the kernel reads words from the packet (xt_u32.c) */
const u32: MatchCompiler = (options) => {
  const option = options[0];
  if (options.length !== 1 || option === undefined || option.name !== 'u32') return null;
  const text = option.values.join('').replace(/\s+/g, '');
  return [(walk) => walk.unknown(`u32 "${text}" is not modelled`)];
};

/** Extension headers of IPv6 (`rt`, `hbh`, `dst`, `frag`, `mh`): a plain packet has none. */
const noHeader: MatchCompiler = () => [
  (walk) => {
    // without the header there is nothing to compare: no match, negated or not
    walk.assume('the packet is no fragment and has no extension headers');
    return false;
  },
];

const ah: MatchCompiler = (options) => (options.length === 0 ? [({ packet }) => packet.proto === 51] : null);
const esp: MatchCompiler = (options, context) => {
  if (options.length === 0) return [({ packet }) => packet.proto === 50];
  return context.proto === 50 ? null : [() => false];
};

/** `-m mac`, `-m pkttype`: what the link layer says */
const mac: MatchCompiler = () => [(walk) => walk.unknown('mac: the link-layer address is not known')];
const pkttype: MatchCompiler = (options) => {
  const option = named(options, 'pkt-type');
  if (option === undefined) return null;
  const types: Readonly<Record<string, string>> = {
    host: 'unicast',
    unicast: 'unicast',
    broadcast: 'broadcast',
    multicast: 'multicast',
    otherhost: 'otherhost',
  };
  const wanted = types[(option.values[0] ?? '').toLowerCase()];
  if (wanted === undefined) return null;
  return [
    (walk) => {
      walk.assume('the frame was addressed to the node');
      return (wanted === 'unicast') !== option.negated;
    },
  ];
};

const string: MatchCompiler = (options) => {
  const what = named(options, 'string', 'hex-string')?.values.join(' ') ?? '';
  return [(walk) => walk.unknown(`string "${what}": the payload is not known`)];
};

const bpf: MatchCompiler = () => [(walk) => walk.unknown('bpf programs are not run')];

const eui64: MatchCompiler = () => [(walk) => walk.unknown('eui64: the link-layer address is not known')];

const length: MatchCompiler = rangeOn('length', 0xffffffff, lengthOf);

/** `-m ipv6header`: which extension headers a packet has; a plain one has only its protocol. */
const ipv6header: MatchCompiler = (options) => {
  const header = named(options, 'header');
  if (header === undefined) return null;
  const soft = named(options, 'soft') !== undefined;
  const words = header.values.join(',').split(',');
  return [
    (walk) => {
      walk.assume('the packet has no extension headers');
      const plain = words.every((word) => ['prot', 'none', '59'].includes(word));
      const has = words.includes('prot');
      return (soft ? has : plain && has) !== header.negated;
    },
  ];
};

export const HEADER_MATCHES: Readonly<Record<string, MatchCompiler>> = {
  tcp,
  udp,
  udplite: udp,
  dccp: udp,
  sctp,
  multiport,
  icmp: icmp(ICMP, 'icmp-type', ICMP_NAMES),
  icmp6: icmp(ICMPV6, 'icmpv6-type', ICMPV6_NAMES),
  icmpv6: icmp(ICMPV6, 'icmpv6-type', ICMPV6_NAMES),
  iprange,
  length,
  dscp,
  tos,
  ttl: ttlLike('ttl'),
  hl: ttlLike('hl'),
  ecn,
  tcpmss,
  u32,
  frag: noHeader,
  rt: noHeader,
  hbh: noHeader,
  dst: noHeader,
  mh: noHeader,
  ipv6header,
  ah,
  esp,
  mac,
  pkttype,
  string,
  bpf,
  eui64,
};
