/** `flowfate compare <capture>`: the survival matrix. */
import { type Command, Option } from 'commander';
import { captureRecord } from '../verdict/capture-record.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { parseWhole } from './option-values.js';
import { writeOutput } from './output.js';
import { Progress } from './progress.js';
import { statusOfDamage } from './read-input.js';
import { addLevelOption, type LevelOptions, readForScenario } from './read-level.js';
import { addScenarioOptions, type ScenarioOptions, scenarioFor } from './scenario-input.js';
import { columnsFor, paletteFor } from './view.js';

interface CompareOptions extends ScenarioOptions, LevelOptions {
  readonly vary: readonly string[];
  readonly seeds: number;
  readonly format: 'text' | 'json' | 'csv';
  readonly out?: string;
  readonly color?: boolean;
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

Examples:
  flowfate compare web.pcap.gz --scenario mine.yaml --vary select=modulo,hash-threshold,resilient,rendezvous,maglev
  flowfate compare web.pcap.gz --scenario mine.yaml --vary select=hash-threshold,resilient --vary policy=Local,Cluster
  flowfate compare web.pcap.gz --scenario mine.yaml --vary buckets=64,128,256 --seeds 100 --format csv > matrix.csv`;

const gather = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export const repeatable = ['--scenario', '--cluster', '--router-state', '--event', '--vary'];

export const declare: DeclareCommand = (command: Command, io, done) => {
  command.argument('<capture>', 'pcap or pcapng, gzipped or not; - is standard input');
  addLevelOption(addScenarioOptions(command))
    .option(
      '--vary <setting=values>',
      'a setting and its values, like policy=Local,Cluster; may be repeated',
      gather,
      [],
    )
    .option('--seeds <n>', 'how many seeds each combination runs with', parseWhole('--seeds', 1), 20)
    .addOption(
      new Option('--format <format>', 'how to print').choices(['text', 'json', 'csv']).default('text'),
    )
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (capture: string, options: CompareOptions) => {
      done(await compareCapture(capture, options, io));
    });
};

async function compareCapture(capture: string, options: CompareOptions, io: Io): Promise<ExitStatus> {
  const { compare } = await import('../what-if/compare.js');
  const { checkVariations, parseVariation } = await import('../what-if/variation.js');
  const { writeMatrixCsv, writeMatrixJson, writeMatrixText } = await import('../report/matrix.js');
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
        return writeMatrixJson(matrix, captureRecord(index, model), write);
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
