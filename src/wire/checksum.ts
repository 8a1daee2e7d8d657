/**
 * The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3).
 *
 * Sums are plain numbers: adding up to 2^36 words of 16 bits is exact, so folding waits until the end.
 */

/** Sum of the 16-bit words of `[at, at + bytes)`, not folded; an odd last octet counts as the upper half. */
export function sumWords(view: DataView, at: number, bytes: number): number {
  const even = at + (bytes & ~1);
  let sum = 0;
  for (let i = at; i < even; i += 2) sum += view.getUint16(i);
  if ((bytes & 1) === 1) sum += view.getUint8(even) << 8;
  return sum;
}

/** The checksum that belongs into the header: the complement of the folded sum. */
export function foldChecksum(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** The checksum after one 16-bit word changed: HC' = ~(~HC + ~m + m'). */
export function adjustChecksum16(checksum: number, before: number, after: number): number {
  return foldChecksum((~checksum & 0xffff) + (~before & 0xffff) + after);
}

/** The checksum after a 32-bit word at an even offset changed. */
export function adjustChecksum32(checksum: number, before: number, after: number): number {
  return foldChecksum(
    (~checksum & 0xffff) +
      (~before & 0xffff) +
      ((~before >>> 16) & 0xffff) +
      (after & 0xffff) +
      (after >>> 16),
  );
}
