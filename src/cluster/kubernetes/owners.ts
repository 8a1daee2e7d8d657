/**
 * Who makes the pods that services have as endpoints, and by which rules: Deployment, StatefulSet, DaemonSet, ReplicaSet,
 * with PodDisruptionBudgets. A pod is its owner's by the owner's selector where the Pod was given, else by its name.
 */
import type { OwnerKind } from '../owner-model.js';
import type { OwnerFacts, ServiceFacts, SpreadFacts } from '../scenario/facts.js';
import type { KubernetesObjects, Remarks } from './kubernetes-objects.js';
import { matches } from './label-selector.js';
import { isChosen, mayStandOn, type PodSpec } from './node-placement.js';

/** From a placed pod to one whose container runs, where nothing states it: images are there already. */
const USUAL_START_S = 2;

interface Workload {
  readonly kind: OwnerKind;
  readonly read: KubernetesObjects['deployment'][number];
}

export function ownersOf(
  objects: KubernetesObjects,
  services: readonly ServiceFacts[],
  { unread }: Remarks,
): OwnerFacts[] {
  const workloads = workloadsOf(objects);
  if (workloads.length === 0) return [];
  const podsOf = new PodsOfOwners(objects, services, workloads);
  const bySelector = endpointsBySelector(objects, services, workloads, podsOf);
  const owners = workloads.flatMap((workload): OwnerFacts[] => {
    const { kind, read } = workload;
    const { name, object } = read;
    const pods = [...podsOf.of(workload), ...(bySelector.get(read) ?? [])];
    if (pods.length === 0) return [];
    const spec = object.spec?.template?.spec ?? {};
    return [
      {
        name,
        kind,
        place: read.place,
        fromObjects: true,
        pods,
        nodes: objects.node.filter((node) => mayStandOn(spec, node)).map((node) => node.name),
        spread: spreadOf(read, spec, objects, unread),
        minAvailable: minAvailable(read, pods.length, objects),
        startS: USUAL_START_S + readinessDelay(spec),
      },
    ];
  });
  noteAutoscalers(objects, owners, unread);
  return owners;
}

/** Of ReplicaSets those that no Deployment owns. */
function workloadsOf({ deployment, statefulSet, daemonSet, replicaSet }: KubernetesObjects): Workload[] {
  const own = replicaSet.filter(
    ({ object }) => !(object.metadata.ownerReferences ?? []).some(({ kind }) => kind === 'Deployment'),
  );
  return [
    ...deployment.map((read): Workload => ({ kind: 'Deployment', read })),
    ...statefulSet.map((read): Workload => ({ kind: 'StatefulSet', read })),
    ...daemonSet.map((read): Workload => ({ kind: 'DaemonSet', read })),
    ...own.map((read): Workload => ({ kind: 'ReplicaSet', read })),
  ];
}

/** Pairs of workloads and pods of a namespace up to which every one is looked at, whatever the pods' names. */
const FEW_PAIRS = 1_000_000;

/** Endpoints by their owner. A controller names its pods after itself; labels decide where the Pod was given. */
class PodsOfOwners {
  private readonly labels: ReadonlyMap<string, Readonly<Record<string, string>>>;
  private readonly pods = new Map<string, Set<string>>();
  private readonly byStem = new Map<string, string[]>();
  private readonly workloads = new Map<string, number>();

  constructor(objects: KubernetesObjects, services: readonly ServiceFacts[], workloads: readonly Workload[]) {
    this.labels = new Map(
      objects.pod.map(({ namespace, name, object }) => [
        `${namespace}/${name}`,
        object.metadata.labels ?? {},
      ]),
    );
    for (const { namespace = 'default', endpoints = [] } of services) {
      const pods = this.pods.get(namespace) ?? new Set();
      for (const { pod } of endpoints) pods.add(pod);
      this.pods.set(namespace, pods);
    }
    for (const [namespace, pods] of this.pods) {
      for (const pod of pods) {
        for (const stem of stemsOf(bare(pod))) {
          const key = `${namespace}/${stem}`;
          const same = this.byStem.get(key);
          if (same === undefined) this.byStem.set(key, [pod]);
          else same.push(pod);
        }
      }
    }
    for (const { read } of workloads) {
      this.workloads.set(read.namespace, (this.workloads.get(read.namespace) ?? 0) + 1);
    }
  }

  of({ kind, read: { name, namespace, object } }: Workload): string[] {
    const all = this.pods.get(namespace) ?? new Set();
    const pairs = all.size * (this.workloads.get(namespace) ?? 0);
    const candidates = pairs <= FEW_PAIRS ? [...all] : (this.byStem.get(`${namespace}/${name}`) ?? []);
    const pattern = nameOfKind(kind, name);
    return candidates.filter((pod) => {
      const labels = this.labels.get(`${namespace}/${bare(pod)}`);
      const { selector } = object.spec ?? {};
      return labels === undefined || selector === undefined
        ? pattern.test(bare(pod))
        : matches(selector, labels);
    });
  }
}

