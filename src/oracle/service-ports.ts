/** Which service a destination belongs to: KUBE-SERVICES' match on address, protocol and port. */
import { type Address, formatAddress } from '../addr/address.js';
import { type EdgeModel, nodePortOf } from '../cluster/edge-model.js';
import type { ClusterModel, ServiceModel } from '../cluster/model.js';
import { TUPLE_DST, TUPLE_SRC, type Tuple } from '../conntrack/tuple.js';

export interface ServicePort {
  readonly service: number;
  readonly targetPort: number;
  /** the address is one of the node's own, its NodePort: what is not translated reaches the node's stack */
  readonly local: boolean;
  /** the address is this pod's (row), which a load balancer sends to directly; -1: kube-proxy chooses */
  readonly pod: number;
}

export interface ServiceRow extends ServicePort {
  readonly vip: Address;
  readonly proto: number;
  readonly port: number;
}

export class ServicePorts {
  private readonly rows: readonly ServiceRow[];

  /** `behindEdge`: see {@link edgeTargets}. */
  constructor(services: readonly ServiceModel[], behindEdge: readonly ServiceRow[] = []) {
    const vips = services.flatMap(({ vips, ports }, service) =>
      ports.flatMap(({ proto, port, targetPort }) =>
        vips.map((vip) => ({ vip, proto, port, service, targetPort, local: false, pod: -1 })),
      ),
    );
    this.rows = [...vips, ...behindEdge];
  }

  /** The service that the destination of `tuple` belongs to, or null. */
  find(tuple: Tuple): ServicePort | null {
    const { words, proto, dstPort, family } = tuple;
    for (const row of this.rows) {
      const { vip } = row;
      if (row.port !== dstPort || row.proto !== proto || vip.family !== family) continue;
      if (vip.w0 !== words[TUPLE_DST] || vip.w1 !== words[TUPLE_DST + 1]) continue;
      if (vip.w2 === words[TUPLE_DST + 2] && vip.w3 === words[TUPLE_DST + 3]) return row;
    }
    return null;
  }

  /** The client's address as text, the key of sessionAffinity ClientIP. */
  clientText({ family, words }: Tuple): string {
    const [w0, w1, w2, w3] = words.subarray(TUPLE_SRC, TUPLE_SRC + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    return formatAddress({ family: family as 4 | 6, w0, w1, w2, w3 });
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
      const to = { proto, service, targetPort };
      if (pools[pool]!.target === 'nodePort') {
        const port = nodePortOf(services, service, row);
        return nodes.flatMap(({ addresses }) =>
          addresses.map((vip) => ({ ...to, vip, port, local: true, pod: -1 })),
        );
      }
      return endpoints.flatMap(({ pod, addresses }) =>
        addresses.map((vip) => ({ ...to, vip, port: targetPort, local: false, pod: podRow(pod) })),
      );
    });
  });
}
