import { describe, expect, test } from 'vitest';
import { sourceFromBytes } from '../../../src/capture/byte-source.js';
import { openCapture } from '../../../src/capture/capture-reader.js';
import {
  type ByteOrder,
  block,
  concat,
  enhancedPacket,
  interfaceBlock,
  madeFrame,
  obsoletePacket,
  option,
  readAll,
  section,
  simplePacket,
} from '../../support/made-captures.js';

const SECOND = 1_000_000_000n;

function open(...parts: Uint8Array[]) {
  return openCapture(sourceFromBytes(concat(...parts), 'made.pcapng'));
}

describe('sections and interfaces', () => {
  test('reads sections of differing byte order, each with interfaces of its own', () => {
    const reader = open(
      section(),
      interfaceBlock({ linkType: 1 }),
      interfaceBlock({ linkType: 113, name: 'any', snapLen: 96 }),
      enhancedPacket({ iface: 1 }),
      section({ order: 'big', length: 10n }),
      interfaceBlock({ order: 'big', linkType: 101, resolution: 9 }),
      enhancedPacket({ order: 'big', ticks: 1_600_000_000_000_000_007n, frame: madeFrame(21) }),
    );
    const packets = readAll(reader);
    expect(packets.map((p) => [p.iface, p.linkType, p.ns])).toEqual([
      [1, 113, 1_600_000_000n * SECOND],
      [2, 101, 1_600_000_000n * SECOND + 7n],
    ]);
    expect(packets[1]?.frame).toEqual(madeFrame(21));
    expect(reader.interfaces).toEqual([
      { linkType: 1, snapLen: 0, ticksPerSecond: 1e6 },
      { linkType: 113, snapLen: 96, ticksPerSecond: 1e6, name: 'any' },
      { linkType: 101, snapLen: 0, ticksPerSecond: 1e9 },
    ]);
    expect(reader.linkTypes).toEqual([1, 113, 101]);
  });

  test('reads times of decimal and binary resolution and with an offset, to the nanosecond below', () => {
    const reader = open(
      section(),
      interfaceBlock({ resolution: 3 }),
      interfaceBlock({ resolution: 0x80 | 10 }),
      interfaceBlock({ resolution: 12 }),
      interfaceBlock({ resolution: 0x80 | 34 }),
      interfaceBlock({ resolution: 6, offsetS: -5n }),
      interfaceBlock({ resolution: 0, offsetS: 100n }),
      enhancedPacket({ iface: 0, ticks: 1_600_000n }),
      enhancedPacket({ iface: 1, ticks: 1600n * 1024n + 513n }),
      enhancedPacket({ iface: 2, ticks: 1600n * 10n ** 12n + 123_456_789_012n }),
      enhancedPacket({ iface: 3, ticks: (1600n << 34n) + (1n << 33n) + 3n }),
      enhancedPacket({ iface: 4, ticks: 1_600_000_001n }),
      enhancedPacket({ iface: 5, ticks: 1500n }),
    );
    expect(readAll(reader).map((p) => p.ns)).toEqual([
      1600n * SECOND,
      1600n * SECOND + 500_976_562n,
      1600n * SECOND + 123_456_789n,
      1600n * SECOND + 500_000_000n,
      1595n * SECOND + 1000n,
      1600n * SECOND,
    ]);
  });

  test('costs a few octets for each of a great many interfaces', () => {
    const interfaces = 300_000;
    const one = interfaceBlock({ name: 'a' });
    const many = new Uint8Array(one.length * interfaces);
    for (let i = 0; i < interfaces; i++) many.set(one, i * one.length);
    const reader = open(section(), many, enhancedPacket({ iface: interfaces - 1 }));
    expect(readAll(reader).map((p) => p.iface)).toEqual([interfaces - 1]);
    expect(reader.interfaces.length).toBe(1024);
  });

  test('calls more kinds of interfaces than any capture has damage', () => {
    const kinds = Array.from({ length: 0x10001 }, (_, i) => interfaceBlock({ snapLen: i }));
    const reader = open(section(), new Uint8Array(Buffer.concat(kinds)));
    expect(readAll(reader)).toEqual([]);
    expect(reader.damage?.message).toMatch(/more kinds of interfaces/);
  });
});

