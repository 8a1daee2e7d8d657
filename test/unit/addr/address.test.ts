import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressBytes,
  compareAddresses,
  formatAddress,
  ipv4,
  ipv6,
  parseAddress,
} from '../../../src/addr/address.js';
import { formatPrefix, parsePrefix, prefixContains } from '../../../src/addr/prefix.js';

describe('parseAddress()', () => {
  test('reads both families into words', () => {
    expect(parseAddress('203.0.113.10')).toEqual(ipv4(0xcb00710a));
    expect(parseAddress('2001:db8:113::10')).toEqual(ipv6(0x20010db8, 0x01130000, 0, 0x10));
  });

  test('reads dotted tails that ip6addr refuses', () => {
    expect(parseAddress('::1.2.3.4')).toEqual(ipv6(0, 0, 0, 0x01020304));
    expect(parseAddress('64:ff9b::1.2.3.4')).toEqual(ipv6(0x0064ff9b, 0, 0, 0x01020304));
    expect(parseAddress('::ffff:10.0.0.1')).toEqual(ipv6(0, 0, 0xffff, 0x0a000001));
  });

  test('refuses octal octets, zones, ports, masks and anything else', () => {
    for (const text of ['010.0.0.1', 'fe80::1%eth0', '10.0.0.1:80', '10.0.0.0/8', '', 'n1', '1.2.3', ':::']) {
      expect(parseAddress(text)).toBeNull();
    }
  });
});

describe('formatAddress()', () => {
  test('writes IPv6 as RFC 5952 says', () => {
    const cases: [string, string][] = [
      ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['::', '::'],
      ['1::', '1::'],
      ['FD00:A::FE', 'fd00:a::fe'],
    ];
    for (const [from, to] of cases) expect(formatAddress(parseAddress(from)!)).toBe(to);
  });

  test('is undone by parseAddress()', () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    const sparse = fc.oneof(word, fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(sparse, sparse, sparse, sparse, (a, b, c, d) => {
        for (const address of [ipv4(a), ipv6(a, b, c, d)]) {
          expect(parseAddress(formatAddress(address))).toEqual(address);
          expect(addressBytes(address).length).toBe(address.family === 4 ? 4 : 16);
        }
      }),
    );
  });
});

test('addresses are ordered by family and number', () => {
  const texts = ['10.0.0.9', '10.0.0.10', '200.0.0.1', '::1', 'fd00::1', 'fd00::2'];
  const shuffled = [...texts].reverse().map((t) => parseAddress(t)!);
  expect(shuffled.sort(compareAddresses).map(formatAddress)).toEqual(texts);
});

describe('a prefix', () => {
  test('loses its host bits and contains what it covers', () => {
    const p = parsePrefix('10.244.1.7/24')!;
    expect(formatPrefix(p)).toBe('10.244.1.0/24');
    expect(prefixContains(p, parseAddress('10.244.1.255')!)).toBe(true);
    expect(prefixContains(p, parseAddress('10.244.2.0')!)).toBe(false);
  });

  test('of one family contains nothing of the other', () => {
    expect(prefixContains(parsePrefix('::/0')!, parseAddress('1.2.3.4')!)).toBe(false);
    expect(prefixContains(parsePrefix('0.0.0.0/0')!, parseAddress('::1')!)).toBe(false);
  });

  test('may be a bare address, and is nothing with a length out of range', () => {
    expect(formatPrefix(parsePrefix('203.0.113.10')!)).toBe('203.0.113.10/32');
    for (const text of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/x', 'n1/8'])
      expect(parsePrefix(text)).toBeNull();
  });
});
