import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InterfaceClock } from '../../../src/capture/interface-clock.js';

const NS_PER_S = 1_000_000_000n;
/** 2^53 ns, 104 days, less a second because times are added up from the start of one */
const EXACT_NS = (1n << 53n) - NS_PER_S;
const MAX_TICKS = (1n << 64n) - 1n;

/** Nanoseconds since 1970 by the definition, in whole numbers. */
function oracleNs(ticks: bigint, ticksPerSecond: bigint, offsetS: bigint): bigint {
  return (ticks * NS_PER_S) / ticksPerSecond + offsetS * NS_PER_S;
}

function halves(ticks: bigint): [number, number] {
  return [Number(ticks >> 32n), Number(ticks & 0xffff_ffffn)];
}

const resolution = fc.oneof(
  fc.integer({ min: 0, max: 19 }),
  fc.integer({ min: 0x80, max: 0xbf }),
  fc.constantFrom(20, 127, 0xff),
);

describe('InterfaceClock', () => {
  test('gives nanoseconds since the base exactly within 104 days, for every resolution and offset', () => {
    fc.assert(
      fc.property(
        resolution,
        fc.bigInt({ min: -(1n << 40n), max: 1n << 40n }),
        fc.bigInt({ min: 0n, max: MAX_TICKS }),
        fc.bigInt({ min: -EXACT_NS, max: EXACT_NS }),
        (resolutionOption, offsetS, ticks, baseBefore) => {
          const exponent = BigInt(resolutionOption & 0x7f);
          const ticksPerSecond = (resolutionOption & 0x80) !== 0 ? 2n ** exponent : 10n ** exponent;
          const clock = new InterfaceClock(resolutionOption, offsetS);
          const expected = oracleNs(ticks, ticksPerSecond, offsetS);
          expect(clock.ticksPerSecond).toBe(ticksPerSecond);
          expect(clock.absoluteNs(...halves(ticks))).toBe(expected);
          clock.setBase(expected - baseBefore);
          expect(BigInt(clock.timeNs(...halves(ticks)))).toBe(baseBefore);
        },
      ),
      { numRuns: 1000, seed: 1 },
    );
  });
});
