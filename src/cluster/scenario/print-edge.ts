/** `spec.edge` of a model as text, complete, so that loading it yields the same again. */

import { type EdgeMemberModel, type EdgeModel, type EdgePool, memberName } from '../edge-model.js';
import type { ClusterModel } from '../model.js';
import { formatDuration } from '../yaml/duration.js';
import { addressList, flow, list, scalar } from '../yaml/yaml-text.js';

export function edgeLines(edge: EdgeModel, { nodes, services }: ClusterModel): string[] {
  return [
    '  edge:   # the load balancer before the cluster',
    `    name: ${scalar(edge.name)}`,
    ...(edge.addresses.length === 0 ? [] : [`    address: ${addressList(edge.addresses)}`]),
    `    snat: ${edge.snat}   # automap or none`,
    `    insert: ${insertText(edge.insert)}   # what it says of the client`,
    `    idleTimeout: ${formatDuration(edge.idleS.tcp)}`,
    `    udpIdleTimeout: ${formatDuration(edge.idleS.udp)}`,
    `    handshakeTimeout: ${formatDuration(edge.handshakeS)}`,
    '    virtualServers:',
    ...edge.virtualServers.map(({ name, service, vips, pool, persistence, persistenceS, snat, insert }) => {
      const pairs = {
        name: scalar(name),
        service: scalar(services[service]!.name),
        vip: addressList(vips),
        pool: scalar(edge.pools[pool]!.name),
        persistence,
        persistenceTimeout: formatDuration(persistenceS),
        ...(snat === undefined ? {} : { snat }),
        ...(insert === undefined ? {} : { insert: insertText(insert) }),
      };
      return `      - ${flow(pairs)}`;
    }),
    '    pools:',
    ...edge.pools.flatMap((pool) => poolLines(pool, nodes)),
  ];
}

function insertText({ field, forward, sendProxy }: EdgeModel['insert']): string {
  const proxyProtocol = sendProxy === 0 ? '"off"' : `v${sendProxy}`;
  return flow({ field, forward: `"${forward}"`, proxyProtocol });
}

function poolLines(pool: EdgePool, nodes: ClusterModel['nodes']): string[] {
  const { name, target, members, balance, slowRampS, serviceDown, newMembers, monitor } = pool;
  return [
    `      - name: ${scalar(name)}`,
    `        target: ${target}   # nodePort, or pod over an overlay`,
    `        members: ${list(members.map((member) => memberText(member, nodes)))}`,
    `        balance: ${balance}   # round-robin, least-connections or ratio`,
    `        slowRamp: ${formatDuration(slowRampS)}`,
    `        serviceDown: ${serviceDown}   # none, reset, drop or reselect`,
    `        newMembers: ${newMembers}   # enabled, or disabled until their monitor says up`,
    `        monitor: ${
      monitor === null
        ? 'off'
        : flow({
            interval: formatDuration(monitor.intervalS),
            timeout: formatDuration(monitor.timeoutS),
            check: monitor.check,
          })
    }`,
  ];
}

function memberText(member: EdgeMemberModel, nodes: ClusterModel['nodes']): string {
  const name = memberName(member, nodes);
  if (member.ratio === 1 && member.session === 'enabled') return scalar(name);
  return flow({ member: scalar(name), ratio: String(member.ratio), session: member.session });
}
