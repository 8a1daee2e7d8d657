/**
 * One node's kube-proxy rules (iptables mode, 1.26 and later): for each service the endpoints a new connection
 * may get, under externalTrafficPolicy Cluster (KUBE-SVC) and Local (KUBE-SVL), and the choice among them.
 *
 * Endpoints that are ready count; where a list has none, those that are serving and terminating do, decided
 * separately for the two lists (KEP-1669). iptables gives endpoint i of n the probability 1/(n-i) in turn,
 * which is one uniform draw; other data planes choose otherwise (endpoint-scheduler.ts). sessionAffinity ClientIP is the `recent` module: the endpoint that this client
 * address last got on this node, for `affinityTimeoutS` after its last connection.
 */
import type { DataplaneModel, ServiceModel } from '../cluster/model.js';
import { EndpointScheduler, type NewConnection } from './endpoint-scheduler.js';
import type { Pod } from './pod.js';
import { proxyPlane } from './proxy-plane.js';

/** What a choice yields instead of a pod row. */
export const DROP_NO_LOCAL_ENDPOINT = -1;
export const REJECT_NO_ENDPOINT = -2;

export interface ServiceRules {
  cluster: readonly number[];
  local: readonly number[];
}

interface Affinity {
  pod: number;
  lastS: number;
}

export class NodeRules {
  readonly scheduler: EndpointScheduler;
  private services: ServiceRules[];
  private readonly affinity = new Map<string, Affinity>();
  /** per pod row: how often it left this node's rules; UDP entries made before are flushed by kube-proxy */
  private readonly departures: number[] = [];

  constructor(
    readonly node: number,
    seed: number,
    private readonly models: readonly ServiceModel[],
    dataplane: DataplaneModel,
  ) {
    const { scheduling } = proxyPlane(dataplane);
    this.scheduler = new EndpointScheduler(node, seed, scheduling, dataplane.cilium.tableSize);
    this.services = models.map(() => ({ cluster: [], local: [] }));
  }

  /** The rules that kube-proxy begins to write. `pods[service]`: the service's pods in list order. */
  drawUp(pods: readonly (readonly Pod[])[]): readonly ServiceRules[] {
    pods.forEach((members, service) => {
      const port = this.models[service]!.ports[0]?.targetPort ?? 0;
      for (const { row, addresses } of members) {
        if (addresses.length > 0) this.scheduler.know(row, addresses[0]!, port);
      }
    });
    return pods.map((members) => ({
      cluster: eligible(members),
      local: eligible(members.filter((pod) => pod.node === this.node)),
    }));
  }

  /** The rules that were drawn up hold from now on. Returns whether they differ from those before. */
  program(drawnUp: readonly ServiceRules[]): boolean {
    let changed = false;
    for (let service = 0; service < this.services.length; service++) {
      const next = drawnUp[service]!;
      const before = this.services[service]!;
      if (sameRows(before.cluster, next.cluster) && sameRows(before.local, next.local)) continue;
      for (const row of new Set([...before.cluster, ...before.local])) {
        if (!next.cluster.includes(row) && !next.local.includes(row)) {
          this.departures[row] = (this.departures[row] ?? 0) + 1;
        }
      }
      this.services[service] = next;
      changed = true;
    }
    return changed;
  }

  /** See the field: a UDP entry made at another count has been flushed. */
  departuresOf(pod: number): number {
    return this.departures[pod] ?? 0;
  }

  /** How many endpoints a new connection from outside could get here. */
  choices(service: number): number {
    return this.candidates(service).length;
  }

  /** Pod rows that a new connection from outside could get here. */
  offered(service: number): readonly number[] {
    return this.candidates(service);
  }

  /**
   * The endpoint (pod row) for a new connection, or DROP_NO_LOCAL_ENDPOINT or REJECT_NO_ENDPOINT.
   *
   * @param client key of the client's address, used with sessionAffinity ClientIP only
   */
  choose(service: number, client: string | null, connection: NewConnection, nowS: number): number {
    const candidates = this.candidates(service);
    if (candidates.length === 0) {
      return this.services[service]!.cluster.length === 0 ? REJECT_NO_ENDPOINT : DROP_NO_LOCAL_ENDPOINT;
    }
    if (client === null) return this.scheduler.pick(service, candidates, connection);
    const id = `${service} ${client}`;
    const last = this.affinity.get(id);
    const timeoutS = this.models[service]!.affinityTimeoutS;
    const sticks = last !== undefined && nowS - last.lastS <= timeoutS && candidates.includes(last.pod);
    const pod = sticks ? last.pod : this.scheduler.pick(service, candidates, connection);
    this.affinity.set(id, { pod, lastS: nowS });
    return pod;
  }

  private candidates(service: number): readonly number[] {
    const rules = this.services[service]!;
    return this.models[service]!.externalTrafficPolicy === 'Local' ? rules.local : rules.cluster;
  }

  /** The endpoint that this connection gets on every node that offers it; -1 where it depends on the node or on chance. */
  everywhere(service: number, connection: NewConnection): number {
    const candidates = this.candidates(service);
    if (candidates.length === 1) return candidates[0]!;
    if (candidates.length === 0 || !this.scheduler.isConsistent) return -1;
    return this.scheduler.pick(service, candidates, connection);
  }
}

function eligible(pods: readonly Pod[]): number[] {
  const ready = pods.filter((pod) => pod.ready);
  const chosen = ready.length > 0 ? ready : pods.filter((pod) => pod.serving && pod.terminating);
  return chosen.map((pod) => pod.row);
}

function sameRows(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((row, i) => row === b[i]);
}
