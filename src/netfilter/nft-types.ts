/**
 * nft's data types: how a constant in the JSON becomes a number, and what its words mean (libnftables, src/datatype.c and
 * src/proto.c).
 *
 * Integers and IPv4 addresses are numbers, IPv6 addresses bigints, names of interfaces texts.
 */
import { type Address, parseAddress } from '../addr/address.js';
import { protocolNumber } from './protocols.js';

export type Value = number | bigint | string;

/** An expression that is not modelled; the message says which. */
export class NotModelled extends Error {}

const CT_STATE = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 };
const CT_STATUS = {
  expected: 1,
  'seen-reply': 2,
  assured: 4,
  confirmed: 8,
  snat: 16,
  dnat: 32,
  'seq-adjust': 64,
  dying: 512,
};
const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ecn: 64, cwr: 128 };
const FIB_TYPE = {
  unspec: 0,
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
  nat: 10,
  xresolve: 11,
};
const ICMP_TYPE = {
  'echo-reply': 0, 'destination-unreachable': 3, 'source-quench': 4, redirect: 5, 'echo-request': 8, 'router-advertisement': 9,
  'router-solicitation': 10, 'time-exceeded': 11, 'parameter-problem': 12, 'timestamp-request': 13, 'timestamp-reply': 14,
  'info-request': 15, 'info-reply': 16, 'address-mask-request': 17, 'address-mask-reply': 18,
}; // biome-ignore format: a table
const ICMPV6_TYPE = {
  'destination-unreachable': 1, 'packet-too-big': 2, 'time-exceeded': 3, 'parameter-problem': 4, 'echo-request': 128,
  'echo-reply': 129, 'mld-listener-query': 130, 'mld-listener-report': 131, 'mld-listener-done': 132, 'mld-listener-reduction': 132,
  'nd-router-solicit': 133, 'nd-router-advert': 134, 'nd-neighbor-solicit': 135, 'nd-neighbor-advert': 136, 'nd-redirect': 137,
  'router-renumbering': 138, 'ind-neighbor-solicit': 141, 'ind-neighbor-advert': 142, 'mld2-listener-report': 143,
}; // biome-ignore format: a table
const ICMP_CODE = {
  'net-unreachable': 0,
  'host-unreachable': 1,
  'prot-unreachable': 2,
  'port-unreachable': 3,
  'frag-needed': 4,
  'net-prohibited': 9,
  'host-prohibited': 10,
  'admin-prohibited': 13,
};
const ICMPV6_CODE = {
  'no-route': 0,
  'admin-prohibited': 1,
  'addr-unreachable': 3,
  'port-unreachable': 4,
  'policy-fail': 5,
  'reject-route': 6,
};
const DSCP = {
  cs0: 0, cs1: 8, cs2: 16, cs3: 24, cs4: 32, cs5: 40, cs6: 48, cs7: 56, df: 0, be: 0, lephb: 1, va: 44, ef: 46, af11: 10, af12: 12, af13: 14, af21: 18,
  af22: 20, af23: 22, af31: 26, af32: 28, af33: 30, af41: 34, af42: 36, af43: 38,
}; // biome-ignore format: a table
const ECN = { 'not-ect': 0, ect1: 1, ect0: 2, ce: 3 };
const ETHER_TYPE = { ip: 0x0800, arp: 0x0806, ip6: 0x86dd, vlan: 0x8100, '8021q': 0x8100, '8021ad': 0x88a8 };
const ARPHRD = {
  ether: 1,
  ppp: 512,
  ipip: 768,
  tunnel: 768,
  tunnel6: 769,
  loopback: 772,
  sit: 776,
  ipgre: 778,
  none: 0xfffe,
};

/** words of each type; types without words have none */
const WORDS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  ct_state: CT_STATE,
  ct_status: CT_STATUS,
  ct_dir: { original: 0, reply: 1 },
  tcp_flag: TCP_FLAG,
  fib_addrtype: FIB_TYPE,
  icmp_type: ICMP_TYPE,
  icmpv6_type: ICMPV6_TYPE,
  icmp_code: ICMP_CODE,
  icmpv6_code: ICMPV6_CODE,
  dscp: DSCP,
  ecn: ECN,
  ether_type: ETHER_TYPE,
  iface_type: ARPHRD,
  nf_proto: { ipv4: 2, ipv6: 10 },
  pkt_type: { unicast: 0, host: 0, broadcast: 1, multicast: 2, other: 3 },
  devgroup: { default: 0 },
  boolean: { exists: 1, missing: 0 },
};

/** Types whose values are sets of bits: `in` asks whether they share one. */
const BITMASKS = new Set(['ct_state', 'ct_status', 'tcp_flag', 'ct_label', 'ct_event']);

export function isBitmask(type: string): boolean {
  return BITMASKS.has(type);
}

/** The JSON's names of fields whose constants are names of interfaces. */
const INTERFACE_TYPES = new Set(['ifname', 'iface_index', 'iface']);

