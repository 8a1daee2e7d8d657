/**
 * ICMPv6 header (RFC 4443 section 2.1); in errors as much of the packet in question as fits follows.
 *
 *     0 type (below 128: an error) · 1 code · 2 checksum, over a pseudo-header as well · 4 rest
 */
export const HEADER_BYTES = 8;
export const UNREACHABLE = 1;
export const PACKET_TOO_BIG = 2;
export const TIME_EXCEEDED = 3;
export const PARAMETER_PROBLEM = 4;
export const ECHO_REQUEST = 128;
export const ECHO_REPLY = 129;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}

export function type(view: DataView, at: number): number {
  return view.getUint8(at);
}

export function code(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** of echo requests and replies */
export function identifier(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

/** Does a message of this type quote a packet? */
export function isError(type: number): boolean {
  return type >= UNREACHABLE && type <= PARAMETER_PROBLEM;
}

export function setIdentifier(view: DataView, at: number, identifier: number): void {
  view.setUint16(at + 4, identifier);
}

export function setChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + 2, checksum);
}
