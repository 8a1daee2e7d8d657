import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OctetWriter } from '../../../src/report/octet-writer.js';

function written(write: (out: OctetWriter) => void): string {
  const pieces: Buffer[] = [];
  const out = new OctetWriter((octets) => pieces.push(Buffer.from(octets)));
  write(out);
  out.flush();
  return Buffer.concat(pieces).toString();
}

describe('OctetWriter writes what JSON.stringify does', () => {
  test('of numbers', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.integer(), fc.maxSafeInteger(), fc.nat()), (n) => {
        expect(written((out) => out.number(n))).toBe(JSON.stringify(n));
        expect(written((out) => out.seconds(n))).toBe(JSON.stringify(n));
      }),
    );
  });

  test('of numbers at the edges of its ways to write them', () => {
    const edges = [0, -0, 1, 9, 10, 99, 100, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 2 ** 53, 1e21];
    for (const n of [...edges, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(written((out) => out.number(n))).toBe(JSON.stringify(n));
      expect(written((out) => out.seconds(n))).toBe(JSON.stringify(n));
    }
  });

  test('of times on the grid of nanoseconds', () => {
    fc.assert(
      fc.property(fc.integer({ min: -2e15, max: 2e15 }), fc.constantFrom(1, 1e3, 1e6, 1e9), (units, grid) => {
        const s = (units * grid) / 1e9;
        expect(written((out) => out.seconds(s))).toBe(JSON.stringify(s));
      }),
      { numRuns: 1000 },
    );
    for (const ns of [1, 999, 1000, 1001, 1e9 - 1, 1e9, 1e9 + 1, 1e15 - 1, 1e15]) {
      for (const s of [ns / 1e9, -ns / 1e9]) {
        expect(written((out) => out.seconds(s))).toBe(JSON.stringify(s));
      }
    }
  });

  test('of strings, whatever they hold', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => {
        expect(written((out) => out.quoted(text))).toBe(JSON.stringify(text));
      }),
    );
    for (const text of ['"', '\\', '\n', '\x7f', 'ß', '\ud800', '😀'])
      expect(written((out) => out.quoted(text))).toBe(JSON.stringify(text));
  });
});

test('a text beyond the buffer is written whole', () => {
  const long = 'a"ü'.repeat(200_000);
  expect(written((out) => out.quoted(long))).toBe(JSON.stringify(long));
  expect(written((out) => out.text(long))).toBe(long);
});

test('pieces end where a record does', () => {
  const pieces: number[] = [];
  const out = new OctetWriter((octets) => pieces.push(octets.length));
  for (let record = 0; record < 3000; record++) {
    out.text('x'.repeat(100));
    out.pause();
  }
  out.flush();
  expect(pieces.length).toBeGreaterThan(3);
  for (const length of pieces) expect(length % 100).toBe(0);
});
