/**
 * A router balances over nodes, not over pods: under policy Local a node with five pods gets as much as a node with
 * one, and that one pod gets five times what the others get.
 */
import { formatAddress } from '../addr/address.js';
import { hostPrefix } from '../addr/prefix.js';
import type { ClusterModel, EndpointModel, RouteEntry } from '../cluster/model.js';
import type { ReplayResult } from '../verdict/verdict.js';
import { set, withServices } from './model-changes.js';
import type { Story } from './story.js';

const CROWDED = 5;

/** Flows of the busiest pod of the emptiest node over the mean of the fullest node's: 5 where the talk says 5:1. */
function podRatio({ summary }: ReplayResult, { nodes, services }: ClusterModel): number | null {
  const perNode = nodes.map((_, node) => {
    const pods = new Set(
      services.flatMap(({ endpoints }) => endpoints.filter((e) => e.node === node)).map((e) => e.pod),
    );
    const flows = summary.balance.endpoints
      .filter(({ name }) => pods.has(name))
      .reduce((sum, share) => sum + share.flows, 0);
    return pods.size === 0 ? null : flows / pods.size;
  });
  const means = perNode.filter((mean) => mean !== null);
  const least = Math.min(...means);
  return means.length === 0 || least === 0 ? null : Math.max(...means) / least;
}

/** Routes to every VIP with each node's weight: how many pods it has. */
function weighted(model: ClusterModel): ClusterModel {
  const routes = model.services.flatMap(({ vips, endpoints }): RouteEntry[] =>
    vips.map((vip) => ({
      prefix: hostPrefix(vip),
      nextHops: model.nodes.flatMap((_, node) => {
        const weight = endpoints.filter((endpoint) => endpoint.node === node && endpoint.ready).length;
        return weight === 0 ? [] : [{ node, weight: Math.min(weight, 255) }];
      }),
    })),
  );
  const byVip = new Map(routes.map((route) => [formatAddress(route.prefix.address), route]));
  return { ...model, router: { ...model.router, routes: [...byVip.values()] } };
}

/** The same number of pods, dealt to the nodes in turn; a pod's address stays with it. */
function spreadOut(model: ClusterModel): ClusterModel {
  return withServices(model, (service) => ({
    ...service,
    endpoints: service.endpoints.map(
      (endpoint, i): EndpointModel => ({ ...endpoint, node: i % model.nodes.length }),
    ),
  }));
}

export const unevenLoad: Story = {
  name: 'uneven-load',
  summary: 'one node with five pods, one with a single pod: that pod gets five times the load of each other',
  goesWrong:
    'BGP announces a node once, however many pods it has, and ECMP gives every next hop the same share. Under policy Local a node spreads its share over its own pods only: the lonely pod of one node carries what five share on the other. Nothing breaks in the network; the busy pod does.',
  facts: [
    {
      text: 'The talk saw 5:1 between pods, and pinned one proxy to every speaker.',
      mark: 'V',
      source: 'the talk',
    },
    {
      text: 'A BGPAdvertisement has no field for a weight; the router would have to learn it by BGP link bandwidth (an extended community) or from its own configuration.',
      mark: 'I',
      source: 'MetalLB’s resources',
    },
  ],
  capture: 'web-sessions',
  layout: { podsPerNode: [CROWDED, 1] },
  arrange: (calm) => set('policy', 'Local')(calm),
  variants: [
    {
      name: 'weights',
      kind: 'mitigation',
      does: 'Each next hop has the weight of its node’s pods, 5 and 1.',
      cost: 'Something must tell the router, and every scaling changes the weights: a re-hash.',
      mark: 'I',
      change: weighted,
    },
    {
      name: 'one-proxy-a-speaker',
      kind: 'mitigation',
      does: 'One pod on every node that announces, as a DaemonSet does.',
      cost: 'Four pods less: capacity grows with nodes only.',
      change: set('onePerSpeaker', 'yes'),
    },
    {
      name: 'spread',
      kind: 'mitigation',
      does: 'The six pods are spread evenly, three a node (topology spread constraints).',
      cost: 'Holds until a node is drained or a pod is placed elsewhere.',
      change: spreadOut,
    },
    {
      name: 'policy-cluster',
      kind: 'mitigation',
      does: 'externalTrafficPolicy Cluster: every node spreads over all six pods.',
      cost: 'The application no longer sees the client’s address, and a second hop.',
      change: set('policy', 'Cluster'),
    },
  ],
  measures: [
    {
      key: 'podLoadRatio',
      head: 'pod load',
      says: 'flows of a pod on the node where pods get most, over flows of a pod on the node where they get least',
      of: podRatio,
    },
  ],
  why: (figures) => {
    const ratio = (name: string): string => figures.get(name)?.measures.podLoadRatio?.toFixed(1) ?? '–';
    return [
      `The pods’ loads stand ${ratio('failure')} : 1; five is what the arithmetic of the layout says, the rest is how these flows happened to hash. With weights it is ${ratio('weights')} : 1, with one pod a speaker ${ratio('one-proxy-a-speaker')} : 1.`,
    ];
  },
};
