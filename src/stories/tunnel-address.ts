/**
 * Calico gives a pod the address of its node's tunnel: the node answers for it, and refuses. Who gets which address is
 * played through with Calico's own rules (control/calico-ipam.ts).
 */
import { type Address, ipv4, ipv6 } from '../addr/address.js';
import type { ClusterModel, EndpointModel, TimelineEvent } from '../cluster/model.js';
import { CalicoIpam, DEFAULT_BLOCK_SIZE } from '../control/calico-ipam.js';
import { DEFAULT_PROBE, type ProbeSettings, type Probes } from '../control/kubelet-probe.js';
import type { ReplayResult } from '../verdict/verdict.js';
import { seconds, withServices, withTimeline } from './model-changes.js';
import type { Story } from './story.js';

const NODES = 3;
const STARTS_AT = 0.3;
const NODE = 'n1';
const NEW_POD = 'new';
/** pods that the node has had since it was created again: enough to go round in a /26 */
const PODS_SINCE = 63;
const WIDE_BLOCK_SIZE = 24;

type Cleanup = 'before-the-node-is-back' | 'after-the-node-is-back' | 'never-of-a-living-node';

/** The numbers in the pool of the node's tunnel and of the pod that starts last. */
function addressesAfter(blockSize: number, cleanup: Cleanup): { tunnel: number; pod: number } {
  const ipam = new CalicoIpam({ blockSize, blocks: 16 });
  ipam.startTunnel(NODE);
  ipam.stopTunnel(NODE);
  if (cleanup === 'before-the-node-is-back') ipam.collectTunnel(NODE);
  const tunnel = ipam.startTunnel(NODE)!;
  if (cleanup === 'after-the-node-is-back') ipam.collectTunnel(NODE);
  // pods come and go; what each gives back goes to the end of the queue
  for (let n = 0; n < PODS_SINCE; n++) {
    ipam.startPod(NODE, `pod-${n}`);
    ipam.stopPod(`pod-${n}`);
  }
  return { tunnel, pod: ipam.startPod(NODE, NEW_POD)! };
}

function offset({ family, w0, w1, w2, w3 }: Address, by: number): Address {
  return family === 4 ? ipv4(w0 + by) : ipv6(w0, w1, w2, w3 + by);
}

/** The first node's tunnel, and its second pod of every service, have the addresses that IPAM says. */
function addressed(blockSize: number, cleanup: Cleanup): (model: ClusterModel) => ClusterModel {
  const { tunnel, pod } = addressesAfter(blockSize, cleanup);
  return (model) => {
    const { podCidrs } = model.nodes[0]!;
    const at = (by: number): Address[] => podCidrs.map(({ address }) => offset(address, by));
    const moved = withServices(model, (service) => {
      const last = lastOnFirstNode(service.endpoints);
      const { family } = service.vips[0]!;
      const addresses = at(pod).filter((address) => address.family === family);
      return {
        ...service,
        endpoints: service.endpoints.map((endpoint) =>
          endpoint === last ? { ...endpoint, addresses } : endpoint,
        ),
      };
    });
    const nodes = moved.nodes.map((node, row) =>
      row === 0 ? { ...node, tunnelAddresses: at(tunnel) } : node,
    );
    return { ...moved, nodes };
  };
}

function lastOnFirstNode(endpoints: readonly EndpointModel[]): EndpointModel | undefined {
  return endpoints.filter(({ node }) => node === 0).at(-1);
}

const LIVENESS: ProbeSettings = { ...DEFAULT_PROBE, periodS: 3 };

function withProbes(readiness: ProbeSettings | null): (model: ClusterModel) => ClusterModel {
  const probes: Probes = { readiness, liveness: LIVENESS, startupS: 0 };
  return (model) => withServices(model, (service) => ({ ...service, probes }));
}

/** The pod answers its probes: they reach it, since it has an address of its own. */
function reachable(model: ClusterModel): ClusterModel {
  return withTimeline(
    model,
    model.timeline.filter(({ kind }) => kind !== 'unhealthy'),
  );
}

function restarts({ events }: ReplayResult): number {
  return events.filter(({ detail }) => detail.includes('is restarted')).length;
}

