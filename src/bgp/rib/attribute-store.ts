/**
 * Attribute sets (attribute-set.ts), each once: canonical octets in one arena, a row a set, counted references.
 *
 * ```
 *   arena   | set | set | freed | set | …
 *   row     at, bytes, hash, references, and the derived columns (attribute-columns.ts)
 * ```
 *
 * `intern` gives a set that nobody holds yet: whoever keeps the number calls `retain`, and `release` later. A set
 * that was interned and not retained is freed by `discardUnused`. When more than half of a large arena is free,
 * what is left moves together; offsets are therefore asked for each time, never kept.
 */
import { AttributeColumns, type OwnIdentity } from './attribute-columns.js';
import { grownColumn } from './grown-column.js';
import type { NextHopTable } from './next-hop-table.js';
import { DEFAULT_ROOM } from './prefix-table.js';

/** as measured on Internet tables: prefixes that share a set, and octets of a set */
const PREFIXES_PER_SET = 8;
const BYTES_PER_SET = 128;
const COMPACT_FROM_BYTES = 1 << 20;

export class AttributeStore {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  readonly columns: AttributeColumns;
  /** sets held */
  count = 0;

  private at: Uint32Array<ArrayBuffer>;
  private length: Uint32Array<ArrayBuffer>;
  private hash: Uint32Array<ArrayBuffer>;
  /** of a free row: the next free row + 1 */
  private references: Uint32Array<ArrayBuffer>;
  private isUsed: Uint8Array<ArrayBuffer>;
  private rows = 0;
  private free = 0;
  private arenaEnd = 0;
  private freedBytes = 0;
  /** row + 1, or 0 */
  private slots: Uint32Array<ArrayBuffer>;
  private mask: number;

  /** `room`: prefixes whose sets fit before anything grows, a power of two */
  constructor(own: OwnIdentity, nextHops: NextHopTable, room: number = DEFAULT_ROOM) {
    const sets = room / PREFIXES_PER_SET;
    this.bytes = new Uint8Array(sets * BYTES_PER_SET);
    this.view = new DataView(this.bytes.buffer);
    this.columns = new AttributeColumns(sets, own, nextHops);
    this.at = new Uint32Array(sets);
    this.length = new Uint32Array(sets);
    this.hash = new Uint32Array(sets);
    this.references = new Uint32Array(sets);
    this.isUsed = new Uint8Array(sets);
    this.slots = new Uint32Array(2 * sets);
    this.mask = 2 * sets - 1;
  }

  startOf(set: number): number {
    return this.at[set]!;
  }

  endOf(set: number): number {
    return this.at[set]! + this.length[set]!;
  }

  /** Number of the set whose octets are `bytes[at .. end)`, which are copied where they are new. */
  intern(bytes: Uint8Array, view: DataView, at: number, end: number): number {
    const hash = hashOctets(bytes, view, at, end);
    const slots = this.slots;
    let slot = hash & this.mask;
    for (; slots[slot] !== 0; slot = (slot + 1) & this.mask) {
      const set = slots[slot]! - 1;
      if (this.hash[set] === hash && this.equals(set, bytes, at, end)) return set;
    }
    const set = this.newRow();
    slots[slot] = set + 1;
    this.append(set, bytes, at, end);
    this.hash[set] = hash;
    this.references[set] = 0;
    this.isUsed[set] = 1;
    this.columns.derive(set, this.bytes, this.view, this.at[set]!, this.endOf(set));
    this.count++;
    if (4 * this.count > 3 * this.mask) this.growSlots();
    return set;
  }

  retain(set: number): void {
    this.references[set]!++;
  }

  release(set: number): void {
    if (--this.references[set]! === 0) this.remove(set);
  }

  /** Frees a set that `intern` gave and nobody retained. */
  discardUnused(set: number): void {
    if (this.references[set] === 0 && this.isUsed[set] === 1) this.remove(set);
  }

  /** Whether two sets have the same AS_PATH. */
  samePath(a: number, b: number): boolean {
    const { pathAt, pathBytes } = this.columns;
    if (a === b) return true;
    if (pathBytes[a] !== pathBytes[b]) return false;
    const atA = this.at[a]! + pathAt[a]!;
    const atB = this.at[b]! + pathAt[b]!;
    for (let i = 0; i < pathBytes[a]!; i++) if (this.bytes[atA + i] !== this.bytes[atB + i]) return false;
    return true;
  }

