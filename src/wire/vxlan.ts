/**
 * VXLAN header (RFC 7348 section 5) and its generic extension (draft-ietf-nvo3-vxlan-gpe).
 *
 *     0 flags (0x08: the VNI is valid) · 1 reserved (3) · in GPE the last of these: next protocol · 4 VNI (3) · 7 reserved
 */
export const HEADER_BYTES = 8;
export const UDP_PORT = 4789;
export const UDP_PORT_GPE = 4790;
export const GPE_IPV4 = 1;
export const GPE_IPV6 = 2;
export const GPE_ETHERNET = 3;
export const GPE_MPLS = 5;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}

export function gpeNextProtocol(view: DataView, at: number): number {
  return view.getUint8(at + 3);
}
