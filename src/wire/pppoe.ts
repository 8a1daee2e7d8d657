/**
 * PPPoE session header (RFC 2516 section 4); a PPP frame without address and control follows.
 *
 *     0 version (4 bits), type (4) · 1 code · 2 session id · 4 length of the payload
 */
export const HEADER_BYTES = 6;
export const ETHERTYPE_SESSION = 0x8864;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}

export function payloadBytes(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}
