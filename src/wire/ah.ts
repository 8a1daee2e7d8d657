/**
 * Authentication Header (RFC 4302 section 2).
 *
 *     0 next header · 1 length in words, minus 2 · 2 reserved · 4 SPI · 8 sequence number · 12 check value
 */
const MIN_HEADER_BYTES = 12;

export function check(at: number, end: number): boolean {
  return at + MIN_HEADER_BYTES <= end;
}

export function nextHeader(view: DataView, at: number): number {
  return view.getUint8(at);
}

export function headerBytes(view: DataView, at: number): number {
  return (view.getUint8(at + 1) + 2) << 2;
}
