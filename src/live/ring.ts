/** The last `capacity` values of an endless row, by their numbers in it. */

export class Ring<T> {
  /** how many values there have been: the number of the next one */
  count = 0;
  private readonly slots: T[] = [];

  constructor(readonly capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`ring: expected a capacity of at least 1, got ${capacity}`);
    }
  }

  /** Number of the oldest value that is still there. */
  get first(): number {
    return Math.max(0, this.count - this.capacity);
  }

  /** How many values are there. */
  get size(): number {
    return this.count - this.first;
  }

  /** Returns the number of the value. */
  push(value: T): number {
    this.slots[this.count % this.capacity] = value;
    return this.count++;
  }

  /** The value of that number, or undefined where it is gone or has not been. */
  at(number: number): T | undefined {
    if (number < this.first || number >= this.count) return undefined;
    return this.slots[number % this.capacity];
  }

  /** From `number` on, oldest first. */
  *from(number: number): Generator<T, void, undefined> {
    for (let i = Math.max(this.first, number); i < this.count; i++) yield this.at(i)!;
  }

  /** Newest first. */
  *newest(): Generator<T, void, undefined> {
    for (let i = this.count - 1; i >= this.first; i--) yield this.at(i)!;
  }
}
