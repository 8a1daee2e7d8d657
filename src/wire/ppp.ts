/**
 * PPP framing (RFC 1661, HDLC form: RFC 1662). Address and control (ff 03) may be left out, and a protocol number
 * whose first octet is odd is compressed to that octet (RFC 1661 section 6.5). LINKTYPE 50 may also carry Cisco
 * HDLC, LINKTYPE 104 always does: it begins with 0f 00 or 8f 00 and then an EtherType (RFC 1547 section 4.3.1).
 */
export const CISCO_HEADER_BYTES = 4;
export const PROTOCOL_IPV4 = 0x0021;
export const PROTOCOL_IPV6 = 0x0057;
export const PROTOCOL_MPLS_UNICAST = 0x0281;
export const PROTOCOL_MPLS_MULTICAST = 0x0283;

/** Octets of address and control at `at`: 0 or 2. */
export function addressControlBytes(view: DataView, at: number, end: number): number {
  return at + 2 <= end && view.getUint16(at) === 0xff03 ? 2 : 0;
}

export function isCiscoHdlc(view: DataView, at: number, end: number): boolean {
  if (at + 4 > end) return false;
  const head = view.getUint16(at);
  return head === 0x0f00 || head === 0x8f00;
}

export function ciscoEtherType(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** Octets of the protocol number at `at`: 1 or 2, or 0 if it is cut off. */
export function protocolBytes(view: DataView, at: number, end: number): number {
  if (at >= end) return 0;
  if ((view.getUint8(at) & 1) === 1) return 1;
  return at + 2 <= end ? 2 : 0;
}

/** The protocol number, after {@link protocolBytes} gave 1 or 2. */
export function protocol(view: DataView, at: number, bytes: number): number {
  return bytes === 1 ? view.getUint8(at) : view.getUint16(at);
}
