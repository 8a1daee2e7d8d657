/**
 * IPv4 header (RFC 791 section 3.1).
 *
 *     0 version (4 bits), header length in words (4) · 1 TOS · 2 total length · 4 identification ·
 *     6 flags (3 bits), fragment offset in units of 8 (13) · 8 TTL · 9 protocol · 10 checksum · 12 source ·
 *     16 destination · 20 options
 *
 * After `check` no reader fails; header length and total length are what the packet claims.
 */
export const MIN_HEADER_BYTES = 20;
export const SRC = 12;
export const DST = 16;
export const CHECKSUM = 10;

export function check(at: number, end: number): boolean {
  return at + MIN_HEADER_BYTES <= end;
}

export function version(view: DataView, at: number): number {
  return view.getUint8(at) >>> 4;
}

export function headerBytes(view: DataView, at: number): number {
  return (view.getUint8(at) & 15) << 2;
}

export function totalBytes(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

export function identification(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

export function dontFragment(view: DataView, at: number): boolean {
  return (view.getUint8(at + 6) & 0x40) !== 0;
}

export function moreFragments(view: DataView, at: number): boolean {
  return (view.getUint8(at + 6) & 0x20) !== 0;
}

/** in octets */
export function fragmentOffset(view: DataView, at: number): number {
  return (view.getUint16(at + 6) & 0x1fff) << 3;
}

export function ttl(view: DataView, at: number): number {
  return view.getUint8(at + 8);
}

export function protocol(view: DataView, at: number): number {
  return view.getUint8(at + 9);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + CHECKSUM);
}

export function src(view: DataView, at: number): number {
  return view.getUint32(at + SRC);
}

export function dst(view: DataView, at: number): number {
  return view.getUint32(at + DST);
}

export function setTotalBytes(view: DataView, at: number, bytes: number): void {
  view.setUint16(at + 2, bytes);
}

export function setTtl(view: DataView, at: number, ttl: number): void {
  view.setUint8(at + 8, ttl);
}

export function setChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + CHECKSUM, checksum);
}

export function setSrc(view: DataView, at: number, word: number): void {
  view.setUint32(at + SRC, word);
}

export function setDst(view: DataView, at: number, word: number): void {
  view.setUint32(at + DST, word);
}
