import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FlowChange } from '../../../src/what-if/changes.js';
import { inFolder, runCommand } from './made-io.js';

const CAPTURE = 'captures/cluster-withdraw.pcap.gz';
const BEFORE = 'captures/cluster-withdraw.yaml';

/** The scenario again with other text, in a folder of the test's. */
function changedScenario(folder: string, change: (text: string) => string): string {
  const file = join(folder, 'after.yaml');
  writeFileSync(file, change(readFileSync(BEFORE, 'utf8')));
  return file;
}

const resilient = (text: string): string => text.replace('select: hash-threshold', 'select: resilient');

async function json(argv: readonly string[]) {
  const { status, out, err } = await runCommand([...argv, '--format', 'json']);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  return JSON.parse(out);
}

interface Told {
  readonly src: string;
  readonly srcPort: number;
  readonly connection: number;
  readonly fate: string;
}

describe('flowfate compare --before --after', () => {
  test('counts what two replays say of each connection', () =>
    inFolder(async (folder) => {
      const file = changedScenario(folder, resilient);
      const one = await json(['replay', CAPTURE, '--scenario', BEFORE]);
      const other = await json(['replay', CAPTURE, '--scenario', file]);
      const { flows, summary, kind } = await json(['compare', CAPTURE, '--before', BEFORE, '--after', file]);
      const fates = new Map<string, string>(
        one.flows.map((flow: Told) => [[flow.src, flow.srcPort, flow.connection].join(), flow.fate]),
      );
      const broke = (fate: string): boolean => fate !== 'delivered' && fate !== 'unknown';
      const pairs = (other.flows as Told[]).map(
        (flow) => [fates.get([flow.src, flow.srcPort, flow.connection].join())!, flow.fate] as const,
      );
      const fixed = pairs.filter(([b, a]) => broke(b) && a === 'delivered').length;
      const newlyBroken = pairs.filter(([b, a]) => b === 'delivered' && broke(a)).length;
      expect(kind).toBe('changes');
      expect(summary).toMatchObject({ verdict: 'changed', fixed, newlyBroken, judged: one.summary.judged });
      expect(summary.before.summary.broken).toBe(one.summary.broken);
      expect(summary.after.summary.broken).toBe(other.summary.broken);
      expect(flows).toHaveLength(
        summary.changed + summary.judgedNow + summary.unjudgedNow + summary.onlyBefore + summary.onlyAfter,
      );
      expect(flows.filter(({ kind }: FlowChange) => kind === 'newly-broken')).toHaveLength(newlyBroken);
      expect(summary.settings).toEqual([
        { what: 'router.ecmp.select', before: 'hash-threshold', after: 'resilient' },
      ]);
      for (const breakdown of [summary.byCause, summary.byService, summary.byMinute]) {
        const sum = (of: 'before' | 'after' | 'fixed' | 'newlyBroken'): number =>
          breakdown.reduce((total: number, row: Record<string, number>) => total + row[of]!, 0);
        expect([sum('before'), sum('after'), sum('fixed'), sum('newlyBroken')]).toEqual([
          one.summary.broken,
          other.summary.broken,
          fixed,
          newlyBroken,
        ]);
      }
    }));

  test('says the same of two reports as of their scenarios, object or lines', () =>
    inFolder(async (folder) => {
      const file = changedScenario(folder, resilient);
      const one = join(folder, 'one.json');
      const other = join(folder, 'other.ndjson');
      await runCommand(['replay', CAPTURE, '--scenario', BEFORE, '--format', 'json', '--out', one]);
      await runCommand(['replay', CAPTURE, '--scenario', file, '--format', 'ndjson', '--out', other]);
      const scenarios = await json(['compare', CAPTURE, '--before', BEFORE, '--after', file]);
      const reports = await json(['compare', '--before', one, '--after', other]);
      const mixed = await json(['compare', CAPTURE, '--before', one, '--after', file]);
      const figures = ({ summary }: typeof scenarios) => {
        const { before, after, settings, ...counts } = summary;
        return { ...counts, before: before.summary, after: after.summary };
      };
      expect(figures(reports)).toEqual(figures(scenarios));
      expect(figures(mixed)).toEqual(figures(scenarios));
      expect(reports.flows).toHaveLength(scenarios.flows.length);
      expect(new Set(reports.flows.map((flow: FlowChange) => JSON.stringify(flow)))).toEqual(
        new Set(scenarios.flows.map((flow: FlowChange) => JSON.stringify(flow))),
      );
    }));

  test('prints text, lines, CSV and a page with the same figures', () =>
    inFolder(async (folder) => {
      const file = changedScenario(folder, resilient);
      const page = join(folder, 'changes.html');
      const argv = ['compare', CAPTURE, '--before', BEFORE, '--after', file];
      const { summary, flows } = await json(argv);
      const headline = `${summary.newlyBroken} flows newly broken, ${summary.fixed} fixed, of ${summary.judged}.`;
      const text = await runCommand([...argv, '--html', page]);
      expect(text.out).toContain(headline);
      expect(text.out).toContain('router.ecmp.select: hash-threshold → resilient');
      expect(readFileSync(page, 'utf8')).toContain(headline);
      const csv = (await runCommand([...argv, '--format', 'csv'])).out.trimEnd().split('\n');
      expect(csv).toHaveLength(1 + flows.length);
      const lines = (await runCommand([...argv, '--format', 'ndjson'])).out.trimEnd().split('\n');
      expect(lines).toHaveLength(2 + flows.length);
      expect(JSON.parse(lines.at(-1)!)).toEqual({ record: 'summary', ...summary });
    }));

  test('nothing changes between a scenario and itself', async () => {
    const { summary, flows } = await json(['compare', CAPTURE, '--before', BEFORE, '--after', BEFORE]);
    expect(summary).toMatchObject({ verdict: 'unchanged', changed: 0, settings: [] });
    expect(summary.stillBroken).toBe(summary.before.summary.broken);
    expect(flows).toEqual([]);
  });

  test('is inconclusive where the second scenario judges nothing, and fails a budget with 5', () =>
    inFolder(async (folder) => {
      const file = changedScenario(folder, (text) =>
        text.replaceAll('203.0.113.10', '192.0.2.99').replaceAll('2001:db8:113::10', '2001:db8:99::1'),
      );
      const argv = ['compare', CAPTURE, '--before', BEFORE, '--after', file];
      const { status, out, err } = await runCommand([...argv, '--fail-on', 'newlyBroken>0']);
      expect(out).toContain('Inconclusive: no connection was judged in both runs.');
      expect(out).toContain('judged before, not judged after');
      expect(status).toBe(5);
      expect(err).toContain('no budget can be held against this');
    }));

  test('fails with 1 where a budget is exceeded', () =>
    inFolder(async (folder) => {
      const argv = ['compare', CAPTURE, '--before', BEFORE, '--after', changedScenario(folder, resilient)];
      const { status, err } = await runCommand([...argv, '--fail-on', 'newlyBroken>0']);
      expect(status).toBe(1);
      expect(err).toContain('the budget "newlyBroken>0" is exceeded');
    }));

  test.each([
    [['compare', CAPTURE, '--before', BEFORE], '--after is missing'],
    [['compare'], 'name a capture'],
    [
      ['compare', CAPTURE, '--before', BEFORE, '--after', BEFORE, '--vary', 'policy=Local'],
      '--vary varies one scenario',
    ],
    [['compare', CAPTURE, '--scenario', BEFORE, '--html', 'x.html'], '--html belongs to a comparison'],
    [['compare', '--before', BEFORE, '--after', BEFORE], 'is no report of a replay'],
    [
      ['compare', '--before', BEFORE, '--after', BEFORE, '--scenario', BEFORE],
      'scenarios run over a capture',
    ],
  ])('refuses %j', async (argv, sentence) => {
    const { status, err, out } = await runCommand(argv);
    expect([2, 3]).toContain(status);
    expect(err).toContain(sentence);
    expect(out).toBe('');
  });
});
