/**
 * A node's connection tracking table: entries known by two tuples, as columns.
 *
 * A *slot* is entry << 1 | direction. Slot tuples are what packets carry: the original tuple as the opener sent
 * it, the reply tuple as the answers come back, translated. Both slots of an entry are chained
 * in one hash index. Entry rows are reused after removal. Time is an argument, seconds.
 *
 * Timeouts, early drop and what "assured" means: see timeouts.ts and tcp-states.ts; a removed entry is simply gone.
 */
import {
  IGNORE,
  INVALID,
  nextTcpState,
  ORIGINAL,
  REPLY,
  Segment,
  TcpState,
} from '../conntrack/tcp-states.js';
import { type TimeoutTable, tcpTimeouts, UDP_STREAM_AFTER_S } from '../conntrack/timeouts.js';
import { hashTuple, sameTuple, TUPLE_WORDS, type Tuple } from '../conntrack/tuple.js';
import { TCP } from '../wire/ip-protocol.js';

/** the entry has seen a packet in the reply direction */
export const CT_REPLIED = 1;
/** survives early drop */
export const CT_ASSURED = 2;

/** picked up in mid-stream: windows are not kept (see stale-segment.ts) */
export const CT_LOOSE = 4;
/** the reply side's RST closed it before any FIN: a SYN passes through, and opens nothing anew */
const CT_RESET = 8;

export interface ConntrackLimits {
  readonly max: number;
  readonly timeouts: TimeoutTable & { readonly icmp: number; readonly generic: number };
  /** `always`: a SYN opens any closed entry anew; absent: Linux's way, see {@link CT_RESET} */
  readonly reopens?: 'always';
}

/** Somebody who steps entries elsewhere (dataplane/) and brings what became of them when the table looks. */
export interface EntryKeeper {
  /** writes an entry's state, marks and time with {@link ConntrackTable.restore} where they are newer */
  settle(entry: number): void;
  /** the entry is no more */
  removed(entry: number): void;
}

export class ConntrackTable {
  keeper: EntryKeeper | null = null;
  /** told of every entry that goes */
  onRemove: ((entry: number) => void) | null = null;
  /** living entries */
  size = 0;
  private capacity = 1024;
  private tuples = new Uint32Array(this.capacity * 2 * TUPLE_WORDS);
  private next = new Int32Array(this.capacity * 2);
  private heads = new Int32Array(this.capacity * 2).fill(-1);
  private state = new Uint8Array(this.capacity);
  private marks = new Uint8Array(this.capacity);
  private createdS = new Float64Array(this.capacity);
  private ends = new Uint32Array(this.capacity);
  private acks = new Uint32Array(this.capacity);
  private living = new Uint8Array(this.capacity);
  private lastS = new Float64Array(this.capacity);
  /** order of making, for early drop: doubly linked */
  private younger = new Int32Array(this.capacity);
  private older = new Int32Array(this.capacity);
  private oldest = -1;
  private youngest = -1;
  private readonly free: number[] = [];
  private rows = 0;
  private readonly tcp: Float64Array;

  constructor(private readonly limits: ConntrackLimits) {
    this.tcp = tcpTimeouts(limits.timeouts);
  }

  /** Slot whose tuple is `tuple`, or -1. An entry that has expired is removed and not found. */
  find(tuple: Tuple, nowS: number): number {
    const slot = this.lookUp(tuple.words);
    if (slot < 0) return -1;
    const entry = slot >> 1;
    if (nowS <= this.expiresS(entry)) return slot;
    this.remove(entry);
    return -1;
  }

  /** As {@link find}, whether the entry has expired or not: for a table whose owner ends entries itself. */
  peek(tuple: Tuple): number {
    return this.lookUp(tuple.words);
  }

  /**
   * Whether some entry already has this tuple, in either direction (NAT must then choose another port). `harder`: one of
   * a TCP connection that is over gives way.
   */
  isTaken(tuple: Tuple, nowS: number, harder = false): boolean {
    const slot = this.find(tuple, nowS);
    if (slot < 0) return false;
    const state = this.stateOf(slot >> 1);
    const isOver = tuple.proto === TCP && (state === TcpState.timeWait || state === TcpState.close);
    if (!harder || !isOver) return true;
    this.remove(slot >> 1);
    return false;
  }

  /** Makes an entry. Both tuples must be free ({@link isTaken}). */
  insert(original: Tuple, reply: Tuple, state: number, nowS: number): number {
    const entry = this.free.pop() ?? this.newRow();
    this.tuples.set(original.words, entry * 2 * TUPLE_WORDS);
    this.tuples.set(reply.words, (entry * 2 + 1) * TUPLE_WORDS);
    this.state[entry] = state;
    this.marks[entry] = 0;
    this.createdS[entry] = nowS;
    this.ends[entry] = 0;
    this.acks[entry] = 0;
    this.living[entry] = 1;
    this.lastS[entry] = nowS;
    this.link(entry * 2);
    this.link(entry * 2 + 1);
    this.older[entry] = this.youngest;
    this.younger[entry] = -1;
    if (this.youngest >= 0) this.younger[this.youngest] = entry;
    else this.oldest = entry;
    this.youngest = entry;
    this.size++;
    return entry;
  }

