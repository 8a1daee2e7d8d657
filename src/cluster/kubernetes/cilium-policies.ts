/**
 * CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy as rules for one endpoint: what any policy denies is denied,
 * what any allows is allowed, and an endpoint that a policy with ingress rules selects lets in nothing else. A rule with
 * a layer 7 part may let in or turn away: it is not judged.
 *
 * Source: docs.cilium.io, Network Policy (rule basics, layer 3, layer 4); pkg/policy/api (default deny from a list of
 * ingress or ingressDeny rules, members `from…` of one rule joined by or, an empty rule matches nothing).
 */
import { z } from 'zod';
import type { Address } from '../../addr/address.js';
import { PROTOCOLS } from '../limits.js';
import type { PolicyPeer, PolicyPort, PolicyRule } from '../policy-model.js';
import { prefix } from '../scenario/field-schemas.js';
import type { KubernetesObjects, Read } from './kubernetes-objects.js';
import { LABELS_UNKNOWN, type PolicyShare, unsureRule } from './kubernetes-policies.js';
import {
  flag,
  type LabelSelector,
  labelSelector,
  many,
  number,
  some,
  text,
  texts,
} from './kubernetes-schemas.js';
import { type KnownLabels, type PolicyPod, type PolicySubjects, selects } from './policy-subjects.js';

const selector = labelSelector;

const rule = some({
  fromEndpoints: many(selector).optional(),
  fromCIDR: many(prefix).optional(),
  fromCIDRSet: many(some({ cidr: prefix.optional(), except: many(prefix).optional() })).optional(),
  fromEntities: texts.optional(),
  fromRequires: z.unknown().optional(),
  fromGroups: z.unknown().optional(),
  fromNodes: z.unknown().optional(),
  toPorts: many(
    some({
      ports: many(
        some({
          port: z.union([text, number]).optional(),
          endPort: number.optional(),
          protocol: text.optional(),
        }),
      ).optional(),
      rules: z.unknown().optional(),
    }),
  ).optional(),
  icmps: z.unknown().optional(),
});
type Rule = z.output<typeof rule>;

const policySpec = some({
  endpointSelector: selector.optional(),
  nodeSelector: selector.optional(),
  ingress: many(rule).optional(),
  ingressDeny: many(rule).optional(),
  egress: many(z.unknown()).optional(),
  egressDeny: many(z.unknown()).optional(),
  enableDefaultDeny: some({ ingress: flag.optional(), egress: flag.optional() }).optional(),
});
type PolicySpec = z.output<typeof policySpec>;

interface CiliumPolicy {
  readonly title: string;
  /** null: clusterwide */
  readonly namespace: string | null;
  /** null: it cannot be read */
  readonly specs: readonly PolicySpec[] | null;
}

const NAMESPACE = 'io.kubernetes.pod.namespace';
const NAMESPACE_LABELS = 'io.cilium.k8s.namespace.labels.';
const LAST_PORT = 65535;

export class CiliumPolicies {
  private readonly policies: readonly CiliumPolicy[];
  private readonly peers = new Map<string, PolicyPeer>();
  private readonly labels = new Map<PolicyPod, KnownLabels>();

  constructor(
    objects: KubernetesObjects,
    private readonly subjects: PolicySubjects,
  ) {
    const read = ({ name, object }: Read<unknown>, namespace: string | null): CiliumPolicy => {
      const { spec, specs } = object as { spec?: unknown; specs?: unknown };
      const result = z
        .array(policySpec)
        .safeParse([
          ...(spec === undefined ? [] : [spec]),
          ...(Array.isArray(specs) ? (specs as unknown[]) : []),
        ]);
      const title =
        namespace === null
          ? `CiliumClusterwideNetworkPolicy ${name}`
          : `CiliumNetworkPolicy ${namespace}/${name}`;
      return { title, namespace, specs: result.success ? result.data : null };
    };
    this.policies = [
      ...objects.ciliumNetworkPolicy.map((one) => read(one, one.namespace)),
      ...objects.ciliumClusterwidePolicy.map((one) => read(one, null)),
    ];
  }

  /** Those that say something of a pod's ingress, or may. */
  of(pod: PolicyPod): PolicyShare[] {
    return this.policies.flatMap((policy): PolicyShare[] => {
      const { title, namespace, specs } = policy;
      const isElsewhere = namespace !== null && pod.namespace !== null && namespace !== pod.namespace;
      if (isElsewhere) return [];
      if (specs === null) {
        return [
          {
            title,
            selects: 'maybe',
            rules: [unsureRule(title, 'it cannot be read: its fields have wrong types')],
          },
        ];
      }
      return specs.flatMap((spec) => this.share(policy, spec, pod) ?? []);
    });
  }

