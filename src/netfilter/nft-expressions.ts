/**
 * nft's expressions: what a rule reads. Compiled from the JSON schema (libnftables-json(5)) into functions of the walk.
 * Null ends the rule, as the kernel's NFT_BREAK does; UNKNOWN is a value that nobody gave.
 */
import type { Family } from '../addr/address.js';
import { jhashBytes } from '../hash/jhash.js';
import { isNameless } from './assumed-routes.js';
import type { Connection } from './connections.js';
import { statusBits } from './iptables-conntrack-matches.js';
import { tcpOption } from './iptables-header-matches.js';
import { compileFib } from './nft-fib.js';
import { HEADERS } from './nft-payload.js';
import type { Expression, Read } from './nft-read.js';
import { concatOf, NftSet, unwrapped } from './nft-sets.js';
import {
  addressValue,
  binary,
  constantOf,
  type Interval,
  intervalOf,
  NotModelled,
  type Value,
} from './nft-types.js';
import { UNKNOWN, type Unknown } from './packet.js';
import type { RuleFamily, Walk } from './rule-set.js';

/** What a table knows by name, for the rules in it. */
export interface Scope {
  readonly family: RuleFamily;
  readonly sets: ReadonlyMap<string, NftSet<null>>;
  readonly maps: ReadonlyMap<string, NftSet<Datum>>;
  /** data types of maps */
  readonly objects: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

/** What a map yields: a value, or several of a concatenation, each possibly an interval. */
export type Datum = readonly Interval[];

type Json = Readonly<Record<string, unknown>>;

export function compileExpression(json: unknown, scope: Scope, hint = 'unknown'): Expression {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    const value = constantOf(json, hint);
    return { type: hint, read: () => value, constant: true };
  }
  const [name, body] = Object.entries(json)[0] ?? ['nothing', null];
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Json;
  switch (name) {
    case 'payload':
      return payload(fields);
    case 'meta':
      return meta(String(fields.key));
    case 'ct':
      return ct(fields);
    case 'fib':
      return compileFib(fields);
    case 'concat': {
      const parts = (body as unknown[]).map((each) => compileExpression(each, scope));
      return { type: 'concat', read: () => null, parts };
    }
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      return binaryExpression(name, body as unknown[], scope, hint);
    case 'numgen':
      return numgen(fields);
    case 'jhash':
    case 'symhash':
      return hash(name, fields, scope);
    case 'map':
      return mapExpression(fields, scope);
    case 'exthdr':
    case 'ip option':
      return absentHeader(name, fields);
    case 'tcp option':
      return tcpOptionExpression(fields);
    case 'rt':
      return rt(String(fields.key));
    case 'elem':
      return compileExpression(fields.val, scope, hint);
    case 'ipsec':
      // a packet that came in plain has no IPsec state
      return { type: 'integer', read: () => null };
    case 'prefix':
    case 'range': {
      const { low, high } = intervalOf(json, hint);
      if (low !== high) throw new NotModelled(`an interval in place of a value`);
      return { type: hint, read: () => low, constant: true };
    }
    default:
      throw new NotModelled(`the expression ${name}`);
  }
}

function payload(fields: Json): Expression {
  if (fields.base !== undefined) {
    const base = String(fields.base) as 'nh';
    const offset = Number(fields.offset);
    const bits = Number(fields.len);
    return { type: 'integer', read: ({ packet }) => packet.bits(base, offset, bits) };
  }
  const protocol = String(fields.protocol);
  const header = HEADERS[protocol];
  const field = header?.fields[String(fields.field)];
  if (header === undefined || field === undefined) {
    throw new NotModelled(`the header field ${protocol} ${String(fields.field)}`);
  }
  const { base, offset, bits, type, assumed } = field;
  return {
    type,
    read: (walk) => {
      const { packet } = walk;
      if (header.family !== null && header.family !== packet.family) return null;
      if (header.proto !== null && header.proto !== packet.proto) return null;
      if (type === 'ipv4_addr' || type === 'ipv6_addr') {
        if (protocol === 'ip' || protocol === 'ip6')
          return addressValue(field === header.fields.saddr ? packet.src : packet.dst);
      }
      if (type === 'inet_service' && packet.hasPorts) return offset === 0 ? packet.srcPort : packet.dstPort;
      if (type === 'ether_type') return packet.family === 4 ? 0x0800 : 0x86dd;
      if (assumed !== undefined && packet.given.bytes === undefined) walk.assume(assumed);
      return packet.bits(base, offset, bits);
    },
  };
}

/** NFPROTO_IPV4 and NFPROTO_IPV6 */
const nfproto = (family: Family): number => (family === 4 ? 2 : 10);