describe('packet blocks', () => {
  for (const order of ['little', 'big'] as ByteOrder[]) {
    test(`reads enhanced, obsolete and simple packets, ${order}-endian`, () => {
      const reader = open(
        section({ order }),
        interfaceBlock({ order, snapLen: 40 }),
        enhancedPacket({ order, ticks: 5_000_001n, frame: madeFrame(40), wireLen: 1500 }),
        simplePacket(madeFrame(40, 3), 99, order),
        obsoletePacket({ order, ticks: 6_000_000n, frame: madeFrame(13, 4), wireLen: 13 }),
      );
      expect(readAll(reader)).toEqual([
        { ns: 5_000_001_000n, capLen: 40, wireLen: 1500, linkType: 1, iface: 0, frame: madeFrame(40) },
        { ns: 5_000_001_000n, capLen: 40, wireLen: 99, linkType: 1, iface: 0, frame: madeFrame(40, 3) },
        { ns: 6_000_000_000n, capLen: 13, wireLen: 13, linkType: 1, iface: 0, frame: madeFrame(13, 4) },
      ]);
      expect(reader.packets).toBe(3);
    });
  }

  test('gives simple packets before any time the time 0, and the base to the first that has one', () => {
    const reader = open(section(), interfaceBlock(), simplePacket(madeFrame(8)));
    expect(readAll(reader).map((p) => p.ns)).toEqual([0n]);
    expect(reader.baseNs).toBe(0n);
  });

  test('passes over every other block', () => {
    const reader = open(
      section(),
      interfaceBlock(),
      block(4, madeFrame(20)),
      block(5, madeFrame(12)),
      enhancedPacket(),
      block(0xbad, madeFrame(8)),
      block(10, madeFrame(16)),
      block(0x7777_7777, new Uint8Array(0)),
      enhancedPacket(),
    );
    expect(readAll(reader).length).toBe(2);
    expect(reader.damage).toBe(null);
  });

  test('hands on comments of packets by number, and keeps those of sections', () => {
    const seen: [number, string][] = [];
    const file = concat(
      section({ options: concat(option(1, 'made by hand'), option(0, '')) }),
      interfaceBlock(),
      enhancedPacket(),
      enhancedPacket({
        frame: madeFrame(61),
        options: concat(option(1, 'zwölf'), option(2, 'flag'), option(1, 'b\0')),
      }),
      obsoletePacket({ options: option(1, 'old') }),
    );
    const source = sourceFromBytes(file);
    const reader = openCapture(source, { onComment: (number, text) => seen.push([number, text]) });
    expect(readAll(reader, 1).length).toBe(3);
    expect(seen).toEqual([
      [2, 'zwölf'],
      [2, 'b'],
      [3, 'old'],
    ]);
    expect(reader.comments).toEqual(['made by hand']);
  });

  test('ignores options that lead out of their block', () => {
    const lost = new Uint8Array([1, 0, 200, 1, 65, 66, 67, 68]);
    const reader = openCapture(
      sourceFromBytes(concat(section(), interfaceBlock(), enhancedPacket({ options: lost }))),
      {
        onComment: () => expect.unreachable(),
      },
    );
    expect(readAll(reader).length).toBe(1);
  });
});

