/**
 * CPU bandwidth control of Linux's CFS, as far as it decides when a limited container runs.
 *
 * Source: kernel/sched/fair.c and Documentation/scheduler/sched-bwc.rst; commits 512ac999d275 (4.18: slices of a
 * CPU expire with their period) and de53fd7aedb1 (5.4: they no longer do).
 *
 * ```
 *   every period:  pool = quota                     (100 ms; nothing is carried over)
 *   a CPU without time asks the pool for a slice    (5 ms), and is throttled when the pool is empty
 *   a CPU that goes idle gives back all but 1 ms; more than a slice in the pool wakes throttled CPUs 5 ms later
 *   before 5.4, what a CPU kept is lost when the period ends: up to 1 ms per CPU and period, stranded
 * ```
 *
 * A model of one thread per CPU in exact event order; the order in which sleepers wake is drawn, and ratios
 * depend on it, so results are bands and not figures.
 */

export type CfsSlices = 'expire' | 'kept';

export interface CfsSettings {
  /** CPU time of all threads together in one period, milliseconds; a limit of 500m is 50 of 100 */
  readonly quotaMs: number;
  readonly periodMs: number;
  /** `expire`: Linux 4.18 to 5.3; `kept`: 5.4 and later */
  readonly slices: CfsSlices;
}

/** What one thread does, for ever: `burstMs` of work (Infinity = it never sleeps), then sleep. */
export interface CfsThread {
  readonly burstMs: number;
  readonly sleepMs: number;
}

export interface CfsUsage {
  /** CPU time that each thread got, milliseconds */
  readonly ranMs: Float64Array;
  /** periods in which some CPU was throttled */
  readonly throttledPeriods: number;
  readonly periods: number;
  /** of thread 0: when each burst was asked for, and how long it took to be done, milliseconds */
  readonly wokeMs: readonly number[];
  readonly latencyMs: readonly number[];
}

export const CFS_PERIOD_MS = 100;
const SLICE_MS = 5;
const KEPT_MS = 1;
/** sched_cfs_slack period: how long after the return throttled CPUs are served */
const SLACK_DELAY_MS = 5;
/** shorter remainders of work or time are nothing: they would only turn in the event loop */
const EPSILON_MS = 1e-9;

enum Cpu {
  asleep,
  running,
  throttled,
}

/**
 * Runs `threads`, one a CPU, for `durationMs`. `random` yields [0, 1) and decides when sleepers first wake and
 * how exact their sleep is (timer slack of up to a twentieth).
 */
export function simulateCfs(
  settings: CfsSettings,
  threads: readonly CfsThread[],
  durationMs: number,
  random: () => number,
): CfsUsage {
  return new CfsRun(settings, threads, random).run(durationMs);
}

class CfsRun {
  private readonly state: Uint8Array;
  /** runtime that each CPU holds; below zero it owes */
  private readonly local: Float64Array;
  /** work left in the burst in hand */
  private readonly left: Float64Array;
  /** next moment at which something happens to the CPU by itself */
  private readonly due: Float64Array;
  private readonly ran: Float64Array;
  private readonly throttledCpus: number[] = [];
  private readonly wokeMs: number[] = [];
  private readonly latencyMs: number[] = [];
  private pool: number;
  private now = 0;
  private nextRefill: number;
  private slackDue = Number.POSITIVE_INFINITY;
  private periods = 1;
  private throttledPeriods = 0;
  private throttledThisPeriod = false;

  constructor(
    private readonly settings: CfsSettings,
    private readonly threads: readonly CfsThread[],
    private readonly random: () => number,
  ) {
    const { length } = threads;
    this.state = new Uint8Array(length);
    this.local = new Float64Array(length);
    this.left = new Float64Array(length);
    this.ran = new Float64Array(length);
    this.due = Float64Array.from(threads, ({ sleepMs }) => random() * sleepMs);
    this.pool = settings.quotaMs;
    this.nextRefill = settings.periodMs;
  }

