import { describe, expect, test } from 'vitest';
import { costOf, writeMatrixCsv, writeMatrixJson, writeMatrixText } from '../../../src/report/matrix.js';
import { PLAIN, widthOf } from '../../../src/report/terminal.js';
import type { Matrix, MatrixRow, Spread } from '../../../src/what-if/compare.js';
import { madeResult } from './made-result.js';

const exactly = (mean: number, interval = 0): Spread => ({
  mean,
  low: mean,
  high: mean,
  interval,
  min: mean,
  max: mean,
});

const row = (select: string, broken: number, fields: Partial<MatrixRow> = {}): MatrixRow => ({
  combination: [
    { knob: 'select', value: select },
    { knob: 'policy', value: 'Local' },
  ],
  broken: exactly(broken, 2.25),
  judged: 600,
  brokenShare: broken / 600,
  byFate: {
    delivered: exactly(600 - broken),
    reset: exactly(broken),
    refused: exactly(0),
    timeout: exactly(0),
    'endpoint-closed': exactly(0),
    misdelivered: exactly(0),
    unknown: exactly(0),
  },
  latent: exactly(0),
  maxOverMeanNodes: exactly(1.1),
  maxOverMeanEndpoints: exactly(1.1),
  sourcePreserved: exactly(1),
  refused: null,
  doubts: [],
  ...fields,
});

const MATRIX: Matrix = {
  flows: 600,
  seeds: 20,
  rows: [
    row('resilient', 100),
    row('modulo', 450, {
      latent: exactly(12.5),
      maxOverMeanNodes: exactly(1.5),
      sourcePreserved: exactly(0),
    }),
    row('maglev', 0, { refused: 'the table, with 3 buckets, is smaller than "4 next hops"' }),
  ],
};

function collect(write: (sink: (text: string) => void) => void): string {
  let text = '';
  write((piece) => {
    text += piece;
  });
  return text;
}

describe('the survival matrix', () => {
  test('as text ranks, with interval and share, and says what cannot be', () => {
    const view = { file: 'c.pcap', scenario: 's', palette: PLAIN, columns: 80 };
    const text = collect((sink) => writeMatrixText(MATRIX, sink, view));
    expect(text).toMatch(/1 {2}select=resilient policy=Local {2}█+▏?\s+100 ± 2\.3 broke +16\.7 %/);
    expect(text).toMatch(/2 {2}select=modulo policy=Local .* 450 ± 2\.3 broke +75 %/);
    expect(text).toContain('Not possible');
    expect(text.split('\n').filter((line) => widthOf(line) > 80)).toEqual([]);
  });

  test('as json has a row a line with settings and figures', () => {
    const report = JSON.parse(collect((sink) => writeMatrixJson(MATRIX, madeResult([]).capture, sink)));
    expect(report.seeds).toBe(20);
    expect(report.rows).toHaveLength(3);
    expect(report.rows[0].settings).toEqual({ select: 'resilient', policy: 'Local' });
    expect(report.rows[0].broken).toEqual(exactly(100, 2.25));
    expect(report.rows[0].timeout).toEqual(exactly(0));
    expect(report.rows[0].brokenShare).toBeCloseTo(1 / 6);
  });

  test('as csv quotes what needs it', () => {
    const lines = collect((sink) => writeMatrixCsv(MATRIX, sink))
      .trimEnd()
      .split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^rank,select,policy,flows,judged,broken,brokenInterval,/);
    expect(lines[1]).toMatch(/^1,resilient,Local,600,600,100,2\.25,/);
    expect(lines[3]).toMatch(/,"the table, with 3 buckets, is smaller than ""4 next hops""",$/);
  });

  test('says what a combination costs', () => {
    expect(costOf(MATRIX.rows[1]!)).toBe(
      '450 reset; 12.5 more would break at their next packet; the busiest node carries 1.50 times the mean; endpoints do not see the client address',
    );
    expect(costOf(row('maglev', 0))).toBe('nothing breaks; endpoints see the client address');
  });
});
