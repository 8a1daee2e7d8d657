import { describe, expect, test } from 'vitest';
import { sourceFromBytes } from '../../../src/capture/byte-source.js';
import { openCapture } from '../../../src/capture/capture-reader.js';
import { createRecordBatch } from '../../../src/capture/record-batch.js';
import {
  type ByteOrder,
  concat,
  madeFrame,
  PCAP_MAGIC,
  pcapHeader,
  pcapRecord,
  readAll,
} from '../../support/made-captures.js';

/** TypeScript describes WebAssembly in its DOM library only */
interface Wasm {
  readonly Memory: new (size: {
    initial: number;
  }) => { readonly buffer: ArrayBuffer; grow(pages: number): number };
}
const wasm = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;

const BIG_FRAME_BYTES = 262_144;

function open(...parts: Uint8Array[]) {
  return openCapture(sourceFromBytes(concat(...parts), 'made.pcap'));
}

describe('byte orders and resolutions', () => {
  for (const order of ['little', 'big'] as ByteOrder[]) {
    test(`reads microseconds, ${order}-endian`, () => {
      const reader = open(
        pcapHeader({ order, linkType: 113, snapLen: 96 }),
        pcapRecord({ order, seconds: 1_700_000_000, rest: 999_999 }),
        pcapRecord({ order, seconds: 1_700_000_001, rest: 1, frame: madeFrame(33, 5), wireLen: 1500 }),
      );
      const packets = readAll(reader);
      expect(reader.format).toBe('pcap');
      expect(reader.baseNs).toBe(1_700_000_000_999_999_000n);
      expect(reader.interfaces).toEqual([{ linkType: 113, snapLen: 96, ticksPerSecond: 1_000_000 }]);
      expect(packets.map((p) => p.ns)).toEqual([1_700_000_000_999_999_000n, 1_700_000_001_000_001_000n]);
      expect(packets[1]).toMatchObject({ capLen: 33, wireLen: 1500, linkType: 113, iface: 0 });
      expect(packets[1]?.frame).toEqual(madeFrame(33, 5));
    });

    test(`reads nanoseconds, ${order}-endian`, () => {
      const reader = open(
        pcapHeader({ order, magic: PCAP_MAGIC.nanoseconds }),
        pcapRecord({ order, seconds: 1, rest: 999_999_999 }),
        pcapRecord({ order, seconds: 2, rest: 3 }),
      );
      expect(readAll(reader).map((p) => p.ns)).toEqual([1_999_999_999n, 2_000_000_003n]);
      expect(reader.interfaces[0]?.ticksPerSecond).toBe(1e9);
    });

    test(`reads the modified format with its longer record headers, ${order}-endian`, () => {
      const extra = new Uint8Array(8).fill(9);
      const reader = open(
        pcapHeader({ order, magic: PCAP_MAGIC.modified }),
        pcapRecord({ order, extra }),
        pcapRecord({ order, extra, frame: madeFrame(7, 1) }),
      );
      expect(readAll(reader).map((p) => p.frame)).toEqual([madeFrame(60), madeFrame(7, 1)]);
    });
  }
});

describe('times', () => {
  test('may run backwards, lie in 1970 and in 2106, to the microsecond within 104 days', () => {
    const reader = open(
      pcapHeader(),
      pcapRecord({ seconds: 1000, rest: 500_000 }),
      pcapRecord({ seconds: 0, rest: 1 }),
      pcapRecord({ seconds: 0xffff_ffff, rest: 0 }),
    );
    const [first, second, third] = readAll(reader).map((p) => p.ns);
    expect(first).toBe(1_000_500_000_000n);
    expect(second).toBe(1_000n);
    expect(Number((third as bigint) - 0xffff_ffffn * 1_000_000_000n)).toBeCloseTo(0, -4);
  });

  test('count on where the fraction exceeds a second', () => {
    const reader = open(pcapHeader(), pcapRecord({ seconds: 10, rest: 6_000_000 }));
    expect(readAll(reader)[0]?.ns).toBe(16_000_000_000n);
  });
});