/** Endpoints without a Pod and with names that say nothing: those of the only workload that their Service selects. */
function endpointsBySelector(
  { service, pod }: KubernetesObjects,
  services: readonly ServiceFacts[],
  workloads: readonly Workload[],
  podsOf: PodsOfOwners,
): Map<Workload['read'], string[]> {
  const found = new Map<Workload['read'], string[]>();
  const given = new Set(pod.map(({ namespace, name }) => `${namespace}/${name}`));
  const owned = new Set(workloads.flatMap((one) => podsOf.of(one)));
  const selectors = new Map(
    service.map(({ namespace, name, object }) => [`${namespace}/${name}`, object.spec.selector]),
  );
  for (const { name, namespace = 'default', endpoints = [] } of services) {
    const matchLabels = selectors.get(`${namespace}/${bare(name)}`);
    if (matchLabels === undefined || Object.keys(matchLabels).length === 0) continue;
    const nameless = endpoints.filter(
      (one) => !owned.has(one.pod) && !given.has(`${namespace}/${bare(one.pod)}`),
    );
    if (nameless.length === 0) continue;
    const chosen = workloads.filter(
      ({ read }) =>
        read.namespace === namespace &&
        matches({ matchLabels }, read.object.spec?.template?.metadata?.labels ?? {}),
    );
    const [only, ...others] = chosen;
    if (only === undefined || others.length > 0) continue;
    const pods = found.get(only.read) ?? [];
    pods.push(...nameless.map((one) => one.pod).filter((one) => !pods.includes(one)));
    found.set(only.read, pods);
  }
  return found;
}

/** Without the namespace that tells it from another of its name. */
function bare(pod: string): string {
  return pod.slice(pod.lastIndexOf('/') + 1);
}

/** Names of which a pod's may be made: without its last part, and without its last two. */
function stemsOf(pod: string): string[] {
  const last = pod.lastIndexOf('-');
  if (last < 0) return [];
  const before = pod.lastIndexOf('-', last - 1);
  return before < 0 ? [pod.slice(0, last)] : [pod.slice(0, last), pod.slice(0, before)];
}

/** What controllers call their pods. */
function nameOfKind(kind: OwnerKind, name: string): RegExp {
  const plain = name.replaceAll('.', '\\.');
  const ends: Partial<Record<OwnerKind, string>> = {
    Deployment: '-[a-z0-9]+-[a-z0-9]{5}',
    StatefulSet: '-\\d+',
  };
  return new RegExp(`^${plain}${ends[kind] ?? '-[a-z0-9]{5}'}$`);
}

function spreadOf(
  { name, namespace, object }: KubernetesObjects['deployment'][number],
  spec: PodSpec,
  { node }: KubernetesObjects,
  unread: string[],
): SpreadFacts[] {
  const labels = object.spec?.template?.metadata?.labels ?? {};
  const domains = (key: string, nodes = node): Record<string, string> =>
    Object.fromEntries(
      nodes.flatMap((one) => {
        // every node has its name for one, whether or not the label was given
        const value =
          one.object.metadata.labels?.[key] ?? (key === 'kubernetes.io/hostname' ? one.name : undefined);
        return value === undefined ? [] : [[one.name, value]];
      }),
    );
  const chosen = node.filter((one) => isChosen(spec, one));
  const { affinity = {}, topologySpreadConstraints = [] } = spec;
  const apart = affinity.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const together = affinity.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const isOwn = ({ labelSelector, namespaces = [namespace] }: (typeof apart)[number]): boolean =>
    namespaces.includes(namespace) && labelSelector !== undefined && matches(labelSelector, labels);
  if (together.length > 0 || apart.some((term) => !isOwn(term))) {
    unread.push(
      `Pods of ${name}: required affinity to other pods is not followed where one of them is made anew.`,
    );
  }
  return [
    ...topologySpreadConstraints
      .filter(
        ({ whenUnsatisfiable = 'DoNotSchedule', labelSelector }) =>
          whenUnsatisfiable === 'DoNotSchedule' &&
          labelSelector !== undefined &&
          matches(labelSelector, labels),
      )
      .map(({ topologyKey, maxSkew }) => ({ domains: domains(topologyKey, chosen), maxSkew })),
    ...apart.filter(isOwn).map(({ topologyKey }) => ({ domains: domains(topologyKey), atMost: 1 })),
  ];
}

/** Of several budgets over the same pods the strictest; percentages round up, as the disruption controller does. */
function minAvailable(
  { namespace, object }: KubernetesObjects['deployment'][number],
  pods: number,
  { disruptionBudget }: KubernetesObjects,
): number {
  const labels = object.spec?.template?.metadata?.labels ?? {};
  const replicas = object.spec?.replicas ?? pods;
  const counts = disruptionBudget.flatMap((budget) => {
    const { selector, minAvailable: least, maxUnavailable: most } = budget.object.spec ?? {};
    if (budget.namespace !== namespace || selector === undefined || !matches(selector, labels)) return [];
    if (least !== undefined) return [amountOf(least, replicas)];
    return most === undefined ? [] : [replicas - amountOf(most, replicas)];
  });
  return Math.max(0, ...counts);
}

function amountOf(amount: number | string, of: number): number {
  if (typeof amount === 'number') return amount;
  const percent = /^(\d+)%$/.exec(amount)?.[1];
  return percent === undefined ? Number(amount) || 0 : Math.ceil((Number(percent) / 100) * of);
}

function readinessDelay({ containers = [] }: PodSpec): number {
  return Math.max(0, ...containers.map(({ readinessProbe }) => readinessProbe?.initialDelaySeconds ?? 0));
}

function noteAutoscalers(
  { autoscaler }: KubernetesObjects,
  owners: readonly OwnerFacts[],
  unread: string[],
): void {
  for (const { name, object } of autoscaler) {
    const { scaleTargetRef, minReplicas = 1, maxReplicas } = object.spec ?? {};
    if (!owners.some((owner) => owner.name === scaleTargetRef?.name)) continue;
    unread.push(
      `HorizontalPodAutoscaler ${name}: keeps ${scaleTargetRef?.kind} ${scaleTargetRef?.name} between ${minReplicas} and ${maxReplicas ?? 'any'} pods by a load that no packet shows; their number stays as it is here.`,
    );
  }
}
