/**
 * The forwarding kernel: WebAssembly for what the data plane does to every packet. AssemblyScript, compiled by
 * scripts/build.mjs; ../data-plane.ts loads it and takes the packets that it leaves.
 *
 * A connection is decided once, by the hops of oracle/ on the packet's bytes; what they decided is kept here as a
 * record, and the packets that follow are looked up, stepped and rewritten by it alone (what Linux calls a flow
 * table offload). Whatever is not an ordinary packet of a kept connection goes out to `slow`.
 *
 * Stages over a batch of rows: `parse` (headers, and is it any of ours), `touch` (brings slots and records into the
 * cache), `step` (conntrack and rewrite, RFC 1624), then `emit` (records of a pcapng or pcap file). Memory, from the
 * bottom, all but the records fixed:
 *
 *     BUFFER   the capture reader's buffer: frames are rewritten where they were read
 *     AT ...   the columns of the reader's batch (capture/record-batch.ts)
 *     ROWS     32 octets a row, see ROW_
 *     WORDS    open-addressing set of address words that services and pods have: 4 octets a slot, 0 is empty
 *     STEPS    [direction][segment][state] of conntrack/tcp-states.ts; SEGMENTS: segment by flags; TIMEOUTS: seconds
 *     NOTES    where the encoded comment of a drop lies and how long it is, by number; TEXTS: the comments
 *     COUNTS   packets and octets by class and hop
 *     OUT      what `emit` writes
 *     slots    hash (4), record + 1 (4); a power of two, at most half full
 *     records  128 octets a connection, in order of appearance
 */

const BATCH: u32 = 1024;
const BLOCK: u32 = 128;
const BUFFER_BYTES: u32 = 1 << 20;
const BUFFER: u32 = 65536;
const AT: u32 = BUFFER + BUFFER_BYTES;
const CAP_LEN: u32 = AT + 4 * BATCH;
const WIRE_LEN: u32 = CAP_LEN + 4 * BATCH;
const IFACE: u32 = WIRE_LEN + 4 * BATCH;
const TIME: u32 = IFACE + 4 * BATCH;
const LINK_TYPE: u32 = TIME + 8 * BATCH;
const ROWS: u32 = LINK_TYPE + 4 * BATCH;
const ROW_BYTES: u32 = 32;
const WORDS: u32 = (ROWS + ROW_BYTES * BATCH + 65535) & ~65535;
const WORD_SLOTS: u32 = 1 << 16;
const STEPS: u32 = WORDS + 4 * WORD_SLOTS;
const SEGMENTS: u32 = STEPS + 128;
const TIMEOUTS: u32 = SEGMENTS + 64;
const NOTES: u32 = TIMEOUTS + 128;
const NOTE_ROOM: u32 = 1024;
const TEXTS: u32 = NOTES + 8 * NOTE_ROOM;
const TEXT_BYTES: u32 = 256 * NOTE_ROOM;
const COUNTS: u32 = TEXTS + TEXT_BYTES;
const COUNT_HOPS: u32 = 65536;
const OUT: u32 = (COUNTS + 16 * 4 * COUNT_HOPS + 65535) & ~65535;
const OUT_BYTES: u32 = BUFFER_BYTES + BATCH * 320;
const SLOTS: u32 = (OUT + OUT_BYTES + 65535) & ~65535;

/** a parsed packet: offsets are addresses in memory */
const ROW_L3: u32 = 0;
const ROW_L4: u32 = 4;
const ROW_HASH: u32 = 8;
/** family << 8 | protocol; 0: not parsed */
const ROW_KIND: u32 = 12;
/** class << 30 | hop << 12 | note: what became of it */
const ROW_VERDICT: u32 = 16;
const ROW_PROBE: u32 = 20;

/** what became of a packet (0: unchanged); ../verdict-codes.ts has the same numbers */
const TRANSLATED: u32 = 1;

const RECORD_BYTES: u32 = 128;
const LAST: u32 = 0;
const CLIENT: u32 = 8;
const SERVICE: u32 = 12;
const PORTS: u32 = 16;
const KIND: u32 = 20;
const STATE: u32 = 22;
const FLAGS: u32 = 23;
const EPOCH: u32 = 24;
const HOP: u32 = 28;
/** as they stand in a packet */
const NEW_SRC: u32 = 32;
const NEW_DST: u32 = 36;
const NEW_PORTS: u32 = 40;
/**
 * One's complement sums of what changes in the IP header and in the pseudo-header with the ports. Answers are turned
 * from the client's view to the endpoint's, so that the same words change the same way.
 */
