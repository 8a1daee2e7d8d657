/**
 * The rules that kube-proxy (1.26 and later, iptables mode) writes on a node for load-balancer services, as text for
 * iptables-restore. Structure as in pkg/proxy/iptables: KUBE-SERVICES → KUBE-EXT → KUBE-SVC (all endpoints) or KUBE-SVL
 * (the node's own) → KUBE-SEP → DNAT; masquerade by mark 0x4000; the filter table's order is the one it prepends in.
 */
import { endpointsOf, type Family, HOST_BITS, type LabService, POD_PORT, type PodPlan } from './layout.js';

/** What the rules of a node depend on beside its services. */
export interface RuleSettings {
  readonly masqueradeRandomFully: boolean;
  readonly dropInvalid: boolean;
}

/** A service as one node's rules for one family see it. */
export interface NodeService {
  readonly service: LabService;
  readonly vip: string;
  /** all endpoints */
  readonly all: readonly PodPlan[];
  /** those on this node */
  readonly local: readonly PodPlan[];
}

export const MARK = '0x4000';
export const POD_NETWORK: Readonly<Record<Family, string>> = { ipv4: '10.244.0.0/16', ipv6: 'fd00:244::/32' };
const HOST_MASK: Readonly<Record<Family, string>> = {
  ipv4: '255.255.255.255',
  ipv6: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
};
const NEW = '-m conntrack --ctstate NEW';

export function servicesOnNode(
  family: Family,
  node: string,
  services: readonly LabService[],
  pods: readonly PodPlan[],
): NodeService[] {
  return services.flatMap((service) => {
    const vip = service.vip[family];
    if (vip === undefined) return [];
    const all = endpointsOf(service, pods);
    return [{ service, vip, all, local: all.filter((pod) => pod.node === node) }];
  });
}

/** `pods`: those that run. */
export function kubeProxyRules(
  family: Family,
  node: string,
  services: readonly LabService[],
  pods: readonly PodPlan[],
  settings: RuleSettings,
): string {
  const here = servicesOnNode(family, node, services, pods);
  return [
    '*nat',
    ...natRules(family, here, settings),
    'COMMIT',
    '*filter',
    ...filterRules(family, here, settings),
    'COMMIT',
    '',
  ].join('\n');
}

const toVip = (family: Family, { service, vip }: NodeService): string =>
  `-d ${vip}/${HOST_BITS[family]} -p ${service.protocol} -m ${service.protocol} --dport ${service.port}`;

const chain = (kind: string, { service }: NodeService): string =>
  `KUBE-${kind}-${service.name.toUpperCase()}`;
const podChain = (one: NodeService, pod: PodPlan): string => `${chain('SEP', one)}-${pod.name.toUpperCase()}`;

function natRules(family: Family, services: readonly NodeService[], settings: RuleSettings): string[] {
  const chains = ['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', 'KUBE-MARK-MASQ'];
  for (const one of services) {
    chains.push(...['EXT', 'SVC', 'SVL'].map((kind) => chain(kind, one)));
    chains.push(...one.all.map((pod) => podChain(one, pod)));
  }
  return [
    ...chains.map((name) => `:${name} - [0:0]`),
    ...['PREROUTING', 'OUTPUT'].map((hook) => `-A ${hook} -j KUBE-SERVICES`),
    '-A POSTROUTING -j KUBE-POSTROUTING',
    `-A KUBE-POSTROUTING -m mark ! --mark ${MARK}/${MARK} -j RETURN`,
    `-A KUBE-POSTROUTING -j MARK --xor-mark ${MARK}`,
    `-A KUBE-POSTROUTING -j MASQUERADE${settings.masqueradeRandomFully ? ' --random-fully' : ''}`,
    `-A KUBE-MARK-MASQ -j MARK --or-mark ${MARK}`,
    ...services.flatMap((one) => serviceRules(family, one)),
    '-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
  ];
}