  remove(entry: number): void {
    this.keeper?.removed(entry);
    this.onRemove?.(entry);
    this.living[entry] = 0;
    this.unlink(entry * 2);
    this.unlink(entry * 2 + 1);
    const [older, younger] = [this.older[entry]!, this.younger[entry]!];
    if (older >= 0) this.younger[older] = younger;
    else this.oldest = younger;
    if (younger >= 0) this.older[younger] = older;
    else this.youngest = older;
    this.free.push(entry);
    this.size--;
  }

  /**
   * Takes a TCP segment into account. Returns the new state, IGNORE, INVALID, or {@link TcpState.synSent} for a
   * SYN that reopens a closed connection: then the entry is removed and the caller starts anew.
   */
  stepTcp(slot: number, segment: Segment | -1, nowS: number): number {
    const entry = slot >> 1;
    const state = this.state[entry] as TcpState;
    const direction = (slot & 1) === 0 ? ORIGINAL : REPLY;
    const wasReset = (this.marks[entry]! & CT_RESET) !== 0;
    if (wasReset && direction === REPLY && segment === Segment.synAck) {
      // it acknowledges a SYN that was let through: in step again
      this.marks[entry]! &= ~CT_RESET;
      this.state[entry] = TcpState.synRecv;
      this.lastS[entry] = nowS;
      return TcpState.synRecv;
    }
    const next = segment < 0 ? INVALID : nextTcpState(direction, segment as Segment, state);
    if (next >= IGNORE) return next;
    if (next === TcpState.synSent && state >= TcpState.timeWait) {
      if (wasReset) return IGNORE;
      this.remove(entry);
      return next;
    }
    if (direction === REPLY) this.marks[entry]! |= CT_REPLIED;
    const isReset = segment === Segment.rst && direction === REPLY && state <= TcpState.established;
    if (isReset && this.limits.reopens !== 'always') this.marks[entry]! |= CT_RESET;
    const becameTwoWay =
      (state === TcpState.synRecv || state === TcpState.established) && next === TcpState.established;
    if (becameTwoWay && (this.marks[entry]! & CT_REPLIED) !== 0) this.marks[entry]! |= CT_ASSURED;
    this.state[entry] = next;
    // a SYN sent again does not refresh its entry (Linux 6.x, observed)
    if (!(next === TcpState.synSent && state === TcpState.synSent)) this.lastS[entry] = nowS;
    return next;
  }

  /** Takes any other packet (UDP, ICMP, ...) into account. */
  stepOther(slot: number, nowS: number): void {
    const entry = slot >> 1;
    if ((slot & 1) === 1) this.marks[entry]! |= CT_REPLIED;
    this.lastS[entry] = nowS;
    if (this.isStream(entry)) this.marks[entry]! |= CT_ASSURED;
  }

  /** The connection of an entry that only ever got a RST as reply is over: kernel removes it at once. */
  hasReplied(entry: number): boolean {
    return (this.marks[entry]! & CT_REPLIED) !== 0;
  }

  isAssured(entry: number): boolean {
    this.keeper?.settle(entry);
    return (this.marks[entry]! & CT_ASSURED) !== 0;
  }

  mark(entry: number, marks: number): void {
    this.marks[entry]! |= marks;
  }

  stateOf(entry: number): number {
    return this.state[entry]!;
  }

  createdAtS(entry: number): number {
    return this.createdS[entry]!;
  }

  /** Whether the entry made at `createdS` is still there. */
  holds(entry: number, createdS: number): boolean {
    return this.living[entry] === 1 && this.createdS[entry] === createdS;
  }

  /** A packet of the other direction passed through. */
  refresh(entry: number, nowS: number): void {
    this.lastS[entry] = nowS;
  }

  /** Highest sequence number that the opener has sent through the entry. */
  endOf(entry: number): number {
    return this.ends[entry]!;
  }

  setEnd(entry: number, end: number): void {
    this.ends[entry] = end;
  }

  /** What the opener has acknowledged through the entry; 0: nothing yet. */
  ackOf(entry: number): number {
    return this.acks[entry]!;
  }

  setAck(entry: number, ack: number): void {
    this.acks[entry] = ack;
  }

  isLoose(entry: number): boolean {
    return (this.marks[entry]! & CT_LOOSE) !== 0;
  }

