/**
 * LINKTYPE_ values (www.tcpdump.org/linktypes.html): what a frame of a capture begins with. The names follow
 * tcpdump and tshark. A capture room knows the number, its name and how long a frame may be; never its content.
 */
export const LinkType = {
  null: 0,
  ethernet: 1,
  ppp: 9,
  /** DLT_RAW as some systems wrote it to files */
  rawBsd: 12,
  rawOpenbsd: 14,
  pppHdlc: 50,
  pppoe: 51,
  raw: 101,
  ciscoHdlc: 104,
  loop: 108,
  linuxSll: 113,
  ipv4: 228,
  ipv6: 229,
  dbus: 231,
  nflog: 239,
  usbPcap: 249,
  linuxSll2: 276,
  ebhscr: 279,
} as const;

const NAMES = new Map<number, string>([
  [0, 'null'],
  [1, 'ethernet'],
  [3, 'ax25'],
  [6, 'ieee802-5'],
  [7, 'arcnet'],
  [8, 'slip'],
  [9, 'ppp'],
  [10, 'fddi'],
  [12, 'raw'],
  [14, 'raw'],
  [50, 'ppp-hdlc'],
  [51, 'pppoe'],
  [100, 'atm-rfc1483'],
  [101, 'raw'],
  [104, 'c-hdlc'],
  [105, 'ieee802-11'],
  [107, 'frame-relay'],
  [108, 'loop'],
  [113, 'linux-sll'],
  [117, 'pflog'],
  [119, 'ieee802-11-prism'],
  [122, 'ip-over-fc'],
  [127, 'ieee802-11-radiotap'],
  [138, 'apple-ip-over-ieee1394'],
  [140, 'mtp2'],
  [141, 'mtp3'],
  [143, 'docsis'],
  [147, 'user0'],
  [166, 'ppp-pppd'],
  [187, 'bluetooth-hci-h4'],
  [189, 'usb-linux'],
  [192, 'ppi'],
  [195, 'ieee802-15-4'],
  [197, 'erf'],
  [201, 'bluetooth-hci-h4-with-phdr'],
  [204, 'ppp-with-dir'],
  [220, 'usb-linux-mmapped'],
  [224, 'fc-2'],
  [226, 'ipnet'],
  [227, 'can-socketcan'],
  [228, 'ipv4'],
  [229, 'ipv6'],
  [231, 'dbus'],
  [239, 'nflog'],
  [240, 'netanalyzer'],
  [247, 'infiniband'],
  [248, 'sctp'],
  [249, 'usbpcap'],
  [252, 'wireshark-upper-pdu'],
  [253, 'netlink'],
  [271, 'vsock'],
  [274, 'ethernet-mpacket'],
  [276, 'linux-sll2'],
  [279, 'ebhscr'],
]);

export function linkTypeName(linkType: number): string {
  return NAMES.get(linkType) ?? `linktype-${linkType}`;
}

const MAX_FRAME_BYTES = 256 * 1024;
const MAX_DBUS_BYTES = 128 * 1024 * 1024;
const MAX_EBHSCR_BYTES = 32 * 1024 * 1024;

/** The longest captured frame that is believed, as in libpcap and Wireshark; more means a damaged file. */
export function maxFrameBytes(linkType: number): number {
  if (linkType === LinkType.dbus || linkType === LinkType.usbPcap) return MAX_DBUS_BYTES;
  if (linkType === LinkType.ebhscr) return MAX_EBHSCR_BYTES;
  return MAX_FRAME_BYTES;
}
