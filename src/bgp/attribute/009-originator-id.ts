/** ORIGINATOR_ID: RFC 4456 section 8; discarded from outside: RFC 7606 section 7.9. */
import { formatIpv4 } from '../../addr/address.js';
import { OPTIONAL_NON_TRANSITIVE, OUTCOME } from './descriptor.js';
import { uint32Attribute } from './fixed-value.js';

export const ORIGINATOR_ID = uint32Attribute({
  code: 9,
  name: 'ORIGINATOR_ID',
  flags: OPTIONAL_NON_TRANSITIVE,
  onMalformed: OUTCOME.treatAsWithdraw,
  internalOnly: true,
  toJson: formatIpv4,
});
