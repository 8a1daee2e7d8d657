/**
 * networking.k8s.io NetworkPolicy as rules for one endpoint: what any policy of its namespace allows is allowed, and as
 * soon as one of them selects it, nothing else is.
 *
 * Source: API reference of networking.k8s.io/v1 (NetworkPolicySpec, NetworkPolicyPeer, NetworkPolicyPort), and
 * Kubernetes' concept page: absent `from` or `ports` are all; a peer's namespaceSelector and podSelector hold together;
 * ports are those of the pod, after the Service's translation.
 */
import type { Address } from '../../addr/address.js';
import { PROTOCOLS } from '../limits.js';
import type { PolicyPeer, PolicyPort, PolicyRule } from '../policy-model.js';
import type { Read } from './kubernetes-objects.js';
import type { LabelSelector } from './kubernetes-schemas.js';
import {
  type NetworkPolicySpec,
  networkPolicySpec,
  type PeerField,
  type PolicyPortField,
} from './policy-schemas.js';
import { every, type Match, type PolicyPod, type PolicySubjects, selects } from './policy-subjects.js';

const TCP = 6;
const LAST_PORT = 65535;

/** A policy with a name for sentences; `spec` null: it cannot be read. */
export interface ReadPolicy<Spec> {
  readonly title: string;
  readonly namespace: string;
  readonly spec: Spec | null;
}

/** What policies say of one endpoint. */
export interface PolicyShare {
  readonly title: string;
  /** whether it selects the endpoint */
  readonly selects: 'yes' | 'maybe';
  readonly rules: readonly PolicyRule[];
  /** Calico: its place in its tier; absent: that of a Kubernetes policy */
  readonly order?: number;
  /** Calico: absent: `default` */
  readonly tier?: string;
  /** what its rules do not decide stays as it is */
  readonly isOpen?: boolean;
}

export const LABELS_UNKNOWN = 'the labels of the endpoint are not known; collect pods';

export class KubernetesPolicies {
  private readonly policies: ReadonlyMap<string, readonly ReadPolicy<NetworkPolicySpec>[]>;
  /** compiled peers by what they ask */
  private readonly peers = new Map<string, PolicyPeer>();

  constructor(
    objects: readonly Read<unknown>[],
    private readonly subjects: PolicySubjects,
  ) {
    const byNamespace = new Map<string, ReadPolicy<NetworkPolicySpec>[]>();
    for (const { name, namespace, object } of objects) {
      const result = networkPolicySpec.safeParse((object as { spec?: unknown }).spec ?? {});
      const policy = {
        title: `NetworkPolicy ${namespace}/${name}`,
        namespace,
        spec: result.success ? result.data : null,
      };
      const own = byNamespace.get(namespace);
      if (own === undefined) byNamespace.set(namespace, [policy]);
      else own.push(policy);
    }
    this.policies = byNamespace;
  }

  /** Those that select a pod, or may. */
  of(pod: PolicyPod): PolicyShare[] {
    if (pod.namespace === null) {
      // in whichever namespace it is: each of the policies may be about it
      return [...this.policies.values()].flat().flatMap((policy) => {
        const share = this.shareOf(policy, pod);
        return share === null ? [] : [{ ...share, selects: 'maybe' as const }];
      });
    }
    return (this.policies.get(pod.namespace) ?? []).flatMap((policy) => this.shareOf(policy, pod) ?? []);
  }

  /** Titles of those that restrict what a pod sends, or may; one that allows everything does not. */
  restricting(pod: PolicyPod): string[] {
    const all =
      pod.namespace === null ? [...this.policies.values()].flat() : (this.policies.get(pod.namespace) ?? []);
    const restricts = all.filter(({ spec }) => {
      if (spec === null) return true;
      const isEgress = spec.policyTypes?.includes('Egress') ?? spec.egress !== undefined;
      return isEgress && selects(spec.podSelector ?? {}, pod) !== 'no';
    });
    const isOpen = restricts.some(
      ({ spec }) =>
        spec !== null &&
        selects(spec.podSelector ?? {}, pod) === 'yes' &&
        Array.isArray(spec.egress) &&
        spec.egress.some((rule: unknown) => JSON.stringify(rule) === '{}'),
    );
    return isOpen ? [] : restricts.map(({ title }) => title);
  }

