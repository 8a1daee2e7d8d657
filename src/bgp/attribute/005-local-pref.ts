/** LOCAL_PREF: RFC 4271 section 5.1.5; from outside discarded, malformed from inside: RFC 7606 section 7.5. */
import { OUTCOME, WELL_KNOWN } from './descriptor.js';
import { uint32Attribute } from './fixed-value.js';

export const LOCAL_PREF = uint32Attribute({
  code: 5,
  name: 'LOCAL_PREF',
  flags: WELL_KNOWN,
  onMalformed: OUTCOME.treatAsWithdraw,
  internalOnly: true,
  toJson: (value) => value,
});
