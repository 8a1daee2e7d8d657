/**
 * Address families (AFI, SAFI) of multiprotocol BGP: RFC 4760 and the IANA registries of that name.
 *
 * A family travels through the program as one number, its key `afi * 256 + safi`, so that sets and tables of
 * families need no strings. Families that the codec cannot take apart are carried as raw octets.
 */

export const AFI = { ipv4: 1, ipv6: 2, l2vpn: 25, bgpLs: 16388 } as const;

export const SAFI = {
  unicast: 1,
  multicast: 2,
  labelled: 4,
  mcastVpn: 5,
  vpls: 65,
  mdt: 66,
  evpn: 70,
  bgpLs: 71,
  bgpLsVpn: 72,
  srPolicy: 73,
  vpn: 128,
  vpnMulticast: 129,
  routeTarget: 132,
  flowspec: 133,
  flowspecVpn: 134,
} as const;

/** `afi * 256 + safi` */
export type FamilyKey = number;

export function familyKey(afi: number, safi: number): FamilyKey {
  return afi * 256 + safi;
}

export function afiOf(key: FamilyKey): number {
  return key >>> 8;
}

export function safiOf(key: FamilyKey): number {
  return key & 255;
}

export const IPV4_UNICAST: FamilyKey = familyKey(AFI.ipv4, SAFI.unicast);
export const IPV6_UNICAST: FamilyKey = familyKey(AFI.ipv6, SAFI.unicast);

const AFI_NAMES: ReadonlyMap<number, string> = new Map([
  [AFI.ipv4, 'ipv4'],
  [AFI.ipv6, 'ipv6'],
  [AFI.l2vpn, 'l2vpn'],
  [AFI.bgpLs, 'bgp-ls'],
]);

const SAFI_NAMES: ReadonlyMap<number, string> = new Map([
  [SAFI.unicast, 'unicast'],
  [SAFI.multicast, 'multicast'],
  [SAFI.labelled, 'labelled'],
  [SAFI.mcastVpn, 'mcast-vpn'],
  [SAFI.vpls, 'vpls'],
  [SAFI.mdt, 'mdt'],
  [SAFI.evpn, 'evpn'],
  [SAFI.bgpLs, 'bgp-ls'],
  [SAFI.bgpLsVpn, 'bgp-ls-vpn'],
  [SAFI.srPolicy, 'sr-policy'],
  [SAFI.vpn, 'vpn'],
  [SAFI.vpnMulticast, 'vpn-multicast'],
  [SAFI.routeTarget, 'route-target'],
  [SAFI.flowspec, 'flowspec'],
  [SAFI.flowspecVpn, 'flowspec-vpn'],
]);

/** `ipv4-unicast`, `ipv6-vpn`, …; a number stands where the registry name is not known: `afi-5-safi-9`. */
export function familyName(key: FamilyKey): string {
  const afi = AFI_NAMES.get(afiOf(key)) ?? `afi-${afiOf(key)}`;
  const safi = SAFI_NAMES.get(safiOf(key)) ?? `safi-${safiOf(key)}`;
  return `${afi}-${safi}`;
}

const KEY_OF_NAME: ReadonlyMap<string, FamilyKey> = new Map(
  [...AFI_NAMES.keys()].flatMap((afi) =>
    [...SAFI_NAMES.keys()].map((safi): [string, FamilyKey] => [
      familyName(familyKey(afi, safi)),
      familyKey(afi, safi),
    ]),
  ),
);

/** The inverse of {@link familyName} for the named families; `null` for other text. */
export function parseFamilyName(name: string): FamilyKey | null {
  return KEY_OF_NAME.get(name) ?? null;
}

/** How the NLRI of a family are built, as far as the codec takes them apart. */
export const NLRI_SHAPE = {
  /** not taken apart: raw octets */
  raw: 0,
  /** length, prefix (RFC 4271 section 4.3) */
  prefix: 1,
  /** length, label stack, prefix (RFC 8277) */
  labelled: 2,
  /** length, label stack, route distinguisher, prefix (RFC 4364, RFC 4659) */
  vpn: 3,
} as const;

export type NlriShape = (typeof NLRI_SHAPE)[keyof typeof NLRI_SHAPE];

export function nlriShape(key: FamilyKey): NlriShape {
  const afi = afiOf(key);
  if (afi !== AFI.ipv4 && afi !== AFI.ipv6) return NLRI_SHAPE.raw;
  switch (safiOf(key)) {
    case SAFI.unicast:
    case SAFI.multicast:
      return NLRI_SHAPE.prefix;
    case SAFI.labelled:
      return NLRI_SHAPE.labelled;
    case SAFI.vpn:
    case SAFI.vpnMulticast:
      return NLRI_SHAPE.vpn;
    default:
      return NLRI_SHAPE.raw;
  }
}

/** Bits of a full address of the family: 32 or 128; 0 where NLRI are raw. */
export function addressBits(key: FamilyKey): number {
  const afi = afiOf(key);
  return afi === AFI.ipv4 ? 32 : afi === AFI.ipv6 ? 128 : 0;
}
