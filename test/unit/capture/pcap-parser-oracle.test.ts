/**
 * npm pcap-parser reads microsecond classic pcap with code that has nothing in common with ours: every header and
 * every octet must be the same. (It knows no other format, and never says that a file is cut.)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { sourceFromBytes } from '../../../src/capture/byte-source.js';
import { openCapture } from '../../../src/capture/capture-reader.js';
import {
  type ByteOrder,
  concat,
  madeFrame,
  pcapHeader,
  pcapRecord,
  readAll,
} from '../../support/made-captures.js';
import { hasShared, sharedPath } from '../../support/shared.js';

interface OraclePacket {
  readonly header: {
    readonly timestampSeconds: number;
    readonly timestampMicroseconds: number;
    readonly capturedLength: number;
    readonly originalLength: number;
  };
  readonly data: Buffer;
}

interface OracleParser {
  on(event: 'globalHeader', listener: (header: { readonly linkLayerType: number }) => void): OracleParser;
  on(event: 'packet', listener: (packet: OraclePacket) => void): OracleParser;
  on(event: 'end', listener: () => void): OracleParser;
  on(event: 'error', listener: (error: Error) => void): OracleParser;
}

const oracle = createRequire(import.meta.url)('pcap-parser') as { parse(input: Readable): OracleParser };

const PIECE_BYTES = 60_000;
/** the oracle copies all it holds for each piece of input */
const MAX_BYTES = 4_000_000;

function parse(content: Uint8Array): Promise<{ linkType: number; packets: OraclePacket[] }> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < content.length; at += PIECE_BYTES)
    pieces.push(Buffer.from(content.slice(at, at + PIECE_BYTES)));
  return new Promise((resolve, reject) => {
    const packets: OraclePacket[] = [];
    let linkType = -1;
    oracle
      .parse(Readable.from(pieces, { objectMode: true }))
      .on('globalHeader', (header) => {
        linkType = header.linkLayerType;
      })
      .on('packet', (packet) => packets.push(packet))
      .on('end', () => resolve({ linkType, packets }))
      .on('error', reject);
  });
}

async function expectSame(content: Uint8Array): Promise<number> {
  const { linkType, packets } = await parse(content);
  const read = readAll(openCapture(sourceFromBytes(content)));
  expect(read.length).toBe(packets.length);
  for (const [i, { header, data }] of packets.entries()) {
    const mine = read[i];
    const us = BigInt(header.timestampSeconds) * 1_000_000n + BigInt(header.timestampMicroseconds);
    if (
      // files over years are exact to some nanoseconds: compared is the microsecond
      mine === undefined ||
      (mine.ns + 500n) / 1000n !== us ||
      mine.capLen !== header.capturedLength ||
      mine.wireLen !== header.originalLength ||
      mine.linkType !== linkType ||
      Buffer.compare(mine.frame, data) !== 0
    ) {
      expect(mine).toEqual({ header, data });
    }
  }
  return packets.length;
}

describe('npm pcap-parser reads the same', () => {
  for (const order of ['little', 'big'] as ByteOrder[]) {
    test(`of a made capture, ${order}-endian`, async () => {
      const records = Array.from({ length: 500 }, (_, i) =>
        pcapRecord({
          order,
          seconds: 1_700_000_000 + (i >> 3),
          rest: (i * 7919) % 1_000_000,
          frame: madeFrame((i * 31) % 1500, i),
          wireLen: ((i * 31) % 1500) + (i % 3) * 1000,
        }),
      );
      expect(await expectSame(concat(pcapHeader({ order, linkType: 113 }), ...records))).toBe(500);
    });
  }

  const folder = sharedPath('captures', 'third-party');
  for (const name of hasShared ? readdirSync(folder) : []) {
    if (!/\.pcap(\.gz)?$/.test(name)) continue;
    const stored = readFileSync(`${folder}/${name}`);
    const content = name.endsWith('.gz') ? gunzipSync(stored) : stored;
    const magic = content.readUInt32LE(0);
    const isMicroseconds = magic === 0xa1b2c3d4 || magic === 0xd4c3b2a1;
    if (!isMicroseconds || content.length > MAX_BYTES) continue;
    test(`of ${name}`, async () => {
      expect(await expectSame(new Uint8Array(content))).toBeGreaterThan(0);
    });
  }
});
