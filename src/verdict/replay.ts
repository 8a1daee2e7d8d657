/**
 * The main job: a capture's index and a cluster model in, the fate of every flow out.
 *
 * The same index, model and seed give the same result on any machine. An index may be replayed any number of
 * times; nothing in it changes.
 */
import type { ClusterModel } from '../cluster/model.js';
import { ColumnsOutcome } from '../engine/columns-outcome.js';
import { FlowEngine } from '../engine/flow-engine.js';
import { captureGaps } from '../flow/capture-gaps.js';
import { lossSentences } from '../flow/capture-loss.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { flowRow } from '../flow/flow-rows.js';
import { tallyServers } from '../flow/server-tally.js';
import { PacketEngine } from '../oracle/packet-engine.js';
import { PacketsOutcome } from '../oracle/packets-outcome.js';
import type { ReplayOutcome } from '../outcome/outcome.js';
import { DEFAULT_PATIENCE_S } from './application.js';
import { captureRecord } from './capture-record.js';
import { doubtsOf } from './certainty.js';
import { ClientEvidence } from './client-evidence.js';
import { DrawnVerdicts, dependsOnDraws, seedOfDraw, type VerdictSource } from './draws.js';
import { brokenOf, isBroken, noFates } from './fates.js';
import { eventId, FlowVerdicts, rounded } from './flow-verdicts.js';
import { realRuleAssumptions } from './real-rules.js';
import type { RequestHeads } from './request-heads.js';
import { countVerdicts, vipText } from './summarise.js';
import type {
  CaptureRecord,
  EventRecord,
  Expected,
  Fate,
  FlowVerdict,
  ReplayResult,
  RewrittenRequest,
  Summary,
} from './verdict.js';

/** Which engine decides: the columnar one, or the specification that sends every packet as bytes. */
export type EngineName = 'columns' | 'packets';

export interface ReplayOptions {
  /** `columns` (default) and `packets` give the same result; packets takes many times as long */
  readonly engine?: EngineName;
  /** the scenario was made from the capture itself */
  readonly madeFromCapture?: boolean;
  /** the clients' first requests; without them every client is taken to claim nothing about itself */
  readonly heads?: RequestHeads;
  /** after how long an answer is too late for its client, seconds */
  readonly patienceS?: number;
  /** how often what the real system draws at random is drawn; 1 (default): the draw of the scenario's seed alone */
  readonly draws?: number;
  /** the timeline happened while the capture was taken: draws count by how they fit what each client did */
  readonly asRecorded?: boolean;
  /** notices that belong into the summary */
  readonly notes?: readonly string[];
}

export function replay(index: CaptureIndex, model: ClusterModel, options: ReplayOptions = {}): ReplayResult {
  return new FinishedReplay(index, model, options);
}

function runEngine(index: CaptureIndex, model: ClusterModel, name: EngineName = 'columns'): ReplayOutcome {
  if (name === 'packets') {
    const engine = new PacketEngine(index, model);
    engine.run();
    return new PacketsOutcome(engine);
  }
  const engine = new FlowEngine(index, model);
  engine.run();
  return new ColumnsOutcome(engine);
}

/** A result whose flow verdicts are made one at a time, when somebody asks. */
class FinishedReplay implements ReplayResult {
  readonly capture: CaptureRecord;
  readonly events: readonly EventRecord[];
  readonly summary: Summary;
  readonly flowCount: number;
  private readonly verdicts: VerdictSource;
  private readonly outcome: ReplayOutcome;
  private readonly drawn: DrawnVerdicts | null;

  constructor(
    readonly index: CaptureIndex,
    private readonly model: ClusterModel,
    options: ReplayOptions,
  ) {
    const { draws = 1 } = options;
    const outcome = runEngine(index, model, options.engine);
    this.outcome = outcome;
    const own = new FlowVerdicts(index, model, outcome, options.heads, options.patienceS);
    this.drawn =
      draws > 1 && (outcome.wasPressed || dependsOnDraws(model))
        ? new DrawnVerdicts(
            draws,
            outcome.plan.count,
            (draw) => (draw === 0 ? own : this.draw(draw, options)),
            options.asRecorded === true
              ? new ClientEvidence(outcome, outcome.seconds(index.summary.duration * 1e9))
              : null,
          )
        : null;
    this.verdicts = this.drawn ?? own;
    this.flowCount = this.verdicts.records.count;
    this.capture = captureRecord(index, model, captureGaps(index));
    const broken = brokenByEvent(this.verdicts, outcome.plan.count, outcome.timeline.entries.length);
    this.events = outcome.timeline.entries.map(({ at, kind, detail }, e) => ({
      id: eventId(e),
      at: rounded(at),
      kind,
      detail,
      flowsActive: outcome.counts.flowsActive[e]!,
      flowsMoved: outcome.counts.flowsMoved[e]!,
      flowsBroken: broken[e]!,
      dropped: outcome.counts.packetsDropped[e]!,
    }));
    this.summary = this.summarise(options);
  }

  flowTableRow(row: number): number {
    return this.verdicts.records.flowOf(row);
  }

