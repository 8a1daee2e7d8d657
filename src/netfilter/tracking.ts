/**
 * The look-up in the connection-tracking table, and what it makes of the packet (net/netfilter/nf_conntrack_core.c and
 * nf_conntrack_proto_*.c): of no connection, its first packet, a later one, an error about one, or none at all (INVALID).
 */
import { formatAddress, ipv4, ipv6 } from '../addr/address.js';
import { IGNORE, INVALID, nextTcpState, segmentOf, TcpState } from '../conntrack/tcp-states.js';
import { ICMP, ICMPV6, TCP } from '../wire/ip-protocol.js';
import { type Connection, inverted, type Tuple } from './connections.js';
import { transportAt } from './packet.js';
import type { Walk } from './rule-set.js';

/** ICMP types that begin a connection: echo, timestamp, information and address mask requests */
const ICMP_BEGINS = [8, 13, 15, 17];
const ICMP_ANSWERS = [0, 14, 16, 18];
const ICMP_ERRORS = [3, 4, 5, 11, 12];
/** echo and node information requests */
const ICMPV6_BEGINS = [128, 139];
/** neighbour discovery and multicast listener messages are not tracked at all */
const ICMPV6_UNTRACKED = [130, 131, 132, 133, 134, 135, 136, 143];

/** Sets the walk's connection and ctinfo; says in words what happened. */
export function trackPacket(walk: Walk): string {
  const { packet } = walk;
  if (packet.isIcmp) return trackIcmp(walk);
  const found = walk.node.connections.find(walk.tuple(), walk.zone);
  if (packet.proto === TCP)
    return trackTcp(walk, found === null ? null : found.connection, found?.reply ?? false);
  if (found === null) {
    walk.begin();
    return 'no entry: the first packet of a connection';
  }
  return joinEntry(walk, found.connection, found.reply);
}

/** NOTRACK, `notrack`: before the look-up, or for what is no connection's. */
export function notrack(walk: Walk): void {
  if (walk.connection !== null) return;
  walk.ctinfo = 'untracked';
  if (walk.recording) walk.changed('not tracked');
}

function joinEntry(walk: Walk, known: Connection, reply: boolean, tcp: TcpState = known.tcp): string {
  const connection = walk.join({ connection: known, reply });
  connection.tcp = tcp;
  if (reply) connection.seenReply = true;
  walk.ctinfo = connection.seenReply || reply ? 'established' : 'new';
  return `entry of ${tupleText(connection.original)}, ${reply ? 'reply' : 'original'} direction`;
}

function trackTcp(walk: Walk, known: Connection | null, reply: boolean): string {
  const segment = segmentOf(walk.packet.flags);
  if (segment === -1) {
    walk.ctinfo = 'invalid';
    return 'a combination of TCP flags that no stack sends';
  }
  if (known === null) {
    const next = nextTcpState(0, segment, TcpState.none);
    const loose = walk.node.sysctl('net.netfilter.nf_conntrack_tcp_loose') ?? 1;
    if (next === INVALID || next === IGNORE || (next === TcpState.established && loose === 0)) {
      walk.ctinfo = 'invalid';
      return 'no entry, and a segment that cannot begin one';
    }
    walk.begin();
    walk.connection!.tcp = next as TcpState;
    return next === TcpState.established
      ? 'no entry: picked up in the middle (nf_conntrack_tcp_loose)'
      : 'no entry: the first packet of a connection';
  }
  const next = nextTcpState(reply ? 1 : 0, segment, known.tcp);
  if (next === INVALID) {
    walk.ctinfo = 'invalid';
    return `entry of ${tupleText(known.original)}, for which this segment is out of order`;
  }
  if (next === TcpState.synSent && known.tcp !== TcpState.synSent) {
    // a SYN after the end of the earlier connection: its entry goes, and a new one is made
    walk.replaces = known;
    walk.begin();
    walk.connection!.tcp = TcpState.synSent;
    return 'the entry of an ended connection makes room for a new one';
  }
  return joinEntry(walk, known, reply, next === IGNORE ? known.tcp : (next as TcpState));
}

function trackIcmp(walk: Walk): string {
  const { packet, node } = walk;
  const { icmpType: type, family } = packet;
  if (family === 6 && ICMPV6_UNTRACKED.includes(type)) {
    walk.ctinfo = 'untracked';
    return 'neighbour discovery is not tracked';
  }
  if (family === 4 ? ICMP_ERRORS.includes(type) : type < 128) return trackError(walk);
  const found = node.connections.find(walk.tuple(), walk.zone);
  // without an identifier a second request is taken for another echo, until the first has been answered
  const isOther = packet.icmpId === null && found !== null && !found.reply && !found.connection.seenReply;
  if (found !== null && !isOther) return joinEntry(walk, found.connection, found.reply);
  const begins = (family === 4 ? ICMP_BEGINS : ICMPV6_BEGINS).includes(type);
  if (!begins) {
    walk.ctinfo = 'invalid';
    return ICMP_ANSWERS.includes(type) || type === 129
      ? 'an answer that nobody asked for'
      : 'begins no connection';
  }
  walk.begin();
  return 'no entry: the first packet of a connection';
}

/** An ICMP error belongs to the connection of the packet that it quotes. */
function trackError(walk: Walk): string {
  const quoted = quotedTuple(walk);
  if (quoted === null) {
    walk.ctinfo = 'invalid';
    if (walk.packet.given.bytes === undefined)
      walk.assume('the ICMP error quotes no packet of a tracked connection');
    return 'an ICMP error that quotes no tracked packet';
  }
  // the quoted packet went the other way
  const found = walk.node.connections.find(inverted(quoted), walk.zone);
  if (found === null) {
    walk.ctinfo = 'invalid';
    return 'an ICMP error about a connection that is not known';
  }
  walk.join(found);
  walk.ctinfo = 'related';
  return `an ICMP error about ${tupleText(found.connection.original)}`;
}

function quotedTuple(walk: Walk): Tuple | null {
  const { bytes } = walk.packet.given;
  if (bytes === undefined) return null;
  const quote = bytes.subarray(transportAt(bytes) + 8);
  const v4 = quote[0]! >> 4 === 4;
  if (quote.length < (v4 ? 28 : 48)) return null;
  const view = new DataView(quote.buffer, quote.byteOffset, quote.byteLength);
  const at = transportAt(quote);
  if (at + 4 > quote.length) return null;
  const word = (offset: number): number => view.getUint32(offset);
  const address = (offset: number) =>
    v4 ? ipv4(word(offset)) : ipv6(word(offset), word(offset + 4), word(offset + 8), word(offset + 12));
  const proto = v4 ? quote[9]! : quote[6]!;
  const icmp = proto === ICMP || proto === ICMPV6;
  if (icmp && at + 6 > quote.length) return null;
  return {
    proto,
    src: address(v4 ? 12 : 8),
    srcPort: icmp ? view.getUint16(at + 4) : view.getUint16(at),
    dst: address(v4 ? 16 : 24),
    dstPort: icmp ? view.getUint16(at) : view.getUint16(at + 2),
  };
}

function tupleText(t: Tuple): string {
  return `${formatAddress(t.src)}:${t.srcPort} to ${formatAddress(t.dst)}:${t.dstPort}`;
}
