/** An Adj-RIB-Out without ADD-PATH: the best path of each prefix, or nothing. */
import { AdjRibOut, AGAIN, type OutChange, type OutFamily } from './adj-rib-out.js';
import type { AttributeStore } from './attribute-store.js';
import type { EgressWriter } from './egress-writer.js';
import { NOTHING, setOfWant } from './export-rules.js';
import { grownColumn } from './grown-column.js';

export class SinglePathOut extends AdjRibOut {
  /** what the peer has of each prefix, as `ExportRules.want` has it; as long as something was announced */
  private sent = new Uint32Array(0);

  constructor(
    family: OutFamily,
    store: AttributeStore,
    writer: EgressWriter,
    private readonly wantOfBest: (prefix: number) => number,
  ) {
    super(family, store, writer);
  }

  protected compare(prefix: number): void {
    const want = this.wantOfBest(prefix);
    const has = prefix < this.sent.length ? this.sent[prefix]! : NOTHING;
    if (want !== has) this.change(prefix, 0, want);
  }

  protected commit({ prefix, want }: OutChange): void {
    if (prefix >= this.sent.length) {
      this.sent = grownColumn(this.sent, this.family.table.capacity);
    }
    const before = this.sent[prefix]!;
    this.sent[prefix] = want;
    if (before === NOTHING) this.announcedCount++;
    else if (before !== AGAIN) this.store.release(setOfWant(before));
    if (want === NOTHING) this.announcedCount--;
  }

  override hasAnnounced(prefix: number): boolean {
    return prefix < this.sent.length && this.sent[prefix] !== NOTHING;
  }

  protected has(prefix: number): { pathId: number; want: number }[] {
    return [{ pathId: 0, want: this.sent[prefix]! }];
  }

  protected forgetAttributes(prefix: number): void {
    const has = this.sent[prefix]!;
    if (has !== AGAIN) this.store.release(setOfWant(has));
    this.sent[prefix] = AGAIN;
  }

  protected clear(rows: number): void {
    for (let prefix = 0; prefix < rows && prefix < this.sent.length; prefix++) {
      const has = this.sent[prefix]!;
      if (has !== NOTHING && has !== AGAIN) this.store.release(setOfWant(has));
    }
    this.sent = new Uint32Array(0);
    this.announcedCount = 0;
  }
}
