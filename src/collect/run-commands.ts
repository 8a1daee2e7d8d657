/** Runs commands of the table and puts what they print into one archive, which every command of flowfate takes. */
import { spawn } from 'node:child_process';
import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { pruneObject } from '../cluster/kubernetes/prune-object.js';
import { FlowfateError } from '../errors.js';
import { type CollectCommand, captureCommand, shellLine } from './commands.js';

/** What one command may print, and how long it may take. */
const MAX_OUTPUT_BYTES = 480 * 1024 * 1024;
const MAX_DURATION_MS = 120_000;

const UNREACHABLE =
  /refused|unable to connect|no such host|timeout|timed out|unauthorized|must be logged in|no configuration/i;

export interface Outcome {
  readonly command: CollectCommand;
  /** `absent`: the cluster has no such kind or object */
  readonly result: 'collected' | 'absent' | 'no-tool' | 'failed';
  /** the last line it wrote on standard error */
  readonly reason: string;
}

export interface Collection {
  readonly outcomes: readonly Outcome[];
  /** addresses of services that were seen, at most as many as a filter holds */
  readonly vips: readonly string[];
}

/** @param folderOf where a command's output stands in the archive */
export async function collectInto(
  path: string,
  commands: readonly CollectCommand[],
  folderOf: (command: CollectCommand) => string,
  onOutcome: (outcome: Outcome) => void,
): Promise<Collection> {
  const archive = pack();
  const partial = `${path}.${process.pid}.partial`;
  const file = createWriteStream(partial);
  const written = finished(archive.pipe(createGzip()).pipe(file));
  written.catch(() => {});
  try {
    const outcomes: Outcome[] = [];
    const vips: string[] = [];
    let lost = false;
    for (const command of commands) {
      if (lost && command.place === 'cluster') continue;
      const { outcome, output } = await runOne(command);
      outcomes.push(outcome);
      onOutcome(outcome);
      // who cannot reach the cluster once will not the next thirty times
      lost ||=
        command.place === 'cluster' && (outcome.result === 'no-tool' || UNREACHABLE.test(outcome.reason));
      if (outcome.result !== 'collected') continue;
      const { text, addresses } =
        command.place === 'cluster' ? cleaned(output) : { text: output, addresses: [] };
      vips.push(...addresses);
      archive.entry({ name: `flowfate-collect/${folderOf(command)}/${command.file}` }, text);
    }
    archive.entry({ name: 'flowfate-collect/manifest.txt' }, manifestOf(outcomes));
    archive.finalize();
    await written;
    const isAnything = outcomes.some(({ result }) => result === 'collected');
    if (isAnything) renameSync(partial, path);
    return { outcomes, vips: [...new Set(vips)] };
  } catch (error) {
    if (error instanceof FlowfateError) throw error;
    throw new FlowfateError(
      'config',
      `${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
      { file: path },
    );
  } finally {
    rmSync(partial, { force: true });
  }
}

function manifestOf(outcomes: readonly Outcome[]): string {
  const lines = outcomes.map(
    ({ command, result, reason }) => `${result}\t${shellLine(command)}${reason === '' ? '' : `\t${reason}`}`,
  );
  return `${lines.join('\n')}\n`;
}

async function runOne(command: CollectCommand): Promise<{ outcome: Outcome; output: string }> {
  const { status, output, error } = await execute(command.argv);
  const reason = error.trim().split('\n').at(-1) ?? '';
  const outcome = (result: Outcome['result']): { outcome: Outcome; output: string } => ({
    outcome: { command, result, reason: result === 'collected' ? '' : reason },
    output,
  });
  if (status === 'no-tool') return outcome('no-tool');
  if (status !== 0)
    return outcome(/doesn't have a resource type|NotFound|not found/.test(error) ? 'absent' : 'failed');
  return outcome('collected');
}

interface Execution {
  readonly status: number | 'no-tool';
  readonly output: string;
  readonly error: string;
}

function execute(argv: readonly string[]): Promise<Execution> {
  return new Promise((resolve) => {
    const child = spawn(argv[0]!, argv.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: MAX_DURATION_MS,
    });
    const output: Buffer[] = [];
    let bytes = 0;
    let error = '';
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_OUTPUT_BYTES) {
        error += '\nits output is larger than 480 MiB';
        child.kill();
      } else output.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (error.length < 65536) error += chunk.toString();
    });
    child.on('error', (fault: NodeJS.ErrnoException) => {
      resolve({ status: fault.code === 'ENOENT' ? 'no-tool' : 1, output: '', error: fault.message });
    });
    child.on('close', (code, signal) => {
      const status = signal === null ? (code ?? 1) : 1;
      resolve({
        status,
        output: Buffer.concat(output).toString(),
        error: signal === null ? error : `${error}\nit was stopped`,
      });
    });
  });
}

/** Objects without what nobody asks for (environments above all), and the addresses of services in them. */
function cleaned(output: string): { text: string; addresses: string[] } {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(output) as Record<string, unknown>;
  } catch {
    return { text: output, addresses: [] };
  }
  const items = (Array.isArray(value.items) ? value.items : [value]) as Record<string, unknown>[];
  for (const item of items) pruneObject(item);
  const addresses = items.flatMap((item) => {
    const status = item.status as { loadBalancer?: { ingress?: { ip?: string }[] } } | undefined;
    return item.kind === 'Service' ? (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []) : [];
  });
  return { text: `${JSON.stringify(value)}\n`, addresses };
}

/** How many addresses a filter names before it becomes unwieldy. */
const MOST_HOSTS = 32;

export function captureFor(vips: readonly string[]): CollectCommand {
  return captureCommand(vips.length > MOST_HOSTS ? [] : vips);
}
