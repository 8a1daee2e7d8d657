/**
 * The command line: from arguments to an exit status. Nothing in here ends the process or touches a global
 * stream, so that a test runs it as the shell does.
 */
import { Command, CommanderError } from 'commander';
import { nearest } from '../cluster/yaml/nearest.js';
import { FlowfateError } from '../errors.js';
import { printable } from '../report/terminal.js';
import { COMMANDS, type CommandEntry } from './command-table.js';
import { errorSentence } from './error-sentence.js';
import { ExitStatus, STATUS_OF_ERROR } from './exit-status.js';
import { ClosedPipe, type Io } from './io.js';
import { spreadRepeated } from './spread-repeated.js';
import { packageVersion } from './version.js';

/** `argv` without node and script. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    return report(error, io);
  }
}

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  let status: ExitStatus = ExitStatus.done;
  const program = newProgram(io);
  const name = argv.find((argument) => !argument.startsWith('-'));
  if (name === undefined && argv.length === 0) {
    program.outputHelp({ error: true });
    return ExitStatus.usage;
  }
  // `flowfate help replay` is `flowfate replay --help`.
  const wanted = name === 'help' ? argv.filter((argument) => argument !== 'help')[0] : name;
  const entry = wanted === undefined ? undefined : find(wanted);
  let words = [...argv];
  for (const known of COMMANDS) {
    const command = program.command(known.name).description(sentence(known.summary));
    command.summary(known.summary);
    if (known !== entry) continue;
    command
      .option('--no-color', 'print without colours, as NO_COLOR does')
      .allowExcessArguments(false)
      .helpOption('-h, --help', 'show this help');
    const { declare, repeatable = [] } = await known.load();
    declare(command, io, (ended) => {
      status = ended;
    });
    words = spreadWords(words, known.name, command, repeatable);
  }
  await program.parseAsync(words, { from: 'user' });
  return status;
}

/** {@link spreadRepeated} for the words after the command's name. */
function spreadWords(
  words: readonly string[],
  name: string,
  command: Command,
  repeatable: readonly string[],
): string[] {
  const nested = command.commands.find((inner) => words.includes(inner.name()));
  const after = words.indexOf(nested?.name() ?? name) + 1;
  const valued = (nested ?? command).options
    .filter((option) => option.required)
    .map((option) => option.long ?? '');
  return [
    ...words.slice(0, after),
    ...spreadRepeated(words.slice(after), new Set(repeatable), new Set(valued)),
  ];
}

function newProgram(io: Io): Command {
  return new Command('flowfate')
    .description('A capture goes in; the fate of every flow comes out.')
    .version(packageVersion(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .option('--no-color', 'print without colours, as NO_COLOR does')
    .usage('<command> [options]')
    .showSuggestionAfterError(true)
    .addHelpText(
      'after',
      '\n`flowfate <command> --help` explains a command with examples.\n\nExit status: 0 done, 1 a budget of --fail-on was exceeded, 2 wrong usage or configuration,\n3 unreadable or damaged input, 4 the network or a peer failed,\n5 --fail-on was given and nothing can be concluded.',
    )
    .configureOutput({
      writeOut: io.out,
      writeErr: io.err,
      // The error reaches run() as an exception and is printed there, once.
      outputError: () => {},
      getOutHelpWidth: () => io.columns ?? 80,
      getErrHelpWidth: () => io.columns ?? 80,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride();
}

function find(name: string): CommandEntry {
  const entry = COMMANDS.find((known) => known.name === name);
  if (entry !== undefined) return entry;
  const meant = nearest(
    name,
    COMMANDS.map((known) => known.name),
  );
  const hint = meant === null ? 'see flowfate --help' : `did you mean ${meant}?`;
  throw new FlowfateError('usage', `there is no command "${name}"; ${hint}`);
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

/** Says on standard error what went wrong, in one sentence, and yields the exit status. */
function report(error: unknown, io: Io): number {
  if (error instanceof ClosedPipe) return ExitStatus.done;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return ExitStatus.done;
    io.err(`flowfate: ${usageMessage(error.message)}\n`);
    return ExitStatus.usage;
  }
  if (error instanceof FlowfateError) {
    io.err(`flowfate: ${printable(errorSentence(error))}\n`);
    return STATUS_OF_ERROR[error.code];
  }
  const message = error instanceof Error ? error.message : String(error);
  io.err(
    `flowfate: this is a bug in flowfate ${packageVersion()}: ${printable(message)}\n` +
      'Please report it with the command line and the input that led to it; FLOWFATE_DEBUG=1 shows where it happened.\n',
  );
  if (io.env.FLOWFATE_DEBUG === '1' && error instanceof Error) io.err(`${error.stack ?? ''}\n`);
  return ExitStatus.bug;
}

/** Commander's "error: unknown option '--x'\n(Did you mean --y?)" as one sentence. */
function usageMessage(message: string): string {
  const [first = '', hint] = message.replace(/^error: /, '').split('\n');
  return hint === undefined
    ? printable(first)
    : `${printable(first)}; ${printable(hint).replace(/^\(Did you mean (.*)\?\)$/, 'did you mean $1?')}`;
}
