/** CLUSTER_LIST: RFC 4456 section 8; discarded from outside, never empty: RFC 7606 section 7.10. */
import { formatIpv4 } from '../../addr/address.js';
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { readWords } from './008-communities.js';
import { type AttributeDescriptor, OPTIONAL_NON_TRANSITIVE, OUTCOME } from './descriptor.js';

export const CLUSTER_LIST: AttributeDescriptor<readonly number[]> = {
  code: 10,
  name: 'CLUSTER_LIST',
  flags: OPTIONAL_NON_TRANSITIVE,
  onMalformed: OUTCOME.treatAsWithdraw,
  internalOnly: true,
  check: (_view, at, end) => (end > at && (end - at) % 4 === 0 ? 0 : UPDATE_ERROR.attributeLength),
  decode: (view, at, end) => readWords(view, at, end),
  encode: (ids, out) => {
    for (const id of ids) out.u32(id);
  },
  toJson: (ids) => ids.map(formatIpv4),
};
