import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openByteSource } from '../../../src/capture/byte-source.js';
import { openCapture } from '../../../src/capture/capture-reader.js';
import { createRecordBatch } from '../../../src/capture/record-batch.js';
import { SeenPacket } from '../../../src/explain/seen-packet.js';
import { PacketDecoder } from '../../../src/flow/packet-decoder.js';
import {
  ethernetFrame,
  ipv4Packet,
  ipv6Packet,
  pcapFile,
  tcpSegment,
  udpDatagram,
  withFile,
} from '../../support/frames.js';

const GOLDEN = join(import.meta.dirname, '..', '..', 'golden', 'explain', 'daemons.pcap.gz');

/** Every frame that `readPlain` takes, read both ways; returns how many, and how many it left to the decoder. */
function compareAll(path: string): { plain: number; left: number } {
  const reader = openCapture(openByteSource(path));
  const batch = createRecordBatch(4096, new Uint8Array(0));
  const decoder = new PacketDecoder();
  let plain = 0;
  let left = 0;
  try {
    while (reader.next(batch)) {
      for (let row = 0; row < batch.count; row++) {
        const at = batch.at[row]!;
        const one = new SeenPacket();
        if (!one.readPlain(batch.view, at, batch.capLen[row]!, batch.linkType[row]!)) {
          left++;
          continue;
        }
        plain++;
        decoder.decode(
          batch.view,
          at,
          batch.capLen[row]!,
          batch.wireLen[row]!,
          batch.linkType[row]!,
          'outer',
        );
        const other = new SeenPacket();
        expect(other.readLayer(batch.view, decoder.outer, batch.view.getUint32(at + 2))).toBe(true);
        one.rehash();
        other.rehash();
        expect(one).toEqual(other);
      }
    }
  } finally {
    reader.close();
  }
  return { plain, left };
}

test('readPlain() and readLayer() agree on every plain frame of a capture', () => {
  const { plain } = compareAll(GOLDEN);
  expect(plain).toBeGreaterThan(500);
});

test('readPlain() leaves fragments, options, cut headers and IPv6 extensions to the decoder', () => {
  const tcp = tcpSegment(40000, 80, 0x18, [1, 2, 3]);
  const frames = [
    ethernetFrame(0x0800, ipv4Packet(6, tcp)),
    ethernetFrame(0x0800, ipv4Packet(17, udpDatagram(40000, 53, [1]))),
    ethernetFrame(0x86dd, ipv6Packet(6, tcp)),
    ethernetFrame(0x0800, ipv4Packet(6, tcp, { moreFragments: true })),
    ethernetFrame(0x0800, ipv4Packet(6, tcp, { options: [1, 1, 1, 0] })),
    ethernetFrame(0x86dd, ipv6Packet(0, [6, 0, 1, 4, 0, 0, 0, 0, ...tcp])),
    ethernetFrame(0x0800, ipv4Packet(1, [8, 0, 0, 0, 0, 0, 0, 0])),
    ethernetFrame(0x0806, [0, 1, 8, 0]),
  ];
  const records = frames.map((frame, i) => ({ frame, timeUs: i }));
  const cut = { frame: frames[0]!, capLen: 14 + 20 + 12, timeUs: 99 };
  expect(withFile(pcapFile([...records, cut]), compareAll)).toEqual({ plain: 3, left: 6 });
});
