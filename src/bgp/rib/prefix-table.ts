/**
 * The prefixes of one family: a row a prefix, found by hashing address and length.
 *
 * ```
 *   slots   | hash, row + 1 | hash, row + 1 | 0, 0 | …      open addressing, linear probing, at most 3/4 full
 *   rows    | words 1 or 4 | length |                       the row number is the only handle
 * ```
 *
 * The whole hash stands beside the row, so that a prefix that is not there costs one look into memory. A removed
 * slot is filled by shifting back what follows, there are no tombstones. Rows of removed prefixes are used again;
 * when the table runs empty, rows begin anew in order, so that a refed table lies as the first one did.
 *
 * Longest match asks each length in use, longest first: at most 33 or 129 looks.
 */
import { grownColumn } from './grown-column.js';

/** `lengths` of a row without a prefix */
const FREE = 255;
/** room where nobody says how many prefixes to expect */
export const DEFAULT_ROOM = 1024;

export class PrefixTable {
  /** address words, {@link width} a row, network order */
  words: Uint32Array<ArrayBuffer>;
  lengths: Uint8Array<ArrayBuffer>;
  /** rows ever used since the table was empty: every row in use is below */
  rows = 0;
  /** prefixes in the table */
  count = 0;
  readonly width: 1 | 4;

  private slots: Uint32Array<ArrayBuffer>;
  private slotMask: number;
  /** first free row below {@link rows}, or -1; the next one is in its first word */
  private free = -1;
  private readonly countOfLength = new Uint32Array(129);

  /** `room`: prefixes that fit before anything grows, a power of two */
  constructor(
    readonly bits: 32 | 128,
    room: number = DEFAULT_ROOM,
  ) {
    this.width = bits === 32 ? 1 : 4;
    this.words = new Uint32Array(room * this.width);
    this.lengths = new Uint8Array(room);
    this.slots = new Uint32Array(4 * room);
    this.slotMask = 2 * room - 1;
  }

  /** Rows that the columns have room for: columns of others beside this table follow it. */
  get capacity(): number {
    return this.lengths.length;
  }

  isUsed(row: number): boolean {
    return row < this.rows && this.lengths[row] !== FREE;
  }

