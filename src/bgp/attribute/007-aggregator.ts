/**
 * AGGREGATOR: RFC 4271 section 5.1.7; an AS number of two or four octets (RFC 6793) and an IPv4 address.
 * Malformed: RFC 7606 section 7.7; AS 0: RFC 7607 section 2.
 */
import { formatIpv4 } from '../../addr/address.js';
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { asnBytes, asnOnWire, lowestAsn } from './002-as-path.js';
import { type AttributeDescriptor, OPTIONAL_TRANSITIVE, OUTCOME } from './descriptor.js';

export interface Aggregator {
  readonly asn: number;
  /** IPv4 address, unsigned 32 bits */
  readonly address: number;
}

export const AGGREGATOR: AttributeDescriptor<Aggregator> = {
  code: 7,
  name: 'AGGREGATOR',
  flags: OPTIONAL_TRANSITIVE,
  onMalformed: OUTCOME.attributeDiscard,
  check(view, at, end, context) {
    const width = asnBytes(context);
    if (end - at !== width + 4) return UPDATE_ERROR.attributeLength;
    const asn = width === 4 ? view.getUint32(at) : view.getUint16(at);
    return asn < lowestAsn(context) ? UPDATE_ERROR.optionalAttribute : 0;
  },
  decode(view, at, _end, context) {
    const width = asnBytes(context);
    return {
      asn: width === 4 ? view.getUint32(at) : view.getUint16(at),
      address: view.getUint32(at + width),
    };
  },
  encode({ asn, address }, out, context) {
    if (context.asn4) out.u32(asn);
    else out.u16(asnOnWire(asn, 2));
    out.u32(address);
  },
  toJson: aggregatorToJson,
};

export function aggregatorToJson({ asn, address }: Aggregator): unknown {
  return { asn, address: formatIpv4(address) };
}
