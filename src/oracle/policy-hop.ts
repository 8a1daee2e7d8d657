/**
 * Network policies on bytes: what the policies of a pod say to the packet that makes a connection, where the pod's own
 * node looks at it. On the node that translates, a packet for one of its own pods is looked at before POSTROUTING, with
 * the tuple it came with; on another node it arrives as the first has sent it.
 */
import { type Address, sameAddress } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import { TUPLE_SRC, Tuple } from '../conntrack/tuple.js';
import type { ClusterState } from '../state/cluster-state.js';
import { Outcome } from '../state/disposition.js';
import { masqueradeAddress } from '../state/masquerade.js';
import type { Packet } from '../state/packet.js';
import { type PolicyGate, type PolicySource, PolicyVerdict, policyGate } from '../state/policy-gate.js';

export interface ServiceDoor {
  readonly service: number;
  readonly port: number;
}

export class PolicyHop {
  /** of a packet that is denied */
  readonly outcome: Outcome;
  /** told of every judgement, with whom it was about and what it rests on */
  onJudged: ((verdict: PolicyVerdict, because: string, source: PolicySource) => void) | null = null;
  private readonly tuple = new Tuple();

  static of(model: ClusterModel, cluster: ClusterState): PolicyHop | null {
    const gate = policyGate(model);
    return gate && new PolicyHop(gate, model, cluster);
  }

  private constructor(
    private readonly gate: PolicyGate,
    private readonly model: ClusterModel,
    private readonly cluster: ClusterState,
  ) {
    this.outcome = gate.policies.denial === 'reject' ? Outcome.unreachable : Outcome.silent;
  }

  /** Whether a packet that the pod's own node has translated gets to the pod. `original`: as it came to the node. */
  deniesAtHome(original: Tuple, door: ServiceDoor, pod: number, masquerades: boolean): boolean {
    const client = original.address(TUPLE_SRC);
    const from = this.gate.sourceOf(client);
    const { node } = this.cluster.pods[pod]!;
    const address = masquerades ? masqueradeAddress(this.model, node, node, original.family) : null;
    const seen = address === null ? [from] : this.gate.seenAtHome(from, this.gate.maskedBy(node, address));
    return this.denies(client, door, pod, seen, original);
  }

  /** The same for a packet that `node` has translated and sent to the node of the pod, as it arrives there. */
  deniesElsewhere(original: Tuple, packet: Packet, door: ServiceDoor, pod: number, node: number): boolean {
    packet.readTuple(this.tuple);
    const client = original.address(TUPLE_SRC);
    const arrived = this.tuple.address(TUPLE_SRC);
    const isSame = sameAddress(client, arrived);
    const seen = isSame
      ? [this.gate.sourceOf(client)]
      : this.gate.seenElsewhere(this.gate.maskedBy(node, arrived));
    return this.denies(client, door, pod, seen, original);
  }

  private denies(
    client: Address,
    { service, port }: ServiceDoor,
    pod: number,
    seen: readonly PolicySource[],
    { proto, family }: Tuple,
  ): boolean {
    const { name, node, addresses, shadowed } = this.cluster.pods[pod]!;
    if (shadowed.includes(family) || addresses.some((own) => sameAddress(own, client))) return false;
    const target = this.cluster.targetPort(service, port, pod);
    const { verdict, because } = this.gate.judge(service, name, node, seen, proto, target);
    this.onJudged?.(verdict, because, seen[0]!);
    return verdict === PolicyVerdict.denied;
  }
}
