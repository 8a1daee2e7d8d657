/** What the specification on bytes leaves behind; the connections' homes are the data plane's own entries. */
import type { EdgeInsert } from '../cluster/edge-model.js';
import type { EventCounts } from '../outcome/event-counts.js';
import type { FlowPlan } from '../outcome/flow-plan.js';
import type { Denial, ReplayOutcome } from '../outcome/outcome.js';
import type { PathLog } from '../outcome/path-log.js';
import type { VerdictTracker } from '../outcome/verdict-tracker.js';
import type { ClusterState } from '../state/cluster-state.js';
import type { EventSource } from '../timeline/timeline.js';
import { TCP } from '../wire/ip-protocol.js';
import type { PacketEngine } from './packet-engine.js';

export class PacketsOutcome implements ReplayOutcome {
  readonly plan: FlowPlan;
  readonly cluster: ClusterState;
  readonly timeline: EventSource;
  readonly tracker: VerdictTracker;
  readonly paths: PathLog;
  readonly counts: EventCounts;

  constructor(private readonly engine: PacketEngine) {
    this.plan = engine.plan;
    this.cluster = engine.cluster;
    this.timeline = engine.timeline;
    this.tracker = engine.tracker;
    this.paths = engine.paths;
    this.counts = engine.counts;
  }

  get wasPressed(): boolean {
    return this.engine.wasPressed;
  }

  seconds(timeNs: number): number {
    return this.engine.seconds(timeNs);
  }

  isLatent(f: number): boolean {
    if (this.plan.proto[f] !== TCP || !this.tracker.isCalm(f)) return false;
    return this.engine.isForgotten(f) || !this.engine.wouldAnswer(f);
  }

  isGuessed(f: number): boolean {
    return this.engine.homes[f]?.guessed === true;
  }

  isViaEdge(f: number): boolean {
    return this.engine.goesToEdge(f);
  }

  denial(f: number): Denial | null {
    return this.engine.policies.denials.get(f) ?? null;
  }

  policyDoubt(f: number): string | null {
    return this.engine.policies.doubts.get(f) ?? null;
  }

  isUndecided(f: number): boolean {
    return this.engine.undecided[f] === 1;
  }

  saidByRules(f: number): string | null {
    return this.engine.said.get(f) ?? null;
  }

  wasKnown(f: number): boolean {
    return this.engine.wasKnown[f] === 1;
  }

  homeNode(f: number): number {
    return this.engine.homes[f]?.node ?? -1;
  }

  homePod(f: number): number {
    return this.engine.homes[f]!.pod;
  }

  isMasqueraded(f: number): boolean {
    return this.engine.homes[f]?.masqueraded === true;
  }

  sourcePort(f: number): number {
    return this.engine.homes[f]!.sourcePort;
  }

  edgeSource(f: number): string | null {
    return this.engine.edgeSource(f);
  }

  edgeInsert(f: number): EdgeInsert {
    return this.engine.edgeInsert(f);
  }

  edgePort(f: number): number {
    return this.engine.edgePort[f]!;
  }
}
