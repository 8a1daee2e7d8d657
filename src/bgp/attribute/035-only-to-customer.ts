/** ONLY_TO_CUSTOMER (OTC): RFC 9234 section 5, the AS that set it; malformed: same section. */
import { OPTIONAL_TRANSITIVE, OUTCOME } from './descriptor.js';
import { uint32Attribute } from './fixed-value.js';

export const ONLY_TO_CUSTOMER = uint32Attribute({
  code: 35,
  name: 'ONLY_TO_CUSTOMER',
  flags: OPTIONAL_TRANSITIVE,
  onMalformed: OUTCOME.treatAsWithdraw,
  toJson: (value) => value,
});
