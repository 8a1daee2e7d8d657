import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sourceFromBytes } from '../../../src/capture/byte-source.js';
import { openCapture } from '../../../src/capture/capture-reader.js';
import { PcapWriter } from '../../../src/capture/pcap-writer.js';
import { PcapngWriter } from '../../../src/capture/pcapng-writer.js';
import { concat, madeFrame, readAll } from '../../support/made-captures.js';
import { capinfosOf, hasCapinfos, hasTshark, readWithTshark } from '../../support/tshark.js';

const BASE_NS = 1_795_391_995_741_888_123n;
/** a Float64 is exact to the nanosecond for 104 days, here between the earliest and the latest packet */
const MAX_TIME_NS = 52 * 86_400 * 1e9;

interface Packet {
  readonly timeNs: number;
  readonly frame: Uint8Array;
  readonly wireLen: number;
  readonly iface: number;
  readonly comment: string | undefined;
}

const packet: fc.Arbitrary<Packet> = fc.record({
  timeNs: fc.integer({ min: -MAX_TIME_NS, max: MAX_TIME_NS }),
  frame: fc.uint8Array({ maxLength: 300 }),
  wireLen: fc.integer({ min: 0, max: 0xffff_ffff }),
  iface: fc.integer({ min: 0, max: 2 }),
  comment: fc.option(fc.string({ minLength: 1, unit: 'grapheme' }), { nil: undefined }),
});

/** A sink and what it was given. */
function collect() {
  const pieces: Uint8Array[] = [];
  return {
    sink: (bytes: Uint8Array) => void pieces.push(bytes.slice()),
    content: () => concat(...pieces),
    pieces,
  };
}

function writePcap(packets: readonly Packet[], resolution: 'microseconds' | 'nanoseconds', baseNs = BASE_NS) {
  const { sink, content } = collect();
  const writer = new PcapWriter(sink, { linkType: 1, baseNs, resolution });
  for (const { timeNs, frame, wireLen } of packets) {
    writer.write(timeNs, concat(new Uint8Array(3), frame), 3, frame.length, wireLen);
  }
  writer.flush();
  return content();
}

function writePcapng(packets: readonly Packet[], baseNs = BASE_NS) {
  const { sink, content } = collect();
  const writer = new PcapngWriter(sink, { baseNs, application: 'flowfate', comment: 'Bär' });
  writer.addInterface({ linkType: 1, name: 'eth0', snapLen: 96 });
  writer.addInterface({ linkType: 101 });
  writer.addInterface({ linkType: 113, name: 'any' });
  for (const { timeNs, frame, wireLen, iface, comment } of packets) {
    writer.write(iface, timeNs, concat(new Uint8Array(3), frame), 3, frame.length, wireLen, comment);
  }
  writer.flush();
  return content();
}

const SAMPLE: readonly Packet[] = [
  { timeNs: 0, frame: madeFrame(61), wireLen: 1500, iface: 0, comment: undefined },
  {
    timeNs: 1_234_567_891,
    frame: madeFrame(20, 3),
    wireLen: 20,
    iface: 1,
    comment: 'reset: no such connection',
  },
  { timeNs: -741_888_124, frame: madeFrame(0), wireLen: 9, iface: 2, comment: undefined },
  { timeNs: 40_000_000_007, frame: madeFrame(64, 9), wireLen: 64, iface: 0, comment: 'ünï → 2' },
];

