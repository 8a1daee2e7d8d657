/**
 * Whole runs of the program against a native peer, as ratios: every command once a round, so that a machine that
 * slows down slows all of them down, and the median of the ratios of each round. Wall time and CPU of the process.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type CaptureSize, madeCapture } from './made-capture.js';
import { has, type Peer, peers } from './peer.js';

export interface Ratio {
  readonly work: string;
  /** what it is measured against */
  readonly against: string;
  readonly wallS: number;
  readonly cpuS: number;
  readonly wallRatio: number;
  readonly cpuRatio: number;
}

interface Run {
  readonly work: string;
  readonly against: string;
  readonly command: readonly string[];
}

interface Taken {
  readonly wallS: number;
  readonly cpuS: number;
}

const PROGRAM = fileURLToPath(new URL('../src/bin/flowfate.js', import.meta.url));
const flowfate = (...words: string[]): readonly string[] => [process.execPath, PROGRAM, ...words];

const ROUNDS = 3;
const START = 'node -e 0';

export function measureRatios(size: CaptureSize): readonly Ratio[] {
  const runs = runsOver(madeCapture(size).path);
  const taken = new Map<Run, Taken[]>(runs.map((run) => [run, []]));
  // the first round fills caches and writes the index file
  for (let round = 0; round <= ROUNDS; round++) {
    for (const run of runs) {
      const one = take(run.command);
      if (round > 0) taken.get(run)!.push(one);
    }
  }
  return runs.map((run) => {
    const own = taken.get(run)!;
    const other = taken.get(runs.find(({ work }) => work === run.against)!)!;
    return {
      work: run.work,
      against: run.against,
      wallS: median(own.map(({ wallS }) => wallS)),
      cpuS: median(own.map(({ cpuS }) => cpuS)),
      wallRatio: median(own.map(({ wallS }, i) => wallS / other[i]!.wallS)),
      cpuRatio: median(own.map(({ cpuS }, i) => cpuS / Math.max(0.001, other[i]!.cpuS))),
    };
  });
}

function runsOver(capture: string): readonly Run[] {
  const natives: readonly Peer[] = peers();
  const first = natives[0]?.name ?? START;
  const bare = (...words: string[]) => flowfate(...words, capture, '--no-index');
  const work = (name: string, command: readonly string[], against = first): Run => ({
    work: name,
    against,
    command,
  });
  const compare = bare('compare', '--seeds', '4', '--vary', 'select=modulo,maglev');
  return [
    ...natives.map(({ name, command }) => work(name, command(capture))),
    work('flows --summary', bare('flows', '--summary')),
    work('flows --format ndjson', bare('flows', '--format', 'ndjson')),
    work('replay, one draw', bare('replay', '--draws', '1')),
    work('replay, 16 draws', bare('replay'), 'replay, one draw'),
    work('replay --format ndjson', bare('replay', '--draws', '1', '--format', 'ndjson')),
    work('replay --pcapng', bare('replay', '--draws', '1', '--pcapng', '/dev/null')),
    work('explain', flowfate('explain', capture)),
    work('flows --summary, index file', flowfate('flows', '--summary', capture)),
    work('flows --format ndjson, index file', flowfate('flows', '--format', 'ndjson', capture)),
    work('replay, one draw, index file', flowfate('replay', '--draws', '1', capture)),
    ...(has('taskset') ? [work('compare, one core', ['taskset', '-c', '0', ...compare])] : []),
    work('compare, all cores', compare, has('taskset') ? 'compare, one core' : first),
    work(START, [process.execPath, '-e', '0'], START),
    work('flowfate --help', flowfate('--help'), START),
    work('flowfate replay --help', flowfate('replay', '--help'), START),
    work('flowfate router --help', flowfate('router', '--help'), START),
    work('a mistyped option', flowfate('replay', '--formt', 'json', 'x.pcap'), START),
    work('flowfate hash', flowfate('hash', '--hash', 'linux-l4', '--next-hops', 'a,b', '--table'), START),
  ];
}

/** One run; its output is thrown away. */
function take(command: readonly string[]): Taken {
  const script = 'TIMEFORMAT="%R %U %S"; time "$@" >/dev/null 2>/dev/null';
  const { stderr } = spawnSync('bash', ['-c', script, 'bash', ...command], { encoding: 'utf8' });
  const [wallS, userS, systemS] = stderr.trim().split(' ').map(Number);
  return { wallS: wallS!, cpuS: userS! + systemS! };
}

export function median(values: readonly number[]): number {
  const ranked = [...values].sort((a, b) => a - b);
  return ranked[Math.floor(ranked.length / 2)]!;
}

export function printRatios(ratios: readonly Ratio[]): void {
  const head = ['work', 'against', 'wall s', 'CPU s', 'wall ratio', 'CPU ratio'];
  console.log(
    `${head[0]!.padEnd(36)}${head[1]!.padEnd(20)}${head
      .slice(2)
      .map((h) => h.padStart(11))
      .join('')}`,
  );
  for (const { work, against, wallS, cpuS, wallRatio, cpuRatio } of ratios) {
    const figures = [wallS.toFixed(3), cpuS.toFixed(3), wallRatio.toFixed(2), cpuRatio.toFixed(2)];
    console.log(`${work.padEnd(36)}${against.padEnd(20)}${figures.map((f) => f.padStart(11)).join('')}`);
  }
}
