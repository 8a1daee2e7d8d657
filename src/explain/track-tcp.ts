/**
 * What one TCP segment changes in its connection's row: sequence numbers, silence, closes, resets.
 *
 * A silence (`GAP`) counts as survived once something sent after it is acknowledged. Octets are open from their first
 * transmission until their acknowledgement; a segment that brings nothing new is a repeat, but for keep-alive probes.
 * After a reset nothing of the row changes but counters: what follows is the echo of it.
 */
import * as t from './connection-table.js';
import type { SeenPacket } from './seen-packet.js';

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const PSH = 0x08;
const ACK = 0x10;

/** A reset later than this, and than three round trips, after the other side's last segment answers nothing. */
const PROMPT_NS = 50e6;
/** IPv6 has no identification: equal segments closer than this are copies of one (the least retransmission is later). */
const COPY_NS = 1e6;

/** `fromServer` as {@link t.ConnectionTable.find} says. `c` and `w` are where the row begins. */
export function trackTcp(
  { clock, words }: t.ConnectionChunk,
  c: number,
  w: number,
  fromServer: number,
  p: SeenPacket,
): void {
  const self = w + t.OUT + (t.IN - t.OUT) * fromServer;
  const peer = w + t.IN - (t.IN - t.OUT) * fromServer;
  const now = p.timeNs;
  const { flags, payload, seq } = p;
  const first = words[self + t.PACKETS] === 0;
  let marks = words[w + t.MARKS]!;
  if (fromServer === 0 && p.nextHop !== 0) trackNextHop(clock, words, c, w, p);
  if (isCopy(clock, words, c, w, self, fromServer, p)) {
    widenHops(words, self, p.ttl, 0);
    return;
  }
  if (fromServer === 0) words[w + t.COPY_OUT] = (p.identification << 16) | (payload & 0xffff);
  words[self + t.PACKETS]!++;
  if (((flags & RST) | (marks & t.WAS_RESET)) !== 0) {
    if ((marks & t.WAS_RESET) === 0) trackReset(clock, words, c, w, fromServer, marks, p, first);
    clock[c + t.END] = now;
    return;
  }
  const quiet = clock[c + t.OPEN_OUT]! < 0 && clock[c + t.OPEN_IN]! < 0;
  if (quiet) {
    const previous = Math.max(clock[c + t.LAST_OUT]!, clock[c + t.LAST_IN]!);
    clock[c + t.GAP] = previous < 0 ? 0 : now - previous;
  }
  widenHops(words, self, p.ttl, payload);
  const syn = (flags & SYN) !== 0;
  const fin = (flags & FIN) !== 0;
  if (first) {
    words[self + t.FIRST_SEQ] = seq;
    words[self + t.NEXT] = seq;
    // until the peer says so, everything before the first octet counts as acknowledged
    if (words[peer + t.PACKETS] === 0 || syn) words[peer + t.ACKED] = seq;
    if (words[peer + t.PACKETS] === 0 && !syn) marks |= t.BEGAN_MID | (opensNothing(p) ? t.PROBE_FLAGS : 0);
  }
  if (syn) {
    if ((flags & ACK) === 0) {
      marks |= t.SAW_SYN;
      const number = words[w + t.NUMBER]!;
      if (((number >>> 16) & 0xff) < 0xff) words[w + t.NUMBER] = number + 0x10000;
    } else {
      marks |= t.SAW_SYNACK;
      const number = words[w + t.NUMBER]!;
      if (number >>> 24 < 0xff) words[w + t.NUMBER] = number + 0x1000000;
      if (((number >>> 16) & 0xff) === 1 && clock[c + t.ROUND_TRIP]! < 0) {
        clock[c + t.ROUND_TRIP] = now - clock[c + t.LAST_OUT]!;
      }
    }
  } else if (!fin) marks |= payload === 0 ? t.SAW_PLAIN | t.SAW_BARE_ACK : t.SAW_PLAIN;
  const occupied = payload + (fin ? 1 : 0) + (syn ? 1 : 0);
  if (occupied > 0) marks = trackOctets(clock, words, c, w, self, fromServer, marks, p, occupied, fin);
  if (payload > 0) {
    if (fromServer === 0) marks |= t.SAW_DATA_OUT | t.AWAITING;
    else marks = (marks | t.SAW_DATA_IN) & ~t.AWAITING;
    const sum = words[self + t.PAYLOAD]! + payload;
    words[self + t.PAYLOAD] = Math.min(sum, 0xffffffff);
  }
  if ((flags & ACK) !== 0) marks = trackAck(clock, words, c, self, peer, fromServer, marks, p);
  if (!syn) {
    const shut = fromServer === 0 ? t.WINDOW_SHUT_OUT : t.WINDOW_SHUT_IN;
    if (p.window === 0) marks |= shut | (fromServer === 0 ? t.ZERO_WINDOW_OUT : t.ZERO_WINDOW_IN);
    else marks &= ~shut;
  }
  if (fromServer === 0) {
    marks &= ~(t.LAST_OUT_DATA | t.LAST_OUT_FIN);
    if (payload > 0) marks |= t.LAST_OUT_DATA;
    if (fin) marks |= t.LAST_OUT_FIN;
  } else if (!syn) {
    if (p.optionBytes > 0) marks |= t.OPTIONS_IN;
    if (p.identification !== 0) marks |= t.IDENTIFIED_IN;
  }
  if (fin && clock[c + t.FIN_OUT + fromServer]! < 0) clock[c + t.FIN_OUT + fromServer] = now;
  words[w + t.MARKS] = marks;
  clock[c + t.LAST_OUT + fromServer] = now;
}

