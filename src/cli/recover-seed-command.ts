/** `flowfate recover-seed`: the seed of a Linux router's multipath hash, from which flow went to which next hop. */
import { type Command, Option } from 'commander';
import { parseDuration } from '../cluster/yaml/duration.js';
import { FlowfateError } from '../errors.js';
import { DEFAULT_FIELDS, type FlowHashName } from '../hash/flow-hash.js';
import { observeNextHops } from '../recover-seed/observe-next-hops.js';
import { type Observation, type ObservedGroup, recoverSeed } from '../recover-seed/recover-seed.js';
import { REPORT_SCHEMA } from '../report/records.js';
import { createNextHopGroup, defaultBuckets } from '../route/create-group.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { type NamedNextHops, parseNextHops } from './next-hop-list.js';
import { parseUint32, parseWhole } from './option-values.js';
import { writeOutput } from './output.js';
import { Progress } from './progress.js';
import { warn } from './read-input.js';
import { readLines } from './read-lines.js';
import { parseTupleLine } from './tuple-lines.js';

type LinuxHash = Extract<FlowHashName, `linux-${string}`>;

interface RecoverCommandOptions {
  readonly nextHops: string;
  readonly hash: LinuxHash;
  readonly fields: number;
  readonly select: 'hash-threshold' | 'modulo' | 'resilient';
  readonly buckets?: number;
  readonly capture?: string;
  readonly before?: number;
  readonly from?: number;
  readonly to?: number;
  readonly format: 'text' | 'json';
  readonly out?: string;
}

const EXAMPLES = `
Each line of the list is \`proto src sport dst dport nexthop\`. With --capture, the next hops are named by their Ethernet
addresses, in the order of the router's table (\`ip route show\`), and the capture is one from behind the router (or of
both sides at once); --before leaves out what came after a route change. Some 30 flows are enough to tell the seed; more of them verify it. The search covers 2^32 seeds on
every core and takes minutes.

Examples:
  flowfate recover-seed observed.tsv --next-hops n1,n2,n3,n4
  flowfate recover-seed --capture behind.pcap --next-hops 02:00:0a:00:00:01,02:00:0a:00:00:02,02:00:0a:00:00:03
  flowfate recover-seed observed.tsv --next-hops n1,n2,n3 --select resilient --buckets 128`;

export const declare: DeclareCommand = (command: Command, io, done) => {
  command
    .argument('[list]', 'which flow went to which next hop; - is standard input')
    .requiredOption('--next-hops <list>', 'in the order of the router’s table, with weights: a,b,c*2')
    .option('--capture <file>', 'a capture from behind the router, instead of a list')
    .option('--before <time>', 'look at the first part of the capture only, like 5s', beforeTime)
    .addOption(
      new Option('--hash <name>', 'the router’s hash policy')
        .choices(['linux-l3', 'linux-l4', 'linux-inner', 'linux-custom'])
        .default('linux-l4'),
    )
    .option(
      '--fields <bits>',
      'fib_multipath_hash_fields of linux-custom',
      parseUint32('--fields'),
      DEFAULT_FIELDS,
    )
    .addOption(
      new Option('--select <name>', 'how the router selects; resilient: a fresh table')
        .choices(['hash-threshold', 'modulo', 'resilient'])
        .default('hash-threshold'),
    )
    .option('--buckets <n>', 'buckets of resilient', parseWhole('--buckets', 1))
    .option('--from <seed>', 'first seed to try', parseUint32('--from'))
    .option('--to <seed>', 'one past the last seed to try', parseWhole('--to', 1))
    .addOption(new Option('--format <format>', 'how to print').choices(['text', 'json']).default('text'))
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (list: string | undefined, options: RecoverCommandOptions) => {
      done(await recover(list, options, io));
    });
};