describe('PcapWriter', () => {
  test('writes what the reader reads, to the nanosecond', () => {
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 20 }), (packets) => {
        const read = readAll(openCapture(sourceFromBytes(writePcap(packets, 'nanoseconds'))));
        expect(read.map((p) => [p.ns, p.wireLen, p.frame])).toEqual(
          packets.map((p) => [BASE_NS + BigInt(p.timeNs), p.wireLen, p.frame]),
        );
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  test('writes microseconds where asked, rounded down', () => {
    const read = readAll(openCapture(sourceFromBytes(writePcap(SAMPLE, 'microseconds'))));
    expect(read.map((p) => p.ns)).toEqual(SAMPLE.map((p) => ((BASE_NS + BigInt(p.timeNs)) / 1000n) * 1000n));
  });

  test('keeps times within 1970 to 2106', () => {
    const packets = [-5e9, 0].map((timeNs) => ({ ...(SAMPLE[0] as Packet), timeNs }));
    const read = readAll(openCapture(sourceFromBytes(writePcap(packets, 'nanoseconds', 1_000_000_000n))));
    expect(read.map((p) => p.ns)).toEqual([0n, 1_000_000_000n]);
  });
});

describe('PcapngWriter', () => {
  test('writes what the reader reads, to the nanosecond, with interfaces and comments', () => {
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 20 }), (packets) => {
        const comments = new Map<number, string>();
        const reader = openCapture(sourceFromBytes(writePcapng(packets)), {
          onComment: (number, text) => comments.set(number, text),
        });
        const read = readAll(reader);
        expect(read.map((p) => [p.ns, p.wireLen, p.frame, p.iface, p.linkType])).toEqual(
          packets.map((p) => [
            BASE_NS + BigInt(p.timeNs),
            p.wireLen,
            p.frame,
            p.iface,
            [1, 101, 113][p.iface],
          ]),
        );
        for (const [i, { comment }] of packets.entries()) {
          const nul = comment?.indexOf('\0') ?? -1;
          expect(comments.get(i + 1)).toBe(nul < 0 ? comment : comment?.slice(0, nul));
        }
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  test('describes its interfaces and itself', () => {
    const reader = openCapture(sourceFromBytes(writePcapng([])));
    expect(readAll(reader)).toEqual([]);
    expect(reader.interfaces).toEqual([
      { linkType: 1, snapLen: 96, ticksPerSecond: 1e9, name: 'eth0' },
      { linkType: 101, snapLen: 0, ticksPerSecond: 1e9 },
      { linkType: 113, snapLen: 0, ticksPerSecond: 1e9, name: 'any' },
    ]);
    expect(reader.comments).toEqual(['Bär']);
  });

  test('cuts a comment to what an option holds, between characters', () => {
    let seen = '';
    const packets = [{ ...(SAMPLE[0] as Packet), comment: `a${'ü'.repeat(40_000)}` }];
    const reader = openCapture(sourceFromBytes(writePcapng(packets)), {
      onComment: (_, text) => (seen = text),
    });
    expect(readAll(reader).length).toBe(1);
    expect(seen).toBe(`a${'ü'.repeat(32_767)}`);
  });

  test('refuses a packet of an interface that was not added', () => {
    const writer = new PcapngWriter(() => {});
    expect(() => writer.write(0, 0, new Uint8Array(1), 0, 1, 1)).toThrow(RangeError);
  });

  test('hands frames of any length to its sink in pieces, and nothing twice', () => {
    const { sink, content, pieces } = collect();
    const writer = new PcapngWriter(sink);
    writer.addInterface({ linkType: 1 });
    const lengths = [262_144, 1, 200_000, 100_000, 262_143];
    for (const [i, length] of lengths.entries()) writer.write(0, i, madeFrame(length, i), 0, length, length);
    writer.flush();
    writer.flush();
    expect(pieces.length).toBeGreaterThan(2);
    const read = readAll(openCapture(sourceFromBytes(content())));
    expect(read.map((p) => p.capLen)).toEqual(lengths);
    expect(read.every((p, i) => Buffer.compare(p.frame, madeFrame(lengths[i] as number, i)) === 0)).toBe(
      true,
    );
  });
});

describe.skipIf(!hasTshark || !hasCapinfos)(
  'tshark and capinfos (skipped where they are not installed)',
  () => {
    let folder = '';
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'writers-'));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const expected = SAMPLE.map(({ timeNs, frame, wireLen, iface, comment }) => ({
      ns: BASE_NS + BigInt(timeNs),
      capLen: frame.length,
      wireLen,
      iface: String(iface),
      comment: comment ?? '',
    }));

    test('read a written pcap as it was meant', () => {
      const path = join(folder, 'a.pcap');
      writeFileSync(path, writePcap(SAMPLE, 'nanoseconds'));
      const { records, complaint } = readWithTshark(path);
      expect(complaint).toBe('');
      expect(records.map(({ ts, ...rest }) => ({ ns: BigInt(ts.replace('.', '')), ...rest }))).toEqual(
        expected.map((row) => ({ ...row, iface: '', comment: '' })),
      );
      expect(capinfosOf(path, 'File type')).toBe('Wireshark/tcpdump/... - nanosecond pcap');
      expect(capinfosOf(path, 'Number of packets')).toBe('4');
    });

    test('read a written pcapng as it was meant', () => {
      const path = join(folder, 'a.pcapng');
      writeFileSync(path, writePcapng(SAMPLE));
      const { records, complaint } = readWithTshark(path);
      expect(complaint).toBe('');
      expect(records.map(({ ts, ...rest }) => ({ ns: BigInt(ts.replace('.', '')), ...rest }))).toEqual(
        expected,
      );
      expect(capinfosOf(path, 'Capture comment')).toBe('Bär');
      expect(capinfosOf(path, 'Capture application')).toBe('flowfate');
      expect(capinfosOf(path, 'Number of interfaces in file')).toBe('3');
    });
  },
);
