/**
 * Calico's NetworkPolicy and GlobalNetworkPolicy as rules for one endpoint: policies in the order of their tier and
 * `order`, the first rule that matches decides, `Pass` goes on to the next tier, and a tier whose policies select the
 * endpoint ends in a denial. Kubernetes' own policies stand in the tier `default` with order 1000.
 *
 * Source: docs.tigera.io, GlobalNetworkPolicy and Tier; libcalico-go, conversion of NetworkPolicy (order 1000), and the
 * labels it adds to pods (projectcalico.org/namespace, /orchestrator, /serviceaccount).
 */
import { z } from 'zod';
import type { Address } from '../../addr/address.js';
import { type Prefix, parsePrefix, prefixContains } from '../../addr/prefix.js';
import type { PolicyPeer, PolicyPort, PolicyRule } from '../policy-model.js';
import { calicoSelector } from './calico-selector.js';
import type { KubernetesObjects, Read } from './kubernetes-objects.js';
import { LABELS_UNKNOWN, type PolicyShare, unsureRule } from './kubernetes-policies.js';
import { flag, many, number, some, text, texts } from './kubernetes-schemas.js';
import {
  every,
  type KnownLabels,
  type Match,
  type PolicyPod,
  type PolicySubjects,
} from './policy-subjects.js';

const entityRule = some({
  nets: texts.optional(),
  notNets: texts.optional(),
  selector: text.optional(),
  notSelector: text.optional(),
  namespaceSelector: text.optional(),
  ports: many(z.union([number, text])).optional(),
  notPorts: many(z.union([number, text])).optional(),
  serviceAccounts: z.unknown().optional(),
  services: z.unknown().optional(),
});
type EntityRule = z.output<typeof entityRule>;

const rule = some({
  action: text,
  ipVersion: number.optional(),
  protocol: z.union([number, text]).optional(),
  notProtocol: z.union([number, text]).optional(),
  source: entityRule.optional(),
  destination: entityRule.optional(),
  http: z.unknown().optional(),
});
type Rule = z.output<typeof rule>;

const policySpec = some({
  tier: text.optional(),
  order: number.optional(),
  selector: text.optional(),
  namespaceSelector: text.optional(),
  serviceAccountSelector: text.optional(),
  types: texts.optional(),
  ingress: many(rule).optional(),
  egress: many(z.unknown()).optional(),
  doNotTrack: flag.optional(),
  preDNAT: flag.optional(),
  applyOnForward: flag.optional(),
});
type PolicySpec = z.output<typeof policySpec>;

const tierSpec = some({ order: number.optional(), defaultAction: text.optional() });

interface CalicoPolicy {
  readonly title: string;
  /** null: a GlobalNetworkPolicy */
  readonly namespace: string | null;
  readonly spec: PolicySpec | null;
}

interface NetworkSet {
  readonly namespace: string | null;
  readonly labels: KnownLabels;
  readonly nets: readonly Prefix[];
}

export interface CalicoTier {
  /** null: not known */
  readonly order: number | null;
  readonly end: 'deny' | 'pass';
}

const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
};

/** Tiers that Calico makes itself. */
const OWN_TIERS: Readonly<Record<string, number>> = {
  adminnetworkpolicy: 1000,
  default: 1_000_000,
  baselineadminnetworkpolicy: 10_000_000,
};

const LAST_PORT = 65535;

export class CalicoPolicies {
  private readonly policies: readonly CalicoPolicy[];
  private readonly sets: readonly NetworkSet[];
  private readonly tiers = new Map<string, CalicoTier>();
  private readonly peers = new Map<string, PolicyPeer[]>();

  constructor(
    objects: KubernetesObjects,
    private readonly subjects: PolicySubjects,
  ) {
    const read = (one: Read<unknown>, namespace: string | null): CalicoPolicy => {
      const result = policySpec.safeParse((one.object as { spec?: unknown }).spec ?? {});
      const kind = namespace === null ? 'GlobalNetworkPolicy' : 'Calico NetworkPolicy';
      const title = namespace === null ? `${kind} ${one.name}` : `${kind} ${namespace}/${one.name}`;
      return { title, namespace, spec: result.success ? result.data : null };
    };
    this.policies = [
      ...objects.calicoNetworkPolicy.map((one) => read(one, one.namespace)),
      ...objects.calicoGlobalPolicy.map((one) => read(one, null)),
    ];
    this.sets = [
      ...objects.networkSet.map((one) => setOf(one, one.namespace)),
      ...objects.globalNetworkSet.map((one) => setOf(one, null)),
    ];
    for (const [name, order] of Object.entries(OWN_TIERS)) this.tiers.set(name, { order, end: 'deny' });
    this.tiers.set('adminnetworkpolicy', { order: 1000, end: 'pass' });
    this.tiers.set('baselineadminnetworkpolicy', { order: 10_000_000, end: 'pass' });
    for (const { name, object } of objects.calicoTier) {
      const { success, data } = tierSpec.safeParse((object as { spec?: unknown }).spec ?? {});
      const order = success ? (data.order ?? Number.POSITIVE_INFINITY) : null;
      const end = success && data.defaultAction?.toLowerCase() === 'pass' ? 'pass' : 'deny';
      this.tiers.set(name, { order: OWN_TIERS[name] ?? order, end });
    }
  }

