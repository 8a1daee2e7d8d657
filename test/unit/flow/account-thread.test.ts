import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { accountProgram } from '../../../src/flow/account-thread.js';
import type { CaptureIndex } from '../../../src/flow/flow-columns.js';
import { type ReadCaptureOptions, readCapture } from '../../../src/flow/read-capture.js';
import { ethernetFrame, ipv4Packet, pcapFile, tcpSegment, withFile } from '../../support/frames.js';

const captures = ['local-add', 'local-rolling-frr'].map((name) => `captures/${name}.pcap.gz`);

/** Everything an index holds; columns by their digest, since comparing millions of octets one by one takes a minute. */
function content({ flows, packets, summary }: CaptureIndex): unknown {
  const octets = (column: ArrayBufferView): string =>
    createHash('sha256')
      .update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength))
      .digest('hex');
  return [
    summary,
    Object.entries(flows).map(([name, column]) => [
      name,
      typeof column === 'number' ? column : octets(column),
    ]),
    packets.segments.map((s) => [
      s.count,
      octets(s.flowDir.subarray(0, s.count)),
      octets(s.meta.subarray(0, s.count)),
      octets(s.timeNs.subarray(0, s.count)),
      ...[s.seq, s.ack, s.size, s.label].map((column) => octets(column.subarray(0, s.count))),
    ]),
  ];
}

describe('accounting in a thread of its own', () => {
  test('has a program, since the tests run on a build', () => {
    expect(accountProgram()).not.toBeNull();
  });

  const variants: ReadCaptureOptions[] = [
    {},
    { index: 'flows' },
    { level: 'inner' },
    { decoder: 'typescript' },
  ];
  test.each(captures.flatMap((path) => variants.map((options) => [path, options] as const)))(
    '%s %j gives the same index as in one thread',
    (path, options) => {
      const here = content(readCapture(path, { ...options, accounting: 'here' }));
      expect(content(readCapture(path, { ...options, accounting: 'thread' }))).toEqual(here);
    },
  );

  test('takes a capture without a single packet', () => {
    withFile(pcapFile([]), (path) => {
      const index = readCapture(path, { accounting: 'thread' });
      expect([index.summary.packets, index.flows.count, index.packets.count]).toEqual([0, 0, 0]);
    });
  });

  test('keeps many more flows apart than the table begins with, through a ring that is always full', () => {
    const frames = Array.from({ length: 70_000 }, (_, i) => ({
      frame: ethernetFrame(
        0x0800,
        ipv4Packet(6, tcpSegment(1 + (i % 60_000), 80, 2), { src: 1 + (i % 3), dst: 9 }),
      ),
      timeUs: i,
    }));
    withFile(pcapFile(frames), (path) => {
      const index = readCapture(path, { accounting: 'thread' });
      expect(index.packets.count).toBe(70_000);
      expect(content(index)).toEqual(content(readCapture(path, { accounting: 'here' })));
    });
  });
});
