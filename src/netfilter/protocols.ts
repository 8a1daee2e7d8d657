/** IP protocol numbers and names, as /etc/protocols, iptables and nft write them. */

const NUMBERS: Readonly<Record<string, number>> = {
  ip: 0,
  hopopt: 0,
  icmp: 1,
  igmp: 2,
  ipencap: 4,
  ipip: 4,
  tcp: 6,
  egp: 8,
  udp: 17,
  dccp: 33,
  ipv6: 41,
  'ipv6-route': 43,
  'ipv6-frag': 44,
  gre: 47,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  icmpv6: 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  ospf: 89,
  pim: 103,
  comp: 108,
  ipcomp: 108,
  vrrp: 112,
  l2tp: 115,
  sctp: 132,
  'ipv6-mh': 135,
  mh: 135,
  udplite: 136,
};

/** The number that a name or a number stands for; null for neither. `all` is -1. */
export function protocolNumber(text: string): number | null {
  const lower = text.toLowerCase();
  if (lower === 'all') return -1;
  if (Object.hasOwn(NUMBERS, lower)) return NUMBERS[lower]!;
  return /^\d{1,3}$/.test(text) && Number(text) <= 255 ? Number(text) : null;
}
