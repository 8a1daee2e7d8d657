/**
 * Every hop on the way changes the source: the load balancer SNATs, the node masquerades, the L7 proxy opens a
 * connection of its own. What
 * is left of the client stands in a header, and whether that is true depends on who may write it.
 */
import { hostPrefix, type Prefix } from '../addr/prefix.js';
import type { EdgeModel } from '../cluster/edge-model.js';
import type { L7ProxyModel } from '../cluster/l7-model.js';
import type { ClusterModel } from '../cluster/model.js';
import type { ReplayResult } from '../verdict/verdict.js';
import { edgeBefore, podsAsMembers } from './edge-before.js';
import { both, set, withServices } from './model-changes.js';

const NODES = 3;

import type { Story } from './story.js';

const INGRESS: L7ProxyModel = {
  kind: 'traefik',
  field: 'x-forwarded-for',
  forward: 'guard',
  trusted: [],
  insecure: false,
  realIp: 'peer',
  acceptProxy: 'off',
  sendProxy: 0,
  application: { addresses: [], port: 8080, reads: 'x-forwarded-for', take: 'first', trusted: [] },
};

function withIngress(change: Partial<L7ProxyModel>): (model: ClusterModel) => ClusterModel {
  return (model) =>
    withServices(model, (service) => ({
      ...service,
      l7Proxy: { ...(service.l7Proxy ?? INGRESS), ...change },
    }));
}

function withInsert(change: Partial<EdgeModel['insert']>): (model: ClusterModel) => ClusterModel {
  return (model) => {
    const { edge } = model;
    return edge === null ? model : { ...model, edge: { ...edge, insert: { ...edge.insert, ...change } } };
  };
}

function withoutGatewaySnat(model: ClusterModel): ClusterModel {
  return { ...model, edge: model.edge && { ...model.edge, snat: 'none' } };
}

/** Where connections to a proxy come from: nodes, their pod ranges, the load balancer. */
function clusterRanges({ nodes, edge }: ClusterModel): Prefix[] {
  return [
    ...nodes.flatMap(({ addresses, podCidrs }) => [...addresses.map(hostPrefix), ...podCidrs]),
    ...(edge?.addresses ?? []).map(hostPrefix),
  ];
}

/** Percentage of the flows that reached an application of which `what` holds. */
function percentage(
  result: ReplayResult,
  what: (seen: { preserved: boolean; forgedWins: boolean }) => boolean,
) {
  let reached = 0;
  let found = 0;
  for (let row = 0; row < result.flowCount; row++) {
    const application = result.flowVerdict(row).source?.application;
    if (application === undefined) continue;
    reached++;
    if (what(application)) found++;
  }
  return reached === 0 ? null : (100 * found) / reached;
}

