/**
 * The flow kernel: WebAssembly for what is done to every packet. AssemblyScript, compiled by scripts/build.mjs;
 * ../flow-kernel.ts loads it and describes its memory, ../packet-decoder.ts is the specification of `decode`.
 *
 * Memory, from the bottom; all of it but the flows stays where it is:
 *
 *     BUFFER     the capture reader's buffer: frames are read from the file to here and never copied
 *     AT ...     the columns of the reader's batch (capture/record-batch.ts)
 *     SLOW       numbers of the rows that `decode` leaves to the TypeScript decoder
 *     OUT_...    index columns, an entry for each row that belongs to a flow
 *     PROBES     address of the first slot to look at, by row
 *     PORTS      bit set of UDP ports that may hide a tunnel
 *     RING       decoded batches on their way from `decode` to `account`, which may run in two threads, each in an
 *                instance of its own: per batch a packet row of 64 octets a record (written by `decode` or by the
 *                TypeScript decoder), and the columns of wire lengths and times
 *     slots      open-addressing table: hash (4), flow + 1 (4); a power of two, at most half full
 *     flows      a record of 128 octets per flow, in order of appearance, in two halves of a cache line each
 *
 * When the slots double, the flows behind them move up. No allocator, no collector, no exceptions.
 */

const BATCH: u32 = 1024;
/** rows that go through the stages of `account` together: their own lines stay in the first-level cache */
const BLOCK: u32 = 256;
const BUFFER_BYTES: u32 = 1 << 20;
const BUFFER: u32 = 65536;
const AT: u32 = BUFFER + BUFFER_BYTES;
const CAP_LEN: u32 = AT + 4 * BATCH;
const WIRE_LEN: u32 = CAP_LEN + 4 * BATCH;
const IFACE: u32 = WIRE_LEN + 4 * BATCH;
const TIME: u32 = IFACE + 4 * BATCH;
const LINK_TYPE: u32 = TIME + 8 * BATCH;
const SLOW: u32 = LINK_TYPE + 4 * BATCH;
const OUT_FLOW_DIR: u32 = SLOW + 4 * BATCH;
const OUT_META: u32 = OUT_FLOW_DIR + 4 * BATCH;
const OUT_TIME: u32 = OUT_META + 4 * BATCH;
const OUT_SEQ: u32 = OUT_TIME + 8 * BATCH;
const OUT_ACK: u32 = OUT_SEQ + 4 * BATCH;
const OUT_SIZE: u32 = OUT_ACK + 4 * BATCH;
const OUT_LABEL: u32 = OUT_SIZE + 4 * BATCH;
const PROBES: u32 = OUT_LABEL + 4 * BATCH;
const PORTS: u32 = PROBES + 4 * BATCH;
const RING: u32 = (PORTS + 8192 + 65535) & ~65535;
const RING_BATCHES: u32 = 64;
/** rows, wire lengths, times */
const RING_WIRE: u32 = 64 * BATCH;
const RING_TIME: u32 = RING_WIRE + 4 * BATCH;
const RING_BYTES: u32 = RING_TIME + 8 * BATCH;
const SLOTS: u32 = (RING + RING_BATCHES * RING_BYTES + 65535) & ~65535;

/** packet row */
const ROW_BYTES: u32 = 64;
const ROW_SRC: u32 = 0;
const ROW_DST: u32 = 16;
const ROW_PORTS: u32 = 32;
const ROW_LABEL: u32 = 36;
const ROW_META: u32 = 40;
/** family << 8 | protocol; 0: the packet belongs to no flow */
const ROW_KIND: u32 = 44;
const ROW_HASH: u32 = 48;
const ROW_SEQ: u32 = 52;
const ROW_ACK: u32 = 56;
/** window << 16 | octets of payload */
const ROW_SIZE: u32 = 60;

