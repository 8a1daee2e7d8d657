/**
 * The rules that kube-proxy writes in nftables mode (pkg/proxy/nftables, 1.31 and later) for load-balancer services, as
 * text for `nft -f`: a verdict map from address, protocol and port to a service's chain, `numgen random` among its
 * endpoints, affinity as a set of client addresses with a timeout for each endpoint, masquerade by mark 0x4000.
 */

import { MARK, type NodeService, POD_NETWORK, type RuleSettings, servicesOnNode } from './kube-proxy.js';
import type { Family, LabService, PodPlan } from './layout.js';
import { POD_PORT } from './layout.js';

const IP: Readonly<Record<Family, string>> = { ipv4: 'ip', ipv6: 'ip6' };
const ADDRESS: Readonly<Record<Family, string>> = { ipv4: 'ipv4_addr', ipv6: 'ipv6_addr' };

/** `pods`: those that run. The text takes the place of the table that stands there. */
export function kubeProxyNftables(
  family: Family,
  node: string,
  services: readonly LabService[],
  pods: readonly PodPlan[],
  settings: RuleSettings,
): string {
  const here = servicesOnNode(family, node, services, pods);
  const ip = IP[family];
  const table = `${ip} kube-proxy`;
  return [
    `add table ${table}`,
    `delete table ${table}`,
    `table ${table} {`,
    ...here.flatMap((one) => affinitySets(family, one)),
    ...map('service-ips', `type ${ADDRESS[family]} . inet_proto . inet_service : verdict`, elements(here)),
    ...map(
      'no-endpoint-services',
      `type ${ADDRESS[family]} . inet_proto . inet_service : verdict`,
      refused(here),
    ),
    ...chain('mark-for-masquerade', [`mark set mark or ${MARK}`]),
    ...chain('reject-chain', ['reject']),
    ...here.flatMap((one) => serviceChains(family, one)),
    ...chain('services', [`${ip} daddr . meta l4proto . th dport vmap @service-ips`]),
    ...chain('service-endpoints-check', [`${ip} daddr . meta l4proto . th dport vmap @no-endpoint-services`]),
    ...chain('nat-prerouting', ['type nat hook prerouting priority dstnat; policy accept;', 'jump services']),
    ...chain('nat-output', ['type nat hook output priority -100; policy accept;', 'jump services']),
    ...chain('nat-postrouting', [
      'type nat hook postrouting priority srcnat; policy accept;',
      `mark and ${MARK} == 0 return`,
      `mark set mark xor ${MARK}`,
      `masquerade${settings.masqueradeRandomFully ? ' fully-random' : ''}`,
    ]),
    // a service without an endpoint to offer was not translated: it still has its own address there
    ...['input', 'forward', 'output'].flatMap((hook) =>
      chain(`filter-${hook}`, [
        `type filter hook ${hook} priority ${hook === 'input' ? 'filter' : '-110'}; policy accept;`,
        ...(hook === 'forward' && settings.dropInvalid ? ['ct state invalid drop'] : []),
        'ct state new jump service-endpoints-check',
      ]),
    ),
    '}',
    '',
  ].join('\n');
}

const name = ({ service }: NodeService): string => `service-${service.name}`;
const endpoint = (one: NodeService, pod: PodPlan): string => `endpoint-${one.service.name}-${pod.name}`;
const affinity = (one: NodeService, pod: PodPlan): string => `affinity-${one.service.name}-${pod.name}`;
const key = ({ service, vip }: NodeService): string => `${vip} . ${service.protocol} . ${service.port}`;

const elements = (services: readonly NodeService[]): string[] =>
  services
    .filter(({ service, all, local }) => (service.policy === 'Local' ? local : all).length > 0)
    .map((one) => `${key(one)} : goto external-${one.service.name}`);

const refused = (services: readonly NodeService[]): string[] =>
  services.flatMap((one) => {
    if (one.all.length === 0) return [`${key(one)} : goto reject-chain`];
    return one.service.policy === 'Local' && one.local.length === 0 ? [`${key(one)} : drop`] : [];
  });

function serviceChains(family: Family, one: NodeService): string[] {
  const { service, all, local } = one;
  if (all.length === 0) return [];
  const ip = IP[family];
  const external =
    service.policy === 'Cluster'
      ? ['jump mark-for-masquerade', `goto ${name(one)}`]
      : [
          `${ip} saddr ${POD_NETWORK[family]} goto ${name(one)}`,
          `fib saddr type local jump mark-for-masquerade`,
          `fib saddr type local goto ${name(one)}`,
          ...(local.length > 0 ? [`goto ${name(one)}-local`] : []),
        ];
  return [
    ...all.flatMap((pod) => endpointChain(family, one, pod)),
    ...chain(name(one), choose(family, one, all)),
    ...(local.length > 0 ? chain(`${name(one)}-local`, choose(family, one, local)) : []),
    ...chain(`external-${service.name}`, external),
  ];
}

function choose(family: Family, one: NodeService, endpoints: readonly PodPlan[]): string[] {
  const remembered =
    one.service.affinityS === null
      ? []
      : endpoints.map((pod) => `${IP[family]} saddr @${affinity(one, pod)} goto ${endpoint(one, pod)}`);
  const choices = endpoints.map((pod, i) => `${i} : goto ${endpoint(one, pod)}`).join(', ');
  return [...remembered, `numgen random mod ${endpoints.length} vmap { ${choices} }`];
}

function endpointChain(family: Family, one: NodeService, pod: PodPlan): string[] {
  const ip = IP[family];
  const { protocol, affinityS } = one.service;
  const to = family === 'ipv4' ? `${pod.ipv4}:${POD_PORT}` : `[${pod.ipv6}]:${POD_PORT}`;
  return chain(endpoint(one, pod), [
    `${ip} saddr ${pod[family]} jump mark-for-masquerade`,
    ...(affinityS === null ? [] : [`update @${affinity(one, pod)} { ${ip} saddr }`]),
    `meta l4proto ${protocol} dnat to ${to}`,
  ]);
}

function affinitySets(family: Family, one: NodeService): string[] {
  const { affinityS } = one.service;
  if (affinityS === null) return [];
  return one.all.flatMap((pod) => [
    `  set ${affinity(one, pod)} {`,
    `    type ${ADDRESS[family]}; flags dynamic,timeout; timeout ${affinityS}s;`,
    '  }',
  ]);
}

function chain(called: string, rules: readonly string[]): string[] {
  return [`  chain ${called} {`, ...rules.map((rule) => `    ${rule}`), '  }'];
}

function map(called: string, type: string, entries: readonly string[]): string[] {
  const listed = entries.length === 0 ? [] : [`    elements = { ${entries.join(', ')} }`];
  return [`  map ${called} {`, `    ${type}`, ...listed, '  }'];
}
