/** `flowfate replay <capture>`: the main job. */
import { type Command, Option } from 'commander';
import type { ClusterModel } from '../cluster/model.js';
import { FlowfateError } from '../errors.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { type Budget, exceeded, parseBudget } from '../report/budget.js';
import { writeCsv } from '../report/csv-record.js';
import { VERDICT_FIELDS } from '../report/flow-record.js';
import { writeJson } from '../report/json.js';
import { writeNdjson } from '../report/ndjson.js';
import type { Timing } from '../report/records.js';
import { printable } from '../report/terminal.js';
import { writeText } from '../report/text.js';
import { DEFAULT_PATIENCE_S } from '../verdict/application.js';
import { DEFAULT_DRAWS } from '../verdict/draws.js';
import type { EngineName } from '../verdict/replay.js';
import { inconclusiveBecause } from '../verdict/summarise.js';
import { type ReplayResult, UNJUDGED } from '../verdict/verdict.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { parseTime, parseWhole } from './option-values.js';
import { writeOutput } from './output.js';
import { readHeads } from './read-heads.js';
import { statusOfDamage, warn } from './read-input.js';
import { addLevelOption, type LevelOptions, readForScenario, refuseStdin } from './read-level.js';
import {
  addScenarioOptions,
  type ChosenScenario,
  type ScenarioOptions,
  scenarioFor,
} from './scenario-input.js';
import { columnsFor, paletteFor } from './view.js';

interface ReplayCommandOptions extends ScenarioOptions, LevelOptions {
  readonly format: 'text' | 'json' | 'ndjson' | 'csv';
  readonly out?: string;
  readonly html?: string;
  readonly pcapng?: string;
  readonly bgpFromCapture?: true;
  readonly mrt?: string;
  readonly printScenario?: true;
  readonly failOn: readonly string[];
  readonly patience: number;
  readonly draws: number;
  readonly asRecorded?: true;
  readonly engine: EngineName;
  readonly utc?: true;
  readonly timing?: true;
  readonly color?: boolean;
}

/** how many hashes stand for an unknown one */
const SWEEP_SEEDS = 20;

const EXAMPLES = `
With no scenario at all one is made from the capture: the busiest server addresses become VIPs behind three
nodes with one endpoint each, and one node is withdrawn mid-capture. --print-scenario prints it to start from.

Examples:
  flowfate replay web.pcap.gz
  flowfate replay web.pcap.gz --print-scenario > mine.yaml
  flowfate replay web.pcap.gz --scenario withdraw-one.yaml
  flowfate replay web.pcap.gz --scenario mine.yaml --event "5s withdraw n2" --event "11s announce n2"
  flowfate replay web.pcap.gz --cluster nodes.yaml --cluster services.yaml --format ndjson | jq 'select(.fate=="reset")'
  flowfate replay web.pcap.gz --scenario mine.yaml --fail-on 'broken>1%'
  flowfate replay web.pcap.gz --scenario mine.yaml --engine packets      a second opinion on the same question
  flowfate replay both.pcap --scenario mine.yaml --bgp-from-capture      routes as the speakers in the capture say
  flowfate replay web.pcap.gz --scenario mine.yaml --mrt updates.gz      or as a dump says`;

const gather = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export const repeatable = ['--scenario', '--cluster', '--router-state', '--event', '--fail-on'];

