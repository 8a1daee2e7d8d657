/**
 * Rolling redeploy: every node in turn withdraws its route, stops its pods, goes and comes back (in the talk once a
 * week; here as fast as the capture is long). MetalLB with BGP and ECMP before five nodes with a proxy each.
 */
import type { ClusterModel, TimelineEvent } from '../cluster/model.js';
import { both, dsrWithMaglev, podsOf, seconds, set, withTimeline } from './model-changes.js';
import type { Story, StorySetting } from './story.js';
import type { StoryFigures } from './story-figures.js';

const NODES = 5;

/** Parts of the capture: a tenth before the first node, then one node after another, each out for a third of its turn. */
const START = 0.1;
const TURN = 0.16;
const DOWN_PART = 0.35;
/** how long before a node goes its pods or its route are taken out, as part of a turn */
const WAIT_PART = 0.5;

interface Pace {
  readonly everyS: number;
  readonly downForS: number;
  readonly waitS: number;
}

function paceOf({ spanS }: StorySetting): Pace {
  const everyS = seconds(spanS * TURN) || 0.001;
  return {
    everyS,
    downForS: seconds(everyS * DOWN_PART) || 0.001,
    waitS: seconds(everyS * WAIT_PART),
  };
}

/** Rewrites every node's turn of the failure's redeploys. */
function eachTurn(
  model: ClusterModel,
  rewrite: (turn: { node: number; at: number; downForS: number }) => readonly TimelineEvent[],
): ClusterModel {
  return withTimeline(
    model,
    model.timeline.flatMap((event) => {
      if (event.kind !== 'rollingRedeploy') return [event];
      const { at, everyS, downForS } = event;
      return event.nodes.flatMap((node, n) => rewrite({ node, at: seconds(at + n * everyS), downForS }));
    }),
  );
}

function redeploy(node: number, at: number, downForS: number): TimelineEvent {
  return { at, kind: 'rollingRedeploy', nodes: [node], everyS: downForS, downForS };
}

function before(at: number, waitS: number): number {
  return Math.max(0, seconds(at - waitS));
}

/** The label takes the node out of every announcement while it goes on forwarding. */
function labelAndWait(model: ClusterModel, setting: StorySetting): ClusterModel {
  const { waitS } = paceOf(setting);
  return eachTurn(model, ({ node, at, downForS }) => [
    { at: before(at, waitS), kind: 'withdraw', node },
    redeploy(node, at, downForS),
  ]);
}

function preStopWait(model: ClusterModel, setting: StorySetting): ClusterModel {
  const { waitS } = paceOf(setting);
  return eachTurn(model, ({ node, at, downForS }) => [
    ...podsOf(model)
      .filter((pod) => pod.node === node)
      .map(({ pod }): TimelineEvent => ({ at: before(at, waitS), kind: 'endpointTerminating', pod })),
    redeploy(node, at, downForS),
  ]);
}

/** The node vanishes without a word and comes back. */
function powerOff(model: ClusterModel): ClusterModel {
  return eachTurn(model, ({ node, at, downForS }) => [
    { at, kind: 'nodeDown', node },
    { at: seconds(at + downForS), kind: 'nodeUp', node },
  ]);
}

/** The speaker's session ends with its TCP connection, the node with it; the router waits for the restart. */
function closedAndGone(model: ClusterModel): ClusterModel {
  return eachTurn(model, ({ node, at, downForS }) => [
    { at, kind: 'speakerDown', node, mode: 'close' },
    { at, kind: 'nodeDown', node },
    { at: seconds(at + downForS), kind: 'nodeUp', node },
  ]);
}

function fate(figures: StoryFigures | undefined, name: keyof StoryFigures['byFate']): number {
  return Math.round(figures?.byFate[name] ?? 0);
}

