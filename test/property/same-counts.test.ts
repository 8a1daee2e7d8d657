/**
 * The same question has the same answer wherever it is asked: on random clusters, timelines and traffic, a summary is
 * counted again from the records of its own report, and held against every other output and command.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { refusePlane } from '../../src/cluster/refuse-plane.js';
import { writeChangesCsv, writeChangesJson } from '../../src/report/changes-records.js';
import { count } from '../../src/report/figures.js';
import { writeHtml } from '../../src/report/html.js';
import { writeJson } from '../../src/report/json.js';
import { writeMatrixCsv, writeMatrixJson } from '../../src/report/matrix.js';
import { writeNdjson } from '../../src/report/ndjson.js';
import { asText } from '../../src/report/octet-writer.js';
import { readReport } from '../../src/report/read-report.js';
import type { Sink } from '../../src/report/sink.js';
import { PLAIN } from '../../src/report/terminal.js';
import { writeText } from '../../src/report/text.js';
import { FigureSum } from '../../src/stories/figure-sum.js';
import { FATES, isBroken } from '../../src/verdict/fates.js';
import { replay } from '../../src/verdict/replay.js';
import type { FlowVerdict, Hit, ReplayResult, Summary } from '../../src/verdict/verdict.js';
import { compareRuns, pairsByName, pairsOfReplays, runOf } from '../../src/what-if/changes.js';
import { compare } from '../../src/what-if/compare.js';
import { DrainCost } from '../../src/what-if/drain-cost.js';
import { behindRandomEdge } from '../support/random-edge.js';
import { Dice, randomIndex, randomModel } from '../support/random-world.js';

const runs = { numRuns: Number(process.env.FLOWFATE_RUNS ?? 25), seed: 11 };

function written(write: (sink: Sink) => void): string {
  let text = '';
  write((piece) => {
    text += piece;
  });
  return text;
}

/** The counts of a summary, from nothing but the records of connections. */
function recounted(flows: readonly FlowVerdict[]) {
  const tally = <K>(keys: readonly K[]): Map<K, number> => {
    const counts = new Map<K, number>();
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts;
  };
  const broken = flows.filter(({ fate }) => isBroken(fate));
  const judged = flows.filter((flow) => flow.judged);
  const fates = tally(flows.map(({ fate }) => fate));
  return {
    flows: flows.length,
    judged: judged.length,
    broken: broken.length,
    brokenShare: judged.length === 0 ? null : broken.length / judged.length,
    byFate: Object.fromEntries(FATES.map((fate) => [fate, fates.get(fate) ?? 0])),
    unjudged: Object.fromEntries(tally(flows.flatMap(({ unjudged }) => unjudged ?? []))),
    byCause: Object.fromEntries(tally(broken.map(({ cause }) => cause!.reason))),
    latent: flows.filter(({ latent }) => latent === true).length,
    byApplication: Object.fromEntries(tally(flows.flatMap(({ application }) => application ?? []))),
  };
}

function countsOf({
  flows,
  judged,
  broken,
  brokenShare,
  byFate,
  unjudged,
  byCause,
  latent,
  byApplication,
}: Summary) {
  return { flows, judged, broken, brokenShare, byFate, unjudged, byCause, latent, byApplication };
}

/** Breakdowns of the summary against the connections: by service, by client, by first node, by minute. */
function holdBreakdowns({ summary, events }: ReplayResult, flows: readonly FlowVerdict[]): void {
  for (const { service, ...of } of summary.byService) {
    const own = recounted(flows.filter((flow) => flow.service === service));
    const { flows: all, judged, broken, brokenShare, byFate } = own;
    expect({ service, ...of }).toMatchObject({ service, flows: all, judged, broken, brokenShare, byFate });
  }
  const judged = flows.filter((flow) => flow.judged);
  const hit = (name: string, of: readonly FlowVerdict[]): Hit => ({
    name,
    judged: of.length,
    broken: of.filter(({ fate }) => isBroken(fate)).length,
  });
  for (const client of summary.hits.clients) {
    expect(client).toEqual(
      hit(
        client.name,
        judged.filter(({ src }) => src === client.name),
      ),
    );
  }
  expect(summary.hits.clientsJudged).toBe(new Set(judged.map(({ src }) => src)).size);
  expect(summary.hits.minutes.reduce((sum, minute) => sum + minute.broken, 0)).toBe(summary.broken);
  expect(summary.hits.minutes.reduce((sum, minute) => sum + minute.judged, 0)).toBe(summary.judged);
  for (const { id, flowsBroken } of events) {
    expect([id, flowsBroken]).toEqual([id, flows.filter(({ cause }) => cause?.event === id).length]);
  }
}

/** Text and page say the headline's figures. */
function holdSentences(result: ReplayResult): void {
  const { verdict, broken, judged, flows } = result.summary;
  const text = written((sink) => writeText(result, sink, { palette: PLAIN, columns: 1000 }));
  const page = written((sink) => writeHtml(result, sink)).replaceAll(/<\/?b>/g, '');
  if (verdict === 'broken') {
    const which = judged === flows ? '' : 'judged ';
    for (const said of [text, page]) {
      expect(said.replaceAll(/\s+/g, ' ')).toContain(
        `${count(broken)} of ${count(judged)} ${which}flows broke`,
      );
    }
  } else {
    const word = verdict === 'inconclusive' ? 'Inconclusive' : 'No flow broke';
    for (const said of [text, page]) expect(said).toContain(word);
  }
  for (const { name, judged: of, broken: hit } of result.summary.hits.nodes) {
    if (hit > 0) expect(page).toContain(`<td>${name}</td><td class="n">${count(hit)} of ${count(of)}</td>`);
  }
  if (judged !== flows) expect(page).toContain(`Judged ${count(judged)} of ${count(flows)}`);
}