/** flow record: the hot half, that every packet touches; `DIR` fields come in pairs, from a to b and from b to a */
const HALF_BYTES: u32 = 64;
const FLOW_LAST: u32 = 0;
const FLOW_BYTES_DIR: u32 = 8;
const FLOW_PACKETS_DIR: u32 = 24;
const FLOW_A: u32 = 32;
const FLOW_B: u32 = 36;
/** a's port << 16 | b's port */
const FLOW_PORTS: u32 = 40;
const FLOW_KIND: u32 = 44;
const FLOW_MARKS: u32 = 46;
/** the cold half lies this far behind: flows come in chunks of 1024 hot halves and then 1024 cold ones */
const COLD: u32 = 65536;
const CHUNK_FLOWS: u32 = 1024;
const CHUNK_BYTES: u32 = 131072;
const FLOW_FIRST: u32 = COLD;
const FLOW_FIRST_PACKET: u32 = COLD + 8;
const FLOW_LABEL_DIR: u32 = COLD + 16;
const FLOW_HASH: u32 = COLD + 24;
const FLOW_A_REST: u32 = COLD + 32;
const FLOW_B_REST: u32 = COLD + 48;

const META_PAYLOAD: u32 = 0x100;
const META_FLAGS_CUT: u32 = 0x400;
const META_LENGTH_SHIFT: u32 = 12;
const META_LENGTH_MAX: u32 = 0xfffff;

const LABEL_MASK: u32 = 0xfffff;
const LABEL_SCALE_SHIFT: u32 = 20;
const LABEL_SCALED: u32 = 1 << 24;
const LABEL_SACK: u32 = 1 << 25;

const SYN: u32 = 2;

const TCP: u32 = 6;
const UDP: u32 = 17;

const LINK_ETHERNET: u32 = 1;
const LINK_SLL: u32 = 113;
const LINK_SLL2: u32 = 276;

const INITIAL_SLOTS: u32 = 1 << 16;
const MAX_MEMORY: u64 = 65536 << 16;

let slotMask: u32 = INITIAL_SLOTS - 1;
let flowsAt: u32 = SLOTS + INITIAL_SLOTS * 8;
let flows: u32 = 0;
/** where the batch that is being decoded or accounted lies */
let rows: u32 = RING;
/** keeps the prefetching loads from being optimised away */
let sink: u32 = 0;

export function batchRows(): u32 {
  return BATCH;
}
export function bufferAt(): u32 {
  return BUFFER;
}
export function bufferBytes(): u32 {
  return BUFFER_BYTES;
}
export function columnsAt(): u32 {
  return AT;
}
export function ringAt(): u32 {
  return RING;
}
export function ringBatches(): u32 {
  return RING_BATCHES;
}
export function ringBytes(): u32 {
  return RING_BYTES;
}
export function slowAt(): u32 {
  return SLOW;
}
export function outAt(): u32 {
  return OUT_FLOW_DIR;
}
export function portsAt(): u32 {
  return PORTS;
}
export function flowRecordsAt(): u32 {
  return flowsAt;
}
/** Only so that the optimiser believes in the prefetching loads. */
export function touchedSum(): u32 {
  return sink;
}
export function flowCount(): u32 {
  return flows;
}

/** Where the record of a flow begins. */
function recordOf(flow: u32): u32 {
  return flowsAt + (flow >> 10) * CHUNK_BYTES + (flow & (CHUNK_FLOWS - 1)) * HALF_BYTES;
}

/** Octets that the records of `count` flows take. */
function recordBytes(count: u32): u64 {
  return <u64>((count + CHUNK_FLOWS - 1) >> 10) * CHUNK_BYTES;
}

function be16(at: u32): u32 {
  return bswap<u16>(load<u16>(at));
}

function be32(at: u32): u32 {
  return bswap<u32>(load<u32>(at));
}

function hidesTunnel(port: u32): bool {
  return ((load<u8>(PORTS + (port >> 3)) >> (port & 7)) & 1) !== 0;
}

/**
 * Fills the packet rows of records 0 to `count`: unfragmented TCP and UDP in plain IPv4 and IPv6 behind Ethernet,
 * VLAN tags or Linux cooked headers. Everything else, whatever is cut off before the ports, and with `wary` every
 * UDP port that may hide a tunnel goes to the slow list, whose length is the result. `place` is where in the ring the
 * batch goes.
 */
