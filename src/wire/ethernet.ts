/**
 * Ethernet II / IEEE 802.3 header.
 *
 *     0 destination (6) · 6 source (6) · 12 EtherType, or the length of an LLC frame (up to 1500)
 *
 * After `check` no reader fails. Nothing here judges what it reads.
 */
export const HEADER_BYTES = 14;
/** values up to this are a length, and an LLC header follows (IEEE 802.3 clause 3.2.6) */
export const MAX_LENGTH_FIELD = 1500;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_RARP = 0x8035;
export const ETHERTYPE_TRANSPARENT_BRIDGING = 0x6558;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_PPP = 0x880b;
export const ETHERTYPE_LLC = 0x8870;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}

export function typeOrLength(view: DataView, at: number): number {
  return view.getUint16(at + 12);
}

export function setDst(view: DataView, at: number, hi: number, lo: number): void {
  view.setUint32(at, hi);
  view.setUint16(at + 4, lo);
}

export function setSrc(view: DataView, at: number, hi: number, lo: number): void {
  view.setUint32(at + 6, hi);
  view.setUint16(at + 10, lo);
}

export function setTypeOrLength(view: DataView, at: number, value: number): void {
  view.setUint16(at + 12, value);
}
