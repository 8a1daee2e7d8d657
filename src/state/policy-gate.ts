/**
 * What the network policies of an endpoint say to a new connection: allowed, denied and by which policy, or not to be
 * known and why. Everything that may be the case is followed; only where all of it comes to the same is that the answer.
 *
 * The source that a policy sees depends on where the CNI looks at it. Calico and kube-router filter in FORWARD (under
 * IPVS in OUTPUT), before POSTROUTING masquerades: on the node of the pod they see the client. What another node has
 * masqueraded arrives with that node's address. Antrea filters in its bridge, behind POSTROUTING: a connection that the
 * pod's own node has masqueraded comes from that node, and a node always reaches its own pods (Kubernetes, Network
 * Policies). Cilium masquerades towards remote pods only; what arrives from another node has that node's identity or,
 * in a tunnel, `world`.
 */
import { type Address, formatAddress, sameAddress } from '../addr/address.js';
import { type Prefix, prefixContains } from '../addr/prefix.js';
import type { ClusterModel } from '../cluster/model.js';
import type {
  PolicyGroup,
  PolicyModel,
  PolicyPeer,
  PolicyPort,
  PolicyRule,
  SourcePlace,
} from '../cluster/policy-model.js';

export const PolicyVerdict = { allowed: 0, denied: 1, unknown: 2 } as const;
export type PolicyVerdict = (typeof PolicyVerdict)[keyof typeof PolicyVerdict];

export interface PolicyDecision {
  readonly verdict: PolicyVerdict;
  /** denied: the policies; unknown: the sentence that says what is not known */
  readonly because: string;
}

/** A source as a policy sees it. */
export interface PolicySource {
  readonly address: Address;
  readonly place: SourcePlace;
  /** row of the node that has the address, or -1 */
  readonly node: number;
}

/** What a connection may find, and why. */
interface Outcomes {
  allow: boolean;
  deny: string | null;
  unsure: string | null;
}

type Match = 'yes' | 'no' | 'maybe';

const ALLOWED: PolicyDecision = { verdict: PolicyVerdict.allowed, because: '' };

/** Policy gate of a model that has policies; null where none is about any of its endpoints and senders. */
export function policyGate(model: ClusterModel): PolicyGate | null {
  const { policies } = model;
  if (policies === undefined) return null;
  const { groups, restricted, mayRestrict } = policies;
  const isIdle = groups.length === 0 && restricted.size === 0 && mayRestrict === null;
  return isIdle ? null : new PolicyGate(model, policies);
}

export class PolicyGate {
  private readonly nodeByAddress = new Map<string, number>();
  private readonly podRanges: readonly Prefix[];
  private readonly endpointAddresses = new Set<string>();
  private readonly endpoints = new Set<string>();
  /** row of the group that a pod made later has, by service; -2: its pods differ */
  private readonly groupOfNewPods: readonly number[];
  private readonly decided = new Map<string, PolicyDecision>();

  constructor(
    { nodes, services }: ClusterModel,
    readonly policies: PolicyModel,
  ) {
    for (const [row, { addresses, podGateways, tunnelAddresses }] of nodes.entries()) {
      for (const address of [...addresses, ...podGateways, ...tunnelAddresses]) {
        const text = formatAddress(address);
        if (!this.nodeByAddress.has(text)) this.nodeByAddress.set(text, row);
      }
    }
    this.podRanges = [...policies.podRanges, ...nodes.flatMap(({ podCidrs }) => podCidrs)];
    for (const { endpoints } of services) {
      for (const { pod, addresses } of endpoints) {
        this.endpoints.add(pod);
        for (const address of addresses) this.endpointAddresses.add(formatAddress(address));
      }
    }
    this.groupOfNewPods = services.map(({ endpoints }) => {
      const groups = new Set(endpoints.map(({ pod }) => policies.groupOf.get(pod) ?? -1));
      return groups.size === 1 ? [...groups][0]! : groups.size === 0 ? -1 : -2;
    });
  }

  /** Whether a policy may select the pod. */
  guards(service: number, pod: string): boolean {
    return this.groupRow(service, pod) !== -1;
  }

  /** The address that a node masquerades with. */
  maskedBy(node: number, address: Address): PolicySource {
    return { address, place: 'node', node };
  }

  /** The policies that may keep a sender from sending, or null; what they allow is not evaluated. */
  restrictionOf({ address, place }: PolicySource): string | null {
    const { engine, restricted, knownPods, mayRestrict } = this.policies;
    if (engine === 'none' || place !== 'pod') return null;
    const text = formatAddress(address);
    return restricted.get(text) ?? (knownPods.has(text) ? null : mayRestrict);
  }

  /** An address as a source. */
  sourceOf(address: Address): PolicySource {
    const text = formatAddress(address);
    const node = this.nodeByAddress.get(text);
    // a pod may have the address of a tunnel: then it is the pod's
    const isEndpoint = this.endpointAddresses.has(text) || this.policies.knownPods.has(text);
    if (node !== undefined && !isEndpoint) return { address, place: 'node', node };
    const isPod = isEndpoint || this.podRanges.some((range) => prefixContains(range, address));
    return { address, place: isPod ? 'pod' : 'outside', node: node ?? -1 };
  }

  /** What a policy may see of a connection that the pod's own node has masqueraded. */
  seenAtHome(client: PolicySource, masked: PolicySource): readonly PolicySource[] {
    switch (this.policies.engine) {
      case 'calico':
      case 'kube-router':
        return [client];
      case 'cilium':
      case 'antrea':
        return [masked];
      default:
        return [client, masked];
    }
  }

