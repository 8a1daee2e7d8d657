/** EtherIP (RFC 3378): two octets, version 3 in the upper four bits and the rest zero; an Ethernet frame follows. */
export const HEADER_BYTES = 2;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}