const IP_DELTA: u32 = 44;
const L4_DELTA: u32 = 46;
/** what the client has acknowledged */
const ACKED: u32 = 48;
const HASH: u32 = 52;
const CREATED: u32 = 56;
const CLIENT_REST: u32 = 64;
const SERVICE_REST: u32 = 76;
/** whole addresses of IPv6 */
const NEW_SRC6: u32 = 88;
const NEW_DST6: u32 = 104;
/** IPv6 flow label of the client, which routers may hash; all ones: not known */
const LABEL: u32 = 120;
/** the sequence number that the client sent last */
const END: u32 = 124;
/** as in oracle/node-hop.ts */
const WINDOW: u32 = 65535;

const IS_REPLIED: u32 = 1;
const IS_ASSURED: u32 = 2;
/** conntrack has an entry for it */
const IS_LIVE: u32 = 4;
/** its client has said FIN or RST */
const IS_ENDED: u32 = 8;
/** the router takes a hop off its TTL */
const IS_ROUTED: u32 = 16;
/** the router's group wants to know of every packet */
const IS_STAMPED: u32 = 32;

const ACK: u32 = 16;
const TCP: u32 = 6;
const UDP: u32 = 17;
const SYN_SENT: u32 = 1;
const SYN_RECV: u32 = 2;
const ESTABLISHED: u32 = 3;
const TIME_WAIT: u32 = 7;
const IGNORE: u32 = 10;
const INVALID: u32 = 11;
const SEGMENT_SYN: u32 = 0;
const SEGMENT_SYN_ACK: u32 = 1;
const SEGMENT_FIN: u32 = 2;
const SEGMENT_RST: u32 = 4;
const UDP_STREAM_AFTER_S: f64 = 2;
/** places in TIMEOUTS behind the ten states */
const UNACKNOWLEDGED: u32 = 80;
const UDP_ONCE: u32 = 88;
const UDP_STREAM: u32 = 96;

const INITIAL_SLOTS: u32 = 1 << 15;
const MAX_MEMORY: u64 = 65536 << 16;

/** Takes a row that the kernel leaves; `record` is its connection's, or -1. Returns a verdict. */
declare function slow(row: u32, record: i32, back: u32): u32;
/** The time has come to which the timeline was advanced. */
declare function advance(row: u32): void;
/** The client of a connection said FIN or RST for the first time. */
declare function ended(record: u32): void;
/** The router's group takes note of a packet; whether it still chooses the connection's hop. */
declare function stamp(record: u32): u32;

let slotMask: u32 = INITIAL_SLOTS - 1;
let recordsAt: u32 = SLOTS + INITIAL_SLOTS * 8;
let records: u32 = 0;
let sink: u32 = 0;
let nowS: f64 = -Infinity;
let offsetNs: f64 = 0;
let dueS: f64 = Infinity;
let epoch: u32 = 1;
/** the word 0, which WORDS cannot hold, is ours; every word is, because WORDS is too small */
let zeroWord: bool = false;
let everyWord: bool = false;

export function layout(what: u32): u32 {
  switch (what) {
    case 0:
      return BATCH;
    case 1:
      return BUFFER;
    case 2:
      return BUFFER_BYTES;
    case 3:
      return AT;
    case 4:
      return ROWS;
    case 5:
      return WORDS;
    case 6:
      return WORD_SLOTS;
    case 7:
      return STEPS;
    case 8:
      return SEGMENTS;
    case 9:
      return TIMEOUTS;
    case 10:
      return NOTES;
    case 11:
      return TEXTS;
    case 12:
      return COUNTS;
    case 13:
      return COUNT_HOPS;
    case 14:
      return OUT;
    default:
      return recordsAt;
  }
}
export function recordCount(): u32 {
  return records;
}
export function touchedSum(): u32 {
  return sink;
}
export function timeS(): f64 {
  return nowS;
}
export function setOffsetNs(ns: f64): void {
  offsetNs = ns;
}
export function setWords(zero: u32, every: u32): void {
  zeroWord = zero !== 0;
  everyWord = every !== 0;
}
export function setDueS(at: f64): void {
  dueS = at;
}
/** What was decided of connections holds no longer without another look. */
export function nextEpoch(): void {
  epoch++;
}
export function currentEpoch(): u32 {
  return epoch;
}

