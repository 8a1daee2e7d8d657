/**
 * Odd and damaged captures: what tshark reads of them, record by record, is what the reader reads. (Picoseconds are left
 * out: there tshark 4.0 multiplies beyond 64 bits and shows a wrong time.)
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openByteSource } from '../../../src/capture/byte-source.js';
import { openCapture } from '../../../src/capture/capture-reader.js';
import {
  block,
  concat,
  enhancedPacket,
  interfaceBlock,
  madeFrame,
  obsoletePacket,
  PCAP_MAGIC,
  pcapHeader,
  pcapRecord,
  readAll,
  section,
  simplePacket,
} from '../../support/made-captures.js';
import { hasTshark, readWithTshark } from '../../support/tshark.js';

const start = concat(section(), interfaceBlock());
const wrongTrailer = enhancedPacket();
wrongTrailer[wrongTrailer.length - 4] = 96;
const extra = new Uint8Array(8);
/** the type and a total length that cannot be */
const lengthZero = concat(new Uint8Array([6, 0, 0, 0, 0, 0, 0, 0]), enhancedPacket());
const odd = new Uint8Array([0x99, 0, 0, 0, 13, 0, 0, 0, 97, 98, 99, 100, 13, 0, 0, 0]);

const CASES: readonly [string, ...Uint8Array[]][] = [
  [
    'pcap, big-endian nanoseconds',
    pcapHeader({ order: 'big', magic: PCAP_MAGIC.nanoseconds }),
    pcapRecord({ order: 'big' }),
  ],
  [
    'pcap, modified',
    pcapHeader({ magic: PCAP_MAGIC.modified }),
    pcapRecord({ extra }),
    pcapRecord({ extra }),
  ],
  ['pcap 2.0', pcapHeader({ version: [2, 0] }), pcapRecord({ capLen: 70, wireLen: 60 }), pcapRecord()],
  ['pcap 2.3', pcapHeader({ version: [2, 3] }), pcapRecord({ capLen: 70, wireLen: 60 }), pcapRecord()],
  ['pcap 3.4', pcapHeader({ version: [3, 4] }), pcapRecord(), pcapRecord()],
  ['pcap of snapshot length 0', pcapHeader({ snapLen: 0 }), pcapRecord(), pcapRecord()],
  ['pcap above its snapshot length', pcapHeader({ snapLen: 20 }), pcapRecord(), pcapRecord()],
  ['pcap above its wire length', pcapHeader(), pcapRecord(), pcapRecord({ wireLen: 50 }), pcapRecord()],
  [
    'pcap with empty frames',
    pcapHeader(),
    pcapRecord({ frame: new Uint8Array(0), wireLen: 60 }),
    pcapRecord(),
  ],
  ['pcap with FCS', pcapHeader({ linkType: 0x24000001 }), pcapRecord(), pcapRecord()],
  ['pcap in 1970 and 2106', pcapHeader(), pcapRecord({ seconds: 0 }), pcapRecord({ seconds: 0x4000_0000 })],
  ['pcap with the longest frame', pcapHeader(), pcapRecord({ frame: madeFrame(262_144) }), pcapRecord()],
  [
    'pcap with a frame too long',
    pcapHeader(),
    pcapRecord(),
    pcapRecord({ frame: madeFrame(262_145) }),
    pcapRecord(),
  ],
  ['pcap of the header alone', pcapHeader()],
  ['pcap cut in a frame', pcapHeader(), pcapRecord(), pcapRecord().subarray(0, 75)],
  ['pcap cut before a frame', pcapHeader(), pcapRecord(), pcapRecord().subarray(0, 16)],
  ['pcap cut in a record header', pcapHeader(), pcapRecord(), pcapRecord().subarray(0, 5)],
  [
    'pcapng of two sections',
    start,
    enhancedPacket(),
    section({ order: 'big' }),
    interfaceBlock({ order: 'big' }),
    enhancedPacket({ order: 'big' }),
  ],
  ['pcapng of a wrong section length', section({ length: 10n }), interfaceBlock(), enhancedPacket()],
  ['pcapng of version 1.2', section({ version: [1, 2] }), interfaceBlock(), enhancedPacket()],
  ['pcapng, obsolete packets', start, obsoletePacket(), enhancedPacket()],
  [
    'pcapng, simple packets',
    section(),
    interfaceBlock({ snapLen: 40 }),
    simplePacket(madeFrame(40), 60),
    enhancedPacket(),
    simplePacket(madeFrame(13)),
  ],
  [
    'pcapng, milliseconds',
    section(),
    interfaceBlock({ resolution: 3 }),
    enhancedPacket({ ticks: 1_600_000_000_123n }),
  ],
  [
    'pcapng, nanoseconds',
    section(),
    interfaceBlock({ resolution: 9 }),
    enhancedPacket({ ticks: 1_600_000_000_123_456_789n }),
  ],
  [
    'pcapng, 2^-10 s',
    section(),
    interfaceBlock({ resolution: 0x8a }),
    enhancedPacket({ ticks: 1_600_000_000n * 1024n + 513n }),
  ],
  [
    'pcapng, 2^-33 s',
    section(),
    interfaceBlock({ resolution: 0xa1 }),
    enhancedPacket({ ticks: (100_000_000n << 33n) + 12_345_678n }),
  ],
  ['pcapng with a time offset', section(), interfaceBlock({ offsetS: -5n }), enhancedPacket()],
  ['pcapng, a total length of 13', start, enhancedPacket(), odd, enhancedPacket()],
  ['pcapng, wrong trailing length', start, enhancedPacket(), wrongTrailer, enhancedPacket()],
  ['pcapng, unknown interface', start, enhancedPacket(), enhancedPacket({ iface: 1 }), enhancedPacket()],
  ['pcapng, interface of the section before', start, enhancedPacket(), section(), enhancedPacket()],
  [
    'pcapng, a frame longer than its block',
    start,
    enhancedPacket(),
    enhancedPacket({ capLen: 70 }),
    enhancedPacket(),
  ],
  ['pcapng, a frame too long', start, enhancedPacket(), enhancedPacket({ frame: madeFrame(262_145) })],
  ['pcapng, a block of length 0', start, enhancedPacket(), lengthZero],
  ['pcapng, a simple packet without interface', section(), simplePacket(madeFrame(60))],
  [
    'pcapng, a short simple packet',
    start,
    enhancedPacket(),
    simplePacket(madeFrame(40), 60),
    enhancedPacket(),
  ],
  [
    'pcapng with blocks between',
    start,
    block(0x77, madeFrame(8)),
    enhancedPacket(),
    block(0x99, madeFrame(4)),
    enhancedPacket(),
  ],
  ['pcapng cut in a packet', start, enhancedPacket(), enhancedPacket().subarray(0, 89)],
  ['pcapng cut in a block header', start, enhancedPacket(), enhancedPacket().subarray(0, 3)],
  ['pcapng cut in an interface', start, enhancedPacket(), interfaceBlock().subarray(0, 13)],
];

describe.skipIf(!hasTshark)('tshark reads the same (skipped where tshark is not installed)', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tshark-agrees-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const [i, [what, ...parts]] of CASES.entries()) {
    test(what, () => {
      const path = join(folder, `case-${i}`);
      writeFileSync(path, concat(...parts));
      const { records, complaint } = readWithTshark(path);
      const reader = openCapture(openByteSource(path));
      const packets = readAll(reader);
      expect(packets.map(({ capLen, wireLen }) => [capLen, wireLen])).toEqual(
        records.map(({ capLen, wireLen }) => [capLen, wireLen]),
      );
      for (const [row, { ts }] of records.entries()) {
        if (ts !== '') expect(packets[row]?.ns).toBe(BigInt(ts.replace('.', '')));
      }
      expect([reader.truncated, reader.damage !== null]).toEqual([
        complaint === 'cut short',
        complaint === 'damaged or corrupt',
      ]);
      reader.close();
    });
  }
});
