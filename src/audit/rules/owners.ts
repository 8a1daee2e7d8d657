/**
 * What makes pods, held against its own rules: placement that is broken now (the scheduler looks once, when it places a
 * pod), rules that leave no room for a pod's successor, and PodDisruptionBudgets that forbid every eviction.
 */

import { type Remarks, readObjects } from '../../cluster/kubernetes/kubernetes-objects.js';
import { kubernetesServices } from '../../cluster/kubernetes/kubernetes-services.js';
import { ownersOf } from '../../cluster/kubernetes/owners.js';
import type { OwnerFacts, ServiceFacts, SpreadFacts } from '../../cluster/scenario/facts.js';
import type { SourceObject } from '../../cluster/scenario/source-objects.js';
import { Problems } from '../../cluster/yaml/problems.js';
import type { Evidence, Finding } from '../finding.js';
import { type Inventory, Thing } from '../inventory.js';

const WORKLOADS = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'];

export function ownerFindings(objects: readonly SourceObject[], inventory: Inventory): Finding[] {
  // what cannot be read is no evidence; the other commands say so
  const problems = new Problems();
  const remarks: Remarks = { notes: [], unread: [] };
  const read = readObjects(objects, problems, remarks);
  const services = kubernetesServices(read, problems, remarks);
  const places = placesOf(services);
  return ownersOf(read, services, remarks).flatMap((owner) => {
    const thing = thingOf(owner, objects);
    if (thing === undefined || !WORKLOADS.includes(thing.kind)) return [];
    return [
      ...(owner.spread ?? []).flatMap((rule) => broken(owner, rule, places, thing)),
      ...noRoom(owner, places, thing),
      ...noEviction(owner, thing, inventory),
    ];
  });
}

type Places = ReadonlyMap<string, string>;

function placesOf(services: readonly ServiceFacts[]): Places {
  return new Map(
    services.flatMap(({ endpoints = [] }) =>
      endpoints.flatMap(({ pod, node }) => (node === null ? [] : [[pod, node] as const])),
    ),
  );
}

function thingOf({ place }: OwnerFacts, objects: readonly SourceObject[]): Thing | undefined {
  const found = objects.find(
    ({ document, path }) => document === place.document && path.join() === place.path.join(),
  );
  return found === undefined ? undefined : new Thing(found);
}

/** Pods by domain; every domain that the rule knows is there. */
function countsOf({ pods }: OwnerFacts, { domains }: SpreadFacts, places: Places): Map<string, string[]> {
  const counts = new Map<string, string[]>(Object.values(domains).map((domain) => [domain, []]));
  for (const pod of pods) {
    const domain = domains[places.get(pod) ?? ''];
    if (domain !== undefined) counts.get(domain)!.push(pod);
  }
  return counts;
}

function ruleEvidence(thing: Thing, { maxSkew }: SpreadFacts): Evidence {
  const spec = ['spec', 'template', 'spec'];
  return maxSkew === undefined
    ? thing.evidence(
        'required podAntiAffinity against its own pods',
        ...spec,
        'affinity',
        'podAntiAffinity',
        'requiredDuringSchedulingIgnoredDuringExecution',
      )
    : thing.evidence(
        `topologySpreadConstraints: maxSkew ${maxSkew}, DoNotSchedule`,
        ...spec,
        'topologySpreadConstraints',
      );
}

function broken(owner: OwnerFacts, rule: SpreadFacts, places: Places, thing: Thing): Finding[] {
  const counts = [...countsOf(owner, rule, places)];
  const sizes = counts.map(([, pods]) => pods.length);
  const fewest = Math.min(...sizes);
  const limit = Math.min(
    rule.atMost ?? Number.POSITIVE_INFINITY,
    fewest + (rule.maxSkew ?? Number.POSITIVE_INFINITY),
  );
  const [worst] = counts.sort(([, a], [, b]) => b.length - a.length);
  if (worst === undefined || worst[1].length <= limit) return [];
  const [domain, pods] = worst;
  return [
    {
      rule: 'placement-not-held',
      severity: 'medium',
      finding: `${pods.length} pods of ${thing.title} stand in ${domain}, where its rule allows ${limit}.`,
      mechanism:
        'The scheduler holds a rule when it places a pod, and never again: what was added, relabelled or came back since counts for nothing.',
      breaks: `What takes ${domain} away takes ${pods.length} of ${owner.pods.length} endpoints with it.`,
      remedy: 'Roll the pods out anew while every domain takes pods, or run a descheduler.',
      evidence: [ruleEvidence(thing, rule), thing.evidence(`${pods.join(', ')} in ${domain}`, 'spec')],
    },
  ];
}

function noRoom(owner: OwnerFacts, places: Places, thing: Thing): Finding[] {
  const apart = (owner.spread ?? []).find(({ atMost }) => atMost !== undefined);
  if (apart === undefined || owner.kind === 'DaemonSet') return [];
  const counts = countsOf(owner, apart, places);
  const open = new Set((owner.nodes ?? []).flatMap((node) => apart.domains[node] ?? []));
  const empty = [...open].filter((domain) => (counts.get(domain) ?? []).length === 0);
  if (open.size === 0 || empty.length > 0) return [];
  return [
    {
      rule: 'no-room-for-successor',
      severity: 'low',
      finding: `A pod of ${thing.title} that is evicted fits nowhere else: each of ${open.size} domains has one.`,
      mechanism: 'Required anti-affinity allows a domain one pod, and every domain that takes pods has it.',
      breaks:
        'While a node is drained or redeployed the service has one endpoint fewer, and the pod waits as Pending.',
      remedy: 'One replica fewer than domains, or a preferred rule beside a topologySpreadConstraint.',
      evidence: [ruleEvidence(thing, apart)],
    },
  ];
}

function noEviction(
  { kind, minAvailable = 0, pods }: OwnerFacts,
  thing: Thing,
  inventory: Inventory,
): Finding[] {
  const replicas = thing.number('spec', 'replicas') ?? pods.length;
  if (kind === 'DaemonSet' || minAvailable < replicas || minAvailable === 0) return [];
  const budgets = inventory
    .of('PodDisruptionBudget', 'policy')
    .filter(({ namespace }) => namespace === thing.namespace);
  const evidence = budgets.flatMap((budget) =>
    (['minAvailable', 'maxUnavailable'] as const).flatMap((key) => {
      const value = budget.at('spec', key);
      return value === undefined ? [] : [budget.evidence(`spec.${key}: ${String(value)}`, 'spec', key)];
    }),
  );
  return [
    {
      rule: 'budget-forbids-eviction',
      severity: 'medium',
      finding: `No pod of ${thing.title} may be evicted: ${minAvailable} of ${replicas} must stay available.`,
      mechanism:
        'The eviction API refuses what its PodDisruptionBudget does not allow, and kubectl drain asks again every 5 s without end.',
      breaks:
        'A drain of its nodes never finishes; whoever then deletes the node cuts the connections without a grace period.',
      remedy: 'maxUnavailable: 1, and a replica more than must stay available.',
      evidence: [thing.evidence(`spec.replicas: ${replicas}`, 'spec', 'replicas'), ...evidence],
    },
  ];
}