export const lostSourceIp: Story = {
  name: 'lost-source-ip',
  summary:
    'the application logs an address of the cluster, or one that the client made up, instead of the client',
  goesWrong:
    'The load balancer puts its own address in the place of the client’s, under policy Cluster the node puts its own in the place of that, and the ingress proxy writes what it sees into X-Forwarded-For: an address of the cluster. Whoever makes the proxy believe what is already there gets the real client from honest ones only: everybody can write that header, unless the first hop resets it.',
  facts: [
    {
      text: 'Traefik’s forwardedHeaders.trustedIPs and proxyProtocol.trustedIPs trust nobody by default.',
      mark: 'V',
      source: 'Traefik’s documentation',
    },
    {
      text: 'What nginx and HAProxy append, add, replace and refuse was compared with the programs themselves.',
      mark: 'V',
      source: 'nginx 1.22.1, HAProxy 2.6.12',
    },
    {
      text: 'The talk resets X-Forwarded-For at the first hop and uses the PROXY protocol for what is not HTTP.',
      mark: 'V',
      source: 'the talk',
    },
  ],
  capture: 'http-requests',
  layout: { podsPerNode: Array.from({ length: NODES }, () => 1) },
  arrange: (calm) => {
    const cluster = set('policy', 'Cluster')(calm);
    return withIngress({})({ ...cluster, edge: edgeBefore(cluster, NODES) });
  },
  variants: [
    {
      name: 'policy-local-alone',
      kind: 'trap',
      does: 'externalTrafficPolicy Local: the node leaves the source alone.',
      cost: 'It is the load balancer’s by then.',
      change: set('policy', 'Local'),
    },
    {
      name: 'reset-at-the-first-hop',
      kind: 'mitigation',
      does: 'The load balancer replaces X-Forwarded-For with the client it sees, and the proxy trusts the nodes that it gets connections from (forwardedHeaders.trustedIPs).',
      cost: 'HTTP only, without TLS between client and load balancer unless it ends there; nobody else may reach the nodes.',
      change: (failure) =>
        both(withInsert({ forward: 'replace' }), withIngress({ trusted: clusterRanges(failure) }))(failure),
    },
    {
      name: 'append-at-the-first-hop',
      kind: 'trap',
      does: 'The same, but the load balancer appends to what the client sent; the application takes the first entry.',
      cost: 'Clients name themselves.',
      change: (failure) =>
        both(withInsert({ forward: 'append' }), withIngress({ trusted: clusterRanges(failure) }))(failure),
    },
    {
      name: 'append-and-rightmost-untrusted',
      kind: 'mitigation',
      does: 'The load balancer appends, and the application takes the last entry that is none of the cluster’s.',
      cost: 'The application must know every range of the cluster.',
      change: (failure) => {
        const trusted = clusterRanges(failure);
        const application = { ...INGRESS.application, take: 'rightmost-untrusted' as const, trusted };
        return both(withInsert({ forward: 'append' }), withIngress({ trusted, application }))(failure);
      },
    },
    {
      name: 'forwarded-rfc-7239',
      kind: 'mitigation',
      does: 'Forwarded instead of X-Forwarded-For, reset by the load balancer.',
      cost: 'Every hop and the application must speak it.',
      change: (failure) => {
        const trusted = clusterRanges(failure);
        const application = { ...INGRESS.application, reads: 'forwarded' as const };
        return both(
          withInsert({ forward: 'replace', field: 'forwarded' }),
          withIngress({ field: 'forwarded', trusted, application }),
        )(failure);
      },
    },
    {
      name: 'proxy-protocol',
      kind: 'mitigation',
      does: 'The load balancer says in a PROXY header (v2) who the client is, and the proxy believes it (proxyProtocol.trustedIPs).',
      cost: 'Both ends must agree, or nothing works; for what is not HTTP too.',
      change: (failure) =>
        both(
          withInsert({ sendProxy: 2 }),
          withIngress({ acceptProxy: 'trusted', trusted: clusterRanges(failure) }),
        )(failure),
    },
    {
      name: 'proxy-protocol-unexpected',
      kind: 'trap',
      does: 'The load balancer sends PROXY headers, and the proxy was not told.',
      cost: 'Every request is answered with 400.',
      change: withInsert({ sendProxy: 2 }),
    },
    {
      name: 'trust-everybody',
      kind: 'trap',
      does: 'forwardedHeaders.insecure: the proxy keeps what the request brings and appends to it.',
      cost: 'Any client names itself as it likes, and honest ones still show as the node.',
      change: withIngress({ insecure: true }),
    },
    {
      name: 'no-gateway-snat-and-local',
      kind: 'mitigation',
      does: 'The load balancer does not SNAT (the nodes’ answers go through it anyway), and policy Local.',
      cost: 'The load balancer must be the nodes’ default gateway.',
      change: both(withoutGatewaySnat, set('policy', 'Local')),
    },
    {
      name: 'no-gateway-snat-and-dsr',
      kind: 'mitigation',
      does: 'No SNAT at the load balancer, and an eBPF data plane that keeps the source (Cilium in DSR mode).',
      cost: 'Another data plane, and a network that lets answers take another way.',
      mark: 'I',
      change: (failure) => {
        const { dataplane } = failure;
        const cilium = { ...dataplane.cilium, mode: 'dsr' as const };
        return withoutGatewaySnat({ ...failure, dataplane: { ...dataplane, proxy: 'cilium', cilium } });
      },
    },
    {
      name: 'pool-over-vxlan',
      kind: 'mitigation',
      does: 'The pods themselves are the pool’s members, over VXLAN, without SNAT: no node on the way.',
      cost: 'The load balancer is a member of the overlay, and follows every pod.',
      change: (failure) => withoutGatewaySnat(podsAsMembers(failure)),
    },
  ],
  measures: [
    {
      key: 'applicationSeesClient',
      head: 'sees client %',
      says: 'percentage of the flows whose application sees the client’s address',
      of: (result) => percentage(result, ({ preserved }) => preserved),
    },
    {
      key: 'forgedWins',
      head: 'forged %',
      says: 'percentage of the flows whose application believes an address that the client made up',
      of: (result) => percentage(result, ({ forgedWins }) => forgedWins),
    },
  ],
  why: (figures) => {
    const percent = (name: string, key: string): string =>
      `${Math.round(figures.get(name)?.measures[key] ?? 0)} %`;
    return [
      `As it stands the application sees the client for ${percent('failure', 'applicationSeesClient')} of the flows; where the first hop resets the header for ${percent('reset-at-the-first-hop', 'applicationSeesClient')}, whatever clients claim.`,
      `Believing everybody’s header lets ${percent('trust-everybody', 'forgedWins')} of these flows choose whom they are, and appending at the first hop ${percent('append-at-the-first-hop', 'forgedWins')}.`,
    ];
  },
};
