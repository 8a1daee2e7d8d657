/**
 * All network policies of a dump as the model has them: for every endpoint of every service the rules that a new
 * connection to it meets. What is not evaluated (layer 7, AdminNetworkPolicy, a policy that cannot be read, labels that
 * nobody gave) is a rule that may deny: what it selects is not judged, and it is named as unread.
 */
import { type Address, formatAddress, sameAddress } from '../../addr/address.js';
import { prefixContains } from '../../addr/prefix.js';
import type { PolicyGroup, PolicyModel, PolicyPeer, PolicyRule, PolicyTier } from '../policy-model.js';
import type { ClusterFacts, EndpointFacts, ServiceFacts } from '../scenario/facts.js';
import { CalicoPolicies } from './calico-policies.js';
import { CiliumPolicies } from './cilium-policies.js';
import type { KubernetesObjects, Remarks } from './kubernetes-objects.js';
import { KubernetesPolicies, type PolicyShare, unsureRule } from './kubernetes-policies.js';
import { ciliumValue, denialOf, netsMatchNodes, policyEngineOf } from './policy-engine.js';
import { type PolicyPod, PolicySubjects } from './policy-subjects.js';

/** A policy of Kubernetes has this place among Calico's, in the tier `default`. */
const KUBERNETES_ORDER = 1000;
const DEFAULT_TIER = 'default';

/** The policies of the endpoints of `facts`; undefined where the input has none. */
export function networkPolicies(
  objects: KubernetesObjects,
  facts: ClusterFacts,
  remarks: Remarks,
): PolicyModel | undefined {
  const stated = facts.networkPolicies;
  if (stated !== undefined) return { ...stated, engine: facts.dataplane?.networkPolicy ?? 'unknown' };
  const engine = facts.dataplane?.networkPolicy ?? policyEngineOf(objects);
  const deniesAll = engine === 'cilium' && ciliumValue(objects.configMap, 'enable-policy') === 'always';
  if (!deniesAll && !hasPolicies(objects)) return undefined;
  const subjects = new PolicySubjects(objects);
  const dialects = new Dialects(objects, subjects, deniesAll);
  const byAddress = objects.calicoNetworkPolicy.length + objects.calicoGlobalPolicy.length > 0;
  const groups: PolicyGroup[] = [];
  const rows = new Map<string, number>();
  const groupOf = new Map<string, number>();
  const done = new Set<string>();
  for (const service of facts.services ?? []) {
    for (const endpoint of service.endpoints ?? []) {
      if (done.has(endpoint.pod)) continue;
      done.add(endpoint.pod);
      const pod = podOf(endpoint, service, { objects, facts, subjects });
      // pods that policies cannot tell apart have one group
      const alike = pod === null ? '' : signature(pod, byAddress);
      let row = pod === null ? -1 : rows.get(alike);
      if (pod !== null && row === undefined) {
        const tiers = dialects.tiersOf(pod);
        row = tiers.length === 0 ? -1 : groups.push({ tiers }) - 1;
        rows.set(alike, row);
      }
      if (row! >= 0) groupOf.set(endpoint.pod, row!);
    }
  }
  noteUndecided(groups, engine, remarks);
  return {
    engine,
    denial: denialOf(engine, objects),
    groups,
    groupOf,
    restricted: dialects.restricted(),
    mayRestrict: dialects.mayRestrict(),
    knownPods: new Set(subjects.pods.flatMap(({ addresses }) => addresses.map(formatAddress))),
    podRanges: objects.ipPool.map(({ object }) => object.spec.cidr),
    netsMatchNodes: netsMatchNodes(engine, objects),
  };
}

/** All that a policy can ask of an endpoint; its addresses only under Calico (`destination.nets`). */
function signature(pod: PolicyPod, byAddress: boolean): string {
  const { namespace, labels, complete, ports, serviceAccount, addresses } = pod;
  const own = byAddress ? addresses.map(formatAddress) : [];
  return JSON.stringify([namespace, Object.entries(labels).sort(), complete, ports, serviceAccount, own]);
}

const POLICY_KINDS = [
  'networkPolicy',
  'calicoNetworkPolicy',
  'calicoGlobalPolicy',
  'ciliumNetworkPolicy',
  'ciliumClusterwidePolicy',
  'adminPolicy',
  'baselinePolicy',
] as const;

function hasPolicies(objects: KubernetesObjects): boolean {
  return POLICY_KINDS.some((kind) => objects[kind].length > 0);
}

/** Everything that policies of any dialect say of a pod. */
class Dialects {
  private readonly kubernetes: KubernetesPolicies;
  private readonly calico: CalicoPolicies;
  private readonly cilium: CiliumPolicies;
  private readonly admin: readonly PolicyRule[];

