import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFlowHash } from '../../../src/hash/flow-hash.js';
import { createNextHopGroup } from '../../../src/route/create-group.js';
import { MaglevGroup, maglevTable } from '../../../src/route/maglev.js';
import type {
  GroupSettings,
  NextHopGroup,
  SelectName,
  WeightedNextHop,
} from '../../../src/route/next-hop-group.js';

const equal = (n: number, from = 0): WeightedNextHop[] =>
  Array.from({ length: n }, (_, i) => ({ id: from + i, weight: 1 }));

function group(select: SelectName, nextHops: readonly WeightedNextHop[], buckets = 65537): NextHopGroup {
  const settings: GroupSettings = {
    select,
    hashBits: 31,
    buckets: select === 'resilient' ? 4096 : select === 'ring' ? 160 : buckets,
    idleTimerS: 120,
    unbalancedTimerS: 0,
    replace: 'in-place',
  };
  return createNextHopGroup(settings, nextHops, 0);
}

/** Evenly spread 31-bit hashes. */
const HASHES = Array.from({ length: 100_003 }, (_, i) => Math.floor((i * 2 ** 31) / 100_003));
/** Well-mixed ones. */
const MIXED = HASHES.map((h) => (Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) ^ (h << 7)) >>> 1);

function moved(
  select: SelectName,
  before: readonly WeightedNextHop[],
  after: readonly WeightedNextHop[],
  hashes = HASHES,
): number {
  const g = group(select, before);
  const chosen = hashes.map((h) => g.peek(h));
  g.replace(after, 1);
  return hashes.filter((h, i) => g.peek(h) !== chosen[i]).length / hashes.length;
}

const SELECTS: SelectName[] = ['modulo', 'hash-threshold', 'resilient', 'rendezvous', 'maglev', 'ring'];

describe.each(SELECTS)('%s', (select) => {
  test('gives every next hop its share, by weight', () => {
    const hops = [
      { id: 7, weight: 1 },
      { id: 3, weight: 2 },
      { id: 9, weight: 1 },
    ];
    const g = group(select, hops);
    const share = (id: number): number => MIXED.filter((h) => g.peek(h) === id).length / MIXED.length;
    for (const { id, weight } of hops) expect(Math.abs(share(id) - weight / 4)).toBeLessThan(0.04);
  });

  test('has no answer without next hops, one answer with one, and a new version at a change', () => {
    const g = group(select, equal(1, 5));
    expect(new Set(HASHES.slice(0, 100).map((h) => g.choose(h, 0)))).toEqual(new Set([5]));
    const { version } = g;
    g.replace(equal(2), 1);
    expect(g.version).not.toBe(version);
    if (select !== 'resilient') {
      g.replace([], 2);
      expect(g.peek(1)).toBe(-1);
    }
  });

  test('answers choose() and peek() alike, and names buckets that its table holds', () => {
    const g = group(select, equal(5));
    const table = g.table();
    for (const h of HASHES.slice(0, 500)) {
      const id = g.peek(h);
      expect(g.choose(h, 1)).toBe(id);
      const bucket = g.bucketOf(h);
      if (table === null) expect(bucket).toBe(-1);
      else expect(table[bucket]).toBe(id);
    }
  });

  test('refuses weight 0 and a next hop listed twice', () => {
    expect(() => group(select, [{ id: 1, weight: 0 }])).toThrow(/weights from 1/);
    expect(() => group(select, [...equal(1), ...equal(1)])).toThrow(/listed twice/);
  });
});

describe('share of flows that a removal moves', () => {
  test.each([3, 4, 5, 8])('hash-threshold of %i: the closed form of RFC 2992, for every place', (n) => {
    for (let place = 0; place < n; place++) {
      const all = moved(
        'hash-threshold',
        equal(n),
        equal(n).filter(({ id }) => id !== place),
      );
      expect(all).toBeCloseTo(movedClosedForm(n, place), 3);
    }
  });

  test('hash-threshold: one half at the ends, 1/4 + 1/(4N) in an odd middle', () => {
    for (const n of [3, 5, 7]) {
      expect(movedClosedForm(n, 0)).toBeCloseTo(0.5, 10);
      expect(movedClosedForm(n, n - 1)).toBeCloseTo(0.5, 10);
      expect(movedClosedForm(n, (n - 1) / 2)).toBeCloseTo(1 / 4 + 1 / (4 * n), 10);
    }
  });

  test('modulo: (N-1)/N of the flows; rendezvous and resilient: 1/N', () => {
    for (const n of [3, 4, 5]) {
      expect(moved('modulo', equal(n), equal(n - 1))).toBeCloseTo((n - 1) / n, 2);
      expect(moved('rendezvous', equal(n), equal(n - 1), MIXED)).toBeCloseTo(1 / n, 1);
      expect(moved('resilient', equal(n), equal(n - 1))).toBeCloseTo(1 / n, 2);
    }
  });

  test('rendezvous moves nothing but the removed next hop’s flows', () => {
    const g = group('rendezvous', equal(6));
    const before = MIXED.map((h) => g.peek(h));
    g.replace(
      equal(6).filter(({ id }) => id !== 2),
      1,
    );
    expect(MIXED.every((h, i) => before[i] === 2 || g.peek(h) === before[i])).toBe(true);
  });
});

/** Share of all flows that moves when the k-th of n next hops goes (RFC 2992, section 3.1, with the hop's own flows). */
function movedClosedForm(n: number, place: number): number {
  const k = place + 1;
  return (k * (k - 1) + (n - k) * (n - k + 1)) / (2 * n * (n - 1));
}

