/** The words and ranges that a scenario may hold. */
import type { SelectName } from '../route/next-hop-group.js';
import type { HashName } from './model.js';

export const API_VERSION = 'flowfate.dev/v1';

export const HASH_NAMES = [
  'linux-l3',
  'linux-l4',
  'linux-inner',
  'linux-custom',
  'crc32c',
  'crc16',
  'toeplitz',
  'jenkins',
  'murmur3',
  'xor',
] as const satisfies readonly HashName[];

export const SELECT_NAMES = [
  'modulo',
  'hash-threshold',
  'resilient',
  'rendezvous',
  'maglev',
  'ring',
] as const satisfies readonly SelectName[];

export const PROXY_NAMES = ['iptables', 'nftables', 'ipvs', 'cilium', 'calico-ebpf'] as const;
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
