import { describe, expect, test } from 'vitest';
import {
  addressPort,
  bytes,
  count,
  counted,
  duration,
  moment,
  percent,
  utc,
} from '../../../src/report/figures.js';

describe('figures', () => {
  test.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1234567, '1,234,567'],
  ])('count(%d) is %s', (n, text) => expect(count(n)).toBe(text));

  test('counted() has a singular', () => {
    expect(counted(1, 'flow')).toBe('1 flow');
    expect(counted(0, 'flow')).toBe('0 flows');
  });

  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [12_345_678, '12.3 MB'],
    [5e15, '5.00 PB'],
    [5e18, '5000 PB'],
  ])('bytes(%d) is %s', (n, text) => expect(bytes(n)).toBe(text));

  test.each([
    [1, 3, '33.3 %'],
    [1, 4, '25 %'],
    [0, 4, '0 %'],
    [4, 4, '100 %'],
    [0, 0, '–'],
    [1, 1_000_000, '< 0.1 %'],
    [999_999, 1_000_000, '> 99.9 %'],
  ])('percent(%d, %d) is %s', (part, whole, text) => expect(percent(part, whole)).toBe(text));

  test.each([
    [0, '0 s'],
    [0.0001, '< 1 ms'],
    [0.25, '250 ms'],
    [59.94, '59.9 s'],
    [59.99, '1 min 0 s'],
    [250, '4 min 10 s'],
    [3599.9, '1 h 0 min'],
    [12_000, '3 h 20 min'],
    [187_200, '2 d 4 h'],
  ])('duration(%d) is %s', (seconds, text) => expect(duration(seconds)).toBe(text));

  test('moment() keeps milliseconds', () => expect(moment(5.0048)).toBe('5.005 s'));

  test('utc() says a date, and a number of seconds where there is no date', () => {
    expect(utc(1795391995.741888)).toBe('2026-11-22 23:59:55 UTC');
    expect(utc(1e15)).toBe('1000000000000000 s since 1970');
  });

  test('addressPort() brackets IPv6', () => {
    expect(addressPort('203.0.113.10', 80)).toBe('203.0.113.10:80');
    expect(addressPort('2001:db8::1', 80)).toBe('[2001:db8::1]:80');
  });
});
