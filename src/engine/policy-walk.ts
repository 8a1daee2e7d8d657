/**
 * Network policies on columns: what the policies of its pod say to a new entry of a flow. A policy that denies at the
 * pod's own node leaves no entry there; one that denies at the other end of a node-to-node hop leaves the entry of the
 * node that translated, and every packet through it is lost.
 *
 * oracle/node-hop.ts and oracle/data-plane.ts do the same on bytes.
 */
import { type Address, parseAddress, sameAddress } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import type { FlowPlan } from '../outcome/flow-plan.js';
import type { Denial } from '../outcome/outcome.js';
import type { ClusterState } from '../state/cluster-state.js';
import { Outcome } from '../state/disposition.js';
import { masqueradeAddress } from '../state/masquerade.js';
import { type PolicyGate, type PolicySource, PolicyVerdict } from '../state/policy-gate.js';
import type { EdgeWalk } from './edge-walk.js';
import { ENTRY_DENIED } from './entry-pool.js';

/** the packet is lost on the node that translates, and leaves no entry */
export const DROPPED_HERE = -1;

export class PolicyWalk {
  /** by flow: the policies that denied it */
  readonly deniedBy = new Map<number, Denial>();
  /** by flow: what is not known of the policies of its endpoint, a clause */
  readonly unsure = new Map<number, string>();
  /** of a packet that is denied */
  readonly outcome: Outcome;

  constructor(
    private readonly gate: PolicyGate,
    private readonly model: ClusterModel,
    private readonly cluster: ClusterState,
    private readonly plan: FlowPlan,
    private readonly edge: EdgeWalk | null,
  ) {
    this.outcome = gate.policies.denial === 'reject' ? Outcome.unreachable : Outcome.silent;
  }

  /** Marks of a new entry of `f` on `node` towards `pod`, or {@link DROPPED_HERE}. */
  marksOf(f: number, node: number, pod: number, masquerades: boolean): number {
    if (this.judge(f, node, pod, masquerades) !== PolicyVerdict.denied) return 0;
    return this.cluster.pods[pod]!.node === node ? DROPPED_HERE : ENTRY_DENIED;
  }

  /** Another connection of the five-tuple goes on through the entry of an earlier one. */
  inherit(f: number, before: number): void {
    const denial = this.deniedBy.get(before);
    if (denial !== undefined) this.deniedBy.set(f, denial);
    const unsure = this.unsure.get(before);
    if (unsure !== undefined) this.unsure.set(f, unsure);
  }

  /** What a new connection of `f` through `node` to `pod` finds. */
  private judge(f: number, node: number, pod: number, masquerades: boolean): PolicyVerdict {
    const { plan, gate } = this;
    const { name, node: podNode, addresses, shadowed } = this.cluster.pods[pod]!;
    const service = plan.service[f]!;
    const sender = gate.sourceOf(this.clientOf(f));
    const restriction = gate.restrictionOf(sender);
    if (restriction !== null) {
      this.unsure.set(f, `${restriction}: rules for egress are not evaluated`);
    }
    // what goes to the node's own stack in the pod's place meets no policy of the pod
    if (!gate.guards(service, name) || shadowed.includes(plan.family[f]!)) return PolicyVerdict.allowed;
    const client = this.clientOf(f);
    // a pod always reaches itself
    if (addresses.some((own) => sameAddress(own, client))) return PolicyVerdict.allowed;
    const seen = this.seen(client, node, podNode, masquerades, plan.family[f]!);
    const port = this.cluster.targetPort(service, plan.port[f]!, pod);
    const { verdict, because } = gate.judge(service, name, podNode, seen, plan.proto[f]!, port);
    if (verdict === PolicyVerdict.denied) this.deniedBy.set(f, { policies: because, source: seen[0]! });
    else if (verdict === PolicyVerdict.unknown) this.unsure.set(f, because);
    return verdict;
  }

  private seen(
    client: Address,
    node: number,
    podNode: number,
    masquerades: boolean,
    family: number,
  ): readonly PolicySource[] {
    const { gate } = this;
    const from = gate.sourceOf(client);
    const address = masquerades ? masqueradeAddress(this.model, node, podNode, family) : null;
    if (address === null) return [from];
    const masked = gate.maskedBy(node, address);
    return node === podNode ? gate.seenAtHome(from, masked) : gate.seenElsewhere(masked);
  }

  private clientOf(f: number): Address {
    const text = this.edge?.sourceText(f) ?? null;
    return text === null ? this.plan.clientAddress(f) : parseAddress(text)!;
  }
}
