/**
 * What a speaker is and what it wants of one peer: all that the session machines know of a configuration.
 *
 * A change of anything here needs a new session; {@link samePeerSettings} says whether there is one.
 */
import type { Address } from '../../addr/address.js';
import type { FamilyKey } from '../codec/address-family.js';

/** Our own side, the same for all sessions. */
export interface LocalSpeaker {
  readonly asn: number;
  /** unsigned 32 bits, not 0 */
  readonly bgpIdentifier: number;
  /** FQDN capability (draft-walton-bgp-hostname-capability); `null` = not announced */
  readonly hostName: string | null;
  /**
   * `restarted`: the first sessions carry the R bit of RFC 4724, and nothing is announced until the peers that
   * restart gracefully have sent all their routes, or {@link selectionDeferralS} has passed.
   */
  readonly start: 'fresh' | 'restarted';
  readonly selectionDeferralS: number;
}

/** the capability has 24 bits for it */
export const MAX_LONG_LIVED_STALE_S = 0xffffff;

/** longest time that routes of a returned peer stay stale where nobody says otherwise */
export const DEFAULT_STALE_S = 360;

export interface GracefulRestartSettings {
  /** how long our peers shall wait for us: 0 .. 4095 */
  readonly restartTimeS: number;
  /** longest time that routes of a returned peer stay stale, whatever it sends */
  readonly staleTimeS: number;
  /** F bit: forwarding goes on while we are away */
  readonly forwardingPreserved: boolean;
  /**
   * Long-lived graceful restart (RFC 9494): how long our peers shall keep our routes beyond the restart time, and
   * the longest time that we keep theirs; 0 = not announced, otherwise up to {@link MAX_LONG_LIVED_STALE_S}
   */
  readonly longLivedStaleS: number;
}

export const ADD_PATH_SETTINGS = ['none', 'receive', 'send', 'both'] as const;
export type AddPathSetting = (typeof ADD_PATH_SETTINGS)[number];

/** Our role towards the peer: RFC 9234 section 4.1. */
export const SESSION_ROLES = ['provider', 'rs', 'rs-client', 'customer', 'peer'] as const;
export type SessionRole = (typeof SESSION_ROLES)[number];

export interface PeerSettings {
  /** name of the session for its whole life: the peer's address, with its port where several share one */
  readonly id: string;
  readonly address: Address;
  /** where it listens */
  readonly port: number;
  /** our end of the connections that we open; `null` = as routing has it */
  readonly localAddress: Address | null;
  /** `null` = any */
  readonly asn: number | null;
  /** `passive`: we only wait for it; `active`: we connect as well */
  readonly mode: 'passive' | 'active';
  readonly families: readonly FamilyKey[];
  /** proposed in OPEN: 0 = no timer, otherwise 3 .. 65535 */
  readonly holdTimeS: number;
  /** between two attempts to connect */
  readonly connectRetryS: number;
  /** a peer that takes nothing from us for so long is given up (RFC 9687); 0 = never */
  readonly sendHoldTimeS: number;
  readonly gracefulRestart: GracefulRestartSettings | null;
  readonly addPath: AddPathSetting;
  readonly extendedMessages: boolean;
  /** IPv4 routes with IPv6 next hops: RFC 8950 */
  readonly extendedNextHop: boolean;
  readonly role: SessionRole | null;
  /** RFC 9234 section 4.2: a peer that names no role is refused */
  readonly strictRole: boolean;
  readonly enforceFirstAs: boolean;
  /** how long a peer that sent too many prefixes is refused before it may try again; doubles up to 16 times */
  readonly penaltyS: number;
}

export const DEFAULT_PEER: Omit<PeerSettings, 'id' | 'address' | 'families'> = {
  port: 179,
  localAddress: null,
  asn: null,
  mode: 'passive',
  holdTimeS: 90,
  connectRetryS: 5,
  sendHoldTimeS: 480,
  gracefulRestart: null,
  addPath: 'none',
  extendedMessages: true,
  extendedNextHop: false,
  role: null,
  strictRole: false,
  enforceFirstAs: true,
  penaltyS: 60,
};

/** Whether a session made with `a` may go on where `b` is wanted. */
export function samePeerSettings(a: PeerSettings, b: PeerSettings): boolean {
  return JSON.stringify(a, orderedKeys) === JSON.stringify(b, orderedKeys);
}

/** Keys in one order, however the object was put together. */
function orderedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