  constructor(
    objects: KubernetesObjects,
    private readonly subjects: PolicySubjects,
    private readonly deniesAll: boolean,
  ) {
    this.kubernetes = new KubernetesPolicies(objects.networkPolicy, subjects);
    this.calico = new CalicoPolicies(objects, subjects);
    this.cilium = new CiliumPolicies(objects, subjects);
    // their peers for ingress are pods and namespaces, never an address outside
    const pods: PolicyPeer[] = [{ kind: 'maybe', place: 'pod' }];
    const rule = (kind: string, name: string): PolicyRule => ({
      ...unsureRule(`${kind} ${name}`, 'it is not evaluated'),
      from: [pods],
    });
    this.admin = [
      ...objects.adminPolicy.map(({ name }) => rule('AdminNetworkPolicy', name)),
      ...objects.baselinePolicy.map(({ name }) => rule('BaselineAdminNetworkPolicy', name)),
    ];
  }

  tiersOf(pod: PolicyPod): PolicyTier[] {
    const tiers: PolicyTier[] = [];
    if (this.admin.length > 0) tiers.push({ rules: this.admin, end: 'pass', policies: [] });
    const kubernetes = this.kubernetes
      .of(pod)
      .map((share) => ({ order: KUBERNETES_ORDER, tier: DEFAULT_TIER, ...share }));
    const byTier = new Map<string, PolicyShare[]>();
    for (const share of [...kubernetes, ...this.calico.of(pod)]) {
      const tier = share.tier ?? DEFAULT_TIER;
      const shares = byTier.get(tier);
      if (shares === undefined) byTier.set(tier, [share]);
      else shares.push(share);
    }
    // Cilium knows no order: its policies and those of Kubernetes add up, and a denial comes before every allowance
    const cilium = this.cilium.of(pod);
    if (cilium.length > 0) byTier.set(DEFAULT_TIER, [...(byTier.get(DEFAULT_TIER) ?? []), ...cilium]);
    if (this.deniesAll) {
      const title = 'cilium-config enable-policy: always';
      byTier.set(DEFAULT_TIER, [...(byTier.get(DEFAULT_TIER) ?? []), { title, selects: 'yes', rules: [] }]);
    }
    const order = (name: string): number => this.calico.tier(name).order ?? Number.POSITIVE_INFINITY;
    const named = [...byTier].sort(([a], [b]) => order(a) - order(b) || (a < b ? -1 : 1));
    for (const [name, shares] of named)
      tiers.push(tierOf(shares, this.calico.tier(name).end, cilium.length > 0));
    return tiers;
  }

  /** By address: the policies that restrict what a pod sends, or may. */
  restricted(): Map<string, string> {
    const found = new Map<string, string>();
    for (const pod of this.subjects.pods) {
      const titles = this.restricting(pod);
      if (titles.length === 0) continue;
      for (const address of pod.addresses) found.set(formatAddress(address), listed(titles));
    }
    return found;
  }

  /** Those that may restrict a pod of which nothing is known. */
  mayRestrict(): string | null {
    const anybody: PolicyPod = {
      name: '',
      namespace: null,
      labels: {},
      complete: false,
      addresses: [],
      ports: null,
      serviceAccount: null,
    };
    const titles = this.restricting(anybody);
    return titles.length === 0 ? null : listed(titles);
  }

  private restricting(pod: PolicyPod): string[] {
    return [
      ...this.kubernetes.restricting(pod),
      ...this.calico.restricting(pod),
      ...this.cilium.restricting(pod),
    ];
  }
}

/** The rules of all that select the endpoint, and what becomes of the rest. */
function tierOf(shares: readonly PolicyShare[], end: 'deny' | 'pass', denialsFirst: boolean): PolicyTier {
  const last = Number.POSITIVE_INFINITY;
  const inOrder = [...shares].sort(
    (a, b) => compare(a.order ?? last, b.order ?? last) || (a.title < b.title ? -1 : 1),
  );
  const rules = inOrder.flatMap((share) => share.rules);
  const isDenial = ({ action }: PolicyRule): boolean => action === 'deny';
  const closing = inOrder.filter(({ isOpen }) => isOpen !== true);
  const certain = closing.filter((share) => share.selects === 'yes');
  const denying = certain.length > 0 ? certain : closing;
  return {
    rules: denialsFirst ? [...rules.filter(isDenial), ...rules.filter((rule) => !isDenial(rule))] : rules,
    end: closing.length === 0 || end === 'pass' ? 'pass' : certain.length > 0 ? 'deny' : 'unsure',
    policies: denying.map(({ title }) => title),
  };
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
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