describe('lengths', () => {
  test('believes a frame above the snapshot length, above its wire length, and of no octets', () => {
    const reader = open(
      pcapHeader({ snapLen: 0 }),
      pcapRecord({ wireLen: 50 }),
      pcapRecord({ frame: new Uint8Array(0), wireLen: 70 }),
      pcapRecord({ frame: new Uint8Array(0) }),
      pcapRecord(),
    );
    expect(readAll(reader).map((p) => [p.capLen, p.wireLen])).toEqual([
      [60, 50],
      [0, 70],
      [0, 0],
      [60, 60],
    ]);
  });

  test('takes the lengths in the order of the version: swapped before 2.3, either way in 2.3', () => {
    const swapped = open(
      pcapHeader({ version: [2, 2] }),
      pcapRecord({ capLen: 70, wireLen: 60 }),
      pcapRecord(),
    );
    expect(readAll(swapped).map((p) => [p.capLen, p.wireLen])).toEqual([
      [60, 70],
      [60, 60],
    ]);
    const either = open(
      pcapHeader({ version: [2, 3] }),
      pcapRecord({ capLen: 70, wireLen: 60 }),
      pcapRecord({ wireLen: 80 }),
    );
    expect(readAll(either).map((p) => [p.capLen, p.wireLen])).toEqual([
      [60, 70],
      [60, 80],
    ]);
  });

  test('reads the longest frame, and calls a longer one damage, with name and offset', () => {
    const longest = open(pcapHeader(), pcapRecord({ frame: madeFrame(BIG_FRAME_BYTES) }), pcapRecord());
    expect(readAll(longest).map((p) => p.capLen)).toEqual([BIG_FRAME_BYTES, 60]);

    const reader = open(
      pcapHeader(),
      pcapRecord(),
      pcapRecord({ capLen: BIG_FRAME_BYTES + 1 }),
      pcapRecord(),
    );
    expect(readAll(reader).length).toBe(1);
    expect(reader.truncated).toBe(false);
    expect(reader.damage).toEqual({
      message:
        'made.pcap is damaged at offset 100: a packet of 262145 octets, where at most 262144 are captured',
      offset: 100,
    });
    expect(reader.next(createRecordBatch(4, new Uint8Array(0)))).toBe(false);
  });

  test('reads the link type without the frame check sequence that stands above it', () => {
    const reader = open(pcapHeader({ linkType: 0x24000001 }), pcapRecord());
    expect(readAll(reader)[0]?.linkType).toBe(1);
    expect(reader.linkTypes).toEqual([1]);
  });
});

describe('ends', () => {
  test('a file of the header alone has no packets and is whole', () => {
    const reader = open(pcapHeader());
    expect(readAll(reader)).toEqual([]);
    expect([reader.packets, reader.truncated, reader.damage, reader.warnings]).toEqual([0, false, null, []]);
  });

  test('a file cut anywhere in its last record is truncated, and the records before are read', () => {
    const whole = concat(pcapHeader(), pcapRecord(), pcapRecord());
    const lastAt = 24 + 76;
    for (let length = lastAt + 1; length < whole.length; length++) {
      const reader = open(whole.subarray(0, length));
      expect(readAll(reader).length).toBe(1);
      expect(reader.truncated).toBe(true);
      expect(reader.damage).toBe(null);
      expect(reader.warnings).toEqual([
        'made.pcap ends in the middle of a record at offset 100; what came before it was read',
      ]);
    }
    const reader = open(whole.subarray(0, lastAt));
    expect(readAll(reader).length).toBe(1);
    expect(reader.truncated).toBe(false);
  });
});

describe('buffers', () => {
  const frames = [60, 1000, 3, 400, 255, 0, 1, 4096].map((length, i) => madeFrame(length, i));
  const file = concat(pcapHeader(), ...frames.map((frame, i) => pcapRecord({ frame, seconds: 100 + i })));

  test('of any size give the same packets; frames beyond the buffer are cut to it', () => {
    const whole = readAll(openCapture(sourceFromBytes(file)));
    expect(whole.map((p) => p.frame)).toEqual(frames);
    for (const bufferBytes of [256, 257, 300, 512, 1100, 5000]) {
      const reader = openCapture(sourceFromBytes(file), { buffer: new Uint8Array(bufferBytes) });
      const packets = readAll(reader, 3);
      expect(packets.map((p) => [p.ns, p.wireLen])).toEqual(whole.map((p) => [p.ns, p.wireLen]));
      expect(packets.map((p) => p.frame)).toEqual(
        frames.map((frame) => frame.subarray(0, Math.min(frame.length, bufferBytes - 16))),
      );
      expect(reader.packets).toBe(frames.length);
      expect(reader.truncated).toBe(false);
    }
  });

  test('a frame beyond the buffer that the file does not hold whole is not counted', () => {
    const reader = openCapture(sourceFromBytes(file.subarray(0, file.length - 1)), {
      buffer: new Uint8Array(256),
    });
    expect(readAll(reader).length).toBe(frames.length - 1);
    expect(reader.truncated).toBe(true);
  });

  test('may lie in WebAssembly memory, also when that moves', () => {
    const memory = new wasm.Memory({ initial: 1 });
    const reader = openCapture(sourceFromBytes(file), { buffer: new Uint8Array(memory.buffer, 1000, 300) });
    const batch = createRecordBatch(2, new Uint8Array(0));
    let count = 0;
    while (reader.next(batch)) {
      count += batch.count;
      expect(batch.bytes.buffer).toBe(memory.buffer);
      memory.grow(1);
      reader.rebind(new Uint8Array(memory.buffer, 1000, 300));
    }
    expect(count).toBe(frames.length);
    expect(() => reader.rebind(new Uint8Array(299))).toThrow(RangeError);
  });

  test('too small for any record are refused', () => {
    expect(() => openCapture(sourceFromBytes(file), { buffer: new Uint8Array(255) })).toThrow(RangeError);
  });
});