describe('damage', () => {
  const start = concat(section(), interfaceBlock(), enhancedPacket());
  const wrongTrailer = enhancedPacket();
  wrongTrailer[wrongTrailer.length - 4] = 96;
  const tooShort = concat(new Uint8Array([6, 0, 0, 0, 8, 0, 0, 0]), new Uint8Array(100));
  const huge = concat(new Uint8Array([6, 0, 0, 0, 0, 0, 0, 0x40]), new Uint8Array(100));
  const wrongOrder = section();
  wrongOrder.fill(0x11, 8, 12);
  const cases: [string, Uint8Array, RegExp][] = [
    ['another trailing length', wrongTrailer, /a block of 92 octets that ends with the length 96$/],
    [
      'an interface nobody described',
      enhancedPacket({ iface: 1 }),
      /interface 1, where the section has described 1$/,
    ],
    [
      'the same in an obsolete block',
      obsoletePacket({ iface: 3 }),
      /interface 3, where the section has described 1$/,
    ],
    [
      'a frame longer than its block',
      enhancedPacket({ capLen: 70 }),
      /a packet of 70 octets in a block of 92$/,
    ],
    ['a simple frame longer than its block', simplePacket(madeFrame(40), 60), /60 octets in a block of 56$/],
    ['a frame longer than any', enhancedPacket({ frame: madeFrame(262_145) }), /a packet of 262145 octets/],
    ['a block shorter than its kind', tooShort, /a block of type 0x6 and 8 octets/],
    ['a block longer than any', huge, /a block of type 0x6 and 1073741824 octets/],
    ['a section of unknown byte order', wrongOrder, /a section of unknown byte order$/],
    ['a section of another version', section({ version: [2, 0] }), /a section of pcapng version 2\.0/],
    [
      'a simple packet without interface',
      concat(section(), simplePacket(madeFrame(4))),
      /before any interface/,
    ],
  ];
  for (const [what, bad, message] of cases) {
    test(`${what} ends the reading with a sentence, and keeps what came before`, () => {
      const reader = open(start, bad, enhancedPacket());
      expect(readAll(reader).length).toBe(1);
      expect(reader.damage?.message).toMatch(message);
      expect(reader.damage?.message).toMatch(/^made\.pcapng is damaged at offset \d+: /);
      expect(reader.damage?.offset).toBe(start.length + (bad.length === 28 + 20 ? 28 : 0));
      expect(reader.truncated).toBe(false);
    });
  }

  test('rounds a total length up to four octets, as Wireshark does', () => {
    const odd = new Uint8Array([0x99, 0, 0, 0, 13, 0, 0, 0, 97, 98, 99, 100, 13, 0, 0, 0]);
    expect(readAll(open(start, odd, enhancedPacket())).length).toBe(2);
  });

  test('a file cut anywhere in its last block is truncated, and the packets before are read', () => {
    const whole = concat(start, enhancedPacket());
    for (let length = start.length + 1; length < whole.length; length++) {
      const reader = open(whole.subarray(0, length));
      expect(readAll(reader).length).toBe(1);
      expect([reader.truncated, reader.damage]).toEqual([true, null]);
    }
  });
});

describe('buffers', () => {
  const frames = [60, 1000, 3, 400, 255, 0, 1, 4096].map((length, i) => madeFrame(length, i));
  const packets = frames.map((frame, i) => enhancedPacket({ frame, ticks: 7_000_000n + BigInt(i) }));
  const file = concat(
    section({ options: option(1, 'c'.repeat(2000)) }),
    interfaceBlock({ name: 'n'.repeat(900), linkType: 101 }),
    block(0x99, madeFrame(5000)),
    ...packets,
    simplePacket(madeFrame(800)),
    obsoletePacket({ frame: madeFrame(700), ticks: 8_000_000n }),
  );

  test('of any size give the same packets; frames beyond the buffer are cut to it', () => {
    const whole = readAll(openCapture(sourceFromBytes(file)));
    expect(whole.length).toBe(frames.length + 2);
    for (const bufferBytes of [256, 259, 300, 512, 1100, 5000]) {
      const reader = openCapture(sourceFromBytes(file), { buffer: new Uint8Array(bufferBytes) });
      const read = readAll(reader, 3);
      expect(read.map((p) => [p.ns, p.wireLen, p.linkType])).toEqual(
        whole.map((p) => [p.ns, p.wireLen, p.linkType]),
      );
      for (const [i, { frame, capLen }] of read.entries()) {
        expect(frame).toEqual(whole[i]?.frame.subarray(0, capLen));
        expect(capLen).toBeGreaterThanOrEqual(Math.min(whole[i]?.capLen ?? 0, bufferBytes - 28));
      }
      expect([reader.damage, reader.truncated]).toEqual([null, false]);
    }
  });

  test('a wrong trailing length is found behind a block larger than the buffer too', () => {
    const bad = enhancedPacket({ frame: madeFrame(1000) });
    bad[bad.length - 1] = 1;
    const start = concat(section(), interfaceBlock());
    const reader = openCapture(sourceFromBytes(concat(start, bad), 'made'), { buffer: new Uint8Array(256) });
    expect(readAll(reader)).toEqual([]);
    expect(reader.damage?.offset).toBe(start.length);
  });
});
