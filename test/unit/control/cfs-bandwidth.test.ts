import { describe, expect, test } from 'vitest';
import { type CfsSlices, type CfsUsage, simulateCfs } from '../../../src/control/cfs-bandwidth.js';
import { Dice } from '../../../src/what-if/dice.js';

/** fibtest: one thread that never sleeps, the others wake every 10 ms for a few microseconds; quota 10 of 100 ms. */
function fibtest(cpus: number, slices: CfsSlices, seed = 1): CfsUsage {
  const dice = new Dice(seed);
  const slow = Array.from({ length: cpus - 1 }, () => ({ burstMs: 0.004, sleepMs: 10 }));
  const fast = { burstMs: Number.POSITIVE_INFINITY, sleepMs: 0 };
  return simulateCfs({ quotaMs: 10, periodMs: 100, slices }, [fast, ...slow], 5000, () => dice.next());
}

const total = (usage: CfsUsage): number => usage.ranMs.reduce((sum, ms) => sum + ms, 0);

describe('CPU bandwidth control', () => {
  const alone = fibtest(1, 'expire').ranMs[0]!;

  test('gives one thread exactly its quota, throttled in every period that ends', () => {
    const { ranMs, throttledPeriods, periods } = fibtest(1, 'kept');
    expect(ranMs[0]).toBeCloseTo(500, 6);
    expect([throttledPeriods, periods]).toEqual([49, 50]);
  });

  test('strands slices that expire: a fast thread beside 7 sleepers gets half, beside 63 next to nothing', () => {
    // depends on who wakes first after each refill: the mean of ten orders
    const runs = Array.from({ length: 10 }, (_, seed) => fibtest(8, 'expire', seed).ranMs[0]! / alone);
    const beside7 = runs.reduce((sum, share) => sum + share, 0) / runs.length;
    expect(beside7).toBeGreaterThan(0.45);
    expect(beside7).toBeLessThan(0.8);
    expect(fibtest(64, 'expire').ranMs[0]! / alone).toBeLessThan(0.25);
  });

  test('strands at most a millisecond a CPU once where slices are kept', () => {
    expect(fibtest(8, 'kept').ranMs[0]! / alone).toBeGreaterThan(0.9);
    expect(fibtest(64, 'kept').ranMs[0]! / alone).toBeGreaterThan(0.6);
  });

  test('throttles below the limit: with expiring slices most of the quota is never used', () => {
    const usage = fibtest(64, 'expire');
    expect(total(usage)).toBeLessThan(0.25 * 500);
    expect(usage.throttledPeriods / usage.periods).toBeGreaterThan(0.9);
  });

  test('never gives more than the quota, whatever the threads do', () => {
    const dice = new Dice(7);
    for (let run = 0; run < 50; run++) {
      const quotaMs = 1 + dice.below(200);
      const threads = Array.from({ length: 1 + dice.below(12) }, () => ({
        burstMs: 0.1 + 20 * dice.next(),
        sleepMs: 30 * dice.next(),
      }));
      const slices = dice.below(2) === 0 ? 'kept' : 'expire';
      const usage = simulateCfs({ quotaMs, periodMs: 100, slices }, threads, 2000, () => dice.next());
      expect(total(usage)).toBeLessThanOrEqual(quotaMs * 20 + 1e-6);
      for (const ms of usage.latencyMs) expect(ms).toBeGreaterThanOrEqual(threads[0]!.burstMs - 1e-6);
    }
  });

  test('answers in its working time while the limit is far, and over several periods where it is near', () => {
    const one = (limitMs: number): CfsUsage =>
      simulateCfs(
        { quotaMs: limitMs, periodMs: 100, slices: 'kept' },
        [{ burstMs: 20, sleepMs: 50 }],
        2000,
        () => 0.5,
      );
    for (const ms of one(100).latencyMs) expect(ms).toBeCloseTo(20, 6);
    // 20 ms of work at 5 ms a period end three period boundaries later at the earliest
    for (const ms of one(5).latencyMs) expect(ms).toBeGreaterThan(200);
  });
});