export const rehashOnRedeploy: Story = {
  name: 'rehash-on-redeploy',
  summary:
    'every node is redeployed in turn: each going and each coming back re-hashes flows of all the others',
  goesWrong:
    'A node that leaves withdraws its route; the router’s group has one next hop less, and with hash-threshold or modulo flows of nodes that stay move as well. The node that gets such a flow has no connection tracking entry for it: it takes the packet for a new connection, picks a pod at random, and the pod answers with a RST. When the node comes back the same happens again. Connections to the pods of the node that leaves are closed besides.',
  facts: [
    {
      text: 'MetalLB announces a service from every node under policy Cluster and withdraws when the speaker stops; a node label (exclude-from-external-load-balancers) withdraws it while the node lives on.',
      mark: 'V',
      source: 'MetalLB 0.8.0 (metallb #312), 0.13.11',
    },
    {
      text: 'With tcp_loose 1 the node that gets a moved flow translates it afresh, and the RST comes from a wrong pod.',
      mark: 'V',
      source: 'measured on Linux 6.18',
    },
    {
      text: 'Removing one of N next hops by hash-threshold moves between 1/4 and 1/2 of all flows, by its place (RFC 2992); by modulo (N-1)/N.',
      mark: 'V',
      source: 'RFC 2992; measured on Linux 6.18',
    },
    {
      text: 'FRR 8.4.4 gives a changed next-hop set a new group id: a resilient group is then dealt afresh and protects nothing.',
      mark: 'V',
      source: 'measured with FRR 8.4.4',
    },
    {
      text: 'Whether the talk’s Cisco Nexus 9k routers hash resiliently was not found out.',
      mark: 'U',
      source: 'no source found',
    },
  ],
  capture: 'web-sessions',
  layout: { podsPerNode: Array.from({ length: NODES }, () => 1) },
  arrange: (calm, setting) => {
    const { everyS, downForS } = paceOf(setting);
    const nodes = calm.nodes.map((_, node) => node);
    const at = seconds(setting.spanS * START);
    return withTimeline(calm, [{ at, kind: 'rollingRedeploy', nodes, everyS, downForS }]);
  },
  variants: [
    {
      name: 'fewer-speakers',
      kind: 'mitigation',
      does: 'Two nodes announce instead of five; the others take no traffic from the router.',
      cost: 'Those two carry everything, and one alone while the other is out: they need the capacity.',
      change: set('speakers', '2'),
    },
    {
      name: 'consistent-hashing',
      kind: 'mitigation',
      does: 'The router chooses by rendezvous hashing: only flows of the node that leaves, or that the one coming back takes over, move.',
      cost: 'The router must be able to; few hardware routers are.',
      change: set('select', 'rendezvous'),
    },
    {
      name: 'dsr-with-maglev',
      kind: 'mitigation',
      does: 'An eBPF data plane (Cilium) in DSR mode whose nodes choose by Maglev: whichever node a flow comes through, it goes to the same pod, with the client’s address.',
      cost: 'Another data plane, and a network that lets answers take another way; flows of a pod that goes are lost still.',
      mark: 'I',
      change: dsrWithMaglev,
    },
    {
      name: 'resilient',
      kind: 'mitigation',
      does: 'A Linux resilient group of 32 buckets, replaced in place, idle timer 120 s.',
      cost: 'The node that is back gets only buckets that were idle for 120 s: the load stays uneven.',
      change: both(set('select', 'resilient'), set('buckets', '32')),
    },
    {
      name: 'resilient-fresh',
      kind: 'trap',
      does: 'The same resilient group under a routing daemon that installs a new group for every change.',
      cost: 'Looks protected and is not.',
      change: both(set('select', 'resilient'), set('buckets', '32'), set('replace', 'fresh-group')),
    },
    {
      name: 'resilient-switch',
      kind: 'mitigation',
      does: 'A switch’s resilient table of 64 buckets, as Cumulus documents it.',
      cost: 'Protects when a node leaves; the one that is back takes its share of busy buckets.',
      mark: 'I',
      change: both(set('select', 'resilient-cumulus'), set('buckets', '64')),
    },
    {
      name: 'label-and-wait',
      kind: 'mitigation',
      does: 'The node is labelled out of the announcements half a turn before it goes, and waits.',
      cost: 'Longer turns; the label itself withdraws the route, so that the re-hash comes earlier and not less.',
      change: labelAndWait,
    },
    {
      name: 'pre-stop-wait',
      kind: 'mitigation',
      does: 'Its pods are terminating (no new connections) for half a turn before the node goes.',
      cost: 'Longer turns; sessions that outlast the wait are closed all the same.',
      change: preStopWait,
    },
    {
      name: 'hashing-and-wait',
      kind: 'mitigation',
      does: 'Consistent hashing, and pods that wait; no label, which would only withdraw earlier.',
      cost: 'Both of theirs.',
      change: (failure, setting) => set('select', 'rendezvous')(preStopWait(failure, setting)),
    },
    {
      name: 'graceful-restart',
      kind: 'trap',
      does: 'BGP graceful restart, 120 s: the router keeps the route of a speaker whose session closes.',
      cost: 'Made for a speaker that restarts on a node that forwards on; here the node is gone, and its route is a black hole.',
      change: (failure) => closedAndGone(set('gracefulRestart', '120s')(failure)),
    },
    {
      name: 'power-off',
      kind: 'trap',
      does: 'The node goes without withdrawing; MetalLB’s native hold time of 90 s applies.',
      cost: 'Its share of the traffic is lost until it is back.',
      change: (failure) => set('holdTime', '90s')(powerOff(failure)),
    },
    {
      name: 'power-off-bfd',
      kind: 'mitigation',
      does: 'The node goes without withdrawing; BFD (3 × 300 ms) takes its route away after 0.9 s.',
      cost: 'Hangs become resets: the re-hash comes all the same; BFD itself flaps on busy nodes.',
      change: (failure) => set('bfd', '900ms')(powerOff(failure)),
    },
  ],
  why: (figures) => {
    const failure = figures.get('failure');
    if (failure === undefined) return [];
    const consistent = figures.get('consistent-hashing');
    const together = figures.get('hashing-and-wait');
    const sentences = [
      `Of the flows that broke, ${fate(failure, 'reset')} were reset because the router moved them to a node that does not know them, and ${fate(failure, 'endpoint-closed')} were closed because their own pod stopped: hashing can only help the first kind, waiting only the second.`,
    ];
    if (consistent !== undefined) {
      sentences.push(
        `Consistent hashing leaves ${fate(consistent, 'reset')} resets: flows whose own node left, and flows that the node coming back takes over.`,
      );
    }
    if (together !== undefined) {
      sentences.push(
        `With both ${Math.round(together.broken.mean)} flows still break: sessions through the node or with the pod that goes, which outlast the wait.`,
      );
    }
    return sentences;
  },
};
