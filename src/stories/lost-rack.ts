/** Pods that were to be spread over racks were not, and the rack that holds them all fails. */
import { DEFAULT_NODE_GRACE_S } from '../cluster/defaults.js';
import type { ClusterModel, EndpointModel } from '../cluster/model.js';
import { both, seconds, set, withServices, withTimeline } from './model-changes.js';
import type { Story } from './story.js';

/** two rooms with two racks each, two nodes a rack */
const RACKS = ['room1-r1', 'room1-r2', 'room2-r1', 'room2-r2'] as const;
const NODES_PER_RACK = 2;
const REPLICAS = 4;
const FAILS_AT = 0.4;

type Placement = (replica: number) => number;

/** All replicas on the nodes of one rack, as the scheduler may do without a constraint. */
const clumped: Placement = (replica) => replica % NODES_PER_RACK;
/** A rack each. */
const overRacks: Placement = (replica) => (replica % RACKS.length) * NODES_PER_RACK;
/** Both rooms, but one rack in each. */
const overRooms: Placement = (replica) =>
  (replica % 2) * 2 * NODES_PER_RACK + (Math.floor(replica / 2) % NODES_PER_RACK);

/** `REPLICAS` pods of every service on the nodes that `place` names; a pod has an address of its node. */
function placed(place: Placement): (model: ClusterModel) => ClusterModel {
  return (model) =>
    withServices(model, (service) => {
      const free = model.nodes.map((_, node) => service.endpoints.filter((e) => e.node === node));
      return {
        ...service,
        endpoints: Array.from(
          { length: REPLICAS },
          (_, replica): EndpointModel => free[place(replica)]!.shift()!,
        ),
      };
    });
}

/** The same placement again, out of a failure that already has one. */
function moved(place: Placement): (failure: ClusterModel) => ClusterModel {
  return (failure) =>
    withServices(failure, (service) => ({
      ...service,
      endpoints: service.endpoints.map((endpoint, replica) => ({ ...endpoint, node: place(replica) })),
    }));
}

function withNodeGrace(nodeGraceS: number): (model: ClusterModel) => ClusterModel {
  return (model) => ({ ...model, dataplane: { ...model.dataplane, nodeGraceS } });
}

export const lostRack: Story = {
  name: 'lost-rack',
  summary: 'affinity did not spread the proxies: one rack fails, and the service with it',
  goesWrong:
    'A preferred anti-affinity is a wish, and the scheduler weighs it against others: after enough redeployments all replicas stand in one rack. When it fails, nothing is left to send to; routes go when hold times end, endpoints when Kubernetes takes the nodes for lost.',
  facts: [
    {
      text: 'Kubernetes takes the endpoints of a silent node out after the node monitor’s grace period, 40 s up to 1.31.',
      mark: 'V',
      source: 'kube-controller-manager',
    },
    {
      text: 'The talk names affinity that did not spread as an open item, without its cause.',
      mark: 'U',
      source: 'the talk',
    },
  ],
  capture: 'web-sessions',
  layout: { podsPerNode: Array.from({ length: RACKS.length * NODES_PER_RACK }, () => REPLICAS) },
  arrange: (calm, { spanS }) => {
    const racked = {
      ...calm,
      nodes: calm.nodes.map((node, row) => ({ ...node, rack: RACKS[Math.floor(row / NODES_PER_RACK)]! })),
    };
    const lost = racked.nodes.flatMap(({ rack }, node) => (rack === RACKS[0] ? [node] : []));
    return withTimeline(
      both(placed(clumped), set('policy', 'Local'), set('holdTime', '9s'))(racked),
      lost.map((node) => ({ at: seconds(spanS * FAILS_AT), kind: 'nodeDown', node })),
    );
  },
  variants: [
    {
      name: 'spread-over-racks',
      kind: 'mitigation',
      does: 'A topology spread constraint that must hold: a replica in each rack.',
      cost: 'A rollout waits where a rack has no room.',
      change: moved(overRacks),
    },
    {
      name: 'spread-over-rooms',
      kind: 'mitigation',
      does: 'Replicas in both rooms, in one rack of each.',
      cost: 'Half of the service still depends on one rack.',
      change: moved(overRooms),
    },
    {
      name: 'spread-and-bfd',
      kind: 'mitigation',
      does: 'A replica in each rack, and BFD: the router knows after 0.9 s instead of 9 s.',
      cost: 'BFD on every node, and routes that go with every hiccup of 0.9 s.',
      change: both(moved(overRacks), set('bfd', '0.9s')),
    },
    {
      name: 'spread-under-cluster',
      kind: 'trap',
      does: 'A replica in each rack, but policy Cluster: all nodes announce, and go on sending to the lost pods.',
      cost: `Connections time out for up to ${DEFAULT_NODE_GRACE_S} s, until Kubernetes takes the node for lost.`,
      change: both(moved(overRacks), set('policy', 'Cluster')),
    },
    {
      name: 'quick-node-grace',
      kind: 'mitigation',
      does: 'The same under Cluster with a grace period of 8 s.',
      cost: 'A node whose kubelet is slow for 8 s loses its pods.',
      change: both(moved(overRacks), set('policy', 'Cluster'), withNodeGrace(8)),
    },
  ],
  why: (figures) => {
    const broken = (name: string): string => (figures.get(name)?.broken.mean ?? 0).toFixed(0);
    return [
      `With all replicas in one rack its loss breaks ${broken('failure')} flows; spread over racks ${broken('spread-over-racks')}, and with BFD ${broken('spread-and-bfd')}.`,
    ];
  },
};