  run(durationMs: number): CfsUsage {
    for (;;) {
      const cpu = this.earliest();
      const at = cpu < 0 ? Number.POSITIVE_INFINITY : this.due[cpu]!;
      const next = Math.min(at, this.nextRefill, this.slackDue);
      if (next >= durationMs) break;
      this.advance(next);
      if (next === this.nextRefill) this.refill();
      else if (next === this.slackDue) this.distribute();
      else if (this.state[cpu] === Cpu.asleep) this.wake(cpu);
      else this.settle(cpu);
    }
    this.advance(durationMs);
    const { ran: ranMs, throttledPeriods, periods, wokeMs, latencyMs } = this;
    return { ranMs, throttledPeriods, periods, wokeMs, latencyMs };
  }

  private earliest(): number {
    let first = -1;
    for (let cpu = 0; cpu < this.due.length; cpu++) {
      if (this.state[cpu] === Cpu.throttled) continue;
      if (first < 0 || this.due[cpu]! < this.due[first]!) first = cpu;
    }
    return first;
  }

  /** Lets every running CPU run until `to`. */
  private advance(to: number): void {
    const passed = to - this.now;
    this.now = to;
    if (passed <= 0) return;
    for (let cpu = 0; cpu < this.state.length; cpu++) {
      if (this.state[cpu] !== Cpu.running) continue;
      this.ran[cpu]! += passed;
      this.local[cpu]! -= passed;
      this.left[cpu]! -= passed;
    }
  }

  private wake(cpu: number): void {
    this.left[cpu] = this.threads[cpu]!.burstMs;
    if (cpu === 0) this.wokeMs.push(this.now);
    this.dispatch(cpu);
  }

  /** A running CPU has used up its time or its work. */
  private settle(cpu: number): void {
    if (this.left[cpu]! <= EPSILON_MS) this.sleep(cpu);
    else this.dispatch(cpu);
  }

  /** Runs on with what the CPU holds or gets; throttled where there is nothing. */
  private dispatch(cpu: number): void {
    if (this.local[cpu]! <= EPSILON_MS) {
      const got = Math.min(this.pool, SLICE_MS - this.local[cpu]!);
      this.pool -= got;
      this.local[cpu]! += got;
    }
    if (this.local[cpu]! <= EPSILON_MS) {
      this.state[cpu] = Cpu.throttled;
      this.throttledCpus.push(cpu);
      this.throttledThisPeriod = true;
      return;
    }
    this.state[cpu] = Cpu.running;
    this.due[cpu] = this.now + Math.min(this.local[cpu]!, this.left[cpu]!);
  }

  private sleep(cpu: number): void {
    this.state[cpu] = Cpu.asleep;
    if (cpu === 0) this.latencyMs.push(this.now - this.wokeMs.at(-1)!);
    const slack = this.local[cpu]! - KEPT_MS;
    if (slack > 0) {
      this.local[cpu] = KEPT_MS;
      this.pool += slack;
      if (this.pool > SLICE_MS && this.throttledCpus.length > 0) {
        this.slackDue = Math.min(this.slackDue, this.now + SLACK_DELAY_MS);
      }
    }
    this.due[cpu] = this.now + this.threads[cpu]!.sleepMs * (1 + this.random() / 20);
  }

  private refill(): void {
    if (this.throttledThisPeriod) this.throttledPeriods++;
    this.throttledThisPeriod = this.throttledCpus.length > 0;
    this.periods++;
    this.nextRefill += this.settings.periodMs;
    this.pool = this.settings.quotaMs;
    if (this.settings.slices === 'expire') {
      for (let cpu = 0; cpu < this.local.length; cpu++) {
        this.local[cpu] = Math.min(this.local[cpu]!, 0);
        if (this.state[cpu] === Cpu.running) this.due[cpu] = this.now;
      }
    }
    this.unthrottle();
  }

  private distribute(): void {
    this.slackDue = Number.POSITIVE_INFINITY;
    if (this.pool > SLICE_MS) this.unthrottle();
  }

  private unthrottle(): void {
    for (const cpu of this.throttledCpus.splice(0)) this.dispatch(cpu);
  }
}
