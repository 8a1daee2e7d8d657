/** A load balancer before the small cluster: one pool of its nodes' NodePorts, changed by `overrides`. */

import { ipv4, ipv6 } from '../../src/addr/address.js';
import type {
  EdgeMemberModel,
  EdgeModel,
  EdgePool,
  EdgeVirtualServer,
} from '../../src/cluster/edge-model.js';
import { NO_INSERT } from '../../src/cluster/edge-model.js';
import { VIP, VIP6 } from './small-cluster.js';

export const EDGE_ADDRESS = ipv4(0x0a0000fa);

export const nodeMember = (node: number, change: Partial<EdgeMemberModel> = {}): EdgeMemberModel => ({
  node,
  pod: null,
  ratio: 1,
  session: 'enabled',
  ...change,
});

export function smallEdge(
  nodes: readonly number[],
  pool: Partial<EdgePool> = {},
  edge: Partial<EdgeModel> = {},
  server: Partial<EdgeVirtualServer> = {},
): EdgeModel {
  return {
    name: 'bigip',
    addresses: [EDGE_ADDRESS, ipv6(0xfd00000a, 0, 0, 0xfa)],
    snat: 'automap',
    insert: NO_INSERT,
    idleS: { tcp: 300, udp: 60 },
    handshakeS: 5,
    virtualServers: [
      {
        name: 'web',
        service: 0,
        vips: [VIP, VIP6],
        pool: 0,
        persistence: 'none',
        persistenceS: 180,
        ...server,
      },
    ],
    pools: [
      {
        name: 'nodes',
        target: 'nodePort',
        members: nodes.map((node) => nodeMember(node)),
        balance: 'round-robin',
        slowRampS: 0,
        serviceDown: 'none',
        newMembers: 'enabled',
        monitor: { intervalS: 5, timeoutS: 16, check: 'member' },
        ...pool,
      },
    ],
    ...edge,
  };
}
