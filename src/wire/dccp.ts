/**
 * DCCP generic header (RFC 4340 section 5.1).
 *
 *     0 source port · 2 destination port · 4 data offset in words · 5 CCVal, coverage · 6 checksum ·
 *     8 reserved (3 bits), type (4), extended sequence numbers (1)
 */
export const MIN_HEADER_BYTES = 12;

export function check(at: number, end: number): boolean {
  return at + MIN_HEADER_BYTES <= end;
}

export function headerBytes(view: DataView, at: number): number {
  return view.getUint8(at + 4) << 2;
}