export const declare: DeclareCommand = (command: Command, io, done) => {
  command.argument('<capture>', 'pcap or pcapng, gzipped or not; - is standard input');
  addLevelOption(addScenarioOptions(command))
    .addOption(
      new Option('--format <format>', 'how to print; csv: the connections alone, lists as JSON')
        .choices(['text', 'json', 'ndjson', 'csv'])
        .default('text'),
    )
    .option('--out <file>', 'write to a file instead of standard output')
    .option('--html <file>', 'write the report as a self-contained page, too')
    .option(
      '--pcapng <file>',
      'write the capture again, with a comment on each packet where a flow moved or broke',
    )
    .option('--print-scenario', 'print the scenario, complete, instead of replaying it')
    .option(
      '--fail-on <budget>',
      "exit with 1 where this holds, like 'broken>0' or 'timeout>=1%', and with 5 where nothing can be concluded; may be repeated",
      gather,
      [],
    )
    .option('--bgp-from-capture', 'the BGP sessions inside the capture drive the router’s next hops')
    .option('--mrt <file>', 'an MRT dump (plain, .gz, .bz2) drives the router’s next hops')
    .option(
      '--patience <time>',
      'after how long a client calls an answer slow',
      parseTime('--patience'),
      DEFAULT_PATIENCE_S,
    )
    .option(
      '--draws <n>',
      'how often what the real system draws at random is drawn; 1: once, by --seed',
      parseWhole('--draws', 1),
      DEFAULT_DRAWS,
    )
    .option(
      '--as-recorded',
      'the timeline really happened while the capture was taken: fates are conditioned on what each client’s packets show',
    )
    .addOption(
      new Option(
        '--engine <engine>',
        'columns is fast; packets sends every packet as bytes through router, node and endpoint: the same report, many times slower',
      )
        .choices(['columns', 'packets'])
        .default('columns'),
    )
    .option('--utc', 'wall-clock time beside seconds since t = 0')
    .option('--timing', 'wall time and rate in the summary')
    .addHelpText('after', EXAMPLES)
    .action(async (capture: string, options: ReplayCommandOptions) => {
      done(await replayCapture(capture, options, io));
    });
};

async function replayCapture(capture: string, options: ReplayCommandOptions, io: Io): Promise<ExitStatus> {
  const startMs = performance.now();
  const budgets = options.failOn.map((text) => parseBudget(text));
  checkBgpOptions(capture, options);
  if (options.pcapng !== undefined) refuseStdin(capture, '--pcapng');
  // Configuration first: a typing error must not cost the reading of a large capture.
  const scenario = await scenarioFor(options, io);
  const { index, chosen } = await readForScenario(capture, options, scenario, io);
  const { model, notes, unreadable } = await withBgp(chosen, capture, index, options);
  const { madeFromCapture } = chosen;
  if (options.printScenario === true) {
    const { printScenario } = await import('../cluster/scenario/print-scenario.js');
    writeOutput(options.out, io, inputsOf(capture, options), ({ write }) => {
      write(printScenario(model));
      for (const [i, line] of (chosen.origins?.() ?? []).entries()) {
        write(`${i === 0 ? '# Where it comes from:\n' : ''}#   ${printable(line)}\n`);
      }
    });
    return statusOfDamage(index, io);
  }
  const { isHashUnknown } = await import('../verdict/certainty.js');
  const { replay } = await import('../verdict/replay.js');
  const sweep = isHashUnknown(model) ? [await sweepNote(index, model)] : [];
  const heads = await readHeads(capture, index, model, io);
  const result = replay(index, model, {
    madeFromCapture,
    notes: [...notes, ...sweep],
    heads,
    patienceS: options.patience,
    draws: options.draws,
    asRecorded: options.asRecorded === true,
    engine: options.engine,
  });
  const wallS = (performance.now() - startMs) / 1000;
  const timing = options.timing === true ? { wallS, packetsPerS: index.summary.packets / wallS } : null;
  writeResult(result, timing, capture, options, io);
  if (options.html !== undefined) {
    const { writeHtml } = await import('../report/html.js');
    writeOutput(options.html, io, inputsOf(capture, options), ({ write }) => writeHtml(result, write));
  }
  if (options.pcapng !== undefined) {
    const { annotateCapture } = await import('../report/annotate.js');
    writeOutput(options.pcapng, io, inputsOf(capture, options), ({ writeBytes }) => {
      annotateCapture(capture, result, writeBytes);
    });
  }
  const status = statusOf(result, budgets, index, io);
  if (unreadable === 0) return status;
  warn(
    io,
    `${unreadable} BGP message${unreadable === 1 ? '' : 's'} of ${options.mrt ?? capture} cannot be read, and what they said is missing ` +
      `from the routes: flowfate ${options.mrt === undefined ? 'bgp decode' : 'mrt'} says why`,
  );
  return ExitStatus.input;
}

