/** The hardware load balancer that stories put before a cluster. */
import { type Address, ipv4, ipv6 } from '../addr/address.js';
import { type EdgeModel, type EdgePool, NO_INSERT } from '../cluster/edge-model.js';
import type { ClusterModel } from '../cluster/model.js';
import { FlowfateError } from '../errors.js';

export const EDGE_MONITOR: NonNullable<EdgePool['monitor']> = { intervalS: 5, timeoutS: 16, check: 'member' };
/** host number of the load balancer's own address in the network of the nodes */
const EDGE_HOST = 250;

/** The load balancer's address beside the first node's. */
function besides({ family, w0, w1, w2, w3 }: Address): Address {
  return family === 4 ? ipv4(w0 - 1 + EDGE_HOST) : ipv6(w0, w1, w2, w3 - 1 + EDGE_HOST);
}

/** A BIG-IP with its defaults before the services' NodePorts, the first `members` nodes being in every pool. */
export function edgeBefore({ nodes, services }: ClusterModel, members: number): EdgeModel {
  const families = new Set(services.flatMap(({ vips }) => vips.map(({ family }) => family)));
  return {
    name: 'bigip',
    addresses: nodes[0]!.addresses.filter(({ family }) => families.has(family)).map(besides),
    snat: 'automap',
    insert: NO_INSERT,
    idleS: { tcp: 300, udp: 60 },
    handshakeS: 5,
    virtualServers: services.map(({ name, vips }, row) => ({
      name,
      service: row,
      vips,
      pool: row,
      persistence: 'none',
      persistenceS: 180,
    })),
    pools: services.map(({ name }) => ({
      name: `${name}-nodes`,
      target: 'nodePort',
      members: Array.from({ length: members }, (_, node) => ({
        node,
        pod: null,
        ratio: 1,
        session: 'enabled' as const,
      })),
      balance: 'round-robin',
      slowRampS: 0,
      serviceDown: 'none',
      newMembers: 'enabled',
      monitor: EDGE_MONITOR,
    })),
  };
}

export function withPools(
  change: (pool: EdgePool, row: number) => EdgePool,
): (model: ClusterModel) => ClusterModel {
  return (model) => {
    const { edge } = model;
    if (edge === null)
      throw new FlowfateError('config', 'this scenario has no load balancer under spec.edge');
    return { ...model, edge: { ...edge, pools: edge.pools.map(change) } };
  };
}

/** The endpoints themselves are members, reached over an overlay; a node without one is none. */
export function podsAsMembers(model: ClusterModel): ClusterModel {
  const { edge } = model;
  return withPools((pool, row) => {
    const server = edge?.virtualServers.find((one) => one.pool === row);
    const endpoints = server === undefined ? [] : model.services[server.service]!.endpoints;
    return {
      ...pool,
      target: 'pod',
      members: endpoints.map(({ node, pod }) => ({ node, pod, ratio: 1, session: 'enabled' })),
    };
  })(model);
}
