/**
 * What the real system draws at random, drawn many times: kube-proxy's choice of an endpoint, source ports, the phase of
 * a probe. Each draw is the same replay with another seed of chance; the router's hash and its seed stay, because a
 * router draws them once, at its start. A connection whose fate differs between draws gets the likeliest one, its cause
 * and chain from a draw that gave it, and the share of draws of each fate as its chances.
 *
 * Everything else of a report (events, loads, paths of what is not drawn) is that of the first draw, the scenario's own
 * seed.
 */
import type { ClusterModel } from '../cluster/model.js';
import type { Ending } from '../outcome/verdict-tracker.js';
import type { ClientEvidence } from './client-evidence.js';
import { FATES, isBroken, noFates } from './fates.js';
import type { FlowVerdicts } from './flow-verdicts.js';
import type { Records } from './records.js';
import type {
  ApplicationTrouble,
  Expected,
  Fate,
  FlowVerdict,
  RewrittenRequest,
  Unjudged,
} from './verdict.js';

export const DEFAULT_DRAWS = 16;

/** Results of draws are kept up to so many rows in all, and made again when asked for beyond. */
const KEPT_ROWS = 4_000_000;

/** two-sided 90 % quantile of the normal distribution */
const Z_90 = 1.6449;

/** what a summary asks of verdicts; rows are those of the plan */
export interface VerdictSource {
  readonly records: Records;
  fate(f: number): Fate;
  unjudged(f: number): Unjudged | null;
  ending(f: number): Ending | null;
  brokenAtS(f: number): number | null;
  trouble(f: number): ApplicationTrouble | null;
  /** of a row whose fate is `delivered`: it would break at its next packet */
  isLatent(f: number): boolean;
  flowVerdict(row: number): FlowVerdict;
  rewrittenRequest(row: number): RewrittenRequest | null;
}

/** Seed of a draw; the first is the scenario's own. */
export function seedOfDraw({ seed }: Pick<ClusterModel, 'seed'>, draw: number): number {
  return draw === 0 ? seed : (seed + Math.imul(draw, 0x9e3779b1)) >>> 0;
}

/** Whether any fate can depend on a draw: a choice among several endpoints, a balancer's, or a probe's phase. */
export function dependsOnDraws({ services, edge, timeline }: ClusterModel): boolean {
  if (edge !== null) return true;
  const drawing = new Set(['unhealthy', 'throttle', 'scale']);
  if (timeline.some(({ kind }) => drawing.has(kind))) return true;
  return services.some(({ endpoints, externalTrafficPolicy, internalTrafficPolicy }) => {
    if (endpoints.length < 2) return false;
    if (externalTrafficPolicy === 'Cluster' && internalTrafficPolicy !== 'Local') return true;
    return new Set(endpoints.map(({ node }) => node)).size < endpoints.length;
  });
}

export class DrawnVerdicts implements VerdictSource {
  readonly records: Records;
  /** by draw, by row of the plan: row of {@link FATES} */
  private readonly fates: Uint8Array[] = [];
  /** by draw, by row: how well what the client did fits; null: every draw counts the same */
  private readonly weights: Float32Array[] | null;
  private readonly kept = new Map<number, FlowVerdicts>();
  /** by row of the plan: the draw whose fate is the likeliest */
  private readonly chosen: Uint16Array;

  /** @param replayed the verdicts of one draw, by its number */
  constructor(
    readonly draws: number,
    private readonly rows: number,
    private readonly replayed: (draw: number) => FlowVerdicts,
    /** with it a draw counts for a connection as much as its fate there fits what the client did */
    private readonly evidence: ClientEvidence | null = null,
  ) {
    this.weights = evidence === null ? null : [];
    for (let draw = 0; draw < draws; draw++) this.fates.push(this.count(draw));
    this.records = this.of(0).records;
    this.chosen = this.choose();
  }

  fate(f: number): Fate {
    return this.pick(f).fate(f);
  }

  unjudged(f: number): Unjudged | null {
    return this.pick(f).unjudged(f);
  }

  ending(f: number): Ending | null {
    return this.pick(f).ending(f);
  }

  brokenAtS(f: number): number | null {
    return this.pick(f).brokenAtS(f);
  }

  trouble(f: number): ApplicationTrouble | null {
    return this.pick(f).trouble(f);
  }

  isLatent(f: number): boolean {
    return this.pick(f).isLatent(f);
  }

  rewrittenRequest(row: number): RewrittenRequest | null {
    return this.of(0).rewrittenRequest(row);
  }

  flowVerdict(row: number): FlowVerdict {
    const f = this.records.planRowOf(row);
    if (f < 0) return this.of(0).flowVerdict(row);
    const verdict = this.pick(f).flowVerdict(row);
    const chances = this.chances(f);
    return chances === null ? verdict : Object.assign(verdict, { drawn: true as const, chances });
  }

