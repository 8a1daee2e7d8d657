import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { beforeReading, INDEXED_BYTES, loadIndex, saveIndex } from '../../../src/flow/index-file.js';
import { readCapture } from '../../../src/flow/read-capture.js';

const folder = mkdtempSync(join(tmpdir(), 'flowfate-index-'));
const capture = join(folder, 'large.pcap');
const indexFile = `${capture}.ffidx`;
afterAll(() => rmSync(folder, { recursive: true }));

/** as if the capture had been written long ago */
const LATER_MS = Date.now() + 3_600_000;
const FRAME = 60_000;

/** A capture just large enough: jumbo TCP segments of 50 five-tuples, mostly zeros. */
function writeCapture(): void {
  const records = Math.ceil(INDEXED_BYTES / FRAME) + 1;
  const file = Buffer.alloc(24 + records * (16 + FRAME));
  file.writeUInt32LE(0xa1b2c3d4, 0);
  file.writeUInt16LE(2, 4);
  file.writeUInt16LE(4, 6);
  file.writeUInt32LE(0xffff, 16);
  file.writeUInt32LE(1, 20);
  for (let i = 0; i < records; i++) {
    const at = 24 + i * (16 + FRAME);
    file.writeUInt32LE(1_700_000_000 + i, at);
    file.writeUInt32LE(FRAME, at + 8);
    file.writeUInt32LE(FRAME, at + 12);
    const frame = at + 16;
    file.writeUInt16BE(0x0800, frame + 12);
    file[frame + 14] = 0x45;
    file.writeUInt16BE(FRAME - 14, frame + 16);
    file[frame + 22] = 64;
    file[frame + 23] = 6;
    file.writeUInt32BE(0xc6336401, frame + 26);
    file.writeUInt32BE(0xcb00710a, frame + 30);
    file.writeUInt16BE(40_000 + (i % 50), frame + 34);
    file.writeUInt16BE(80, frame + 36);
    file.writeUInt32BE(i, frame + 38);
    file[frame + 46] = 0x50;
    file[frame + 47] = 0x10;
  }
  writeFileSync(capture, file);
}

function save(content: 'flows' | 'packets' = 'packets'): number {
  return saveIndex(
    capture,
    beforeReading(capture)!,
    'outer',
    content,
    readCapture(capture, { index: content }),
    LATER_MS,
  );
}

/** Writes one octet in place. */
function poke(path: string, at: number): void {
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, Uint8Array.of(0x5a), 0, 1, at);
  closeSync(descriptor);
}

beforeEach(() => {
  rmSync(indexFile, { force: true });
  writeCapture();
});

describe('an index file', () => {
  test('gives what reading the capture gives, without reading it', () => {
    expect(save()).toBe(statSync(indexFile).size);
    const kept = loadIndex(capture, 'outer', 'packets')!;
    const read = readCapture(capture);
    expect(kept.summary).toEqual(read.summary);
    expect(kept.flows).toEqual(read.flows);
    expect(kept.packets.count).toBe(read.packets.count);
    for (const [i, { count, flowDir, meta, timeNs, seq }] of kept.packets.segments.entries()) {
      const segment = read.packets.segments[i]!;
      expect(count).toBe(segment.count);
      expect(flowDir).toEqual(segment.flowDir.subarray(0, count));
      expect(meta).toEqual(segment.meta.subarray(0, count));
      expect(timeNs).toEqual(segment.timeNs.subarray(0, count));
      expect(seq).toEqual(segment.seq.subarray(0, count));
    }
    let progress = 0;
    readCapture(capture, {
      indexFile: 'beside',
      onProgress: () => {
        progress++;
      },
    });
    expect(progress).toBe(0);
  });

  test('of packets serves who asks for flows, and not the other way round', () => {
    save('packets');
    expect(loadIndex(capture, 'outer', 'flows')?.flows.count).toBe(50);
    save('flows');
    expect(loadIndex(capture, 'outer', 'flows')?.flows.count).toBe(50);
    expect(loadIndex(capture, 'outer', 'packets')).toBeNull();
  });

  test('of another level does not count', () => {
    save();
    expect(loadIndex(capture, 'inner', 'packets')).toBeNull();
  });

  test('does not count where the capture was changed under its old size and time', () => {
    save();
    const { atime, mtime } = statSync(capture);
    poke(capture, 24 + 16 + 37);
    utimesSync(capture, atime, mtime);
    expect(loadIndex(capture, 'outer', 'packets')).toBeNull();
  });

  test('does not count where the capture has grown', () => {
    save();
    writeFileSync(capture, Buffer.alloc(16), { flag: 'a' });
    expect(loadIndex(capture, 'outer', 'packets')).toBeNull();
  });

  test('does not count where it is cut short, longer, or something else', () => {
    const bytes = save();
    truncateSync(indexFile, bytes - 8);
    expect(loadIndex(capture, 'outer', 'packets')).toBeNull();
    save();
    writeFileSync(indexFile, Buffer.alloc(8), { flag: 'a' });
    expect(loadIndex(capture, 'outer', 'packets')).toBeNull();
    for (const content of ['', 'flowfate index 1', readFileSync(capture).subarray(0, 4096)]) {
      writeFileSync(indexFile, content);
      expect(loadIndex(capture, 'outer', 'packets')).toBeNull();
    }
  });

  test('does not count where another build of the reader wrote it', () => {
    save();
    const header = readFileSync(indexFile).subarray(0, 256).toString('latin1');
    poke(indexFile, header.indexOf('"reader":"') + 12);
    expect(loadIndex(capture, 'outer', 'packets')).toBeNull();
  });
});

describe('no index file is written', () => {
  test('of a capture that has just changed, or has changed since it was read', () => {
    const before = beforeReading(capture)!;
    const index = readCapture(capture);
    expect(saveIndex(capture, before, 'outer', 'packets', index, Date.now())).toBe(0);
    writeFileSync(capture, Buffer.alloc(16), { flag: 'a' });
    expect(saveIndex(capture, before, 'outer', 'packets', index, LATER_MS)).toBe(0);
  });

  test('of a small capture', () => {
    truncateSync(capture, INDEXED_BYTES - 1);
    expect(beforeReading(capture)).toBeNull();
  });

  test('where it cannot be, and that is no error', () => {
    const before = beforeReading(capture)!;
    const index = readCapture(capture);
    const gone = join(folder, 'gone', 'large.pcap');
    expect(saveIndex(gone, before, 'outer', 'packets', index, LATER_MS)).toBe(0);
  });
});
