/** ATOMIC_AGGREGATE: RFC 4271 section 5.1.6, no value; malformed: RFC 7606 section 7.6. */
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { type AttributeDescriptor, OUTCOME, WELL_KNOWN } from './descriptor.js';

export const ATOMIC_AGGREGATE: AttributeDescriptor<true> = {
  code: 6,
  name: 'ATOMIC_AGGREGATE',
  flags: WELL_KNOWN,
  onMalformed: OUTCOME.attributeDiscard,
  check: (_view, at, end) => (at === end ? 0 : UPDATE_ERROR.attributeLength),
  decode: () => true,
  encode: () => {},
  toJson: () => true,
};
