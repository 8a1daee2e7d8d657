/**
 * The summary of a result: what was judged and what broke, of the whole and of each service, and whether anything can
 * be concluded from it. One pass over the plan's rows; every share in it is over judged connections.
 */
import { formatAddress } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import type { FlowEngine } from '../engine/flow-engine.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { REASON_NAMES } from '../state/disposition.js';
import { TCP } from '../wire/ip-protocol.js';
import type { VerdictSource } from './draws.js';
import { brokenOf, isBroken, noFates, shareOf } from './fates.js';
import { HitTally } from './hits.js';
import { losesSource } from './source-provenance.js';
import type {
  ApplicationTrouble,
  Balance,
  Conclusion,
  Expected,
  Fate,
  LoadShare,
  ServiceSummary,
  Summary,
  Unjudged,
} from './verdict.js';

/** What is counted here; the rest of a {@link Summary} is about the run. */
export type Counted = Pick<
  Summary,
  | 'verdict'
  | 'flows'
  | 'judged'
  | 'unjudged'
  | 'broken'
  | 'brokenShare'
  | 'byFate'
  | 'expected'
  | 'latent'
  | 'byCause'
  | 'byApplication'
  | 'sourcePreserved'
  | 'balance'
  | 'byService'
  | 'hits'
>;

export function countVerdicts(
  index: CaptureIndex,
  model: ClusterModel,
  engine: FlowEngine,
  verdicts: VerdictSource,
  expected: Expected | null = null,
): Counted {
  const { plan, walk } = engine;
  const byCause = new Map<string, number>();
  const unjudged = new Map<Unjudged, number>();
  const byApplication = new Map<ApplicationTrouble, number>();
  const services = model.services.map((_, service) => new ServiceCount(service, model, engine));
  const hits = new HitTally(model);
  let latent = 0;
  const flows = verdicts.records.count;
  const withoutVip = flows - plan.count;
  if (withoutVip > 0) unjudged.set('no-vip', withoutVip);
  for (let f = 0; f < plan.count; f++) {
    const fate = verdicts.fate(f);
    const counts = services[plan.service[f]!]!;
    counts.byFate[fate]++;
    if (fate === 'unknown') bump(unjudged, verdicts.unjudged(f)!);
    else hits.add(index, engine, f, verdicts.brokenAtS(f));
    if (fate === 'delivered' && verdicts.isLatent(f)) latent++;
    if (isBroken(fate)) bump(byCause, REASON_NAMES[verdicts.ending(f)!.reason]!);
    const trouble = fate === 'delivered' ? verdicts.trouble(f) : null;
    if (trouble !== null) bump(byApplication, trouble);
    const e = walk.connectedBy[f]!;
    if (e < 0 || model.services[plan.service[f]!]!.notModelled !== undefined) {
      counts.preserved.unknown++;
      continue;
    }
    counts.preserved[losesSource(engine, f) ? 'no' : 'yes']++;
    const node = walk.entries.node[e]!;
    counts.nodeFlows[node] = (counts.nodeFlows[node] ?? 0) + 1;
    if (walk.guessed[f] !== 0) continue;
    const pod = walk.entries.pod[e]!;
    counts.podFlows.set(pod, (counts.podFlows.get(pod) ?? 0) + 1);
  }
  const byFate = noFates();
  byFate.unknown = withoutVip;
  for (const counts of services) {
    for (const [fate, flows] of Object.entries(counts.byFate) as [Fate, number][]) byFate[fate] += flows;
  }
  const byService = services.map((counts) => counts.summary());
  const judged = flows - byFate.unknown;
  const broken = brokenOf(byFate);
  return {
    verdict: conclusion(index, engine, verdicts, judged, Math.max(broken, expected?.broken.mean ?? 0)),
    expected,
    flows,
    judged,
    unjudged: ranked(unjudged),
    broken,
    brokenShare: shareOf(broken, { judged }),
    byFate,
    latent,
    byCause: ranked(byCause),
    byApplication: ranked(byApplication),
    sourcePreserved: services.reduce(
      (sum, { preserved }) => ({
        yes: sum.yes + preserved.yes,
        no: sum.no + preserved.no,
        unknown: sum.unknown + preserved.unknown,
      }),
      { yes: 0, no: 0, unknown: 0 },
    ),
    balance: wholeBalance(model, engine, services, byService),
    byService,
    hits: hits.hits(),
  };
}

/** What is counted of one service. */
class ServiceCount {
  readonly byFate = noFates();
  readonly preserved = { yes: 0, no: 0, unknown: 0 };
  readonly nodeFlows: number[] = [];
  readonly podFlows = new Map<number, number>();

  constructor(
    private readonly service: number,
    private readonly model: ClusterModel,
    private readonly engine: FlowEngine,
  ) {}

