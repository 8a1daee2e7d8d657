import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../../../src/cluster/yaml/duration.js';

describe('parseDuration()', () => {
  test.each([
    ['250ms', 0.25],
    ['5s', 5],
    ['2m', 120],
    ['1h', 3600],
    ['1m30s', 90],
    ['1h2m3.5s', 3723.5],
    ['2d', 172800],
    ['300us', 0.0003],
    ['300µs', 0.0003],
    ['7ns', 7e-9],
    ['5.004844s', 5.004844],
    ['3.0s', 3],
    ['.5s', 0.5],
    ['42', 42],
    ['0.1', 0.1],
    ['1e-7', 1e-7],
    [' 5s ', 5],
    ['0', 0],
  ])('reads %s', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  test('leaves the judgement of a sign to the caller', () => {
    expect(parseDuration('-5s')).toBe(-5);
  });

  test.each([
    '',
    '-',
    's',
    '5 s',
    '5x',
    '5s3',
    '5sec',
    '1e5s',
    'ms5',
    '--5s',
    '1,5s',
    'NaN',
    'Infinity',
    '9e999',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  test('agrees with the sum of its parts', () => {
    const part = fc.nat(10_000);
    fc.assert(
      fc.property(part, part, part, (h, m, s) => {
        expect(parseDuration(`${h}h${m}m${s}s`)).toBe(h * 3600 + m * 60 + s);
      }),
    );
  });
});

describe('formatDuration()', () => {
  test('writes what reads back as exactly the same number', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e300, noNaN: true }), (seconds) => {
        expect(parseDuration(formatDuration(seconds))).toBe(seconds);
      }),
    );
  });
});
