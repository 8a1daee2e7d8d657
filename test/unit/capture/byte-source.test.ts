import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ByteSource,
  inflateIfGzip,
  openByteSource,
  sourceFromBytes,
} from '../../../src/capture/byte-source.js';
import { FlowfateError } from '../../../src/errors.js';
import { concat, madeFrame } from '../../support/made-captures.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'byte-source-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function drain(source: ByteSource, pieceBytes = 65_536): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (;;) {
    // one octet before and behind that must stay as they are
    const piece = new Uint8Array(pieceBytes + 2).fill(0x77);
    const count = source.read(piece, 1, pieceBytes);
    expect([piece[0], piece[pieceBytes + 1]]).toEqual([0x77, 0x77]);
    if (count === 0) return concat(...pieces);
    pieces.push(piece.slice(1, 1 + count));
  }
}

function open(...parts: Uint8Array[]): ByteSource {
  return inflateIfGzip(sourceFromBytes(concat(...parts), 'made.gz'));
}

/** Octets that deflate to three quarters everywhere. */
function text(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state >>> 26;
  });
}

/** `toEqual` takes seconds for this many octets. */
function expectOctets(got: Uint8Array, expected: Uint8Array): void {
  expect(got.length).toBe(expected.length);
  expect(Buffer.compare(got, expected)).toBe(0);
}

function refusal(run: () => unknown): FlowfateError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(FlowfateError);
    return error as FlowfateError;
  }
  return expect.unreachable('nothing was refused');
}