function world(seed: number) {
  const dice = new Dice(seed);
  const index = randomIndex(dice, 60, dice.chance(0.3) ? 'shared' : 'own', 'several');
  const model = randomModel(dice);
  return { dice, index, model: dice.chance(0.2) ? behindRandomEdge(model, dice) : model };
}

test('a summary is what its records add up to, in JSON, ndjson, text and page', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const { index, model } = world(seed);
      const result = replay(index, model);
      const flows = Array.from({ length: result.flowCount }, (_, row) => result.flowVerdict(row));
      expect(flows.map(({ fate }) => fate)).toEqual(flows.map((_, row) => result.fateOf(row)));
      expect(countsOf(result.summary)).toEqual(recounted(flows));
      holdBreakdowns(result, flows);
      holdSentences(result);
      const json = JSON.parse(written((sink) => writeJson(result, asText(sink))));
      expect(json.flows).toEqual(JSON.parse(JSON.stringify(flows)));
      expect(json.summary).toEqual(JSON.parse(JSON.stringify(result.summary)));
      const lines = written((sink) => writeNdjson(result, asText(sink)))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(lines.filter(({ record }) => record === 'flow').map(({ record, ...flow }) => flow)).toEqual(
        json.flows,
      );
      expect(lines.at(-1)).toEqual({ record: 'summary', ...json.summary });
    }),
    runs,
  );
});

test('draws leave every count what its records add up to, and mean what they expect', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const { index, model } = world(seed);
      const result = replay(index, model, { draws: 4 });
      const flows = Array.from({ length: result.flowCount }, (_, row) => result.flowVerdict(row));
      expect(countsOf(result.summary)).toEqual(recounted(flows));
      const { expected } = result.summary;
      const mean = flows.reduce(
        (sum, { fate, chances }) =>
          sum +
          (chances === null
            ? Number(isBroken(fate))
            : FATES.filter(isBroken).reduce((p, broken) => p + (chances[broken] ?? 0), 0)),
        0,
      );
      expect(expected!.broken.mean).toBeCloseTo(mean, 6);
    }),
    { ...runs, numRuns: Math.ceil(runs.numRuns / 3) },
  );
});

test('compare, stories, plan and a comparison of two runs count as replay does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const { dice, index, model } = world(seed);
      // settings that exclude each other are refused before anything is counted
      fc.pre(refusePlane(model.dataplane, model.services) === null);
      const result = replay(index, model);
      const { summary } = result;
      const matrix = await compare(index, model, [], { seeds: 1, threads: 0 });
      const [row] = JSON.parse(written((sink) => writeMatrixJson(matrix, result.capture, sink))).rows;
      expect([row.judged, row.broken.mean, row.brokenShare]).toEqual([
        summary.judged,
        summary.broken,
        summary.brokenShare,
      ]);
      for (const fate of FATES) expect([fate, row[fate].mean]).toEqual([fate, summary.byFate[fate]]);
      const [titles, cells] = written((sink) => writeMatrixCsv(matrix, sink))
        .split('\r\n')
        .join('\n')
        .split('\n')
        .map((line) => line.split(','));
      expect(Number(cells![titles!.indexOf('broken')])).toBe(summary.broken);
      expect(Number(cells![titles!.indexOf('judged')])).toBe(summary.judged);

      const story = new FigureSum([]);
      story.add(result, model);
      const figures = story.figures();
      expect([figures.judged, figures.broken.mean, figures.byFate]).toEqual([
        summary.judged,
        summary.broken,
        summary.byFate,
      ]);

      const other = replay(index, { ...model, timeline: [] });
      const changes = compareRuns(
        runOf('before', other),
        runOf('after', result),
        pairsOfReplays(other, result),
        null,
      );
      const { fixed, newlyBroken, brokenOtherwise, stillBroken, ...rest } = changes.summary;
      const sum = (of: 'before' | 'after') => rest.byCause.reduce((total, one) => total + one[of], 0);
      expect([sum('before'), sum('after')]).toEqual([other.summary.broken, summary.broken]);
      const lines = written((sink) => writeChangesCsv(changes, sink))
        .trimEnd()
        .split('\n');
      expect(lines).toHaveLength(1 + changes.flowCount);
      const json = JSON.parse(written((sink) => writeChangesJson(changes, result.capture, sink)));
      expect(json.flows).toHaveLength(changes.flowCount);
      const read = (name: string, one: ReplayResult) =>
        readReport(
          name,
          written((sink) => writeJson(one, asText(sink))),
        ).run;
      const [before, after] = [read('before', other), read('after', result)];
      expect(compareRuns(before, after, pairsByName(before, after), null).summary).toEqual(changes.summary);
      if (rest.judged === result.summary.judged && rest.judged === other.summary.judged) {
        expect(fixed + brokenOtherwise + stillBroken).toBe(other.summary.broken);
        expect(newlyBroken + brokenOtherwise + stillBroken).toBe(summary.broken);
      }

      if (model.nodes.length < 2) return;
      const node = dice.below(model.nodes.length);
      const cost = new DrainCost(index, model, { everyS: 600, downS: 300 }, 10).at(node, [], 3);
      const drained = replay(index, {
        ...model,
        epochNs: null,
        timeline: [{ at: 3, kind: 'withdraw', node }],
      });
      const goes = drained.events.filter(({ kind }) => kind === 'withdraw').at(-1)!;
      expect([cost.judged, cost.out]).toEqual([drained.summary.judged, goes.flowsBroken]);
    }),
    runs,
  );
});
