/**
 * The connections of a capture: one row each, found by five-tuple, in two interleaved columns a chunk.
 *
 * A row is 16 numbers of 64 bits (`clock`) and 32 words (`words`), 256 octets together, so that a packet touches four
 * cache lines instead of one a column. Rows never move; a chunk holds {@link CHUNK_ROWS} of them. A five-tuple that is
 * used again gets another row with the next `connection` number, and only its newest row is found.
 *
 * The client's side comes first in every row. Who that is, is decided when the row is opened (see `serverIsSource`)
 * and does not change.
 */

export const CHUNK_ROW_BITS = 14;
const CHUNK_ROWS = 1 << CHUNK_ROW_BITS;
const ROW_MASK = CHUNK_ROWS - 1;

/**
 * Fields of `clock`: nanoseconds since the capture's first record, -1 where it never happened. The first eight change
 * with every packet and share a cache line.
 */
const CLOCK_STRIDE = 16;
/** octets of IP packets, not a time */
export const BYTES_OUT = 0;
/** since when octets of this side have waited for an acknowledgement */
export const OPEN_OUT = 2;
export const OPEN_IN = 3;
/** the last packet of each side, not counting what comes after a reset */
export const LAST_OUT = 4;
export const LAST_IN = 5;
/** how long the connection had been silent before the packet that nothing answered yet */
export const GAP = 6;
/** the longest silence after which an answer still came */
export const SURVIVED = 7;
export const FIRST = 8;
/** the last packet after a reset */
export const END = 9;
/** from the SYN to its SYN+ACK, where the SYN was sent once */
export const ROUND_TRIP = 10;
export const FIN_OUT = 11;
export const FIN_IN = 12;
export const RST_AT = 13;
/** when the client's packets began to go to another next hop (by destination MAC address) */
export const MOVED_AT = 14;

/** Fields of `words`. */
const WORDS_STRIDE = 32;
export const CLIENT_ADDRESS = 0;
export const SERVER_ADDRESS = 4;
/** client's port << 16 | server's port */
export const PORTS = 8;
/** protocol | family << 8 | {@link Layer} << 16 */
export const KIND = 9;
/** Then the same eight for each side, from {@link OUT} and from {@link IN}. */
export const OUT = 10;
export const IN = 18;
/** sequence number after the last octet sent */
export const NEXT = 0;
/** the highest acknowledgement number sent */
export const ACKED = 1;
/** sequence number of the first segment seen */
export const FIRST_SEQ = 2;
export const PACKETS = 3;
/** octets of payload, saturated */
export const PAYLOAD = 4;
/** segments without anything new (16 bits, high), transmissions of what is open (16 bits, low) */
export const REPEATS = 5;
/** biggest payload that was acknowledged (high), payload of the segment repeated last (low) */
export const SIZES = 6;
/** lowest TTL (bits 0-7), highest (8-15), biggest payload sent (16-31) */
export const HOPS = 7;
export const RST_SEQ = 26;
/** flags | TTL << 8 | relations (`RST_…`) << 16 */
export const RST_META = 27;
/** the last four octets of the MAC address that the client's packets go to, where they are nearest to the server */
export const NEXT_HOP = 28;
/** identification | payload & 0xffff of the last segment, to know a copy of it */
export const COPY_OUT = 29;
/** marks (`SAW_…`) */
export const MARKS = 30;
/** connection number (16 bits, low), SYNs of the client (8 bits), SYN+ACKs (8 bits, high) */
export const NUMBER = 31;

/** Bits of {@link RST_META} from bit 16. */
export const RST_BY_SERVER = 1;
/** its sequence number is the acknowledgement number of the other side's last segment */
export const RST_SEQ_IS_ACK = 2;
/** its sequence number is the sender's own next one */
export const RST_SEQ_IS_OWN = 4;
/** it has window 0 */
export const RST_NO_WINDOW = 8;
/** it has TCP options */
export const RST_OPTIONS = 16;
/** the sender of the reset had said nothing before */
export const RST_FIRST_WORD = 32;
/** IPv4 identification 0 */
export const RST_NO_ID = 64;
/** the server's reset answers a SYN: its ACK is that of the SYN, or the client sent nothing else */
export const RST_OF_SYN = 128;
/** no packet of the other side came within the time of an answer before it */
export const RST_UNPROVOKED = 256;
/** the server had closed when the client sent what the reset answers */
export const RST_AFTER_CLOSE = 512;
/** something of the other side was still unacknowledged */
export const RST_WHILE_OPEN = 1024;

