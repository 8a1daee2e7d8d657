/** What is counted during a replay: per event the flows it met and moved and what it dropped, and the load on nodes and pods. */
import type { ClusterModel } from '../cluster/model.js';
import type { ClusterState } from '../state/cluster-state.js';

export interface ServiceLoad {
  readonly nodeBytes: number[];
  readonly podBytes: number[];
}

export class EventCounts {
  readonly flowsActive: Float64Array;
  readonly flowsMoved: Float64Array;
  readonly packetsDropped: Float64Array;
  readonly nodeBytes: Float64Array;
  podBytes: number[] = [];
  private readonly services: ServiceLoad[] = [];

  private readonly isUnjudged: readonly boolean[];

  constructor(
    model: ClusterModel,
    events: number,
    readonly cluster: ClusterState,
  ) {
    this.flowsActive = new Float64Array(events);
    this.flowsMoved = new Float64Array(events);
    this.packetsDropped = new Float64Array(events);
    this.nodeBytes = new Float64Array(model.nodes.length);
    this.isUnjudged = model.services.map(({ notModelled }) => notModelled !== undefined);
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

  /** Client bytes of a service that went to a node and a pod; -1 = to none. */
  load(service: number, node: number, pod: number, bytes: number): void {
    if (this.isUnjudged[service] === true) return;
    const { nodeBytes, podBytes } = this.ofService(service);
    if (node >= 0) {
      this.nodeBytes[node]! += bytes;
      nodeBytes[node] = (nodeBytes[node] ?? 0) + bytes;
    }
    if (pod >= 0) {
      this.podBytes[pod] = (this.podBytes[pod] ?? 0) + bytes;
      podBytes[pod] = (podBytes[pod] ?? 0) + bytes;
    }
  }

  /** Client bytes of one service by row of node and pod; rows with none are absent. */
  ofService(service: number): ServiceLoad {
    this.services[service] ??= { nodeBytes: [], podBytes: [] };
    return this.services[service];
  }
}