  fateOf(row: number): Fate {
    const f = this.verdicts.records.planRowOf(row);
    return f < 0 ? 'unknown' : this.verdicts.fate(f);
  }

  rewrittenRequest(row: number): RewrittenRequest | null {
    return this.verdicts.rewrittenRequest(row);
  }

  flowVerdict(row: number): FlowVerdict {
    return this.verdicts.flowVerdict(row);
  }

  /** The same replay with another seed of chance. */
  private draw(number: number, { engine, heads, patienceS }: ReplayOptions): FlowVerdicts {
    const { index } = this;
    const model = { ...this.model, seed: seedOfDraw(this.model, number) };
    return new FlowVerdicts(index, model, runEngine(index, model, engine), heads, patienceS);
  }

  /** What draws make of the whole; null where one draw was asked for. */
  private expected(draws: number): Expected | null {
    const { drawn, outcome, verdicts } = this;
    if (draws < 2) return null;
    if (drawn !== null) return drawn.expected(verdicts.records.count - outcome.plan.count);
    const byFate = noFates();
    byFate.unknown = verdicts.records.count - outcome.plan.count;
    for (let f = 0; f < outcome.plan.count; f++) byFate[verdicts.fate(f)]++;
    const broken = brokenOf(byFate);
    return { draws, broken: { mean: broken, low: broken, high: broken }, byFate };
  }

  private summarise({
    notes = [],
    madeFromCapture = false,
    patienceS = DEFAULT_PATIENCE_S,
    draws = 1,
    asRecorded = false,
  }: ReplayOptions): Summary {
    const { outcome, model, index } = this;
    const { verdict, flows, judged, unjudged, broken, brokenShare, byFate, ...counted } = countVerdicts(
      index,
      model,
      outcome,
      this.verdicts,
      this.expected(draws),
    );
    return {
      verdict,
      basis: asRecorded ? 'as-recorded' : 'what-if',
      flows,
      judged,
      unjudged,
      broken,
      brokenShare,
      byFate,
      ...counted,
      scenario: { name: model.name, seed: model.seed, madeFromCapture },
      assumed: [...(model.assumed ?? []), ...realRuleAssumptions(outcome.cluster)],
      unread: model.unread ?? [],
      notes: [
        ...notes,
        ...lossSentences(this.capture.captureLoss, this.capture.packets),
        ...doubtsOf(model),
        ...absentVips(index, outcome, model),
        ...eventsOutside(outcome, index.summary.duration),
        ...patienceNote(model, patienceS),
      ],
    };
  }
}

/** Connections whose cause an event is, as their records say it: what a guess leaves unjudged is none of them. */
function brokenByEvent(verdicts: VerdictSource, rows: number, events: number): Uint32Array {
  const broken = new Uint32Array(events);
  for (let f = 0; f < rows; f++) {
    if (!isBroken(verdicts.fate(f))) continue;
    const { event } = verdicts.ending(f)!;
    if (event >= 0 && event < events) broken[event]!++;
  }
  return broken;
}

/** How long clients are taken to wait, where a pod of the scenario is slow to answer. */
function patienceNote({ timeline }: ClusterModel, patienceS: number): string[] {
  if (!timeline.some(({ kind }) => kind === 'unhealthy' || kind === 'throttle')) return [];
  return [`A client is taken to wait ${patienceS} s for an answer before it calls it slow (--patience)`];
}

/** VIPs no packet goes to, the commonest reason for an empty result, and where packets do go. */
function absentVips(index: CaptureIndex, outcome: ReplayOutcome, model: ClusterModel): string[] {
  const seen = new Set<number>();
  for (const vip of outcome.plan.vip) seen.add(vip);
  const absent = outcome.plan.vips
    .slice(0, outcome.plan.vipCount)
    .map((_, vip) => vip)
    .filter((vip) => !seen.has(vip));
  if (absent.length === 0) return [];
  const { busiest } = tallyServers(index.flows, 4);
  const servers = busiest.map(({ flow, flows }) => {
    const { dst, dstPort, proto } = flowRow(index.flows, flow, null);
    return `${proto} ${dst.includes(':') ? `[${dst}]` : dst}:${dstPort} (${flows} flows)`;
  });
  const instead =
    servers.length === 0 ? 'it holds no flow at all' : `its busiest servers are ${servers.join(', ')}`;
  return absent.map((vip) => `VIP ${vipText(outcome, model, vip)} never appears in the capture; ${instead}`);
}

/** Events that no packet meets: t = 0 is not where the scenario's author thought. */
function eventsOutside(outcome: ReplayOutcome, durationS: number): string[] {
  const { timeline } = outcome;
  const beginS = outcome.seconds(0);
  const endS = outcome.seconds(durationS * 1e9);
  const outside = timeline.entries.filter(({ at }) => at > endS || at < beginS);
  if (outside.length === 0) return [];
  const which =
    outside.length === timeline.entries.length ? 'All' : `${outside.length} of ${timeline.entries.length}`;
  return [
    `${which} events of the timeline lie outside the capture, which lasts from ${beginS.toFixed(1)} s to ${endS.toFixed(1)} s; epoch says what t = 0 is`,
  ];
}
