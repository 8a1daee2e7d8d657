/** MULTI_EXIT_DISC: RFC 4271 section 5.1.4; malformed: RFC 7606 section 7.4. */
import { OPTIONAL_NON_TRANSITIVE, OUTCOME } from './descriptor.js';
import { uint32Attribute } from './fixed-value.js';

export const MULTI_EXIT_DISC = uint32Attribute({
  code: 4,
  name: 'MULTI_EXIT_DISC',
  flags: OPTIONAL_NON_TRANSITIVE,
  onMalformed: OUTCOME.treatAsWithdraw,
  toJson: (value) => value,
});
