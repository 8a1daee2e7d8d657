/** What is counted during a replay: per event the flows it met, moved and broke, and the load on nodes and pods. */
import type { ClusterModel } from '../cluster/model.js';
import type { ClusterState } from '../state/cluster-state.js';
import { FateCode, type VerdictTracker } from './verdict-tracker.js';

export class EventCounts {
  readonly flowsActive: Float64Array;
  readonly flowsMoved: Float64Array;
  readonly flowsBroken: Float64Array;
  readonly packetsDropped: Float64Array;
  readonly nodeBytes: Float64Array;
  podBytes: number[] = [];

  constructor(
    model: ClusterModel,
    events: number,
    readonly cluster: ClusterState,
  ) {
    this.flowsActive = new Float64Array(events);
    this.flowsMoved = new Float64Array(events);
    this.flowsBroken = new Float64Array(events);
    this.packetsDropped = new Float64Array(events);
    this.nodeBytes = new Float64Array(model.nodes.length);
  }

  active(event: number, flows: number): void {
    this.flowsActive[event] = flows;
  }

  moved(event: number): void {
    if (event >= 0) this.flowsMoved[event]!++;
  }

  dropped(event: number): void {
    if (event >= 0) this.packetsDropped[event]!++;
  }

  load(node: number, pod: number, bytes: number): void {
    if (node >= 0) this.nodeBytes[node]! += bytes;
    if (pod >= 0) this.podBytes[pod] = (this.podBytes[pod] ?? 0) + bytes;
  }

  close(tracker: VerdictTracker): void {
    for (let f = 0; f < tracker.fate.length; f++) {
      const event = tracker.event[f]!;
      if (tracker.fate[f] !== FateCode.none && event >= 0) this.flowsBroken[event]!++;
    }
  }
}