  /** The entry is over, and is kept for as long as CLOSE is. */
  close(entry: number, nowS: number): void {
    this.state[entry] = TcpState.close;
    this.lastS[entry] = nowS;
  }

  /** The tuple of a slot, copied into `out`. */
  readTuple(slot: number, out: Tuple): void {
    const at = slot * TUPLE_WORDS;
    for (let i = 0; i < TUPLE_WORDS; i++) out.words[i] = this.tuples[at + i]!;
  }

  /** Entries that have expired go. */
  expire(nowS: number): void {
    for (let entry = this.oldest; entry >= 0; ) {
      const next = this.younger[entry]!;
      if (this.expiresS(entry) < nowS) this.remove(entry);
      entry = next;
    }
  }

  /** Everything is forgotten: the node booted. */
  clear(): void {
    for (let entry = this.oldest; entry >= 0; ) {
      const next = this.younger[entry]!;
      this.remove(entry);
      entry = next;
    }
  }

  /** Rows of the living entries, oldest first. */
  *entries(): IterableIterator<number> {
    for (let entry = this.oldest; entry >= 0; ) {
      const next = this.younger[entry]!;
      yield entry;
      entry = next;
    }
  }

  /** What became of an entry elsewhere. */
  restore(entry: number, state: number, marks: number, lastS: number): void {
    this.state[entry] = state;
    this.marks[entry] = marks;
    this.lastS[entry] = lastS;
  }

  marksOf(entry: number): number {
    return this.marks[entry]!;
  }

  lastAtS(entry: number): number {
    return this.lastS[entry]!;
  }

  expiresS(entry: number): number {
    this.keeper?.settle(entry);
    return this.lastS[entry]! + this.timeoutS(entry);
  }

  private timeoutS(entry: number): number {
    const { timeouts } = this.limits;
    const proto = this.tuples[entry * 2 * TUPLE_WORDS + TUPLE_WORDS - 1]! & 0xff;
    if (proto === TCP) {
      const byState = this.tcp[this.state[entry]!]!;
      const picked = this.state[entry] === TcpState.established && !this.hasReplied(entry);
      return picked ? Math.min(byState, timeouts.unacknowledged) : byState;
    }
    if (proto === 1 || proto === 58) return timeouts.icmp;
    return this.isStream(entry) ? timeouts.udpStream : timeouts.udp;
  }

  private isStream(entry: number): boolean {
    return this.hasReplied(entry) && this.lastS[entry]! - this.createdS[entry]! > UDP_STREAM_AFTER_S;
  }

  private lookUp(words: Uint32Array): number {
    const { tuples, next } = this;
    const mask = this.heads.length - 1;
    for (let slot = this.heads[hashTuple(words, 0) & mask]!; slot >= 0; slot = next[slot]!) {
      if (sameTuple(tuples, slot * TUPLE_WORDS, words, 0)) return slot;
    }
    return -1;
  }

  private link(slot: number): void {
    const bucket = hashTuple(this.tuples, slot * TUPLE_WORDS) & (this.heads.length - 1);
    this.next[slot] = this.heads[bucket]!;
    this.heads[bucket] = slot;
  }

  private unlink(slot: number): void {
    const bucket = hashTuple(this.tuples, slot * TUPLE_WORDS) & (this.heads.length - 1);
    let at = this.heads[bucket]!;
    if (at === slot) {
      this.heads[bucket] = this.next[slot]!;
      return;
    }
    while (this.next[at] !== slot) at = this.next[at]!;
    this.next[at] = this.next[slot]!;
  }

  private newRow(): number {
    if (this.rows === this.capacity) this.grow();
    return this.rows++;
  }

  private grow(): void {
    const living = [...this.entries()];
    this.capacity *= 2;
    const { capacity } = this;
    this.tuples = widen(new Uint32Array(capacity * 2 * TUPLE_WORDS), this.tuples);
    this.state = widen(new Uint8Array(capacity), this.state);
    this.marks = widen(new Uint8Array(capacity), this.marks);
    this.createdS = widen(new Float64Array(capacity), this.createdS);
    this.ends = widen(new Uint32Array(capacity), this.ends);
    this.acks = widen(new Uint32Array(capacity), this.acks);
    this.living = widen(new Uint8Array(capacity), this.living);
    this.lastS = widen(new Float64Array(capacity), this.lastS);
    this.younger = widen(new Int32Array(capacity), this.younger);
    this.older = widen(new Int32Array(capacity), this.older);
    this.next = new Int32Array(capacity * 2);
    this.heads = new Int32Array(capacity * 2).fill(-1);
    for (const entry of living) {
      this.link(entry * 2);
      this.link(entry * 2 + 1);
    }
  }
}

function widen<T extends { set(from: T): void }>(wider: T, column: T): T {
  wider.set(column);
  return wider;
}
