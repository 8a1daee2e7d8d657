/**
 * The cluster as it is at one moment: which nodes answer, which pods run, and what each node's kube-proxy has
 * programmed. A timeline changes it; the hops ask it. It knows no time of its own.
 *
 * Invariants: pods are never removed, only stopped (rows stay valid); a pod that starts again is a new
 * `instance` that knows none of the old connections; a node that boots again has a new `boot` and an empty
 * connection table.
 */
import { type Address, sameAddress } from '../addr/address.js';
import type { ClusterModel, EndpointModel } from '../cluster/model.js';
import { NodeRules, type ServiceRules } from './node-rules.js';
import type { Pod } from './pod.js';

export class ClusterState {
  readonly pods: Pod[] = [];
  readonly podByName = new Map<string, Pod>();
  /** per service: rows of its pods, in the order of the endpoint list */
  readonly members: number[][];
  readonly nodeUp: boolean[];
  /** counts the starts of each node */
  readonly nodeBoot: number[];
  /** per node: what kube-proxy has programmed there */
  readonly rules: NodeRules[];

  constructor(readonly model: ClusterModel) {
    this.nodeUp = model.nodes.map(() => true);
    this.nodeBoot = model.nodes.map(() => 0);
    this.members = model.services.map((service) => service.endpoints.map((e) => this.podOf(e).row));
    this.rules = model.nodes.map(
      (_, node) => new NodeRules(node, model.seed, model.services, model.dataplane),
    );
    for (let node = 0; node < model.nodes.length; node++) this.program(node);
  }

  /** The model has one node more than before: it is up, and knows the services as they are. */
  addNode(): void {
    const node = this.rules.length;
    this.nodeUp.push(true);
    this.nodeBoot.push(0);
    this.rules.push(new NodeRules(node, this.model.seed, this.model.services, this.model.dataplane));
    this.program(node);
  }

  /** Programs a node's rules: those drawn up before, or from what is listed now. Returns whether anything changed. */
  program(node: number, drawnUp: readonly ServiceRules[] = this.drawUp(node)): boolean {
    return this.rules[node]!.program(drawnUp);
  }

  /** A node's rules as they would be written from what is listed now. */
  drawUp(node: number): readonly ServiceRules[] {
    return this.rules[node]!.drawUp(this.members.map((rows) => rows.map((row) => this.pods[row]!)));
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
  }

  list(pod: Pod): void {
    pod.ready = true;
    pod.serving = true;
    pod.terminating = false;
  }

  /** Out of the endpoint list; the process is not touched. */
  unlist(pod: Pod): void {
    pod.ready = false;
    pod.serving = false;
    pod.terminating = false;
  }

  stopPod(pod: Pod): void {
    this.unlist(pod);
    pod.running = false;
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
    const added = this.podOf(pod);
    this.members[service]!.push(added.row);
    return added;
  }

  /** whether the service has any endpoint that may get traffic, anywhere or on one node */
  hasEndpoint(service: number, node: number | null): boolean {
    return this.members[service]!.some((row) => {
      const pod = this.pods[row]!;
      return (pod.ready || (pod.serving && pod.terminating)) && (node === null || pod.node === node);
    });
  }

  /** Families in which its node's tunnel device has the same address: the node's stack gets what is meant for the pod. */
  private shadowedFamilies({ node, addresses }: EndpointModel): number[] {
    const { dataplane, nodes } = this.model;
    if (dataplane.overlay === 'none') return [];
    const { tunnelAddresses } = nodes[node]!;
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
      running: true,
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
