/**
 * TUNNEL_ENCAPSULATION: RFC 9012 section 2, a list of tunnels (type 2, length 2, sub-TLVs). A list that does
 * not add up withdraws (section 13); what is inside a tunnel is carried.
 */
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { type AttributeDescriptor, OPTIONAL_TRANSITIVE, OUTCOME } from './descriptor.js';
import { readTlvs, type Tlv, type TlvLayout, tlvsAreValid, tlvsToJson, writeTlvs } from './tlv.js';

const LAYOUT: TlvLayout = { typeBytes: 2, lengthCounts: 'value' };

export const TUNNEL_ENCAPSULATION: AttributeDescriptor<readonly Tlv[]> = {
  code: 23,
  name: 'TUNNEL_ENCAPSULATION',
  flags: OPTIONAL_TRANSITIVE,
  onMalformed: OUTCOME.treatAsWithdraw,
  check: (view, at, end) => (tlvsAreValid(view, at, end, LAYOUT) ? 0 : UPDATE_ERROR.optionalAttribute),
  decode: (view, at, end) => readTlvs(view, at, end, LAYOUT),
  encode: (tlvs, out) => writeTlvs(tlvs, out, LAYOUT),
  toJson: tlvsToJson,
};
