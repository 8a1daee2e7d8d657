/**
 * MPLS label stack entry (RFC 3032 section 2.1). What lies below the last entry is told by nobody but its first
 * nibble (RFC 4928 section 3): 4 and 6 are IP, 0 is the control word of a pseudowire (RFC 4385).
 *
 *     label (20 bits) · traffic class (3) · bottom of stack (1) · TTL (8)
 */
export const ENTRY_BYTES = 4;
export const CONTROL_WORD_BYTES = 4;

export const ETHERTYPE_UNICAST = 0x8847;
export const ETHERTYPE_MULTICAST = 0x8848;

export function check(at: number, end: number): boolean {
  return at + ENTRY_BYTES <= end;
}

export function label(view: DataView, at: number): number {
  return view.getUint32(at) >>> 12;
}

export function isBottom(view: DataView, at: number): boolean {
  return (view.getUint8(at + 2) & 1) === 1;
}

export function ttl(view: DataView, at: number): number {
  return view.getUint8(at + 3);
}