function serviceRules(family: Family, one: NodeService): string[] {
  const { service, all, local } = one;
  const external = chain('EXT', one);
  const toAll = chain('SVC', one);
  const steps =
    service.policy === 'Cluster'
      ? ['-j KUBE-MARK-MASQ', `-j ${toAll}`]
      : [
          `-s ${POD_NETWORK[family]} -j ${toAll}`,
          '-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ',
          `-m addrtype --src-type LOCAL -j ${toAll}`,
          ...(local.length > 0 ? [`-j ${chain('SVL', one)}`] : []),
        ];
  return [
    ...(all.length > 0 ? [`-A KUBE-SERVICES ${toVip(family, one)} -j ${external}`] : []),
    ...steps.map((rule) => `-A ${external} ${rule}`),
    ...chooseOneOf(family, toAll, one, all),
    ...chooseOneOf(family, chain('SVL', one), one, local),
    ...all.flatMap((pod) => endpointRules(family, one, pod)),
  ];
}

/**
 * A client that an endpoint's list remembers goes back to it; of the others endpoint i of n is taken with probability
 * 1/(n−i) by those that got that far, the last one always.
 */
function chooseOneOf(
  family: Family,
  from: string,
  one: NodeService,
  endpoints: readonly PodPlan[],
): string[] {
  const { affinityS } = one.service;
  const remembered =
    affinityS === null
      ? []
      : endpoints.map((pod) => {
          const list = `--name ${podChain(one, pod)} --rcheck --seconds ${affinityS} --reap`;
          return `-A ${from} -m recent ${list} --mask ${HOST_MASK[family]} --rsource -j ${podChain(one, pod)}`;
        });
  const drawn = endpoints.map((pod, i) => {
    const left = endpoints.length - i;
    const chance = left === 1 ? '' : `-m statistic --mode random --probability ${(1 / left).toFixed(10)} `;
    return `-A ${from} ${chance}-j ${podChain(one, pod)}`;
  });
  return [...remembered, ...drawn];
}

function endpointRules(family: Family, one: NodeService, pod: PodPlan): string[] {
  const { protocol, affinityS } = one.service;
  const name = podChain(one, pod);
  const to = family === 'ipv4' ? pod.ipv4 : `[${pod.ipv6}]`;
  const remember =
    affinityS === null ? '' : `-m recent --name ${name} --set --mask ${HOST_MASK[family]} --rsource `;
  return [
    `-A ${name} -s ${pod[family]}/${HOST_BITS[family]} -j KUBE-MARK-MASQ`,
    `-A ${name} -p ${protocol} ${remember}-m ${protocol} -j DNAT --to-destination ${to}:${POD_PORT}`,
  ];
}

function filterRules(family: Family, services: readonly NodeService[], settings: RuleSettings): string[] {
  const chains = [
    ...['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-FORWARD', 'KUBE-NODEPORTS'],
    'KUBE-PROXY-FIREWALL',
  ];
  const refusals = services.flatMap((one) => {
    const rule = `-A KUBE-EXTERNAL-SERVICES ${toVip(family, one)}`;
    if (one.all.length === 0) return [`${rule} -j REJECT`];
    return one.service.policy === 'Local' && one.local.length === 0 ? [`${rule} -j DROP`] : [];
  });
  return [
    ...chains.map((name) => `:${name} - [0:0]`),
    `-A FORWARD ${NEW} -j KUBE-PROXY-FIREWALL`,
    '-A FORWARD -j KUBE-FORWARD',
    `-A FORWARD ${NEW} -j KUBE-SERVICES`,
    `-A FORWARD ${NEW} -j KUBE-EXTERNAL-SERVICES`,
    `-A INPUT ${NEW} -j KUBE-PROXY-FIREWALL`,
    '-A INPUT -j KUBE-NODEPORTS',
    `-A INPUT ${NEW} -j KUBE-EXTERNAL-SERVICES`,
    ...refusals,
    ...(settings.dropInvalid ? ['-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP'] : []),
    `-A KUBE-FORWARD -m mark --mark ${MARK}/${MARK} -j ACCEPT`,
    '-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  ];
}