/** New octets, repeats and holes. Returns the marks. */
function trackOctets(
  clock: Float64Array,
  words: Uint32Array,
  c: number,
  w: number,
  self: number,
  fromServer: number,
  before: number,
  p: SeenPacket,
  occupied: number,
  fin: boolean,
): number {
  let marks = before;
  const { seq, payload } = p;
  const open = c + t.OPEN_OUT + fromServer;
  const next = words[self + t.NEXT]!;
  const end = (seq + occupied) | 0;
  if (((end - next) | 0) <= 0 && words[self + t.PACKETS]! > 1) {
    if (clock[open]! < 0 && payload <= 1 && !fin) {
      words[w + t.MARKS] = marks |= t.PROBED;
      return marks;
    }
    // captured after its acknowledgement, or sent again: not lost
    if (end === (next | 0)) marks &= ~(fromServer === 0 ? t.LOST_OUT : t.LOST_IN);
    const repeats = words[self + t.REPEATS]!;
    if (repeats >>> 16 < 0xffff) words[self + t.REPEATS] = repeats + 0x10000;
    if (clock[open]! >= 0) {
      if ((repeats & 0xffff) < 0xffff) words[self + t.REPEATS]!++;
      words[self + t.SIZES] = (words[self + t.SIZES]! & 0xffff0000) | Math.min(payload, 0xffff);
    }
    return marks;
  }
  if (((seq - next) | 0) > 0) marks |= fromServer === 0 ? t.MISSING_OUT : t.MISSING_IN;
  words[self + t.NEXT] = end;
  const isFin = fromServer === 0 ? t.OPEN_IS_FIN_OUT : t.OPEN_IS_FIN_IN;
  if (clock[open]! < 0) {
    clock[open] = p.timeNs;
    words[self + t.REPEATS] = (words[self + t.REPEATS]! & 0xffff0000) | 1;
    if (payload === 0 && fin) marks |= isFin;
    else marks &= ~isFin;
  }
  return marks;
}

