import { describe, expect, test } from 'vitest';
import { sourceFromBytes } from '../../../src/capture/byte-source.js';
import { openCapture } from '../../../src/capture/capture-reader.js';
import {
  type ByteOrder,
  block,
  concat,
  enhancedPacket,
  interfaceBlock,
  numbers,
  obsoletePacket,
  option,
  pcapHeader,
  pcapRecord,
  readAll,
  section,
} from '../../support/made-captures.js';

const counter = (code: number, value: bigint, order: ByteOrder = 'little'): Uint8Array =>
  option(code, numbers(order, [8, value]), order);

function statistics(iface: number, options: readonly Uint8Array[], order: ByteOrder = 'little'): Uint8Array {
  return block(5, concat(numbers(order, [4, iface], [4, 0], [4, 0]), ...options), order);
}

function droppedIn(...parts: Uint8Array[]): number | null {
  const reader = openCapture(sourceFromBytes(concat(...parts), 'made'));
  readAll(reader);
  expect(reader.damage).toBeNull();
  return reader.dropped;
}

describe('packets that a capture says it lost', () => {
  test('are those of the last statistics of each interface, by interface and by system', () => {
    const received = counter(4, 1000n);
    expect(
      droppedIn(
        section(),
        interfaceBlock(),
        interfaceBlock(),
        statistics(0, [received, counter(5, 3n)]),
        enhancedPacket(),
        statistics(0, [received, counter(5, 10n), counter(7, 2n)]),
        statistics(1, [counter(5, 5n)]),
      ),
    ).toBe(17);
  });

  test('are counted in sections of either byte order, each with interfaces of its own', () => {
    expect(
      droppedIn(
        section(),
        interfaceBlock(),
        statistics(0, [counter(5, 1n)]),
        section({ order: 'big' }),
        interfaceBlock({ order: 'big' }),
        statistics(0, [counter(5, 2n, 'big')], 'big'),
      ),
    ).toBe(3);
  });

  test('are what packets say of those before them, too', () => {
    expect(
      droppedIn(
        section(),
        interfaceBlock(),
        enhancedPacket({ options: concat(option(1, 'a comment'), counter(4, 4n)) }),
        obsoletePacket(),
      ),
    ).toBe(4 + 7);
  });

  test('are none where statistics say so, and unknown where the file does not say', () => {
    expect(droppedIn(section(), interfaceBlock(), statistics(0, [counter(5, 0n)]))).toBe(0);
    expect(
      droppedIn(section(), interfaceBlock(), statistics(0, [counter(4, 9n)]), enhancedPacket()),
    ).toBeNull();
    expect(droppedIn(section(), interfaceBlock(), statistics(0, [counter(5, 2n ** 64n - 1n)]))).toBeNull();
    expect(droppedIn(pcapHeader(), pcapRecord())).toBeNull();
  });
});
