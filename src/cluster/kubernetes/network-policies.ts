/**
 * All network policies of a dump as the model has them: for every endpoint of every service the rules that a new
 * connection to it meets. What is not evaluated (AdminNetworkPolicy, a policy that cannot be read, labels that nobody
 * gave) is a rule that may deny: what it selects is not judged, and it is named as unread.
 */
import { type Address, formatAddress, sameAddress } from '../../addr/address.js';
import { prefixContains } from '../../addr/prefix.js';
import type { PolicyGroup, PolicyModel, PolicyTier } from '../policy-model.js';
import type { ClusterFacts, EndpointFacts, ServiceFacts } from '../scenario/facts.js';
import type { KubernetesObjects, Read, Remarks } from './kubernetes-objects.js';
import { KubernetesPolicies, type PolicyShare, unsureRule } from './kubernetes-policies.js';
import { denialOf, netsMatchNodes, policyEngineOf } from './policy-engine.js';
import { type PolicyPod, PolicySubjects } from './policy-subjects.js';

/** Policies that are not evaluated, by the key of their kind. */
const NOT_EVALUATED = [
  ['calicoNetworkPolicy', 'Calico NetworkPolicy', true],
  ['calicoGlobalPolicy', 'Calico GlobalNetworkPolicy', false],
  ['ciliumNetworkPolicy', 'CiliumNetworkPolicy', true],
  ['ciliumClusterwidePolicy', 'CiliumClusterwideNetworkPolicy', false],
  ['adminPolicy', 'AdminNetworkPolicy', false],
  ['baselinePolicy', 'BaselineAdminNetworkPolicy', false],
] as const;

/** The policies of the endpoints of `facts`; undefined where the input has none. */
export function networkPolicies(
  objects: KubernetesObjects,
  facts: ClusterFacts,
  remarks: Remarks,
): PolicyModel | undefined {
  const stated = facts.networkPolicies;
  if (stated !== undefined) return { ...stated, engine: facts.dataplane?.networkPolicy ?? 'unknown' };
  const others = NOT_EVALUATED.flatMap(([key, kind, isNamespaced]) =>
    (objects[key] as Read<unknown>[]).map(({ namespace, name }) => ({
      title: `${kind} ${isNamespaced ? `${namespace}/` : ''}${name}`,
      namespace: isNamespaced ? namespace : null,
    })),
  );
  if (objects.networkPolicy.length + others.length === 0) return undefined;
  const subjects = new PolicySubjects(objects);
  const kubernetes = new KubernetesPolicies(objects.networkPolicy, subjects);
  const groups: PolicyGroup[] = [];
  const rows = new Map<string, number>();
  const groupOf = new Map<string, number>();
  for (const service of facts.services ?? []) {
    for (const endpoint of service.endpoints ?? []) {
      if (groupOf.has(endpoint.pod)) continue;
      const pod = podOf(endpoint, service, { objects, facts, subjects });
      if (pod === null) {
        groupOf.set(endpoint.pod, -1);
        continue;
      }
      const unread = others.flatMap(({ title, namespace }): PolicyShare[] =>
        namespace === null || pod.namespace === null || namespace === pod.namespace
          ? [{ title, selects: 'maybe', rules: [unsureRule(title, 'it is not evaluated')] }]
          : [],
      );
      const tier = tierOf([...unread, ...kubernetes.of(pod)]);
      if (tier === null) {
        groupOf.set(endpoint.pod, -1);
        continue;
      }
      const key = JSON.stringify(tier);
      const row = rows.get(key) ?? groups.push({ tiers: [tier] }) - 1;
      rows.set(key, row);
      groupOf.set(endpoint.pod, row);
    }
  }
  const engine = facts.dataplane?.networkPolicy ?? policyEngineOf(objects);
  noteUndecided(groups, engine, remarks);
  return {
    engine,
    denial: denialOf(engine, objects),
    groups,
    groupOf,
    knownPods: new Set(subjects.pods.flatMap(({ addresses }) => addresses.map(formatAddress))),
    podRanges: objects.ipPool.map(({ object }) => object.spec.cidr),
    netsMatchNodes: netsMatchNodes(engine, objects),
  };
}

