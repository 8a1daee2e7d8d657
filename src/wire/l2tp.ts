/**
 * L2TP version 2 (RFC 2661 section 3.1): over UDP, PPP frames follow.
 *
 *     0 T L x x S x O P (8 bits) · 1 version (4 bits) · 2 length (if L) · tunnel id · session id ·
 *     sequence and expected (if S) · offset size and padding (if O)
 *
 * Version 3 (RFC 3931) says nothing in the packet about the pseudowire, so nobody can look into it unasked.
 */
export const UDP_PORT = 1701;
const CONTROL = 0x8000;
const LENGTH_PRESENT = 0x4000;
const SEQUENCE_PRESENT = 0x0800;
const OFFSET_PRESENT = 0x0200;

export function check(at: number, end: number): boolean {
  return at + 2 <= end;
}

export function version(view: DataView, at: number): number {
  return view.getUint8(at + 1) & 15;
}

export function isControl(view: DataView, at: number): boolean {
  return (view.getUint16(at) & CONTROL) !== 0;
}

/** Octets of a version 2 data header with its padding; -1 where it is cut off. */
export function headerBytes(view: DataView, at: number, end: number): number {
  const flags = view.getUint16(at);
  let bytes = 6;
  if ((flags & LENGTH_PRESENT) !== 0) bytes += 2;
  if ((flags & SEQUENCE_PRESENT) !== 0) bytes += 4;
  if ((flags & OFFSET_PRESENT) !== 0) {
    bytes += 2;
    if (at + bytes > end) return -1;
    bytes += view.getUint16(at + bytes - 2);
  }
  return at + bytes <= end ? bytes : -1;
}
