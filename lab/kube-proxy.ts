/**
 * The rules that kube-proxy (1.26 and later, iptables mode) writes on a node for one LoadBalancer service, as text for
 * iptables-restore. Structure as in pkg/proxy/iptables: KUBE-SERVICES → KUBE-EXT → KUBE-SVC (all endpoints) or KUBE-SVL
 * (the node's own) → KUBE-SEP → DNAT; masquerade by mark 0x4000; the filter table's order is the one it prepends in.
 */
import { type Family, POD_PORT, type PodPlan, SERVICE_PORT, VIP } from './layout.js';

export type TrafficPolicy = 'Cluster' | 'Local';

const MARK = '0x4000';
const PODS: Readonly<Record<Family, string>> = { ipv4: '10.244.0.0/16', ipv6: 'fd00:244::/32' };
const NEW = '-m conntrack --ctstate NEW';

export function kubeProxyRules(
  family: Family,
  node: string,
  policy: TrafficPolicy,
  endpoints: readonly PodPlan[],
): string {
  const local = endpoints.filter((pod) => pod.node === node);
  const toVip = `-d ${VIP[family]}/${family === 'ipv4' ? 32 : 128} -p tcp -m tcp --dport ${SERVICE_PORT}`;
  return [
    '*nat',
    ...natRules(family, toVip, policy, endpoints, local),
    'COMMIT',
    '*filter',
    ...filterRules(toVip, policy, endpoints, local),
    'COMMIT',
    '',
  ].join('\n');
}

function natRules(
  family: Family,
  toVip: string,
  policy: TrafficPolicy,
  endpoints: readonly PodPlan[],
  local: readonly PodPlan[],
): string[] {
  const chains = ['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', 'KUBE-MARK-MASQ'];
  chains.push('KUBE-EXT-WEB', 'KUBE-SVC-WEB', 'KUBE-SVL-WEB', ...endpoints.map(chainOf));
  const external =
    policy === 'Cluster'
      ? ['-j KUBE-MARK-MASQ', '-j KUBE-SVC-WEB']
      : [
          `-s ${PODS[family]} -j KUBE-SVC-WEB`,
          '-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ',
          '-m addrtype --src-type LOCAL -j KUBE-SVC-WEB',
          ...(local.length > 0 ? ['-j KUBE-SVL-WEB'] : []),
        ];
  return [
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...['PREROUTING', 'OUTPUT'].map((hook) => `-A ${hook} -j KUBE-SERVICES`),
    '-A POSTROUTING -j KUBE-POSTROUTING',
    `-A KUBE-POSTROUTING -m mark ! --mark ${MARK}/${MARK} -j RETURN`,
    `-A KUBE-POSTROUTING -j MARK --xor-mark ${MARK}`,
    '-A KUBE-POSTROUTING -j MASQUERADE --random-fully',
    `-A KUBE-MARK-MASQ -j MARK --or-mark ${MARK}`,
    ...(endpoints.length > 0 ? [`-A KUBE-SERVICES ${toVip} -j KUBE-EXT-WEB`] : []),
    '-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
    ...external.map((rule) => `-A KUBE-EXT-WEB ${rule}`),
    ...chooseOneOf('KUBE-SVC-WEB', endpoints),
    ...chooseOneOf('KUBE-SVL-WEB', local),
    ...endpoints.flatMap((pod) => [
      `-A ${chainOf(pod)} -s ${pod[family]} -j KUBE-MARK-MASQ`,
      `-A ${chainOf(pod)} -p tcp -m tcp -j DNAT --to-destination ${family === 'ipv4' ? pod.ipv4 : `[${pod.ipv6}]`}:${POD_PORT}`,
    ]),
  ];
}

const chainOf = (pod: PodPlan): string => `KUBE-SEP-${pod.name.toUpperCase()}`;

/** Endpoint i of n is taken with probability 1/(n−i) by those that got that far; the last one always. */
function chooseOneOf(chain: string, endpoints: readonly PodPlan[]): string[] {
  return endpoints.map((pod, i) => {
    const left = endpoints.length - i;
    const chance = left === 1 ? '' : `-m statistic --mode random --probability ${(1 / left).toFixed(10)} `;
    return `-A ${chain} ${chance}-j ${chainOf(pod)}`;
  });
}

function filterRules(
  toVip: string,
  policy: TrafficPolicy,
  endpoints: readonly PodPlan[],
  local: readonly PodPlan[],
): string[] {
  const chains = [
    'KUBE-SERVICES',
    'KUBE-EXTERNAL-SERVICES',
    'KUBE-FORWARD',
    'KUBE-NODEPORTS',
    'KUBE-PROXY-FIREWALL',
  ];
  const refusal =
    endpoints.length === 0
      ? [`-A KUBE-EXTERNAL-SERVICES ${toVip} -j REJECT`]
      : policy === 'Local' && local.length === 0
        ? [`-A KUBE-EXTERNAL-SERVICES ${toVip} -j DROP`]
        : [];
  return [
    ...chains.map((chain) => `:${chain} - [0:0]`),
    `-A FORWARD ${NEW} -j KUBE-PROXY-FIREWALL`,
    '-A FORWARD -j KUBE-FORWARD',
    `-A FORWARD ${NEW} -j KUBE-SERVICES`,
    `-A FORWARD ${NEW} -j KUBE-EXTERNAL-SERVICES`,
    `-A INPUT ${NEW} -j KUBE-PROXY-FIREWALL`,
    '-A INPUT -j KUBE-NODEPORTS',
    `-A INPUT ${NEW} -j KUBE-EXTERNAL-SERVICES`,
    ...refusal,
    '-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP',
    `-A KUBE-FORWARD -m mark --mark ${MARK}/${MARK} -j ACCEPT`,
    '-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  ];
}