/** Allowances of all that select the endpoint; null where none does. */
function tierOf(shares: readonly PolicyShare[]): PolicyTier | null {
  if (shares.length === 0) return null;
  const certain = shares.filter((share) => share.selects === 'yes');
  const denying = certain.length > 0 ? certain : shares;
  return {
    rules: shares.flatMap(({ rules }) => rules),
    end: certain.length > 0 ? 'deny' : 'unsure',
    policies: denying.map(({ title }) => title),
  };
}

interface Surroundings {
  readonly objects: KubernetesObjects;
  readonly facts: ClusterFacts;
  readonly subjects: PolicySubjects;
}

/** An endpoint as a policy sees it; null: no pod, or one on its node's network, which no policy selects. */
function podOf(endpoint: EndpointFacts, service: ServiceFacts, around: Surroundings): PolicyPod | null {
  const { objects, facts, subjects } = around;
  const { addresses, pod: name } = endpoint;
  const isNodes = (address: Address): boolean =>
    (facts.nodes ?? []).some((node) => (node.addresses ?? []).some((own) => sameAddress(own, address)));
  if (addresses.some(isNodes)) return null;
  const bare = name.slice(name.lastIndexOf('/') + 1);
  const known = subjects.podAt(addresses);
  if (known !== null) return known;
  const namespace = service.namespace ?? null;
  if (namespace !== null && subjects.isOnHostNetwork(namespace, bare)) return null;
  const named = namespace === null ? null : subjects.podNamed(namespace, bare);
  if (named !== null) return named;
  if (endpoint.node === null && !addresses.some((address) => isPodAddress(address, facts, objects)))
    return null;
  const owner = objects.service.find(({ place }) => place === service.place);
  return {
    name,
    namespace,
    labels: owner?.object.spec.selector ?? {},
    complete: false,
    addresses,
    ports: null,
    serviceAccount: null,
  };
}

function isPodAddress(
  address: Address,
  { nodes = [] }: ClusterFacts,
  { ipPool }: KubernetesObjects,
): boolean {
  const ranges = [
    ...nodes.flatMap(({ podCidrs }) => podCidrs ?? []),
    ...ipPool.map(({ object }) => object.spec.cidr),
  ];
  return ranges.some((range) => prefixContains(range, address));
}

/** Policies of which it is not known what they do to an endpoint are named, with the reason. */
function noteUndecided(
  groups: readonly PolicyGroup[],
  engine: PolicyModel['engine'],
  { notes, unread }: Remarks,
): void {
  const reasons = new Map<string, Set<string>>();
  const add = (reason: string, policy: string): void => {
    const policies = reasons.get(reason) ?? new Set();
    reasons.set(reason, policies.add(policy));
  };
  for (const { tiers } of groups) {
    for (const { rules, end, policies } of tiers) {
      for (const { policy, unsure } of rules) if (unsure !== null) add(unsure, policy);
      if (end === 'unsure')
        for (const policy of policies) add('whether it selects an endpoint is not known', policy);
    }
  }
  const named = new Set<string>();
  for (const [reason, policies] of reasons) {
    const fresh = [...policies].filter((policy) => !named.has(policy));
    for (const policy of fresh) named.add(policy);
    if (fresh.length === 0) continue;
    unread.push(
      `${listed(fresh)}: ${reason}; connections that ${fresh.length === 1 ? 'it' : 'they'} may deny are not judged.`,
    );
  }
  if (groups.length === 0 || engine === 'none') return;
  if (engine === 'unknown') {
    const all = new Set(groups.flatMap(({ tiers }) => tiers.flatMap(({ policies }) => policies)));
    unread.push(
      `${listed([...all])}: which CNI enforces network policies is not known, nor whether any does; connections that they would deny are not judged. Say dataplane.networkPolicy, or collect the DaemonSets of kube-system.`,
    );
  } else notes.push(`Network policies are taken to be enforced by ${engine}.`);
}

function listed(titles: readonly string[]): string {
  return titles.length <= 3
    ? titles.join(', ')
    : `${titles.slice(0, 3).join(', ')} and ${titles.length - 3} more`;
}
