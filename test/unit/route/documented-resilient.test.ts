import { describe, expect, test } from 'vitest';
import { createNextHopGroup } from '../../../src/route/create-group.js';
import { DOCUMENTED_SELECTS, type DocumentedSelect } from '../../../src/route/documented-resilient.js';
import type { NextHopGroup } from '../../../src/route/next-hop-group.js';

const hops = (...ids: number[]) => ids.map((id) => ({ id, weight: 1 }));

function group(select: DocumentedSelect, buckets: number, ids: readonly number[]): NextHopGroup {
  const rest = { idleTimerS: 120, unbalancedTimerS: 0, replace: 'in-place', hashBits: 32 } as const;
  return createNextHopGroup({ select, buckets, ...rest }, hops(...ids), 0);
}

const table = (g: NextHopGroup): number[] => [...g.table()!];
const countOf = (owners: readonly number[], id: number): number => owners.filter((o) => o === id).length;

describe.each(DOCUMENTED_SELECTS)('%s', (select) => {
  test('deals a fresh table in turn', () => {
    expect(table(group(select, 64, [1, 2, 3, 4])).slice(0, 12)).toEqual([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]);
  });

  test('moves nothing but the buckets of a next hop that goes, and deals those evenly', () => {
    const g = group(select, 64, [1, 2, 3, 4]);
    const before = table(g);
    g.replace(hops(1, 2, 4), 1);
    const after = table(g);
    for (const [bucket, owner] of before.entries()) if (owner !== 3) expect(after[bucket]).toBe(owner);
    expect([1, 2, 4].map((id) => countOf(after, id)).sort()).toEqual([21, 21, 22]);
  });

  test('gives a next hop that comes its share at once', () => {
    const g = group(select, 64, [1, 2, 3]);
    g.replace(hops(1, 2, 3, 4), 1);
    expect([1, 2, 3, 4].map((id) => countOf(table(g), id))).toEqual([16, 16, 16, 16]);
  });

  test('deals afresh at every change where it is programmed as a new group', () => {
    const settings = { select, buckets: 64, idleTimerS: 0, unbalancedTimerS: 0, hashBits: 32 } as const;
    const g = createNextHopGroup({ ...settings, replace: 'fresh-group' }, hops(1, 2, 3, 4), 0);
    g.replace(hops(1, 2, 4), 1);
    expect(table(g)).toEqual(table(group(select, 64, [1, 2, 4])));
  });

  test('is refilled from nothing when all next hops have gone and one comes', () => {
    const g = group(select, 64, [1, 2]);
    g.replace([], 1);
    expect(g.peek(5)).toBe(-1);
    g.replace(hops(7), 2);
    expect(new Set(table(g))).toEqual(new Set([7]));
  });

  test('refuses more next hops than buckets', () => {
    const many = Array.from({ length: 65 }, (_, i) => i);
    expect(() => group(select, 64, many)).toThrow('a table of 64 cannot hold 65 next hops');
  });
});

describe('adding a next hop', () => {
  const moved = (select: DocumentedSelect): number => {
    const g = group(select, 64, [1, 2, 3]);
    const before = table(g);
    g.replace(hops(1, 2, 3, 4), 1);
    return table(g).filter((owner, bucket) => owner !== before[bucket]).length;
  };

  test('moves its share only with Cumulus and Arista, and three quarters of all with Junos', () => {
    expect([moved('resilient-cumulus'), moved('resilient-arista')]).toEqual([16, 16]);
    expect(moved('resilient-juniper')).toBeGreaterThan(40);
  });
});

test('Cumulus takes only the table sizes that it documents', () => {
  for (const buckets of [12, 63, 96, 8192]) {
    expect(() => group('resilient-cumulus', buckets, [1])).toThrow(`or 4096 buckets, not ${buckets}`);
  }
  expect(group('resilient-arista', 15, [1, 2, 3, 4, 5]).table()).toHaveLength(15);
});