  tier(name: string): CalicoTier {
    return this.tiers.get(name) ?? { order: null, end: 'deny' };
  }

  /** Those that select a pod for ingress, or may. */
  of(pod: PolicyPod): PolicyShare[] {
    return this.policies.flatMap((policy): PolicyShare[] => {
      const match = this.selects(policy, pod);
      if (match === 'no') return [];
      const { title, spec } = policy;
      if (spec === null) {
        const unsure = 'it cannot be read: its fields have wrong types';
        return [{ title, selects: 'maybe', rules: [unsureRule(title, unsure)] }];
      }
      const { types, ingress, egress, order = Number.POSITIVE_INFINITY, tier = 'default' } = spec;
      if (spec.doNotTrack === true || spec.preDNAT === true || spec.applyOnForward === true) {
        const unsure = 'it acts on host endpoints, which are not modelled';
        return [{ title, selects: 'maybe', rules: [unsureRule(title, unsure)], order, tier }];
      }
      const isIngress =
        types === undefined ? ingress !== undefined || egress === undefined : types.includes('Ingress');
      if (!isIngress) return [];
      const isOrdered = this.tier(tier).order !== null;
      const unsure = !isOrdered
        ? `the order of its tier ${tier} is not known; collect tiers`
        : match === 'maybe'
          ? LABELS_UNKNOWN
          : null;
      const rules = (ingress ?? []).flatMap((one) => this.rule(one, policy, pod, unsure) ?? []);
      return [{ title, selects: isOrdered ? match : 'maybe', rules, order, tier }];
    });
  }

  /** Titles of those that restrict what a pod sends, or may. */
  restricting(pod: PolicyPod): string[] {
    return this.policies
      .filter((policy) => {
        const { types, egress } = policy.spec ?? { types: ['Egress'] };
        const isEgress = types === undefined ? egress !== undefined : types.includes('Egress');
        return isEgress && this.selects(policy, pod) !== 'no';
      })
      .map(({ title }) => title);
  }

  private selects({ namespace, spec }: CalicoPolicy, pod: PolicyPod): Match {
    if (namespace !== null && pod.namespace !== null && namespace !== pod.namespace) return 'no';
    if (spec === null) return 'maybe';
    const inNamespace =
      namespace !== null || spec.namespaceSelector === undefined
        ? 'yes'
        : this.namespaceMatch(spec.namespaceSelector, pod.namespace);
    const byAccount =
      spec.serviceAccountSelector === undefined || spec.serviceAccountSelector === '' ? 'yes' : 'maybe';
    const isKnown = namespace === null || pod.namespace !== null ? 'yes' : 'maybe';
    return every([isKnown, inNamespace, byAccount, matchesText(spec.selector ?? '', labelsOf(pod))]);
  }

  private namespaceMatch(selector: string, namespace: string | null): Match {
    if (namespace === null) return 'maybe';
    const { labels, complete } = this.subjects.namespaceLabels(namespace);
    return matchesText(selector, { labels: { ...labels, 'projectcalico.org/name': namespace }, complete });
  }

