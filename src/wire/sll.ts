/**
 * Linux cooked capture, LINKTYPE_LINUX_SLL.
 *
 *     0 packet type · 2 ARPHRD_ · 4 address length · 6 address (8) · 14 protocol: an EtherType, or one of the
 *     small values below
 *
 * Source: tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html
 */
export const HEADER_BYTES = 16;
/** "protocols" that are none: LLC frames, and frames with an Ethernet header */
export const PROTOCOL_ETHERNET = 0x0003;
export const PROTOCOL_LLC = 0x0004;
export const PROTOCOL_PPP = 0x0007;
/** ARPHRD_NETLINK: the protocol is then a netlink family */
export const DEVICE_NETLINK = 824;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}

/** ARPHRD_ value of the interface */
export function deviceType(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

export function protocol(view: DataView, at: number): number {
  return view.getUint16(at + 14);
}
