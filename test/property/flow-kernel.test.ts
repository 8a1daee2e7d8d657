/** The kernel decodes plain packets itself: whatever it decodes, the TypeScript decoder must decode alike. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CaptureIndex } from '../../src/flow/flow-columns.js';
import { type ReadCaptureOptions, readCapture } from '../../src/flow/read-capture.js';
import { sharedCaptures } from '../support/flow-truth.js';
import {
  ethernetFrame,
  ipv4Packet,
  ipv6Packet,
  pcapFile,
  type Recorded,
  tcpSegment,
  udpDatagram,
  withFile,
} from '../support/frames.js';
import { hasShared } from '../support/shared.js';

/** Everything an index holds, in plain arrays. */
function content({ flows, packets, summary }: CaptureIndex): object {
  const columns = Object.entries(flows).map(([name, column]) => [
    name,
    typeof column === 'number' ? column : [...column],
  ]);
  const rows = packets.segments.map((s) => [
    [...s.flowDir.subarray(0, s.count)],
    [...s.meta.subarray(0, s.count)],
    [...s.timeNs.subarray(0, s.count)],
    ...[s.seq, s.ack, s.size, s.label].map((column) => [...column.subarray(0, s.count)]),
  ]);
  return { columns, rows, summary };
}

function bothWays(path: string, options: ReadCaptureOptions): [object, object] {
  return [
    content(readCapture(path, { ...options, decoder: 'kernel' })),
    content(readCapture(path, { ...options, decoder: 'typescript' })),
  ];
}

const port = fc.constantFrom(1, 80, 443, 1000, 4789, 6081, 2152, 3544, 1701, 65535);
const octets = (maxLength: number) => fc.array(fc.integer({ min: 0, max: 255 }), { maxLength });
/** window scale, SACK permitted, no-ops, ends, and options that run past the header */
const synOptions = fc
  .array(fc.constantFrom([1], [3, 3, 7], [3, 3, 15], [4, 2], [0], [2, 4, 5, 180], [8, 30], [5, 1]), {
    maxLength: 6,
  })
  .map((made) => {
    const flat = made.flat();
    return [...flat, ...Array<number>((4 - (flat.length % 4)) % 4).fill(0)];
  });
const layer4 = fc.oneof(
  fc.record({
    proto: fc.constant(6),
    bytes: fc.tuple(port, port, fc.nat(255), octets(12), synOptions).map((a) => tcpSegment(...a)),
  }),
  fc.record({
    proto: fc.constant(17),
    bytes: fc.tuple(port, port, octets(60)).map((a) => udpDatagram(...a)),
  }),
  fc.record({ proto: fc.constantFrom(1, 41, 44, 47, 58, 132, 136), bytes: octets(60) }),
);
const host = fc.integer({ min: 1, max: 3 });
const packet = fc.oneof(
  fc
    .tuple(layer4, host, host, fc.constantFrom(0, 0, 0, 8), fc.constantFrom([], [], [1, 1, 1, 1]))
    .map(([l4, src, dst, fragmentOffset, options]) => ({
      type: 0x0800,
      bytes: ipv4Packet(l4.proto, l4.bytes, { src, dst, fragmentOffset, options }),
    })),
  fc.tuple(layer4, host, host, fc.nat(0xfffff)).map(([l4, src, dst, label]) => ({
    type: 0x86dd,
    bytes: ipv6Packet(l4.proto, l4.bytes, src, dst, label),
  })),
);
const frame = fc
  .tuple(packet, fc.array(fc.constantFrom(0x8100, 0x88a8, 0x9100), { maxLength: 3 }))
  .map(([{ type, bytes }, tags]) => {
    let payload: number[] = bytes;
    let outer = type;
    for (const tag of tags) {
      payload = [0, 5, outer >> 8, outer & 255, ...payload];
      outer = tag;
    }
    return ethernetFrame(outer, payload);
  });
const damaged = fc
  .tuple(frame, fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 3 }), fc.option(fc.nat(120)))
  .map(([bytes, changes, cut]) => {
    const changed = [...bytes];
    for (const [at, value] of changes) if (at < changed.length) changed[at] = value;
    return { bytes: changed, cut };
  });
const records = fc
  .array(fc.tuple(damaged, fc.nat(5_000_000)), { maxLength: 60 })
  .map((made) =>
    made.map(
      ([{ bytes, cut }, timeUs]): Recorded =>
        cut === null
          ? { frame: bytes, timeUs }
          : { frame: bytes, capLen: Math.min(cut, bytes.length), timeUs },
    ),
  );

describe('the kernel', () => {
  test('agrees with the TypeScript decoder on made, mutated and cut frames', () => {
    fc.assert(
      fc.property(
        records,
        fc.constantFrom('outer' as const, 'inner' as const),
        fc.constantFrom(1, 1, 1, 113, 276, 101),
        (made, level, linkType) => {
          const [kernel, typescript] = withFile(pcapFile(made, linkType), (path) =>
            bothWays(path, { level }),
          );
          expect(kernel).toEqual(typescript);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('keeps every flow apart while its table grows', () => {
    const count = 70_000;
    const made = Array.from({ length: 2 * count }, (_, i): Recorded => {
      const src = 0x0a000000 + (i % count);
      const there = i < count;
      const bytes = udpDatagram(there ? 9 : 53, there ? 53 : 9);
      const ends = there ? { src, dst: 0x08080808 } : { src: 0x08080808, dst: src };
      return { frame: ethernetFrame(0x0800, ipv4Packet(17, bytes, ends)), timeUs: i };
    });
    const { flows } = withFile(pcapFile(made), (path) => readCapture(path, { index: 'flows' }));
    expect(flows.count).toBe(count);
    expect(flows.packetsOut.every((packets) => packets === 1)).toBe(true);
    expect(flows.packetsIn.every((packets) => packets === 1)).toBe(true);
    expect(flows.addresses.filter((_, i) => i % 8 === 0)).toEqual(
      Uint32Array.from({ length: count }, (_, f) => 0x0a000000 + f),
    );
  });

  describe.skipIf(!hasShared)(
    'on the shared captures (skipped where they are not beside this checkout)',
    () => {
      const small = sharedCaptures().filter(({ name }) => !name.startsWith('k1-') && !name.startsWith('k2-'));
      test.each(small)('agrees with the TypeScript decoder: $name', ({ path }) => {
        for (const level of ['outer', 'inner'] as const) {
          const [kernel, typescript] = bothWays(path, { level });
          expect(kernel).toEqual(typescript);
        }
      });
    },
  );
});
