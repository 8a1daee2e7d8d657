/**
 * A host that is a network namespace, and the programs inside it. A program is ended by its id only, with its
 * children; what it writes goes to a file.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What this machine lacks for work in namespaces, as a sentence; null where nothing is missing. */
export const lacksNamespaces: string | null = (() => {
  if (process.getuid?.() !== 0) return 'needs root: network namespaces cannot be made without it';
  if (spawnSync('ip', ['-V']).status !== 0) return 'needs the program ip (Debian package iproute2)';
  const name = `fft${randomBytes(3).toString('hex')}`;
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0)
    return 'needs the right to make network namespaces';
  spawnSync('ip', ['netns', 'delete', name]);
  return null;
})();

export interface KernelNextHop {
  readonly gateway: string;
  readonly weight: number;
}

/** counts the logs of all hosts: one that comes again under the same name must not find what the last one wrote */
let logs = 0;

export class Host {
  private readonly processes = new Set<HostProcess>();

  constructor(
    readonly name: string,
    readonly namespace: string,
    readonly dir: string,
  ) {}

  /** Runs a command inside to its end; its standard output. Fails with what it wrote where its status is not 0. */
  async exec(command: string, ...args: string[]): Promise<string> {
    const { stdout } = await run('ip', ['netns', 'exec', this.namespace, command, ...args], {
      maxBuffer: 64 * 1024 * 1024,
      timeout: 30_000,
    });
    return stdout;
  }

  async ip(...args: string[]): Promise<string> {
    return (await run('ip', ['-n', this.namespace, ...args])).stdout;
  }

  /** Several commands of `ip` in one process. */
  async batch(commands: readonly string[]): Promise<void> {
    const child = spawn('ip', ['-n', this.namespace, '-batch', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.on('data', (text) => {
      complaint += text;
    });
    child.stdin.end(`${commands.join('\n')}\n`);
    const status = await new Promise((resolve) => child.on('close', resolve));
    if (status !== 0) throw new Error(`ip refused in ${this.name}: ${complaint}`);
  }

  /** The next hops of the kernel's route to a prefix, in the order of its table. */
  async kernelNextHops(prefix: string): Promise<KernelNextHop[]> {
    const family = prefix.includes(':') ? '-6' : '-4';
    const routes = JSON.parse((await this.ip('-j', family, 'route', 'show', 'exact', prefix)) || '[]') as {
      gateway?: string;
      nexthops?: KernelNextHop[];
    }[];
    return routes.flatMap(
      (route) => route.nexthops ?? (route.gateway ? [{ gateway: route.gateway, weight: 1 }] : []),
    );
  }

  /** Starts a program inside. What it writes to either stream goes to a file, so that nobody has to keep reading. */
  start(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): HostProcess {
    const logFile = join(this.dir, `${this.name}-${logs++}.log`);
    const log = openSync(logFile, 'a');
    const child = spawn('ip', ['netns', 'exec', this.namespace, command, ...args], {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
    });
    closeSync(log);
    const started = new HostProcess(child, logFile);
    this.processes.add(started);
    void started.ended.then(() => this.processes.delete(started));
    return started;
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.processes].map((p) => p.stop()));
  }

  killAllNow(): void {
    for (const p of this.processes) p.killNow();
  }
}

export class HostProcess {
  /** resolves with the exit status, or the signal's name */
  readonly ended: Promise<number | string>;
  private over = false;

  constructor(
    readonly child: ChildProcess,
    readonly logFile: string,
  ) {
    this.ended = new Promise((resolve) => {
      child.on('error', (error) => resolve(error.message));
      child.on('exit', (status, signal) => resolve(status ?? signal ?? 'unknown'));
    });
    void this.ended.then(() => {
      this.over = true;
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return !this.over;
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.over) this.child.kill(signal);
  }

  /** SIGTERM, and SIGKILL where that did not end it in time. */
  async stop(graceMs = 10_000): Promise<number | string> {
    const family = this.family().slice(1);
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.killNow(), graceMs);
    const status = await this.ended;
    clearTimeout(timer);
    killEach(family);
    return status;
  }

  /** As if the machine had lost power: the process and its children go without a word. */
  async kill(): Promise<void> {
    this.killNow();
    await this.ended;
  }

  killNow(): void {
    if (!this.over) killEach(this.family());
  }

  /** the process and its descendants */
  private family(): number[] {
    return this.over ? [] : [this.pid, ...descendants(this.pid)];
  }
}

function killEach(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended by itself
    }
  }
}

function descendants(pid: number): number[] {
  const parents = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      parents.set(parent, [...(parents.get(parent) ?? []), Number(entry)]);
    } catch {
      // it ended while we looked
    }
  }
  const found: number[] = [];
  const look = (of: number): void => {
    for (const child of parents.get(of) ?? []) {
      found.push(child);
      look(child);
    }
  };
  look(pid);
  return found;
}
