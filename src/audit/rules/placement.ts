/**
 * Where the endpoints of a service stand: what one failure takes away, how evenly a router that shares by node loads them,
 * and how many nodes announce without having any.
 */

import { type Address, compareAddresses, parseAddress } from '../../addr/address.js';
import { parsePrefix, prefixContains } from '../../addr/prefix.js';
import type { LabelSelector } from '../../cluster/kubernetes/kubernetes-schemas.js';
import { matchesAny } from '../../cluster/kubernetes/label-selector.js';
import type { Evidence, Finding } from '../finding.js';
import { type AuditedService, type Inventory, strings, type Thing } from '../inventory.js';

/** From the smallest to the largest; each by the label that says it. */
const DOMAINS: readonly (readonly [name: string, label: (key: string) => boolean])[] = [
  ['rack', (key) => key === 'rack' || key.endsWith('/rack')],
  ['top-of-rack switch', (key) => /(^|\/)(tor|top-of-rack|leaf)$/.test(key)],
  ['room', (key) => /(^|\/)(room|hall)$/.test(key)],
  [
    'zone',
    (key) => key === 'topology.kubernetes.io/zone' || key === 'failure-domain.beta.kubernetes.io/zone',
  ],
];

export function placementFindings(inventory: Inventory): Finding[] {
  return inventory.services
    .filter(({ isExternal }) => isExternal)
    .flatMap((service) => [
      ...singleDomain(service, inventory),
      ...uneven(service),
      ...idleAnnouncers(service, inventory),
    ]);
}

function singleDomain(service: AuditedService, inventory: Inventory): Finding[] {
  const nodes = nodesOf(service);
  if (nodes === null || inventory.nodes.length < 2) return [];
  const [only] = nodes;
  if (nodes.size === 1 && only !== undefined) {
    const count = service.members.length;
    return [
      domainFinding(
        service,
        'high',
        `${count === 1 ? 'The one endpoint' : `All ${count} endpoints`} of service ${service.title} ${count === 1 ? 'stands' : 'stand'} on node ${only}`,
        [...memberEvidence(service)],
        inventory,
      ),
    ];
  }
  for (const [domain, isLabel] of DOMAINS) {
    const labelOf = (node: Thing): [string, string] | undefined =>
      Object.entries(node.labels).find(([key]) => isLabel(key));
    const everywhere = new Set(inventory.nodes.flatMap((node) => labelOf(node)?.[1] ?? []));
    if (everywhere.size < 2) continue;
    const members = [...nodes].map((name) => inventory.node(name));
    const labels = members.map((node) => (node === undefined ? undefined : labelOf(node)));
    const values = new Set(labels.map((label) => label?.[1]));
    const value = labels[0];
    if (values.size !== 1 || value === undefined) continue;
    const evidence = members.flatMap(
      (node) =>
        node?.evidence(`metadata.labels.${value[0]}: ${value[1]}`, 'metadata', 'labels', value[0]) ?? [],
    );
    return [
      domainFinding(
        service,
        'medium',
        `All ${service.members.length} endpoints of service ${service.title} stand in ${domain} ${value[1]}`,
        [...memberEvidence(service), ...evidence],
        inventory,
      ),
    ];
  }
  return [];
}

function domainFinding(
  service: AuditedService,
  severity: 'high' | 'medium',
  sentence: string,
  evidence: Evidence[],
  inventory: Inventory,
): Finding {
  const spread = service.members
    .flatMap((member) => inventory.podOf(member) ?? [])
    .some(
      (pod) =>
        pod.at('spec', 'affinity', 'podAntiAffinity') !== undefined ||
        pod.at('spec', 'topologySpreadConstraints') !== undefined,
    );
  const why = spread
    ? 'Their pods have spreading rules, which were preferences or held when they were placed and are not held afterwards.'
    : 'Nothing in the objects spreads its pods.';
  return {
    rule: 'single-failure-domain',
    severity,
    finding: `${sentence}.`,
    mechanism: `${why} The scheduler never moves a pod that runs.`,
    breaks: `The whole service while that fails or is redeployed: ${service.policy === 'Local' ? 'no node announces it any more' : 'its address is still announced, and connections are refused'}.`,
    remedy:
      'Two replicas or more with topologySpreadConstraints (whenUnsatisfiable: DoNotSchedule) over host and rack, and a descheduler or a rollout after the next loss.',
    evidence,
  };
}

/** One a slice: which nodes its endpoints name. */
function memberEvidence({ members }: AuditedService): Evidence[] {
  const byThing = new Map<Thing, string[]>();
  for (const { thing, node, pod, addresses } of members) {
    byThing.set(thing, [...(byThing.get(thing) ?? []), `${pod ?? addresses[0] ?? '?'} on ${node ?? '?'}`]);
  }
  return [...byThing].map(([thing, says]) =>
    thing.evidence(
      says.length > 6 ? `${says.slice(0, 6).join(', ')} and ${says.length - 6} more` : says.join(', '),
      'endpoints',
    ),
  );
}

