/** JSON Schema of `explain --format json`. */
import { z } from 'zod';
import { type JsonSchema, jsonSchemaOf } from '../cluster/yaml/json-schema.js';
import { FINDINGS } from '../explain/finding.js';
import { EXPLAINED_FIELDS } from './explained-record.js';
import { captureSchema, count, oneOfKeys, seconds, sentences, share } from './record-schemas.js';
import { zodRecord } from './record-zod.js';
import { REPORT_SCHEMA } from './records.js';

const finding = oneOfKeys(FINDINGS);
const byFinding = z.partialRecord(finding, count);

const burst = z.strictObject({
  id: z.string(),
  from: seconds,
  to: seconds,
  flows: count.describe('connections that broke in it'),
  resets: count,
  silent: count,
  active: count.describe('connections that were in use then, the broken ones among them'),
  byFinding,
  common: sentences.describe('what all of them share'),
  differ: sentences.describe('in what they differ'),
  event: z.string().nullable().describe('the change of routes shortly before, or null'),
  reading: z.string().describe('what the figures suggest'),
});

const explainSchema = z.strictObject({
  schema: z.literal(REPORT_SCHEMA),
  capture: captureSchema,
  bursts: z.array(burst),
  flows: z.array(zodRecord(EXPLAINED_FIELDS)),
  summary: z.strictObject({
    flows: count,
    judged: count.describe('connections with a finding other than cannot-tell'),
    broken: count,
    brokenShare: share.describe('broken over judged; null where nothing was judged'),
    byFinding,
    notes: sentences,
    nextSteps: z
      .array(z.strictObject({ between: z.array(finding), fetch: z.string() }))
      .describe('what would tell findings apart'),
  }),
});

export function explainJsonSchema(): JsonSchema {
  return jsonSchemaOf(
    explainSchema,
    'flowfate explanation',
    'What flowfate explain --format json prints: what the capture itself shows of every connection.',
  );
}