  /** Null: it never matches a connection to this endpoint, or does nothing. */
  private rule(one: Rule, policy: CalicoPolicy, pod: PolicyPod, unsure: string | null): PolicyRule | null {
    const action = ACTIONS[one.action.toLowerCase()];
    if (action === 'log') return null;
    const { source = {}, destination = {}, http, protocol, notProtocol, ipVersion } = one;
    const to = this.destinationMatch(destination, policy, pod);
    if (to === 'no') return null;
    const proto = protocol === undefined ? null : protocolNumber(protocol);
    const ports = endpointPorts(destination.ports, proto ?? null, pod);
    const notPorts = endpointPorts(destination.notPorts, null, pod);
    const excluded = notProtocol === undefined ? null : protocolNumber(notProtocol);
    const isOdd =
      action === undefined ||
      http !== undefined ||
      ports === 'unknown' ||
      notPorts === 'unknown' ||
      proto === undefined ||
      excluded === undefined ||
      source.services !== undefined ||
      source.serviceAccounts !== undefined ||
      source.ports !== undefined ||
      source.notPorts !== undefined;
    const from = this.sources(source, policy, action === 'deny');
    const notFrom = this.sourcesNot(source, policy);
    const version = ipVersion === undefined ? [] : [[versionPeer(ipVersion)]];
    const reason =
      isOdd || from === null || notFrom === null ? 'a rule of it matches on what is not evaluated' : null;
    return {
      policy: policy.title,
      action: action ?? 'deny',
      from: [...version, ...(from ?? [])],
      notFrom: notFrom ?? [],
      ports:
        ports === 'unknown' ? null : (ports ?? (typeof proto === 'number' ? [wholeProtocol(proto)] : null)),
      notPorts: [
        ...(notPorts === 'unknown' ? [] : (notPorts ?? [])),
        ...(typeof excluded === 'number' ? [wholeProtocol(excluded)] : []),
      ],
      unsure: unsure ?? reason ?? (to === 'maybe' ? LABELS_UNKNOWN : null),
    };
  }

  /** Whether the endpoint is what a rule's destination asks for. */
  private destinationMatch(destination: EntityRule, policy: CalicoPolicy, pod: PolicyPod): Match {
    const { nets, notNets, selector, notSelector, namespaceSelector, services, serviceAccounts } =
      destination;
    const parts: Match[] = [];
    if (nets !== undefined) parts.push(insideNets(pod.addresses, nets));
    if (notNets !== undefined) parts.push(opposite(insideNets(pod.addresses, notNets)));
    if (selector !== undefined) parts.push(matchesText(selector, labelsOf(pod)));
    if (notSelector !== undefined) parts.push(opposite(matchesText(notSelector, labelsOf(pod))));
    if (namespaceSelector !== undefined && policy.namespace === null) {
      parts.push(this.namespaceMatch(namespaceSelector, pod.namespace));
    }
    if (services !== undefined || serviceAccounts !== undefined) parts.push('maybe');
    return every(parts);
  }

  /** The source is one of each list; null: it cannot be read. */
  private sources(source: EntityRule, policy: CalicoPolicy, denies: boolean): PolicyPeer[][] | null {
    const lists: PolicyPeer[][] = [];
    if (source.nets !== undefined) {
      const nets = netPeers(source.nets);
      if (nets === null) return null;
      lists.push(nets);
    }
    if (source.selector !== undefined || source.namespaceSelector !== undefined) {
      const peers = this.selected(source.selector ?? '', source.namespaceSelector, policy.namespace);
      if (peers === null) return null;
      // a set of addresses that nobody gave may be what a denial is for
      const unknown: PolicyPeer[] =
        denies && this.sets.length === 0 ? [{ kind: 'maybe', place: 'outside' }] : [];
      lists.push([...peers, ...unknown]);
    }
    return lists;
  }

  private sourcesNot({ notNets = [], notSelector }: EntityRule, policy: CalicoPolicy): PolicyPeer[] | null {
    const nets = netPeers(notNets);
    const peers = notSelector === undefined ? [] : this.selected(notSelector, undefined, policy.namespace);
    return nets === null || peers === null ? null : [...nets, ...peers];
  }

  /** Pods and network sets that a selector takes; null: it cannot be read. */
  private selected(
    selector: string,
    namespaceSelector: string | undefined,
    namespace: string | null,
  ): PolicyPeer[] | null {
    if (calicoSelector(selector) === null || calicoSelector(namespaceSelector ?? '') === null) return null;
    const key = JSON.stringify([selector, namespaceSelector, namespace]);
    const known = this.peers.get(key);
    if (known !== undefined) return known;
    const isGlobalOnly = namespaceSelector?.includes('global()') === true;
    const inNamespace = (of: string | null): Match => {
      if (of === null)
        return isGlobalOnly || (namespace === null && namespaceSelector === undefined) ? 'yes' : 'no';
      if (isGlobalOnly) return 'no';
      if (namespaceSelector !== undefined) return this.namespaceMatch(namespaceSelector, of);
      return namespace === null || of === namespace ? 'yes' : 'no';
    };
    const addresses: Address[] = [];
    const maybe: Address[] = [];
    for (const pod of this.subjects.pods) {
      const own = inNamespace(pod.namespace);
      const match = own === 'no' ? 'no' : every([own, matchesText(selector, labelsOf(pod))]);
      if (match === 'yes') addresses.push(...pod.addresses);
      else if (match === 'maybe') maybe.push(...pod.addresses);
    }
    const peers: PolicyPeer[] = [{ kind: 'pods', addresses, maybe }];
    for (const set of this.sets) {
      if (inNamespace(set.namespace) === 'no' || matchesText(selector, set.labels) === 'no') continue;
      for (const net of set.nets) peers.push({ kind: 'net', net, except: [] });
    }
    this.peers.set(key, peers);
    return peers;
  }
}