  private equals(set: number, bytes: Uint8Array, at: number, end: number): boolean {
    const length = end - at;
    if (this.length[set] !== length) return false;
    const mine = this.bytes;
    const start = this.at[set]!;
    for (let i = 0; i < length; i++) if (mine[start + i] !== bytes[at + i]) return false;
    return true;
  }

  private append(set: number, bytes: Uint8Array, at: number, end: number): void {
    const length = end - at;
    if (this.arenaEnd + length > this.bytes.length) this.growArena(length);
    const to = this.arenaEnd;
    // a plain loop: sets are short, and a subarray would be an object for each
    for (let i = 0; i < length; i++) this.bytes[to + i] = bytes[at + i]!;
    this.at[set] = to;
    this.length[set] = length;
    this.arenaEnd = to + length;
  }

  private growArena(more: number): void {
    const live = this.arenaEnd - this.freedBytes + more;
    const size = this.isSparse() ? this.bytes.length : Math.max(2 * this.bytes.length, 2 * more);
    this.moveTogether(Math.max(size, live));
  }

  private isSparse(): boolean {
    return this.arenaEnd > COMPACT_FROM_BYTES && 2 * this.freedBytes > this.arenaEnd;
  }

  private moveTogether(size: number): void {
    const old = this.bytes;
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
    if (this.freedBytes === 0) {
      this.bytes.set(old.subarray(0, this.arenaEnd));
      return;
    }
    let to = 0;
    for (let set = 0; set < this.rows; set++) {
      if (this.isUsed[set] === 0) continue;
      const from = this.at[set]!;
      this.bytes.set(old.subarray(from, from + this.length[set]!), to);
      this.at[set] = to;
      to += this.length[set]!;
    }
    this.arenaEnd = to;
    this.freedBytes = 0;
  }

  private newRow(): number {
    if (this.free > 0) {
      const row = this.free - 1;
      this.free = this.references[row]!;
      return row;
    }
    if (this.rows === this.at.length) {
      const rows = 2 * this.rows;
      this.at = grownColumn(this.at, rows);
      this.length = grownColumn(this.length, rows);
      this.hash = grownColumn(this.hash, rows);
      this.references = grownColumn(this.references, rows);
      this.isUsed = grownColumn(this.isUsed, rows);
      this.columns.grow(rows);
    }
    return this.rows++;
  }

  private remove(set: number): void {
    this.unlink(set);
    this.columns.release(set);
    this.freedBytes += this.length[set]!;
    this.isUsed[set] = 0;
    this.references[set] = this.free;
    this.free = set + 1;
    this.count--;
    if (this.count > 0) return;
    this.rows = 0;
    this.free = 0;
    this.arenaEnd = 0;
    this.freedBytes = 0;
  }

  private unlink(set: number): void {
    const slots = this.slots;
    const mask = this.mask;
    let slot = this.hash[set]! & mask;
    while (slots[slot] !== set + 1) slot = (slot + 1) & mask;
    for (let next = (slot + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const home = this.hash[slots[next]! - 1]! & mask;
      if (((next - home) & mask) < ((next - slot) & mask)) continue;
      slots[slot] = slots[next]!;
      slot = next;
    }
    slots[slot] = 0;
  }

  private growSlots(): void {
    this.mask = 2 * this.mask + 1;
    this.slots = new Uint32Array(this.mask + 1);
    for (let set = 0; set < this.rows; set++) {
      if (this.isUsed[set] === 0) continue;
      let slot = this.hash[set]! & this.mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & this.mask;
      this.slots[slot] = set + 1;
    }
  }
}

/** Word by word, then the last octets. */
function hashOctets(bytes: Uint8Array, view: DataView, at: number, end: number): number {
  let h = end - at;
  for (; at + 4 <= end; at += 4) {
    h = Math.imul(h ^ view.getInt32(at, true), 0x9e3779b1);
    h ^= h >>> 15;
  }
  for (; at < end; at++) h = Math.imul(h ^ bytes[at]!, 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}
