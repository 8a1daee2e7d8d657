/** `flowfate plan drain <capture>`: the node order that breaks the fewest flows, and why. */
import { type Command, Option } from 'commander';
import { parseDuration } from '../cluster/yaml/duration.js';
import { FlowfateError } from '../errors.js';
import { captureGaps } from '../flow/capture-gaps.js';
import { writeDrainText } from '../report/drain-text.js';
import { recordLine } from '../report/ndjson.js';
import { REPORT_SCHEMA } from '../report/records.js';
import { captureRecord } from '../verdict/capture-record.js';
import type { DeclareCommand } from './declare-command.js';
import { writeOutput } from './output.js';
import { Progress } from './progress.js';
import { statusOfDamage } from './read-input.js';
import { addLevelOption, type LevelOptions, readForScenario } from './read-level.js';
import { addScenarioOptions, type ScenarioOptions, scenarioFor } from './scenario-input.js';
import { columnsFor, paletteFor } from './view.js';

interface DrainCommandOptions extends ScenarioOptions, LevelOptions {
  readonly every?: number;
  readonly down?: number;
  readonly start?: number;
  readonly format: 'text' | 'json' | 'ndjson';
  readonly out?: string;
  readonly color?: boolean;
}

const EXAMPLES = `
Traffic goes on as in the capture: each drain is replayed by itself, at several moments, and clients reconnect between
two of them.

Examples:
  flowfate plan drain web.pcap.gz --scenario mine.yaml
  flowfate plan drain web.pcap.gz --scenario mine.yaml --every 60s --down 20s --format json`;

export const repeatable = ['--scenario', '--cluster', '--router-state', '--event'];

export const declare: DeclareCommand = (command: Command, io, done) => {
  const drain = command
    .addHelpText('after', EXAMPLES)
    .command('drain')
    .description('In which order to drain the nodes, what each drain breaks, and at which pace.')
    .argument('<capture>', 'pcap or pcapng, gzipped or not; - is standard input');
  addLevelOption(addScenarioOptions(drain))
    .option(
      '--every <time>',
      'between the beginnings of two drains, like 60s (10 minutes)',
      duration('--every'),
    )
    .option('--down <time>', 'how long a node is out, like 20s (half of --every)', duration('--down'))
    .option(
      '--start <time>',
      'the first moment of the capture at which drains are measured',
      duration('--start'),
    )
    .addOption(
      new Option('--format <format>', 'how to print').choices(['text', 'json', 'ndjson']).default('text'),
    )
    .option('--out <file>', 'write to a file instead of standard output')
    .option('--no-color', 'print without colours, as NO_COLOR does')
    .allowExcessArguments(false)
    .addHelpText('after', EXAMPLES)
    .action(async (capture: string, options: DrainCommandOptions) => {
      const scenario = await scenarioFor(options, io);
      const { index, chosen } = await readForScenario(capture, options, scenario, io);
      const { model } = chosen;
      const progress = new Progress(io, 'planning');
      const { planDrain } = await import('../what-if/drain-plan.js');
      const plan = planDrain(index, model, {
        ...(options.every === undefined ? {} : { everyS: options.every }),
        ...(options.down === undefined ? {} : { downS: options.down }),
        ...(options.start === undefined ? {} : { startS: options.start }),
        onProgress: (replays, total) => progress.updateCount(replays, total, 'replays'),
      });
      progress.done();
      writeOutput(options.out, io, [capture, ...options.scenario, ...options.cluster], ({ write }) => {
        const record = captureRecord(index, model, captureGaps(index));
        if (options.format === 'json') {
          write(
            `${JSON.stringify({ schema: REPORT_SCHEMA, kind: 'drain-plan', capture: record, ...plan })}\n`,
          );
        } else if (options.format === 'ndjson') {
          const { steps, alternatives, ...summary } = plan;
          write(recordLine('capture', { schema: REPORT_SCHEMA, kind: 'drain-plan', ...record }));
          for (const step of steps) write(recordLine('step', step));
          for (const alternative of alternatives) write(recordLine('alternative', alternative));
          write(recordLine('summary', summary));
        } else {
          const palette = paletteFor(io, options, options.out);
          writeDrainText(plan, write, { palette, columns: columnsFor(io, options.out) });
        }
      });
      done(statusOfDamage(index, io));
    });
};

function duration(option: string): (text: string) => number {
  return (text) => {
    const seconds = parseDuration(text);
    if (seconds === null) {
      throw new FlowfateError('usage', `${option} ${text}: expected a duration like 250ms, 5s or 2m`);
    }
    return seconds;
  };
}
