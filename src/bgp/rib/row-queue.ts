/**
 * Rows of a table in the order in which they joined, each at most once. Any of them may leave at any time: a doubly
 * linked ring beside the table, in which place 0 is both ends and place `row + 1` is the row's.
 */
const OUTSIDE = -1;

export class RowQueue {
  count = 0;
  private readonly next: number[] = [0];
  private readonly previous: number[] = [0];

  /** The row that joined first, or -1. */
  get first(): number {
    return this.next[0]! - 1;
  }

  has(row: number): boolean {
    return row + 1 < this.next.length && this.next[row + 1] !== OUTSIDE;
  }

  /** The row joins; it must not be in the queue. */
  append(row: number): void {
    while (this.next.length <= row + 1) {
      this.next.push(OUTSIDE);
      this.previous.push(OUTSIDE);
    }
    const last = this.previous[0]!;
    this.link(last, row + 1);
    this.link(row + 1, 0);
    this.count++;
  }

  /** The row leaves; nothing happens where it is not in the queue. */
  remove(row: number): void {
    if (!this.has(row)) return;
    this.link(this.previous[row + 1]!, this.next[row + 1]!);
    this.next[row + 1] = OUTSIDE;
    this.count--;
  }

  private link(from: number, to: number): void {
    this.next[from] = to;
    this.previous[to] = from;
  }
}
