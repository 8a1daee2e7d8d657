/** What a record of `explain` has, in the order in which it is written. */
import { FINDINGS } from '../explain/finding.js';
import type { ExplainedFlow } from './explain-records.js';
import { CONNECTION, FLOW_FIELDS } from './flow-record.js';
import { type Fields, listOf, meaning, oneOf, oneOfKeys, seconds, sentences } from './record-type.js';

const finding = oneOfKeys(FINDINGS);
const { id, ...flow } = FLOW_FIELDS;

export const EXPLAINED_FIELDS: Fields<ExplainedFlow> = {
  id,
  connection: CONNECTION,
  ...flow,
  finding,
  confidence: oneOf('certain', 'likely', 'possible'),
  alternatives: meaning('what else it may have been, likeliest first', listOf(finding)),
  evidence: sentences,
  against: sentences,
  at: meaning('seconds since t = 0: the reset, the first unanswered transmission, or the end', seconds),
};