  summary(): ServiceSummary {
    const { byFate } = this;
    const flows = Object.values(byFate).reduce((sum, n) => sum + n, 0);
    const judged = flows - byFate.unknown;
    const broken = brokenOf(byFate);
    return {
      service: this.model.services[this.service]!.name,
      flows,
      judged,
      broken,
      brokenShare: shareOf(broken, { judged }),
      byFate,
      sourcePreserved: this.preserved,
      balance: this.balance(),
    };
  }

  private balance(): Balance {
    const { engine, model, service } = this;
    const { pods, members } = engine.cluster;
    const load = engine.counts.ofService(service);
    const nodes = model.nodes.map(({ name }, n) =>
      share(name, this.nodeFlows[n] ?? 0, load.nodeBytes[n] ?? 0),
    );
    const rows = new Set([...members[service]!, ...this.podFlows.keys()]);
    const endpoints = [...rows]
      .sort((a, b) => a - b)
      .map((pod) => share(pods[pod]!.name, this.podFlows.get(pod) ?? 0, load.podBytes[pod] ?? 0));
    return {
      nodes,
      endpoints,
      maxOverMean: { nodes: maxOverMean(nodes), endpoints: maxOverMean(endpoints) },
    };
  }
}

/** Loads of all services side by side; how even they lie is a question to one service at a time. */
function wholeBalance(
  model: ClusterModel,
  { cluster, counts }: FlowEngine,
  services: readonly ServiceCount[],
  byService: readonly ServiceSummary[],
): Balance {
  const nodes = model.nodes.map(({ name }, n) =>
    share(
      name,
      services.reduce((sum, { nodeFlows }) => sum + (nodeFlows[n] ?? 0), 0),
      counts.nodeBytes[n]!,
    ),
  );
  const endpoints = cluster.pods.map(({ name }, p) =>
    share(
      name,
      services.reduce((sum, { podFlows }) => sum + (podFlows.get(p) ?? 0), 0),
      counts.podBytes[p] ?? 0,
    ),
  );
  const uneven = byService.flatMap(({ balance }) => balance.maxOverMean.endpoints ?? []);
  return {
    nodes,
    endpoints,
    maxOverMean: {
      nodes: maxOverMean(nodes),
      endpoints: uneven.length === 0 ? null : Math.max(...uneven),
    },
  };
}

/**
 * Whether anything can be concluded. Not where nothing was judged; nor where the timeline has events and none of them
 * met a judged connection: none lies inside the capture, or every judged connection had ended before the first.
 */
function conclusion(
  index: CaptureIndex,
  engine: FlowEngine,
  verdicts: VerdictSource,
  judged: number,
  /** of the likeliest fates or of the mean over draws: what breaks in one draw of many is not whole */
  broken: number,
): Conclusion {
  if (judged === 0) return 'inconclusive';
  if (broken > 0) return 'broken';
  const { entries } = engine.timeline;
  if (entries.length === 0) return 'none-broken';
  const beginS = engine.seconds(0);
  const endS = engine.seconds(index.summary.duration * 1e9);
  const inside = entries.map(({ at }) => at).filter((at) => at >= beginS && at <= endS);
  if (inside.length === 0) return 'inconclusive';
  const firstS = inside.reduce((a, b) => Math.min(a, b));
  for (let f = 0; f < engine.plan.count; f++) {
    const lastS = engine.seconds(engine.plan.lastNs(f));
    const stillOpen = engine.plan.proto[f] === TCP && engine.tracker.isOpen(f);
    if ((lastS >= firstS || stillOpen) && verdicts.fate(f) !== 'unknown') return 'none-broken';
  }
  return 'inconclusive';
}

/** Why an inconclusive result is none, as a sentence. */
export function inconclusiveBecause(
  summary: Pick<Summary, 'judged' | 'flows' | 'unjudged'>,
  words: Readonly<Record<Unjudged, string>>,
): string {
  if (summary.flows === 0) return 'the capture holds no flow';
  if (summary.judged > 0) return 'no event of the timeline meets a judged connection';
  const [reason] = Object.entries(summary.unjudged)[0] ?? [];
  const why = reason === undefined ? '' : `: ${words[reason as Unjudged]}`;
  return `no connection was judged${why}`;
}

/** VIP and service of a row of the plan's VIPs, as text. */
export function vipText({ plan }: FlowEngine, model: ClusterModel, vip: number): string {
  const { address, service } = plan.vips[vip]!;
  return `${formatAddress(address)} of service ${model.services[service]!.name}`;
}

function bump<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Most frequent first. */
function ranked<K extends string>(counts: ReadonlyMap<K, number>): Record<K, number> {
  const order = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return Object.fromEntries(order) as Record<K, number>;
}

function share(name: string, flows: number, bytes: number): LoadShare {
  return { name, flows, bytes };
}

/** Busiest over mean, to three decimals; null where there is nothing to balance. */
function maxOverMean(shares: readonly LoadShare[]): number | null {
  const total = shares.reduce((sum, { flows }) => sum + flows, 0);
  if (total === 0) return null;
  const busiest = shares.reduce((most, { flows }) => Math.max(most, flows), 0);
  return Math.round((busiest * shares.length * 1000) / total) / 1000;
}
