/**
 * The verdict of a flow as the report has it, made from what an engine left behind when somebody asks. Asked while the
 * traffic is still running it says what is known so far.
 */
import { formatAddress } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import { captureGaps } from '../flow/capture-gaps.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { type FlowRow, flowRow } from '../flow/flow-rows.js';
import type { ReplayOutcome } from '../outcome/outcome.js';
import { Asks, type Ending, FateCode, Life } from '../outcome/verdict-tracker.js';
import { addressOf } from '../state/cluster-state.js';
import { HopKind, hopKind, hopRow, REASON_NAMES, ReasonCode } from '../state/disposition.js';
import { ApplicationSide, DEFAULT_PATIENCE_S } from './application.js';
import { causalChain, policyDoubt } from './causal-chain.js';
import { isBroken } from './fates.js';
import { Records } from './records.js';
import type { RequestHeads } from './request-heads.js';
import { rewrittenRequest } from './rewritten-request.js';
import { endpointText, sourceProvenance } from './source-provenance.js';
import type {
  ApplicationTrouble,
  Cause,
  Fate,
  FlowVerdict,
  PathStep,
  Reason,
  RewrittenRequest,
  Unanswered,
  Unjudged,
} from './verdict.js';

const FATES: Record<number, Fate> = {
  [FateCode.reset]: 'reset',
  [FateCode.refused]: 'refused',
  [FateCode.timeout]: 'timeout',
  [FateCode.endpointClosed]: 'endpoint-closed',
  [FateCode.misdelivered]: 'misdelivered',
};

/** Reasons that depend on which endpoint has the connection. */
const ENDPOINT_REASONS = new Set(['endpoint-gone', 'endpoint-stopped', 'stale-rules']);

/** Reasons of which a rule of a dump is the whole story. */
const RULE_REASONS = new Set(
  (
    [
      'rule-dropped',
      'rule-rejected',
      'stack-refused',
      'invalid-refused',
      'invalid-dropped',
      'answer-astray',
    ] as const
  ).map((reason) => ReasonCode[reason]),
);

const UNANSWERED: Record<number, Unanswered> = {
  [Asks.connection]: 'SYN',
  [Asks.answer]: 'data',
  [Asks.close]: 'FIN',
  [Asks.serverData]: 'server-data',
};

const NO_HEADS: RequestHeads = new Map();

export class FlowVerdicts {
  readonly records: Records;
  private application: ApplicationSide | null = null;

  constructor(
    private readonly index: CaptureIndex,
    private readonly model: ClusterModel,
    private readonly outcome: ReplayOutcome,
    private readonly heads: RequestHeads = NO_HEADS,
    /** after how long an answer is too late for its client, seconds */
    private readonly patienceS = DEFAULT_PATIENCE_S,
  ) {
    this.records = new Records(outcome.plan, index.flows.count);
  }

  fateOf(row: number): Fate {
    const f = this.records.planRowOf(row);
    return f < 0 ? 'unknown' : this.fate(f);
  }

  flowVerdict(row: number): FlowVerdict {
    const { outcome, model } = this;
    const { plan, tracker } = outcome;
    const f = this.records.planRowOf(row);
    const client = f < 0 ? null : plan.clientIsB[f] === 1 ? 'b' : 'a';
    const flow = this.row(row, f, client);
    if (f < 0) return verdictOf(flow, NO_VIP);
    const fate = this.fate(f);
    const broken = isBroken(fate);
    const end = tracker.ending(f);
    return verdictOf(flow, {
      connection: plan.connection[f]!,
      service: model.services[plan.service[f]!]!.name,
      fate,
      judged: fate !== 'unknown',
      unjudged: this.unjudged(f),
      chances: null,
      latent: fate === 'delivered' && this.isLatent(f) ? true : undefined,
      unanswered: fate === 'timeout' && end !== null ? UNANSWERED[end.unanswered] : undefined,
      application: fate === 'delivered' ? this.trouble(f) : null,
      cause: broken && end !== null ? this.cause(end) : null,
      chain: this.chain(f, broken),
      brokenAt: broken && end !== null ? rounded(end.atS) : null,
      path: this.isNotModelled(f) ? [] : this.path(f),
      source: this.isNotModelled(f) ? null : sourceProvenance(outcome, model, f, this.heads),
    });
  }

