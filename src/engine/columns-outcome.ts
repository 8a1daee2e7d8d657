/** What the columnar engine leaves behind, read from its columns when somebody asks. */
import type { EdgeInsert } from '../cluster/edge-model.js';
import type { EventCounts } from '../outcome/event-counts.js';
import type { FlowPlan } from '../outcome/flow-plan.js';
import type { Denial, ReplayOutcome } from '../outcome/outcome.js';
import type { PathLog } from '../outcome/path-log.js';
import type { VerdictTracker } from '../outcome/verdict-tracker.js';
import type { ClusterState } from '../state/cluster-state.js';
import type { EventSource } from '../timeline/timeline.js';
import { TCP } from '../wire/ip-protocol.js';
import { ENTRY_SNAT } from './entry-pool.js';
import type { FlowEngine } from './flow-engine.js';

export class ColumnsOutcome implements ReplayOutcome {
  readonly plan: FlowPlan;
  readonly cluster: ClusterState;
  readonly timeline: EventSource;
  readonly tracker: VerdictTracker;
  readonly paths: PathLog;
  readonly counts: EventCounts;

  constructor(private readonly engine: FlowEngine) {
    this.plan = engine.plan;
    this.cluster = engine.cluster;
    this.timeline = engine.timeline;
    this.tracker = engine.tracker;
    this.paths = engine.paths;
    this.counts = engine.counts;
  }

  get wasPressed(): boolean {
    return this.engine.walk.wasPressed;
  }

  seconds(timeNs: number): number {
    return this.engine.seconds(timeNs);
  }

  isLatent(f: number): boolean {
    const { engine } = this;
    if (this.plan.proto[f] !== TCP || !this.tracker.isCalm(f)) return false;
    const nowS = engine.clockS;
    if (engine.server.isForgotten(f, nowS)) return true;
    const node = engine.nodeNow(f);
    return (node >= 0 && engine.isDeadEnd(f, node)) || engine.walk.wouldBreak(f, node, nowS);
  }

  isGuessed(f: number): boolean {
    return this.engine.walk.guessed[f] === 1;
  }

  isViaEdge(f: number): boolean {
    return this.engine.edge?.carries(f) === true;
  }

  denial(f: number): Denial | null {
    return this.engine.walk.policies?.deniedBy.get(f) ?? null;
  }

  policyDoubt(f: number): string | null {
    return this.engine.walk.policies?.unsure.get(f) ?? null;
  }

  isUndecided(f: number): boolean {
    return this.engine.walk.real.undecided[f] === 1;
  }

  saidByRules(f: number): string | null {
    return this.engine.walk.real.said.get(f) ?? null;
  }

  wasKnown(f: number): boolean {
    return this.engine.walk.real.wasKnown[f] === 1;
  }

  homeNode(f: number): number {
    const { connectedBy, entries } = this.engine.walk;
    const home = connectedBy[f]!;
    return home < 0 ? -1 : entries.node[home]!;
  }

  homePod(f: number): number {
    const { connectedBy, entries } = this.engine.walk;
    return entries.pod[connectedBy[f]!]!;
  }

  isMasqueraded(f: number): boolean {
    const { connectedBy, entries } = this.engine.walk;
    return (entries.marks[connectedBy[f]!]! & ENTRY_SNAT) !== 0;
  }

  sourcePort(f: number): number {
    const { connectedBy, entries } = this.engine.walk;
    return entries.port[connectedBy[f]!]!;
  }

  edgeSource(f: number): string | null {
    return this.engine.edge?.sourceText(f) ?? null;
  }

  edgeInsert(f: number): EdgeInsert {
    return this.engine.edge!.insertOf(f);
  }

  edgePort(f: number): number {
    return this.engine.edge?.port[f] ?? this.plan.clientPort[f]!;
  }
}
