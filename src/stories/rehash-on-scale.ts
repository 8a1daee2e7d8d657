/**
 * Autoscaling under externalTrafficPolicy Local: only a node with a ready proxy announces, so that a new proxy on
 * another node adds a speaker and a path, and scaling down takes one away.
 */
import type { ClusterModel, TimelineEvent } from '../cluster/model.js';
import { both, dsrWithMaglev, podsOf, seconds, set, withServices, withTimeline } from './model-changes.js';
import type { Story } from './story.js';

/** nodes with a proxy before the first one is added */
const STEADY = 4;
const SPARE = 2;

/** Parts of the capture at which the spare nodes get a proxy, and at which they lose it again. */
const ADDED_AT = [0.2, 0.4];
const REMOVED_AT = [0.6, 0.8];
const WAIT_PART = 0.12;

const FAILING: readonly TimelineEvent['kind'][] = ['endpointReady', 'endpointGone', 'endpointTerminating'];

function withoutScaling(model: ClusterModel): ClusterModel {
  return withTimeline(
    model,
    model.timeline.filter((event) => !FAILING.includes(event.kind)),
  );
}

function everyPodReady(model: ClusterModel): ClusterModel {
  return withServices(model, (service) => ({
    ...service,
    endpoints: service.endpoints.map((endpoint) => ({ ...endpoint, ready: true, serving: true })),
  }));
}

function resilient(model: ClusterModel): ClusterModel {
  return both(set('select', 'resilient'), set('buckets', '32'))(model);
}

/** The pods that leave are terminating for a while, still serving, and their nodes go on announcing. */
function preStopWait(model: ClusterModel, waitS: number): ClusterModel {
  return withTimeline(
    model,
    model.timeline.flatMap((event): TimelineEvent[] => {
      if (event.kind !== 'endpointGone') return [event];
      const at = Math.max(0, seconds(event.at - waitS));
      return [{ at, kind: 'endpointTerminating', pod: event.pod }, event];
    }),
  );
}

export const rehashOnScale: Story = {
  name: 'rehash-on-scale',
  summary: 'a new proxy adds a speaker and a path, and flows of everybody else are reset',
  goesWrong:
    'Under policy Local a node announces while it has a ready endpoint of its own. A new proxy on a further node therefore adds a next hop to the router’s group, and every flow whose hash now falls elsewhere arrives at a node that does not know it. FRR appends the late joiner at the end of the group whatever its address: the place where hash-threshold moves most, half of all flows. Scaling down does it again, and closes the connections of the pod that goes.',
  facts: [
    {
      text: 'MetalLB announces under policy Local while the node has an endpoint that is ready or serving; a serving, terminating one still counts.',
      mark: 'V',
      source: 'MetalLB 0.14.2',
    },
    {
      text: 'A next hop that joins late is appended to the kernel’s group, even with the lowest address.',
      mark: 'V',
      source: 'measured with FRR 8.4.4',
    },
    {
      text: 'Adding a fifth next hop at the end moved 48.2 % of 500 flows on a real kernel (theory: 50 %).',
      mark: 'V',
      source: 'measured on Linux 6.18; RFC 2992',
    },
    {
      text: 'Vendors’ resilient hashing protects removals and not additions: Cumulus and Juniper say so. A Linux resilient group moves only idle buckets to the newcomer.',
      mark: 'V',
      source: 'Cumulus and Juniper documentation; Linux 6.18',
    },
  ],
  capture: 'web-sessions',
  layout: { podsPerNode: Array.from({ length: STEADY + SPARE }, () => 1) },
  arrange: (calm, { spanS }) => {
    const local = both(set('policy', 'Local'), set('order', 'arrival'))(calm);
    const laidOut = withServices(local, (service) => ({
      ...service,
      endpoints: service.endpoints.map((endpoint) =>
        endpoint.node < STEADY ? endpoint : { ...endpoint, ready: false, serving: false },
      ),
    }));
    const spare = podsOf(laidOut).filter(({ node }) => node >= STEADY);
    return withTimeline(
      laidOut,
      spare.flatMap(({ pod, node }): TimelineEvent[] => [
        { at: seconds(spanS * ADDED_AT[node - STEADY]!), kind: 'endpointReady', pod },
        { at: seconds(spanS * REMOVED_AT[node - STEADY]!), kind: 'endpointGone', pod },
      ]),
    );
  },
  variants: [
    {
      name: 'proxy-per-speaker',
      kind: 'mitigation',
      does: 'A proxy pinned to every node that may announce, all the time; nothing is scaled.',
      cost: 'Six proxies run where four would do.',
      change: (failure) => withoutScaling(everyPodReady(failure)),
    },
    {
      name: 'fewer-speakers',
      kind: 'mitigation',
      does: 'Only the four steady nodes announce; the new proxies stand beside the path.',
      cost: 'Scaling adds nothing under policy Local: four nodes keep the whole load.',
      change: set('speakers', String(STEADY)),
    },
    {
      name: 'policy-cluster',
      kind: 'mitigation',
      does: 'externalTrafficPolicy Cluster: every node announces all the time, and scaling changes no route.',
      cost: 'The application no longer sees the client’s address, and a second hop.',
      change: set('policy', 'Cluster'),
    },
    {
      name: 'consistent-hashing',
      kind: 'mitigation',
      does: 'The router chooses by rendezvous hashing: the newcomer takes its own share and nothing else moves.',
      cost: 'The router must be able to; that share is still reset.',
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
      cost: 'The newcomer gets idle buckets only: as long as traffic flows it gets next to none of it.',
      change: resilient,
    },
    {
      name: 'resilient-forced',
      kind: 'trap',
      does: 'The same group, made to balance after a second (unbalanced timer 1 s): busy buckets move to the newcomer.',
      cost: 'The add breaks flows after all.',
      change: both(resilient, set('unbalancedTimer', '1s')),
    },
    {
      name: 'resilient-switch',
      kind: 'trap',
      does: 'A switch’s resilient table of 64 buckets, as Cumulus documents it: an added path takes its share of buckets at once.',
      cost: 'Made for removals; the add breaks flows.',
      mark: 'I',
      change: both(set('select', 'resilient-cumulus'), set('buckets', '64')),
    },
    {
      name: 'pre-stop-wait',
      kind: 'trap',
      does: 'A pod that is scaled away is terminating first, and its node announces until it is gone.',
      cost: 'Under policy Local it is the only pod of its node, so that new connections go to it to the last: nothing drains.',
      change: (failure, { spanS }) => preStopWait(failure, spanS * WAIT_PART),
    },
  ],
  why: (figures) => {
    const failure = figures.get('failure');
    const linux = figures.get('resilient');
    const forced = figures.get('resilient-forced');
    const vendor = figures.get('resilient-switch');
    const sentences: string[] = [];
    if (failure !== undefined) {
      sentences.push(
        `Two proxies came and went, and ${Math.round(failure.broken.mean)} flows broke, most of them on nodes that nobody touched.`,
      );
    }
    if (linux !== undefined && forced !== undefined) {
      sentences.push(
        `Resilient hashing helps as far as it refuses the newcomer its share: ${Math.round(linux.broken.mean)} broken while it waits for idle buckets, ${Math.round(forced.broken.mean)} when it must balance.`,
      );
    }
    if (vendor !== undefined) {
      sentences.push(
        `A switch’s resilient table does not save the add: ${Math.round(vendor.byFate.reset)} resets.`,
      );
    }
    return sentences;
  },
};
