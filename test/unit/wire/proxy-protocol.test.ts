import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipv4, ipv6, parseAddress } from '../../../src/addr/address.js';
import { parseProxyHeader, writeProxyHeader } from '../../../src/wire/proxy-protocol.js';

const octets = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const parse = (bytes: Uint8Array) => parseProxyHeader(bytes, 0, bytes.length);

const word = fc.integer({ min: 0, max: 0xffffffff });
const port = fc.integer({ min: 0, max: 65535 });
const ends = fc.oneof(
  fc.tuple(word, word).map(([a, b]) => [ipv4(a), ipv4(b)] as const),
  fc.tuple(word, word, word, word).map(([a, b, c, d]) => [ipv6(a, b, c, d), ipv6(d, c, b, a)] as const),
);

describe('a PROXY header', () => {
  test('reads back as it was written, in both versions', () => {
    fc.assert(
      fc.property(ends, port, port, fc.constantFrom(1 as const, 2 as const), ([a, b], p, q, version) => {
        const source = { address: a, port: p };
        const destination = { address: b, port: q };
        const bytes = writeProxyHeader(version, source, destination);
        expect(parse(bytes)).toEqual({ source, destination, version, end: bytes.length });
      }),
    );
  });

  test('of version 1 is at most 107 octets and ends in CR LF', () => {
    expect(parse(octets('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET'))?.end).toBe(36);
    expect(parse(octets('PROXY UNKNOWN ffff::1 whatever\r\n'))?.source).toBeNull();
    for (const text of [
      'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n',
      'PROXY TCP4 192.0.2.1 2001:db8::1 1 2\r\n',
      'PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n',
      'PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n',
      `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`,
    ]) {
      expect(parse(octets(text)), text).toBeNull();
    }
  });

  test('of version 2 says LOCAL where the proxy asks for itself, and skips what it does not know by its length', () => {
    const address = parseAddress('192.0.2.1')!;
    const bytes = writeProxyHeader(2, { address, port: 1 }, { address, port: 2 });
    expect(parse(bytes.with(12, 0x20))).toMatchObject({ source: null, end: 28 });
    expect(parse(bytes.with(13, 0x31))).toMatchObject({ source: null, end: 28 });
    expect(parse(bytes.with(12, 0x22))).toBeNull();
    expect(parse(bytes.subarray(0, 27))).toBeNull();
  });
});