async function recover(
  list: string | undefined,
  options: RecoverCommandOptions,
  io: Io,
): Promise<ExitStatus> {
  if ((list === undefined) === (options.capture === undefined)) {
    throw new FlowfateError('usage', 'recover-seed takes either a list (- is standard input) or --capture');
  }
  const hops = parseNextHops(options.nextHops);
  const observations =
    list === undefined ? fromCapture(options.capture!, hops, options.before, io) : fromList(list, hops, io);
  const progress = new Progress(io, 'searching');
  const range = {
    ...(options.from === undefined ? {} : { from: options.from }),
    ...(options.to === undefined ? {} : { to: options.to }),
  };
  const result = await recoverSeed(observations, {
    hash: options.hash,
    fields: options.fields,
    groups: [groupOf(options, hops)],
    ...range,
    onProgress: ({ done: tried, total }) => progress.updateCount(tried, total, 'seeds'),
  });
  progress.done();
  const inputs = [list, options.capture].filter((path) => path !== undefined);
  writeOutput(options.out, io, inputs, ({ write }) => {
    if (options.format === 'json') {
      write(`${JSON.stringify({ schema: REPORT_SCHEMA, kind: 'recovered-seed', ...result })}\n`);
      return;
    }
    if (result.seed !== null) write(`${result.seed} (0x${result.seed.toString(16).padStart(8, '0')})\n`);
    write(`${result.verdict}\n`);
    const { agree, of } = result.verified;
    write(
      `${result.usedFlows} flows (${result.usedBits.toFixed(1)} bits) searched, ${agree} of ${of} others verified.\n`,
    );
  });
  return result.seed === null ? ExitStatus.budgetExceeded : ExitStatus.done;
}

function groupOf({ select, buckets }: RecoverCommandOptions, { nextHops }: NamedNextHops): ObservedGroup {
  if (select === 'hash-threshold')
    return { kind: 'hash-threshold', weights: nextHops.map(({ weight }) => weight) };
  const settings = {
    select,
    hashBits: 31,
    buckets: buckets ?? defaultBuckets(select),
    idleTimerS: 120,
    unbalancedTimerS: 0,
    replace: 'in-place',
  } as const;
  return { kind: 'table', table: Int32Array.from(createNextHopGroup(settings, nextHops, 0).table()!) };
}

function fromList(path: string, { names }: NamedNextHops, io: Io): Observation[] {
  const observations: Observation[] = [];
  let number = 0;
  for (const text of readLines(path, io)) {
    number++;
    const words = text.trim().split(/[\t ]+/);
    const hop = words.pop() ?? '';
    const tuple = parseTupleLine(words.join(' '), path, number);
    if (tuple === null) continue;
    const chosen = names.indexOf(hop);
    if (chosen < 0) {
      const message = `${path}:${number}: "${hop}" is none of --next-hops ${names.join(',')}`;
      throw new FlowfateError('input', message, { file: path, line: number });
    }
    observations.push({ ...tuple, label: 0, group: 0, chosen });
  }
  return observations;
}

function fromCapture(
  path: string,
  { names }: NamedNextHops,
  beforeS: number | undefined,
  io: Io,
): readonly Observation[] {
  const bad = names.find((name) => !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(name));
  if (bad !== undefined) {
    throw new FlowfateError(
      'usage',
      `--next-hops ${bad}: with --capture a next hop is an Ethernet address, like 02:00:0a:00:00:01`,
    );
  }
  const { observations, moved, others } = observeNextHops(path, names, beforeS ?? Number.POSITIVE_INFINITY);
  if (moved > 0)
    warn(
      io,
      `${moved} flows went to more than one next hop (a route change); they are left out; --before keeps to the time before it`,
    );
  if (observations.length === 0) {
    const seen = others.slice(0, 4).map(({ mac, frames }) => `${mac} (${frames} frames)`);
    const instead =
      seen.length === 0 ? 'it has no Ethernet frames with ports' : `its frames go to ${seen.join(', ')}`;
    throw new FlowfateError(
      'input',
      `${path} shows no flow on its way to any of these next hops; ${instead}`,
      {
        file: path,
      },
    );
  }
  return observations;
}

function beforeTime(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === null)
    throw new FlowfateError('usage', `--before ${text}: expected a duration like 5s or 250ms`);
  return seconds;
}
