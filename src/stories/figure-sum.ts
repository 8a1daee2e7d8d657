/** The figures of one row: replays of the same scenario under several seeds, added up one at a time. */
import type { ClusterModel } from '../cluster/model.js';
import { isBroken } from '../verdict/fates.js';
import type { Fate, ReplayResult, SourceVerdict } from '../verdict/verdict.js';
import { spread } from '../what-if/compare.js';
import type { StoryMeasure } from './story.js';
import type { StoryFigures } from './story-figures.js';

/** flows whose verdict is opened in search of the addresses that applications see */
const LOOKED_AT = 2000;

export class FigureSum {
  private readonly broken: number[] = [];
  private readonly byFate = new Map<Fate, number>();
  private readonly byCause = new Map<string, number>();
  private readonly measured: (number | null)[][];
  private readonly nodeLoad: (number | null)[] = [];
  private readonly endpointLoad: (number | null)[] = [];
  private latent = 0;
  private preserved = 0;
  /** of the flows looked at, those whose endpoint is an L7 proxy, and those whose application sees the client */
  private applications = 0;
  private applicationsRight = 0;
  private judged = 0;
  private fromS: number | null = null;
  private toS: number | null = null;
  private seenInstead: readonly string[] = [];

  constructor(private readonly measures: readonly StoryMeasure[]) {
    this.measured = measures.map(() => []);
  }

  add(result: ReplayResult, model: ClusterModel): void {
    const { byFate, byCause, broken, judged, latent, sourcePreserved, balance } = result.summary;
    if (this.broken.length === 0) this.readFlows(result);
    for (const [fate, flows] of Object.entries(byFate) as [Fate, number][]) {
      this.byFate.set(fate, (this.byFate.get(fate) ?? 0) + flows);
    }
    this.broken.push(broken);
    this.judged += judged;
    for (const [reason, flows] of Object.entries(byCause)) {
      this.byCause.set(reason, (this.byCause.get(reason) ?? 0) + flows);
    }
    this.latent += latent;
    const known = sourcePreserved.yes + sourcePreserved.no;
    this.preserved += known === 0 ? 0 : sourcePreserved.yes / known;
    this.nodeLoad.push(balance.maxOverMean.nodes);
    this.endpointLoad.push(balance.maxOverMean.endpoints);
    for (const [i, { of }] of this.measures.entries()) this.measured[i]!.push(of(result, model));
  }

  figures(): StoryFigures {
    const runs = Math.max(1, this.broken.length);
    const fates = Object.fromEntries([...this.byFate].map(([fate, flows]) => [fate, flows / runs]));
    const causes = [...this.byCause].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    return {
      judged: this.judged / runs,
      broken: spread(this.broken),
      byFate: fates as Record<Fate, number>,
      latent: this.latent / runs,
      byCause: Object.fromEntries(causes.map(([reason, flows]) => [reason, flows / runs])),
      brokeFromS: this.fromS,
      brokeToS: this.toS,
      maxOverMean: { nodes: mean(this.nodeLoad), endpoints: mean(this.endpointLoad) },
      source: { preserved: this.preservedShare(runs), seenInstead: this.seenInstead },
      measures: Object.fromEntries(this.measures.map(({ key }, i) => [key, mean(this.measured[i]!)])),
    };
  }

  /** At the application, where there is a proxy before it; at the endpoint otherwise. */
  private preservedShare(runs: number): number {
    return this.applications > 0 ? this.applicationsRight / this.applications : this.preserved / runs;
  }

  /** When flows broke, and what applications saw: read from the verdicts of the first run. */
  private readFlows(result: ReplayResult): void {
    const seen = new Map<string, number>();
    const stride = Math.max(1, Math.ceil(result.flowCount / LOOKED_AT));
    for (let row = 0; row < result.flowCount; row++) {
      const broke = isBroken(result.fateOf(row));
      if (!broke && row % stride !== 0) continue;
      const { brokenAt, source } = result.flowVerdict(row);
      if (brokenAt !== null) {
        this.fromS = Math.min(this.fromS ?? brokenAt, brokenAt);
        this.toS = Math.max(this.toS ?? brokenAt, brokenAt);
      }
      const application = source?.application;
      if (application !== undefined) {
        this.applications++;
        if (application.preserved) this.applicationsRight++;
      }
      const instead =
        application === undefined ? lostAs(source) : application.preserved ? null : application.sees;
      if (instead !== null) seen.set(instead, (seen.get(instead) ?? 0) + 1);
    }
    this.seenInstead = [...seen].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([text]) => text);
  }
}

/** What the endpoint sees instead of the client; null where it sees the client, or nothing. */
function lostAs(source: SourceVerdict | null): string | null {
  return source?.preserved === false ? source.atEndpoint : null;
}

/** Of the values there are. */
function mean(values: readonly (number | null)[]): number | null {
  const there = values.filter((value) => value !== null);
  return there.length === 0 ? null : there.reduce((sum, value) => sum + value, 0) / there.length;
}
