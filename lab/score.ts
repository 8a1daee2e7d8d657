/**
 * Scores a replay against what the clients of a run saw (truth.tsv), connection by connection: fate, node path, moment
 * of the break, source preserved.
 *
 * What the real system draws at random (which pod a node picks under Cluster, by how much a timer of a resilient group
 * is late) is not guessed: the replay is made with several seeds, and of its verdicts on a connection those count that
 * gave it the pod it really had. One of them must be what happened; they differ only where a further draw divides them
 * (a moved flow picks a dead pod or a live one). And over all connections whose fate depends on a draw, the fates must
 * come as often as the draws make them; not so where pods are stopped: a client whose server closed sends nothing more,
 * so that the capture itself has drawn. Moments are the wire's, not those of a client's process.
 *
 * Left out: connections whose path changes, or that break, within 30 ms of a route change (the moment the kernel
 * announced it is a few tenths of a millisecond late) or while pods are being stopped or started (the lab rewrites rules
 * node by node), and those whose last request meets the stop of its pod. Steps of a path in the last moments may be
 * missing: some truths were taken before them.
 */
import { readFileSync } from 'node:fs';
import type { ClusterModel } from '../src/cluster/model.js';
import type { FlowVerdict, PathStep, ReplayResult } from '../src/verdict/verdict.js';

const NEAR_ROUTE_CHANGE_S = 0.03;
/** rules on four nodes */
const RULES_TAKE_S = 0.25;
const BREAK_WITHIN_S = 0.05;
const EXIT_S = 0.3;
/** between the moment a process opens a connection and its first packet on the wire of a busy machine */
const SAME_START_S = 0.3;
/** how far a share may be from what was expected, in standard deviations */
const SHARE_SIGMAS = 4;

const POD_CHANGES: readonly string[] = ['endpointGone', 'endpointReady'];

/** fate by the client's outcome */
const FATE: Readonly<Record<string, readonly string[]>> = {
  ok: ['delivered'],
  closed: ['delivered'],
  rst: ['reset'],
  eof: ['endpoint-closed'],
  timeout: ['timeout'],
  stall: ['timeout'],
  'fin-unacked': ['timeout'],
  'udp-lost': ['timeout', 'refused'],
  misdelivered: ['misdelivered'],
  'connect-timeout': ['timeout'],
  'connect-refused': ['refused'],
  'connect-rst': ['refused'],
  'connect-error': ['refused'],
  error: ['timeout', 'refused'],
};

export interface FateShare {
  readonly fate: string;
  readonly seen: number;
  readonly expected: number;
  readonly deviation: number;
}

export interface LabScore {
  readonly flows: number;
  /** compared flow by flow */
  readonly scored: number;
  readonly nearChange: number;
  /** of the scored ones, those whose fate depends on a draw */
  readonly divided: number;
  /** fates of the divided ones */
  readonly shares: readonly FateShare[];
  /** sentences */
  readonly wrong: readonly string[];
}

type TruthRow = Readonly<Record<string, string>>;

/** `results`: replays of the same capture and scenario under different seeds, at least one. */
export function scoreLabRun(
  results: readonly ReplayResult[],
  model: ClusterModel,
  truthFile: string,
): LabScore {
  const draws = results.map(verdictsByFlow);
  const isNear = nearChanges(model);
  const wrong: string[] = [];
  const shares = new ShareCount();
  const rows = tsv(truthFile);
  const endS = Math.max(...[...draws[0]!.values()].flat().map((v) => v.end));
  let scored = 0;
  let nearChange = 0;
  let divided = 0;
  for (const row of rows) {
    const key = `${row.src} ${row.sport} ${row.dst} ${row.dport}`;
    const drawn = draws.flatMap((draw) => lifeOf(draw.get(key) ?? [], Number(row.t_syn)) ?? []);
    if (drawn.length < draws.length) {
      wrong.push(`${key} (${row.class}, life ${row.life ?? 0}): no such connection in the report`);
      continue;
    }
    if (drawn.some((v) => isNear(v, row))) {
      nearChange++;
      continue;
    }
    scored++;
    const complaints = withRealPod(drawn, row).map((v) => compare(row, v, endS));
    if (!complaints.includes(null)) wrong.push(`${key} (${row.class}): ${complaints[0]}`);
    if (new Set(drawn.map((v) => v.fate)).size > 1) {
      divided++;
      shares.add(row, drawn);
    }
  }
  const uneven = model.timeline.some(({ kind }) => POD_CHANGES.includes(kind)) ? [] : shares.uneven();
  return {
    flows: rows.length,
    scored,
    nearChange,
    divided,
    shares: shares.all(),
    wrong: [...wrong, ...uneven],
  };
}

