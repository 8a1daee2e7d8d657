/**
 * IPv6 header (RFC 8200 section 3).
 *
 *     0 version (4 bits), traffic class (8), flow label (20) · 4 payload length · 6 next header · 7 hop limit ·
 *     8 source (16) · 24 destination (16)
 */
export const HEADER_BYTES = 40;
export const SRC = 8;
export const DST = 24;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}

export function version(view: DataView, at: number): number {
  return view.getUint8(at) >>> 4;
}

export function flowLabel(view: DataView, at: number): number {
  return view.getUint32(at) & 0xfffff;
}

export function payloadBytes(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

export function nextHeader(view: DataView, at: number): number {
  return view.getUint8(at + 6);
}

export function hopLimit(view: DataView, at: number): number {
  return view.getUint8(at + 7);
}

/** Word `i` (0 to 3) of the source address. */
export function srcWord(view: DataView, at: number, i: number): number {
  return view.getUint32(at + SRC + 4 * i);
}

export function dstWord(view: DataView, at: number, i: number): number {
  return view.getUint32(at + DST + 4 * i);
}

export function setPayloadBytes(view: DataView, at: number, bytes: number): void {
  view.setUint16(at + 4, bytes);
}

export function setHopLimit(view: DataView, at: number, hopLimit: number): void {
  view.setUint8(at + 7, hopLimit);
}

export function setSrcWord(view: DataView, at: number, i: number, word: number): void {
  view.setUint32(at + SRC + 4 * i, word);
}

export function setDstWord(view: DataView, at: number, i: number, word: number): void {
  view.setUint32(at + DST + 4 * i, word);
}
