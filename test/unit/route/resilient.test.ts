import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ResilientGroup } from '../../../src/route/resilient.js';

const equal = (...ids: number[]): { id: number; weight: number }[] => ids.map((id) => ({ id, weight: 1 }));
const settings = { buckets: 12, idleTimerS: 120, unbalancedTimerS: 0, replace: 'in-place' as const };
const tableOf = (group: ResilientGroup): string => [...group.table()].join(',');

describe('bucket tables of a real kernel', () => {
  test('a fresh table is filled in reverse order of listing', () => {
    expect(tableOf(new ResilientGroup({ ...settings, buckets: 8 }, equal(1, 2, 3), 0))).toBe(
      '3,3,3,2,2,1,1,1',
    );
    expect(tableOf(new ResilientGroup(settings, equal(1, 2, 3, 4), 0))).toBe('4,4,4,3,3,3,2,2,2,1,1,1');
  });

  test('removing a next hop in place moves its buckets and no other', () => {
    const group = new ResilientGroup(settings, equal(1, 2, 3, 4), 0);
    group.replace(equal(1, 3, 4), 1);
    expect(tableOf(group)).toBe('4,4,4,3,3,3,4,3,1,1,1,1');
  });

  test('adding it again takes idle buckets at once', () => {
    const group = new ResilientGroup(settings, equal(1, 2, 3, 4), 0);
    group.replace(equal(1, 3, 4), 1);
    group.replace(equal(1, 2, 3, 4), 2);
    expect(tableOf(group)).toBe('2,4,4,2,3,3,4,3,2,1,1,1');
  });

  test('a fresh group of the survivors deals again, and moves survivors', () => {
    expect(tableOf(new ResilientGroup(settings, equal(1, 3, 4), 0))).toBe('4,4,4,4,3,3,3,3,1,1,1,1');
    const group = new ResilientGroup({ ...settings, replace: 'fresh-group' }, equal(1, 2, 3, 4), 0);
    group.replace(equal(1, 3, 4), 1);
    expect(tableOf(group)).toBe('4,4,4,4,3,3,3,3,1,1,1,1');
  });
});

describe('timers', () => {
  test('a drawn timer is late by an eighth of its delay at most, and the same seed is late in the same way', () => {
    const movedAt = (timerSeed?: number): number => {
      const group = new ResilientGroup({ ...settings, buckets: 4, idleTimerS: 4, timerSeed }, equal(1, 2), 0);
      for (let hash = 0; hash < 4; hash++) group.choose(hash, 10);
      group.replace(equal(1, 2, 3), 10);
      const due = group.deadlineS;
      expect(group.advance(due)).toBe(true);
      return due;
    };
    expect(movedAt()).toBe(14);
    const late = Array.from({ length: 200 }, (_, seed) => movedAt(seed));
    expect(Math.min(...late)).toBeGreaterThanOrEqual(14);
    expect(Math.max(...late)).toBeLessThanOrEqual(14.5);
    expect(Math.max(...late) - Math.min(...late)).toBeGreaterThan(0.4);
    expect(movedAt(7)).toBe(late[7]);
  });

  test('a busy bucket stays until it has been idle for the idle timer, and upkeep is half a second apart', () => {
    const group = new ResilientGroup({ ...settings, buckets: 4, idleTimerS: 3 }, equal(1, 2), 0);
    for (let bucket = 0; bucket < 4; bucket++) group.choose(bucket, 10);
    group.replace(equal(1, 2, 3, 4), 11);
    expect(new Set(group.table())).toEqual(new Set([1, 2]));
    expect(group.deadlineS).toBe(13);
    group.choose(0, 12.9);
    group.choose(1, 12.9);
    expect(group.advance(12.99)).toBe(false);
    expect(group.advance(13)).toBe(true);
    expect(new Set(group.table()).size).toBe(3);
    expect(group.deadlineS).toBeGreaterThanOrEqual(13.5);
    expect(group.advance(16)).toBe(true);
    expect(new Set(group.table()).size).toBe(4);
    expect(group.deadlineS).toBe(Number.POSITIVE_INFINITY);
  });

  test('without an unbalanced timer a busy bucket is never forced; with one it is', () => {
    const nextHopsAfter60S = (unbalancedTimerS: number): number => {
      const group = new ResilientGroup(
        { ...settings, buckets: 2, idleTimerS: 5, unbalancedTimerS },
        equal(1),
        0,
      );
      group.choose(0, 0.4);
      group.choose(1, 0.4);
      group.replace(equal(1, 2), 0.5);
      for (let t = 1; t < 60; t += 0.5) {
        group.choose(0, t);
        group.choose(1, t);
        group.advance(t);
      }
      return new Set(group.table()).size;
    };
    expect(nextHopsAfter60S(0)).toBe(1);
    expect(nextHopsAfter60S(10)).toBe(2);
  });
});

test('shares follow weights, rounded as the kernel rounds them', () => {
  const group = new ResilientGroup(
    { ...settings, buckets: 10 },
    [
      { id: 1, weight: 2 },
      { id: 2, weight: 1 },
    ],
    0,
  );
  expect([...group.table()].filter((id) => id === 1).length).toBe(7);
});

test('bucket counts that the kernel refuses are refused with the reason', () => {
  for (const buckets of [0, -1, 1.5, 65536]) {
    expect(() => new ResilientGroup({ ...settings, buckets }, equal(1), 0)).toThrow(
      /expected 1 to 65535 buckets/,
    );
  }
});

interface RecordedTables {
  readonly buckets: number;
  readonly steps: readonly {
    readonly hops: readonly [number, number][];
    readonly table: readonly number[];
  }[];
}

describe('tables that a kernel showed after group replaces (test/golden/resilient-tables)', () => {
  const file = new URL('../../golden/resilient-tables/tables.json', import.meta.url);
  const runs = JSON.parse(readFileSync(file, 'utf8')) as RecordedTables[];

  test.each(runs.map((run, i) => [i, run] as const))(
    'sequence %i comes out bucket by bucket',
    (_, { buckets, steps }) => {
      const hopsOf = (step: number): { id: number; weight: number }[] =>
        steps[step]!.hops.map(([id, weight]) => ({ id, weight }));
      const group = new ResilientGroup({ ...settings, buckets }, hopsOf(0), 0);
      steps.forEach(({ table }, step) => {
        if (step > 0) group.replace(hopsOf(step), step / 100);
        expect([...group.table()]).toEqual(table);
      });
    },
  );
});

test('more next hops than buckets are no error: the kernel leaves some without', () => {
  const group = new ResilientGroup({ ...settings, buckets: 2 }, equal(1, 2, 3), 0);
  expect(new Set(group.table()).size).toBe(2);
});
