/** `flowfate stories [name]`: failures of real clusters as runnable scenarios, each with its remedies side by side. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { FlowfateError } from '../errors.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { planOf } from '../outcome/flow-plan.js';
import {
  writeStoryJson,
  writeStoryListJson,
  writeStoryListNdjson,
  writeStoryNdjson,
} from '../report/story-json.js';
import { writeStoryListText, writeStoryText } from '../report/story-text.js';
import { STORIES } from '../stories/registry.js';
import { DEFAULT_STORY_SEEDS, FAILURE } from '../stories/story.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { parseWhole } from './option-values.js';
import { writeOutput } from './output.js';
import { Progress } from './progress.js';
import { readHeads } from './read-heads.js';
import { statusOfDamage, warn } from './read-input.js';
import { addLevelOption, type LevelOptions, readWithoutScenario } from './read-level.js';
import {
  addScenarioOptions,
  type ScenarioOptions,
  statedScenario,
  withClockEvents,
} from './scenario-input.js';
import { packageFolder } from './version.js';
import { columnsFor, paletteFor } from './view.js';

interface StoriesOptions extends ScenarioOptions, LevelOptions {
  readonly capture?: string;
  readonly seeds: number;
  readonly printScenario?: true | string;
  readonly format: 'text' | 'json' | 'ndjson';
  readonly out?: string;
  readonly color?: boolean;
}

const EXAMPLES = `
Without a name it lists the stories. With one it runs the failure and every remedy over a capture made for it, or
over yours: then the busiest server addresses become VIPs, and the story happens to them.

Examples:
  flowfate stories
  flowfate stories rehash-on-redeploy
  flowfate stories rehash-on-scale --capture web.pcap.gz
  flowfate stories uneven-load --format json
  flowfate stories rehash-on-redeploy --print-scenario > mine.yaml
  flowfate stories rehash-on-redeploy --print-scenario label-and-wait > mine.yaml
  flowfate stories rehash-on-redeploy --scenario mine.yaml`;

export const repeatable = ['--scenario', '--cluster', '--router-state', '--event'];

export const declare: DeclareCommand = (command: Command, io, done) => {
  command
    .argument('[name]', 'which story; none: list them')
    .option('--capture <file>', 'pcap or pcapng to run it on; - is standard input')
    .option(
      '--seeds <n>',
      'how many seeds each row is the mean of',
      parseWhole('--seeds', 1),
      DEFAULT_STORY_SEEDS,
    );
  addLevelOption(addScenarioOptions(command))
    .option(
      '--print-scenario [run]',
      'print the scenario, complete, instead of running it: the failure’s, or that of a remedy',
    )
    .addOption(
      new Option('--format <format>', 'how to print').choices(['text', 'json', 'ndjson']).default('text'),
    )
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string | undefined, options: StoriesOptions) => {
      done(name === undefined ? list(options, io) : await tell(name, options, io));
    });
};

function list(options: StoriesOptions, io: Io): ExitStatus {
  if (options.capture !== undefined || options.printScenario !== undefined) {
    throw new FlowfateError('usage', 'stories needs the name of a story to run; flowfate stories lists them');
  }
  writeOutput(options.out, io, [], ({ write }) => {
    switch (options.format) {
      case 'json':
        return writeStoryListJson(STORIES, write);
      case 'ndjson':
        return writeStoryListNdjson(STORIES, write);
      case 'text':
        return writeStoryListText(STORIES, write, viewOf(options, io));
    }
  });
  return ExitStatus.done;
}

async function tell(name: string, options: StoriesOptions, io: Io): Promise<ExitStatus> {
  const { failureFor, findStory, runStory, settingOf, variantModel } = await import(
    '../stories/run-story.js'
  );
  const story = findStory(name);
  const said = await statedScenario(options, io);
  if (said === null && options.event.length > 0) {
    throw new FlowfateError(
      'usage',
      '--event adds to a scenario; print the story’s with --print-scenario first',
    );
  }
  const shipped = join('captures', 'stories', `${story.capture}.pcap.gz`);
  const capture = options.capture ?? join(packageFolder(), shipped);
  const inputs = [capture, ...options.scenario, ...options.cluster];
  const reaches = (index: CaptureIndex): boolean => planOf(index, said!.model).count > 0;
  const index = readWithoutScenario(capture, options, io, {}, said === null ? undefined : reaches);
  const stated =
    said === null ? null : { ...said, model: await withClockEvents(said.model, options.event, index) };
  for (const note of stated?.notes ?? []) warn(io, note);
  const { printScenario: wanted } = options;
  if (wanted !== undefined) {
    const failure = stated?.model ?? failureFor(story, index, options.seed).model;
    const model = variantModel(story, wanted === true ? FAILURE : wanted, failure, settingOf(index));
    const { printScenario } = await import('../cluster/scenario/print-scenario.js');
    writeOutput(options.out, io, inputs, ({ write }) => write(printScenario(model)));
    return statusOfDamage(index, io);
  }
  const failure = stated?.model ?? failureFor(story, index, options.seed).model;
  const heads = await readHeads(capture, index, failure, io);
  const progress = new Progress(io, 'running');
  const result = runStory(story, index, {
    seeds: options.seeds,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(stated === null ? {} : { failure: stated.model }),
    ...(options.capture === undefined ? { captureName: shipped } : {}),
    heads,
    onProgress: (runs, total) => progress.updateCount(runs, total, 'runs'),
  });
  progress.done();
  writeOutput(options.out, io, inputs, ({ write }) => {
    switch (options.format) {
      case 'json':
        return writeStoryJson(result, write);
      case 'ndjson':
        return writeStoryNdjson(result, write);
      case 'text':
        return writeStoryText(result, write, viewOf(options, io));
    }
  });
  return statusOfDamage(index, io);
}

function viewOf(options: StoriesOptions, io: Io) {
  return { palette: paletteFor(io, options, options.out), columns: columnsFor(io, options.out) };
}
