/**
 * AIGP: RFC 7311 section 3, TLVs of which type 1 holds the accumulated metric (64 bits). Ignored on sessions
 * that it is not configured for; malformed: discarded (section 3.2).
 */
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { type AttributeDescriptor, OPTIONAL_NON_TRANSITIVE, OUTCOME } from './descriptor.js';
import { readTlvs, type Tlv, type TlvLayout, tlvsAreValid, tlvsToJson, writeTlvs } from './tlv.js';

const LAYOUT: TlvLayout = { typeBytes: 1, lengthCounts: 'whole' };
const METRIC = { type: 1, valueBytes: 8 } as const;

export const AIGP: AttributeDescriptor<readonly Tlv[]> = {
  code: 26,
  name: 'AIGP',
  flags: OPTIONAL_NON_TRANSITIVE,
  onMalformed: OUTCOME.attributeDiscard,
  check(view, at, end, context) {
    if (!context.aigp) return UPDATE_ERROR.optionalAttribute;
    if (!tlvsAreValid(view, at, end, LAYOUT)) return UPDATE_ERROR.optionalAttribute;
    const wrongMetric = readTlvs(view, at, end, LAYOUT).some(
      ({ type, value }) => type === METRIC.type && value.length !== METRIC.valueBytes,
    );
    return wrongMetric ? UPDATE_ERROR.optionalAttribute : 0;
  },
  decode: (view, at, end) => readTlvs(view, at, end, LAYOUT),
  encode: (tlvs, out) => writeTlvs(tlvs, out, LAYOUT),
  toJson(tlvs) {
    const metric = aigpMetric(tlvs);
    // beyond 2^53 a JSON number would lie
    if (metric === null) return tlvsToJson(tlvs);
    return metric <= Number.MAX_SAFE_INTEGER ? Number(metric) : metric.toString();
  },
};

/** The accumulated metric: of the first TLV of type 1, as RFC 7311 section 3 has it; `null` without one. */
function aigpMetric(tlvs: readonly Tlv[]): bigint | null {
  const tlv = tlvs.find(({ type }) => type === METRIC.type);
  if (tlv === undefined) return null;
  return new DataView(tlv.value.buffer, tlv.value.byteOffset, METRIC.valueBytes).getBigUint64(0);
}
