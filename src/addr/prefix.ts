/** A prefix: the first `length` bits of an address. Host bits are always zero. */
import { type Address, type Family, formatAddress, ipv4, ipv6, parseAddress } from './address.js';

export interface Prefix {
  readonly address: Address;
  /** 0 .. 32 or 0 .. 128 */
  readonly length: number;
}

/** `10.0.0.0/8`, or a bare address as a host prefix; `null` where the text is neither. Host bits are cleared. */
export function parsePrefix(text: string): Prefix | null {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  const bits = address.family === 4 ? 32 : 128;
  if (slash < 0) return { address, length: bits };
  const lengthText = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(lengthText)) return null;
  const length = Number(lengthText);
  if (length > bits) return null;
  return { address: maskAddress(address, length), length };
}

export function hostPrefix(address: Address): Prefix {
  return { address, length: address.family === 4 ? 32 : 128 };
}

export function formatPrefix(p: Prefix): string {
  return `${formatAddress(p.address)}/${p.length}`;
}

/** `a` with all but its first `length` bits cleared. */
export function maskAddress(a: Address, length: number): Address {
  if (a.family === 4) return ipv4(a.w0 & wordMask(length, 0));
  return ipv6(
    a.w0 & wordMask(length, 0),
    a.w1 & wordMask(length, 32),
    a.w2 & wordMask(length, 64),
    a.w3 & wordMask(length, 96),
  );
}

export function prefixContains(p: Prefix, a: Address): boolean {
  const { address, length } = p;
  return (
    a.family === address.family &&
    ((a.w0 ^ address.w0) & wordMask(length, 0)) === 0 &&
    ((a.w1 ^ address.w1) & wordMask(length, 32)) === 0 &&
    ((a.w2 ^ address.w2) & wordMask(length, 64)) === 0 &&
    ((a.w3 ^ address.w3) & wordMask(length, 96)) === 0
  );
}

export function prefixBits(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** Mask of the 32-bit word that starts at bit `from`, for a prefix of `length` bits. */
function wordMask(length: number, from: number): number {
  const n = length - from;
  if (n <= 0) return 0;
  if (n >= 32) return -1;
  return -1 << (32 - n);
}
