/**
 * The ways into a service, as kube-proxy writes them: load balancer addresses, external IPs, the cluster's own address,
 * and a port of every node. Which of them a destination is, where its sender stands, and what follows from both.
 *
 * | way in                         | sender            | list under policy Local | masqueraded                     |
 * |--------------------------------|-------------------|-------------------------|---------------------------------|
 * | balancer, external, node port  | outside           | the node's own          | policy Cluster                  |
 * | balancer, external, node port  | pod               | the whole cluster's     | policy Cluster                  |
 * | balancer, external, node port  | the node itself   | the whole cluster's     | always                          |
 * | cluster                        | anybody           | internalTrafficPolicy   | unless a pod sends              |
 *
 * Source ranges guard the load balancer's addresses only. A pod or node that calls a service is translated on its own
 * node; nobody's router has a say. Source: pkg/proxy/iptables and nftables of Kubernetes (KUBE-EXT, KUBE-FW,
 * "short-circuit" of local traffic), and their packet-flow tests.
 */
import { type Address, sameAddress } from '../addr/address.js';
import { maskAddress, type Prefix, prefixContains } from '../addr/prefix.js';
import type { NodeModel, ServiceModel } from '../cluster/model.js';

export const DoorKind = { balancer: 0, external: 1, cluster: 2, nodePort: 3 } as const;
export type DoorKind = (typeof DoorKind)[keyof typeof DoorKind];

export const Origin = { outside: 0, pod: 1, node: 2 } as const;
export type Origin = (typeof Origin)[keyof typeof Origin];

export interface Door {
  readonly kind: DoorKind;
  /** row in the services */
  readonly service: number;
  /** row in the service's ports; -1: the address is the service's, the port is not */
  readonly port: number;
  /** the node whose address it is, or -1 */
  readonly node: number;
}

/** Where a sender stands. */
export interface Sender {
  readonly origin: Origin;
  /** the node it is, or the one it runs on; -1: outside */
  readonly node: number;
}

const OUTSIDE: Sender = { origin: Origin.outside, node: -1 };

interface AddressDoor {
  readonly kind: DoorKind;
  readonly service: number;
}

interface DoorsOfAddress {
  readonly doors: AddressDoor[];
  /** by protocol and port */
  readonly ports: Map<number, Door>;
}

type Services = readonly Pick<
  ServiceModel,
  'vips' | 'externalIPs' | 'clusterAddresses' | 'ports' | 'sourceRanges' | 'endpoints'
>[];
type Nodes = readonly Pick<NodeModel, 'addresses' | 'podCidrs'>[];

export class ServiceDoors {
  private readonly addresses = new AddressMap<DoorsOfAddress>();
  private readonly nodePorts = new Map<number, { service: number; port: number }>();
  private readonly nodeOf = new AddressMap<number>();
  private readonly podNode = new AddressMap<number>();
  /** pod ranges by length, the longest first */
  private readonly ranges: { family: number; length: number; nodes: AddressMap<number> }[] = [];
  /** words by which most other addresses are told apart at one look */
  readonly lastWords = new Set<number>();

  constructor(
    private readonly services: Services,
    nodes: Nodes,
  ) {
    for (const [service, one] of services.entries()) this.addService(service, one);
    for (const [row, node] of nodes.entries()) {
      for (const address of node.addresses) {
        this.nodeOf.setIfNew(address, row);
        if (this.nodePorts.size > 0) this.lastWords.add(lastWord(address));
      }
      for (const cidr of node.podCidrs) this.addRange(cidr, row);
    }
    this.ranges.sort((a, b) => b.length - a.length);
    for (const { endpoints } of services) {
      for (const { addresses, node } of endpoints) {
        if (node >= 0) for (const address of addresses) this.podNode.setIfNew(address, node);
      }
    }
  }

