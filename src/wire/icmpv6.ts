/**
 * ICMPv6 header (RFC 4443 section 2.1); in errors as much of the packet in question as fits follows.
 *
 *     0 type (below 128: an error) · 1 code · 2 checksum, over a pseudo-header as well · 4 rest
 */
export const UNREACHABLE = 1;
export const PACKET_TOO_BIG = 2;
export const TIME_EXCEEDED = 3;
const PARAMETER_PROBLEM = 4;

/** Does a message of this type quote a packet? */
export function isError(type: number): boolean {
  return type >= UNREACHABLE && type <= PARAMETER_PROBLEM;
}
