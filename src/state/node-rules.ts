/**
 * One node's kube-proxy rules (iptables mode, 1.26 and later): for each port of a service the endpoints that a new
 * connection may get, under policy Cluster (KUBE-SVC) and Local (KUBE-SVL), and the choice among them.
 *
 * A rule is a port of a service ({@link RuleRows}). iptables gives endpoint i of n the probability 1/(n-i) in turn,
 * which is one uniform draw; other data planes choose otherwise (endpoint-scheduler.ts). sessionAffinity ClientIP is the
 * `recent` module: the endpoint that this client address last got on this node and port, for `affinityTimeoutS` after
 * its last connection.
 */
import type { DataplaneModel, NodeModel, ServiceModel } from '../cluster/model.js';
import type { PortLists } from './endpoint-lists.js';
import { EndpointScheduler, type NewConnection } from './endpoint-scheduler.js';
import { proxyPlane } from './proxy-plane.js';

/** What a choice yields instead of a pod row. */
export const DROP_NO_LOCAL_ENDPOINT = -1;
export const REJECT_NO_ENDPOINT = -2;

export type Policy = 'Cluster' | 'Local';

/** What a node writes, or has written: the lists of every rule. Shared by all nodes that read the same state. */
export type Rules = readonly PortLists[];

/** xt_recent's ip_list_tot: a list remembers so many addresses, the ones seen last */
const RECENT_ADDRESSES = 100;

/** Rules by row: every port of every service, in order. */
export class RuleRows {
  readonly count: number;
  private readonly first: number[] = [];

  constructor(services: readonly Pick<ServiceModel, 'ports'>[]) {
    let count = 0;
    for (const { ports } of services) {
      this.first.push(count);
      count += ports.length;
    }
    this.count = count;
  }

  of(service: number, port: number): number {
    return this.first[service]! + port;
  }
}

export class NodeRules {
  readonly scheduler: EndpointScheduler;
  private rules: Rules;
  /** by rule and pod: when each client was last sent there, the longest ago first */
  private readonly affinity = new Map<string, Map<string, number>>();
  /** how many clients a list remembers */
  private readonly remembered: number;
  /** per pod row: how often it left this node's rules; UDP entries made before are flushed by kube-proxy */
  private readonly departures: number[] = [];

  constructor(
    readonly row: number,
    seed: number,
    private readonly node: Pick<NodeModel, 'name' | 'zone'>,
    private readonly services: readonly ServiceModel[],
    private readonly rows: RuleRows,
    dataplane: DataplaneModel,
    drawnUp: Rules,
  ) {
    const { scheduling } = proxyPlane(dataplane);
    this.scheduler = new EndpointScheduler(row, seed, scheduling, dataplane.cilium.tableSize);
    this.rules = drawnUp;
    this.remembered = dataplane.proxy === 'iptables' ? RECENT_ADDRESSES : Number.POSITIVE_INFINITY;
  }

  /** The rules that were drawn up hold from now on. Returns whether they differ from those before. */
  program(drawnUp: Rules): boolean {
    const before = this.rules;
    if (before === drawnUp) return false;
    let changed = false;
    const departed = new Set<number>();
    for (let rule = 0; rule < drawnUp.length; rule++) {
      if (before[rule] === drawnUp[rule]) continue;
      const gone = new Set(this.reachable(before[rule]));
      const left = this.reachable(drawnUp[rule]);
      if (!sameRows([...gone], left)) changed = true;
      else if (!sameRows(this.local(before[rule]), this.local(drawnUp[rule]))) changed = true;
      for (const pod of left) gone.delete(pod);
      for (const pod of gone) departed.add(pod);
    }
    for (const pod of departed) this.departures[pod] = (this.departures[pod] ?? 0) + 1;
    this.rules = drawnUp;
    return changed;
  }

  /** See the field: a UDP entry made at another count has been flushed. */
  departuresOf(pod: number): number {
    return this.departures[pod] ?? 0;
  }

  /** Pod rows that a new connection could get here. */
  offered(service: number, port: number, policy: Policy): readonly number[] {
    const lists = this.rules[this.rows.of(service, port)]!;
    return policy === 'Local' ? lists.local(this.row) : lists.cluster(this.node);
  }

  /** Whether the port has no endpoint anywhere. */
  isEmpty(service: number, port: number): boolean {
    return this.rules[this.rows.of(service, port)]!.all.length === 0;
  }

  /** Whether a new connection from outside to any service could get an endpoint here. */
  offersAnything(): boolean {
    return this.services.some(({ ports, externalTrafficPolicy }, service) =>
      ports.some((_, port) => this.offered(service, port, externalTrafficPolicy).length > 0),
    );
  }

  /**
   * The endpoint (pod row) for a new connection, or DROP_NO_LOCAL_ENDPOINT or REJECT_NO_ENDPOINT.
   *
   * @param client key of the client's address, used with sessionAffinity ClientIP only
   */
  choose(
    service: number,
    port: number,
    policy: Policy,
    client: string | null,
    connection: NewConnection,
    nowS: number,
  ): number {
    const candidates = this.offered(service, port, policy);
    const rule = this.rows.of(service, port);
    if (candidates.length === 0) {
      return this.isEmpty(service, port) ? REJECT_NO_ENDPOINT : DROP_NO_LOCAL_ENDPOINT;
    }
    if (client === null) return this.scheduler.pick(rule, candidates, connection);
    const fromS = nowS - this.services[service]!.affinityTimeoutS;
    const known = candidates.find(
      (pod) => (this.affinity.get(`${rule} ${pod}`)?.get(client) ?? -Infinity) >= fromS,
    );
    const pod = known ?? this.scheduler.pick(rule, candidates, connection);
    this.remember(`${rule} ${pod}`, client, nowS);
    return pod;
  }

  private remember(list: string, client: string, nowS: number): void {
    const clients = this.affinity.get(list) ?? new Map<string, number>();
    this.affinity.set(list, clients);
    clients.delete(client);
    clients.set(client, nowS);
    if (clients.size <= this.remembered) return;
    clients.delete(clients.keys().next().value!);
  }

  /** The endpoint that this connection gets on every node that offers it; -1 where it depends on the node or on chance. */
  everywhere(service: number, port: number, policy: Policy, connection: NewConnection): number {
    const candidates = this.offered(service, port, policy);
    if (candidates.length === 1) return candidates[0]!;
    if (candidates.length === 0 || !this.scheduler.isConsistent) return -1;
    return this.scheduler.pick(this.rows.of(service, port), candidates, connection);
  }

  private reachable(lists: PortLists | undefined): number[] {
    if (lists === undefined) return [];
    return [...new Set([...lists.cluster(this.node), ...lists.local(this.row)])];
  }

  private local(lists: PortLists | undefined): readonly number[] {
    return lists?.local(this.row) ?? [];
  }
}

function sameRows(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((row, i) => row === b[i]);
}
