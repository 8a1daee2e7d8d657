/**
 * A hardware load balancer before NodePorts: a node joins the pool, nothing is known of it yet, and it gets its share of
 * the connections all the same. Under externalTrafficPolicy Local it has no pod and drops them.
 */
import type { EdgePool } from '../cluster/edge-model.js';
import type { ClusterModel, TimelineEvent } from '../cluster/model.js';
import { EDGE_MONITOR, edgeBefore, podsAsMembers, withPools } from './edge-before.js';
import { predictedLoss } from './member-loss.js';
import { seconds, set, withTimeline } from './model-changes.js';
import type { Story } from './story.js';
import type { StoryFigures } from './story-figures.js';

/** nodes with a pod, all in the pool; one more joins */
const SERVING = 4;
const JOINS_AT = 0.3;

function withMonitor(
  change: Partial<NonNullable<EdgePool['monitor']>>,
): (model: ClusterModel) => ClusterModel {
  return withPools((pool) => ({ ...pool, monitor: { ...(pool.monitor ?? EDGE_MONITOR), ...change } }));
}

/** Nobody joins: the nodes that come are no members. */
function withoutJoining(model: ClusterModel): ClusterModel {
  return withTimeline(
    model,
    model.timeline.filter(({ kind }) => kind !== 'poolMember'),
  );
}

/** The first member of every rack stays. */
function onePerRack(model: ClusterModel): ClusterModel {
  const kept = withPools((pool) => {
    const racks = new Set<string | null>();
    const members = pool.members.filter(({ node }) => {
      const { rack } = model.nodes[node]!;
      if (racks.has(rack)) return false;
      racks.add(rack);
      return true;
    });
    return { ...pool, members };
  })(model);
  return withoutJoining(kept);
}

function checksPerS({ edge, timeline }: ClusterModel): number | null {
  if (edge === null) return null;
  return edge.pools.reduce((sum, { members, monitor }, row) => {
    const joining = timeline.filter((e) => e.kind === 'poolMember' && e.action === 'add' && e.pool === row);
    return monitor === null ? sum : sum + (members.length + joining.length) / monitor.intervalS;
  }, 0);
}

