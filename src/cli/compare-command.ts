/** `flowfate compare <capture>`: the survival matrix, and two runs side by side. */
import { type Command, Option } from 'commander';
import { FlowfateError } from '../errors.js';
import { captureGaps } from '../flow/capture-gaps.js';
import { captureRecord } from '../verdict/capture-record.js';
import { DEFAULT_DRAWS } from '../verdict/draws.js';
import type { ChangesOptions } from './compare-changes.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { parseWhole } from './option-values.js';
import { writeOutput } from './output.js';
import { Progress } from './progress.js';
import { statusOfDamage } from './read-input.js';
import { addLevelOption, readForScenario } from './read-level.js';
import { addScenarioOptions, scenarioFor } from './scenario-input.js';
import { columnsFor, paletteFor } from './view.js';

interface CompareOptions extends ChangesOptions {
  readonly vary: readonly string[];
  readonly seeds: number;
}

const EXAMPLES = `
Every combination of the varied settings runs over the same capture, each with so many seeds of the router's hash
and of the random draws; rows are ranked by the flows they break, with the 95 % interval of the mean.

Settings that vary:
  router     hash, fields, select, buckets, idleTimer, unbalancedTimer, order, replace, nexthops, useNeigh, ignoreLinkdown
  nodes      policy, proxy, overlay, scheduler, sloppyTcp, dsr (no, yes, hybrid), algorithm, tcpLoose
  sessions   holdTime, bfd, gracefulRestart (a time, or off)
  layout     speakers (how many announce), onePerSpeaker (yes: one endpoint on each node that announces)
A value that a setting does not have is refused with those that it has.

With --before and --after two scenarios run over the same capture and are compared flow by flow: what is fixed, what
newly breaks, and why, by service, node, minute and client. --scenario, --cluster and --event then belong to both.
Without a capture, --before and --after are two reports of replay --format json or ndjson. --fail-on takes changed,
newlyBroken, fixed, brokenOtherwise, stillBroken and unjudgedNow.

Examples:
  flowfate compare web.pcap.gz --scenario mine.yaml --vary select=modulo,hash-threshold,resilient,rendezvous,maglev
  flowfate compare web.pcap.gz --scenario mine.yaml --vary select=hash-threshold,resilient --vary policy=Local,Cluster
  flowfate compare web.pcap.gz --scenario mine.yaml --vary buckets=64,128,256 --seeds 100 --format csv > matrix.csv
  flowfate compare web.pcap.gz --before today.yaml --after resilient.yaml
  flowfate compare web.pcap.gz --cluster nodes.yaml --before old.yaml --after new.yaml --fail-on 'newlyBroken>0'
  flowfate compare --before monday.json --after tuesday.json --html changes.html`;

const gather = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export const repeatable = [
  '--scenario',
  '--cluster',
  '--router-state',
  '--event',
  '--vary',
  '--before',
  '--after',
  '--fail-on',
];

export const declare: DeclareCommand = (command: Command, io, done) => {
  command.argument('[capture]', 'pcap or pcapng, gzipped or not; - is standard input; none: two reports');
  addLevelOption(addScenarioOptions(command))
    .option(
      '--vary <setting=values>',
      'a setting and its values, like policy=Local,Cluster; may be repeated',
      gather,
      [],
    )
    .option('--seeds <n>', 'how many seeds each combination runs with', parseWhole('--seeds', 1), 20)
    .option(
      '--before <file>',
      'the scenario or report that the other is held against; may be repeated',
      gather,
      [],
    )
    .option('--after <file>', 'the scenario or report that is held against it; may be repeated', gather, [])
    .option(
      '--draws <n>',
      'with --before: how often what the real system draws at random is drawn',
      parseWhole('--draws', 1),
      DEFAULT_DRAWS,
    )
    .option('--as-recorded', 'with --before: the timelines happened while the capture was taken')
    .option(
      '--fail-on <budget>',
      "with --before: exit with 1 where this holds, like 'newlyBroken>0', and with 5 where nothing can be concluded; may be repeated",
      gather,
      [],
    )
    .addOption(
      new Option('--format <format>', 'how to print')
        .choices(['text', 'json', 'ndjson', 'csv'])
        .default('text'),
    )
    .option('--utc', 'with --before: wall-clock time beside seconds since t = 0')
    .option('--html <file>', 'with --before: write the comparison as a self-contained page, too')
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (capture: string | undefined, options: CompareOptions) => {
      const ofTwo = options.before.length + options.after.length > 0;
      refuseMixed(options, ofTwo, (option) => command.getOptionValueSource(option) === 'cli');
      if (ofTwo) {
        const { compareChanges } = await import('./compare-changes.js');
        return done(await compareChanges(capture, options, io));
      }
      if (capture === undefined) {
        throw new FlowfateError(
          'usage',
          'name a capture to vary a scenario on, or two runs to compare with --before and --after',
        );
      }
      done(await compareMatrix(capture, options, io));
    });
};

/** Options of the one comparison say nothing in the other. */
function refuseMixed(
  { vary, failOn }: CompareOptions,
  ofTwo: boolean,
  isGiven: (option: string) => boolean,
): void {
  const foreign = ofTwo
    ? [vary.length > 0 && '--vary', isGiven('seeds') && '--seeds']
    : [
        isGiven('draws') && '--draws',
        isGiven('asRecorded') && '--as-recorded',
        failOn.length > 0 && '--fail-on',
        isGiven('html') && '--html',
        isGiven('utc') && '--utc',
      ];
  const found = foreign.find((option) => option !== false);
  if (found === undefined) return;
  throw new FlowfateError(
    'usage',
    ofTwo
      ? `${found} varies one scenario; it does not go with --before and --after`
      : `${found} belongs to a comparison of two runs: give --before and --after`,
  );
}

async function compareMatrix(capture: string, options: CompareOptions, io: Io): Promise<ExitStatus> {
  const { compare } = await import('../what-if/compare.js');
  const { checkVariations, parseVariation } = await import('../what-if/variation.js');
  const { writeMatrixCsv, writeMatrixJson, writeMatrixNdjson, writeMatrixText } = await import(
    '../report/matrix.js'
  );
  const variations = options.vary.map(parseVariation);
  const scenario = await scenarioFor(options, io);
  const { index, chosen } = await readForScenario(capture, options, scenario, io);
  const { model } = chosen;
  checkVariations(model, variations);
  const progress = new Progress(io, 'comparing');
  const matrix = await compare(index, model, variations, {
    seeds: options.seeds,
    onProgress: (runs, total) => progress.updateCount(runs, total, 'runs'),
  });
  progress.done();
  writeOutput(options.out, io, [capture, ...options.scenario, ...options.cluster], ({ write }) => {
    switch (options.format) {
      case 'json':
        return writeMatrixJson(matrix, captureRecord(index, model, captureGaps(index)), write);
      case 'ndjson':
        return writeMatrixNdjson(matrix, captureRecord(index, model, captureGaps(index)), write);
      case 'csv':
        return writeMatrixCsv(matrix, write);
      case 'text':
        return writeMatrixText(matrix, write, {
          file: capture,
          scenario: model.name,
          palette: paletteFor(io, options, options.out),
          columns: columnsFor(io, options.out),
        });
    }
  });
  const damage = statusOfDamage(index, io);
  if (damage !== ExitStatus.done) return damage;
  return matrix.rows.every((row) => row.refused !== null) ? ExitStatus.usage : ExitStatus.done;
}
