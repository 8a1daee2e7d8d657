/**
 * The summary of a result: what was judged and what broke, of the whole and of each service, and whether anything can
 * be concluded from it. One pass over the plan's rows; every share in it is over judged connections.
 */
import { formatAddress } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import type { ReplayOutcome } from '../outcome/outcome.js';
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
  outcome: ReplayOutcome,
  verdicts: VerdictSource,
  expected: Expected | null = null,
): Counted {
  const { plan } = outcome;
  const byCause = new Map<string, number>();
  const unjudged = new Map<Unjudged, number>();
  const byApplication = new Map<ApplicationTrouble, number>();
  const services = model.services.map((_, service) => new ServiceCount(service, model, outcome));
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
    else hits.add(index, outcome, f, verdicts.brokenAtS(f));
    if (fate === 'delivered' && verdicts.isLatent(f)) latent++;
    if (isBroken(fate)) bump(byCause, REASON_NAMES[verdicts.ending(f)!.reason]!);
    const trouble = fate === 'delivered' ? verdicts.trouble(f) : null;
    if (trouble !== null) bump(byApplication, trouble);
    const node = outcome.homeNode(f);
    if (node < 0 || model.services[plan.service[f]!]!.notModelled !== undefined) {
      counts.preserved.unknown++;
      continue;
    }
    counts.preserved[losesSource(outcome, f) ? 'no' : 'yes']++;
    counts.nodeFlows[node] = (counts.nodeFlows[node] ?? 0) + 1;
    if (outcome.isGuessed(f)) continue;
    const pod = outcome.homePod(f);
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
    verdict: conclusion(index, outcome, verdicts, judged, Math.max(broken, expected?.broken.mean ?? 0)),
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
    balance: wholeBalance(model, outcome, services, byService),
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
    private readonly outcome: ReplayOutcome,
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
    const { outcome, model, service } = this;
    const { pods, members } = outcome.cluster;
    const load = outcome.counts.ofService(service);
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
  { cluster, counts }: ReplayOutcome,
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
  outcome: ReplayOutcome,
  verdicts: VerdictSource,
  judged: number,
  /** of the likeliest fates or of the mean over draws: what breaks in one draw of many is not whole */
  broken: number,
): Conclusion {
  if (judged === 0) return 'inconclusive';
  if (broken > 0) return 'broken';
  const { entries } = outcome.timeline;
  if (entries.length === 0) return 'none-broken';
  const beginS = outcome.seconds(0);
  const endS = outcome.seconds(index.summary.duration * 1e9);
  const inside = entries.map(({ at }) => at).filter((at) => at >= beginS && at <= endS);
  if (inside.length === 0) return 'inconclusive';
  const firstS = inside.reduce((a, b) => Math.min(a, b));
  for (let f = 0; f < outcome.plan.count; f++) {
    const lastS = outcome.seconds(outcome.plan.lastNs(f));
    const stillOpen = outcome.plan.proto[f] === TCP && outcome.tracker.isOpen(f);
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
export function vipText({ plan }: ReplayOutcome, model: ClusterModel, vip: number): string {
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
