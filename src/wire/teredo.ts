/**
 * Teredo (RFC 4380 section 5.1.1): IPv6 in UDP, behind an optional authentication and an optional origin block.
 *
 *     authentication: 0 0x0001 · 2 id length · 3 authentication length · 4 both · nonce (8) · confirmation (1)
 *     origin: 0 0x0000 · 2 obfuscated port · 4 obfuscated address
 */
export const UDP_PORT = 3544;
const ORIGIN_BYTES = 8;
const AUTHENTICATION_FIXED_BYTES = 13;

/** Offset of the IPv6 header, or -1 where the blocks are cut off. */
export function payloadAt(view: DataView, at: number, end: number): number {
  if (at + 4 <= end && view.getUint16(at) === 0x0001) {
    at += AUTHENTICATION_FIXED_BYTES + view.getUint8(at + 2) + view.getUint8(at + 3);
  }
  if (at + 2 <= end && view.getUint16(at) === 0x0000) at += ORIGIN_BYTES;
  return at < end ? at : -1;
}
