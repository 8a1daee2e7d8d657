/** The words and ranges that a scenario may hold. */

export const API_VERSION = 'flowfate.dev/v1';

export const PROXY_NAMES = ['iptables', 'nftables', 'ipvs', 'cilium', 'calico-ebpf'] as const;
export const IPVS_SCHEDULERS = ['rr', 'lc', 'sh', 'mh'] as const;
/** Sizes that Cilium's agent accepts for its Maglev tables. */
export const CILIUM_TABLE_SIZES = [251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071] as const;
export const OVERLAY_NAMES = ['none', 'ipip', 'vxlan'] as const;

/** IP protocol numbers of the protocols a Service may have. */
export const PROTOCOLS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

export const MAX_WORD = 0xffffffff;
/** Twelve bits of fib_multipath_hash_fields, the kernel's FIB_MULTIPATH_HASH_FIELD_ALL_MASK. */
export const MAX_HASH_FIELDS = 0xfff;
export const MAX_BUCKETS = 1 << 24;
/** num_buckets of a kernel group is 16 bits wide (struct nexthop_grp, NHA_RES_GROUP_BUCKETS). */
export const MAX_RESILIENT_BUCKETS = 65535;
/** The ring's own limit of points a next hop. */
export const MAX_RING_POINTS = 1 << 20;
export const MAX_CONNTRACK = 0xffffffff;