export function decode(count: u32, wary: u32, place: u32): u32 {
  rows = RING + place * RING_BYTES;
  memory.copy(rows + RING_WIRE, WIRE_LEN, 4 * count);
  memory.copy(rows + RING_TIME, TIME, 8 * count);
  let slow: u32 = SLOW;
  for (let i: u32 = 0; i < count; i++) {
    const row: u32 = rows + i * ROW_BYTES;
    const at: u32 = BUFFER + load<u32>(AT + 4 * i);
    const end: u32 = at + load<u32>(CAP_LEN + 4 * i);
    if (!decodeRow(row, at, end, load<u16>(LINK_TYPE + 2 * i), wary)) {
      store<u32>(row, 0, ROW_KIND);
      store<u32>(slow, i);
      slow += 4;
    }
  }
  return (slow - SLOW) >> 2;
}

function decodeRow(row: u32, at: u32, end: u32, linkType: u32, wary: u32): bool {
  let typeAt: u32 = at + 12;
  if (linkType === LINK_SLL) {
    if (be16(at + 2) === 824) return false;
    typeAt = at + 14;
  } else if (linkType === LINK_SLL2) {
    if (be16(at + 8) === 824) return false;
    typeAt = at;
  } else if (linkType !== LINK_ETHERNET) {
    return false;
  }
  if (typeAt + 2 > end) return false;
  let l3: u32 = linkType === LINK_SLL2 ? at + 20 : typeAt + 2;
  let type = be16(typeAt);
  for (let tags = 0; tags < 2 && (type === 0x8100 || type === 0x88a8 || type === 0x9100); tags++) {
    if (l3 + 4 > end) return false;
    type = be16(l3 + 2);
    l3 += 4;
  }
  if (type === 0x0800) return decodeIpv4(row, l3, end, wary);
  if (type === 0x86dd) return decodeIpv6(row, l3, end, wary);
  return false;
}

function decodeIpv4(row: u32, l3: u32, end: u32, wary: u32): bool {
  if (l3 + 24 > end || load<u8>(l3) !== 0x45 || (be16(l3 + 6) & 0x3fff) !== 0) return false;
  const total = be16(l3 + 2);
  if (total < 24) return false;
  store<u32>(row, be32(l3 + 12), ROW_SRC);
  store<u32>(row, be32(l3 + 16), ROW_DST);
  store<u32>(row, 0, ROW_LABEL);
  return decodeL4(row, l3 + 20, min<u32>(end, l3 + total), total - 20, 4, load<u8>(l3 + 9), wary);
}

function decodeIpv6(row: u32, l3: u32, end: u32, wary: u32): bool {
  if (l3 + 44 > end || load<u8>(l3) >> 4 !== 6) return false;
  const payload = be16(l3 + 4);
  if (payload < 4) return false;
  for (let word: u32 = 0; word < 32; word += 4) store<u32>(row + word, be32(l3 + 8 + word));
  store<u32>(row, be32(l3) & 0xfffff, ROW_LABEL);
  return decodeL4(row, l3 + 40, min<u32>(end, l3 + 40 + payload), payload, 6, load<u8>(l3 + 6), wary);
}

/** `bytes` is the length of layer 4 by the IP header; the ports lie before `end`. */
function decodeL4(row: u32, l4: u32, end: u32, bytes: u32, family: u32, proto: u32, wary: u32): bool {
  const ports = be32(l4);
  let meta: u32 = 0;
  let header: u32 = 8;
  let seq: u32 = 0;
  let ack: u32 = 0;
  let size: u32 = 0;
  if (proto === TCP) {
    header = 20;
    if (l4 + 13 < end) {
      meta = load<u8>(l4 + 13);
      header = (load<u8>(l4 + 12) >> 4) << 2;
      if ((meta & SYN) !== 0) readOptions(row, l4 + 20, min<u32>(end, l4 + header));
    } else {
      meta = META_FLAGS_CUT;
    }
    if (l4 + 16 <= end) {
      seq = be32(l4 + 4);
      ack = be32(l4 + 8);
      size = be16(l4 + 14) << 16;
    }
  } else if (proto !== UDP) {
    return false;
  } else if (wary !== 0 && (hidesTunnel(ports >> 16) || hidesTunnel(ports & 0xffff))) {
    return false;
  }
  if (bytes > header) {
    meta |= META_PAYLOAD;
    size |= min<u32>(bytes - header, 0xffff);
  }
  store<u32>(row, seq, ROW_SEQ);
  store<u32>(row, ack, ROW_ACK);
  store<u32>(row, size, ROW_SIZE);
  store<u32>(row, ports, ROW_PORTS);
  store<u32>(row, meta, ROW_META);
  store<u32>(row, (family << 8) | proto, ROW_KIND);
  return true;
}

