/**
 * All attribute descriptors by code, and the names of those that are carried as octets only.
 *
 * An attribute without a descriptor is "unrecognized" in the sense of RFC 4271 section 5: passed on with the
 * Partial bit where it is transitive, dropped where it is not, an error where it claims to be well-known.
 */
import { ORIGIN } from './001-origin.js';
import { AS_PATH } from './002-as-path.js';
import { NEXT_HOP } from './003-next-hop.js';
import { MULTI_EXIT_DISC } from './004-multi-exit-disc.js';
import { LOCAL_PREF } from './005-local-pref.js';
import { ATOMIC_AGGREGATE } from './006-atomic-aggregate.js';
import { AGGREGATOR } from './007-aggregator.js';
import { COMMUNITIES } from './008-communities.js';
import { ORIGINATOR_ID } from './009-originator-id.js';
import { CLUSTER_LIST } from './010-cluster-list.js';
import { MP_REACH_NLRI } from './014-mp-reach-nlri.js';
import { MP_UNREACH_NLRI } from './015-mp-unreach-nlri.js';
import { EXTENDED_COMMUNITIES } from './016-extended-communities.js';
import { AS4_PATH } from './017-as4-path.js';
import { AS4_AGGREGATOR } from './018-as4-aggregator.js';
import { PMSI_TUNNEL } from './022-pmsi-tunnel.js';
import { TUNNEL_ENCAPSULATION } from './023-tunnel-encapsulation.js';
import { IPV6_EXTENDED_COMMUNITIES } from './025-ipv6-extended-communities.js';
import { AIGP } from './026-aigp.js';
import { LARGE_COMMUNITIES } from './032-large-communities.js';
import { ONLY_TO_CUSTOMER } from './035-only-to-customer.js';
import { PREFIX_SID } from './040-prefix-sid.js';
import type { AttributeDescriptor } from './descriptor.js';

const DESCRIPTORS = [
  ORIGIN,
  AS_PATH,
  NEXT_HOP,
  MULTI_EXIT_DISC,
  LOCAL_PREF,
  ATOMIC_AGGREGATE,
  AGGREGATOR,
  COMMUNITIES,
  ORIGINATOR_ID,
  CLUSTER_LIST,
  MP_REACH_NLRI,
  MP_UNREACH_NLRI,
  EXTENDED_COMMUNITIES,
  AS4_PATH,
  AS4_AGGREGATOR,
  PMSI_TUNNEL,
  TUNNEL_ENCAPSULATION,
  IPV6_EXTENDED_COMMUNITIES,
  AIGP,
  LARGE_COMMUNITIES,
  ONLY_TO_CUSTOMER,
  PREFIX_SID,
] as const;

/** Row `code`: its descriptor, or `null`. 256 rows. */
export const DESCRIPTOR_OF: readonly (AttributeDescriptor | null)[] = Array.from(
  { length: 256 },
  // each descriptor is used with the values of its own `decode` only, so forgetting V is safe
  (_, code) => (DESCRIPTORS.find((d) => d.code === code) as AttributeDescriptor | undefined) ?? null,
);

/**
 * The columns of {@link DESCRIPTOR_OF} that every attribute of every UPDATE meets. Descriptors differ in shape,
 * so that reading them there would be a megamorphic load.
 */
export const CHECK_OF: readonly (AttributeDescriptor['check'] | null)[] = DESCRIPTOR_OF.map(
  (d) => d?.check ?? null,
);
export const FLAGS_OF: Uint8Array = Uint8Array.from(DESCRIPTOR_OF, (d) => d?.flags ?? 0);
export const IS_INTERNAL_ONLY: Uint8Array = Uint8Array.from(DESCRIPTOR_OF, (d) => (d?.internalOnly ? 1 : 0));

/** IANA "BGP Path Attributes": known by name, carried as octets. */
const CARRIED_NAMES: ReadonlyMap<number, string> = new Map([
  [11, 'DPA'],
  [12, 'ADVERTISER'],
  [13, 'RCID_PATH'],
  [19, 'SSA'],
  [20, 'CONNECTOR'],
  [21, 'AS_PATHLIMIT'],
  [24, 'TRAFFIC_ENGINEERING'],
  [27, 'PE_DISTINGUISHER_LABELS'],
  [28, 'ENTROPY_LABEL_CAPABILITY'],
  [29, 'BGP_LS'],
  [33, 'BGPSEC_PATH'],
  [34, 'COMMUNITY_CONTAINER'],
  [36, 'D_PATH'],
  [37, 'SFP'],
  [38, 'BFD_DISCRIMINATOR'],
  [39, 'NEXT_HOP_CAPABILITIES'],
  [128, 'ATTR_SET'],
  [255, 'DEVELOPMENT'],
]);

export function attributeName(code: number): string {
  return DESCRIPTOR_OF[code]?.name ?? CARRIED_NAMES.get(code) ?? `attribute-${code}`;
}
