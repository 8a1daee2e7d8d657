/**
 * Every hop on the way changes the source: the node masquerades, the L7 proxy opens a connection of its own. What
 * is left of the client stands in a header, and whether that is true depends on who may write it.
 */
import type { L7ProxyModel } from '../cluster/l7-model.js';
import type { ClusterModel } from '../cluster/model.js';
import type { ReplayResult } from '../replay/verdict.js';
import { both, set, withServices } from './model-changes.js';
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
    'Under policy Cluster the node masquerades, so the ingress proxy takes the node for the client and writes the node’s address into X-Forwarded-For. Whoever makes the proxy believe what is already there gets the real client from honest ones only: everybody can write that header.',
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
  layout: {},
  arrange: (calm) => withIngress({})(set('policy', 'Cluster')(calm)),
  variants: [
    {
      name: 'policy-local',
      kind: 'mitigation',
      does: 'externalTrafficPolicy Local: the node leaves the source alone, and the proxy writes the client itself.',
      cost: 'Nodes without a proxy must not announce, and load follows nodes and not pods.',
      change: set('policy', 'Local'),
    },
    {
      name: 'trust-everybody',
      kind: 'trap',
      does: 'forwardedHeaders.insecure: the proxy keeps what the request brings and appends to it.',
      cost: 'Any client names itself as it likes, and honest ones still show as the node.',
      change: withIngress({ insecure: true }),
    },
    {
      name: 'append-and-take-first',
      kind: 'trap',
      does: 'Policy Local, and a proxy that appends to the list (nginx $proxy_add_x_forwarded_for); the application takes the first entry.',
      cost: 'Right for honest clients, and forged by everybody else.',
      change: both(set('policy', 'Local'), withIngress({ kind: 'nginx', forward: 'append' })),
    },
    {
      name: 'append-and-take-last',
      kind: 'mitigation',
      does: 'The same, and the application takes the last entry: the one that its own proxy wrote.',
      cost: 'The application must know how many proxies are in front of it.',
      change: both(
        set('policy', 'Local'),
        withIngress({
          kind: 'nginx',
          forward: 'append',
          application: { ...INGRESS.application, take: 'last' },
        }),
      ),
    },
    {
      name: 'proxy-protocol-to-application',
      kind: 'mitigation',
      does: 'Policy Local, and the proxy says in a PROXY header who the client is: for what is not HTTP.',
      cost: 'The application must read it, and nobody else may reach its port.',
      change: both(
        set('policy', 'Local'),
        withIngress({ sendProxy: 2, application: { ...INGRESS.application, reads: 'proxy-protocol' } }),
      ),
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
      `As it stands the application sees the client for ${percent('failure', 'applicationSeesClient')} of the flows; under policy Local for ${percent('policy-local', 'applicationSeesClient')}, whatever clients claim.`,
      `Believing everybody’s header lets ${percent('trust-everybody', 'forgedWins')} of these flows choose whom they are, and taking the first entry of a list ${percent('append-and-take-first', 'forgedWins')}.`,
    ];
  },
};