/** What a segment acknowledges of the other side. Returns the marks. */
function trackAck(
  clock: Float64Array,
  words: Uint32Array,
  c: number,
  self: number,
  peer: number,
  fromServer: number,
  before: number,
  p: SeenPacket,
): number {
  let marks = before;
  const { ack } = p;
  const missingPeer = fromServer === 0 ? t.MISSING_IN : t.MISSING_OUT;
  if (words[peer + t.PACKETS] === 0) {
    // it answers somebody whom the capture does not show
    const known = words[self + t.ACKED]!;
    const answersUnseenSyn = (marks & (t.SAW_SYN | t.SAW_SYNACK)) === t.SAW_SYN && (p.flags & SYN) === 0;
    if (answersUnseenSyn || ((marks & missingPeer) !== 0 && ((ack - known) | 0) > 0)) marks |= t.UNSEEN_PEER;
    marks |= missingPeer;
    words[self + t.ACKED] = ack;
    words[peer + t.NEXT] = ack;
    return marks;
  }
  const next = words[peer + t.NEXT]!;
  if (fromServer === 1 && (marks & (t.SAW_SYN | t.SAW_SYNACK)) === t.SAW_SYN && (p.flags & SYN) === 0) {
    if (ack !== next >>> 0) return marks | t.CHALLENGED;
  }
  if (((ack - next) | 0) > 0) {
    marks |= missingPeer | (fromServer === 0 ? t.LOST_IN : t.LOST_OUT);
    words[peer + t.NEXT] = ack;
  }
  const advance = (ack - words[self + t.ACKED]!) | 0;
  if (advance <= 0 && words[self + t.PACKETS]! > 1) return marks;
  if (fromServer === 0 && (marks & t.SAW_SYNACK) !== 0) marks |= t.SAW_HANDSHAKE_ACK;
  words[self + t.ACKED] = ack;
  const open = c + t.OPEN_IN - fromServer;
  if (clock[open]! < 0) return marks;
  const gap = clock[c + t.GAP]!;
  if (gap > clock[c + t.SURVIVED]!) clock[c + t.SURVIVED] = gap;
  const biggestSent = words[peer + t.HOPS]! >>> 16;
  const acked = Math.min(advance, biggestSent);
  if (acked > words[peer + t.SIZES]! >>> 16) {
    words[peer + t.SIZES] = (words[peer + t.SIZES]! & 0xffff) | (acked << 16);
  }
  const isFin = fromServer === 0 ? t.OPEN_IS_FIN_IN : t.OPEN_IS_FIN_OUT;
  if (((ack - words[peer + t.NEXT]!) | 0) >= 0) {
    clock[open] = -1;
    if (clock[c + t.FIN_IN - fromServer]! >= 0) marks |= fromServer === 0 ? t.FIN_ACKED_IN : t.FIN_ACKED_OUT;
    words[peer + t.REPEATS]! &= 0xffff0000;
  } else {
    // progress: what is still open has been waiting only since now
    clock[open] = p.timeNs;
    words[peer + t.REPEATS] = (words[peer + t.REPEATS]! & 0xffff0000) | 1;
    const finLeft = clock[c + t.FIN_IN - fromServer]! >= 0 && ((ack + 1) | 0) === (words[peer + t.NEXT]! | 0);
    if (finLeft) marks |= isFin;
    else marks &= ~isFin;
  }
  return marks;
}

