/** bzip2, held against the bzip2 program where it is installed, and against a stream of its making. */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { bunzip2IfNeeded } from '../../../src/capture/bunzip2-source.js';
import { type ByteSource, sourceFromBytes } from '../../../src/capture/byte-source.js';

/** `echo hello | bzip2` */
const HELLO = Buffer.from('QlpoOTFBWSZTWcHAgOIAAAFBAAAQAkSgADDNAMNGKZcXckU4UJDBwIDi', 'base64');
const hasBzip2 = (() => {
  try {
    execFileSync('bzip2', ['--version'], { stdio: 'pipe', input: '' });
    return true;
  } catch {
    return false;
  }
})();

function drain(source: ByteSource, step = 1 << 16): Buffer {
  const parts: Buffer[] = [];
  for (;;) {
    const part = Buffer.alloc(step);
    const count = source.read(part, 0, step);
    if (count === 0) return Buffer.concat(parts);
    parts.push(part.subarray(0, count));
  }
}

function unzip(bytes: Uint8Array, step?: number): { source: ByteSource; text: Buffer } {
  const source = bunzip2IfNeeded(sourceFromBytes(bytes, 'test.bz2'));
  return { source, text: drain(source, step) };
}

describe('bunzip2IfNeeded()', () => {
  test('passes on what is not bzip2, octet for octet', () => {
    const plain = Buffer.from('BZ and no more');
    expect(unzip(plain, 3).text).toEqual(plain);
    expect(unzip(Buffer.from('B')).text.toString()).toBe('B');
    expect(unzip(Buffer.alloc(0)).text.length).toBe(0);
  });

  test('reads a small stream, an octet at a time too', () => {
    expect(unzip(HELLO).text.toString()).toBe('hello\n');
    expect(unzip(HELLO, 1).text.toString()).toBe('hello\n');
  });

  test.skipIf(!hasBzip2)('reads what bzip2 writes: runs, all octets, several blocks, several streams', () => {
    const noise = Buffer.alloc(250_000);
    for (let i = 0, x = 12345; i < noise.length; i++) {
      x = (Math.imul(x, 1103515245) + 12345) >>> 0;
      noise[i] = x >>> 16;
    }
    const samples = [
      Buffer.from('hello\n'),
      Buffer.alloc(0),
      Buffer.alloc(1_000_000, 0x61),
      Buffer.concat([Buffer.alloc(4, 1), Buffer.alloc(259, 2), Buffer.alloc(5, 3)]),
      noise,
    ];
    for (const sample of samples) {
      const zipped = execFileSync('bzip2', ['-1', '-c'], { input: sample, maxBuffer: 1 << 24 });
      const { source, text } = unzip(zipped, 70_001);
      expect(text.equals(sample)).toBe(true);
      expect(source.fault).toBeNull();
      const twice = unzip(Buffer.concat([zipped, zipped]));
      expect(twice.text.equals(Buffer.concat([sample, sample]))).toBe(true);
    }
  });

  test.skipIf(!hasBzip2)('never throws on damage: it ends with a fault, after what was good', () => {
    const zipped = execFileSync('bzip2', ['-c'], { input: 'the quick brown fox '.repeat(500) });
    for (let cut = 5; cut < zipped.length; cut += 7) {
      expect(unzip(zipped.subarray(0, cut)).source.fault?.kind).toBe('cut');
    }
    for (let at = 4; at < zipped.length - 10; at++) {
      const damaged = Buffer.from(zipped);
      damaged[at] = damaged[at]! ^ 0x55;
      expect(unzip(damaged).source.fault).not.toBeNull();
    }
  });
});
