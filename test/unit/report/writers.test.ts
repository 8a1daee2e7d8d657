import { describe, expect, test } from 'vitest';
import { writeJson } from '../../../src/report/json.js';
import { writeNdjson } from '../../../src/report/ndjson.js';
import { asText, type OctetSink } from '../../../src/report/octet-writer.js';
import type { ReplayResult } from '../../../src/verdict/verdict.js';
import { HOSTILE_FILE, MADE_VERDICTS, madeResult } from './made-result.js';

function collect(write: (sink: OctetSink) => void): string {
  let text = '';
  write(
    asText((piece) => {
      text += piece;
    }),
  );
  return text;
}

describe('writeJson()', () => {
  test('writes one JSON object with schema, capture, events, flows and summary in this order', () => {
    const result = madeResult();
    const report = JSON.parse(collect((sink) => writeJson(result, sink)));
    expect(Object.keys(report)).toEqual(['schema', 'capture', 'events', 'flows', 'summary']);
    expect(report.schema).toBe('flowfate/report/1');
    expect(report.capture.file).toBe(HOSTILE_FILE);
    expect(report.events).toEqual(result.events);
    expect(report.flows).toEqual(MADE_VERDICTS);
    expect(report.summary).toEqual(result.summary);
  });

  test('writes valid JSON where there is neither event nor flow', () => {
    const empty: ReplayResult = { ...madeResult([]), events: [] };
    const report = JSON.parse(collect((sink) => writeJson(empty, sink)));
    expect(report.events).toEqual([]);
    expect(report.flows).toEqual([]);
  });

  test('gives the same bytes for the same result', () => {
    const once = collect((sink) => writeJson(madeResult(), sink));
    const twice = collect((sink) => writeJson(madeResult(), sink));
    expect(twice).toBe(once);
  });

  test('adds wall time and rate to the summary only where asked', () => {
    const timing = { wallS: 0.5, packetsPerS: 4690 };
    const timed = JSON.parse(collect((sink) => writeJson(madeResult(), sink, timing)));
    expect(timed.summary.timing).toEqual(timing);
    const untimed = JSON.parse(collect((sink) => writeJson(madeResult(), sink)));
    expect(untimed.summary).not.toHaveProperty('timing');
  });

  test('hands a large report on in pieces', () => {
    const many = Array.from({ length: 5000 }, (_, id) => ({ ...MADE_VERDICTS[6]!, id }));
    const pieces: number[] = [];
    writeJson(madeResult(many), (piece) => pieces.push(piece.length));
    expect(pieces.length).toBeGreaterThan(50);
    expect(Math.max(...pieces)).toBeLessThan(1 << 17);
  });
});

describe('writeNdjson()', () => {
  const lines = collect((sink) => writeNdjson(madeResult(), sink))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

  test('writes capture, events, flows and summary as a line each, in this order', () => {
    const kinds = lines.map(({ record }) => record);
    expect(kinds).toEqual(['capture', 'event', 'event', ...MADE_VERDICTS.map(() => 'flow'), 'summary']);
  });

  test('names the schema in its first line', () => {
    expect(lines[0].schema).toBe('flowfate/report/1');
  });

  test('writes each flow with exactly the fields of its verdict', () => {
    const flows = lines.filter(({ record }) => record === 'flow').map(({ record: _, ...flow }) => flow);
    expect(flows).toEqual(MADE_VERDICTS);
  });
});