/** The first reset of a connection, with its relations to what came before. */
function trackReset(
  clock: Float64Array,
  words: Uint32Array,
  c: number,
  w: number,
  fromServer: number,
  marks: number,
  p: SeenPacket,
  first: boolean,
): void {
  const self = w + t.OUT + (t.IN - t.OUT) * fromServer;
  const peer = w + t.IN - (t.IN - t.OUT) * fromServer;
  let relations = fromServer;
  const peerSpoke = words[peer + t.PACKETS]! > 0;
  if (peerSpoke && p.seq === words[peer + t.ACKED]) relations |= t.RST_SEQ_IS_ACK;
  if (!first && p.seq === words[self + t.NEXT]) relations |= t.RST_SEQ_IS_OWN;
  if (p.window === 0) relations |= t.RST_NO_WINDOW;
  if (p.optionBytes > 0) relations |= t.RST_OPTIONS;
  if (first) relations |= t.RST_FIRST_WORD;
  if (p.identification === 0) relations |= t.RST_NO_ID;
  if (clock[c + t.OPEN_IN - fromServer]! >= 0) relations |= t.RST_WHILE_OPEN;
  const peerLast = clock[c + t.LAST_IN - fromServer]!;
  const patience = Math.max(PROMPT_NS, 3 * clock[c + t.ROUND_TRIP]!);
  if (!peerSpoke || peerLast < 0 || p.timeNs - peerLast > patience) relations |= t.RST_UNPROVOKED;
  const closed = clock[c + t.FIN_OUT + fromServer]!;
  if (closed >= 0 && peerLast >= closed) relations |= t.RST_AFTER_CLOSE;
  const onlySyn = (marks & t.SAW_SYN) !== 0 && (marks & t.SAW_SYNACK) === 0;
  if (
    fromServer === 1 &&
    onlySyn &&
    words[w + t.OUT + t.NEXT] === (words[w + t.OUT + t.FIRST_SEQ]! + 1) >>> 0
  ) {
    relations |= t.RST_OF_SYN;
  }
  clock[c + t.RST_AT] = p.timeNs;
  // nothing was said before an unprovoked reset: its own silence is the age
  if ((relations & t.RST_UNPROVOKED) !== 0) {
    const previous = Math.max(clock[c + t.LAST_OUT]!, clock[c + t.LAST_IN]!);
    clock[c + t.GAP] = previous < 0 ? 0 : p.timeNs - previous;
  }
  words[w + t.MARKS] = marks | t.WAS_RESET;
  words[w + t.RST_SEQ] = p.seq;
  words[w + t.RST_META] = p.flags | (p.ttl << 8) | (relations << 16);
}

/** Follows the client's packets where they are nearest to the server (lowest TTL): where do they go next? */
function trackNextHop(clock: Float64Array, words: Uint32Array, c: number, w: number, p: SeenPacket): void {
  const known = words[w + t.NEXT_HOP]!;
  if (known === p.nextHop) return;
  const lowest = words[w + t.OUT + t.HOPS]! & 0xff;
  if (known === 0 || p.ttl < lowest) words[w + t.NEXT_HOP] = p.nextHop;
  else if (p.ttl === lowest) {
    words[w + t.NEXT_HOP] = p.nextHop;
    clock[c + t.MOVED_AT] = p.timeNs;
  }
}

/** A copy of the segment before it, from another interface of the same capture. */
function isCopy(
  clock: Float64Array,
  words: Uint32Array,
  c: number,
  w: number,
  self: number,
  fromServer: number,
  p: SeenPacket,
): boolean {
  const last = clock[c + t.LAST_OUT + fromServer]!;
  if (last < 0 || p.timeNs - last > COPY_NS) return false;
  if ((p.flags & RST) !== 0 || p.payload === 0) return false;
  if (((p.seq + p.payload - words[self + t.NEXT]!) | 0) !== 0) return false;
  return (
    fromServer === 1 || words[w + t.COPY_OUT] === ((p.identification << 16) | (p.payload & 0xffff)) >>> 0
  );
}

/** ACK, FIN, NULL and XMAS probes of scanners (nmap's -sA, -sF, -sN, -sX): no octet of data. */
function opensNothing({ flags, payload }: SeenPacket): boolean {
  return payload === 0 && (flags & (SYN | RST)) === 0 && (flags & ~(FIN | PSH | ACK | 0x20)) === 0;
}

function widenHops(words: Uint32Array, self: number, ttl: number, payload: number): void {
  const hops = words[self + t.HOPS]!;
  const low = hops & 0xff;
  const high = (hops >>> 8) & 0xff;
  const biggest = hops >>> 16;
  if (ttl >= low && ttl <= high && payload <= biggest) return;
  words[self + t.HOPS] =
    (Math.min(low, ttl) |
      (Math.max(high, ttl) << 8) |
      (Math.min(Math.max(biggest, payload), 0xffff) << 16)) >>>
    0;
}
