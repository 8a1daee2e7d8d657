import { describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../../src/addr/address.js';
import { forwardedElement, parseForwarded, parseForwardedFor } from '../../../src/wire/forwarded.js';

const addresses = (entries: ReturnType<typeof parseForwarded>): (string | null)[] =>
  entries.map(({ address }) => address && formatAddress(address));

describe('X-Forwarded-For', () => {
  test('is a list over all of its fields, with ports and brackets left out', () => {
    const values = ['203.0.113.7, 10.0.0.1:4711', ' [2001:db8::1]:80 ,2001:db8::2'];
    expect(addresses(parseForwardedFor(values))).toEqual([
      '203.0.113.7',
      '10.0.0.1',
      '2001:db8::1',
      '2001:db8::2',
    ]);
  });

  test('names nobody by what is no address', () => {
    expect(addresses(parseForwardedFor(['unknown, 010.0.0.1, , 1.2.3']))).toEqual([null, null, null]);
  });
});

describe('Forwarded (RFC 7239)', () => {
  test('reads the examples of section 4', () => {
    expect(addresses(parseForwarded(['for="_gazonk"']))).toEqual([null]);
    expect(addresses(parseForwarded(['For="[2001:db8:cafe::17]:4711"']))).toEqual(['2001:db8:cafe::17']);
    expect(addresses(parseForwarded(['for=192.0.2.60;proto=http;by=203.0.113.43']))).toEqual(['192.0.2.60']);
    expect(addresses(parseForwarded(['for=192.0.2.43, for=198.51.100.17']))).toEqual([
      '192.0.2.43',
      '198.51.100.17',
    ]);
  });

  test('does not take separators inside of quotes for its own', () => {
    expect(addresses(parseForwarded(['by="a,b;for=1.2.3.4";for=192.0.2.1']))).toEqual(['192.0.2.1']);
  });

  test('is written so that it reads back', () => {
    for (const text of ['192.0.2.1', '2001:db8::17']) {
      expect(addresses(parseForwarded([forwardedElement(parseAddress(text)!)]))).toEqual([text]);
    }
  });
});