/** Under an unknown hash one run is one draw: what the others would give, as a sentence. */
async function sweepNote(index: CaptureIndex, model: ClusterModel): Promise<string> {
  const { compare } = await import('../what-if/compare.js');
  const { rows } = await compare(index, model, [], { seeds: SWEEP_SEEDS });
  const { mean, interval, min, max } = rows[0]!.broken;
  return (
    `Over ${SWEEP_SEEDS} seeds of the hash ${mean.toFixed(1)} ± ${interval.toFixed(1)} flows break ` +
    `(mean with its 95 % interval; ${min} to ${max}). This report is one of these draws.`
  );
}

/** The scenario with the routes that BGP gives it, where that is asked for. */
async function withBgp(
  chosen: ChosenScenario,
  capture: string,
  index: CaptureIndex,
  { bgpFromCapture, mrt }: ReplayCommandOptions,
): Promise<Pick<ChosenScenario, 'model' | 'notes'> & { unreadable: number }> {
  if (bgpFromCapture !== true && mrt === undefined) return { ...chosen, unreadable: 0 };
  const { routesFromCapture, routesFromMrt } = await import('./bgp-routes.js');
  const { model, notes, unreadable } =
    mrt === undefined
      ? routesFromCapture(capture, index, chosen.model)
      : routesFromMrt(mrt, index, chosen.model);
  return { model, notes: [...chosen.notes, ...notes], unreadable };
}

/** What BGP needs: nodes with addresses of their own, one source, and a capture that can be read again. */
function checkBgpOptions(
  capture: string,
  { bgpFromCapture, mrt, scenario, cluster }: ReplayCommandOptions,
): void {
  if (bgpFromCapture !== true && mrt === undefined) return;
  if (bgpFromCapture === true && mrt !== undefined) {
    throw new FlowfateError('usage', '--bgp-from-capture and --mrt both say what the routes are; give one');
  }
  if (scenario.length + cluster.length === 0) {
    throw new FlowfateError(
      'usage',
      'routes from BGP need to know whose next hops they name; give a --scenario with the nodes',
    );
  }
  if (bgpFromCapture === true) refuseStdin(capture, '--bgp-from-capture');
}

function writeResult(
  result: ReplayResult,
  timing: Timing | null,
  capture: string,
  options: ReplayCommandOptions,
  io: Io,
): void {
  writeOutput(options.out, io, inputsOf(capture, options), ({ write, writeBytes }) => {
    switch (options.format) {
      case 'json':
        return writeJson(result, writeBytes, timing);
      case 'ndjson':
        return writeNdjson(result, writeBytes, timing);
      case 'csv':
        return writeCsv(VERDICT_FIELDS, result.flowCount, (row) => result.flowVerdict(row), writeBytes);
      case 'text':
        return writeText(result, write, {
          palette: paletteFor(io, options, options.out),
          columns: columnsFor(io, options.out),
          timing,
          utc: options.utc === true,
        });
    }
  });
}

/**
 * Damaged input weighs more than an exceeded budget: the figures are not those of the whole capture. A budget cannot be
 * kept by a result from which nothing can be concluded.
 */
function statusOf(result: ReplayResult, budgets: readonly Budget[], index: CaptureIndex, io: Io): ExitStatus {
  const isInconclusive = budgets.length > 0 && result.summary.verdict === 'inconclusive';
  const sentences = isInconclusive
    ? [`no budget can be held against this: ${inconclusiveBecause(result.summary, UNJUDGED)}`]
    : budgets.map((budget) => exceeded(budget, result)).filter((sentence) => sentence !== null);
  for (const sentence of sentences) warn(io, sentence);
  const damage = statusOfDamage(index, io);
  if (damage !== ExitStatus.done) return damage;
  if (isInconclusive) return ExitStatus.inconclusive;
  return sentences.length > 0 ? ExitStatus.budgetExceeded : ExitStatus.done;
}

function inputsOf(capture: string, options: ReplayCommandOptions): string[] {
  return [capture, ...options.scenario, ...options.cluster];
}
