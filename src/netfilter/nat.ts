/**
 * Translation: how a connection gets its tuples (net/netfilter/nf_nat_core.c), which rules may ask for, and what is then
 * written into each of its packets.
 */
import { type Address, formatAddress } from '../addr/address.js';
import { jhashWords } from '../hash/jhash.js';
import { type Connection, inverted, type Tuple } from './connections.js';
import { addressKey, hasPorts } from './packet.js';
import { selectAddress4, selectAddress6 } from './routing.js';
import { ACCEPT, DROP, type Verdict, type Walk } from './rule-set.js';

export type Manip = 'src' | 'dst';

export interface NatRange {
  readonly min: Address | null;
  readonly max: Address | null;
  readonly minPort: number | null;
  readonly maxPort: number | null;
  /** `--to-destination a:1000-2000/80`: ports are shifted from this one */
  readonly basePort?: number | null;
  readonly random?: boolean;
  readonly persistent?: boolean;
  /** keep the host part under this many bits (NETMAP, nft's `prefix`) */
  readonly netmap?: number | null;
}

export const ANY_RANGE: NatRange = { min: null, max: null, minPort: null, maxPort: null };

/** What DNAT, SNAT and their kin do for the first packet; the verdict ends the nat chains. */
export function setUpNat(walk: Walk, manip: Manip, range: NatRange): Verdict {
  const { connection } = walk;
  if (connection === null) return ACCEPT;
  if (connection.confirmed) return ACCEPT;
  if (manip === 'dst' ? connection.dstDone : connection.srcDone) return DROP;
  const current = inverted(connection.reply);
  const { tuple, drawn } = uniqueTuple(walk, manip, current, range);
  if (tuple === null) return DROP;
  if (drawn) connection.portDrawn = true;
  if (!sameTuple(tuple, current) || drawn) {
    connection.reply = inverted(tuple);
    if (manip === 'src') connection.srcNat = true;
    else connection.dstNat = true;
  }
  if (manip === 'src') connection.srcDone = true;
  else connection.dstDone = true;
  if (walk.recording) walk.changed(natText(manip, tuple, drawn));
  return ACCEPT;
}

/** No rule asked for anything: the tuple stays, unless another connection has its reply already. */
export function nullBinding(walk: Walk, manip: Manip): void {
  const { connection } = walk;
  if (connection === null || connection.confirmed) return;
  const current = inverted(connection.reply);
  const own = manip === 'src' ? current.src : current.dst;
  setUpNat(walk, manip, { ...ANY_RANGE, min: own, max: own });
}

/** Writes what the connection's tuples say into the packet, at this hook. */
export function manipulate(walk: Walk, manip: Manip): void {
  const { connection, packet } = walk;
  if (connection === null) return;
  const translated = walk.isReply
    ? manip === 'src'
      ? connection.dstNat
      : connection.srcNat
    : natted(connection, manip);
  if (!translated) return;
  // the inverse of the tuple of the other direction is what this direction's packets look like
  const target = inverted(walk.isReply ? connection.original : connection.reply);
  if (walk.ctinfo === 'related') return;
  const icmp = packet.isIcmp;
  if (manip === 'src') {
    packet.src = target.src;
    if (!icmp) packet.srcPort = target.srcPort;
    if (connection.portDrawn && !walk.isReply) walk.portDrawn = true;
  } else {
    packet.dst = target.dst;
    if (!icmp) packet.dstPort = target.dstPort;
  }
  packet.changed();
}

function natted(connection: Connection, manip: Manip): boolean {
  return manip === 'src' ? connection.srcNat : connection.dstNat;
}

interface Unique {
  readonly tuple: Tuple | null;
  /** the kernel drew its source port */
  readonly drawn: boolean;
}

/** nf_nat_core.c `get_unique_tuple` */
function uniqueTuple(walk: Walk, manip: Manip, current: Tuple, range: NatRange): Unique {
  const random = range.random === true;
  const used = (tuple: Tuple): boolean => isUsed(walk, tuple);
  if (manip === 'src' && !random && inRange(current, range) && !used(current)) {
    return { tuple: current, drawn: false };
  }
  const address = chooseAddress(current, manip, range);
  const tuple: Tuple = manip === 'src' ? { ...current, src: address } : { ...current, dst: address };
  const { minPort, maxPort } = range;
  const port = manip === 'src' ? tuple.srcPort : tuple.dstPort;
  const withPort = (value: number): Tuple =>
    manip === 'src' ? { ...tuple, srcPort: value } : { ...tuple, dstPort: value };
  if (!hasPorts(tuple.proto)) return { tuple, drawn: false };
  if (minPort !== null && maxPort !== null) {
    const shifted = range.basePort ?? null;
    if (shifted !== null) {
      const size = maxPort - minPort + 1;
      return { tuple: withPort(minPort + ((((port - shifted) % size) + size) % size)), drawn: false };
    }
    const fits = port >= minPort && port <= maxPort;
    if (!random && fits && (minPort === maxPort || !used(tuple))) return { tuple, drawn: false };
    if (minPort === maxPort) return { tuple: withPort(minPort), drawn: false };
    if (manip === 'dst' && !random) {
      for (let at = minPort; at <= maxPort; at++) {
        if (!used(withPort(at))) return { tuple: withPort(at), drawn: false };
      }
      return { tuple: withPort(minPort), drawn: false };
    }
    if (manip === 'dst') {
      const size = maxPort - minPort + 1;
      return { tuple: withPort(minPort + walk.decisions.draw(new Array(size).fill(1 / size))), drawn: false };
    }
    return { tuple, drawn: true };
  }
  if (manip === 'dst') return { tuple, drawn: false };
  return { tuple, drawn: random || used(tuple) };
}

