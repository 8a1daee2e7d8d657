/**
 * PREFIX_SID: RFC 8669 section 3, TLVs (type 1, length 2); RFC 9252 adds SRv6 service TLVs. What does not add
 * up is discarded (RFC 8669 section 6); TLVs are carried.
 */
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { type AttributeDescriptor, OPTIONAL_TRANSITIVE, OUTCOME } from './descriptor.js';
import { readTlvs, type Tlv, type TlvLayout, tlvsAreValid, tlvsToJson, writeTlvs } from './tlv.js';

const LAYOUT: TlvLayout = { typeBytes: 1, lengthCounts: 'value' };

export const PREFIX_SID: AttributeDescriptor<readonly Tlv[]> = {
  code: 40,
  name: 'PREFIX_SID',
  flags: OPTIONAL_TRANSITIVE,
  onMalformed: OUTCOME.attributeDiscard,
  check: (view, at, end) => (tlvsAreValid(view, at, end, LAYOUT) ? 0 : UPDATE_ERROR.optionalAttribute),
  decode: (view, at, end) => readTlvs(view, at, end, LAYOUT),
  encode: (tlvs, out) => writeTlvs(tlvs, out, LAYOUT),
  toJson: tlvsToJson,
};