/** What a SYN's options between `at` and `end` say of windows, added to the row's label. */
function readOptions(row: u32, at: u32, end: u32): void {
  let label = load<u32>(row, ROW_LABEL);
  while (at < end) {
    const kind: u32 = load<u8>(at);
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    if (at + 2 > end) break;
    const length: u32 = load<u8>(at + 1);
    if (length < 2 || at + length > end) break;
    if (kind === 3 && length === 3) {
      label |= LABEL_SCALED | (min<u32>(load<u8>(at + 2), 14) << LABEL_SCALE_SHIFT);
    } else if (kind === 4 && length === 2) {
      label |= LABEL_SACK;
    }
    at += length;
  }
  store<u32>(row, label, ROW_LABEL);
}

const K1: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15;
const K2: u64 = ((<u64>0xe7037ed1) << 32) | 0xa0b428db;

function mix(x: u64): u64 {
  x = (x ^ (x >> 32)) * K1;
  x = (x ^ (x >> 29)) * K2;
  return x ^ (x >> 32);
}

/** The same for both directions: the ends are mixed each on its own and added. */
function hashOf(row: u32): u32 {
  const kind = load<u32>(row, ROW_KIND);
  const ports: u64 = load<u32>(row, ROW_PORTS);
  let src: u64 = ((<u64>load<u32>(row, ROW_SRC)) << 16) | (ports >> 16);
  let dst: u64 = ((<u64>load<u32>(row, ROW_DST)) << 16) | (ports & 0xffff);
  if (kind >> 8 === 6) {
    src = mix(src ^ (load<u64>(row, ROW_SRC + 4) * K1)) ^ load<u32>(row, ROW_SRC + 12);
    dst = mix(dst ^ (load<u64>(row, ROW_DST + 4) * K1)) ^ load<u32>(row, ROW_DST + 12);
  }
  return <u32>mix(mix(src) + mix(dst) + kind);
}

/**
 * Finds or makes the flow of every row and adds the packet to it, in order. `firstNumber` is the number of record 0
 * in the file, from 1; `place` is where in the ring the batch lies. Returns how many entries the OUT columns hold (0 unless `index`), or -1 where memory ends.
 */
export function account(count: u32, firstNumber: f64, index: u32, place: u32): i32 {
  rows = RING + place * RING_BYTES;
  if (!reserve(count)) return -1;
  let out: u32 = 0;
  for (let from: u32 = 0; from < count; from += BLOCK) {
    const to = min<u32>(count, from + BLOCK);
    touch(from, to);
    out = accountBlock(from, to, out, firstNumber, index);
  }
  return out;
}

/**
 * Brings slots and flow records of a block's rows into the cache. Three loops, so that those which miss the cache
 * are short: the processor then has many of their loads under way at a time.
 */
function touch(from: u32, to: u32): void {
  for (let i = from; i < to; i++) {
    const row: u32 = rows + i * ROW_BYTES;
    const hash = hashOf(row);
    store<u32>(row, hash, ROW_HASH);
    store<u32>(PROBES + 4 * i, SLOTS + ((hash & slotMask) << 3));
  }
  let touched: u32 = 0;
  for (let i = from; i < to; i++) touched += load<u32>(load<u32>(PROBES + 4 * i), 4);
  for (let i = from; i < to; i++) {
    const flow = load<u32>(load<u32>(PROBES + 4 * i), 4);
    touched += load<u32>(recordOf(flow - u32(flow !== 0)), FLOW_PORTS);
  }
  sink += touched;
}

