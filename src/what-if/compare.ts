/**
 * The survival matrix: every combination of the varied knobs on the same capture, each over a number of seeds.
 *
 * Under a hash nobody can know (a vendor's ASIC, a Linux router's boot-time seed) one run is one draw; what can
 * be said is the mean over seeds and its interval. All combinations share one index; with threads they run on
 * every core. Rows are ranked by flows broken, then by imbalance.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { ClusterModel } from '../cluster/model.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { SILENT_WORKER } from '../flow/silent-worker.js';
import { planOf } from '../outcome/flow-plan.js';
import { doubtsOf } from '../verdict/certainty.js';
import { FATES, shareOf } from '../verdict/fates.js';
import { replay } from '../verdict/replay.js';
import type { Fate } from '../verdict/verdict.js';
import { indexOf, type SharedIndex, shareIndex } from './shared-index.js';
import { type Combination, combinations, seeded, type Variation, varied } from './variation.js';

/** What one run yields. */
interface RunFigures {
  readonly flows: number;
  readonly judged: number;
  readonly broken: number;
  readonly byFate: Readonly<Record<Fate, number>>;
  readonly latent: number;
  /** busiest over mean, by flows; 0 = nothing to balance */
  readonly maxOverMeanNodes: number;
  readonly maxOverMeanEndpoints: number;
  /** share of the flows whose endpoint sees the client's address */
  readonly sourcePreserved: number;
}

export interface Spread {
  readonly mean: number;
  /** the interval that holds 90 % of the runs, by rank */
  readonly low: number;
  readonly high: number;
  /** half width of the 95 % interval of the mean (Student's t); 0 with one seed */
  readonly interval: number;
  readonly min: number;
  readonly max: number;
}

export interface MatrixRow {
  readonly combination: Combination;
  /** connections that were judged, mean over the seeds */
  readonly judged: number;
  readonly broken: Spread;
  /** mean of broken over mean of judged; null where nothing was judged */
  readonly brokenShare: number | null;
  readonly byFate: Readonly<Record<Fate, Spread>>;
  readonly latent: Spread;
  readonly maxOverMeanNodes: Spread;
  readonly maxOverMeanEndpoints: Spread;
  readonly sourcePreserved: Spread;
  /** why this combination cannot be, instead of figures */
  readonly refused: string | null;
  /** what the figures rest on where that is not a Linux kernel's choice, bit by bit */
  readonly doubts: readonly string[];
}

export interface Matrix {
  /** flows towards a VIP */
  readonly flows: number;
  readonly seeds: number;
  /** ranked: fewest broken first; refused ones last */
  readonly rows: readonly MatrixRow[];
}

