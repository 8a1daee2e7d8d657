/**
 * IPv4 and IPv6 addresses as four 32-bit words, so that comparing and copying never allocates.
 *
 * An IPv4 address lives in `w0` (the other words are 0); an IPv6 address fills `w0..w3`, network order: `w0`
 * holds the first four octets. Words are unsigned (0 .. 2^32-1). Text goes through npm `ip6addr`, guarded by
 * `net.isIP` where that library is too loose (octal octets) or too strict (embedded dotted quads).
 */
import { isIP } from 'node:net';
import ip6addr from 'ip6addr';

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

export function ipv4(w0: number): Address {
  return { family: 4, w0: w0 >>> 0, w1: 0, w2: 0, w3: 0 };
}

export function ipv6(w0: number, w1: number, w2: number, w3: number): Address {
  return { family: 6, w0: w0 >>> 0, w1: w1 >>> 0, w2: w2 >>> 0, w3: w3 >>> 0 };
}

/** The address that `text` writes, or `null` where it writes none (zones, ports and masks are not accepted). */
export function parseAddress(text: string): Address | null {
  const family = text.includes('%') ? 0 : isIP(text);
  if (family === 0) return null;
  if (family === 4) return ipv4(parseDottedQuad(text));
  const dot = text.indexOf('.');
  const pure = dot < 0 ? text : withoutDottedTail(text);
  // not toBuffer(): that is a deprecated constructor of Node's
  const groups = ip6addr.parse(pure).toString({ format: 'v6', zeroElide: false }).split(':');
  const word = (at: number): number =>
    Number.parseInt(groups[at]!, 16) * 65536 + Number.parseInt(groups[at + 1]!, 16);
  return ipv6(word(0), word(2), word(4), word(6));
}

/** Canonical text (RFC 5952 for IPv6, without the dotted-quad form for mapped addresses). */
export function formatAddress(a: Address): string {
  return a.family === 4 ? formatIpv4(a.w0) : formatIpv6(a.w0, a.w1, a.w2, a.w3);
}

export function formatIpv4(w0: number): string {
  return `${w0 >>> 24}.${(w0 >>> 16) & 255}.${(w0 >>> 8) & 255}.${w0 & 255}`;
}

/** RFC 5952: lower case, the longest run of two or more zero groups (the first of equals) becomes `::`. */
export function formatIpv6(w0: number, w1: number, w2: number, w3: number): string {
  const groups = [w0 >>> 16, w0 & 65535, w1 >>> 16, w1 & 65535, w2 >>> 16, w2 & 65535, w3 >>> 16, w3 & 65535];
  let runAt = -1;
  let runLength = 1;
  for (let i = 0; i < 8; ) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > runLength) {
      runAt = i;
      runLength = j - i;
    }
    i = j === i ? i + 1 : j;
  }
  const hex = (part: number[]): string => part.map((g) => g.toString(16)).join(':');
  if (runAt < 0) return hex(groups);
  return `${hex(groups.slice(0, runAt))}::${hex(groups.slice(runAt + runLength))}`;
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && a.w0 === b.w0 && a.w1 === b.w1 && a.w2 === b.w2 && a.w3 === b.w3;
}

/** Total order: IPv4 before IPv6, then numerically. */
export function compareAddresses(a: Address, b: Address): number {
  return a.family - b.family || a.w0 - b.w0 || a.w1 - b.w1 || a.w2 - b.w2 || a.w3 - b.w3;
}

/** The address as network-order octets: 4 or 16 of them. */
export function addressBytes(a: Address): Uint8Array {
  const out = new Uint8Array(a.family === 4 ? 4 : 16);
  const view = new DataView(out.buffer);
  view.setUint32(0, a.w0);
  if (a.family === 6) {
    view.setUint32(4, a.w1);
    view.setUint32(8, a.w2);
    view.setUint32(12, a.w3);
  }
  return out;
}

function parseDottedQuad(text: string): number {
  let word = 0;
  for (const octet of text.split('.')) word = word * 256 + Number(octet);
  return word;
}

/** `::ffff:1.2.3.4` as `::ffff:102:304`: ip6addr refuses some valid dotted tails. */
function withoutDottedTail(text: string): string {
  const colon = text.lastIndexOf(':');
  const word = parseDottedQuad(text.slice(colon + 1));
  return `${text.slice(0, colon + 1)}${(word >>> 16).toString(16)}:${(word & 65535).toString(16)}`;
}