  /** What a policy may see of a connection that another node has masqueraded. */
  seenElsewhere(masked: PolicySource): readonly PolicySource[] {
    const { engine } = this.policies;
    const isCertain = engine !== 'cilium' && engine !== 'unknown';
    return isCertain ? [masked] : [masked, { ...masked, place: 'outside' }];
  }

  /**
   * What a new connection to a pod finds.
   *
   * @param seen every source that the policy may see; of `node`, the pod's own, none is ever denied
   * @param port the port of the pod, after DNAT
   */
  judge(
    service: number,
    pod: string,
    podNode: number,
    seen: readonly PolicySource[],
    proto: number,
    port: number,
  ): PolicyDecision {
    const row = this.groupRow(service, pod);
    if (row === -1) return ALLOWED;
    if (row < 0) {
      const because = `the pods of the service differ in their network policies, and ${pod} was made later`;
      return { verdict: PolicyVerdict.unknown, because };
    }
    const key = `${row} ${podNode} ${proto} ${port} ${seen.map(({ address, place }) => `${place}${formatAddress(address)}`).join()}`;
    const known = this.decided.get(key);
    if (known !== undefined) return known;
    const decision = this.decide(this.policies.groups[row]!, podNode, seen, proto, port);
    this.decided.set(key, decision);
    return decision;
  }

  private groupRow(service: number, pod: string): number {
    const own = this.policies.groupOf.get(pod);
    if (own !== undefined) return own;
    return this.endpoints.has(pod) ? -1 : this.groupOfNewPods[service]!;
  }

  private decide(
    group: PolicyGroup,
    podNode: number,
    seen: readonly PolicySource[],
    proto: number,
    port: number,
  ): PolicyDecision {
    const found: Outcomes = { allow: false, deny: null, unsure: null };
    for (const source of seen) {
      if (source.place === 'node' && source.node === podNode) found.allow = true;
      else this.follow(group, source, proto, port, found);
    }
    const { engine } = this.policies;
    if (found.deny === null) return ALLOWED;
    if (engine === 'unknown' || engine === 'none') {
      if (engine === 'none') return ALLOWED;
      const because = `${found.deny} would deny it, and whether anything enforces network policies is not known (dataplane.networkPolicy)`;
      return { verdict: PolicyVerdict.unknown, because };
    }
    if (!found.allow) return { verdict: PolicyVerdict.denied, because: found.deny };
    const because =
      found.unsure ??
      `whether ${found.deny} denies it depends on how the CNI sees a source that a node has masqueraded`;
    return { verdict: PolicyVerdict.unknown, because };
  }

  /** Adds everything that may become of a connection from `source`. */
  private follow(
    { tiers }: PolicyGroup,
    source: PolicySource,
    proto: number,
    port: number,
    found: Outcomes,
  ): void {
    for (const { rules, end, policies } of tiers) {
      let goesOn = true;
      let passed = false;
      for (const rule of rules) {
        const match = this.matches(rule, source, proto, port);
        if (match === 'no') continue;
        if (match === 'maybe')
          found.unsure ??= `${rule.policy}: ${rule.unsure ?? 'the labels of its source are not known'}`;
        if (rule.action === 'allow') found.allow = true;
        else if (rule.action === 'deny') found.deny ??= rule.policy;
        else passed = true;
        if (match === 'yes') {
          goesOn = false;
          break;
        }
      }
      if (goesOn) {
        if (end !== 'pass') found.deny ??= policies.join(', ');
        if (end === 'unsure')
          found.unsure ??= `${policies.join(', ')}: the labels of the endpoint are not known`;
        if (end !== 'deny') passed = true;
      }
      if (!passed) return;
    }
    found.allow = true;
  }

  private matches(rule: PolicyRule, source: PolicySource, proto: number, port: number): Match {
    if (rule.ports !== null && !rule.ports.some((one) => covers(one, proto, port))) return 'no';
    if (rule.notPorts.some((one) => covers(one, proto, port))) return 'no';
    let match: Match = rule.unsure === null ? 'yes' : 'maybe';
    for (const peers of rule.from) {
      const found = this.anyOf(peers, source);
      if (found === 'no') return 'no';
      if (found === 'maybe') match = 'maybe';
    }
    const excluded = this.anyOf(rule.notFrom, source);
    if (excluded === 'yes') return 'no';
    return excluded === 'maybe' ? 'maybe' : match;
  }

  private anyOf(peers: readonly PolicyPeer[], source: PolicySource): Match {
    let best: Match = 'no';
    for (const peer of peers) {
      const match = this.isPeer(peer, source);
      if (match === 'yes') return 'yes';
      if (match === 'maybe') best = 'maybe';
    }
    return best;
  }

  private isPeer(peer: PolicyPeer, { address, place }: PolicySource): Match {
    switch (peer.kind) {
      case 'place':
        return peer.place === place ? 'yes' : 'no';
      case 'maybe':
        return peer.place === place ? 'maybe' : 'no';
      case 'net': {
        if (this.policies.engine === 'cilium' && place === 'pod') return 'no';
        if (place === 'node' && !this.policies.netsMatchNodes) return 'no';
        const inside = prefixContains(peer.net, address);
        return inside && !peer.except.some((net) => prefixContains(net, address)) ? 'yes' : 'no';
      }
      case 'pods':
        if (place !== 'pod') return 'no';
        if (peer.addresses.some((one) => sameAddress(one, address))) return 'yes';
        if (peer.maybe.some((one) => sameAddress(one, address))) return 'maybe';
        return this.policies.knownPods.has(formatAddress(address)) ? 'no' : 'maybe';
    }
  }
}

function covers({ proto: wanted, first, last }: PolicyPort, proto: number, port: number): boolean {
  return (wanted === null || wanted === proto) && first <= port && port <= last;
}
