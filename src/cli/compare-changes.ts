/** `flowfate compare --before … --after …`: two scenarios over one capture, or two reports, flow by flow. */
import { parse } from 'yaml';
import { printScenario } from '../cluster/scenario/print-scenario.js';
import { FlowfateError } from '../errors.js';
import { captureGaps } from '../flow/capture-gaps.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { readWhole } from '../input/read-sources.js';
import { exceededBy, parseBudget } from '../report/budget.js';
import { writeChangesHtml } from '../report/changes-html.js';
import { writeChangesCsv, writeChangesJson, writeChangesNdjson } from '../report/changes-records.js';
import { writeChangesText } from '../report/changes-text.js';
import { isReport, type ReadReport, readReport } from '../report/read-report.js';
import { captureRecord } from '../verdict/capture-record.js';
import { replay } from '../verdict/replay.js';
import type { CaptureRecord, ReplayResult } from '../verdict/verdict.js';
import {
  type ChangeSummary,
  type Changes,
  compareRuns,
  pairsByName,
  pairsOfReplays,
  type Run,
  runOf,
} from '../what-if/changes.js';
import { settingDifferences } from '../what-if/setting-differences.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { writeOutput } from './output.js';
import { readHeads } from './read-heads.js';
import { statusOfDamage, warn } from './read-input.js';
import { type LevelOptions, readForScenarios } from './read-level.js';
import { type ChosenScenario, type ScenarioOptions, scenarioFor } from './scenario-input.js';
import { columnsFor, paletteFor } from './view.js';

export interface ChangesOptions extends ScenarioOptions, LevelOptions {
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly draws: number;
  readonly asRecorded?: true;
  readonly failOn: readonly string[];
  readonly format: 'text' | 'json' | 'ndjson' | 'csv';
  readonly html?: string;
  readonly utc?: true;
  readonly out?: string;
  readonly color?: boolean;
}

const FIGURES: Readonly<Record<string, (summary: ChangeSummary) => number>> = {
  changed: ({ changed }) => changed,
  newlyBroken: ({ newlyBroken }) => newlyBroken,
  fixed: ({ fixed }) => fixed,
  brokenOtherwise: ({ brokenOtherwise }) => brokenOtherwise,
  stillBroken: ({ stillBroken }) => stillBroken,
  unjudgedNow: ({ unjudgedNow }) => unjudgedNow,
};

interface Compared {
  readonly changes: Changes;
  readonly capture: CaptureRecord;
  /** null where only reports were read */
  readonly index: CaptureIndex | null;
}

export async function compareChanges(
  capture: string | undefined,
  options: ChangesOptions,
  io: Io,
): Promise<ExitStatus> {
  const budgets = options.failOn.map((text) => parseBudget(text, Object.keys(FIGURES)));
  if (options.before.length === 0 || options.after.length === 0) {
    const missing = options.before.length === 0 ? '--before' : '--after';
    throw new FlowfateError('usage', `${missing} is missing: two runs are compared, --before and --after`);
  }
  const compared =
    capture === undefined ? await compareReports(options, io) : await compareScenarios(capture, options, io);
  const { changes, index } = compared;
  const inputs = [
    ...(capture === undefined ? [] : [capture]),
    ...options.before,
    ...options.after,
    ...options.scenario,
    ...options.cluster,
  ];
  write(compared, options, inputs, io);
  const damage = index === null ? ExitStatus.done : statusOfDamage(index, io);
  if (budgets.length === 0) return damage;
  const { summary } = changes;
  const isOpen = summary.verdict === 'inconclusive';
  const sentences = isOpen
    ? ['no budget can be held against this: the runs cannot be compared']
    : budgets.flatMap((budget) => exceededBy(budget, FIGURES[budget.metric]!(summary), summary.judged) ?? []);
  for (const sentence of sentences) warn(io, sentence);
  if (damage !== ExitStatus.done || sentences.length === 0) return damage;
  return isOpen ? ExitStatus.inconclusive : ExitStatus.budgetExceeded;
}

function write(
  { changes, capture }: Compared,
  options: ChangesOptions,
  inputs: readonly string[],
  io: Io,
): void {
  writeOutput(options.out, io, inputs, ({ write: sink }) => {
    switch (options.format) {
      case 'json':
        return writeChangesJson(changes, capture, sink);
      case 'ndjson':
        return writeChangesNdjson(changes, capture, sink);
      case 'csv':
        return writeChangesCsv(changes, sink);
      case 'text':
        return writeChangesText(changes, sink, {
          palette: paletteFor(io, options, options.out),
          columns: columnsFor(io, options.out),
          utc: options.utc === true,
        });
    }
  });
  if (options.html !== undefined) {
    writeOutput(options.html, io, inputs, ({ write: sink }) => writeChangesHtml(changes, capture, sink));
  }
}

