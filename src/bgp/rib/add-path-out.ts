/**
 * An Adj-RIB-Out with ADD-PATH (RFC 7911): all usable paths of each prefix, each under the number of its row in
 * the path table, which is unique among the paths of a prefix and stays while the path does.
 */
import { AdjRibOut, AGAIN, type OutChange, type OutFamily } from './adj-rib-out.js';
import type { AttributeStore } from './attribute-store.js';
import type { EgressWriter } from './egress-writer.js';
import { NOTHING, setOfWant } from './export-rules.js';
import { grownColumn } from './grown-column.js';

const INITIAL_ROWS = 1024;

/** Fills `paths` and `wants` with what the peer is to have of `prefix`. */
export type WantedPaths = (prefix: number, pathIds: number[], wants: number[]) => void;

export class AddPathOut extends AdjRibOut {
  /** first announced path of each prefix + 1 */
  private first = new Uint32Array(0);
  /** rows of announced paths; a free row is in the list of {@link #free} */
  private next = new Uint32Array(INITIAL_ROWS);
  private pathId = new Uint32Array(INITIAL_ROWS);
  private wantOf = new Uint32Array(INITIAL_ROWS);
  private rows = 0;
  private free = 0;
  private readonly pathIds: number[] = [];
  private readonly wants: number[] = [];

  constructor(
    family: OutFamily,
    store: AttributeStore,
    writer: EgressWriter,
    private readonly wantedPaths: WantedPaths,
  ) {
    super(family, store, writer);
  }

  protected compare(prefix: number): void {
    const [pathIds, wants] = [this.pathIds, this.wants];
    pathIds.length = 0;
    wants.length = 0;
    this.wantedPaths(prefix, pathIds, wants);
    for (let i = 0; i < pathIds.length; i++) {
      const row = this.find(prefix, pathIds[i]!);
      if (row < 0 || this.wantOf[row] !== wants[i]) this.change(prefix, pathIds[i]!, wants[i]!);
    }
    for (let row = this.firstOf(prefix); row >= 0; row = this.next[row]! - 1) {
      if (!pathIds.includes(this.pathId[row]!)) this.change(prefix, this.pathId[row]!, NOTHING);
    }
  }

  protected commit({ prefix, pathId, want }: OutChange): void {
    let row = this.find(prefix, pathId);
    if (row >= 0 && this.wantOf[row] !== AGAIN) this.store.release(setOfWant(this.wantOf[row]!));
    if (want === NOTHING) {
      if (row >= 0) this.remove(prefix, row);
      return;
    }
    if (row < 0) row = this.add(prefix, pathId);
    this.wantOf[row] = want;
  }

  override hasAnnounced(prefix: number): boolean {
    return this.firstOf(prefix) >= 0;
  }

  protected has(prefix: number): { pathId: number; want: number }[] {
    const all: { pathId: number; want: number }[] = [];
    for (let row = this.firstOf(prefix); row >= 0; row = this.next[row]! - 1) {
      all.push({ pathId: this.pathId[row]!, want: this.wantOf[row]! });
    }
    return all;
  }

  protected forgetAttributes(prefix: number): void {
    for (let row = this.firstOf(prefix); row >= 0; row = this.next[row]! - 1) {
      if (this.wantOf[row] !== AGAIN) this.store.release(setOfWant(this.wantOf[row]!));
      this.wantOf[row] = AGAIN;
    }
  }

  protected clear(rows: number): void {
    for (let prefix = 0; prefix < rows && prefix < this.first.length; prefix++) {
      if (this.first[prefix] !== 0) this.forgetAttributes(prefix);
    }
    this.first = new Uint32Array(0);
    this.rows = 0;
    this.free = 0;
    this.announcedCount = 0;
  }

  private firstOf(prefix: number): number {
    return prefix < this.first.length ? this.first[prefix]! - 1 : -1;
  }

  private find(prefix: number, pathId: number): number {
    let row = this.firstOf(prefix);
    while (row >= 0 && this.pathId[row] !== pathId) row = this.next[row]! - 1;
    return row;
  }

  private add(prefix: number, pathId: number): number {
    if (prefix >= this.first.length) this.first = grownColumn(this.first, this.family.table.capacity);
    const row = this.newRow();
    this.pathId[row] = pathId;
    this.next[row] = this.first[prefix]!;
    this.first[prefix] = row + 1;
    this.announcedCount++;
    return row;
  }

  private remove(prefix: number, row: number): void {
    if (this.first[prefix] === row + 1) this.first[prefix] = this.next[row]!;
    else {
      let before = this.first[prefix]! - 1;
      while (this.next[before] !== row + 1) before = this.next[before]! - 1;
      this.next[before] = this.next[row]!;
    }
    this.next[row] = this.free;
    this.free = row + 1;
    this.announcedCount--;
  }

  private newRow(): number {
    if (this.free > 0) {
      const row = this.free - 1;
      this.free = this.next[row]!;
      return row;
    }
    if (this.rows === this.wantOf.length) {
      const rows = 2 * this.rows;
      this.next = grownColumn(this.next, rows);
      this.pathId = grownColumn(this.pathId, rows);
      this.wantOf = grownColumn(this.wantOf, rows);
    }
    return this.rows++;
  }
}