describe('files', () => {
  test('are read whole, in pieces of any size, with their position', () => {
    const path = join(folder, 'plain');
    writeFileSync(path, madeFrame(100_000));
    const source = openByteSource(path);
    expect([source.name, source.sizeBytes, source.positionBytes]).toEqual([path, 100_000, 0]);
    const piece = new Uint8Array(10);
    expect(source.read(piece, 0, 1)).toBe(1);
    expect(source.positionBytes).toBe(1);
    const rest = drain(source, 4001);
    expectOctets(concat(piece.subarray(0, 1), rest), madeFrame(100_000));
    expect(source.positionBytes).toBe(100_000);
    source.close();
    source.close();
    expect(source.read(piece, 0, 10)).toBe(0);
  });

  test('of a single octet are read', () => {
    const path = join(folder, 'one');
    writeFileSync(path, 'x');
    expect(drain(openByteSource(path))).toEqual(new Uint8Array([0x78]));
  });

  test('that are missing, empty, a directory or below a file are refused in one sentence', () => {
    const empty = join(folder, 'empty');
    writeFileSync(empty, '');
    const cases: [string, string][] = [
      [join(folder, 'no'), 'does not exist'],
      [empty, 'is empty'],
      [folder, 'is a directory'],
      [join(empty, 'x'), 'does not exist'],
    ];
    for (const [path, what] of cases) {
      const error = refusal(() => openByteSource(path));
      expect(error.code).toBe('input');
      expect(error.message).toContain(`${path} ${what}`);
      expect(error.position.file).toBe(path);
    }
  });

  test('without permission are refused', () => {
    const path = join(folder, 'secret');
    writeFileSync(path, 'x');
    chmodSync(path, 0);
    // root may read everything: be nobody meanwhile
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      expect(refusal(() => openByteSource(path)).message).toContain('may not be read');
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});

describe('gzip', () => {
  const content = text(700_000);

  test('is inflated whatever the pieces', () => {
    const packed = gzipSync(content);
    for (const pieceBytes of [997, 65_536, 1 << 20]) {
      const source = open(packed);
      expectOctets(drain(source, pieceBytes), content);
      expect(source.fault).toBe(null);
      expect(source.sizeBytes).toBe(packed.length);
      expect(source.positionBytes).toBe(packed.length);
    }
  });

  test('of several members, empty ones among them, gives one content', () => {
    const source = open(gzipSync(content), gzipSync(''), gzipSync(text(5)), gzipSync(content));
    expectOctets(drain(source), concat(content, text(5), content));
    expect(source.fault).toBe(null);
  });

  test('is read past names, comments, extra fields and header checksums', () => {
    const body = gzipSync(content).subarray(10);
    const header = new Uint8Array([0x1f, 0x8b, 8, 0x02 | 0x04 | 0x08 | 0x10, 0, 0, 0, 0, 0, 3]);
    const extra = concat(new Uint8Array([0x40, 0x9c]), new Uint8Array(0x9c40).fill(0x1f));
    const name = new TextEncoder().encode(`${'n'.repeat(300_000)}\0comment\0`);
    const source = open(header, extra, name, new Uint8Array([1, 2]), body);
    expectOctets(drain(source), content);
    expect(source.fault).toBe(null);
  });

  test('ignores zeros and other octets behind the last member', () => {
    for (const trailer of [
      new Uint8Array(3),
      new Uint8Array(512),
      madeFrame(40, 3),
      new Uint8Array([0x42]),
    ]) {
      const source = open(gzipSync(content), trailer);
      expectOctets(drain(source), content);
      expect(source.fault).toBe(null);
    }
  });

  test('that is cut at any octet gives what can be inflated, and says that it was cut', () => {
    const small = text(300);
    const packed = gzipSync(small);
    for (let length = 2; length < packed.length; length++) {
      const source = open(packed.subarray(0, length));
      const got = drain(source);
      expectOctets(got, small.subarray(0, got.length));
      expect(source.fault?.kind).toBe('cut');
      if (length >= packed.length - 8) expectOctets(got, small);
    }
  });

  test('that is damaged gives what can be inflated before, and says where', () => {
    const packed = new Uint8Array(gzipSync(content));
    const middle = packed.length >> 1;
    packed.fill(0xff, middle, middle + 50);
    const source = open(packed);
    const got = drain(source);
    expect(got.length).toBeGreaterThan(content.length / 4);
    const goodBytes = content.length / 4;
    expectOctets(got.subarray(0, goodBytes), content.subarray(0, goodBytes));
    expect(source.fault?.kind).toBe('damaged');
    expect(source.fault?.message).toMatch(
      /^the gzip data of made\.gz is damaged before compressed offset \d+ \(/,
    );
    expect(source.read(new Uint8Array(10), 0, 10)).toBe(0);
  });

  test('with a wrong checksum, a wrong length or an unknown method is damaged', () => {
    const packed = gzipSync(content);
    const cases: [number, RegExp, number][] = [
      [packed.length - 8, /checksum is wrong/, content.length],
      [packed.length - 1, /length is wrong/, content.length],
      [2, /unknown compression method/, 0],
    ];
    for (const [at, why, kept] of cases) {
      const bad = new Uint8Array(packed);
      bad[at] = (bad[at] as number) ^ 0x40;
      const source = open(bad);
      expect(drain(source).length).toBe(kept);
      expect(source.fault?.message).toMatch(why);
    }
  });

  test('keeps all that was inflated before a fault, to the octet', () => {
    const block = deflateRawSync(content, { finishFlush: 2 });
    const source = open(gzipSync('').subarray(0, 10), block, new Uint8Array([0x07]));
    expectOctets(drain(source), content);
    expect(source.fault?.message).toMatch(/invalid block type/);
  });

  test('of a great expansion is inflated in memory that does not grow with it', () => {
    const packed = gzipSync(new Uint8Array(128 * 1024 * 1024));
    const source = open(packed);
    const piece = new Uint8Array(1 << 20);
    const before = process.memoryUsage();
    let total = 0;
    for (
      let count = source.read(piece, 0, piece.length);
      count > 0;
      count = source.read(piece, 0, piece.length)
    ) {
      total += count;
    }
    const after = process.memoryUsage();
    expect(total).toBe(128 * 1024 * 1024);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 * 1024 * 1024);
  });
});

describe('standard input', () => {
  let script = '';
  beforeAll(() => {
    script = join(folder, 'count-stdin.mjs');
    buildSync({
      entryPoints: [fileURLToPath(new URL('../../support/count-stdin.ts', import.meta.url))],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: script,
    });
  });

  test('is read from a pipe, plain and gzipped', () => {
    const content = text(500_000);
    for (const input of [content, gzipSync(content)]) {
      const piped = spawnSync(process.execPath, [script], { input });
      expect(piped.stderr.toString()).toBe('');
      expect(JSON.parse(piped.stdout.toString())).toEqual({
        count: content.length,
        name: 'standard input',
        sizeBytes: null,
        fault: null,
      });
    }
  });

  test('is read from a file, whose size is known', () => {
    const path = join(folder, 'input');
    writeFileSync(path, madeFrame(1234));
    const redirected = spawnSync('sh', ['-c', `"${process.execPath}" "${script}" < "${path}"`]);
    expect(JSON.parse(redirected.stdout.toString())).toMatchObject({ count: 1234, sizeBytes: 1234 });
  });

  for (const mode of ['', 'touch']) {
    test(`that comes slowly is waited for${mode === 'touch' ? ', also when it is non-blocking' : ''}`, () => {
      const command = `(printf ab; sleep 0.2; printf cde) | "${process.execPath}" "${script}" ${mode}`;
      const slow = spawnSync('sh', ['-c', command]);
      expect(JSON.parse(slow.stdout.toString())).toMatchObject({ count: 5, fault: null });
    });
  }

  test('that is empty is refused', () => {
    const empty = spawnSync(process.execPath, [script], { input: '' });
    expect(empty.stdout.toString()).toBe('standard input is empty: there is nothing in it to read');
  });
});
