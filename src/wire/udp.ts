/**
 * UDP header (RFC 768); UDP-Lite (RFC 3828) differs only in that octets 4-5 are the checksum coverage.
 *
 *     0 source port · 2 destination port · 4 length · 6 checksum (0 over IPv4: none)
 */
export const HEADER_BYTES = 8;
export const CHECKSUM = 6;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}

export function srcPort(view: DataView, at: number): number {
  return view.getUint16(at);
}

export function dstPort(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

export function lengthBytes(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + CHECKSUM);
}

export function setSrcPort(view: DataView, at: number, port: number): void {
  view.setUint16(at, port);
}

export function setDstPort(view: DataView, at: number, port: number): void {
  view.setUint16(at + 2, port);
}

export function setLengthBytes(view: DataView, at: number, bytes: number): void {
  view.setUint16(at + 4, bytes);
}

export function setChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + CHECKSUM, checksum);
}