  /**
   * The way in that a destination is, or null: none of a service's. A node's address is one only with a port that is a
   * service's; an address of a service is one with any port.
   *
   * @param words four words of the address from `at` on, as in addr/address.ts
   */
  find(family: number, words: Uint32Array, at: number, proto: number, port: number): Door | null {
    const own = this.addresses.get(family, words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
    const exact = own?.ports.get(portKey(proto, port));
    if (exact !== undefined) return exact;
    const atNode = this.nodePorts.get(portKey(proto, port));
    if (atNode !== undefined) {
      const node = this.nodeOf.get(family, words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
      if (node !== undefined) return { kind: DoorKind.nodePort, ...atNode, node };
    }
    const bare = own?.doors[0];
    return bare === undefined ? null : { ...bare, port: -1, node: -1 };
  }

  /** Where the sender with this address stands. */
  senderOf(family: number, words: Uint32Array, at: number): Sender {
    const w0 = words[at]!;
    const w1 = words[at + 1]!;
    const w2 = words[at + 2]!;
    const w3 = words[at + 3]!;
    const node = this.nodeOf.get(family, w0, w1, w2, w3);
    if (node !== undefined) return { origin: Origin.node, node };
    const pod = this.podNode.get(family, w0, w1, w2, w3);
    if (pod !== undefined) return { origin: Origin.pod, node: pod };
    for (const range of this.ranges) {
      if (range.family !== family) continue;
      const {
        w0: m0,
        w1: m1,
        w2: m2,
        w3: m3,
      } = maskAddress({ family: range.family as 4 | 6, w0, w1, w2, w3 }, range.length);
      const owner = range.nodes.get(family, m0, m1, m2, m3);
      if (owner !== undefined) return { origin: Origin.pod, node: owner };
    }
    return OUTSIDE;
  }

  /** Whether the source ranges of the service let this client in at this door. */
  admits({ kind, service }: Pick<Door, 'kind' | 'service'>, client: Address): boolean {
    const ranges = this.services[service]!.sourceRanges;
    if (kind !== DoorKind.balancer || ranges === undefined || ranges.length === 0) return true;
    return ranges.some((range) => prefixContains(range, client));
  }

  /** Whether any client could be turned away at this door. */
  isGuarded({ kind, service }: Pick<Door, 'kind' | 'service'>): boolean {
    return kind === DoorKind.balancer && (this.services[service]!.sourceRanges?.length ?? 0) > 0;
  }

  private addService(service: number, one: Services[number]): void {
    const external = one.externalIPs ?? [];
    const isExternal = (address: Address): boolean => external.some((other) => sameAddress(other, address));
    for (const vip of one.vips) {
      this.add(vip, { kind: isExternal(vip) ? DoorKind.external : DoorKind.balancer, service }, one);
    }
    for (const address of one.clusterAddresses ?? []) {
      this.add(address, { kind: DoorKind.cluster, service }, one);
    }
    for (const [port, { proto, nodePort }] of one.ports.entries()) {
      if (nodePort === undefined) continue;
      const key = portKey(proto, nodePort);
      if (!this.nodePorts.has(key)) this.nodePorts.set(key, { service, port });
    }
  }

  private add(address: Address, door: AddressDoor, { ports }: Services[number]): void {
    let own = this.addresses.of(address);
    if (own === undefined) {
      own = { doors: [], ports: new Map() };
      this.addresses.setIfNew(address, own);
      this.lastWords.add(lastWord(address));
    }
    own.doors.push(door);
    for (const [port, { proto, port: number }] of ports.entries()) {
      const key = portKey(proto, number);
      if (!own.ports.has(key)) own.ports.set(key, { ...door, port, node: -1 });
    }
  }

  private addRange({ address, length }: Prefix, node: number): void {
    let range = this.ranges.find((one) => one.family === address.family && one.length === length);
    if (range === undefined) {
      range = { family: address.family, length, nodes: new AddressMap() };
      this.ranges.push(range);
    }
    range.nodes.setIfNew(address, node);
  }
}

type Policies = Pick<ServiceModel, 'externalTrafficPolicy' | 'internalTrafficPolicy'>;

/** Which of a node's two lists of endpoints a connection takes. */
export function listFor(
  { externalTrafficPolicy, internalTrafficPolicy = 'Cluster' }: Policies,
  kind: DoorKind,
  origin: Origin,
): 'Cluster' | 'Local' {
  if (kind === DoorKind.cluster) return internalTrafficPolicy;
  return origin === Origin.outside ? externalTrafficPolicy : 'Cluster';
}

/** Whether kube-proxy marks a connection for masquerade; a pod that gets itself is another matter. */
export function isMarked({ externalTrafficPolicy }: Policies, kind: DoorKind, origin: Origin): boolean {
  if (kind === DoorKind.cluster) return origin !== Origin.pod;
  return externalTrafficPolicy === 'Cluster' || origin === Origin.node;
}

/** The node that translates a connection whatever the router says, or -1. */
export function fixedNode({ node }: Pick<Door, 'node'>, sender: Sender): number {
  return node >= 0 ? node : sender.node;
}

/** A map by address: numbers for IPv4, text for IPv6. */
class AddressMap<T> {
  private readonly four = new Map<number, T>();
  private readonly six = new Map<string, T>();

  get(family: number, w0: number, w1: number, w2: number, w3: number): T | undefined {
    if (family === 4) return this.four.size === 0 ? undefined : this.four.get(w0);
    return this.six.size === 0 ? undefined : this.six.get(`${w0} ${w1} ${w2} ${w3}`);
  }

  of({ family, w0, w1, w2, w3 }: Address): T | undefined {
    return this.get(family, w0, w1, w2, w3);
  }

  setIfNew(address: Address, value: T): void {
    if (this.of(address) !== undefined) return;
    const { family, w0, w1, w2, w3 } = address;
    if (family === 4) this.four.set(w0, value);
    else this.six.set(`${w0} ${w1} ${w2} ${w3}`, value);
  }
}

function portKey(proto: number, port: number): number {
  return proto * 65536 + port;
}

function lastWord({ family, w0, w3 }: Address): number {
  return family === 4 ? w0 : w3;
}