export const tunnelAddress: Story = {
  name: 'tunnel-address',
  summary:
    'a new pod gets the address of its node’s tunnel: probes and clients are refused, and it crash-loops',
  goesWrong:
    'A node is deleted and created again under its old name. It takes up the tunnel address that its handle still holds; then the cleanup of the deleted node releases that handle. The address is on tunl0 and free at once, and when the block has been handed out once around, a pod gets it. Packets for the pod end in the node’s own stack, which has no such listener: connection refused, for kubelet’s probe as for every client.',
  facts: [
    {
      text: 'The race is in the log of the issue: check 12:14:06, cleanup 12:30:46. It came back in 2022 with 1000 nodes, daily.',
      mark: 'V',
      source: 'calico #3589, #6244, #7192',
    },
    {
      text: 'Calico assigns one tunnel address per node and tunnel type. The talk’s transcript says one per block: that is wrong.',
      mark: 'V',
      source: 'Calico’s handles ipip-tunnel-addr-, vxlan-tunnel-addr-',
    },
    {
      text: 'A block of /26 holds 64 addresses: the tunnel’s and 63 pods; the next pod takes a second block. With a second tunnel (WireGuard) it is one pod fewer.',
      mark: 'V',
      source: 'counted with the model of IPAM in the unit tests',
    },
    {
      text: 'An address that is given back goes to the end of its block’s queue.',
      mark: 'V',
      source: 'the unallocated list of an IPAMBlock',
    },
  ],
  capture: 'web-sessions',
  layout: { podsPerNode: [2, ...Array.from({ length: NODES - 1 }, () => 1)] },
  arrange: (calm, { spanS }) => {
    const tunnelled: ClusterModel = { ...calm, dataplane: { ...calm.dataplane, overlay: 'ipip' } };
    const laidOut = withProbes(null)(addressed(DEFAULT_BLOCK_SIZE, 'after-the-node-is-back')(tunnelled));
    const at = seconds(spanS * STARTS_AT);
    const starting = laidOut.services.map(({ endpoints }) => lastOnFirstNode(endpoints)!.pod);
    const idle = withServices(laidOut, (service) => ({
      ...service,
      endpoints: service.endpoints.map((endpoint) =>
        starting.includes(endpoint.pod) ? { ...endpoint, ready: false, serving: false } : endpoint,
      ),
    }));
    return withTimeline(
      idle,
      starting.flatMap((pod): TimelineEvent[] => [
        { at, kind: 'endpointReady', pod },
        { at, kind: 'unhealthy', pod, forS: seconds(spanS), latencyS: Number.POSITIVE_INFINITY },
      ]),
    );
  },
  variants: [
    {
      name: 'readiness-probe',
      kind: 'mitigation',
      does: 'The pod has a readiness probe: it is refused as well, and the pod leaves the endpoints after three of them.',
      cost: 'The pod crash-loops all the same, and until the third probe clients are refused.',
      change: withProbes({ ...DEFAULT_PROBE, periodS: 1 }),
    },
    {
      name: 'wide-blocks',
      kind: 'mitigation',
      does: 'Blocks of /24: as many pods have come and gone, and the freed address has not had its turn.',
      cost: 'A node takes 256 addresses at a time; later the turn comes all the same.',
      change: (failure) => reachable(addressed(WIDE_BLOCK_SIZE, 'after-the-node-is-back')(failure)),
    },
    {
      name: 'cleanup-first',
      kind: 'mitigation',
      does: 'The node comes back only after kube-controllers have cleaned up (a quarter of an hour).',
      cost: 'Every re-creation waits.',
      change: (failure) => reachable(addressed(DEFAULT_BLOCK_SIZE, 'before-the-node-is-back')(failure)),
    },
    {
      name: 'newer-calico',
      kind: 'mitigation',
      does: 'A Calico that releases a tunnel’s address only when the node is gone and no valid pod is left on it.',
      cost: 'An upgrade.',
      change: (failure) => reachable(addressed(DEFAULT_BLOCK_SIZE, 'never-of-a-living-node')(failure)),
    },
  ],
  measures: [
    {
      key: 'collided',
      head: 'collided',
      says: 'flows that were refused by the node in the place of the pod',
      of: ({ summary }) => summary.byCause['tunnel-address-collision'] ?? 0,
    },
    { key: 'restarts', head: 'restarts', says: 'containers that kubelet killed', of: restarts },
  ],
  why: (figures) => {
    const collided = (name: string): string => (figures.get(name)?.measures.collided ?? 0).toFixed(1);
    const killed = (figures.get('failure')?.measures.restarts ?? 0).toFixed(0);
    return [
      `${PODS_SINCE} pods later the new pod of a /26 block has the tunnel’s address: ${collided('failure')} connections are refused and kubelet kills it ${killed} times; with a readiness probe ${collided('readiness-probe')} are refused, with a block of /24 ${collided('wide-blocks')}.`,
    ];
  },
};