  rewrittenRequest(row: number): RewrittenRequest | null {
    const f = this.records.planRowOf(row);
    // the first request is the first connection's
    return f < 0 || this.outcome.plan.connection[f]! > 0 || this.isNotModelled(f)
      ? null
      : rewrittenRequest(this.outcome, this.model, f, this.heads);
  }

  /** Whether nothing is to be said of a row of the plan because of what its service is. */
  isNotModelled(f: number): boolean {
    return this.model.services[this.outcome.plan.service[f]!]!.notModelled !== undefined;
  }

  /** How it came to break, or why its node's rules leave open what became of it. */
  private chain(f: number, broken: boolean): string[] {
    const { outcome } = this;
    const said = outcome.saidByRules(f);
    if (outcome.isUndecided(f)) return [`What the rules do with it cannot be said: ${said}.`];
    if (!broken) return policyDoubt(outcome, f);
    const chain = causalChain(outcome, this.model, f);
    const byRule = RULE_REASONS.has(this.ending(f)!.reason);
    return byRule && said !== null ? [...chain, `What decided: ${said}.`] : chain;
  }

  /** Fate of a row of the plan. */
  fate(f: number): Fate {
    if (this.isNotModelled(f)) return 'unknown';
    const { outcome } = this;
    const { tracker } = outcome;
    if (outcome.policyDoubt(f) !== null || outcome.isUndecided(f)) return 'unknown';
    const end = tracker.ending(f);
    if (end !== null) {
      const reason = REASON_NAMES[end.reason]!;
      // behind a load balancer the node is a guess as well
      const dependsOnGuess = outcome.isViaEdge(f)
        ? reason !== 'edge-unmatched'
        : ENDPOINT_REASONS.has(reason);
      const guess = outcome.isGuessed(f) && dependsOnGuess;
      return guess || this.mayHaveHealed(f, end) ? 'unknown' : FATES[end.fate]!;
    }
    const beganUnseen = tracker.midway[f] === 1 && !outcome.wasKnown(f);
    const isUnknown = tracker.life[f] === Life.unborn || beganUnseen;
    return isUnknown ? 'unknown' : 'delivered';
  }

  /** Why nothing is said of a row of the plan; null where something is. */
  unjudged(f: number): Unjudged | null {
    if (this.fate(f) !== 'unknown') return null;
    const { outcome } = this;
    const { tracker } = outcome;
    if (outcome.isUndecided(f)) return 'rule-not-understood';
    if (this.isNotModelled(f) || outcome.policyDoubt(f) !== null) return 'not-modelled';
    const end = tracker.ending(f);
    if (end !== null && this.mayHaveHealed(f, end)) return 'capture-loss';
    return tracker.ending(f) === null && tracker.life[f] === Life.unborn
      ? 'no-client-packet'
      : 'before-capture';
  }

  /** A silence after which packets of the client were lost in capturing: any of them may have got through. */
  private mayHaveHealed(f: number, { fate, atS }: Ending): boolean {
    if (fate !== FateCode.timeout) return false;
    const { plan } = this.outcome;
    const lastNs = captureGaps(this.index).lastNs.get((plan.row[f]! << 1) | plan.clientIsB[f]!);
    return lastNs !== undefined && this.outcome.seconds(lastNs) >= atS;
  }

  /** How a row of the plan ended; null where nothing is wrong with it. */
  ending(f: number): Ending | null {
    return this.outcome.tracker.ending(f);
  }

  /** When a row of the plan broke, seconds since t = 0; null where it did not. */
  brokenAtS(f: number): number | null {
    return isBroken(this.fate(f)) ? this.ending(f)!.atS : null;
  }

  /** Of a row of the plan whose fate is `delivered`: it would break at its next packet. */
  isLatent(f: number): boolean {
    return this.outcome.isLatent(f);
  }

  /** What the client's application got; of a row of the plan whose fate is `delivered`. */
  trouble(f: number): ApplicationTrouble | null {
    this.application ??= new ApplicationSide(
      this.outcome,
      this.model,
      this.heads,
      this.patienceS,
      this.outcome.seconds(this.index.summary.duration * 1e9),
    );
    return this.application.trouble(f);
  }

