import { describe, expect, test } from 'vitest';
import { VERDICT_FIELDS } from '../../../src/report/flow-record.js';
import { jsonRecordWriter } from '../../../src/report/json-record.js';
import { OctetWriter } from '../../../src/report/octet-writer.js';
import { zodRecord } from '../../../src/report/record-zod.js';
import type { FlowVerdict } from '../../../src/verdict/verdict.js';
import { MADE_VERDICTS } from './made-result.js';

const write = jsonRecordWriter(VERDICT_FIELDS);

function written(verdict: FlowVerdict): string {
  let text = '';
  const out = new OctetWriter((octets) => {
    text += Buffer.from(octets).toString();
  });
  write(out, verdict);
  out.flush();
  return text;
}

/** Every field that a verdict can have, in the order of the report. */
const WHOLE: FlowVerdict = {
  ...MADE_VERDICTS[0]!,
  proto: 47,
  fate: 'timeout',
  chances: { timeout: 0.75, delivered: 0.25 },
  latent: true,
  unanswered: 'server-data',
  application: null,
  cause: { event: null, hop: 'router', reason: 'no-route' },
  chain: ['One.', 'Two "quoted".'],
  brokenAt: 5.000106,
  path: [{ at: -0.5, nextHop: null, node: 'n1', endpoint: null, target: null }],
  source: {
    atClient: '198.51.100.1',
    atEndpoint: null,
    preserved: null,
    steps: [{ hop: 'node n1', mechanism: 'masquerade', from: 'a', to: 'b', random: true }],
    recoverable: 'x-forwarded-for',
    application: {
      peer: 'p',
      sees: null,
      preserved: false,
      forged: 'f',
      forgedWins: true,
      fault: null,
      restoredBy: ['one'],
    },
  },
  drawn: true,
};

describe('jsonRecordWriter()', () => {
  test('writes a verdict as JSON.stringify does, each of its fields in the order of the definition', () => {
    for (const verdict of [...MADE_VERDICTS, WHOLE]) {
      const inOrder = Object.fromEntries(
        Object.keys(VERDICT_FIELDS).map((key) => [key, verdict[key as keyof FlowVerdict]]),
      );
      expect(written(verdict)).toBe(JSON.stringify(inOrder));
    }
  });

  test('leaves out what is undefined', () => {
    const text = written({ ...MADE_VERDICTS[0]!, latent: undefined, unanswered: undefined });
    expect(JSON.parse(text)).not.toHaveProperty('latent');
    expect(JSON.parse(text)).not.toHaveProperty('unanswered');
  });
});

test('the schema of the same definition accepts what is written, and nothing beside it', () => {
  const schema = zodRecord(VERDICT_FIELDS);
  for (const verdict of [...MADE_VERDICTS, WHOLE]) schema.parse(JSON.parse(written(verdict)));
  expect(schema.safeParse({ ...JSON.parse(written(WHOLE)), other: 1 }).success).toBe(false);
  expect(schema.safeParse({ ...JSON.parse(written(WHOLE)), srcPort: 65536 }).success).toBe(false);
});
