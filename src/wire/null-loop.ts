/**
 * BSD loopback: four octets with the address family, in the byte order of the capturing host (LINKTYPE_NULL) or
 * in network order (LINKTYPE_LOOP). Families are small, so the order shows itself.
 *
 * Source: tcpdump.org/linktypes.html; AF_INET6 is 24 (NetBSD, OpenBSD), 28 (FreeBSD), 30 (macOS), 10 (Linux).
 */
export const HEADER_BYTES = 4;
export const FAMILY_IPV4 = 2;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}

export function family(view: DataView, at: number): number {
  const big = view.getUint32(at);
  return big < 0x10000 ? big : view.getUint32(at, true);
}

export function isIpv6(family: number): boolean {
  return family === 24 || family === 28 || family === 30 || family === 10;
}
