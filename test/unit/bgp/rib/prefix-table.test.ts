import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipv4, ipv6 } from '../../../../src/addr/address.js';
import { formatPrefix, maskAddress, type Prefix, prefixContains } from '../../../../src/addr/prefix.js';
import { PrefixTable } from '../../../../src/bgp/rib/prefix-table.js';

/** few distinct bits, so that prefixes nest and meet again */
const arbWord = fc.nat({ max: 7 }).map((n) => (n << 29) >>> 0);
const arbPrefix4 = fc.tuple(arbWord, fc.nat({ max: 32 })).map(([w0, length]): Prefix => {
  return { address: maskAddress(ipv4(w0), length), length };
});
const arbPrefix6 = fc.tuple(arbWord, arbWord, fc.nat({ max: 128 })).map(([w0, w2, length]): Prefix => {
  return { address: maskAddress(ipv6(w0, 0, w2, 1), length), length };
});

const words = ({ address: { w0, w1, w2, w3 }, length }: Prefix) => [w0, w1, w2, w3, length] as const;

function contents(table: PrefixTable): string[] {
  const found: string[] = [];
  for (let row = 0; row < table.rows; row++) {
    if (!table.isUsed(row)) continue;
    const [w0, w1, w2, w3] = [0, 1, 2, 3].map((i) =>
      i < table.width ? table.words[row * table.width + i]! : 0,
    );
    const address = table.width === 1 ? ipv4(w0!) : ipv6(w0!, w1!, w2!, w3!);
    found.push(formatPrefix({ address, length: table.lengths[row]! }));
  }
  return found.sort();
}

describe.each([
  { bits: 32 as const, arbPrefix: arbPrefix4 },
  { bits: 128 as const, arbPrefix: arbPrefix6 },
])('PrefixTable of $bits bits', ({ bits, arbPrefix }) => {
  test('holds what a Set of texts would, whatever is added and removed', () => {
    const arbSteps = fc.array(fc.tuple(fc.constantFrom('add', 'add', 'remove'), arbPrefix), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(arbSteps, (steps) => {
        const table = new PrefixTable(bits);
        const expected = new Set<string>();
        for (const [what, prefix] of steps) {
          const row = table.find(...words(prefix));
          expect(row >= 0).toBe(expected.has(formatPrefix(prefix)));
          if (what === 'add') {
            const added = table.intern(...words(prefix));
            if (row >= 0) expect(added).toBe(row);
            expected.add(formatPrefix(prefix));
          } else if (row >= 0) {
            table.remove(row);
            expected.delete(formatPrefix(prefix));
          }
          expect(table.count).toBe(expected.size);
        }
        expect(contents(table)).toEqual([...expected].sort());
      }),
    );
  });

  test('finds the longest prefix that covers an address, and what lies inside of a prefix', () => {
    fc.assert(
      fc.property(fc.array(arbPrefix, { minLength: 1, maxLength: 40 }), arbPrefix, (prefixes, asked) => {
        const table = new PrefixTable(bits);
        for (const prefix of prefixes) table.intern(...words(prefix));
        const { w0, w1, w2, w3 } = asked.address;
        const covering = prefixes.filter((prefix) => prefixContains(prefix, asked.address));
        const longest = Math.max(-1, ...covering.map(({ length }) => length));
        const row = table.longestMatch(w0, w1, w2, w3);
        expect(row < 0 ? -1 : table.lengths[row]).toBe(longest);
        const inside = prefixes.filter((p) => p.length >= asked.length && prefixContains(asked, p.address));
        const rows = Array.from({ length: table.rows }, (_, i) => i);
        expect(rows.filter((one) => table.isInside(one, ...words(asked))).length).toBe(
          new Set(inside.map(formatPrefix)).size,
        );
      }),
    );
  });

  test('keeps its rows in order and finds them all after growing by ten thousand', () => {
    const table = new PrefixTable(bits);
    const rows = Array.from({ length: 10_000 }, (_, i) => table.intern(0x0a000000 + i, 0, 0, 0, 32));
    expect([table.count, rows.at(-1)]).toEqual([10_000, 9999]);
    const more = Array.from({ length: 10_000 }, (_, i) => table.intern(0x0b000000 + i, 0, 0, 0, 32));
    expect(more.map((_, i) => table.find(0x0b000000 + i, 0, 0, 0, 32))).toEqual(more);
  });
});
