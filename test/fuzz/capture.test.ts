/**
 * Captures that are wrong anywhere: the reader opens them or refuses them with a FlowfateError, and once open never
 * throws, never loops, never hands on a frame outside its buffer or more records than there are octets for.
 */
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { inflateIfGzip, sourceFromBytes } from '../../src/capture/byte-source.js';
import { openCapture } from '../../src/capture/capture-reader.js';
import { createRecordBatch } from '../../src/capture/record-batch.js';
import { FlowfateError } from '../../src/errors.js';
import {
  block,
  concat,
  enhancedPacket,
  interfaceBlock,
  madeFrame,
  obsoletePacket,
  option,
  PCAP_MAGIC,
  pcapHeader,
  pcapRecord,
  section,
  simplePacket,
} from '../support/made-captures.js';

/** an octet of a file is at least a sixteenth of a record */
const MIN_RECORD_BYTES = 16;
const BUFFER_BYTES = [256, 1000, 65_536];
const ROUNDS = 1500;

const little = concat(
  pcapHeader(),
  pcapRecord(),
  pcapRecord({ frame: madeFrame(300), rest: 7 }),
  pcapRecord(),
);
const modified = concat(
  pcapHeader({ order: 'big', magic: PCAP_MAGIC.modified, version: [2, 3] }),
  ...[0, 1, 2].map((i) => pcapRecord({ order: 'big', extra: madeFrame(8), frame: madeFrame(i * 50) })),
);
const sections = concat(
  section({ options: option(1, 'comment') }),
  interfaceBlock({ name: 'eth0', resolution: 9, offsetS: 3n }),
  interfaceBlock({ resolution: 0x8a, snapLen: 50 }),
  enhancedPacket({ iface: 1, options: concat(option(1, 'one'), option(0, '')) }),
  block(5, madeFrame(40)),
  section({ order: 'big' }),
  interfaceBlock({ order: 'big', linkType: 113 }),
  simplePacket(madeFrame(33), 33, 'big'),
  obsoletePacket({ order: 'big', frame: madeFrame(300) }),
  enhancedPacket({ order: 'big', options: option(1, 'two', 'big') }),
);
const SEEDS = { little, modified, sections };

/** xorshift32: the same faults in every run */
function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Lengths and numbers that lead over edges. */
const EDGES = [
  0, 1, 3, 4, 8, 11, 12, 13, 27, 28, 31, 32, 0x7f, 0xff, 0x40000, 0x40001, 0x7fffffff, 0x80000000, 0xfffffffc,
  0xffffffff,
];

function mutate(seed: Uint8Array, below: (n: number) => number): Uint8Array {
  let bytes = new Uint8Array(seed);
  for (let faults = 1 + below(3); faults > 0 && bytes.length > 0; faults--) {
    const at = below(bytes.length);
    switch (below(6)) {
      case 0:
        bytes[at] = (bytes[at] as number) ^ (1 << below(8));
        break;
      case 1:
        bytes[at] = below(256);
        break;
      case 2: {
        const word = at & ~3;
        if (word + 4 <= bytes.length) {
          new DataView(bytes.buffer).setUint32(word, EDGES[below(EDGES.length)] as number, below(2) === 0);
        }
        break;
      }
      case 3:
        bytes = bytes.slice(0, at);
        break;
      case 4:
        bytes = concat(bytes.subarray(0, at), bytes.subarray(below(bytes.length))) as typeof bytes;
        break;
      default:
        bytes = concat(bytes.subarray(0, at), bytes.subarray(at + below(64))) as typeof bytes;
    }
  }
  return bytes;
}

/** Reads to the end and checks what must hold for any content; returns the number of records, -1 if refused. */
function readSoundly(content: Uint8Array, bufferBytes: number, uncompressedBytes = content.length): number {
  const source = sourceFromBytes(content, 'x');
  const batch = createRecordBatch(7, new Uint8Array(0));
  let comments = 0;
  try {
    const reader = openCapture(inflateIfGzip(source), {
      buffer: new Uint8Array(bufferBytes),
      onComment: () => comments++,
    });
    let count = 0;
    while (reader.next(batch)) {
      if (batch.count === 0 || batch.count > 7) expect.unreachable(`a batch of ${batch.count} rows`);
      for (let i = 0; i < batch.count; i++) {
        const end = (batch.at[i] as number) + (batch.capLen[i] as number);
        if (end > bufferBytes || Number.isNaN(batch.timeNs[i])) expect.unreachable(`a frame ends at ${end}`);
      }
      count += batch.count;
      if (count > uncompressedBytes / MIN_RECORD_BYTES) expect.unreachable(`${count} records`);
    }
    expect(reader.packets).toBe(count);
    expect(reader.next(batch)).toBe(false);
    expect(reader.truncated && reader.damage !== null).toBe(false);
    reader.close();
    return count;
  } catch (error) {
    if (!(error instanceof FlowfateError)) throw error;
    expect(error.code).toBe('input');
    return -1;
  }
}

describe('the reader survives', () => {
  for (const [name, seed] of Object.entries(SEEDS)) {
    test(`${name}: cut at every octet, with never more records than the whole has`, () => {
      const whole = readSoundly(seed, 65_536);
      let before = -1;
      for (let length = 1; length <= seed.length; length++) {
        for (const bufferBytes of BUFFER_BYTES) {
          const count = readSoundly(seed.subarray(0, length), bufferBytes);
          expect(count).toBeLessThanOrEqual(whole);
          expect(count).toBeGreaterThanOrEqual(before);
          if (bufferBytes === 65_536) before = count;
        }
      }
      expect(before).toBe(whole);
    });

    test(`${name}: with faults anywhere`, () => {
      const below = random(0x5eed);
      let opened = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const content = mutate(seed, below);
        if (content.length === 0) continue;
        const counts = BUFFER_BYTES.map((bufferBytes) => readSoundly(content, bufferBytes));
        // the size of the buffer decides about cut frames, never about records
        expect(new Set(counts).size).toBe(1);
        if ((counts[0] as number) >= 0) opened++;
      }
      expect(opened).toBeGreaterThan(ROUNDS / 4);
    });

    test(`${name}: gzipped, with faults anywhere in the gzip`, () => {
      const below = random(0xfeed);
      const packed = new Uint8Array(gzipSync(seed));
      for (let round = 0; round < ROUNDS / 3; round++) {
        const content = mutate(packed, below);
        if (content.length > 0) readSoundly(content, 1000, seed.length * 1000);
      }
    });
  }

  test('octets without any sense, also behind a good start', () => {
    const below = random(0xbad);
    const starts = [new Uint8Array(0), pcapHeader(), concat(section(), interfaceBlock())];
    for (let round = 0; round < ROUNDS; round++) {
      const noise = Uint8Array.from({ length: 1 + below(600) }, () => below(256));
      readSoundly(
        concat(starts[round % starts.length] as Uint8Array, noise),
        BUFFER_BYTES[below(3)] as number,
      );
    }
  });
});