const ACTIONS: Readonly<Record<string, 'allow' | 'deny' | 'pass' | 'log'>> = {
  allow: 'allow',
  deny: 'deny',
  pass: 'pass',
  'next-tier': 'pass',
  log: 'log',
};

function labelsOf({ namespace, labels, complete, serviceAccount }: PolicyPod): KnownLabels {
  return {
    labels: {
      ...labels,
      'projectcalico.org/orchestrator': 'k8s',
      ...(namespace === null ? {} : { 'projectcalico.org/namespace': namespace }),
      ...(serviceAccount === null ? {} : { 'projectcalico.org/serviceaccount': serviceAccount }),
    },
    complete,
  };
}

/** A selector over labels that may be known in part: `maybe` where it asks for one that is not known. */
function matchesText(selector: string, { labels, complete }: KnownLabels): Match {
  const selects = calicoSelector(selector);
  if (selects === null) return 'maybe';
  let asked = false;
  const seen = new Proxy(labels, {
    has: (target, key) => {
      if (!(key in target)) asked = true;
      return key in target;
    },
    get: (target, key) => {
      if (!(key in target)) asked = true;
      return target[key as string];
    },
  });
  const isSelected = selects(seen);
  if (asked && !complete) return 'maybe';
  return isSelected ? 'yes' : 'no';
}

function setOf({ object }: Read<unknown>, namespace: string | null): NetworkSet {
  const { metadata, spec } = object as {
    metadata?: { labels?: Record<string, string> };
    spec?: { nets?: unknown };
  };
  const nets = Array.isArray(spec?.nets) ? spec.nets : [];
  return {
    namespace,
    labels: { labels: metadata?.labels ?? {}, complete: true },
    nets: nets.flatMap((net: unknown) => parsePrefix(withLength(String(net))) ?? []),
  };
}

function netPeers(nets: readonly string[]): PolicyPeer[] | null {
  const prefixes = nets.map((net) => parsePrefix(withLength(net)));
  if (prefixes.includes(null)) return null;
  return prefixes.map((net) => ({ kind: 'net', net: net!, except: [] }));
}

function withLength(net: string): string {
  if (net.includes('/')) return net;
  return `${net}/${net.includes(':') ? 128 : 32}`;
}

function insideNets(addresses: readonly Address[], nets: readonly string[]): Match {
  const prefixes = nets.flatMap((net) => parsePrefix(withLength(net)) ?? []);
  const inside = addresses.filter((one) => prefixes.some((net) => prefixContains(net, one)));
  if (inside.length === addresses.length) return 'yes';
  return inside.length === 0 ? 'no' : 'maybe';
}

function opposite(match: Match): Match {
  return match === 'yes' ? 'no' : match === 'no' ? 'yes' : 'maybe';
}

function protocolNumber(protocol: string | number): number | undefined {
  const number = typeof protocol === 'number' ? protocol : Number(protocol);
  return Number.isInteger(number) ? number : PROTOCOL_NUMBERS[String(protocol).toLowerCase()];
}

function wholeProtocol(proto: number): PolicyPort {
  return { proto, first: 0, last: LAST_PORT };
}

/** Ports of a rule as the endpoint's; null: every one. */
function endpointPorts(
  ports: readonly (number | string)[] | undefined,
  proto: number | null,
  pod: PolicyPod,
): PolicyPort[] | null | 'unknown' {
  if (ports === undefined || ports.length === 0) return null;
  const found: PolicyPort[] = [];
  for (const port of ports) {
    const range = /^(\d+)(?::(\d+))?$/.exec(String(port));
    if (range !== null) {
      found.push({ proto, first: Number(range[1]), last: Number(range[2] ?? range[1]) });
      continue;
    }
    if (pod.ports === null) return 'unknown';
    for (const one of pod.ports) {
      if (one.name !== port || (proto !== null && one.proto !== proto)) continue;
      found.push({ proto: one.proto, first: one.port, last: one.port });
    }
  }
  return found;
}

function versionPeer(version: number): PolicyPeer {
  return { kind: 'net', net: parsePrefix(version === 6 ? '::/0' : '0.0.0.0/0')!, except: [] };
}