function be16(at: u32): u32 {
  return bswap<u16>(load<u16>(at));
}
function be32(at: u32): u32 {
  return bswap<u32>(load<u32>(at));
}
function fold(sum: u32): u32 {
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

/** Takes rows 0 to `count` of the batch; `reserve` has made room for as many connections. */
export function forward(count: u32): void {
  for (let from: u32 = 0; from < count; from += BLOCK) {
    const to = min<u32>(count, from + BLOCK);
    for (let i = from; i < to; i++) parse(i);
    touch(from, to);
    for (let i = from; i < to; i++) {
      const time = (load<f64>(TIME + 8 * i) + offsetNs) * 1e-9;
      if (time > nowS) nowS = time;
      if (nowS >= dueS) advance(i);
      const row: u32 = ROWS + ROW_BYTES * i;
      const verdict: u32 = load<u32>(row, ROW_KIND) === 0 ? 0 : step(i, row);
      store<u32>(row, verdict, ROW_VERDICT);
      const at: u32 = COUNTS + 16 * ((verdict >> 30) * COUNT_HOPS + ((verdict >> 12) & (COUNT_HOPS - 1)));
      store<f64>(at, load<f64>(at) + 1);
      store<f64>(at, load<f64>(at, 8) + <f64>load<u32>(WIRE_LEN + 4 * i), 8);
    }
  }
}

function isOurs(word: u32): bool {
  if (word === 0 || everyWord) return zeroWord || everyWord;
  let slot: u32 = (word * 0x9e3779b1) >> 16;
  while (true) {
    const there = load<u32>(WORDS + 4 * slot);
    if (there === word) return true;
    if (there === 0) return false;
    slot = (slot + 1) & (WORD_SLOTS - 1);
  }
}

/** Offsets and hash of a packet that services or pods have to do with; kind 0 for all others. */
function parse(i: u32): void {
  const row: u32 = ROWS + ROW_BYTES * i;
  store<u32>(row, 0, ROW_KIND);
  const at: u32 = BUFFER + load<u32>(AT + 4 * i);
  const end: u32 = at + load<u32>(CAP_LEN + 4 * i);
  const link: u32 = load<u16>(LINK_TYPE + 2 * i);
  let l3: u32 = at;
  if (link === 1 || link === 113 || link === 276) {
    const typeAt: u32 = link === 1 ? at + 12 : link === 113 ? at + 14 : at;
    l3 = link === 276 ? at + 20 : typeAt + 2;
    if (l3 > end) return;
    let type = be16(typeAt);
    for (let tags = 0; tags < 2 && (type === 0x8100 || type === 0x88a8 || type === 0x9100); tags++) {
      if (l3 + 4 > end) return;
      type = be16(l3 + 2);
      l3 += 4;
    }
    if (type !== 0x0800 && type !== 0x86dd) return;
  } else if (link === 0 || link === 108) {
    l3 = at + 4;
  } else if (link !== 101 && link !== 228 && link !== 229) {
    return;
  }
  if (l3 + 20 > end) return;
  const version: u32 = load<u8>(l3) >> 4;
  let proto: u32;
  let l4: u32;
  if (version === 4) {
    const header: u32 = (load<u8>(l3) & 15) << 2;
    if (header < 20 || (be16(l3 + 6) & 0x3fff) !== 0) return;
    proto = load<u8>(l3 + 9);
    l4 = l3 + header;
    if (!isOurs(be32(l3 + 16)) && !isOurs(be32(l3 + 12))) return;
  } else if (version === 6) {
    if (l3 + 40 > end) return;
    proto = load<u8>(l3 + 6);
    l4 = l3 + 40;
    if (!isOurs(be32(l3 + 36)) && !isOurs(be32(l3 + 20))) return;
  } else {
    return;
  }
  if (proto === TCP ? l4 + 14 > end : proto !== UDP || l4 + 8 > end) return;
  store<u32>(row, l3, ROW_L3);
  store<u32>(row, l4, ROW_L4);
  store<u32>(row, (version << 8) | proto, ROW_KIND);
  const hash = hashOf(version, l3, load<u32>(l4), proto);
  store<u32>(row, hash, ROW_HASH);
  store<u32>(row, SLOTS + ((hash & slotMask) << 3), ROW_PROBE);
}

const K1: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15;
const K2: u64 = ((<u64>0xe7037ed1) << 32) | 0xa0b428db;
function mix(x: u64): u64 {
  x = (x ^ (x >> 32)) * K1;
  x = (x ^ (x >> 29)) * K2;
  return x ^ (x >> 32);
}

/** The same for both directions: the ends are mixed each on its own and added. `ports` as they stand in the packet. */
function hashOf(version: u32, l3: u32, ports: u32, proto: u32): u32 {
  let src: u64;
  let dst: u64;
  if (version === 4) {
    src = <u64>load<u32>(l3 + 12);
    dst = <u64>load<u32>(l3 + 16);
  } else {
    src = mix(load<u64>(l3 + 8)) ^ load<u64>(l3 + 16);
    dst = mix(load<u64>(l3 + 24)) ^ load<u64>(l3 + 32);
  }
  src = mix(src ^ ((<u64>(ports & 0xffff)) << 40));
  dst = mix(dst ^ ((<u64>(ports >> 16)) << 40));
  return <u32>mix(src + dst + proto);
}

function touch(from: u32, to: u32): void {
  let touched: u32 = 0;
  for (let i = from; i < to; i++) {
    const row: u32 = ROWS + ROW_BYTES * i;
    if (load<u32>(row, ROW_KIND) !== 0) touched += load<u32>(load<u32>(row, ROW_PROBE), 4);
  }
  for (let i = from; i < to; i++) {
    const row: u32 = ROWS + ROW_BYTES * i;
    if (load<u32>(row, ROW_KIND) === 0) continue;
    const record = load<u32>(load<u32>(row, ROW_PROBE), 4);
    touched += load<u32>(recordsAt + (record - u32(record !== 0)) * RECORD_BYTES, PORTS);
  }
  sink += touched;
}

/** Record << 1 | direction of a parsed row, or -1. */
function find(row: u32): i32 {
  const hash = load<u32>(row, ROW_HASH);
  let slot = load<u32>(row, ROW_PROBE);
  const last: u32 = SLOTS + (slotMask << 3);
  while (true) {
    const record = load<u32>(slot, 4);
    if (record === 0) return -1;
    if (load<u32>(slot) === hash) {
      const direction = compare(row, recordsAt + (record - 1) * RECORD_BYTES);
      if (direction < 2) return <i32>(((record - 1) << 1) | direction);
    }
    slot = slot === last ? SLOTS : slot + 8;
  }
}

/** 0: the row is from the client; 1: to the client; 2: another connection. */
function compare(row: u32, record: u32): u32 {
  const kind = load<u32>(row, ROW_KIND);
  if (load<u16>(record, KIND) !== kind) return 2;
  const l3 = load<u32>(row, ROW_L3);
  const ports = load<u32>(load<u32>(row, ROW_L4));
  const kept = load<u32>(record, PORTS);
  const client = load<u32>(record, CLIENT);
  const service = load<u32>(record, SERVICE);
  if (kind >> 8 === 4) {
    const src = load<u32>(l3 + 12);
    const dst = load<u32>(l3 + 16);
    if (((src ^ client) | (dst ^ service) | (ports ^ kept)) === 0) return 0;
    return ((src ^ service) | (dst ^ client) | (ports ^ rotl<u32>(kept, 16))) === 0 ? 1 : 2;
  }
  const src = load<u32>(l3 + 8);
  const dst = load<u32>(l3 + 24);
  if (((src ^ client) | (dst ^ service) | (ports ^ kept)) === 0) {
    if (same12(l3 + 12, record + CLIENT_REST) && same12(l3 + 28, record + SERVICE_REST)) return 0;
  }
  if (((src ^ service) | (dst ^ client) | (ports ^ rotl<u32>(kept, 16))) !== 0) return 2;
  return same12(l3 + 12, record + SERVICE_REST) && same12(l3 + 28, record + CLIENT_REST) ? 1 : 2;
}

function same12(a: u32, b: u32): bool {
  return load<u64>(a) === load<u64>(b) && load<u32>(a, 8) === load<u32>(b, 8);
}

function step(i: u32, row: u32): u32 {
  const found = find(row);
  if (found < 0) return slow(i, -1, 0);
  const back: u32 = <u32>found & 1;
  const number: i32 = found >> 1;
  const record: u32 = recordsAt + <u32>number * RECORD_BYTES;
  const flags: u32 = load<u8>(record, FLAGS);
  if (load<u32>(record, EPOCH) !== epoch || (flags & IS_LIVE) === 0) return slow(i, number, back);
  const kind: u32 = load<u32>(row, ROW_KIND);
  const l3: u32 = load<u32>(row, ROW_L3);
  const l4: u32 = load<u32>(row, ROW_L4);
  const routed: u32 = (flags & IS_ROUTED) !== 0 ? 1 : 0;
  if (back === 0 && routed !== 0) {
    if (kind >> 8 === 6 && (be32(l3) & 0xfffff) !== load<u32>(record, LABEL)) return slow(i, number, back);
    if (load<u8>(l3 + (kind >> 8 === 4 ? 8 : 7)) <= 1) return slow(i, number, back);
    if ((flags & IS_STAMPED) !== 0 && stamp(<u32>number) === 0) return slow(i, number, back);
  }
  if (!((kind & 0xff) === TCP ? stepTcp(record, flags, l4, back, number) : stepUdp(record, flags, back))) {
    return slow(i, number, back);
  }
  const end: u32 = BUFFER + load<u32>(AT + 4 * i) + load<u32>(CAP_LEN + 4 * i);
  if (back === 0 && routed !== 0) takeHop(l3, kind >> 8);
  rewrite(record, l3, l4, end, kind, back);
  return (TRANSLATED << 30) | (load<u32>(record, HOP) << 12);
}

function stepTcp(record: u32, flags: u32, l4: u32, back: u32, number: i32): bool {
  const state: u32 = load<u8>(record, STATE);
  const segment: u32 = load<u8>(SEGMENTS + (load<u8>(l4, 13) & 63));
  if (segment > 5) return false;
  const sequence = be32(l4 + 4);
  // a SYN lies in any window
  if (back === 0 && segment !== 0 && sequence - load<u32>(record, END) + WINDOW > 2 * WINDOW) return false;
  const next: u32 = load<u8>(STEPS + (back * 6 + segment) * 10 + state);
  if (next === INVALID || (next === SYN_SENT && state >= TIME_WAIT)) return false;
  // what ends an entry, or begins another connection in it, is the hops' to say
  if (back !== 0 && segment === SEGMENT_RST) return false;
  if (next === IGNORE && (segment === SEGMENT_SYN || segment === SEGMENT_SYN_ACK)) return false;
  let timeout = load<f64>(TIMEOUTS + 8 * state);
  if (state === ESTABLISHED && (flags & IS_REPLIED) === 0)
    timeout = min(timeout, load<f64>(TIMEOUTS, UNACKNOWLEDGED));
  if (nowS > load<f64>(record, LAST) + timeout) return false;
  if (back === 0 && (segment === SEGMENT_FIN || segment === SEGMENT_RST) && (flags & IS_ENDED) === 0) {
    flags |= IS_ENDED;
    ended(<u32>number);
  }
  const acked = be32(l4 + 8);
  if (back !== 0) {
    flags |= IS_REPLIED;
    if (segment === SEGMENT_SYN_ACK) {
      store<u32>(record, acked, END);
      store<u32>(record, sequence + 1, ACKED);
    }
  } else {
    store<u32>(record, sequence, END);
    if ((load<u8>(l4, 13) & ACK) !== 0) store<u32>(record, acked, ACKED);
  }
  if (next !== IGNORE) {
    if ((state === SYN_RECV || state === ESTABLISHED) && next === ESTABLISHED && (flags & IS_REPLIED) !== 0) {
      flags |= IS_ASSURED;
    }
    store<u8>(record, next, STATE);
    if (!(next === SYN_SENT && state === SYN_SENT)) store<f64>(record, nowS, LAST);
  }
  store<u8>(record, flags, FLAGS);
  return true;
}

function stepUdp(record: u32, flags: u32, back: u32): bool {
  const last = load<f64>(record, LAST);
  const created = load<f64>(record, CREATED);
  const isStream = (flags & IS_REPLIED) !== 0 && last - created > UDP_STREAM_AFTER_S;
  if (nowS > last + load<f64>(TIMEOUTS + (isStream ? UDP_STREAM : UDP_ONCE))) return false;
  if (back !== 0) flags |= IS_REPLIED;
  store<f64>(record, nowS, LAST);
  if ((flags & IS_REPLIED) !== 0 && nowS - created > UDP_STREAM_AFTER_S) flags |= IS_ASSURED;
  store<u8>(record, flags, FLAGS);
  return true;
}

/** One hop off the TTL, more than 1. */
function takeHop(l3: u32, version: u32): void {
  if (version === 6) {
    store<u8>(l3, load<u8>(l3, 7) - 1, 7);
    return;
  }
  const before = be16(l3 + 8);
  const after = before - 0x100;
  store<u16>(l3, bswap<u16>(<u16>after), 8);
  mend(l3 + 10, (~before & 0xffff) + after);
}

/** HC' = ~(~HC + ~m + m'), RFC 1624, eqn. 3; `delta` is the sum of all ~m + m'. */
function mend(at: u32, delta: u32): void {
  store<u16>(at, bswap<u16>(<u16>~fold((~be16(at) & 0xffff) + delta)));
}

/** Onward: to the pod as conntrack decided. Back: as the pod sent it, before the node's translation. */
function rewrite(record: u32, l3: u32, l4: u32, end: u32, kind: u32, back: u32): void {
  const ports = load<u32>(record, NEW_PORTS);
  store<u32>(l4, back !== 0 ? rotl<u32>(ports, 16) : ports);
  if (kind >> 8 === 4) {
    const src = load<u32>(record, NEW_SRC);
    const dst = load<u32>(record, NEW_DST);
    store<u32>(l3, back !== 0 ? dst : src, 12);
    store<u32>(l3, back !== 0 ? src : dst, 16);
    const delta: u32 = load<u16>(record + IP_DELTA);
    if (delta !== 0) mend(l3 + 10, delta);
  } else {
    const src: u32 = record + (back !== 0 ? NEW_DST6 : NEW_SRC6);
    const dst: u32 = record + (back !== 0 ? NEW_SRC6 : NEW_DST6);
    store<u64>(l3, load<u64>(src), 8);
    store<u64>(l3, load<u64>(src, 8), 16);
    store<u64>(l3, load<u64>(dst), 24);
    store<u64>(l3, load<u64>(dst, 8), 32);
  }
  const delta: u32 = load<u16>(record + L4_DELTA);
  if (delta === 0) return;
  const isUdp = (kind & 0xff) === UDP;
  const sum: u32 = l4 + (isUdp ? 6 : 16);
  if (sum + 2 > end || (isUdp && load<u16>(sum) === 0)) return;
  mend(sum, delta);
  if (isUdp && load<u16>(sum) === 0) store<u16>(sum, 0xffff);
}

/**
 * Writes the key of the connection whose client's packet is row `i` (`back` 0) or whose answer it is (1) where the next
 * record will be; `commit` makes it one and returns its number.
 */
export function draft(i: u32, back: u32): void {
  const row: u32 = ROWS + ROW_BYTES * i;
  const record: u32 = recordsAt + records * RECORD_BYTES;
  memory.fill(record, 0, RECORD_BYTES);
  const l3 = load<u32>(row, ROW_L3);
  const kind = load<u32>(row, ROW_KIND);
  const ports = load<u32>(load<u32>(row, ROW_L4));
  store<u16>(record, kind, KIND);
  store<u32>(record, back !== 0 ? rotl<u32>(ports, 16) : ports, PORTS);
  const bytes: u32 = kind >> 8 === 4 ? 4 : 16;
  const first: u32 = l3 + (bytes === 4 ? 12 : 8);
  const client = back !== 0 ? first + bytes : first;
  const service = back !== 0 ? first : first + bytes;
  store<u32>(record, load<u32>(client), CLIENT);
  store<u32>(record, load<u32>(service), SERVICE);
  if (bytes === 16) {
    memory.copy(record + CLIENT_REST, client + 4, 12);
    memory.copy(record + SERVICE_REST, service + 4, 12);
  }
  const hash = load<u32>(row, ROW_HASH);
  store<u32>(record, hash, HASH);
}

export function commit(): u32 {
  insert(load<u32>(recordsAt + records * RECORD_BYTES, HASH), records + 1);
  return records++;
}

function insert(hash: u32, number: u32): void {
  const last: u32 = SLOTS + (slotMask << 3);
  let slot: u32 = SLOTS + ((hash & slotMask) << 3);
  while (load<u32>(slot, 4) !== 0) slot = slot === last ? SLOTS : slot + 8;
  store<u32>(slot, hash);
  store<u32>(slot, number, 4);
}

/** Makes room for `count` more connections; their records may move. False where memory ends. */
export function reserve(count: u32): bool {
  while (<u64>(records + count) * 2 > <u64>slotMask + 1) {
    const bytes: u64 = (<u64>slotMask + 1) << 3;
    if (!growTo(<u64>recordsAt + bytes + <u64>(records + count) * RECORD_BYTES)) return false;
    const moved = recordsAt + <u32>bytes;
    memory.copy(moved, recordsAt, records * RECORD_BYTES);
    memory.fill(SLOTS, 0, <u32>bytes * 2);
    recordsAt = moved;
    slotMask = slotMask * 2 + 1;
    for (let record: u32 = 0; record < records; record++) {
      insert(load<u32>(recordsAt + record * RECORD_BYTES, HASH), record + 1);
    }
  }
  return growTo(<u64>recordsAt + <u64>(records + count) * RECORD_BYTES);
}

function growTo(end: u64): bool {
  if (end > MAX_MEMORY) return false;
  const pages = <i32>((end + 65535) >> 16);
  const missing = pages - memory.size();
  if (missing <= 0) return true;
  const ample = min<i32>(missing + (pages >> 3), 65536 - memory.size());
  return memory.grow(ample) >= 0 || memory.grow(missing) >= 0;
}

/**
 * Writes the rows whose verdict's class is in `classes` (a bit each) and whose hop is `only` (or any, where that is
 * -1) as records of a file to OUT and returns how many octets. `pcapng`: Enhanced Packet Blocks with nanoseconds, on
 * interface `base[link] + hop`, as the row's IFACE column says the base; else records of a nanosecond pcap.
 */
export function emit(
  count: u32,
  pcapng: u32,
  classes: u32,
  only: i32,
  baseNs: u64,
  baseS: u32,
  restNs: f64,
): u32 {
  let out: u32 = OUT;
  for (let i: u32 = 0; i < count; i++) {
    const verdict = load<u32>(ROWS + ROW_BYTES * i, ROW_VERDICT);
    const hop = (verdict >> 12) & 0x3ffff;
    if (((classes >> (verdict >> 30)) & 1) === 0 || (only >= 0 && hop !== <u32>only)) continue;
    const cap = load<u32>(CAP_LEN + 4 * i);
    const time = load<f64>(TIME + 8 * i);
    const frame: u32 = BUFFER + load<u32>(AT + 4 * i);
    if (pcapng === 0) {
      const ns = restNs + time;
      const second = Math.floor(ns / 1e9);
      store<u32>(out, baseS + <u32>(<i32>second));
      store<u32>(out, <u32>(ns - second * 1e9), 4);
      store<u32>(out, cap, 8);
      store<u32>(out, load<u32>(WIRE_LEN + 4 * i), 12);
      memory.copy(out + 16, frame, cap);
      out += 16 + cap;
      continue;
    }
    const padded = (cap + 3) & ~3;
    const note = verdict & 0xfff;
    const noteBytes: u32 = note === 0 ? 0 : load<u32>(NOTES + 8 * note, 4);
    const total = 32 + padded + noteBytes;
    const ticks: u64 = baseNs + <u64>(<i64>time);
    store<u32>(out, 6);
    store<u32>(out, total, 4);
    store<u32>(out, load<u32>(IFACE + 4 * i) + hop, 8);
    store<u32>(out, <u32>(ticks >> 32), 12);
    store<u32>(out, <u32>ticks, 16);
    store<u32>(out, cap, 20);
    store<u32>(out, load<u32>(WIRE_LEN + 4 * i), 24);
    copyFrame(out + 28, frame, cap);
    for (let pad = cap; pad < padded; pad++) store<u8>(out + 28 + pad, 0);
    if (noteBytes !== 0) memory.copy(out + 28 + padded, load<u32>(NOTES + 8 * note), noteBytes);
    store<u32>(out + total - 4, total);
    out += total;
  }
  return out - OUT;
}

/** Words for what is short; what is read past the end is overwritten by what follows. */
function copyFrame(to: u32, from: u32, bytes: u32): void {
  if (bytes > 256) {
    memory.copy(to, from, bytes);
    return;
  }
  for (let at: u32 = 0; at < bytes; at += 8) store<u64>(to + at, load<u64>(from + at));
}
