/**
 * Controllers and scheduler on the timeline's clock: a pod that is evicted, stopped with its node or lost with it is made
 * anew where the rules of its owner let it stand; one that fits nowhere waits until something changes.
 *
 * - Deployment, ReplicaSet: another pod as soon as the old one is on its way out
 * - StatefulSet: the same pod again, once the old one is gone
 * - DaemonSet: one a node; a drain leaves it alone, and it comes back with its node
 *
 * An eviction that a PodDisruptionBudget forbids is asked again after 5 s, as kubectl drain does. Pods of a node that
 * fell silent are made anew 300 s after it was noticed (the default tolerations). Source: kubectl drain, pkg/controller
 * (replicaset, statefulset), pkg/scheduler (PodTopologySpread, InterPodAffinity), KEP-895.
 */
import type { ClusterModel, EndpointModel } from '../cluster/model.js';
import { admitsOneMore, type OwnerModel } from '../cluster/owner-model.js';
import type { ClusterState } from '../state/cluster-state.js';
import type { Pod } from '../state/pod.js';
import { freeAddressesOn } from './place-pod.js';

const EVICTION_RETRY_S = 5;
export const LOST_NODE_S = 300;

interface OwnerState {
  readonly owner: OwnerModel;
  /** rows of its pods, those of before included */
  readonly pods: number[];
  /** rows of services that its pods are endpoints of */
  readonly services: readonly number[];
  /** pods that fit nowhere yet */
  waiting: number;
}

export interface OwnersClock {
  schedule(atS: number, run: () => void): void;
  /** the endpoints are others now */
  changed(event: number, atS: number): void;
  stop(pods: readonly Pod[], event: number, atS: number): void;
}

export class Owners {
  readonly cordoned: boolean[];
  private readonly states: OwnerState[];
  private readonly byPod = new Map<number, OwnerState>();
  /** pods that another was made for: they never start again */
  private readonly replaced = new Set<number>();
  /** pods that were made and do not run yet */
  private readonly starting = new Set<number>();
  private made = 0;

  constructor(
    private readonly model: ClusterModel,
    private readonly cluster: ClusterState,
    private readonly clock: OwnersClock,
  ) {
    this.cordoned = model.nodes.map(() => false);
    this.states = (model.owners ?? []).map((owner) => {
      const pods = owner.pods.flatMap((name) => cluster.podByName.get(name)?.row ?? []);
      const services = model.services.flatMap(({ endpoints }, service) =>
        endpoints.some(({ pod }) => owner.pods.includes(pod)) ? [service] : [],
      );
      const state: OwnerState = { owner, pods, services, waiting: 0 };
      for (const row of pods) this.byPod.set(row, state);
      return state;
    });
  }

  /** Whether a pod may start again where it was. */
  comesBack(pod: Pod): boolean {
    return !this.replaced.has(pod.row);
  }

  /** Whether a drain leaves the pod alone. */
  isDaemon(pod: Pod): boolean {
    return this.byPod.get(pod.row)?.owner.kind === 'DaemonSet';
  }

  /** Whether somebody makes another pod when this one goes. */
  isReplaced(pod: Pod): boolean {
    const state = this.byPod.get(pod.row);
    return state !== undefined && state.owner.kind !== 'DaemonSet';
  }

  /** Evicts a pod, now or as soon as its budget lets it. `isVoid`: the drain is over. */
  evict(pod: Pod, gracePeriodS: number, isVoid: () => boolean, event: number, atS: number): void {
    if (isVoid() || !pod.running || pod.terminating) return;
    const state = this.byPod.get(pod.row)!;
    if (this.available(state) - (pod.ready ? 1 : 0) < state.owner.minAvailable) {
      const againS = atS + EVICTION_RETRY_S;
      this.clock.schedule(againS, () => this.evict(pod, gracePeriodS, isVoid, event, againS));
      return;
    }
    this.cluster.terminate(pod);
    const goneS = atS + gracePeriodS;
    this.clock.schedule(goneS, () => {
      this.clock.stop([pod], event, goneS);
      if (state.owner.kind === 'StatefulSet') this.replace(pod, event, goneS);
      this.settle(event, goneS);
    });
    if (state.owner.kind !== 'StatefulSet') this.replace(pod, event, atS);
    this.clock.changed(event, atS);
  }

