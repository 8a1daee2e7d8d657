import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { inflateIfGzip, sourceFromBytes } from '../../../src/capture/byte-source.js';
import { openCapture } from '../../../src/capture/capture-reader.js';
import { linkTypeName } from '../../../src/capture/link-types.js';
import { FlowfateError } from '../../../src/errors.js';
import {
  concat,
  enhancedPacket,
  interfaceBlock,
  pcapHeader,
  pcapRecord,
  readAll,
  section,
} from '../../support/made-captures.js';

const file = concat(pcapHeader(), pcapRecord(), pcapRecord(), pcapRecord());

function refusal(content: Uint8Array | string): string {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  try {
    openCapture(sourceFromBytes(bytes, 'x'));
  } catch (error) {
    expect(error).toBeInstanceOf(FlowfateError);
    expect((error as FlowfateError).code).toBe('input');
    expect((error as FlowfateError).position.file).toBe('x');
    return (error as FlowfateError).message;
  }
  return expect.unreachable('it was opened');
}

describe('what is no capture is refused in one sentence that says what it seems to be', () => {
  const cases: [string, Uint8Array | string, string][] = [
    ['text', 'hello there\n', 'plain text'],
    ['JSON', '  {"a": 1}', 'JSON text'],
    ['YAML', 'apiVersion: flowfate.dev/v1\n', 'YAML text (a scenario is given with --scenario)'],
    ['a web page', '<!DOCTYPE html><html>', 'a web page or XML'],
    ['an LFS pointer', 'version https://git-lfs.github.com/spec/v1\n', 'a Git LFS pointer'],
    ['zip', new Uint8Array([0x50, 0x4b, 3, 4, 20, 0]), 'a zip archive (unpack it first)'],
    ['xz', new Uint8Array([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), 'xz (unpack it with xz -d first)'],
    ['zstd', new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 4]), 'zstd'],
    ['bzip2', 'BZh91AY', 'bzip2'],
    ['ELF', new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2]), 'a program (ELF)'],
    ['snoop', 'snoop\0\0\0\0\0\0\x02', 'a snoop capture (convert it with editcap first)'],
    ['gzip in gzip', gzipSync('x'), 'gzip inside gzip (unpack it once first)'],
    ['zeros', new Uint8Array(100), 'nothing but zeros'],
    ['MRT', new Uint8Array([0x60, 0, 0, 0, 0, 13, 0, 1, 0, 0, 0, 9]), 'an MRT dump'],
  ];
  for (const [what, content, seems] of cases) {
    test(what, () => {
      const message = refusal(content);
      expect(message.startsWith(`x is not a capture, it looks like ${seems}`)).toBe(true);
      expect(message.endsWith('pcap and pcapng files can be read, plain or gzipped')).toBe(true);
    });
  }

  test('nothing that is known', () => {
    expect(refusal(new Uint8Array([1, 2, 3, 0x80, 9]))).toBe(
      'x is not a capture; pcap and pcapng files can be read, plain or gzipped',
    );
  });

  test('nothing at all', () => {
    expect(refusal('')).toBe('x is empty: there is no capture in it');
  });

  test('a file cut inside its header', () => {
    expect(refusal(pcapHeader().subarray(0, 23))).toBe(
      'x ends inside its file header, after 23 of 24 octets: capture or copy it again',
    );
    expect(refusal(section().subarray(0, 27))).toMatch(
      /^x ends inside its file header, after 27 of 28 octets/,
    );
  });

  test('pcapng of a version nobody knows', () => {
    expect(refusal(section({ version: [2, 0] }))).toBe(
      'x is of pcapng version 2.0; only version 1 can be read',
    );
  });
});

describe('openCapture()', () => {
  test('tells the format by content', () => {
    expect(openCapture(sourceFromBytes(file, 'a.pcapng')).format).toBe('pcap');
    const other = concat(section(), interfaceBlock(), enhancedPacket());
    expect(openCapture(sourceFromBytes(other, 'a.pcap')).format).toBe('pcapng');
  });

  test('closes the source when it refuses, and when the reader is closed', () => {
    const text = sourceFromBytes(new TextEncoder().encode('hello'), 'x');
    expect(() => openCapture(text)).toThrow(FlowfateError);
    expect(text.read(new Uint8Array(9), 0, 9)).toBe(0);
    const source = sourceFromBytes(file);
    const reader = openCapture(source, { buffer: new Uint8Array(256) });
    reader.close();
    expect(readAll(reader)).toEqual([]);
    expect(source.read(new Uint8Array(9), 0, 9)).toBe(0);
  });

  test('reads a capture whose gzip was cut as far as it goes: truncated, with a warning', () => {
    const packed = gzipSync(file);
    const reader = openCapture(inflateIfGzip(sourceFromBytes(packed.subarray(0, packed.length - 3), 'x.gz')));
    expect(readAll(reader).length).toBe(3);
    expect([reader.truncated, reader.damage]).toEqual([true, null]);
    expect(reader.warnings).toEqual([
      'x.gz ends in the middle of its gzip data; what was inflated before is kept',
    ]);
  });

  test('reads a capture whose gzip is damaged to there', () => {
    const packed = new Uint8Array(gzipSync(file));
    packed[packed.length - 8] = (packed[packed.length - 8] as number) ^ 1;
    const reader = openCapture(inflateIfGzip(sourceFromBytes(packed, 'x.gz')));
    expect(readAll(reader).length).toBe(3);
    expect(reader.damage?.message).toMatch(/^the gzip data of x\.gz is damaged .*checksum/);
    expect(reader.truncated).toBe(false);
  });

  test('reads a source that gives an octet at a time', () => {
    const whole = sourceFromBytes(file);
    const reader = openCapture({
      name: 'slow',
      sizeBytes: null,
      positionBytes: 0,
      fault: null,
      read: (into, at) => whole.read(into, at, 1),
      close: () => whole.close(),
    });
    expect(readAll(reader).length).toBe(3);
    expect(reader.truncated).toBe(false);
  });
});

describe('linkTypeName()', () => {
  test('names what captures are made of, and numbers what it does not know', () => {
    const names = [0, 1, 9, 12, 14, 101, 108, 113, 228, 229, 276, 4711].map(linkTypeName);
    expect(names).toEqual([
      'null',
      'ethernet',
      'ppp',
      'raw',
      'raw',
      'raw',
      'loop',
      'linux-sll',
      'ipv4',
      'ipv6',
      'linux-sll2',
      'linktype-4711',
    ]);
  });
});