  private shareOf(
    { title, namespace, spec }: ReadPolicy<NetworkPolicySpec>,
    pod: PolicyPod,
  ): PolicyShare | null {
    if (spec === null) {
      const rule = unsureRule(title, 'it cannot be read: its fields have wrong types');
      return { title, selects: 'maybe', rules: [rule] };
    }
    const { podSelector = {}, policyTypes, ingress = [] } = spec;
    if (policyTypes !== undefined && !policyTypes.includes('Ingress')) return null;
    const match = selects(podSelector, pod);
    if (match === 'no') return null;
    const unsure = match === 'maybe' || pod.namespace === null ? LABELS_UNKNOWN : null;
    const rules = ingress.flatMap(({ from = [], ports = [] }): PolicyRule[] => {
      const wanted = ports.length === 0 ? null : ports.map((port) => endpointPorts(port, pod));
      const isUnknown = wanted?.some((one) => one === null) === true;
      const known = wanted === null || isUnknown ? null : wanted.flatMap((one) => one ?? []);
      if (known?.length === 0) return [];
      return [
        {
          policy: title,
          action: 'allow',
          from: from.length === 0 ? [] : [from.map((peer) => this.peer(peer, namespace))],
          notFrom: [],
          ports: known,
          notPorts: [],
          unsure: unsure ?? (isUnknown ? 'the number of a named port is not known; collect pods' : null),
        },
      ];
    });
    return { title, selects: match, rules };
  }

  private peer(field: PeerField, namespace: string): PolicyPeer {
    const { ipBlock, podSelector, namespaceSelector } = field;
    if (ipBlock !== undefined) return { kind: 'net', net: ipBlock.cidr, except: ipBlock.except ?? [] };
    const key = JSON.stringify([
      podSelector,
      namespaceSelector,
      namespaceSelector === undefined && namespace,
    ]);
    const known = this.peers.get(key);
    if (known !== undefined) return known;
    const peer = selectedPods(this.subjects, podSelector, namespaceSelector, namespace);
    this.peers.set(key, peer);
    return peer;
  }
}

/** The pods that a peer's selectors take. */
function selectedPods(
  subjects: PolicySubjects,
  podSelector: LabelSelector | undefined,
  namespaceSelector: LabelSelector | undefined,
  namespace: string,
): PolicyPeer {
  const inNamespace = new Map<string, Match>();
  const namespaceMatch = (name: string): Match => {
    if (namespaceSelector === undefined) return name === namespace ? 'yes' : 'no';
    const known = inNamespace.get(name);
    if (known !== undefined) return known;
    const match = selects(namespaceSelector, subjects.namespaceLabels(name));
    inNamespace.set(name, match);
    return match;
  };
  const addresses: Address[] = [];
  const maybe: Address[] = [];
  for (const pod of subjects.pods) {
    const own = namespaceMatch(pod.namespace!);
    const match = own === 'no' ? 'no' : every([own, selects(podSelector ?? {}, pod)]);
    if (match === 'yes') addresses.push(...pod.addresses);
    else if (match === 'maybe') maybe.push(...pod.addresses);
  }
  return { kind: 'pods', addresses, maybe };
}

/** A policy's port as ports of the endpoint; null: its number is not known. */
function endpointPorts(
  { protocol = 'TCP', port, endPort }: PolicyPortField,
  pod: PolicyPod,
): PolicyPort[] | null {
  const proto = PROTOCOLS[protocol] ?? TCP;
  if (port === undefined) return [{ proto, first: 0, last: LAST_PORT }];
  if (typeof port === 'number') return [{ proto, first: port, last: endPort ?? port }];
  if (pod.ports === null) return null;
  return pod.ports
    .filter((one) => one.name === port && one.proto === proto)
    .map((one) => ({ proto, first: one.port, last: one.port }));
}

/** A rule of which nobody knows what it does. */
export function unsureRule(policy: string, unsure: string): PolicyRule {
  return { policy, action: 'deny', from: [], notFrom: [], ports: null, notPorts: [], unsure };
}