/** Types of `meta` keys and what they read. */
const META: Readonly<Record<string, readonly [type: string, read: (walk: Walk) => Read]>> = {
  length: ['integer', ({ packet }) => packet.length],
  protocol: ['ether_type', ({ packet }) => (packet.family === 4 ? 0x0800 : 0x86dd)],
  nfproto: ['nf_proto', ({ packet }) => nfproto(packet.family)],
  l4proto: ['inet_proto', ({ packet }) => packet.proto],
  mark: ['mark', ({ packet }) => (packet.markUnknown ? UNKNOWN : packet.mark)],
  priority: ['classid', ({ packet }) => packet.priority],
  iif: ['iface', (walk) => (isNameless(walk.iif) ? UNKNOWN : (walk.iif ?? ''))],
  iifname: ['ifname', (walk) => (isNameless(walk.iif) ? UNKNOWN : (walk.iif ?? ''))],
  oif: ['iface', (walk) => (isNameless(walk.oif) ? UNKNOWN : (walk.oif ?? ''))],
  oifname: ['ifname', (walk) => (isNameless(walk.oif) ? UNKNOWN : (walk.oif ?? ''))],
  iiftype: ['iface_type', (walk) => linkType(walk, walk.iif)],
  oiftype: ['iface_type', (walk) => linkType(walk, walk.oif)],
  iifgroup: ['devgroup', (walk) => linkGroup(walk, walk.iif)],
  oifgroup: ['devgroup', (walk) => linkGroup(walk, walk.oif)],
  pkttype: [
    'pkt_type',
    (walk) => {
      walk.assume('the frame was addressed to the node');
      return 0;
    },
  ],
  // what is forwarded has no socket
  skuid: ['integer', (walk) => (walk.packet.given.iif === null ? UNKNOWN : null)],
  skgid: ['integer', (walk) => (walk.packet.given.iif === null ? UNKNOWN : null)],
  cgroup: ['integer', (walk) => (walk.packet.given.iif === null ? UNKNOWN : null)],
  rtclassid: ['integer', () => 0],
  ibrname: ['ifname', () => ''],
  obrname: ['ifname', () => ''],
  ibriport: ['ifname', () => ''],
  obriport: ['ifname', () => ''],
  sdif: ['iface', () => ''],
  sdifname: ['ifname', () => ''],
  secpath: ['boolean', () => 0],
  ipsec: ['boolean', () => 0],
  nftrace: ['integer', () => 0],
};

function meta(key: string): Expression {
  if (key === 'random') return { type: 'integer', read: () => UNKNOWN, random: true };
  const found = META[key];
  if (found !== undefined) return { type: found[0], read: found[1] };
  if (['day', 'hour', 'time', 'cpu', 'iifkind', 'oifkind', 'broute'].includes(key)) {
    return { type: 'unknown', read: () => UNKNOWN };
  }
  throw new NotModelled(`meta ${key}`);
}

function linkType(walk: Walk, name: string | null): Read {
  const kind = walk.node.routes.linkOf(name)?.kind;
  return kind === undefined ? (name === null ? null : UNKNOWN) : constantOf(kind, 'iface_type');
}

function linkGroup(walk: Walk, name: string | null): Read {
  const group = walk.node.routes.linkOf(name)?.group;
  if (group === undefined) return name === null ? null : UNKNOWN;
  return group === 'default' ? 0 : /^\d+$/.test(group) ? Number(group) : UNKNOWN;
}

const CT_BITS: Readonly<Record<string, number>> = {
  new: 8,
  established: 2,
  related: 4,
  untracked: 64,
  invalid: 1,
  none: 1,
};

