/**
 * Packets of TCP connections that the capture lost: octets that the other side acknowledged and that are not in it.
 *
 * A hole in the sequence numbers of one direction (or an acknowledgement past its last octet) stays open until a
 * segment fills it: reordered packets and retransmissions do. What is still open when it was acknowledged was
 * delivered past the capture. A connection of which only one direction was captured has no such holes: nothing of the
 * other side is expected. After a SYN a direction begins anew.
 *
 * A five-tuple has eight words, so that a packet touches one cache line: for each direction its next sequence number,
 * the hole, and its state.
 *
 *     next of 0 | next of 1 | hole of 0 from | to | state | hole of 1 from | to | state
 */
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.js';
import type { CaptureIndex } from './flow-columns.js';
import { META_FLAGS_CUT, META_FRAGMENT, type PacketSegment, SIZE_PAYLOAD } from './packet-index.js';

const TCP = 6;
const STRIDE_BITS = 3;
/** where a direction's hole begins in its five-tuple's words, and what stands there */
const HOLES_AT = 2;
const HOLE_WORDS = 3;
const HOLE_FROM = 0;
const HOLE_TO = 1;
const STATE = 2;
/** bits of the state: the next sequence number is known; a hole is open; it was acknowledged */
const KNOWN = 1;
const HOLE = 2;
const ACKED = 4;
/** packets that are looked at more closely: what begins or cuts off a connection, and what is not all there */
const SPECIAL = TCP_SYN | TCP_RST | META_FLAGS_CUT | META_FRAGMENT;

export interface CaptureGaps {
  /** five-tuples with such octets */
  readonly flows: number;
  /** octets */
  readonly bytes: number;
  /** packets whose TCP flags the capture cut off */
  readonly headersCut: number;
  /** by `flow << 1 | direction`: when the last of them was acknowledged, nanoseconds since the capture's base */
  readonly lastNs: ReadonlyMap<number, number>;
}

const known = new WeakMap<CaptureIndex, CaptureGaps>();

/** One pass over the packets, the first time; directions as in the packet index. */
export function captureGaps(index: CaptureIndex): CaptureGaps {
  const found = known.get(index) ?? new GapSearch(index).run();
  known.set(index, found);
  return found;
}

class GapSearch {
  private readonly words: Int32Array;
  /** when the open hole of a direction was acknowledged */
  private readonly pendingNs = new Map<number, number>();
  private readonly lastNs = new Map<number, number>();
  private bytes = 0;
  private headersCut = 0;

  constructor(private readonly index: CaptureIndex) {
    this.words = new Int32Array(index.flows.count << STRIDE_BITS);
  }

  run(): CaptureGaps {
    const { packets, flows } = this.index;
    for (const segment of packets.segments) this.walk(segment, flows.proto);
    for (const way of [...this.pendingNs.keys()]) this.lose(way);
    const { lastNs, bytes, headersCut } = this;
    const tuples = new Set<number>();
    for (const way of lastNs.keys()) tuples.add(way >>> 1);
    return { flows: tuples.size, bytes, headersCut, lastNs };
  }

  private walk(segment: PacketSegment, proto: Uint8Array): void {
    const { count, flowDir, meta, seq, ack, size, timeNs } = segment;
    const { words } = this;
    for (let i = 0; i < count; i++) {
      const way = flowDir[i]! | 0;
      const back = way & 1;
      const row = (way >>> 1) << STRIDE_BITS;
      const flags = meta[i]! | 0;
      const at = seq[i]! | 0;
      const payload = size[i]! & SIZE_PAYLOAD;
      const state = words[row + HOLES_AT + STATE + (back === 0 ? 0 : HOLE_WORDS)]!;
      // in order, in a connection under way: nearly every packet
      if (state === KNOWN && (flags & SPECIAL) === 0 && words[row + back] === at && payload < SIZE_PAYLOAD) {
        words[row + back] = (at + payload + (flags & TCP_FIN)) | 0;
      } else if (proto[way >>> 1] !== TCP || !this.special(way, flags, at, payload)) continue;
      if ((flags & TCP_ACK) === 0) continue;
      const peer = words[row + HOLES_AT + STATE + (back === 0 ? HOLE_WORDS : 0)]!;
      if (peer === 0) continue;
      const acked = ack[i]! | 0;
      if ((peer & HOLE) !== 0 || ((acked - words[row + 1 - back]!) | 0) > 0) {
        this.acknowledge(way ^ 1, acked, timeNs[i]!);
      }
    }
  }

