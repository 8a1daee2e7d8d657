import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { adjustChecksum16, adjustChecksum32, foldChecksum, sumWords } from '../../../src/wire/checksum.js';

const octets = fc.uint8Array({ minLength: 8, maxLength: 64 });

/** RFC 1071 section 1, in BigInt: the complement of the one's-complement sum, that is of the sum modulo 0xffff. */
function oracle(bytes: Uint8Array): number {
  let sum = 0n;
  bytes.forEach((octet, i) => {
    sum += BigInt(octet) << (i % 2 === 0 ? 8n : 0n);
  });
  const rest = sum % 0xffffn;
  return 0xffff - Number(rest === 0n && sum > 0n ? 0xffffn : rest);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const checksumOf = (bytes: Uint8Array): number => foldChecksum(sumWords(viewOf(bytes), 0, bytes.length));

describe('the Internet checksum', () => {
  test('of the example in RFC 1071 section 3 is the complement of ddf2', () => {
    expect(checksumOf(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(0xffff - 0xddf2);
  });

  test('equals the definition on any octets, odd lengths too', () => {
    fc.assert(
      fc.property(octets, (bytes) => {
        expect(checksumOf(bytes)).toBe(oracle(bytes));
      }),
    );
  });

  test('after a changed 16-bit word is the same as computed anew', () => {
    fc.assert(
      fc.property(octets, fc.nat(0xffff), (bytes, after) => {
        const before = viewOf(bytes).getUint16(2);
        const adjusted = adjustChecksum16(checksumOf(bytes), before, after);
        viewOf(bytes).setUint16(2, after);
        // all octets zero is the one sum that one's complement writes in two ways
        fc.pre(bytes.some((octet) => octet !== 0));
        expect(adjusted).toBe(checksumOf(bytes));
      }),
    );
  });

  test('after a changed 32-bit word is the same as computed anew', () => {
    fc.assert(
      fc.property(octets, fc.nat(0xffffffff), (bytes, after) => {
        const before = viewOf(bytes).getUint32(4);
        const adjusted = adjustChecksum32(checksumOf(bytes), before, after);
        viewOf(bytes).setUint32(4, after);
        fc.pre(bytes.some((octet) => octet !== 0));
        expect(adjusted).toBe(checksumOf(bytes));
      }),
    );
  });

  test('follows the example of RFC 1624 section 4, where the older formula goes wrong', () => {
    expect(adjustChecksum16(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });
});
