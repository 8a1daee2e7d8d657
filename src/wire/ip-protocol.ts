/** Protocol numbers of IPv4's protocol and IPv6's next-header field (IANA "Assigned Internet Protocol Numbers"). */
export const HOP_BY_HOP = 0;
export const ICMP = 1;
export const IPV4 = 4;
export const TCP = 6;
export const UDP = 17;
export const DCCP = 33;
export const IPV6 = 41;
export const ROUTING = 43;
export const FRAGMENT = 44;
export const GRE = 47;
export const ESP = 50;
export const AH = 51;
export const ICMPV6 = 58;
export const NO_NEXT_HEADER = 59;
export const DESTINATION_OPTIONS = 60;
export const ETHERIP = 97;
export const L2TP = 115;
export const SCTP = 132;
export const MOBILITY = 135;
export const UDP_LITE = 136;
export const MPLS = 137;
export const HIP = 139;
export const SHIM6 = 140;
export const ETHERNET = 143;

/** Does the header begin with a source and a destination port of 16 bits each? */
export function hasPorts(protocol: number): boolean {
  return (
    protocol === TCP || protocol === UDP || protocol === SCTP || protocol === UDP_LITE || protocol === DCCP
  );
}