  /** The flow table's row, seconds counted from t = 0, the client first; of a connection that shares its five-tuple, its own. */
  private row(record: number, f: number, client: 'a' | 'b' | null): FlowRow {
    const { flows } = this.index;
    const { outcome } = this;
    const row = this.records.flowOf(record);
    const { lives, clientPort } = outcome.plan;
    const shared = f >= 0 && lives !== null && outcome.plan.connectionsOf(row) > 1;
    const whole = flowRow(flows, row, client);
    return {
      id: record,
      proto: whole.proto,
      src: whole.src,
      srcPort: f < 0 ? whole.srcPort : clientPort[f]!,
      dst: whole.dst,
      dstPort: whole.dstPort,
      family: whole.family,
      start: rounded(outcome.seconds(shared ? lives.firstNs[f]! : flows.firstNs[row]!)),
      end: rounded(outcome.seconds(shared ? lives.lastNs[f]! : flows.lastNs[row]!)),
      packets: shared ? { out: lives.packetsOut[f]!, in: lives.packetsIn[f]! } : whole.packets,
      bytes: shared ? { out: lives.bytesOut[f]!, in: lives.bytesIn[f]! } : whole.bytes,
      sawSyn: shared ? lives.sawSyn[f] === 1 : whole.sawSyn,
    };
  }

  private cause({ event, hop, reason }: Ending): Cause {
    return {
      event: event < 0 ? null : eventId(event),
      hop: this.hopName(hop),
      reason: REASON_NAMES[reason] as Reason,
    };
  }

  private hopName(hop: number): string {
    const row = hopRow(hop);
    if (hopKind(hop) === HopKind.node) return `node ${this.model.nodes[row]!.name}`;
    if (hopKind(hop) === HopKind.endpoint) return `endpoint ${this.outcome.cluster.pods[row]!.name}`;
    if (hopKind(hop) === HopKind.edge) return `edge ${this.model.edge?.name ?? 'edge'}`;
    return 'router';
  }

  private path(f: number): PathStep[] {
    const family = this.outcome.plan.family[f]!;
    return this.outcome.paths.steps(f).map(({ atS, node, pod }) => {
      const address = addressOf(this.model.nodes[node]!.addresses, family);
      const known = pod >= 0 && !this.outcome.isGuessed(f);
      return {
        at: rounded(atS),
        nextHop: address === null ? null : formatAddress(address),
        node: this.model.nodes[node]!.name,
        endpoint: known ? this.outcome.cluster.pods[pod]!.name : null,
        target: known ? this.target(f, pod) : null,
      };
    });
  }

  /** Where the flow's packets go at a pod. */
  private target(f: number, pod: number): string | null {
    const { plan, cluster } = this.outcome;
    const address = addressOf(cluster.pods[pod]!.addresses, plan.family[f]!);
    if (address === null || plan.port[f]! < 0) return null;
    return endpointText(formatAddress(address), cluster.targetPort(plan.service[f]!, plan.port[f]!, pod));
  }
}

/** What is said of a connection that goes to no VIP. */
const NO_VIP: Omit<FlowVerdict, keyof FlowRow> = {
  connection: 0,
  service: null,
  fate: 'unknown',
  judged: false,
  unjudged: 'no-vip',
  chances: null,
  application: null,
  cause: null,
  chain: [],
  brokenAt: null,
  path: [],
  source: null,
};

/** One literal, key by key: spreading an object in front of other keys takes V8 a hundred times as long. */
function verdictOf(flow: FlowRow, fate: Omit<FlowVerdict, keyof FlowRow>): FlowVerdict {
  return {
    id: flow.id,
    proto: flow.proto,
    src: flow.src,
    srcPort: flow.srcPort,
    dst: flow.dst,
    dstPort: flow.dstPort,
    family: flow.family,
    start: flow.start,
    end: flow.end,
    packets: flow.packets,
    bytes: flow.bytes,
    sawSyn: flow.sawSyn,
    connection: fate.connection,
    service: fate.service,
    fate: fate.fate,
    judged: fate.judged,
    unjudged: fate.unjudged,
    chances: fate.chances,
    latent: fate.latent,
    unanswered: fate.unanswered,
    application: fate.application,
    cause: fate.cause,
    chain: fate.chain,
    brokenAt: fate.brokenAt,
    path: fate.path,
    source: fate.source,
  };
}

export function eventId(event: number): string {
  return `e${event + 1}`;
}

/** Nanosecond grid: keeps 5.000106 from printing as 5.0001060000000003. */
export function rounded(s: number): number {
  return Math.round(s * 1e9) / 1e9;
}
