/**
 * ROUTE-REFRESH: RFC 2918; beginning and end of a refresh RFC 7313; outbound route filters RFC 5291, carried.
 *
 * ```
 *   | AFI 2 | subtype 1 | SAFI 1 | filters |
 * ```
 */

import { afiOf, familyKey, safiOf } from './address-family.js';
import type { ByteWriter } from './byte-writer.js';
import { copyOctets } from './copy-octets.js';
import { type Decoded, fault, MESSAGE_TYPE, REFRESH_SUBTYPE, type RouteRefreshMessage } from './message.js';
import { ERROR_CODE, ROUTE_REFRESH_ERROR } from './notification-code.js';

/** The ROUTE-REFRESH whose body is `bytes[at .. end)`, four octets at least (the framer has seen to that). */
export function decodeRouteRefresh(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
): Decoded<RouteRefreshMessage> {
  const subtype = bytes[at + 2]!;
  const isMarker = subtype === REFRESH_SUBTYPE.begin || subtype === REFRESH_SUBTYPE.end;
  if (isMarker && end - at !== 4) {
    // RFC 7313 section 5: the data is the whole message, which the header precedes
    const whole = copyOctets(bytes, Math.max(at - 19, 0), end);
    const reason = 'a begin or end of route refresh is longer than its family';
    return fault(ERROR_CODE.routeRefresh, ROUTE_REFRESH_ERROR.badLength, reason, whole);
  }
  const family = familyKey(view.getUint16(at), bytes[at + 3]!);
  return {
    value: { type: MESSAGE_TYPE.routeRefresh, family, subtype, filters: copyOctets(bytes, at + 4, end) },
  };
}

export function encodeRouteRefresh(message: RouteRefreshMessage, out: ByteWriter): void {
  out.u16(afiOf(message.family));
  out.u8(message.subtype);
  out.u8(safiOf(message.family));
  out.octets(message.filters);
}
