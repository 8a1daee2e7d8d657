/**
 * nft's sets and maps, named and anonymous: exact keys in a hash, intervals in a sorted list, concatenations with an
 * interval in any part one by one.
 */

import { type Interval, intervalOf, NotModelled, type Value, within } from './nft-types.js';
import { UNKNOWN, type Unknown } from './packet.js';

export type Key = Value | Unknown;

export interface Element<Data> {
  readonly parts: readonly Interval[];
  readonly data: Data;
}

export class NftSet<Data> {
  private readonly exact = new Map<Value, Element<Data>>();
  private intervals: Element<Data>[] = [];
  private readonly all: Element<Data>[] = [];
  private sorted = true;

  /** @param types of the parts of a key */
  constructor(
    readonly name: string,
    readonly types: readonly string[],
    /** entries come and go while packets pass: what the dump does not hold may have been added since */
    readonly dynamic: boolean,
  ) {}

  add(json: unknown, data: Data): void {
    const parts = this.partsOf(json);
    const element = { parts, data };
    this.all.push(element);
    if (parts.every(({ low, high }) => low === high))
      this.exact.set(keyOf(parts.map(({ low }) => low)), element);
    else {
      this.intervals.push(element);
      this.sorted = false;
    }
  }

  /** The element for a key; null where there is none. */
  find(keys: readonly Key[]): Element<Data> | null | Unknown {
    if (keys.includes(UNKNOWN)) return this.maybe(keys);
    const known = keys as readonly Value[];
    const exact = this.exact.get(keyOf(known));
    if (exact !== undefined) return exact;
    if (this.intervals.length === 0) return null;
    if (this.types.length > 1) {
      return this.intervals.find(({ parts }) => parts.every((part, at) => within(part, known[at]!))) ?? null;
    }
    if (!this.sorted) {
      this.sorted = true;
      this.intervals.sort((a, b) => (a.parts[0]!.low < b.parts[0]!.low ? -1 : 1));
    }
    return this.inIntervals(known[0]!);
  }

  get size(): number {
    return this.all.length;
  }

  private inIntervals(value: Value): Element<Data> | null {
    let low = 0;
    let high = this.intervals.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.intervals[middle]!.parts[0]!.low <= value) low = middle + 1;
      else high = middle;
    }
    // wildcards of names may nest; numbers never do
    for (let at = low - 1; at >= 0; at--) {
      const element = this.intervals[at]!;
      if (within(element.parts[0]!, value)) return element;
      if (typeof value !== 'string') return null;
    }
    return null;
  }

  /** With a part that nobody knows: no element where none fits the rest, else nobody can say. */
  private maybe(keys: readonly Key[]): null | Unknown {
    const fits = this.all.some(({ parts }) =>
      parts.every((part, at) => keys[at] === UNKNOWN || within(part, keys[at] as Value)),
    );
    return fits ? UNKNOWN : null;
  }

  private partsOf(json: unknown): Interval[] {
    const bare = unwrapped(json);
    if (this.types.length === 1) return [intervalOf(bare, this.types[0]!)];
    const concat = concatOf(bare);
    if (concat === undefined || concat.length !== this.types.length) {
      throw new NotModelled(`the element ${JSON.stringify(bare).slice(0, 60)}`);
    }
    return concat.map((part, at) => intervalOf(part, this.types[at]!));
  }
}

/** The parts of `{ concat: [...] }`; undefined for anything else. */
export function concatOf(json: unknown): readonly unknown[] | undefined {
  return typeof json === 'object' && json !== null && Object.hasOwn(json, 'concat')
    ? (json as { concat: unknown[] }).concat
    : undefined;
}

/** `{ elem: { val, timeout, … } }` is its `val`. */
export function unwrapped(json: unknown): unknown {
  return typeof json === 'object' && json !== null && 'elem' in json
    ? (json.elem as { val: unknown }).val
    : json;
}

function keyOf(values: readonly Value[]): Value {
  return values.length === 1 ? values[0]! : values.map(String).join(' . ');
}
