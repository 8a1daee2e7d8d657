import { describe, expect, test } from 'vitest';
import { sinceT0, splitEvents } from '../../../src/cli/clock-event.js';

const T0_NS = 1_795_413_600_017_900_000n;

describe('events by the clock', () => {
  test('are told from events that count from t = 0', () => {
    const { relative, byClock } = splitEvents(['5s withdraw n2', '2026-11-23T06:00:15Z withdraw n4']);
    expect(relative).toEqual(['5s withdraw n2']);
    expect(byClock).toEqual([{ atNs: 1_795_413_615_000_000_000n, words: 'withdraw n4' }]);
  });

  test('keep nanoseconds and heed the zone', () => {
    const { byClock } = splitEvents(['2026-11-23T07:00:15.000000001+01:00 withdraw n4']);
    expect(byClock[0]!.atNs).toBe(1_795_413_615_000_000_001n);
    expect(sinceT0(byClock[0]!, T0_NS)).toBe('14.982100001s withdraw n4');
  });

  test('are refused before any capture is read where verb or date is wrong', () => {
    expect(() => splitEvents(['2026-11-23T06:00:15Z withdrow n4'])).toThrow(/did you mean withdraw/);
    expect(() => splitEvents(['2026-13-23T06:00:15Z withdraw n4'])).toThrow(/no time that a calendar has/);
  });

  test('are refused before t = 0', () => {
    const { byClock } = splitEvents(['2026-11-23T05:00:00Z withdraw n4']);
    expect(() => sinceT0(byClock[0]!, T0_NS)).toThrow(/before t = 0/);
  });
});
