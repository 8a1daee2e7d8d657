/**
 * Linux cooked capture v2, LINKTYPE_LINUX_SLL2.
 *
 *     0 protocol (as in SLL) · 2 reserved · 4 interface index · 8 ARPHRD_ · 10 packet type · 11 address length ·
 *     12 address (8)
 *
 * Source: tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
 */
export const HEADER_BYTES = 20;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}

export function protocol(view: DataView, at: number): number {
  return view.getUint16(at);
}

/** ARPHRD_ value of the interface */
export function deviceType(view: DataView, at: number): number {
  return view.getUint16(at + 8);
}