describe('Maglev', () => {
  test('Table 1 of the paper, and what removing B1 changes', () => {
    const ones = Int32Array.of(1, 1, 1);
    expect([...maglevTable(7, Int32Array.of(3, 0, 3), Int32Array.of(4, 2, 1), ones)]).toEqual([
      1, 0, 1, 0, 2, 2, 0,
    ]);
    const without = maglevTable(7, Int32Array.of(3, 3), Int32Array.of(4, 1), Int32Array.of(1, 1));
    expect([...without].map((row) => (row === 0 ? 0 : 2))).toEqual([0, 0, 0, 0, 2, 2, 2]);
  });

  test.each([
    [65537, 1.00706],
    [655373, 1.00096],
  ])('1000 backends in a table of %i: busiest over mean %f', (size, expected) => {
    const table = new MaglevGroup(size, equal(1000)).table()!;
    const counts = new Int32Array(1000);
    for (const id of table) counts[id]!++;
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    expect((Math.max(...counts) * 1000) / size).toBeCloseTo(expected, 5);
  });

  test.each([
    // failed backends of 1000, extra changed entries in percent (paper, figure 12, and a second implementation)
    [1, 0.3, 1.2],
    [10, 1.6, 3.2],
    [20, 1.9, 3.5],
    [50, 2.4, 4.2],
  ])('%i of 1000 backends failing disturbs %f to %f %% of the other entries', (k, low, high) => {
    const g = new MaglevGroup(65537, equal(1000));
    const before = g.table()!.slice();
    const failed = new Set(Array.from({ length: k }, (_, i) => (i * 37 + 11) % 1000));
    g.replace(equal(1000).filter(({ id }) => !failed.has(id)));
    const after = g.table()!;
    let extra = 0;
    for (let i = 0; i < before.length; i++) if (!failed.has(before[i]!) && before[i] !== after[i]) extra++;
    const percent = (100 * extra) / before.length;
    expect(percent).toBeGreaterThan(low);
    expect(percent).toBeLessThan(high);
  });

  test('400 equal reals differ by one entry; weights 2,1,1 by two in proportion (Katran)', () => {
    const count = (hops: WeightedNextHop[]): Map<number, number> => {
      const counts = new Map<number, number>();
      for (const id of new MaglevGroup(65537, hops).table()!) counts.set(id, (counts.get(id) ?? 0) + 1);
      return counts;
    };
    const counts = [...count(equal(400)).values()];
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    const weighted = count([
      { id: 0, weight: 2 },
      { id: 1, weight: 1 },
      { id: 2, weight: 1 },
    ]);
    expect(Math.abs(weighted.get(0)! - 2 * weighted.get(1)!)).toBeLessThanOrEqual(2);
    expect(Math.abs(weighted.get(1)! - weighted.get(2)!)).toBeLessThanOrEqual(2);
  });

  test('a size that is no prime, or smaller than the next hops, is refused with the reason', () => {
    expect(() => new MaglevGroup(64, equal(2))).toThrow(/prime table size.*try 67/);
    expect(() => new MaglevGroup(7, equal(8))).toThrow(/cannot hold 8 next hops/);
  });
});

test('hash-threshold bounds round half up, exactly, for any weights and width', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 16 }),
        fc.array(fc.integer({ min: 65000, max: 65535 }), { minLength: 60, maxLength: 64 }),
      ),
      fc.constantFrom(16 as const, 31 as const, 32 as const),
      fc.nat(0xffffffff),
      (weights, hashBits, any) => {
        const settings = {
          select: 'hash-threshold' as const,
          hashBits,
          buckets: 0,
          idleTimerS: 0,
          unbalancedTimerS: 0,
          replace: 'in-place' as const,
        };
        const g = createNextHopGroup(
          settings,
          weights.map((weight, id) => ({ id, weight })),
          0,
        );
        const hash = any % 2 ** hashBits;
        const total = BigInt(weights.reduce((a, b) => a + b, 0));
        let cumulative = 0n;
        const expected = weights.findIndex((w) => {
          cumulative += BigInt(w);
          return BigInt(hash) <= (cumulative * 2n ** BigInt(hashBits) + total / 2n) / total - 1n;
        });
        expect(g.peek(hash)).toBe(expected);
      },
    ),
  );
});

test('500 flows through Linux’s L4 hash move as a kernel moved them (seed 12345, four to three next hops)', () => {
  const { hashTuple } = createFlowHash({ hash: 'linux-l4', seed: 12345, fields: 7 });
  const words = Uint32Array.of(0xc6336401, 0, 0, 0, 0xcb00710a, 0, 0, 0);
  const hashes = Array.from({ length: 20_000 }, (_, i) => {
    words[0] = 0xc6336400 + (i % 200);
    return hashTuple(4, words, 0, 4, 6, 1024 + i * 3, 80, 0);
  });
  expect(moved('hash-threshold', equal(4), equal(3), hashes)).toBeCloseTo(0.5, 1);
  expect(
    moved(
      'hash-threshold',
      equal(4),
      equal(4).filter(({ id }) => id !== 1),
      hashes,
    ),
  ).toBeCloseTo(1 / 3, 1);
  expect(moved('hash-threshold', equal(4), equal(5), hashes)).toBeCloseTo(0.5, 1);
  expect(moved('resilient', equal(4), equal(3), hashes)).toBeCloseTo(0.25, 1);
});