  /** Whatever is not plainly in order; false where its acknowledgement says nothing either. */
  private special(way: number, flags: number, at: number, payload: number): boolean {
    const { words } = this;
    if ((flags & META_FLAGS_CUT) !== 0) {
      this.headersCut++;
      return false;
    }
    if ((flags & TCP_RST) !== 0) return false;
    const own = nextOf(way);
    const state = holeOf(way) + STATE;
    const occupied = payload + ((flags & TCP_SYN) !== 0 ? 1 : 0) + ((flags & TCP_FIN) !== 0 ? 1 : 0);
    const end = (at + occupied) | 0;
    if ((flags & TCP_SYN) !== 0) {
      // a new connection on the five-tuple: what was open of the other side was another one's
      if ((flags & TCP_ACK) === 0) this.forget(way ^ 1, 0);
      this.forget(way, KNOWN);
      words[own] = end;
    } else if (payload === SIZE_PAYLOAD || (flags & META_FRAGMENT) !== 0) {
      // longer than is told here: the sender's place is known again after its next segment
      this.forget(way, 0);
    } else if ((words[state]! & KNOWN) === 0) {
      words[state] = KNOWN;
      words[own] = end;
    } else if (((at - words[own]!) | 0) > 0) {
      this.open(way, words[own]!, at);
      words[own] = end;
    } else {
      if ((words[state]! & HOLE) !== 0 && occupied > 0) this.fill(way, at, end);
      if (((end - words[own]!) | 0) > 0) words[own] = end;
    }
    return true;
  }

  /** The other side of a direction acknowledges it up to `ack`. */
  private acknowledge(way: number, ack: number, timeNs: number): void {
    const { words } = this;
    const hole = holeOf(way);
    if (((ack - words[nextOf(way)]!) | 0) > 0) {
      this.open(way, words[nextOf(way)]!, ack);
      words[nextOf(way)] = ack;
    }
    if ((words[hole + STATE]! & (HOLE | ACKED)) === HOLE && ((ack - words[hole + HOLE_TO]!) | 0) >= 0) {
      words[hole + STATE]! |= ACKED;
      this.pendingNs.set(way, timeNs);
    }
  }

  /** Fills the hole from its beginning on. */
  private fill(way: number, at: number, end: number): void {
    const { words } = this;
    const hole = holeOf(way);
    const from = words[hole + HOLE_FROM]!;
    if (((at - from) | 0) > 0 || ((end - from) | 0) <= 0) return;
    words[hole + HOLE_FROM] = end;
    if (((end - words[hole + HOLE_TO]!) | 0) >= 0) this.forget(way, KNOWN);
  }

  /** One hole is kept: a further one lengthens it, and one that was acknowledged before is lost for good. */
  private open(way: number, from: number, to: number): void {
    const { words } = this;
    const hole = holeOf(way);
    const state = words[hole + STATE]!;
    if ((state & HOLE) === 0 || (state & ACKED) !== 0) {
      if ((state & HOLE) !== 0) this.lose(way);
      words[hole + HOLE_FROM] = from;
    }
    words[hole + STATE] = KNOWN | HOLE;
    words[hole + HOLE_TO] = to;
  }

  private lose(way: number): void {
    const hole = holeOf(way);
    this.bytes += (this.words[hole + HOLE_TO]! - this.words[hole + HOLE_FROM]!) >>> 0;
    this.lastNs.set(way, this.pendingNs.get(way)!);
    this.forget(way, KNOWN);
  }

  private forget(way: number, state: number): void {
    const at = holeOf(way) + STATE;
    if ((this.words[at]! & ACKED) !== 0) this.pendingNs.delete(way);
    this.words[at] = state;
  }
}

function nextOf(way: number): number {
  return ((way >>> 1) << STRIDE_BITS) + (way & 1);
}

function holeOf(way: number): number {
  return ((way >>> 1) << STRIDE_BITS) + HOLES_AT + HOLE_WORDS * (way & 1);
}
