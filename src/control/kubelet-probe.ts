/**
 * Kubelet's readiness and liveness probes: what becomes of a container that answers late, or not at all.
 *
 * Source: kubelet's prober (one worker a probe and container, a tick every period, the first one within a period
 * of the start), Pod v1 `Probe` defaults, and the container restart back-off (10 s, doubled up to 300 s, forgotten
 * after 10 minutes of running).
 *
 * A probe that is not answered within its timeout has failed. `failureThreshold` failures in a row make a ready
 * container unready, or kill one that is probed for life; `successThreshold` successes make it ready again. What
 * the container does is an argument, so that a slow one, a refusing one and one that waits for a neighbour are
 * the same code.
 */

export interface ProbeSettings {
  readonly initialDelayS: number;
  readonly periodS: number;
  readonly timeoutS: number;
  readonly failureThreshold: number;
  /** always 1 for liveness */
  readonly successThreshold: number;
}

/** Pod v1 defaults. */
export const DEFAULT_PROBE: ProbeSettings = {
  initialDelayS: 0,
  periodS: 10,
  timeoutS: 1,
  failureThreshold: 3,
  successThreshold: 1,
};

export interface Probes {
  readonly readiness: ProbeSettings | null;
  readonly liveness: ProbeSettings | null;
  /** from the start of the container's process until it serves */
  readonly startupS: number;
}

/**
 * How the container answers a probe sent at `atS`, its process having run since `startedS`: seconds until the
 * right answer; Infinity where there is none, or a wrong one.
 */
export type Answer = (atS: number, startedS: number) => number;

export type ProbeOutcome = 'unready' | 'ready' | 'restart' | 'started';

export interface ProbeEvent {
  readonly atS: number;
  readonly outcome: ProbeOutcome;
}

const FIRST_BACKOFF_S = 10;
const MAX_BACKOFF_S = 300;
/** kubelet forgets the back-off after twice its maximum */
const BACKOFF_RESET_S = 2 * MAX_BACKOFF_S;

/**
 * What the probes do between `fromS` and `toS` to a container that is ready and has run for long at `fromS`.
 * `phase` (0 to 1) is where in its period each worker stands then. Events in order of time; a `restart` stops the
 * process (its connections with it), `started` is the new process, which is ready when `ready` follows.
 */
export function runProbes(
  probes: Probes,
  answer: Answer,
  fromS: number,
  toS: number,
  phase: number,
): ProbeEvent[] {
  return new ProbeRun(probes, answer, phase).run(fromS, toS);
}

/** One worker: when it probes next, and how many results of one kind it has seen in a row. */
class Worker {
  nextS = 0;
  failures = 0;
  successes = 0;

  constructor(readonly settings: ProbeSettings) {}

  /** Sends the probe that is due; returns when its result is known and whether it is a success. */
  probe(answer: Answer, startedS: number): { atS: number; ok: boolean } {
    const { timeoutS, periodS } = this.settings;
    const sentS = this.nextS;
    const tookS = answer(sentS, startedS);
    const ok = tookS <= timeoutS;
    // ticks that fall into a probe still running are dropped, not made up for
    const busyS = Math.min(tookS, timeoutS);
    this.nextS = sentS + periodS * Math.max(1, Math.ceil(busyS / periodS));
    this.failures = ok ? 0 : this.failures + 1;
    this.successes = ok ? this.successes + 1 : 0;
    return { atS: sentS + busyS, ok };
  }

  startAt(atS: number, phase: number): void {
    this.failures = 0;
    this.successes = 0;
    this.nextS = atS + this.settings.initialDelayS + phase * this.settings.periodS;
  }
}

class ProbeRun {
  private readonly readiness: Worker | null;
  private readonly liveness: Worker | null;
  private readonly events: ProbeEvent[] = [];
  private ready = true;
  /** far in the past: a container that has run for long */
  private startedS = Number.NEGATIVE_INFINITY;
  private backoffS = 0;

  constructor(
    private readonly probes: Probes,
    private readonly answer: Answer,
    private readonly phase: number,
  ) {
    this.readiness = probes.readiness && new Worker(probes.readiness);
    this.liveness = probes.liveness && new Worker(probes.liveness);
  }

  run(fromS: number, toS: number): ProbeEvent[] {
    for (const worker of [this.readiness, this.liveness]) {
      if (worker !== null) worker.nextS = fromS + this.phase * worker.settings.periodS;
    }
    for (;;) {
      const worker = this.nextWorker();
      if (worker === null || worker.nextS >= toS) break;
      const { atS, ok } = worker.probe((at, started) => this.answerOf(at, started), this.startedS);
      if (worker === this.readiness) this.readinessResult(atS, ok);
      else this.livenessResult(atS);
    }
    return this.events.filter(({ atS }) => atS < toS).sort((a, b) => a.atS - b.atS);
  }

  /** A process that is still starting answers nobody. */
  private answerOf(atS: number, startedS: number): number {
    return atS < startedS + this.probes.startupS ? Number.POSITIVE_INFINITY : this.answer(atS, startedS);
  }

  private nextWorker(): Worker | null {
    const { readiness, liveness } = this;
    if (readiness === null || liveness === null) return readiness ?? liveness;
    return readiness.nextS <= liveness.nextS ? readiness : liveness;
  }

  private readinessResult(atS: number, ok: boolean): void {
    const worker = this.readiness!;
    const enough = ok
      ? worker.successes >= worker.settings.successThreshold
      : worker.failures >= worker.settings.failureThreshold;
    if (!enough || this.ready === ok) return;
    this.ready = ok;
    this.events.push({ atS, outcome: ok ? 'ready' : 'unready' });
  }

  private livenessResult(atS: number): void {
    if (this.liveness!.failures < this.liveness!.settings.failureThreshold) return;
    if (atS - this.startedS > BACKOFF_RESET_S) this.backoffS = 0;
    const againS = atS + this.backoffS;
    this.backoffS = this.backoffS === 0 ? FIRST_BACKOFF_S : Math.min(this.backoffS * 2, MAX_BACKOFF_S);
    this.events.push({ atS, outcome: 'restart' }, { atS: againS, outcome: 'started' });
    this.startedS = againS;
    this.liveness!.startAt(againS, this.phase);
    if (this.readiness === null) {
      // without a readiness probe a container is ready as soon as it runs
      this.events.push({ atS: againS, outcome: 'ready' });
      return;
    }
    this.ready = false;
    this.readiness.startAt(againS, this.phase);
  }
}
