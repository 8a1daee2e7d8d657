/**
 * What kube-proxy's rules, as the model has them, say of a flow: which endpoints it may get, which it gets, and whether its
 * source is masqueraded.
 */
import { sameAddress } from '../addr/address.js';
import type { ClusterModel, ServiceModel } from '../cluster/model.js';
import type { FlowPlan } from '../outcome/flow-plan.js';
import type { ClusterState } from '../state/cluster-state.js';
import type { NewConnection } from '../state/endpoint-scheduler.js';
import { isMasqueraded } from '../state/masquerade.js';
import type { NodeRules, Policy } from '../state/node-rules.js';
import type { ProxyPlane } from '../state/proxy-plane.js';
import { type DoorKind, isMarked, listFor, Origin } from '../state/service-doors.js';
import type { EdgeWalk } from './edge-walk.js';

export class ModelledChoice {
  constructor(
    private readonly model: ClusterModel,
    private readonly cluster: ClusterState,
    private readonly plan: FlowPlan,
    private readonly plane: ProxyPlane,
    /** the load balancer before the node, or null */
    private readonly edge: EdgeWalk | null,
    /** per flow: key and source port as the node sees them */
    private readonly key: Int32Array,
    private readonly clientPort: Uint16Array,
  ) {}

  /** No endpoint anywhere: the service is rejected before its source ranges are looked at. */
  isEmpty(f: number, rules: NodeRules): boolean {
    return rules.isEmpty(this.plan.service[f]!, this.plan.port[f]!);
  }

  isMasqueraded(f: number, node: number, pod: number): boolean {
    const { plan, cluster } = this;
    const { node: podNode, addresses } = cluster.pods[pod]!;
    const origin = plan.origin[f] as Origin;
    if (origin === Origin.pod && addresses.some((own) => sameAddress(own, plan.clientAddress(f))))
      return true;
    const marked = isMarked(this.serviceOf(f), plan.door[f] as DoorKind, origin);
    return isMasqueraded(this.model, marked, origin, node, podNode, plan.proto[f]!);
  }

  private serviceOf(f: number): ServiceModel {
    return this.model.services[this.plan.service[f]!]!;
  }

  /** Which of a node's lists the flow's connections take. */
  private policyOf(f: number): Policy {
    return listFor(this.serviceOf(f), this.plan.door[f] as DoorKind, this.plan.origin[f] as Origin);
  }

  offered(f: number, rules: NodeRules): readonly number[] {
    return rules.offered(this.plan.service[f]!, this.plan.port[f]!, this.policyOf(f));
  }

  choose(f: number, rules: NodeRules, ordinal: number, nowS: number): number {
    const { service, port } = this.plan;
    const connection = this.connectionOf(f, ordinal);
    return rules.choose(service[f]!, port[f]!, this.policyOf(f), this.affinityClient(f), connection, nowS);
  }

  /** The pod that the flow's next connection gets on every node that offers it, or -1. */
  everywhere(f: number, node: number, ordinal: number): number {
    const { service, port } = this.plan;
    const connection = this.connectionOf(f, ordinal);
    return this.cluster.rules[node]!.everywhere(service[f]!, port[f]!, this.policyOf(f), connection);
  }

  private connectionOf(f: number, ordinal: number): NewConnection {
    // read from text behind a load balancer: only for who asks
    const { scheduling } = this.plane;
    const asks = scheduling === 'sh' || scheduling === 'mh';
    const source = asks ? (this.edge?.foldedSource(f) ?? this.plan.foldedSource(f)) : 0;
    return { key: this.key[f]!, ordinal, source, sourcePort: this.clientPort[f]! };
  }

  private affinityClient(f: number): string | null {
    const { sessionAffinity } = this.serviceOf(f);
    return sessionAffinity === 'ClientIP' ? (this.edge?.sourceText(f) ?? this.plan.clientText(f)) : null;
  }
}