export interface CompareOptions {
  readonly seeds: number;
  /** worker threads; 0 = in this thread. Default: one a core */
  readonly threads?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What a worker is told at its start, and what it sends back for each job. */
export interface WorkerStart {
  readonly index: SharedIndex;
  readonly model: ClusterModel;
  readonly combinations: readonly Combination[];
}
export interface Job {
  readonly combination: number;
  readonly seed: number;
}
export interface JobDone extends Job {
  readonly figures: RunFigures | null;
  readonly refused: string | null;
}

export async function compare(
  index: CaptureIndex,
  model: ClusterModel,
  variations: readonly Variation[],
  options: CompareOptions,
): Promise<Matrix> {
  const all = combinations(variations);
  const jobs = all.flatMap((_, combination) =>
    Array.from({ length: options.seeds }, (_, seed): Job => ({ combination, seed })),
  );
  const runs: (RunFigures | null)[][] = all.map(() => []);
  const refused: (string | null)[] = all.map(() => null);
  let done = 0;
  const collect = (result: JobDone): void => {
    runs[result.combination]![result.seed] = result.figures;
    refused[result.combination] ??= result.refused;
    done++;
    options.onProgress?.(done, jobs.length);
  };
  const threads = Math.min(jobs.length, options.threads ?? availableParallelism());
  const program = new URL('./compare-worker.js', import.meta.url);
  if (threads > 1 && existsSync(fileURLToPath(program))) {
    const start: WorkerStart = { index: shareIndex(index), model, combinations: all };
    await runThreads(program, start, jobs, threads, collect);
  } else {
    for (const job of jobs) collect(runJob(index, model, all, job));
  }
  const rows = all.map((combination, row) =>
    summarise(
      combination,
      runs[row]!,
      refused[row]!,
      refused[row] === null ? doubtsOf(varied(model, combination)) : [],
    ),
  );
  rows.sort(
    (a, b) =>
      Number(a.refused !== null) - Number(b.refused !== null) ||
      a.broken.mean - b.broken.mean ||
      a.maxOverMeanNodes.mean - b.maxOverMeanNodes.mean,
  );
  // not from a run: every combination may be refused
  const flows = planOf(index, model).count;
  return { flows, seeds: options.seeds, rows };
}

/** One combination under one seed. */
function runJob(index: CaptureIndex, model: ClusterModel, all: readonly Combination[], job: Job): JobDone {
  try {
    const { summary } = replay(index, seeded(varied(model, all[job.combination]!), job.seed));
    const { byFate, balance, sourcePreserved, latent, judged, broken } = summary;
    const preserved = sourcePreserved.yes + sourcePreserved.no;
    const figures: RunFigures = {
      flows: preserved + sourcePreserved.unknown,
      judged,
      broken,
      byFate,
      latent,
      maxOverMeanNodes: balance.maxOverMean.nodes ?? 0,
      maxOverMeanEndpoints: balance.maxOverMean.endpoints ?? 0,
      sourcePreserved: preserved === 0 ? 0 : sourcePreserved.yes / preserved,
    };
    return { ...job, figures, refused: null };
  } catch (error) {
    // an impossible combination is a result; a fault of ours is not
    if (error instanceof RangeError || (error as Error).name === 'FlowfateError') {
      return { ...job, figures: null, refused: (error as Error).message };
    }
    throw error;
  }
}

/** Runs a worker's jobs from the shared index. */
export function jobRunner({ index, model, combinations: all }: WorkerStart): (job: Job) => JobDone {
  const local = indexOf(index);
  return (job) => runJob(local, model, all, job);
}

function runThreads(
  program: URL,
  start: WorkerStart,
  jobs: readonly Job[],
  threads: number,
  collect: (result: JobDone) => void,
): Promise<void> {
  let next = 0;
  const runOne = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(program, { workerData: start, ...SILENT_WORKER });
      const feed = (): void => {
        const job = jobs[next++];
        if (job === undefined) void worker.terminate().then(() => resolve(), reject);
        else worker.postMessage(job);
      };
      worker.on('message', (result: JobDone) => {
        collect(result);
        feed();
      });
      worker.on('error', reject);
      feed();
    });
  return Promise.all(Array.from({ length: threads }, runOne)).then(() => undefined);
}

function summarise(
  combination: Combination,
  runs: readonly (RunFigures | null)[],
  refused: string | null,
  doubts: readonly string[],
): MatrixRow {
  const good = runs.filter((run) => run !== null);
  const of = (figure: Exclude<keyof RunFigures, 'byFate'>): Spread => spread(good.map((run) => run[figure]));
  const judged = of('judged').mean;
  const broken = of('broken');
  const fates = FATES.map((fate) => [fate, spread(good.map((run) => run.byFate[fate]))]);
  return {
    combination,
    judged,
    broken,
    brokenShare: shareOf(broken.mean, { judged }),
    byFate: Object.fromEntries(fates) as Record<Fate, Spread>,
    latent: of('latent'),
    maxOverMeanNodes: of('maxOverMeanNodes'),
    maxOverMeanEndpoints: of('maxOverMeanEndpoints'),
    sourcePreserved: of('sourcePreserved'),
    refused,
    doubts,
  };
}

export function spread(values: readonly number[]): Spread {
  const n = values.length;
  if (n === 0) return { mean: 0, low: 0, high: 0, interval: 0, min: 0, max: 0 };
  const mean = values.reduce((sum, v) => sum + v, 0) / n;
  const variance = n < 2 ? 0 : values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1);
  const ranked = [...values].sort((a, b) => a - b);
  return {
    mean,
    low: ranked[Math.floor(0.05 * (n - 1))]!,
    high: ranked[Math.ceil(0.95 * (n - 1))]!,
    interval: n < 2 ? 0 : studentT95(n - 1) * Math.sqrt(variance / n),
    min: Math.min(...values),
    max: Math.max(...values),
  };
}

/** Two-sided 95 % quantile of Student's t, by degrees of freedom (Abramowitz and Stegun 26.7.5 beyond the table). */
function studentT95(df: number): number {
  const table = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
  const known = table[df - 1];
  if (known !== undefined) return known;
  const z = 1.959964;
  return z + (z ** 3 + z) / (4 * df) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * df * df);
}