/** A constant of this type. */
export function constantOf(json: unknown, type: string): Value {
  if (typeof json === 'boolean') return json ? 1 : 0;
  if (typeof json === 'number') return type === 'ipv6_addr' ? BigInt(json) : json;
  if (Array.isArray(json)) {
    return json.map((each) => numberOf(constantOf(each, type))).reduce((so, each) => (so | each) >>> 0, 0);
  }
  if (typeof json === 'object' && json !== null) {
    const [operator, operands] = Object.entries(json)[0] ?? [];
    if (operator === 'elem') return constantOf((operands as { val: unknown }).val, type);
    if (Array.isArray(operands) && ['|', '&', '^', '<<', '>>'].includes(operator!)) {
      const values = operands.map((each) => constantOf(each, type));
      return values.reduce((so, each) => binary(operator!, so, each));
    }
    throw new NotModelled(`the constant ${JSON.stringify(json).slice(0, 60)}`);
  }
  const text = String(json);
  if (INTERFACE_TYPES.has(type)) return text;
  const word = WORDS[type]?.[text.toLowerCase()];
  if (word !== undefined) return word;
  if (type === 'inet_proto') {
    const number = protocolNumber(text);
    if (number !== null) return number;
  }
  const address = parseAddress(text);
  if (address !== null) return addressValue(address);
  if (type === 'classid') {
    const [, major, minor] = /^([0-9a-f]*):([0-9a-f]*)$/i.exec(text) ?? [];
    if (minor !== undefined) {
      return (Number.parseInt(major || '0', 16) * 0x10000 + Number.parseInt(minor || '0', 16)) >>> 0;
    }
    if (text === 'none') return 0;
    if (text === 'root') return 0xffffffff;
  }
  if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return Number(text);
  if (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) return Number.parseInt(text.replaceAll(':', ''), 16);
  if (type === 'inet_service' && SERVICES[text] !== undefined) return SERVICES[text]!;
  if (type === 'string' || type === 'unknown') return text;
  throw new NotModelled(`the word "${text}" for ${type}`);
}

/** The few service names that older nft prints for ports. */
const SERVICES: Readonly<Record<string, number>> = {
  ssh: 22, domain: 53, http: 80, https: 443, ntp: 123, bootps: 67, bootpc: 68, 'dhcpv6-client': 546, 'dhcpv6-server': 547, mdns: 5353, smtp: 25, ftp: 21, bgp: 179, snmp: 161, 'http-alt': 8080,
}; // biome-ignore format: a table

export function addressValue(a: Address): Value {
  if (a.family === 4) return a.w0;
  return (BigInt(a.w0) << 96n) | (BigInt(a.w1) << 64n) | (BigInt(a.w2) << 32n) | BigInt(a.w3);
}

export function valueAddress(value: Value, family: 4 | 6): Address {
  if (family === 4) return { family, w0: Number(value) >>> 0, w1: 0, w2: 0, w3: 0 };
  const big = BigInt(value);
  const word = (shift: bigint): number => Number((big >> shift) & 0xffffffffn);
  return { family, w0: word(96n), w1: word(64n), w2: word(32n), w3: word(0n) };
}

export function numberOf(value: Value): number {
  return typeof value === 'string' ? Number.NaN : Number(value);
}

/** `a` and `b` under one of nft's operators; 32 bits wide unless either is wider. */
export function binary(operator: string, a: Value, b: Value): Value {
  if (typeof a === 'string' || typeof b === 'string') throw new NotModelled(`${operator} over names`);
  if (typeof a === 'bigint' || typeof b === 'bigint' || a > 0xffffffff || b > 0xffffffff) {
    const x = BigInt(a);
    const y = BigInt(b);
    const big =
      operator === '&'
        ? x & y
        : operator === '|'
          ? x | y
          : operator === '^'
            ? x ^ y
            : operator === '<<'
              ? x << y
              : x >> y;
    return typeof a === 'bigint' || typeof b === 'bigint' ? big : Number(big);
  }
  switch (operator) {
    case '&':
      return (a & b) >>> 0;
    case '|':
      return (a | b) >>> 0;
    case '^':
      return (a ^ b) >>> 0;
    case '<<':
      return b >= 32 ? 0 : (a << b) >>> 0;
    default:
      return b >= 32 ? 0 : a >>> b;
  }
}

/** A constant or an interval, both ends included. */
export interface Interval {
  readonly low: Value;
  readonly high: Value;
}

/** `{ prefix }`, `{ range }`, or one value. */
export function intervalOf(json: unknown, type: string): Interval {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
    if ('elem' in json) return intervalOf((json.elem as { val: unknown }).val, type);
    if ('range' in json) {
      const [low, high] = json.range as unknown[];
      return { low: constantOf(low, type), high: constantOf(high, type) };
    }
    if ('prefix' in json) {
      const { addr, len } = json.prefix as { addr: unknown; len: number };
      const low = constantOf(addr, type);
      const bits = typeof low === 'bigint' ? 128 : typeof low === 'number' && low > 0xffffffff ? 48 : 32;
      if (typeof low === 'string') return { low, high: low };
      const host = (1n << BigInt(bits - len)) - 1n;
      const high = BigInt(low) | host;
      return { low, high: typeof low === 'bigint' ? high : Number(high) };
    }
  }
  // "eth*" in a set of interface names
  if (type === 'ifname' && typeof json === 'string' && json.endsWith('*')) {
    const start = json.slice(0, -1);
    return { low: start, high: `${start}\uffff` };
  }
  const value = constantOf(json, type);
  return { low: value, high: value };
}

export function within({ low, high }: Interval, value: Value): boolean {
  return value >= low && value <= high;
}
