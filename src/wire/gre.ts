/**
 * GRE header (RFC 2784, key and sequence: RFC 2890; routing: RFC 1701; version 1: RFC 2637).
 *
 *     0 C R K S s (5 bits), recursion (3), A (version 1), flags, version (3) · 2 protocol: an EtherType ·
 *     then, where announced: checksum and offset (4), key (4), sequence (4), acknowledgment (4, version 1)
 */
export const MIN_HEADER_BYTES = 4;
export const PROTOCOL_ERSPAN = 0x88be;
export const PROTOCOL_ERSPAN_3 = 0x22eb;

const CHECKSUM_PRESENT = 0x8000;
const ROUTING_PRESENT = 0x4000;
const KEY_PRESENT = 0x2000;
const SEQUENCE_PRESENT = 0x1000;
const ACKNOWLEDGMENT_PRESENT = 0x0080;

export function check(at: number, end: number): boolean {
  return at + MIN_HEADER_BYTES <= end;
}

export function version(view: DataView, at: number): number {
  return view.getUint16(at) & 7;
}

export function hasRouting(view: DataView, at: number): boolean {
  return (view.getUint16(at) & ROUTING_PRESENT) !== 0;
}

export function hasSequence(view: DataView, at: number): boolean {
  return (view.getUint16(at) & SEQUENCE_PRESENT) !== 0;
}

export function protocol(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** Octets of the header, without the routing entries that would follow where {@link hasRouting}. */
export function headerBytes(view: DataView, at: number): number {
  const flags = view.getUint16(at);
  let bytes = MIN_HEADER_BYTES;
  if ((flags & (CHECKSUM_PRESENT | ROUTING_PRESENT)) !== 0) bytes += 4;
  if ((flags & KEY_PRESENT) !== 0) bytes += 4;
  if ((flags & SEQUENCE_PRESENT) !== 0) bytes += 4;
  if ((flags & 7) === 1 && (flags & ACKNOWLEDGMENT_PRESENT) !== 0) bytes += 4;
  return bytes;
}
