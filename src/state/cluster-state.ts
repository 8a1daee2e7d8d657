/**
 * The cluster as it is at one moment: which nodes answer, which pods run, and what each node's kube-proxy has
 * programmed. A timeline changes it; the hops ask it. It knows no time of its own.
 *
 * Invariants: pods are never removed, only stopped (rows stay valid); a pod that starts again is a new
 * `instance` that knows none of the old connections; a node that boots again has a new `boot` and an empty
 * connection table.
 */
import { type Address, sameAddress } from '../addr/address.js';
import type { ClusterModel, EndpointModel, StateText } from '../cluster/model.js';
import { type Listed, PortLists } from './endpoint-lists.js';
import { NodeRules, type Policy, RuleRows, type Rules } from './node-rules.js';
import type { Pod } from './pod.js';
import { RealPlane, type Surroundings } from './real-plane.js';

export class ClusterState implements Surroundings {
  readonly pods: Pod[] = [];
  readonly podByName = new Map<string, Pod>();
  /** per service: rows of its pods, in the order of the endpoint list */
  readonly members: number[][];
  readonly nodeUp: boolean[];
  /** counts the starts of each node */
  readonly nodeBoot: number[];
  /** per node: what kube-proxy has programmed there */
  readonly rules: NodeRules[];
  /** per node: its real rules, which decide in the place of {@link rules}; null: nobody dumped them */
  private readonly real: (RealPlane | null)[];
  rulesGeneration = 0;
  private readonly rows: RuleRows;
  /** per service: what its slices say of a pod, by row, where other services' slices said otherwise at t = 0 */
  private readonly said: Map<number, EndpointModel>[];
  /** per service: the pods that have target ports or hints of their own there, by row */
  private readonly details: Map<number, EndpointModel>[];
  /** the lists as they are; null: something has changed since they were made */
  private listed: Rules | null = null;
  private before: Rules = [];

  constructor(readonly model: ClusterModel) {
    this.nodeUp = model.nodes.map(() => true);
    this.nodeBoot = model.nodes.map(() => 0);
    this.rows = new RuleRows(model.services);
    this.said = model.services.map(() => new Map());
    this.details = model.services.map(() => new Map());
    this.members = model.services.map((service, row) => service.endpoints.map((e) => this.join(row, e)));
    this.rules = model.nodes.map((_, node) => this.newRules(node));
    this.real = model.nodes.map(() => null);
    for (const { node, files } of model.nodeStates ?? []) this.rulesBecome(node, files);
  }

  realPlaneOf(node: number): RealPlane | null {
    return this.real[node] ?? null;
  }

  /** A node's real rules are those of these dumps from now on. */
  rulesBecome(node: number, files: readonly StateText[]): void {
    this.rulesGeneration++;
    this.real[node] = new RealPlane(node, files, this);
  }

  /** Rows of the nodes whose real rules decide. */
  nodesWithRealRules(): number[] {
    return this.real.flatMap((plane, node) => (plane === null ? [] : [node]));
  }

  /** Whether a node answers; what is outside the cluster (-1) does. */
  isUp(node: number): boolean {
    return node < 0 || this.nodeUp[node]!;
  }

  /** Where a pod of a service listens for a port of it. */
  targetPort(service: number, port: number, pod: number): number {
    const own = this.details[service]!.get(pod)?.targetPorts?.[port];
    return own ?? this.model.services[service]!.ports[port]!.targetPort;
  }

  /** The model has one node more than before: it is up, and knows the services as they are. */
  addNode(): void {
    const node = this.rules.length;
    this.nodeUp.push(true);
    this.nodeBoot.push(0);
    this.rules.push(this.newRules(node));
    this.real.push(null);
  }

  /**
   * Programs a node's rules: those drawn up before, or from what is listed now. Returns whether anything changed; real
   * rules stay as they are.
   */
  program(node: number, drawnUp: Rules = this.drawUp()): boolean {
    if (this.real[node] !== null) return false;
    return this.rules[node]!.program(drawnUp);
  }

  /** The rules as every node would write them from what is listed now. */
  drawUp(): Rules {
    if (this.listed !== null) return this.listed;
    const lists = this.model.services.flatMap(({ ports }, service) => this.portLists(service, ports.length));
    this.listed = lists.map((one, rule) => {
      const before = this.before[rule];
      return before?.sameAs(one) === true ? before : one;
    });
    this.before = this.listed;
    return this.listed;
  }

  startPod(pod: Pod): void {
    this.runPod(pod);
    this.list(pod);
  }

  /** The pod's process starts; listing it is another matter. */
  runPod(pod: Pod): void {
    if (!pod.running) pod.instance++;
    pod.running = true;
    pod.crashed = false;
    this.changed(pod);
  }

  list(pod: Pod): void {
    pod.ready = true;
    pod.serving = true;
    pod.terminating = false;
    this.changed(pod);
  }

  /** It is to go, and serves until it does. */
  terminate(pod: Pod): void {
    if (!pod.running) return;
    pod.ready = false;
    pod.serving = true;
    pod.terminating = true;
    this.changed(pod);
  }

  /** Out of the endpoint list; the process is not touched. */
  unlist(pod: Pod): void {
    pod.ready = false;
    pod.serving = false;
    pod.terminating = false;
    this.changed(pod);
  }

  stopPod(pod: Pod): void {
    this.unlist(pod);
    pod.running = false;
    pod.crashed = false;
  }

