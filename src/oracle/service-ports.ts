/** Which service a destination belongs to, on bytes: KUBE-SERVICES' match on address, protocol and port. */
import { type Address, formatAddress } from '../addr/address.js';
import { type EdgeModel, nodePortOf } from '../cluster/edge-model.js';
import type { ClusterModel } from '../cluster/model.js';
import { TUPLE_DST, TUPLE_SRC, TUPLE_WORDS, type Tuple } from '../conntrack/tuple.js';
import { DoorKind, fixedNode, ServiceDoors } from '../state/service-doors.js';

export interface ServicePort {
  readonly service: number;
  /** row in the service's ports */
  readonly port: number;
  /** the address is one of the node's own, its NodePort: what is not translated reaches the node's stack */
  readonly local: boolean;
  /** the address is this pod's (row), which a load balancer sends to directly; -1: kube-proxy chooses */
  readonly pod: number;
  readonly kind: DoorKind;
}

export interface ServiceRow extends Omit<ServicePort, 'kind'> {
  readonly vip: Address;
  readonly proto: number;
  readonly number: number;
}

export class ServicePorts {
  readonly doors: ServiceDoors;
  /** words of the tuple that was asked last (none has family 0) */
  private readonly lastWords = new Uint32Array(TUPLE_WORDS);
  private lastFound: ServicePort | null = null;

  /** `behindEdge`: see {@link edgeTargets}. */
  constructor(
    { services, nodes }: Pick<ClusterModel, 'services' | 'nodes'>,
    private readonly behindEdge: readonly ServiceRow[] = [],
  ) {
    this.doors = new ServiceDoors(services, nodes);
  }

  /** The service that the destination of `tuple` belongs to, or null. A packet asks several times: the last answer is kept. */
  find(tuple: Tuple): ServicePort | null {
    const { words } = tuple;
    const last = this.lastWords;
    let same = true;
    for (let i = TUPLE_DST; i < words.length && same; i++) same = words[i] === last[i];
    if (same) return this.lastFound;
    last.set(words);
    this.lastFound = this.lookUp(tuple);
    return this.lastFound;
  }

  private lookUp(tuple: Tuple): ServicePort | null {
    const { words, proto, dstPort, family } = tuple;
    for (const row of this.behindEdge) {
      const { vip } = row;
      if (row.number !== dstPort || row.proto !== proto || vip.family !== family) continue;
      if (vip.w0 !== words[TUPLE_DST] || vip.w1 !== words[TUPLE_DST + 1]) continue;
      if (vip.w2 !== words[TUPLE_DST + 2] || vip.w3 !== words[TUPLE_DST + 3]) continue;
      return { ...row, kind: DoorKind.nodePort };
    }
    const door = this.doors.find(family, words, TUPLE_DST, proto, dstPort);
    if (door === null || door.port < 0) return null;
    return { ...door, local: door.kind === DoorKind.nodePort, pod: -1 };
  }

  /** The node that translates the packet of this tuple whatever the router says, or -1. */
  entryOf(tuple: Tuple): number {
    const { words, proto, dstPort, family } = tuple;
    const door = this.doors.find(family, words, TUPLE_DST, proto, dstPort);
    return door === null ? -1 : fixedNode(door, this.doors.senderOf(family, words, TUPLE_SRC));
  }

  /** The client of `tuple`. */
  client(tuple: Tuple): Address {
    return tuple.address(TUPLE_SRC);
  }

  /** The client's address as text, the key of sessionAffinity ClientIP. */
  clientText(tuple: Tuple): string {
    return formatAddress(this.client(tuple));
  }
}

/** The addresses and ports that a load balancer before the cluster sends to: NodePorts of every node, and pods. */
export function edgeTargets(
  { services, nodes }: Pick<ClusterModel, 'services' | 'nodes'>,
  { virtualServers, pools }: EdgeModel,
  podRow: (name: string) => number,
): ServiceRow[] {
  return virtualServers.flatMap(({ service, pool }) => {
    const { ports, endpoints } = services[service]!;
    return ports.flatMap(({ proto, targetPort }, row): ServiceRow[] => {
      const to = { proto, service, port: row };
      if (pools[pool]!.target === 'nodePort') {
        const number = nodePortOf(services, service, row);
        return nodes.flatMap(({ addresses }) =>
          addresses.map((vip) => ({ ...to, vip, number, local: true, pod: -1 })),
        );
      }
      return endpoints.flatMap(({ pod, addresses }) =>
        addresses.map((vip) => ({ ...to, vip, number: targetPort, local: false, pod: podRow(pod) })),
      );
    });
  });
}
