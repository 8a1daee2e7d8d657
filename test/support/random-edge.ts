/** A random load balancer before a random cluster, and what happens to its pools; see random-world.ts. */
import { ipv4, ipv6 } from '../../src/addr/address.js';
import {
  EDGE_ACTIONS,
  EDGE_BALANCES,
  EDGE_SERVICE_DOWN,
  EDGE_SESSIONS,
  type EdgeMemberModel,
  type EdgeModel,
  type EdgePool,
  type EdgeVirtualServer,
  NO_INSERT,
} from '../../src/cluster/edge-model.js';
import type { ClusterModel, TimelineEvent } from '../../src/cluster/model.js';
import type { Dice } from './random-world.js';

/** The model with a load balancer before one or all of its services. */
export function behindRandomEdge(model: ClusterModel, dice: Dice): ClusterModel {
  const services = model.services.flatMap((_, service) => (dice.chance(0.8) ? [service] : []));
  if (services.length === 0) return model;
  const pools = services.map((service): EdgePool => randomPool(model, service, dice));
  const virtualServers = services.map(
    (service, pool): EdgeVirtualServer => ({
      name: `vs${service}`,
      service,
      vips: model.services[service]!.vips.filter((_, i) => i === 0 || dice.chance(0.7)),
      pool,
      persistence: dice.pick(['none', 'none', 'source-addr']),
      persistenceS: dice.pick([1, 180]),
      snat: dice.pick([undefined, undefined, 'automap', 'none']),
    }),
  );
  const edge: EdgeModel = {
    name: 'edge',
    addresses: [ipv4(0x0a0000fa), ipv6(0xfd00000a, 0, 0, 0xfa)],
    snat: dice.pick(['automap', 'automap', 'none']),
    insert: NO_INSERT,
    idleS: { tcp: dice.pick([1.5, 300]), udp: dice.pick([1, 60]) },
    handshakeS: dice.pick([0.5, 5]),
    pools,
    virtualServers,
  };
  const events = Array.from({ length: dice.below(6) }, () => randomEvent(edge, model, dice));
  const timeline = [...model.timeline, ...events].sort((a, b) => a.at - b.at);
  const pods = pools.some(({ target }) => target === 'pod');
  // two nodes that hand a pod the same source unmasqueraded are not modelled: only planes that masquerade all
  const proxy = dice.pick(['iptables', 'nftables', 'ipvs'] as const);
  const dropInvalid = pods || model.dataplane.dropInvalid;
  const dataplane = { ...model.dataplane, proxy, dropInvalid };
  return { ...model, edge, timeline, dataplane };
}

function randomPool(model: ClusterModel, service: number, dice: Dice): EdgePool {
  const { endpoints, externalTrafficPolicy } = model.services[service]!;
  const target = endpoints.length > 0 && dice.chance(0.3) ? 'pod' : 'nodePort';
  const all = membersOf(model, service, target, dice);
  const some = all.filter(() => dice.chance(0.8));
  const intervalS = dice.pick([0.3, 1, 5]);
  const healthCheck = target === 'nodePort' && externalTrafficPolicy === 'Local';
  return {
    name: `pool${service}`,
    target,
    members: some.length > 0 ? some : all.slice(0, 1),
    balance: dice.pick(EDGE_BALANCES),
    slowRampS: dice.pick([0, 1, 10]),
    serviceDown: dice.pick(EDGE_SERVICE_DOWN),
    newMembers: dice.pick(['enabled', 'enabled', 'disabled']),
    monitor: dice.chance(0.8)
      ? {
          intervalS,
          timeoutS: intervalS * dice.pick([1, 3.2]),
          check: healthCheck ? dice.pick(['member', 'healthCheckNodePort']) : 'member',
        }
      : null,
  };
}

function membersOf(
  model: ClusterModel,
  service: number,
  target: EdgePool['target'],
  dice: Dice,
): EdgeMemberModel[] {
  const settings = (): Pick<EdgeMemberModel, 'ratio' | 'session'> => ({
    ratio: 1 + dice.below(3),
    session: dice.chance(0.85) ? 'enabled' : dice.pick(EDGE_SESSIONS),
  });
  if (target === 'nodePort') return model.nodes.map((_, node) => ({ node, pod: null, ...settings() }));
  return model.services[service]!.endpoints.map(({ pod, node }) => ({ node, pod, ...settings() }));
}

function randomEvent(edge: EdgeModel, model: ClusterModel, dice: Dice): TimelineEvent {
  const pool = dice.below(edge.pools.length);
  const { service } = edge.virtualServers[pool]!;
  const { target } = edge.pools[pool]!;
  const member = dice.pick(membersOf(model, service, target, dice));
  const at = Math.round(dice.next() * 10000) / 1000;
  return { at, kind: 'poolMember', pool, action: dice.pick(EDGE_ACTIONS), member };
}