  /** Share of the draws that gave each fate; null where all gave the same. */
  chances(f: number): Partial<Record<Fate, number>> | null {
    const counts = this.tally(f);
    const given = FATES.filter((_, fate) => counts[fate]! > 0);
    if (given.length < 2) return null;
    return Object.fromEntries(given.map((fate) => [fate, counts[FATES.indexOf(fate)]! / this.draws]));
  }

  /** Mean and the interval that holds 90 % of the draws, with what belongs to no VIP counted as unknown. */
  expected(withoutVip: number): Expected {
    if (this.weights !== null) return this.expectedOfEach(withoutVip);
    const sums = noFates();
    sums.unknown = withoutVip * this.draws;
    const broken = this.fates.map((fates) => {
      let sum = 0;
      for (const fate of fates) {
        sums[FATES[fate]!]++;
        if (isBroken(FATES[fate]!)) sum++;
      }
      return sum;
    });
    const ranked = [...broken].sort((a, b) => a - b);
    const last = this.draws - 1;
    const byFate = noFates();
    for (const fate of FATES) byFate[fate] = sums[fate] / this.draws;
    return {
      draws: this.draws,
      broken: {
        mean: broken.reduce((sum, n) => sum + n, 0) / this.draws,
        low: ranked[Math.floor(0.05 * last)]!,
        high: ranked[Math.ceil(0.95 * last)]!,
      },
      byFate,
    };
  }

  /** With draws that count differently for each connection: these taken for independent of one another. */
  private expectedOfEach(withoutVip: number): Expected {
    const byFate = noFates();
    byFate.unknown = withoutVip;
    let mean = 0;
    let variance = 0;
    for (let f = 0; f < this.rows; f++) {
      let p = 0;
      this.tally(f).forEach((count, fate) => {
        byFate[FATES[fate]!] += count / this.draws;
        if (isBroken(FATES[fate]!)) p += count / this.draws;
      });
      mean += p;
      variance += Math.max(0, p * (1 - p));
    }
    const half = Z_90 * Math.sqrt(variance);
    return { draws: this.draws, broken: { mean, low: Math.max(0, mean - half), high: mean + half }, byFate };
  }

  private count(draw: number): Uint8Array {
    const verdicts = this.of(draw);
    const fates = new Uint8Array(this.rows);
    const weights = this.evidence === null ? null : new Float32Array(this.rows);
    for (let f = 0; f < this.rows; f++) {
      const fate = verdicts.fate(f);
      fates[f] = FATES.indexOf(fate);
      if (weights !== null) weights[f] = this.evidence!.weight(f, fate, verdicts.brokenAtS(f));
    }
    if (weights !== null) this.weights!.push(weights);
    return fates;
  }

  /** The likeliest fate of each row, in as few draws as cover them; the scenario's own where it is among the likeliest. */
  private choose(): Uint16Array {
    const chosen = new Uint16Array(this.rows);
    let left: { f: number; best: number }[] = [];
    for (let f = 0; f < this.rows; f++) {
      const counts = this.tally(f);
      const best = counts.indexOf(Math.max(...counts));
      if (counts[this.fates[0]![f]!] !== counts[best]) left.push({ f, best });
    }
    while (left.length > 0) {
      const covers = this.fates.map((fates) => left.filter(({ f, best }) => fates[f] === best).length);
      const draw = covers.indexOf(Math.max(...covers));
      for (const { f, best } of left) if (this.fates[draw]![f] === best) chosen[f] = draw;
      left = left.filter(({ f, best }) => this.fates[draw]![f] !== best);
    }
    return chosen;
  }

  /** By row of {@link FATES}: how many draws gave it, each as much as it counts; their sum is the number of draws. */
  private tally(f: number): number[] {
    const counts = FATES.map(() => 0);
    if (this.weights === null) {
      for (const fates of this.fates) counts[fates[f]!]!++;
      return counts;
    }
    let sum = 0;
    for (let draw = 0; draw < this.draws; draw++) {
      const weight = this.weights[draw]![f]!;
      counts[this.fates[draw]![f]!]! += weight;
      sum += weight;
    }
    return counts.map((count) => (count * this.draws) / sum);
  }

  private pick(f: number): FlowVerdicts {
    return this.of(this.chosen[f]!);
  }

  private of(draw: number): FlowVerdicts {
    const known = this.kept.get(draw);
    if (known !== undefined) return known;
    const verdicts = this.replayed(draw);
    // once chosen, a draw is asked for again and again
    const isChosen = this.fates.length === this.draws;
    if (draw === 0 || isChosen || this.rows * (this.kept.size + 1) <= KEPT_ROWS) {
      this.kept.set(draw, verdicts);
    }
    return verdicts;
  }
}