function verdictsByFlow(result: ReplayResult): Map<string, FlowVerdict[]> {
  const verdicts = new Map<string, FlowVerdict[]>();
  for (let f = 0; f < result.flowCount; f++) {
    const v = result.flowVerdict(f);
    const key = `${v.src} ${v.srcPort} ${v.dst} ${v.dstPort}`;
    verdicts.set(key, [...(verdicts.get(key) ?? []), v]);
  }
  return verdicts;
}

/** The connection of a five-tuple that began when this client's process opened one. */
function lifeOf(lives: readonly FlowVerdict[], synS: number): FlowVerdict | undefined {
  return lives.find(({ start }) => Math.abs(start - synS) < SAME_START_S);
}

/** Those that gave the flow the pod that first answered it; all where none did or where none answered. */
function withRealPod(verdicts: readonly FlowVerdict[], row: TruthRow): readonly FlowVerdict[] {
  const firstPod = (v: FlowVerdict) => v.path.find(({ endpoint }) => endpoint !== null)?.endpoint;
  const same = verdicts.filter((v) => firstPod(v) === row.pod);
  return same.length > 0 ? same : verdicts;
}

/**
 * Whether a flow met a change while it happened. Rules are rewritten before pods stop and after they start, node by
 * node: a path that begins or moves meanwhile may or may not have met them. That the stop itself breaks a flow is
 * exact.
 */
function nearChanges(model: ClusterModel): (v: FlowVerdict, row: TruthRow) => boolean {
  const near = (kinds: readonly string[], beforeS: number, afterS: number): ((at: number) => boolean) => {
    const changes = model.timeline.filter(({ kind }) => kinds.includes(kind)).map(({ at }) => at);
    return (at) => changes.some((t) => t - beforeS <= at && at <= t + afterS);
  };
  const nearRoute = near(['route', 'nodeDown'], NEAR_ROUTE_CHANGE_S, NEAR_ROUTE_CHANGE_S);
  // under Local a change of a pod concerns its own node alone
  const nodeOf = new Map(
    model.services.flatMap(({ endpoints }) =>
      endpoints.map(({ pod, node }) => [pod, model.nodes[node]!.name] as const),
    ),
  );
  const shared = model.services.some(({ externalTrafficPolicy }) => externalTrafficPolicy === 'Cluster');
  const podChanges = model.timeline.flatMap((event) =>
    'pod' in event && POD_CHANGES.includes(event.kind) ? [{ at: event.at, node: nodeOf.get(event.pod) }] : [],
  );
  const nearPods = (step: PathStep): boolean =>
    podChanges.some(
      ({ at, node }) =>
        (shared || step.node === node) && at - RULES_TAKE_S <= step.at && step.at <= at + NEAR_ROUTE_CHANGE_S,
    );
  // a request that has reached a process as it stops is unread: the kernel then closes with RST, not FIN
  const nearStop = near(['endpointGone'], NEAR_ROUTE_CHANGE_S, NEAR_ROUTE_CHANGE_S);
  const seconds = (text: string | undefined): number => (text ? Number(text) : Number.NaN);
  return (v, row) => {
    if (v.path.some((step) => nearRoute(step.at) || nearPods(step))) return true;
    if (nearRoute(seconds(row.t_break)) || nearRoute(seconds(row.t_reset))) return true;
    return nearStop(seconds(row.t_unanswered));
  };
}