function accountBlock(from: u32, to: u32, out: u32, firstNumber: f64, index: u32): u32 {
  for (let i = from; i < to; i++) {
    const row: u32 = rows + i * ROW_BYTES;
    if (load<u32>(row, ROW_KIND) === 0) continue;
    const flowDir = find(row, i, firstNumber);
    const wire = load<u32>(rows + RING_WIRE + 4 * i);
    const time = load<f64>(rows + RING_TIME + 8 * i);
    const meta = load<u32>(row, ROW_META) & 0xfff;
    add(row, flowDir, wire, time, meta);
    if (index !== 0) {
      store<u32>(OUT_FLOW_DIR + 4 * out, flowDir);
      store<u32>(OUT_META + 4 * out, meta | (min<u32>(wire, META_LENGTH_MAX) << META_LENGTH_SHIFT));
      store<f64>(OUT_TIME + 8 * out, time);
      store<u32>(OUT_SEQ + 4 * out, load<u32>(row, ROW_SEQ));
      store<u32>(OUT_ACK + 4 * out, load<u32>(row, ROW_ACK));
      store<u32>(OUT_SIZE + 4 * out, load<u32>(row, ROW_SIZE));
      store<u32>(OUT_LABEL + 4 * out, load<u32>(row, ROW_LABEL));
      out++;
    }
  }
  return out;
}

/** Row of the flow << 1 | direction. */
function find(row: u32, i: u32, firstNumber: f64): u32 {
  const hash = load<u32>(row, ROW_HASH);
  let slot = load<u32>(PROBES + 4 * i);
  const last: u32 = SLOTS + (slotMask << 3);
  while (true) {
    const flow = load<u32>(slot, 4);
    if (flow === 0) return create(row, slot, i, firstNumber) << 1;
    if (load<u32>(slot) === hash) {
      const direction = compare(row, recordOf(flow - 1));
      if (direction < 2) return ((flow - 1) << 1) | direction;
    }
    slot = slot === last ? SLOTS : slot + 8;
  }
}

/** 0: the row runs from a to b; 1: from b to a; 2: another flow. Without a branch on the direction: it is a coin. */
function compare(row: u32, flow: u32): u32 {
  const kind = load<u32>(row, ROW_KIND);
  const ports = load<u32>(row, ROW_PORTS);
  const flowPorts = load<u32>(flow, FLOW_PORTS);
  const src = load<u32>(row, ROW_SRC);
  const dst = load<u32>(row, ROW_DST);
  const a = load<u32>(flow, FLOW_A);
  const b = load<u32>(flow, FLOW_B);
  const onward = (src ^ a) | (dst ^ b) | (ports ^ flowPorts);
  const back = (src ^ b) | (dst ^ a) | (ports ^ rotl<u32>(flowPorts, 16));
  if (load<u16>(flow, FLOW_KIND) !== kind || (u32(onward !== 0) & u32(back !== 0)) !== 0) return 2;
  if (kind >> 8 === 4) return u32(onward !== 0);
  if (
    onward === 0 &&
    sameRest(row + ROW_SRC, flow + FLOW_A_REST) &&
    sameRest(row + ROW_DST, flow + FLOW_B_REST)
  ) {
    return 0;
  }
  if (
    back === 0 &&
    sameRest(row + ROW_SRC, flow + FLOW_B_REST) &&
    sameRest(row + ROW_DST, flow + FLOW_A_REST)
  ) {
    return 1;
  }
  return 2;
}

/** The last three words of an address in a row and in a flow. */
function sameRest(row: u32, rest: u32): bool {
  return load<u64>(row, 4) === load<u64>(rest) && load<u32>(row, 12) === load<u32>(rest, 8);
}

