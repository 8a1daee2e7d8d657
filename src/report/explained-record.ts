/** What a record of `explain` has, in the order in which it is written. */
import { type Confidence, FINDINGS, type FindingName } from '../explain/finding.js';
import type { FlowRow } from '../flow/flow-rows.js';
import { CONNECTION, FLOW_FIELDS } from './flow-record.js';
import { type Fields, listOf, meaning, oneOf, oneOfKeys, seconds, sentences } from './record-type.js';

/** One connection; the client's side comes first. Times are seconds since t = 0. */
export interface ExplainedFlow extends FlowRow {
  /** counts from 0 within the five-tuple */
  readonly connection: number;
  readonly finding: FindingName;
  readonly confidence: Confidence;
  readonly alternatives: readonly FindingName[];
  readonly evidence: readonly string[];
  readonly against: readonly string[];
  /** the reset, the first unanswered transmission, or the end */
  readonly at: number;
}

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