  /** Titles of those that restrict what a pod sends, or may. */
  restricting(pod: PolicyPod): string[] {
    return this.policies
      .filter(({ namespace, specs }) => {
        if (namespace !== null && pod.namespace !== null && namespace !== pod.namespace) return false;
        return (specs ?? [{ egress: [{}] } as PolicySpec]).some(
          ({ endpointSelector = {}, nodeSelector, egress = [], egressDeny = [] }) =>
            nodeSelector === undefined &&
            egress.length + egressDeny.length > 0 &&
            selects(plain(endpointSelector), this.labelsOf(pod)) !== 'no',
        );
      })
      .map(({ title }) => title);
  }

  private share({ title, namespace }: CiliumPolicy, spec: PolicySpec, pod: PolicyPod): PolicyShare | null {
    const { endpointSelector = {}, nodeSelector, ingress = [], ingressDeny = [], enableDefaultDeny } = spec;
    if (nodeSelector !== undefined || ingress.length + ingressDeny.length === 0) return null;
    const own = selects(plain(endpointSelector), this.labelsOf(pod));
    if (own === 'no') return null;
    const match = pod.namespace === null ? 'maybe' : own;
    const unsure = match === 'maybe' ? LABELS_UNKNOWN : null;
    const rules = [
      ...ingressDeny.flatMap((one) => this.rules(one, 'deny', { title, namespace, unsure }, pod)),
      ...ingress.flatMap((one) => this.rules(one, 'allow', { title, namespace, unsure }, pod)),
    ];
    const isOpen = enableDefaultDeny?.ingress === false;
    return { title, selects: match, rules, ...(isOpen ? { isOpen } : {}) };
  }

  private rules(
    one: Rule,
    action: 'allow' | 'deny',
    of: { title: string; namespace: string | null; unsure: string | null },
    pod: PolicyPod,
  ): PolicyRule[] {
    const { fromRequires, fromGroups, fromNodes, toPorts, icmps } = one;
    const peers = this.sources(one, of.namespace);
    // without a port part, one for ICMP alone lets in nothing else; an empty rule nothing at all
    if (toPorts === undefined && (icmps !== undefined || peers === null)) return [];
    if (peers?.length === 0) return [];
    const odd = [fromRequires, fromGroups, fromNodes].some((part) => part !== undefined);
    const isUnresolved = (one.fromCIDRSet ?? []).some(({ cidr }) => cidr === undefined);
    const base = {
      policy: of.title,
      action,
      from: peers === null || odd || isUnresolved ? [] : [peers],
      notFrom: [],
      notPorts: [],
    };
    const doubt = of.unsure ?? (odd || isUnresolved ? 'a rule of it matches on what is not evaluated' : null);
    if (toPorts === undefined || toPorts.length === 0) return [{ ...base, ports: null, unsure: doubt }];
    return toPorts.flatMap(({ ports = [], rules }): PolicyRule[] => {
      const numbers = ports.map((port) => endpointPorts(port, pod));
      const isUnknown = numbers.includes(null);
      const known = isUnknown || ports.length === 0 ? null : numbers.flatMap((all) => all ?? []);
      if (known?.length === 0) return [];
      const l7 = rules === undefined ? null : 'a rule of it looks into layer 7, which is not evaluated';
      const name = isUnknown ? 'the number of a named port is not known; collect pods' : null;
      return [{ ...base, ports: known, unsure: doubt ?? l7 ?? name }];
    });
  }

  /** Null: every source, none being named. */
  private sources(one: Rule, namespace: string | null): PolicyPeer[] | null {
    const { fromEndpoints, fromCIDR, fromCIDRSet, fromEntities, fromRequires, fromGroups, fromNodes } = one;
    const named = [fromEndpoints, fromCIDR, fromCIDRSet, fromEntities, fromRequires, fromGroups, fromNodes];
    if (named.every((part) => part === undefined)) return null;
    const isOdd = [fromRequires, fromGroups, fromNodes].some((part) => part !== undefined);
    return [
      ...(fromEndpoints ?? []).map((endpoints) => this.endpoints(endpoints, namespace)),
      ...(fromCIDR ?? []).map((net): PolicyPeer => ({ kind: 'net', net, except: [] })),
      ...(fromCIDRSet ?? []).flatMap(({ cidr, except = [] }): PolicyPeer[] =>
        cidr === undefined ? EVERYWHERE : [{ kind: 'net', net: cidr, except }],
      ),
      ...(fromEntities ?? []).flatMap((entity) => ENTITIES[entity] ?? ANYWHERE),
      ...(isOdd ? ANYWHERE : []),
    ];
  }

