/** AS4_AGGREGATOR: RFC 6793 section 3; malformed, or from a four-octet speaker: discarded (section 6). */
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { lowestAsn } from './002-as-path.js';
import { type Aggregator, aggregatorToJson } from './007-aggregator.js';
import { type AttributeDescriptor, OPTIONAL_TRANSITIVE, OUTCOME } from './descriptor.js';

export const AS4_AGGREGATOR: AttributeDescriptor<Aggregator> = {
  code: 18,
  name: 'AS4_AGGREGATOR',
  flags: OPTIONAL_TRANSITIVE,
  onMalformed: OUTCOME.attributeDiscard,
  check(view, at, end, context) {
    if (context.asn4 && context.peering !== 'unknown') return UPDATE_ERROR.optionalAttribute;
    if (end - at !== 8) return UPDATE_ERROR.attributeLength;
    return view.getUint32(at) < lowestAsn(context) ? UPDATE_ERROR.optionalAttribute : 0;
  },
  decode: (view, at) => ({ asn: view.getUint32(at), address: view.getUint32(at + 4) }),
  encode({ asn, address }, out) {
    out.u32(asn);
    out.u32(address);
  },
  toJson: aggregatorToJson,
};