/** Does another connection have the reply that this tuple would have? */
function isUsed(walk: Walk, tuple: Tuple): boolean {
  const found = walk.node.connections.find(inverted(tuple), walk.zone);
  return found !== null && found.connection !== walk.connection;
}

function inRange(tuple: Tuple, range: NatRange): boolean {
  const { min, max, minPort, maxPort } = range;
  if (range.netmap !== undefined && range.netmap !== null) return false;
  if (min !== null && (compare(tuple.src, min) < 0 || compare(tuple.src, max ?? min) > 0)) return false;
  if (minPort === null || maxPort === null || !hasPorts(tuple.proto)) return true;
  return tuple.srcPort >= minPort && tuple.srcPort <= maxPort;
}

function compare(a: Address, b: Address): number {
  return a.w0 - b.w0 || a.w1 - b.w1 || a.w2 - b.w2 || a.w3 - b.w3;
}

/** nf_nat_core.c `find_best_ips_proto`: a hash of the source, and of the destination unless it is to be persistent. */
function chooseAddress(tuple: Tuple, manip: Manip, range: NatRange): Address {
  const { min } = range;
  const own = manip === 'src' ? tuple.src : tuple.dst;
  if (min === null) return own;
  if (range.netmap !== undefined && range.netmap !== null) return joined(min, own, range.netmap);
  const max = range.max ?? min;
  if (addressKey(min) === addressKey(max)) return min;
  const keys = ['w0', 'w1', 'w2', 'w3'] as const;
  const words = min.family === 4 ? 1 : 4;
  // the kernel hashes words as they lie in memory, in network order
  const source = Uint32Array.from(keys, (key) => swap(tuple.src[key]));
  const persistent = range.persistent === true;
  let j = jhashWords(source, 4, persistent ? 0 : swap(tuple.dst[keys[words - 1]!]));
  const out = { ...min, w1: 0, w2: 0, w3: 0 } as { -readonly [K in keyof Address]: Address[K] };
  let fullRange = false;
  for (let i = 0; i < words; i++) {
    const key = keys[i]!;
    const least = fullRange ? 0 : min[key];
    const distance = fullRange ? 0xffffffff : (max[key] - least + 1) >>> 0;
    out[key] = (least + Number((BigInt(j >>> 0) * BigInt(distance)) >> 32n)) >>> 0;
    if (out[key] !== max[key]) fullRange = true;
    if (!persistent) j = (j ^ swap(tuple.dst[key])) >>> 0;
  }
  return out;
}

function swap(word: number): number {
  return (((word & 255) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** The network of `net`, the host part of `host`. */
function joined(net: Address, host: Address, length: number): Address {
  const word = (n: number, h: number, from: number): number => {
    const bits = Math.min(32, Math.max(0, length - from));
    const mask = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
    return ((n & mask) | (h & ~mask)) >>> 0;
  };
  if (net.family === 4) return { ...net, w0: word(net.w0, host.w0, 0) };
  return {
    family: 6,
    w0: word(net.w0, host.w0, 0),
    w1: word(net.w1, host.w1, 32),
    w2: word(net.w2, host.w2, 64),
    w3: word(net.w3, host.w3, 96),
  };
}

/** MASQUERADE: the address that the outgoing interface shows to the next hop. */
export function masquerade(walk: Walk, range: NatRange): Verdict {
  const { oif, packet, gateway } = walk;
  if (oif === null) return ACCEPT;
  const address =
    packet.family === 4
      ? selectAddress4(walk, oif, gateway?.family === 4 ? gateway : packet.dst)
      : selectAddress6(walk, oif, packet.dst);
  if (address === null) {
    return walk.node.hasAddresses
      ? DROP
      : { kind: 'unknown', why: `the addresses of ${oif} were not given (ip -j addr)` };
  }
  return setUpNat(walk, 'src', { ...range, min: address, max: address });
}

/** REDIRECT: to the node itself, by the first address of the interface that the packet came in by. */
export function redirect(walk: Walk, range: NatRange): Verdict {
  const { family } = walk.packet;
  if (walk.hook === 'output') {
    const loopback: Address =
      family === 4 ? { family, w0: 0x7f000001, w1: 0, w2: 0, w3: 0 } : { family, w0: 0, w1: 0, w2: 0, w3: 1 };
    return setUpNat(walk, 'dst', { ...range, min: loopback, max: loopback });
  }
  const link = walk.node.routes.linkOf(walk.iif);
  const found = link?.addresses.find(({ address }) => address.family === family);
  if (found === undefined) {
    return walk.node.hasAddresses
      ? DROP
      : { kind: 'unknown', why: `the addresses of ${walk.iif} were not given (ip -j addr)` };
  }
  return setUpNat(walk, 'dst', { ...range, min: found.address, max: found.address });
}

function natText(manip: Manip, tuple: Tuple, drawn: boolean): string {
  const address = formatAddress(manip === 'src' ? tuple.src : tuple.dst);
  const port =
    drawn && manip === 'src'
      ? 'a port that the kernel draws'
      : String(manip === 'src' ? tuple.srcPort : tuple.dstPort);
  return `${manip === 'src' ? 'source' : 'destination'} becomes ${address}${hasPorts(tuple.proto) ? `, port ${port}` : ''}`;
}

function sameTuple(a: Tuple, b: Tuple): boolean {
  return (
    a.srcPort === b.srcPort &&
    a.dstPort === b.dstPort &&
    addressKey(a.src) === addressKey(b.src) &&
    addressKey(a.dst) === addressKey(b.dst)
  );
}
