/**
 * What the two speakers of a session have agreed on, as far as it changes the meaning of octets.
 *
 * The codec is pure: it sees octets and this. A session makes one context when both OPENs are known; a reader
 * of dumps or captures, which sees no session, uses {@link OFFLINE}.
 */
import type { FamilyKey } from './address-family.js';

export type Peering =
  /** eBGP */
  | 'external'
  /** iBGP */
  | 'internal'
  /** eBGP between member ASes of one confederation (RFC 5065) */
  | 'confederation'
  /** a dump or a capture: nothing is discarded because of who sent it, and every next hop is shown */
  | 'unknown';

export interface CodecContext {
  /** AS numbers in AS_PATH and AGGREGATOR have four octets (RFC 6793: both sides announced capability 65) */
  readonly asn4: boolean;
  /** messages other than OPEN and KEEPALIVE may have 65,535 octets (RFC 8654, both sides) */
  readonly extendedMessages: boolean;
  /** families whose NLRI arrive with a path identifier (RFC 7911) */
  readonly addPathReceive: ReadonlySet<FamilyKey>;
  /** families whose NLRI are sent with a path identifier */
  readonly addPathSend: ReadonlySet<FamilyKey>;
  /** IPv4 families that may have an IPv6 next hop (RFC 8950) */
  readonly extendedNextHop: ReadonlySet<FamilyKey>;
  /** families in use on the session; `null` = all. MP_REACH and MP_UNREACH of others are ignored (RFC 4760 7) */
  readonly families: ReadonlySet<FamilyKey> | null;
  readonly peering: Peering;
  /** AS of the peer; 0 where unknown */
  readonly peerAsn: number;
  /** an eBGP AS_PATH must begin with {@link peerAsn} (RFC 4271 section 6.3, a MAY) */
  readonly enforceFirstAs: boolean;
  /** AIGP is accepted on this session (RFC 7311 section 3: off for eBGP unless configured) */
  readonly aigp: boolean;
}

const NO_FAMILIES: ReadonlySet<FamilyKey> = new Set();

/** Everything accepted from anyone, 4-octet AS numbers, no path identifiers. */
export const OFFLINE: CodecContext = {
  asn4: true,
  extendedMessages: true,
  addPathReceive: NO_FAMILIES,
  addPathSend: NO_FAMILIES,
  extendedNextHop: NO_FAMILIES,
  families: null,
  peering: 'unknown',
  peerAsn: 0,
  enforceFirstAs: false,
  aigp: true,
};

/** Longest message that may be received (and sent) in this context: RFC 4271 section 4, RFC 8654 section 4. */
export function maxMessageBytes(context: CodecContext): number {
  return context.extendedMessages ? 65535 : 4096;
}
