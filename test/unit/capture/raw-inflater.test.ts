import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { NativeInflater } from '../../../src/capture/native-inflater.js';
import { PortableInflater } from '../../../src/capture/portable-inflater.js';
import type { RawInflater } from '../../../src/capture/raw-inflater.js';
import { Dice } from '../../support/random-world.js';

const dice = new Dice(3);
const PLAIN = Uint8Array.from({ length: 300_000 }, (_, i) =>
  i % 7 < 3 ? i % 251 : Math.floor(dice.next() * 256),
);
const DEFLATED = deflateRawSync(PLAIN);

/** Feeds `input` in pieces of `step` octets, with room for `room` at a time, to its end, its error or its last octet. */
function feed(inflater: RawInflater, input: Uint8Array, step: number, room: number) {
  const made = new Uint8Array(PLAIN.length + room);
  let count = 0;
  let at = 0;
  while (!inflater.ended && inflater.error === null) {
    const piece = Math.min(step, input.length - at);
    inflater.inflate(input, at, piece, made, count, room);
    at += inflater.consumed;
    count += inflater.produced;
    if (at === input.length && inflater.produced === 0) break;
  }
  return { octets: made.subarray(0, count), consumed: at };
}

const KINDS: readonly [string, () => RawInflater][] = [
  ["Node's own zlib", () => NativeInflater.create()!],
  ['zlib in JavaScript', () => new PortableInflater()],
];

describe.each(KINDS)('%s', (_, create) => {
  test.each([
    [1_000_000, 1_000_000],
    [1000, 64],
    [7, 5000],
  ])('makes the same octets of pieces of %d with room for %d', (step, room) => {
    const inflater = create();
    const { octets, consumed } = feed(inflater, DEFLATED, step, room);
    expect(Buffer.compare(octets, PLAIN)).toBe(0);
    expect(consumed).toBe(DEFLATED.length);
    expect(inflater.error).toBeNull();
    inflater.close();
  });

  test('leaves what follows the last block, and says that it has ended', () => {
    const inflater = create();
    const { consumed } = feed(inflater, Buffer.concat([DEFLATED, Buffer.from('trailer')]), 1_000_000, 4096);
    expect(inflater.ended).toBe(true);
    expect(consumed).toBe(DEFLATED.length);
  });

  test('says what is wrong with damaged data, and is ready again after a reset', () => {
    const inflater = create();
    // a stored block's length stands twice, the second time inverted (RFC 1951 section 3.2.4)
    const damaged = deflateRawSync(PLAIN, { level: 0 });
    const first = damaged.readUInt16LE(1);
    const second = 5 + first;
    damaged[second + 3]! ^= 1;
    const { octets } = feed(inflater, damaged, 4096, 4096);
    expect(inflater.error).toBe('invalid stored block lengths');
    expect(octets.length).toBe(first);
    inflater.reset();
    expect(inflater.error).toBeNull();
    expect(Buffer.compare(feed(inflater, DEFLATED, 4096, 4096).octets, PLAIN)).toBe(0);
  });
});

test('a Node whose streams have another inside has no native inflater', () => {
  expect(NativeInflater.create({})).toBeNull();
  expect(
    NativeInflater.create({ _handle: { writeSync: () => {} }, _writeState: new Uint32Array(2) }),
  ).toBeNull();
});