function ct(fields: Json): Expression {
  const key = String(fields.key);
  const dir = fields.dir === undefined ? null : String(fields.dir);
  if (key === 'state') return { type: 'ct_state', read: (walk) => CT_BITS[walk.ctinfo]! };
  const of = (type: string, read: (connection: Connection, walk: Walk) => Read): Expression => ({
    type,
    read: (walk) => (walk.connection === null ? null : read(walk.connection, walk)),
  });
  const tuple = (connection: Connection) => (dir === 'reply' ? connection.reply : connection.original);
  const side = /^(?:(ip6?) )?([sd])addr$/.exec(key);
  if (side !== null) {
    const family =
      side[1] === undefined
        ? fields.family === 'ip6'
          ? 6
          : fields.family === 'ip'
            ? 4
            : null
        : side[1] === 'ip'
          ? 4
          : 6;
    const end = side[2] === 's' ? 'src' : 'dst';
    return of(family === 6 ? 'ipv6_addr' : 'ipv4_addr', (connection) => {
      const address = tuple(connection)[end];
      return family !== null && address.family !== family ? null : addressValue(address);
    });
  }
  switch (key) {
    case 'direction':
      return of('ct_dir', (_, { isReply }) => (isReply ? 1 : 0));
    case 'status':
      return of('ct_status', statusBits);
    case 'mark':
      return of('mark', ({ mark, markUnknown }) => (markUnknown ? UNKNOWN : mark));
    case 'l3proto':
      return of('nf_proto', ({ original }) => nfproto(original.src.family));
    case 'protocol':
      return of('inet_proto', ({ original }) => original.proto);
    case 'proto-src':
      return of('inet_service', (connection) => tuple(connection).srcPort);
    case 'proto-dst':
      return of('inet_service', (connection) => tuple(connection).dstPort);
    case 'zone':
      return of('integer', ({ zone }) => zone);
    case 'helper':
      return of('string', ({ helper }) => helper);
    case 'packets':
    case 'bytes':
    case 'avgpkt':
      // the first packet has been counted when rules see it
      return of('integer', (connection, { packet }) =>
        connection.confirmed ? UNKNOWN : dir === 'reply' ? 0 : key === 'packets' ? 1 : packet.length,
      );
    case 'expiration':
      return of('integer', ({ confirmed }) => (confirmed ? UNKNOWN : 0));
    case 'id':
      return of('integer', () => UNKNOWN);
    case 'label':
      return of('ct_label', ({ labels }) => [...labels].reduce((so, bit) => so | (1n << BigInt(bit)), 0n));
    default:
      throw new NotModelled(`ct ${key}`);
  }
}

function binaryExpression(operator: string, operands: unknown[], scope: Scope, hint: string): Expression {
  const first = compileExpression(operands[0], scope, hint);
  const rest = operands.slice(1).map((each) => compileExpression(each, scope, first.type));
  // a word beside a field is of the field's type, whichever comes first
  const type = first.constant === true && rest.length > 0 ? rest[0]!.type : first.type;
  return {
    type,
    read: (walk) => {
      let so = first.read(walk);
      for (const each of rest) {
        const next = each.read(walk);
        if (so === null || next === null) return null;
        if (so === UNKNOWN || next === UNKNOWN) return UNKNOWN;
        so = binary(operator, so, next);
      }
      return so;
    },
    ...(first.constant === true && rest.every(({ constant }) => constant === true)
      ? { constant: true as const }
      : {}),
  };
}

function numgen(fields: Json): Expression {
  const modulus = Number(fields.mod);
  const offset = Number(fields.offset ?? 0);
  if (!(modulus >= 1 && modulus <= 65536)) throw new NotModelled(`numgen mod ${modulus}`);
  if (fields.mode !== 'random') {
    return { type: 'integer', read: ({ decisions }) => offset + decisions.counted(fields, modulus, 0) };
  }
  const shares = new Array<number>(modulus).fill(1 / modulus);
  return {
    type: 'integer',
    read: ({ decisions }) => offset + (modulus === 1 ? 0 : decisions.draw(shares)),
  };
}

/** nft_hash.c: jhash over the key as it lies in registers of 32 bits; without a seed the kernel draws one. */
function hash(name: string, fields: Json, scope: Scope): Expression {
  const modulus = Number(fields.mod);
  const offset = Number(fields.offset ?? 0);
  const shares = new Array<number>(modulus).fill(1 / modulus);
  const drawn = ({ decisions }: Walk): number => offset + (modulus === 1 ? 0 : decisions.draw(shares));
  if (!(modulus >= 1 && modulus <= 65536)) throw new NotModelled(`${name} mod ${modulus}`);
  if (name === 'symhash' || fields.seed === undefined) return { type: 'integer', read: drawn };
  const seed = Number(fields.seed);
  const key = compileExpression(fields.expr, scope);
  const parts = key.parts ?? [key];
  return {
    type: 'integer',
    read: (walk) => {
      const octets: number[] = [];
      for (const part of parts) {
        const value = part.read(walk);
        if (value === null || value === UNKNOWN || typeof value === 'string')
          return value === null ? null : drawn(walk);
        pushRegister(octets, value, part.type, parts.length > 1);
      }
      const value = jhashBytes(Uint8Array.from(octets), seed);
      return offset + Number((BigInt(value) * BigInt(modulus)) >> 32n);
    },
  };
}

/** A value as the kernel keeps it: network order; the parts of a concatenation fill whole registers. */
function pushRegister(octets: number[], value: number | bigint, type: string, pads: boolean): void {
  const size =
    type === 'ipv6_addr'
      ? 16
      : type === 'ipv4_addr' || type === 'mark'
        ? 4
        : type === 'inet_service'
          ? 2
          : type === 'inet_proto'
            ? 1
            : 4;
  const bytes: number[] = [];
  for (let at = 0; at < size; at++) bytes.unshift(Number((BigInt(value) >> BigInt(8 * at)) & 255n));
  // marks are in host order
  if (type === 'mark') bytes.reverse();
  while (pads && bytes.length % 4 !== 0) bytes.push(0);
  octets.push(...bytes);
}