/** Null where an endpoint names no node: then nothing can be said. */
function nodesOf({ members }: AuditedService): Set<string> | null {
  const nodes = members.map(({ node }) => node);
  return members.length === 0 || nodes.includes(null) ? null : new Set(nodes as string[]);
}

function uneven(service: AuditedService): Finding[] {
  if (service.policy !== 'Local' || nodesOf(service) === null) return [];
  const perNode = new Map<string, number>();
  for (const { node } of service.members) perNode.set(node!, (perNode.get(node!) ?? 0) + 1);
  const counts = [...perNode.values()];
  const most = Math.max(...counts);
  const least = Math.min(...counts);
  if (counts.length < 2 || most < 2 * least) return [];
  const of = (count: number): string =>
    [...perNode]
      .filter(([, n]) => n === count)
      .map(([node]) => node)
      .join(', ');
  return [
    {
      rule: 'uneven-local',
      severity: 'medium',
      finding: `A pod of service ${service.title} on ${of(least)} gets ${format(most / least)} times the traffic of one on ${of(most)}.`,
      mechanism: `Under policy Local the router shares by node, 1/${counts.length} each, whether a node has ${least} pod${least === 1 ? '' : 's'} or ${most}.`,
      breaks: 'The pods that are few a node saturate first; autoscaling by the mean does not see it.',
      remedy:
        'One pod a node (DaemonSet, or topologySpreadConstraints with maxSkew 1), or weights by BGP link bandwidth.',
      evidence: [
        service.thing.evidence('spec.externalTrafficPolicy: Local', 'spec', 'externalTrafficPolicy'),
        ...memberEvidence(service),
      ],
    },
  ];
}

function format(factor: number): string {
  return Number.isInteger(factor) ? String(factor) : factor.toFixed(1);
}

const EXCLUDE = 'node.kubernetes.io/exclude-from-external-load-balancers';

function idleAnnouncers(service: AuditedService, inventory: Inventory): Finding[] {
  const nodes = nodesOf(service);
  const pools = inventory.of('IPAddressPool', 'metallb');
  if (service.policy !== 'Cluster' || nodes === null || pools.length === 0) return [];
  const advertisements = inventory
    .of('BGPAdvertisement', 'metallb')
    .filter((one) => service.vips.some((vip) => isAdvertisedBy(one, vip, pools)));
  if (advertisements.length === 0) return [];
  const announcers = inventory.nodes.filter(
    (node) =>
      node.labels[EXCLUDE] === undefined &&
      advertisements.some((one) =>
        matchesAny(one.list('spec', 'nodeSelectors') as LabelSelector[], node.labels),
      ),
  );
  const idle = announcers.filter(({ name }) => !nodes.has(name));
  if (idle.length === 0) return [];
  return [
    {
      rule: 'announcers-exceed-proxies',
      severity: 'low',
      finding: `${announcers.length} nodes announce service ${service.title}, and its endpoints stand on ${nodes.size}.`,
      mechanism:
        'Under policy Cluster every node that an advertisement selects announces. Each is a next hop of the router’s group, so that each redeploy of it re-hashes connections, and what enters there is masqueraded and takes another hop.',
      breaks:
        'Connections of the whole service whenever one of these nodes leaves or joins, though it serves none of them.',
      remedy:
        'nodeSelectors in the BGPAdvertisement for the nodes with endpoints, or policy Local with one pod a node.',
      evidence: [
        ...advertisements.map((one) =>
          one.evidence(`selects ${announcers.length} of ${inventory.nodes.length} nodes`, 'spec'),
        ),
        ...memberEvidence(service),
      ],
    },
  ];
}

function isAdvertisedBy(advertisement: Thing, vip: Address, pools: readonly Thing[]): boolean {
  const names = strings(advertisement.at('spec', 'ipAddressPools'));
  const selectors = advertisement.list('spec', 'ipAddressPoolSelectors') as LabelSelector[];
  return pools
    .filter((pool) => strings(pool.at('spec', 'addresses')).some((range) => holds(range, vip)))
    .some(
      (pool) =>
        (names.length === 0 && selectors.length === 0) ||
        names.includes(pool.name) ||
        (selectors.length > 0 && matchesAny(selectors, pool.labels)),
    );
}

/** `203.0.113.0/24` or `203.0.113.10-203.0.113.20` */
function holds(range: string, address: Address): boolean {
  const [from, to] = range.split('-').map((part) => parseAddress(part.trim()));
  if (from && to) return compareAddresses(from, address) <= 0 && compareAddresses(address, to) <= 0;
  const prefix = parsePrefix(range.trim());
  return prefix !== null && prefixContains(prefix, address);
}
