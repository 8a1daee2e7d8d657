/**
 * GTP-U header, version 1 (3GPP TS 29.281 section 5).
 *
 *     0 version (3 bits), protocol type (1), spare, E, S, PN · 1 message type (255: a packet of the user's) ·
 *     2 length · 4 TEID · if any of E, S, PN: 8 sequence · 10 N-PDU number · 11 next extension type, and while
 *     that is not 0: length in words, content, next extension type
 */
const MIN_HEADER_BYTES = 8;
export const UDP_PORT = 2152;
export const TYPE_PACKET = 255;

export function check(at: number, end: number): boolean {
  return at + MIN_HEADER_BYTES <= end;
}

export function version(view: DataView, at: number): number {
  return view.getUint8(at) >>> 5;
}

export function messageType(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

/** Octets of the header with its extensions; -1 where they are cut off or claim to be empty. */
export function headerBytes(view: DataView, at: number, end: number): number {
  const flags = view.getUint8(at) & 7;
  if (flags === 0) return MIN_HEADER_BYTES;
  let bytes = MIN_HEADER_BYTES + 4;
  if (at + bytes > end) return -1;
  if ((flags & 4) === 0) return bytes;
  while (view.getUint8(at + bytes - 1) !== 0) {
    if (at + bytes >= end) return -1;
    const extension = view.getUint8(at + bytes) << 2;
    bytes += extension;
    if (extension === 0 || at + bytes > end) return -1;
  }
  return bytes;
}