function mapExpression(fields: Json, scope: Scope): Expression {
  const key = compileExpression(fields.key, scope);
  const map = dataMap(fields.data, key, scope);
  const parts = key.parts ?? [key];
  return {
    type: 'unknown',
    read: (walk) => {
      const datum = readMap(walk, parts, map);
      if (datum === null || datum === UNKNOWN) return datum;
      return datum[0]!.low;
    },
  };
}

/** The datum for the key that the packet has. */
export function readMap(
  walk: Walk,
  parts: readonly Expression[],
  map: NftSet<Datum>,
): Datum | null | Unknown {
  const keys = readAll(walk, parts);
  if (keys === null) return null;
  const found = map.find(keys);
  return found === null || found === UNKNOWN ? found : found.data;
}

/** The values of all parts; null where one ends the rule. */
export function readAll(walk: Walk, parts: readonly Expression[]): (Value | Unknown)[] | null {
  const out: (Value | Unknown)[] = [];
  for (const part of parts) {
    const value = part.read(walk);
    if (value === null) return null;
    out.push(value);
  }
  return out;
}

/** `data` of a map expression: a name or elements; values are addresses, ports, marks or concatenations of them. */
export function dataMap(data: unknown, key: Expression, scope: Scope): NftSet<Datum> {
  if (typeof data === 'string') {
    const map = scope.maps.get(data.replace(/^@/, ''));
    if (map === undefined) throw new NotModelled(`the map ${data}`);
    return map;
  }
  const map = new NftSet<Datum>(
    '',
    (key.parts ?? [key]).map(({ type }) => type),
    false,
  );
  for (const [from, to] of (data as { set: [unknown, unknown][] }).set) map.add(from, datumOf(to, []));
  return map;
}

export function datumOf(json: unknown, types: readonly string[]): Datum {
  const bare = unwrapped(json);
  const concat = concatOf(bare);
  return (concat ?? [bare]).map((each, at) => intervalOf(each, types[at] ?? 'unknown'));
}

/** Extension headers and options: a plain packet has none, which ends a rule that reads a field of one. */
function absentHeader(name: string, fields: Json): Expression {
  const exists = fields.field === undefined;
  return {
    type: exists ? 'boolean' : 'integer',
    read: (walk) => {
      // the header of the other family cannot even be looked for
      if (walk.packet.family !== (name === 'exthdr' ? 6 : 4)) return null;
      walk.assume(
        name === 'exthdr' ? 'the packet has no extension headers' : 'the IPv4 header has no options',
      );
      return exists ? 0 : null;
    },
  };
}

const TCP_OPTIONS: Readonly<Record<string, number>> = {
  maxseg: 2,
  window: 3,
  'sack-perm': 4,
  'sack-permitted': 4,
  sack: 5,
  timestamp: 8,
  md5sig: 19,
  mptcp: 30,
  fastopen: 34,
};

function tcpOptionExpression(fields: Json): Expression {
  const kind = TCP_OPTIONS[String(fields.name)];
  if (kind === undefined) throw new NotModelled(`the TCP option ${String(fields.name)}`);
  if (fields.field === undefined) {
    return {
      type: 'boolean',
      // what is not TCP has no option, which is an answer here
      read: (walk) => (walk.packet.proto !== 6 || tcpOption(walk, kind) === null ? 0 : 1),
    };
  }
  return {
    type: 'integer',
    read: (walk) => {
      if (walk.packet.proto !== 6) return null;
      const value = tcpOption(walk, kind);
      if (value === null) return null;
      return fields.field === 'length' ? value.length + 2 : value.reduce((so, octet) => so * 256 + octet, 0);
    },
  };
}

function rt(key: string): Expression {
  if (key === 'nexthop' || key === 'ip nexthop' || key === 'ip6 nexthop') {
    return {
      type: key === 'ip6 nexthop' ? 'ipv6_addr' : 'ipv4_addr',
      read: ({ route, gateway, packet }) => (route === null ? null : addressValue(gateway ?? packet.dst)),
    };
  }
  if (key === 'classid') return { type: 'integer', read: () => 0 };
  if (key === 'mtu') return { type: 'integer', read: () => UNKNOWN };
  if (key === 'ipsec') return { type: 'boolean', read: () => 0 };
  throw new NotModelled(`rt ${key}`);
}