export const unknownMember: Story = {
  name: 'unknown-member',
  summary:
    'a node joins the load balancer’s pool, nothing is known of it yet, and connections to it time out',
  goesWrong:
    'A hardware load balancer sends to every node’s NodePort. A node that joins is in the state “unknown” until its monitor has an answer, and a member of which nothing is known gets traffic like one that is up. Under policy Local the node has no pod yet and drops what it gets; only after the monitor’s timeout, 16 s with checks every 5 s, it is down and left out. Until then every fifth new connection times out.',
  facts: [
    {
      text: 'A member whose state is unknown is eligible for load balancing, and the iApp pool table ignores the session setting that would keep it out.',
      mark: 'V',
      source: 'f5-cccl #247',
    },
    {
      text: 'The monitor checks every 5 s and gives up after 16 s, three intervals and a second.',
      mark: 'V',
      source: 'the talk; BIG-IP’s defaults',
    },
    {
      text: 'That a member’s share grows linearly over the slow ramp (10 s by default) is assumed.',
      mark: 'U',
      source: 'no source for the shape found',
    },
    {
      text: 'The handshake is passed on, as by a FastL4 virtual server: the client’s SYN goes unanswered. A full proxy answers the SYN itself, and the request goes unanswered.',
      mark: 'I',
      source: 'BIG-IP documentation',
    },
    {
      text: 'Under policy Local kube-proxy drops new connections on a node without a local endpoint.',
      mark: 'V',
      source: 'kube-proxy’s rules; measured on Linux 6.18',
    },
    {
      text: 'The load balancer’s own SNAT hides the client from everybody behind it.',
      mark: 'V',
      source: 'BIG-IP documentation (SNAT automap)',
    },
  ],
  capture: 'arrivals',
  layout: { podsPerNode: [...Array.from({ length: SERVING }, () => 1), 0] },
  arrange: (calm, { spanS }) => {
    const local = set('policy', 'Local')(calm);
    const racked = {
      ...local,
      nodes: local.nodes.map((node, row) => ({ ...node, rack: row < SERVING / 2 ? 'r1' : 'r2' })),
    };
    const at = seconds(spanS * JOINS_AT);
    const joins = calm.services.map(
      (_, pool): TimelineEvent => ({
        at,
        kind: 'poolMember',
        pool,
        action: 'add',
        member: { node: SERVING, pod: null, ratio: 1, session: 'enabled' },
      }),
    );
    return withTimeline({ ...racked, edge: edgeBefore(racked, SERVING) }, joins);
  },
  variants: [
    {
      name: 'slow-ramp',
      kind: 'mitigation',
      does: 'The newcomer’s share grows over 10 s.',
      cost: 'A healthy newcomer helps later.',
      mark: 'U',
      change: withPools((pool) => ({ ...pool, slowRampS: 10 })),
    },
    {
      name: 'slow-ramp-longer',
      kind: 'mitigation',
      does: 'The newcomer’s share grows over 60 s, longer than the monitor needs.',
      cost: 'A healthy newcomer helps a minute later.',
      mark: 'U',
      change: withPools((pool) => ({ ...pool, slowRampS: 60 })),
    },
    {
      name: 'faster-checks',
      kind: 'mitigation',
      does: 'Checks every second, down after 4 s.',
      cost: 'Five times the checks, on every node and from every load balancer; busy nodes are called down sooner.',
      change: withMonitor({ intervalS: 1, timeoutS: 4 }),
    },
    {
      name: 'join-disabled',
      kind: 'mitigation',
      does: 'Members are added disabled, and enabled once their monitor says up.',
      cost: 'Whoever adds them must watch the monitor; the talk’s team patched it in.',
      change: withPools((pool) => ({ ...pool, newMembers: 'disabled' })),
    },
    {
      name: 'node-per-rack',
      kind: 'mitigation',
      does: 'Only one node of each rack is a member; nodes that come and go are none.',
      cost: 'Few nodes carry everything, and are to be replaced by hand.',
      change: onePerRack,
    },
    {
      name: 'pods-as-members',
      kind: 'mitigation',
      does: 'The pods themselves are members, over VXLAN; a node without one is not.',
      cost: 'The load balancer takes part in the overlay, and follows every pod.',
      change: (failure) => withoutJoining(podsAsMembers(failure)),
    },
    {
      name: 'health-check-port',
      kind: 'trap',
      does: 'The monitor asks kube-proxy’s healthCheckNodePort instead of the service.',
      cost: 'A better question, asked as slowly: until the timeout the member stays unknown.',
      change: withMonitor({ check: 'healthCheckNodePort' }),
    },
    {
      name: 'policy-cluster',
      kind: 'mitigation',
      does: 'externalTrafficPolicy Cluster: a node without a pod sends on to one that has.',
      cost: 'A second hop, and one more source address in the client’s place.',
      change: set('policy', 'Cluster'),
    },
    {
      name: 'no-monitor',
      kind: 'trap',
      does: 'No monitor at all: every member stays unknown for good.',
      cost: 'The newcomer’s share is lost until somebody looks.',
      change: withPools((pool) => ({ ...pool, monitor: null })),
    },
  ],
  measures: [
    {
      key: 'predictedLost',
      head: 'predicted',
      says: 'connections that the closed form says are lost: the sum over arrivals of w/(n+w) until the monitor gives up',
      of: ({ index }, model) => predictedLoss(index, model),
    },
    {
      key: 'checksPerS',
      head: 'checks/s',
      says: 'checks a second that the monitors make',
      of: (_, model) => checksPerS(model),
    },
  ],
  why: (figures) => {
    const failure = figures.get('failure');
    if (failure === undefined) return [];
    const compared = (one: StoryFigures): string =>
      `${Math.round(one.broken.mean)} lost, ${(one.measures.predictedLost ?? 0).toFixed(1)} predicted`;
    const ramp = figures.get('slow-ramp');
    const fast = figures.get('faster-checks');
    const sentences = [
      `With n members that answer, a rate of r new connections and T seconds until the newcomer is down, r·T/(n+1) are lost: ${compared(failure)}.`,
    ];
    if (ramp !== undefined) {
      sentences.push(
        `With a ramp of R seconds the newcomer’s weight w is min(t/R, 1), and the loss r·∫ w/(n+w) dt over 0 … T: ${compared(ramp)}. A ramp shorter than the monitor’s timeout only takes the first seconds off.`,
      );
    }
    if (fast !== undefined) {
      sentences.push(
        `Faster checks shorten T and multiply the checks: ${(fast.measures.checksPerS ?? 0).toFixed(1)} a second instead of ${(failure.measures.checksPerS ?? 0).toFixed(1)}. Only what keeps the unknown out (disabled until up, pods as members, no new members) loses nothing.`,
      );
    }
    return sentences;
  },
};