async function compareReports(options: ChangesOptions, io: Io): Promise<Compared> {
  const { scenario, cluster, event } = options;
  if (scenario.length + cluster.length + event.length > 0) {
    throw new FlowfateError(
      'usage',
      'scenarios run over a capture: name it before the options; without one --before and --after are reports of replay',
    );
  }
  const before = await reportOf('--before', options.before, io);
  const after = await reportOf('--after', options.after, io);
  const same =
    before.capture.packets === after.capture.packets &&
    before.capture.startTime === after.capture.startTime &&
    before.capture.level === after.capture.level;
  const notes = same
    ? []
    : [
        `The reports are not of the same packets (${before.capture.file} and ${after.capture.file}): only connections that both hold are compared`,
      ];
  const changes = compareRuns(before.run, after.run, pairsByName(before.run, after.run), null, notes);
  return { changes, capture: before.capture, index: null };
}

async function reportOf(option: string, files: readonly string[], io: Io): Promise<ReadReport> {
  const [file, ...more] = files;
  if (more.length > 0) {
    throw new FlowfateError('usage', `${option} takes one report; ${files.length} files were given`);
  }
  return readReport(file!, await readWhole(file!, io.stdin, 'compare the scenarios over their capture'));
}

/** A scenario that runs over the capture, or a report of the same capture. */
async function compareScenarios(capture: string, options: ChangesOptions, io: Io): Promise<Compared> {
  const before = await reportAmong('--before', options.before, io);
  const after = await reportAmong('--after', options.after, io);
  if (before !== null && after !== null) {
    throw new FlowfateError('usage', `both sides are reports: leave out the capture (${capture})`);
  }
  const stated = async (files: readonly string[]) =>
    scenarioFor({ ...options, scenario: [...options.scenario, ...files] }, io);
  const scenarios = [
    ...(before === null ? [await stated(options.before)] : []),
    ...(after === null ? [await stated(options.after)] : []),
  ];
  const { index, chosen } = await readForScenarios(capture, options, scenarios, io);
  const results: ReplayResult[] = [];
  for (const one of chosen) results.push(await replayOf(capture, index, one, options, io));
  const [first, second] = results;
  const record = captureRecord(index, chosen[0]!.model, captureGaps(index));
  if (second !== undefined) {
    const [one, other] = names(options.before, options.after, chosen);
    const changes = compareRuns(
      runOf(one!, first!),
      runOf(other!, second),
      pairsOfReplays(first!, second),
      settingDifferences(specOf(chosen[0]!), specOf(chosen[1]!)),
    );
    return { changes, capture: record, index };
  }
  const report = (before ?? after)!;
  const own = runOf((before === null ? options.before : options.after).join(' '), first!);
  const [left, right]: [Run, Run] = before === null ? [own, report.run] : [report.run, own];
  const notes =
    report.capture.packets === record.packets && report.capture.startTime === record.startTime
      ? []
      : [`${report.run.name} is a report of another capture (${report.capture.file})`];
  return { changes: compareRuns(left, right, pairsByName(left, right), null, notes), capture: record, index };
}

async function reportAmong(option: string, files: readonly string[], io: Io): Promise<ReadReport | null> {
  if (files.includes('-')) return null;
  for (const file of files) {
    // whatever is no readable text is judged where scenarios are read
    const text = /\.(json|ndjson)(\.gz)?$/i.test(file)
      ? await readWhole(file, io.stdin, 'compare the scenarios over their capture')
      : '';
    if (!isReport(text)) continue;
    if (files.length > 1) {
      throw new FlowfateError('usage', `${option} takes one report; ${files.length} files were given`);
    }
    return readReport(file, text);
  }
  return null;
}

async function replayOf(
  capture: string,
  index: CaptureIndex,
  { model, notes, madeFromCapture }: ChosenScenario,
  { draws, asRecorded }: ChangesOptions,
  io: Io,
): Promise<ReplayResult> {
  const heads = await readHeads(capture, index, model, io);
  return replay(index, model, { madeFromCapture, notes, heads, draws, asRecorded: asRecorded === true });
}

/** The names of the scenarios, or of their files where the names are the same. */
function names(
  before: readonly string[],
  after: readonly string[],
  [one, other]: readonly ChosenScenario[],
): string[] {
  const own = [one!.model.name, other!.model.name];
  return own[0] === own[1] ? [before.join(' '), after.join(' ')] : own;
}

function specOf({ model }: ChosenScenario): unknown {
  return (parse(printScenario(model)) as { readonly spec: unknown }).spec;
}