  private endpoints(field: LabelSelector, namespace: string | null): PolicyPeer {
    const wanted = plain(field);
    const keys = [
      ...Object.keys(wanted.matchLabels ?? {}),
      ...(wanted.matchExpressions ?? []).map(({ key }) => key),
    ];
    const isNamed = keys.some((key) => key === NAMESPACE || key.startsWith(NAMESPACE_LABELS));
    const within = isNamed ? null : namespace;
    const key = JSON.stringify([wanted, within]);
    const known = this.peers.get(key);
    if (known !== undefined) return known;
    const addresses: Address[] = [];
    const maybe: Address[] = [];
    for (const pod of this.subjects.pods) {
      if (within !== null && pod.namespace !== within) continue;
      const match = selects(wanted, this.labelsOf(pod));
      if (match === 'yes') addresses.push(...pod.addresses);
      else if (match === 'maybe') maybe.push(...pod.addresses);
    }
    const peer: PolicyPeer = { kind: 'pods', addresses, maybe };
    this.peers.set(key, peer);
    return peer;
  }

  private labelsOf(pod: PolicyPod): KnownLabels {
    const known = this.labels.get(pod);
    if (known !== undefined) return known;
    const { namespace } = pod;
    const of =
      namespace === null ? { labels: {}, complete: false } : this.subjects.namespaceLabels(namespace);
    const made: KnownLabels = {
      labels: {
        ...pod.labels,
        ...(namespace === null ? {} : { [NAMESPACE]: namespace }),
        ...Object.fromEntries(
          Object.entries(of.labels).map(([key, value]) => [`${NAMESPACE_LABELS}${key}`, value]),
        ),
        ...(pod.serviceAccount === null ? {} : { 'io.cilium.k8s.policy.serviceaccount': pod.serviceAccount }),
      },
      complete: pod.complete && of.complete,
    };
    this.labels.set(pod, made);
    return made;
  }
}

const EVERYWHERE: PolicyPeer[] = [
  { kind: 'place', place: 'outside' },
  { kind: 'place', place: 'pod' },
  { kind: 'place', place: 'node' },
];
const ANYWHERE: PolicyPeer[] = [
  { kind: 'maybe', place: 'outside' },
  { kind: 'maybe', place: 'pod' },
  { kind: 'maybe', place: 'node' },
];
const WORLD: PolicyPeer[] = [{ kind: 'place', place: 'outside' }];

/** What an entity is among sources; of others nobody knows. */
const ENTITIES: Readonly<Record<string, PolicyPeer[]>> = {
  all: EVERYWHERE,
  world: WORLD,
  cluster: [
    { kind: 'place', place: 'pod' },
    { kind: 'place', place: 'node' },
  ],
  // of its own node a pod is never denied
  host: [],
  'remote-node': [{ kind: 'place', place: 'node' }],
  none: [],
  // pods that Cilium has not taken over, and its own
  unmanaged: [{ kind: 'maybe', place: 'pod' }],
  health: [],
  init: [{ kind: 'maybe', place: 'pod' }],
};

/** Keys without the source of the label: `k8s:app`, `any:app`, `any.app`. */
function plain({ matchLabels, matchExpressions }: LabelSelector): LabelSelector {
  const bare = (key: string): string => key.replace(/^(?:k8s|any)[:.]/, '');
  return {
    ...(matchLabels === undefined
      ? {}
      : {
          matchLabels: Object.fromEntries(
            Object.entries(matchLabels).map(([key, value]) => [bare(key), value]),
          ),
        }),
    ...(matchExpressions === undefined
      ? {}
      : { matchExpressions: matchExpressions.map((one) => ({ ...one, key: bare(one.key) })) }),
  };
}

/** Null: the number of a named port is not known. */
function endpointPorts(
  {
    port = '0',
    endPort,
    protocol = 'ANY',
  }: { port?: string | number | undefined; endPort?: number | undefined; protocol?: string | undefined },
  pod: PolicyPod,
): PolicyPort[] | null {
  const proto = protocol.toUpperCase() === 'ANY' ? null : (PROTOCOLS[protocol.toUpperCase()] ?? -1);
  const number = Number(port);
  if (number === 0) return [{ proto, first: 0, last: LAST_PORT }];
  if (Number.isInteger(number)) return [{ proto, first: number, last: endPort ?? number }];
  if (pod.ports === null) return null;
  return pod.ports
    .filter((one) => one.name === port && (proto === null || one.proto === proto))
    .map((one) => ({ proto: one.proto, first: one.port, last: one.port }));
}
