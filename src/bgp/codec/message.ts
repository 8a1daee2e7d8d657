/**
 * BGP messages as values (RFC 4271 section 4): the readable form, for everything that is not hot.
 *
 * ```
 *  0                  16       18    19
 *  +------------------+--------+-----+----------- - -
 *  | marker, 16 x 0xff| length | type| body
 *  +------------------+--------+-----+----------- - -
 * ```
 *
 * The hot path does not build an {@link UpdateMessage}: a session that loads a table reads an UPDATE in place
 * through `UpdateView` (update-view.ts). Both forms share the attribute descriptors (attribute/registry.ts).
 */

import type { PathAttribute } from '../attribute/descriptor.js';
import type { FamilyKey } from './address-family.js';
import type { Capability } from './capability.js';
import type { PrefixNlri } from './nlri.js';

export const HEADER_BYTES = 19;

export const MESSAGE_TYPE = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const;

export interface OpenMessage {
  readonly type: typeof MESSAGE_TYPE.open;
  readonly version: number;
  /** the two-octet field: AS_TRANS (23456) where {@link asn} does not fit */
  readonly asn16: number;
  /** the AS of the speaker: capability 65 where announced, otherwise {@link asn16} */
  readonly asn: number;
  readonly holdTimeS: number;
  /** unsigned 32 bits, network order */
  readonly bgpIdentifier: number;
  /** in order of appearance, duplicates kept, unknown ones as raw octets */
  readonly capabilities: readonly Capability[];
}

export interface UpdateMessage {
  readonly type: typeof MESSAGE_TYPE.update;
  /** IPv4 unicast prefixes of the withdrawn routes field */
  readonly withdrawn: readonly PrefixNlri[];
  /** in order of appearance; MP_REACH_NLRI and MP_UNREACH_NLRI are among them */
  readonly attributes: readonly PathAttribute[];
  /** IPv4 unicast prefixes of the NLRI field */
  readonly nlri: readonly PrefixNlri[];
}

export interface NotificationMessage {
  readonly type: typeof MESSAGE_TYPE.notification;
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

interface KeepaliveMessage {
  readonly type: typeof MESSAGE_TYPE.keepalive;
}

export const REFRESH_SUBTYPE = {
  /** RFC 2918 */
  request: 0,
  /** beginning of route refresh, RFC 7313 */
  begin: 1,
  /** end of route refresh, RFC 7313 */
  end: 2,
} as const;

export interface RouteRefreshMessage {
  readonly type: typeof MESSAGE_TYPE.routeRefresh;
  readonly family: FamilyKey;
  readonly subtype: number;
  /** outbound route filters (RFC 5291) and anything else that follows, as it came */
  readonly filters: Uint8Array;
}

export type BgpMessage =
  | OpenMessage
  | UpdateMessage
  | NotificationMessage
  | KeepaliveMessage
  | RouteRefreshMessage;

/** What a message is answered with that cannot be accepted: the NOTIFICATION to send, and why in words. */
export interface MessageFault {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
  readonly reason: string;
}

/** `value`, or the `fault` that makes it unacceptable */
export type Decoded<T> =
  | { readonly value: T; readonly fault?: undefined }
  | { readonly value?: undefined; readonly fault: MessageFault };

const NO_DATA = new Uint8Array(0);

export function fault(
  code: number,
  subcode: number,
  reason: string,
  data: Uint8Array = NO_DATA,
): { readonly fault: MessageFault } {
  return { fault: { code, subcode, data, reason } };
}