  /** The process has ended, the pod has not: kubelet will start it again. */
  crashPod(pod: Pod): void {
    this.stopPod(pod);
    pod.crashed = true;
  }

  podsOn(node: number): Pod[] {
    return this.pods.filter((pod) => pod.node === node);
  }

  /** A node that crashed and comes back: empty tables, fresh pods. */
  boot(node: number): void {
    this.nodeUp[node] = true;
    this.nodeBoot[node]!++;
    this.rules[node]!.scheduler.forget();
    for (const pod of this.podsOn(node)) if (pod.running) pod.instance++;
  }

  /** Adds a pod to a service on a node (scale up). */
  addPod(service: number, pod: EndpointModel): Pod {
    const row = this.join(service, pod);
    this.members[service]!.push(row);
    return this.pods[row]!;
  }

  /** whether the service has any endpoint that may get traffic, anywhere or on one node */
  hasEndpoint(service: number, node: number | null): boolean {
    return this.members[service]!.some((row) => {
      const { ready, serving, terminating } = this.conditions(service, row);
      return (ready || (serving && terminating)) && (node === null || this.pods[row]!.node === node);
    });
  }

  /** Pod rows that a new connection from outside to any port of the service could get on a node. */
  offered(service: number, node: number): readonly number[] {
    const { ports, externalTrafficPolicy } = this.model.services[service]!;
    const rows = ports.flatMap((_, port) => this.rules[node]!.offered(service, port, externalTrafficPolicy));
    return [...new Set(rows)];
  }

  /** How many endpoints a new connection could get on a node. */
  choices(service: number, port: number, policy: Policy, node: number): number {
    return port < 0 ? 0 : this.rules[node]!.offered(service, port, policy).length;
  }

  /** What the slices of the service say of the pod. */
  private conditions(service: number, row: number): Pick<Listed, 'ready' | 'serving' | 'terminating'> {
    const pod = this.pods[row]!;
    const said = this.said[service]!.get(row) ?? pod;
    // with publishNotReadyAddresses a pod is ready as long as it is there
    const isThere = this.model.services[service]!.publishNotReady === true && (pod.running || pod.crashed);
    return isThere ? { ...said, ready: true } : said;
  }

  private portLists(service: number, ports: number): PortLists[] {
    const listed = this.members[service]!.map((row): Listed & { row: number } => {
      const { ready, serving, terminating } = this.conditions(service, row);
      const detail = this.details[service]!.get(row);
      const { zoneHints = [], nodeHints = [] } = detail ?? {};
      const { node } = this.pods[row]!;
      return { row, pod: row, node, ready, serving, terminating, zoneHints, nodeHints };
    });
    const details = this.details[service]!;
    const serves = (row: number, port: number): boolean => details.get(row)?.targetPorts?.[port] !== null;
    const partial = [...details.values()].some(({ targetPorts }) => targetPorts?.includes(null));
    if (!partial) {
      const all = new PortLists(listed);
      return Array.from({ length: ports }, () => all);
    }
    return Array.from(
      { length: ports },
      (_, port) => new PortLists(listed.filter(({ row }) => serves(row, port))),
    );
  }

  private newRules(node: number): NodeRules {
    const { seed, services, dataplane, nodes } = this.model;
    return new NodeRules(node, seed, nodes[node]!, services, this.rows, dataplane, this.drawUp());
  }

  /** Its slices follow the pod from now on. */
  private changed(pod: Pod): void {
    for (const said of this.said) said.delete(pod.row);
    this.listed = null;
  }

  private join(service: number, endpoint: EndpointModel): number {
    const pod = this.podOf(endpoint);
    const { ready, serving, terminating, targetPorts, zoneHints, nodeHints } = endpoint;
    if (ready !== pod.ready || serving !== pod.serving || terminating !== pod.terminating) {
      this.said[service]!.set(pod.row, endpoint);
    }
    if ((targetPorts ?? zoneHints ?? nodeHints) !== undefined) this.details[service]!.set(pod.row, endpoint);
    this.listed = null;
    return pod.row;
  }

  /** Families in which its node's tunnel device has the same address: the node's stack gets what is meant for the pod. */
  private shadowedFamilies({ node, addresses }: EndpointModel): number[] {
    const { dataplane, nodes } = this.model;
    if (node < 0) return [];
    const { tunnelAddresses, hasTunnel } = nodes[node]!;
    if (dataplane.overlay === 'none' && hasTunnel !== true) return [];
    return addresses
      .filter((address) => tunnelAddresses.some((tunnel) => sameAddress(address, tunnel)))
      .map(({ family }) => family);
  }

  private podOf(endpoint: EndpointModel): Pod {
    const known = this.podByName.get(endpoint.pod);
    if (known !== undefined) return known;
    const pod: Pod = {
      row: this.pods.length,
      name: endpoint.pod,
      node: endpoint.node,
      addresses: endpoint.addresses,
      instance: 0,
      running: endpoint.gone !== true,
      crashed: false,
      shadowed: this.shadowedFamilies(endpoint),
      ready: endpoint.ready,
      serving: endpoint.serving,
      terminating: endpoint.terminating,
    };
    this.pods.push(pod);
    this.podByName.set(pod.name, pod);
    return pod;
  }
}

/** First address of a family, or null. */
export function addressOf(addresses: readonly Address[], family: number): Address | null {
  return addresses.find((a) => a.family === family) ?? null;
}