  /** Makes a pod in the place of one that is on its way out or gone. */
  replace(pod: Pod, event: number, atS: number): void {
    const state = this.byPod.get(pod.row);
    if (state === undefined || state.owner.kind === 'DaemonSet' || this.replaced.has(pod.row)) return;
    this.replaced.add(pod.row);
    state.waiting++;
    this.place(state, event, atS);
  }

  /** Something has changed: pods that fit nowhere are tried again. */
  settle(event: number, atS: number): void {
    for (const state of this.states) this.place(state, event, atS);
  }

  /** The owner of every pod of a service, which then scales it; null: nobody, or several. */
  of(service: number): OwnerState | null {
    const found = new Set(this.cluster.members[service]!.map((row) => this.byPod.get(row)));
    const [only] = found;
    return found.size === 1 ? (only ?? null) : null;
  }

  /** One more pod of a service that is scaled, at once; false: it fits nowhere. */
  add(state: OwnerState): boolean {
    const node = this.nodeFor(state);
    if (node < 0) {
      state.waiting++;
      return false;
    }
    this.cluster.startPod(this.make(state, node));
    return true;
  }

  private place(state: OwnerState, event: number, atS: number): void {
    while (state.waiting > 0) {
      const node = this.nodeFor(state);
      if (node < 0) return;
      state.waiting--;
      const pod = this.make(state, node);
      const readyS = atS + state.owner.startS;
      this.clock.schedule(readyS, () => {
        // the node may have gone meanwhile
        if (this.cluster.nodeUp[node] !== true || this.cordoned[node] === true) {
          this.replace(pod, event, readyS);
          return;
        }
        this.cluster.startPod(pod);
        this.clock.changed(event, readyS);
      });
    }
  }

  /** The node with the fewest pods of the owner of those that its rules allow, or -1. */
  private nodeFor(state: OwnerState): number {
    const { owner } = state;
    const living = this.living(state);
    const eligible = owner.nodes.filter(
      (node) => this.cluster.nodeUp[node] === true && this.cordoned[node] !== true,
    );
    let best = -1;
    let fewest = Number.POSITIVE_INFINITY;
    for (const node of eligible) {
      const allowed = owner.spread.every((rule) => {
        const inDomain = (domain: string): Pod[] => living.filter((pod) => rule.domains[pod.node] === domain);
        return admitsOneMore(rule, node, {
          all: (domain) => inDomain(domain).length,
          staying: (domain) => inDomain(domain).filter((pod) => !pod.terminating).length,
        });
      });
      const count = living.filter((pod) => pod.node === node).length;
      if (!allowed || count >= fewest) continue;
      if (freeAddressesOn(node, this.model, this.cluster) === null) continue;
      best = node;
      fewest = count;
    }
    return best;
  }

  /** Pods of the owner that hold a place: those that run, those that are about to, and those that are on their way out. */
  private living({ pods }: OwnerState): Pod[] {
    return pods
      .map((row) => this.cluster.pods[row]!)
      .filter((pod) => pod.running || (!this.replaced.has(pod.row) && this.starting.has(pod.row)));
  }

  private available({ pods }: OwnerState): number {
    return pods.filter((row) => {
      const pod = this.cluster.pods[row]!;
      return pod.running && pod.ready && !pod.terminating;
    }).length;
  }

  /** A pod that has its place and its address, and does not run yet. */
  private make(state: OwnerState, node: number): Pod {
    const { owner, services } = state;
    const name = `${owner.name}-new-${++this.made}`;
    const like = (service: number): EndpointModel | undefined =>
      this.model.services[service]!.endpoints.find(({ pod }) => owner.pods.includes(pod));
    const endpoint: EndpointModel = {
      pod: name,
      node,
      addresses: freeAddressesOn(node, this.model, this.cluster) ?? [],
      ready: false,
      serving: false,
      terminating: false,
      gone: true,
    };
    let made: Pod | null = null;
    for (const service of services) {
      const targetPorts = like(service)?.targetPorts;
      made = this.cluster.addPod(
        service,
        targetPorts === undefined ? endpoint : { ...endpoint, targetPorts },
      );
    }
    state.pods.push(made!.row);
    this.byPod.set(made!.row, state);
    this.starting.add(made!.row);
    return made!;
  }
}