function create(row: u32, slot: u32, i: u32, firstNumber: f64): u32 {
  const flow: u32 = recordOf(flows);
  memory.fill(flow, 0, HALF_BYTES);
  memory.fill(flow + COLD, 0, HALF_BYTES);
  const kind = load<u32>(row, ROW_KIND);
  store<u16>(flow, kind, FLOW_KIND);
  store<u32>(flow, load<u32>(row, ROW_PORTS), FLOW_PORTS);
  store<u32>(flow, load<u32>(row, ROW_SRC), FLOW_A);
  store<u32>(flow, load<u32>(row, ROW_DST), FLOW_B);
  if (kind >> 8 === 6) {
    memory.copy(flow + FLOW_A_REST, row + ROW_SRC + 4, 12);
    memory.copy(flow + FLOW_B_REST, row + ROW_DST + 4, 12);
  }
  store<f64>(flow, load<f64>(rows + RING_TIME + 8 * i), FLOW_FIRST);
  store<f64>(flow, firstNumber + <f64>i, FLOW_FIRST_PACKET);
  store<u32>(flow, load<u32>(row, ROW_HASH), FLOW_HASH);
  store<u32>(slot, load<u32>(row, ROW_HASH));
  store<u32>(slot, ++flows, 4);
  return flows - 1;
}

function add(row: u32, flowDir: u32, wire: u32, time: f64, meta: u32): void {
  const flow: u32 = recordOf(flowDir >> 1);
  const direction = flowDir & 1;
  store<f64>(flow, time, FLOW_LAST);
  const bytes: u32 = flow + direction * 8;
  store<f64>(bytes, load<f64>(bytes, FLOW_BYTES_DIR) + <f64>wire, FLOW_BYTES_DIR);
  const packets: u32 = flow + direction * 4;
  const before = load<u32>(packets, FLOW_PACKETS_DIR);
  store<u32>(packets, before + 1, FLOW_PACKETS_DIR);
  if (before === 0) store<u32>(packets, load<u32>(row, ROW_LABEL) & LABEL_MASK, FLOW_LABEL_DIR);
  // flags of interest: FIN 1, SYN 2, RST 4; rows of other protocols have none
  if ((meta & 7) !== 0) {
    let marks: u32 = 0;
    if ((meta & 2) !== 0) marks = (meta & 16) !== 0 ? 0x04 : 0x01;
    if ((meta & 1) !== 0) marks |= 0x10;
    if ((meta & 4) !== 0) marks |= 0x40;
    store<u16>(flow, load<u16>(flow, FLOW_MARKS) | (marks << direction), FLOW_MARKS);
  }
}

/** Makes room for `count` more flows. */
function reserve(count: u32): bool {
  while (<u64>(flows + count) * 2 > <u64>slotMask + 1) {
    if (!doubleSlots(count)) return false;
  }
  return growTo(<u64>flowsAt + recordBytes(flows + count));
}

function doubleSlots(count: u32): bool {
  const bytes: u64 = (<u64>slotMask + 1) << 3;
  const end = <u64>flowsAt + bytes + recordBytes(flows + count);
  if (!growTo(end)) return false;
  const moved = flowsAt + <u32>bytes;
  memory.copy(moved, flowsAt, <u32>recordBytes(flows));
  memory.fill(SLOTS, 0, <u32>bytes * 2);
  flowsAt = moved;
  slotMask = slotMask * 2 + 1;
  const last: u32 = SLOTS + (slotMask << 3);
  for (let flow: u32 = 0; flow < flows; flow++) {
    const hash = load<u32>(recordOf(flow), FLOW_HASH);
    let slot: u32 = SLOTS + ((hash & slotMask) << 3);
    while (load<u32>(slot, 4) !== 0) slot = slot === last ? SLOTS : slot + 8;
    store<u32>(slot, hash);
    store<u32>(slot, flow + 1, 4);
  }
  return true;
}

function growTo(end: u64): bool {
  if (end > MAX_MEMORY) return false;
  const pages = <i32>((end + 65535) >> 16);
  const missing = pages - memory.size();
  if (missing <= 0) return true;
  // an eighth more than needed, so that growing stays rare
  const ample = min<i32>(missing + (pages >> 3), 65536 - memory.size());
  return memory.grow(ample) >= 0 || memory.grow(missing) >= 0;
}