function compare(row: TruthRow, v: FlowVerdict, endS: number): string | null {
  const outcome = row.outcome!;
  if (!FATE[outcome]?.includes(v.fate)) return `fate ${v.fate}, the client saw ${outcome} at ${row.t_break}`;
  const nodesUntil = (atS: number): string =>
    v.path
      .filter(({ at }) => at < atS)
      .map(({ node }) => node)
      .filter((node, i, nodes) => node !== nodes[i - 1])
      .join('>');
  const whole = nodesUntil(Number.POSITIVE_INFINITY);
  if (nodesUntil(endS - EXIT_S) !== row.node_path && whole !== row.node_path) {
    return `path ${whole}, really ${row.node_path}`;
  }
  if (row.t_break !== '' && v.fate !== 'delivered') {
    const moments = breakMoments(row, v);
    if (!moments.some((at) => Math.abs(v.brokenAt! - at) <= BREAK_WITHIN_S)) {
      return `broke at ${v.brokenAt}, really at ${moments.join(' or ')}`;
    }
  }
  const preserved = row.source_preserved;
  if (preserved !== '' && v.source?.preserved !== (preserved === '1')) {
    return `source preserved ${v.source?.preserved}, really ${preserved}`;
  }
  return null;
}

/**
 * When the client would say that it broke. A client that closes while a request is unanswered may have its FIN held
 * back by the congestion window: then it leaves with a retransmission, or never.
 */
function breakMoments(row: TruthRow, v: FlowVerdict): number[] {
  const breakS = Number(row.outcome === 'rst' && row.t_reset ? row.t_reset : row.t_break);
  if (row.outcome === 'timeout' && row.t_unanswered) return [breakS, Number(row.t_unanswered)];
  if (row.outcome !== 'fin-unacked' || !row.t_unanswered) return [breakS];
  return v.unanswered === 'FIN' ? [Math.max(breakS, v.brokenAt!)] : [Number(row.t_unanswered)];
}

/** How often each fate came among flows whose fate depends on a draw, and how often the draws make it come. */
class ShareCount {
  private readonly seen = new Map<string, number>();
  private readonly expected = new Map<string, number>();
  private readonly variance = new Map<string, number>();

  add(row: TruthRow, verdicts: readonly FlowVerdict[]): void {
    const seen = FATE[row.outcome!]?.[0] ?? row.outcome!;
    this.seen.set(seen, (this.seen.get(seen) ?? 0) + 1);
    for (const fate of new Set(verdicts.map((v) => v.fate))) {
      const chance = verdicts.filter((v) => v.fate === fate).length / verdicts.length;
      this.expected.set(fate, (this.expected.get(fate) ?? 0) + chance);
      this.variance.set(fate, (this.variance.get(fate) ?? 0) + chance * (1 - chance));
    }
  }

  all(): FateShare[] {
    const fates = new Set([...this.seen.keys(), ...this.expected.keys()]);
    return [...fates].sort().map((fate) => ({
      fate,
      seen: this.seen.get(fate) ?? 0,
      expected: this.expected.get(fate) ?? 0,
      deviation: Math.sqrt(this.variance.get(fate) ?? 0),
    }));
  }

  uneven(): string[] {
    return this.all()
      .filter(({ seen, expected, deviation }) => Math.abs(seen - expected) > SHARE_SIGMAS * deviation + 1)
      .map(
        ({ fate, seen, expected, deviation }) =>
          `by chance ${seen} flows had the fate ${fate}, expected were ${expected.toFixed(1)} ± ${deviation.toFixed(1)}`,
      );
  }
}

export function tsv(file: string): TruthRow[] {
  const [head, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const names = head!.split('\t');
  return lines.map((line) => Object.fromEntries(line.split('\t').map((value, i) => [names[i]!, value])));
}
