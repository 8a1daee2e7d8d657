/**
 * The forwarding table: longest prefix match to next-hop groups.
 *
 * Each family's prefixes are flattened into sorted, disjoint intervals of the address space; a lookup is one binary
 * search over at most four words. The intervals are rebuilt at the first lookup after the set of prefixes has changed
 * (not when a group changes inside), so that loading many prefixes costs one rebuild.
 */
import type { Prefix } from '../addr/prefix.js';
import { formatPrefix, prefixBits } from '../addr/prefix.js';
import type { NextHopGroup } from './next-hop-group.js';

export interface FibEntry {
  readonly prefix: Prefix;
  readonly group: NextHopGroup;
}

export class Fib {
  /** changes whenever a prefix or its group does */
  version = 0;
  private readonly entries = new Map<string, FibEntry>();
  /** null: out of date */
  private v4: Intervals | null = null;
  private v6: Intervals | null = null;

  /** The group of the longest prefix that covers the address, or null. Allocates nothing but at the first call after a change. */
  lookup(family: 4 | 6, w0: number, w1: number, w2: number, w3: number): NextHopGroup | null {
    const intervals = family === 4 ? this.v4 : this.v6;
    return (intervals ?? this.flatten(family)).find(w0, w1, w2, w3);
  }

  set(prefix: Prefix, group: NextHopGroup): void {
    const name = formatPrefix(prefix);
    if (this.entries.get(name)?.group === group) {
      this.version++;
      return;
    }
    this.entries.set(name, { prefix, group });
    this.outdate(prefix.address.family);
  }

  /** Returns whether there was such a prefix. */
  remove(prefix: Prefix): boolean {
    if (!this.entries.delete(formatPrefix(prefix))) return false;
    this.outdate(prefix.address.family);
    return true;
  }

  get(prefix: Prefix): NextHopGroup | null {
    return this.entries.get(formatPrefix(prefix))?.group ?? null;
  }

  /** In the order in which the prefixes were first set. */
  list(): FibEntry[] {
    return [...this.entries.values()];
  }

  private outdate(family: 4 | 6): void {
    if (family === 4) this.v4 = null;
    else this.v6 = null;
    this.version++;
  }

  private flatten(family: 4 | 6): Intervals {
    const fresh = new Intervals(this.list().filter(({ prefix }) => prefix.address.family === family));
    if (family === 4) this.v4 = fresh;
    else this.v6 = fresh;
    return fresh;
  }
}

/** Disjoint intervals in ascending order: interval i begins at words 4i .. 4i+3 and ends where the next begins. */
class Intervals {
  private readonly starts: Uint32Array;
  private readonly groups: (NextHopGroup | null)[];

  constructor(entries: readonly FibEntry[]) {
    const edges = [{ at: [0, 0, 0, 0], group: null as NextHopGroup | null }];
    // shorter prefixes first: a longer one is cut out of what stands there
    const open: { end: number[]; group: NextHopGroup | null }[] = [];
    const sorted = [...entries].sort(
      (a, b) => compareWords(startOf(a.prefix), startOf(b.prefix)) || a.prefix.length - b.prefix.length,
    );
    const close = (before: number[] | null): void => {
      while (open.length > 0) {
        const last = open[open.length - 1]!;
        if (before !== null && compareWords(last.end, before) > 0) return;
        open.pop();
        const outer = open[open.length - 1]?.group ?? null;
        if (last.end.length === 4) edges.push({ at: last.end, group: outer });
      }
    };
    for (const { prefix, group } of sorted) {
      const start = startOf(prefix);
      close(start);
      edges.push({ at: start, group });
      open.push({ end: endOf(prefix), group });
    }
    close(null);
    const kept = edges.filter(
      (edge, i) => i + 1 === edges.length || compareWords(edge.at, edges[i + 1]!.at) !== 0,
    );
    this.starts = Uint32Array.from(kept.flatMap(({ at }) => at));
    this.groups = kept.map(({ group }) => group);
  }

  find(w0: number, w1: number, w2: number, w3: number): NextHopGroup | null {
    const { starts } = this;
    let low = 0;
    let high = this.groups.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const at = 4 * middle;
      const above =
        starts[at] !== w0
          ? starts[at]! > w0
          : starts[at + 1] !== w1
            ? starts[at + 1]! > w1
            : starts[at + 2] !== w2
              ? starts[at + 2]! > w2
              : starts[at + 3]! > w3;
      if (above) high = middle - 1;
      else low = middle;
    }
    return this.groups[low]!;
  }
}

function startOf({ address: { w0, w1, w2, w3 } }: Prefix): number[] {
  return [w0, w1, w2, w3];
}

/** First address behind the prefix, or an empty list where it reaches the end of the address space. */
function endOf(prefix: Prefix): number[] {
  const bits = prefixBits(prefix.address.family);
  const words = startOf(prefix);
  let carry = 1;
  const unit = prefix.length === 0 ? -1 : (prefix.length - 1) >> 5;
  for (let i = unit; i >= 0 && carry === 1; i--) {
    const step = i === unit ? 2 ** (31 - ((prefix.length - 1) & 31)) : 1;
    const sum = words[i]! + step;
    words[i] = sum >>> 0;
    carry = sum > 0xffffffff ? 1 : 0;
  }
  return carry === 1 || bits === 0 ? [] : words;
}

/** An empty list is behind everything. */
function compareWords(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return b.length - a.length;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}