  /** Row of the prefix, or -1. Host bits must be zero; IPv4 has its address in `w0`. */
  find(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const slots = this.slots;
    const mask = this.slotMask;
    const hash = hashPrefix(w0, w1, w2, w3, length);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = slots[2 * slot + 1]! - 1;
      if (row < 0) return -1;
      if (slots[2 * slot] === hash && this.isPrefix(row, w0, w1, w2, w3, length)) return row;
    }
  }

  /** Row of the prefix, which is added where it is missing. */
  intern(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const slots = this.slots;
    const mask = this.slotMask;
    const hash = hashPrefix(w0, w1, w2, w3, length);
    let slot = hash & mask;
    for (; ; slot = (slot + 1) & mask) {
      const row = slots[2 * slot + 1]! - 1;
      if (row < 0) break;
      if (slots[2 * slot] === hash && this.isPrefix(row, w0, w1, w2, w3, length)) return row;
    }
    const row = this.newRow();
    slots[2 * slot] = hash;
    slots[2 * slot + 1] = row + 1;
    this.lengths[row] = length;
    if (this.width === 1) this.words[row] = w0;
    else {
      const at = 4 * row;
      this.words[at] = w0;
      this.words[at + 1] = w1;
      this.words[at + 2] = w2;
      this.words[at + 3] = w3;
    }
    this.countOfLength[length]!++;
    this.count++;
    if (4 * this.count > 3 * (mask + 1)) this.growSlots();
    return row;
  }

  remove(row: number): void {
    const slots = this.slots;
    const mask = this.slotMask;
    let slot = this.hashOfRow(row) & mask;
    while (slots[2 * slot + 1] !== row + 1) slot = (slot + 1) & mask;
    this.closeGap(slot);
    this.countOfLength[this.lengths[row]!]!--;
    this.lengths[row] = FREE;
    this.words[row * this.width] = this.free + 1;
    this.free = row;
    this.count--;
    if (this.count === 0) {
      this.rows = 0;
      this.free = -1;
    }
  }

  /**
   * Row of the longest prefix that covers the address and is at most `maxLength` long, or -1. With `accepts`, of
   * those whose row it accepts.
   */
  longestMatch(
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    maxLength: number = this.bits,
    accepts: (row: number) => boolean = acceptsAll,
  ): number {
    for (let length = maxLength; length >= 0; length--) {
      if (this.countOfLength[length] === 0) continue;
      const row = this.find(
        (w0 & mask32(length)) >>> 0,
        (w1 & mask32(length - 32)) >>> 0,
        (w2 & mask32(length - 64)) >>> 0,
        (w3 & mask32(length - 96)) >>> 0,
        length,
      );
      if (row >= 0 && accepts(row)) return row;
    }
    return -1;
  }

  /** Whether the prefix of `row` lies inside of the given one (or is it). */
  isInside(row: number, w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    if (this.lengths[row]! < length) return false;
    const { words, width } = this;
    const at = row * width;
    if (((words[at]! ^ w0) & mask32(length)) !== 0) return false;
    if (width === 1) return true;
    return (
      ((words[at + 1]! ^ w1) & mask32(length - 32)) === 0 &&
      ((words[at + 2]! ^ w2) & mask32(length - 64)) === 0 &&
      ((words[at + 3]! ^ w3) & mask32(length - 96)) === 0
    );
  }

  private isPrefix(row: number, w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    const { words } = this;
    if (this.lengths[row] !== length) return false;
    if (this.width === 1) return words[row] === w0;
    const at = 4 * row;
    return words[at] === w0 && words[at + 1] === w1 && words[at + 2] === w2 && words[at + 3] === w3;
  }

  private hashOfRow(row: number): number {
    const { words } = this;
    const length = this.lengths[row]!;
    if (this.width === 1) return hashPrefix(words[row]!, 0, 0, 0, length);
    const at = 4 * row;
    return hashPrefix(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, length);
  }

  private newRow(): number {
    const free = this.free;
    if (free >= 0) {
      this.free = this.words[free * this.width]! - 1;
      return free;
    }
    if (this.rows === this.lengths.length) {
      const rows = 2 * this.rows;
      this.words = grownColumn(this.words, rows * this.width);
      this.lengths = grownColumn(this.lengths, rows);
    }
    return this.rows++;
  }

  private growSlots(): void {
    const old = this.slots;
    const mask = 2 * (this.slotMask + 1) - 1;
    const slots = new Uint32Array(2 * old.length);
    for (let at = 0; at < old.length; at += 2) {
      if (old[at + 1] === 0) continue;
      let slot = old[at]! & mask;
      while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
      slots[2 * slot] = old[at]!;
      slots[2 * slot + 1] = old[at + 1]!;
    }
    this.slots = slots;
    this.slotMask = mask;
  }

  /** Empties `slot` and moves back whatever would no longer be found behind it. */
  private closeGap(slot: number): void {
    const slots = this.slots;
    const mask = this.slotMask;
    for (let next = (slot + 1) & mask; slots[2 * next + 1] !== 0; next = (next + 1) & mask) {
      const home = slots[2 * next]! & mask;
      if (((next - home) & mask) < ((next - slot) & mask)) continue;
      slots[2 * slot] = slots[2 * next]!;
      slots[2 * slot + 1] = slots[2 * next + 1]!;
      slot = next;
    }
    slots[2 * slot] = 0;
    slots[2 * slot + 1] = 0;
  }
}

function acceptsAll(): boolean {
  return true;
}

function mask32(length: number): number {
  return length <= 0 ? 0 : length >= 32 ? -1 : -1 << (32 - length);
}

/** Two rounds of the murmur3 finalizer's kind; IPv6 words that are zero cost nothing but the multiplications. */
function hashPrefix(w0: number, w1: number, w2: number, w3: number, length: number): number {
  let h = Math.imul(w0 ^ Math.imul(length + 1, 0x9e3779b1), 0x85ebca6b);
  h ^= h >>> 15;
  if ((w1 | w2 | w3) !== 0) {
    h = Math.imul(h ^ w1, 0xc2b2ae35);
    h ^= h >>> 13;
    h = Math.imul(h ^ w2, 0x85ebca6b);
    h ^= h >>> 16;
    h = Math.imul(h ^ w3, 0x9e3779b1);
    h ^= h >>> 15;
  }
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 13)) >>> 0;
}