export const SAW_SYN = 1;
export const SAW_SYNACK = 2;
/** the client acknowledged the server's SYN: the handshake is complete */
export const SAW_HANDSHAKE_ACK = 4;
export const SAW_DATA_OUT = 8;
export const SAW_DATA_IN = 16;
/** octets between the segments are not in the capture */
export const MISSING_OUT = 32;
export const MISSING_IN = 64;
/** the open octets are a FIN and no data */
export const OPEN_IS_FIN_OUT = 128;
export const OPEN_IS_FIN_IN = 256;
/** a SYN was answered by an ACK for something else (RFC 5961 4.2): the server has an older connection there */
export const CHALLENGED = 512;
export const ZERO_WINDOW_OUT = 1024;
export const ZERO_WINDOW_IN = 2048;
/** what the client sent last: data, FIN, or neither */
export const LAST_OUT_DATA = 4096;
export const LAST_OUT_FIN = 8192;
/** segments of the server have TCP options, and its IPv4 packets an identification */
export const OPTIONS_IN = 16384;
export const IDENTIFIED_IN = 32768;
/** the segment sent last had window 0 */
export const WINDOW_SHUT_OUT = 1 << 16;
export const WINDOW_SHUT_IN = 1 << 17;
/** keep-alive probes (RFC 9293 3.8.4) */
export const PROBED = 1 << 18;
/** UDP: the first payload of the client looks like a QUIC packet with a long header (RFC 8999 5.1) */
export const QUIC = 1 << 19;
/** something that is neither SYN, FIN nor RST was seen */
export const SAW_PLAIN = 1 << 20;
/** the FIN of this side was acknowledged */
export const FIN_ACKED_OUT = 1 << 21;
export const FIN_ACKED_IN = 1 << 22;
/** the first segment had neither SYN nor RST */
export const BEGAN_MID = 1 << 23;
/** the first segment has flags that open nothing: none, FIN alone, FIN+PSH+URG, or ACK with nothing behind it */
export const PROBE_FLAGS = 1 << 24;
/** {@link RST_AT} is set */
export const WAS_RESET = 1 << 25;
/** the client has sent data since the server last did */
export const AWAITING = 1 << 26;
/** one side acknowledges more and more of a side that the capture does not show */
export const UNSEEN_PEER = 1 << 27;
/** a segment that only acknowledges */
export const SAW_BARE_ACK = 1 << 28;
/** the other side acknowledged octets of this one that the capture does not hold: it lost packets */
export const LOST_OUT = 1 << 29;
export const LOST_IN = 1 << 30;

/** Which IP header of its packets a row was made of. */
export const LAYER_PLAIN = 0;
/** the outside of a tunnel */
export const LAYER_OUTSIDE = 1;
/** the inside of a tunnel */
export const LAYER_INSIDE = 2;

export interface ConnectionChunk {
  readonly clock: Float64Array;
  readonly words: Uint32Array;
}

/** Two sides of a packet, as {@link ConnectionTable.find} wants them. */
export interface PacketEnds {
  /** source address (4 words), destination address (4 words); IPv4 in the first of each */
  readonly ends: Uint32Array;
  srcPort: number;
  dstPort: number;
  /** protocol | family << 8 | layer << 16 */
  kind: number;
  /** of all these, by {@link hashOf} */
  hash: number;
}

export class ConnectionTable {
  readonly chunks: ConnectionChunk[] = [];
  count = 0;
  /** hash and row + 1 in turns; row 0 is free. Open addressing, at most three quarters full */
  private slots = new Int32Array(2 << 14);
  private mask = (1 << 14) - 1;
  private used = 0;

  /** Where row `row` begins in its chunk's `clock`. */
  static clockAt(row: number): number {
    return (row & ROW_MASK) * CLOCK_STRIDE;
  }

  /** Where row `row` begins in its chunk's `words`. */
  static wordsAt(row: number): number {
    return (row & ROW_MASK) * WORDS_STRIDE;
  }

  chunkOf(row: number): ConnectionChunk {
    return this.chunks[row >>> CHUNK_ROW_BITS]!;
  }

  /** The row at the first slot of `hash`, or -1: brings the slot into the cache, and is a good guess. */
  touchSlot(hash: number): number {
    return this.slots[((hash & this.mask) << 1) | 1]! - 1;
  }

  /** Brings the lines of a row into the cache. The sum says nothing; it keeps the reads from being left out. */
  touchRow(row: number): number {
    const { words, clock } = this.chunks[row >>> CHUNK_ROW_BITS]!;
    const at = row & ROW_MASK;
    return words[at * WORDS_STRIDE]! + words[at * WORDS_STRIDE + MARKS]! + clock[at * CLOCK_STRIDE]!;
  }

  /** `row << 1 | 1` where the packet comes from the row's server; -1 where the five-tuple has no row. */
  find(packet: PacketEnds): number {
    const { ends, srcPort, dstPort, kind, hash } = packet;
    const ports = ((srcPort << 16) | dstPort) >>> 0;
    const reversed = ((dstPort << 16) | srcPort) >>> 0;
    const { slots, mask, chunks } = this;
    let slot = hash & mask;
    for (let entry = slots[(slot << 1) | 1]!; entry !== 0; entry = slots[(slot << 1) | 1]!) {
      if (slots[slot << 1] === hash) {
        const row = entry - 1;
        const { words } = chunks[row >>> CHUNK_ROW_BITS]!;
        const at = (row & ROW_MASK) * WORDS_STRIDE;
        if (words[at + KIND] === kind) {
          if (words[at + PORTS] === ports && sameWay(words, at, ends)) return row << 1;
          if (words[at + PORTS] === reversed && otherWay(words, at, ends)) return (row << 1) | 1;
        }
      }
      slot = (slot + 1) & mask;
    }
    return -1;
  }

