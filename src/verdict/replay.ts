/**
 * The main job: a capture's index and a cluster model in, the fate of every flow out.
 *
 * The same index, model and seed give the same result on any machine. An index may be replayed any number of
 * times; nothing in it changes.
 */
import { formatAddress } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import { FlowEngine } from '../engine/flow-engine.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { flowRow } from '../flow/flow-rows.js';
import { tallyServers } from '../flow/server-tally.js';
import { REASON_NAMES } from '../state/disposition.js';
import { captureRecord } from './capture-record.js';
import { doubtsOf } from './certainty.js';
import { eventId, FlowVerdicts, rounded } from './flow-verdicts.js';
import type { RequestHeads } from './request-heads.js';
import { losesSource } from './source-provenance.js';
import type {
  Balance,
  CaptureRecord,
  EventRecord,
  Fate,
  FlowVerdict,
  LoadShare,
  ReplayResult,
  RewrittenRequest,
  Summary,
} from './verdict.js';

export interface ReplayOptions {
  /** the scenario was made from the capture itself */
  readonly madeFromCapture?: boolean;
  /** the clients' first requests; without them every client is taken to claim nothing about itself */
  readonly heads?: RequestHeads;
  /** notices that belong into the summary */
  readonly notes?: readonly string[];
}

export function replay(index: CaptureIndex, model: ClusterModel, options: ReplayOptions = {}): ReplayResult {
  const engine = new FlowEngine(index, model);
  engine.run();
  return new FinishedReplay(index, model, engine, options);
}

/** A result whose flow verdicts are made one at a time, when somebody asks. */
class FinishedReplay implements ReplayResult {
  readonly capture: CaptureRecord;
  readonly events: readonly EventRecord[];
  readonly summary: Summary;
  readonly flowCount: number;
  private readonly verdicts: FlowVerdicts;

  constructor(
    readonly index: CaptureIndex,
    private readonly model: ClusterModel,
    private readonly engine: FlowEngine,
    options: ReplayOptions,
  ) {
    this.verdicts = new FlowVerdicts(index, model, engine, options.heads);
    this.flowCount = this.verdicts.records.count;
    this.capture = captureRecord(index);
    this.events = engine.timeline.entries.map(({ at, kind, detail }, e) => ({
      id: eventId(e),
      at: rounded(at),
      kind,
      detail,
      flowsActive: engine.counts.flowsActive[e]!,
      flowsMoved: engine.counts.flowsMoved[e]!,
      flowsBroken: engine.counts.flowsBroken[e]!,
      dropped: engine.counts.packetsDropped[e]!,
    }));
    this.summary = this.summarise(options);
  }

  flowTableRow(row: number): number {
    return this.verdicts.records.flowOf(row);
  }

  fateOf(row: number): Fate {
    return this.verdicts.fateOf(row);
  }

  rewrittenRequest(row: number): RewrittenRequest | null {
    return this.verdicts.rewrittenRequest(row);
  }

  flowVerdict(row: number): FlowVerdict {
    return this.verdicts.flowVerdict(row);
  }

  private summarise(options: ReplayOptions): Summary {
    const { engine, model } = this;
    const { plan, tracker, walk, counts } = engine;
    const byFate: Record<Fate, number> = {
      delivered: 0,
      reset: 0,
      refused: 0,
      timeout: 0,
      'endpoint-closed': 0,
      misdelivered: 0,
      unknown: 0,
    };
    const byCause = new Map<string, number>();
    const preserved = { yes: 0, no: 0, unknown: 0 };
    const nodeFlows = new Float64Array(model.nodes.length);
    const podFlows = new Float64Array(engine.cluster.pods.length);
    let latent = 0;
    byFate.unknown = this.flowCount - plan.count;
    for (let f = 0; f < plan.count; f++) {
      const fate = this.verdicts.fate(f);
      byFate[fate]++;
      if (fate === 'delivered' && engine.isLatent(f)) latent++;
      if (fate !== 'delivered' && fate !== 'unknown') {
        const reason = REASON_NAMES[tracker.reason[f]!]!;
        byCause.set(reason, (byCause.get(reason) ?? 0) + 1);
      }
      const e = walk.connectedBy[f]!;
      if (e < 0) {
        preserved.unknown++;
        continue;
      }
      preserved[losesSource(engine, f) ? 'no' : 'yes']++;
      nodeFlows[walk.entries.node[e]!]!++;
      if (walk.guessed[f] === 0) podFlows[walk.entries.pod[e]!]!++;
    }
    const nodes = model.nodes.map(({ name }, n) => share(name, nodeFlows[n]!, counts.nodeBytes[n]!));
    const endpoints = engine.cluster.pods.map(({ name }, p) =>
      share(name, podFlows[p]!, counts.podBytes[p] ?? 0),
    );
    const balance: Balance = {
      nodes,
      endpoints,
      maxOverMean: { nodes: maxOverMean(nodes), endpoints: maxOverMean(endpoints) },
    };
    return {
      flows: this.flowCount,
      byFate,
      latent,
      byCause: Object.fromEntries([...byCause].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))),
      sourcePreserved: preserved,
      balance,
      scenario: { name: model.name, seed: model.seed, madeFromCapture: options.madeFromCapture === true },
      notes: [
        ...(options.notes ?? []),
        ...doubtsOf(model),
        ...absentVips(this.index, engine, model),
        ...eventsOutside(engine, this.index.summary.duration),
      ],
    };
  }
}

/** VIPs no packet goes to, the commonest reason for an empty result, and where packets do go. */
function absentVips(index: CaptureIndex, engine: FlowEngine, model: ClusterModel): string[] {
  const seen = new Set<number>();
  for (const vip of engine.plan.vip) seen.add(vip);
  const absent = engine.plan.vips.filter((_, vip) => !seen.has(vip));
  if (absent.length === 0) return [];
  const { busiest } = tallyServers(index.flows, 4);
  const servers = busiest.map(({ flow, flows }) => {
    const { dst, dstPort, proto } = flowRow(index.flows, flow, null);
    return `${proto} ${dst.includes(':') ? `[${dst}]` : dst}:${dstPort} (${flows} flows)`;
  });
  const instead =
    servers.length === 0 ? 'it holds no flow at all' : `its busiest servers are ${servers.join(', ')}`;
  return absent.map(
    ({ address, service }) =>
      `VIP ${formatAddress(address)} of service ${model.services[service]!.name} never appears in the capture; ${instead}`,
  );
}

/** Events that no packet meets: t = 0 is not where the scenario's author thought. */
function eventsOutside(engine: FlowEngine, durationS: number): string[] {
  const { timeline } = engine;
  const beginS = engine.seconds(0);
  const endS = engine.seconds(durationS * 1e9);
  const outside = timeline.entries.filter(({ at }) => at > endS || at < beginS);
  if (outside.length === 0) return [];
  const which =
    outside.length === timeline.entries.length ? 'All' : `${outside.length} of ${timeline.entries.length}`;
  return [
    `${which} events of the timeline lie outside the capture, which lasts from ${beginS.toFixed(1)} s to ${endS.toFixed(1)} s; epoch says what t = 0 is`,
  ];
}

function share(name: string, flows: number, bytes: number): LoadShare {
  return { name, flows, bytes };
}

function maxOverMean(shares: readonly LoadShare[]): number | null {
  const total = shares.reduce((sum, { flows }) => sum + flows, 0);
  if (total === 0) return null;
  const busiest = Math.max(...shares.map(({ flows }) => flows));
  return Math.round((busiest * shares.length * 1000) / total) / 1000;
}
