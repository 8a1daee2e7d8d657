/** JSON Schema of `replay --format json`: the objects of verdict.ts, whose tables of names it takes. */
import { z } from 'zod';
import { type JsonSchema, jsonSchemaOf } from '../cluster/yaml/json-schema.js';
import { FATES } from '../verdict/fates.js';
import { APPLICATION_TROUBLES, REASONS, UNJUDGED } from '../verdict/verdict.js';
import { VERDICT_FIELDS } from './flow-record.js';
import { captureSchema, count, countsBy, oneOfKeys, seconds, sentences, share } from './record-schemas.js';
import { zodRecord } from './record-zod.js';
import { REPORT_SCHEMA } from './records.js';

const text = z.string();
const fate = z.enum([...FATES]);
const byFate = z.record(fate, z.number().min(0));

const event = z.strictObject({
  id: text,
  at: seconds,
  kind: text,
  detail: text,
  flowsActive: count.describe('flows open at that moment'),
  flowsMoved: count.describe('of these, flows whose next hop it changed'),
  flowsBroken: count.describe('flows whose cause it is'),
  dropped: count.describe('client packets dropped because of it'),
});

const loads = z.array(z.strictObject({ name: text, flows: count, bytes: count }));
const unevenness = z.number().nullable();
const balance = z.strictObject({
  nodes: loads,
  endpoints: loads,
  maxOverMean: z
    .strictObject({ nodes: unevenness, endpoints: unevenness })
    .describe('busiest over mean, by flows; null where there is nothing to balance'),
});
const sourcePreserved = z.strictObject({ yes: count, no: count, unknown: count });
const hits = z.array(z.strictObject({ name: text, judged: count, broken: count }));

const totals = {
  flows: count,
  judged: count,
  broken: count,
  brokenShare: share.describe('broken over judged; null where nothing was judged'),
  byFate,
  sourcePreserved,
  balance,
};

const expected = z.strictObject({
  draws: count,
  broken: z.strictObject({ mean: z.number(), low: z.number(), high: z.number() }),
  byFate,
});

const summary = z.strictObject({
  ...totals,
  verdict: z
    .enum(['broken', 'none-broken', 'inconclusive'])
    .describe('inconclusive: nothing was judged, or no event met a judged connection'),
  basis: z.enum(['what-if', 'as-recorded']),
  unjudged: countsBy(UNJUDGED),
  expected: expected.nullable().describe('means over draws of the real system'),
  latent: count,
  byCause: z.partialRecord(oneOfKeys(REASONS), count),
  byApplication: countsBy(APPLICATION_TROUBLES),
  byService: z.array(z.strictObject({ service: text, ...totals })),
  hits: z.strictObject({
    clients: hits,
    clientsJudged: count,
    clientsBroken: count,
    nodes: hits,
    minutes: z.array(z.strictObject({ minute: z.int(), judged: count, broken: count })),
  }),
  scenario: z.strictObject({ name: text, seed: z.number(), madeFromCapture: z.boolean() }),
  assumed: z.array(z.strictObject({ what: text, value: text, because: text })),
  unread: sentences.describe('what was given, bears on paths, and was not used'),
  notes: sentences,
  timing: z.strictObject({ wallS: z.number(), packetsPerS: z.number() }).optional(),
});

const replaySchema = z.strictObject({
  schema: z.literal(REPORT_SCHEMA),
  capture: captureSchema,
  events: z.array(event),
  flows: z.array(zodRecord(VERDICT_FIELDS)),
  summary,
});

export function replayJsonSchema(): JsonSchema {
  return jsonSchemaOf(
    replaySchema,
    'flowfate report',
    'What flowfate replay --format json prints: the fate of every connection of the capture.',
  );
}