  /**
   * Opens a row for a packet's five-tuple. `after` is the row of the five-tuple's earlier connection, -1 for none.
   */
  open(packet: PacketEnds, serverIsSource: 0 | 1, after: number, timeNs: number): number {
    const row = this.count++;
    if ((row & ROW_MASK) === 0) {
      this.chunks.push({
        clock: new Float64Array(CHUNK_ROWS * CLOCK_STRIDE),
        words: new Uint32Array(CHUNK_ROWS * WORDS_STRIDE),
      });
    }
    const { clock, words } = this.chunks[row >>> CHUNK_ROW_BITS]!;
    const c = (row & ROW_MASK) * CLOCK_STRIDE;
    const w = (row & ROW_MASK) * WORDS_STRIDE;
    const { ends, hash } = packet;
    const from = serverIsSource === 1 ? 4 : 0;
    for (let i = 0; i < 4; i++) {
      words[w + CLIENT_ADDRESS + i] = ends[from + i]!;
      words[w + SERVER_ADDRESS + i] = ends[4 - from + i]!;
    }
    words[w + PORTS] =
      serverIsSource === 1
        ? (packet.dstPort << 16) | packet.srcPort
        : (packet.srcPort << 16) | packet.dstPort;
    words[w + KIND] = packet.kind;
    words[w + OUT + HOPS] = 0xff;
    words[w + IN + HOPS] = 0xff;
    clock[c + FIRST] = timeNs;
    clock[c + END] = timeNs;
    for (let i = 0; i < UNSET.length; i++) clock[c + UNSET[i]!] = -1;
    if (after >= 0) {
      const before = this.chunks[after >>> CHUNK_ROW_BITS]!.words;
      words[w + NUMBER] = ((before[(after & ROW_MASK) * WORDS_STRIDE + NUMBER]! & 0xffff) + 1) & 0xffff;
      let slot = hash & this.mask;
      while (this.slots[(slot << 1) | 1] !== after + 1) slot = (slot + 1) & this.mask;
      this.slots[(slot << 1) | 1] = row + 1;
    } else {
      if (++this.used * 4 > this.mask * 3) this.grow();
      this.insert(hash, row + 1);
    }
    return row;
  }

  private insert(hash: number, entry: number): void {
    const { slots, mask } = this;
    let slot = hash & mask;
    while (slots[(slot << 1) | 1] !== 0) slot = (slot + 1) & mask;
    slots[slot << 1] = hash;
    slots[(slot << 1) | 1] = entry;
  }

  private grow(): void {
    const before = this.slots;
    this.slots = new Int32Array(before.length * 2);
    this.mask = this.slots.length / 2 - 1;
    for (let i = 0; i < before.length; i += 2) {
      if (before[i + 1] !== 0) this.insert(before[i]!, before[i + 1]!);
    }
  }
}

/** clock fields that are -1 until they happen */
const UNSET = [ROUND_TRIP, OPEN_OUT, OPEN_IN, FIN_OUT, FIN_IN, RST_AT, LAST_OUT, LAST_IN, MOVED_AT];

function sameWay(words: Uint32Array, at: number, ends: Uint32Array): boolean {
  if (words[at] !== ends[0] || words[at + 4] !== ends[4]) return false;
  for (let i = 1; i < 4; i++) {
    if (words[at + i] !== ends[i] || words[at + 4 + i] !== ends[4 + i]) return false;
  }
  return true;
}

function otherWay(words: Uint32Array, at: number, ends: Uint32Array): boolean {
  if (words[at] !== ends[4] || words[at + 4] !== ends[0]) return false;
  for (let i = 1; i < 4; i++) {
    if (words[at + i] !== ends[4 + i] || words[at + 4 + i] !== ends[i]) return false;
  }
  return true;
}

/** The same for both directions of a five-tuple: what differs between them is added. */
export function hashOf(ends: Uint32Array, srcPort: number, dstPort: number, kind: number): number {
  const sum = (side(ends, 0, srcPort) + side(ends, 4, dstPort)) | 0;
  const h = Math.imul(sum ^ kind, 0x85ebca6b);
  return h ^ (h >>> 15);
}

function side(ends: Uint32Array, at: number, port: number): number {
  let h = Math.imul(ends[at]! ^ Math.imul(port + 0x51ed, 0xc2b2ae35), 0x9e3779b1);
  h ^= h >>> 15;
  const low = ends[at + 1]! ^ Math.imul(ends[at + 2]!, 0x85ebca6b) ^ Math.imul(ends[at + 3]!, 0xc2b2ae35);
  return low === 0 ? h : Math.imul(h ^ low, 0x9e3779b1) ^ (low >>> 13);
}
