/** `flowfate collect`: the commands that gather what a replay needs, and an archive of what they print. */
import { type Command, Option } from 'commander';
import {
  type CollectCommand,
  captureCommand,
  MACHINE_COMMANDS,
  OBJECT_COMMANDS,
  shellLine,
} from '../collect/commands.js';
import { captureFor, collectInto, type Outcome } from '../collect/run-commands.js';
import { FlowfateError } from '../errors.js';
import { printable } from '../report/terminal.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';

interface CollectOptions {
  readonly run?: true;
  readonly out: string;
  readonly here?: string;
  readonly format: 'text' | 'json';
}

const EXAMPLES = `
Without --run nothing is run: the commands are printed, for you to read, run, or hand to whoever may. With --run
kubectl's are run, and with --here those of this machine, too; all they print goes into one archive. No Secret is
asked for, and no ConfigMap but those that say how packets are forwarded and addresses announced; environments of
pods are taken out before anything is written.

Examples:
  flowfate collect                                    the commands, with what an answer rests on without each
  flowfate collect --run                              what kubectl gives, as flowfate-collect.tgz
  flowfate collect --run --here router --out tor.tgz  on the router itself: its routes, groups and hash
  flowfate collect --run --here n1                    on the node n1: its rules and connections
  flowfate replay traffic.pcap --cluster flowfate-collect.tgz --router-state tor.tgz`;

export const declare: DeclareCommand = (command: Command, io, done) => {
  command
    .option('--run', 'run what this machine can, instead of printing it all')
    .option('--out <file>', 'the archive that --run writes', 'flowfate-collect.tgz')
    .option(
      '--here <what>',
      'this machine is the router ("router"), or the node of this name: run its commands, too',
    )
    .addOption(new Option('--format <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText('after', EXAMPLES)
    .action(async (options: CollectOptions) => {
      done(options.run === true ? await runAll(options, io) : printAll(options, io));
    });
};

function printAll({ here, format }: CollectOptions, io: Io): ExitStatus {
  if (here !== undefined) throw new FlowfateError('usage', '--here says what to run: give --run, too');
  const all = [...OBJECT_COMMANDS, ...MACHINE_COMMANDS, captureCommand([])];
  if (format === 'json') {
    io.out(
      `${JSON.stringify(
        all.map((one) => ({ ...one, command: shellLine(one) })),
        null,
        2,
      )}\n`,
    );
    return ExitStatus.done;
  }
  const sections: readonly (readonly [CollectCommand['place'], string])[] = [
    ['cluster', 'Wherever kubectl reaches the cluster, into one folder'],
    [
      'router',
      'On the router, into a folder named router (a command for what it runs; the others do not matter)',
    ],
    ['node', 'On each node, into a folder named nodes/<node>'],
    ['capture', 'The capture'],
  ];
  for (const [place, title] of sections) {
    io.out(`# ${title}\n`);
    for (const one of all.filter((other) => other.place === place)) {
      const redirect = place === 'capture' ? '' : ` > ${one.file}`;
      const loss = one.without === null ? '' : `; without it: ${one.without}`;
      io.out(`${shellLine(one)}${redirect}\n    # ${one.what}${loss}\n`);
    }
    io.out('\n');
  }
  io.out('# Then: flowfate replay traffic.pcap --cluster <folder> --router-state <folder>/router\n');
  return ExitStatus.done;
}

async function runAll({ out, here, format }: CollectOptions, io: Io): Promise<ExitStatus> {
  const place = here === undefined ? null : here === 'router' ? 'router' : 'node';
  const own = MACHINE_COMMANDS.filter((one) => one.place === place);
  const folderOf = (one: CollectCommand): string => (one.place === 'node' ? `nodes/${here}` : one.place);
  const commands = [...OBJECT_COMMANDS, ...own];
  let noKubectl = false;
  const { outcomes, vips } = await collectInto(out, commands, folderOf, (outcome) => {
    noKubectl ||= outcome.result === 'no-tool' && outcome.command.argv[0] === 'kubectl';
    if (outcome.result !== 'no-tool' || outcome.command.argv[0] !== 'kubectl') tell(outcome, io);
  });
  const collected = outcomes.filter(({ result }) => result === 'collected');
  if (noKubectl) io.err('flowfate: kubectl is not installed here: nothing was asked of the cluster\n');
  if (collected.length === 0) {
    if (noKubectl)
      throw new FlowfateError(
        'usage',
        'nothing was collected; run this where kubectl reaches the cluster, or on the router or a node with --here',
      );
    const reason = outcomes.find(({ result }) => result === 'failed')?.reason ?? 'no command gave anything';
    throw new FlowfateError('network', `nothing was collected: kubectl says "${reason}"`);
  }
  const rest = [...OBJECT_COMMANDS, ...MACHINE_COMMANDS].filter((one) => {
    const outcome = outcomes.find(({ command }) => command === one);
    return outcome === undefined || outcome.result === 'failed' || outcome.result === 'no-tool';
  });
  const missing = rest.filter(
    ({ place: at, without }) => without !== null && (at !== 'router' || place !== 'router'),
  );
  const capture = captureFor(vips);
  if (format === 'json') {
    const results = outcomes.map(({ command, result, reason }) => ({
      command: shellLine(command),
      result,
      reason,
    }));
    io.out(
      `${JSON.stringify({ archive: out, results, missing: missing.map((one) => ({ command: shellLine(one), without: one.without })), capture: shellLine(capture) }, null, 2)}\n`,
    );
    return ExitStatus.done;
  }
  io.out(`${out}: what ${collected.length} commands printed\n`);
  if (missing.length > 0) {
    io.out('\nNot in it, and what an answer rests on without it\n');
    for (const one of missing)
      io.out(
        `  ${one.place === 'node' ? 'each node: ' : one.place === 'router' ? 'router: ' : ''}${printable(shellLine(one))}\n      ${one.without}\n`,
      );
  }
  io.out(`\nThe capture, on the router or a mirror port\n  ${shellLine(capture)}\n`);
  io.out(`\nThen\n  flowfate replay traffic.pcap --cluster ${out}\n  flowfate audit --cluster ${out}\n`);
  return ExitStatus.done;
}

const WORDS: Readonly<Record<Outcome['result'], string>> = {
  collected: 'collected',
  absent: 'not in this cluster',
  'no-tool': 'not installed here',
  failed: 'failed',
};

function tell({ command, result, reason }: Outcome, io: Io): void {
  const why = result === 'failed' && reason !== '' ? `: ${reason}` : '';
  io.err(`${WORDS[result]}: ${printable(shellLine(command))}${printable(why)}\n`);
}
