/**
 * NEXT_HOP: RFC 4271 section 5.1.3; wrong length: RFC 7606 section 7.3.
 *
 * A next hop that can be nobody's address (0.0.0.0, multicast, class E) is semantically incorrect, RFC 4271
 * section 6.3; the route is then treated as withdrawn. Loopback addresses pass here: speakers on one machine
 * use them, and in a dump any does. Whether the next hop is our own address or lies on a shared subnet is for the session to say.
 */
import { formatIpv4 } from '../../addr/address.js';
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { type AttributeDescriptor, OUTCOME, WELL_KNOWN } from './descriptor.js';

const FIRST_MULTICAST = 0xe0000000;

export const NEXT_HOP: AttributeDescriptor<number> = {
  code: 3,
  name: 'NEXT_HOP',
  flags: WELL_KNOWN,
  onMalformed: OUTCOME.treatAsWithdraw,
  check(view, at, end, context) {
    if (end - at !== 4) return UPDATE_ERROR.attributeLength;
    return context.peering === 'unknown' || isHostIpv4(view.getUint32(at)) ? 0 : UPDATE_ERROR.invalidNextHop;
  },
  decode: (view, at) => view.getUint32(at),
  encode: (value, out) => out.u32(value),
  toJson: formatIpv4,
};

/** `word` may be the address of a host: neither 0.0.0.0 nor 224.0.0.0 and above. */
export function isHostIpv4(word: number): boolean {
  return word !== 0 && word < FIRST_MULTICAST;
}
