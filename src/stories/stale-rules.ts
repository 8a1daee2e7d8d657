/**
 * kube-proxy cannot keep up with pods that crash and come back: its rules are minutes old, and traffic goes where
 * nothing is any more, or to a node that announces before it has a rule.
 */
import { ipv4 } from '../addr/address.js';
import type { ClusterModel, EndpointModel, TimelineEvent } from '../cluster/model.js';
import { podsOf, seconds, set, withTimeline } from './model-changes.js';
import type { Story } from './story.js';

const NODES = 5;
const PODS_PER_NODE = 2;
const CRASHING = 'crashing';
/** of the range for benchmarks (RFC 2544): nobody's client or server is there */
const NOBODYS_VIP = 0xc6120001;
const NOBODYS_PODS = 0xc6130001;
const CHURN_EVERY_S = 2.5;
/** writing the rules of a large cluster while the API and the lock are contended */
const SLOW_WRITE_S = 8;
const DRAINED_AT = 0.3;
const BACK_AT = 0.65;

function writing(durationS: number): (model: ClusterModel) => ClusterModel {
  return (model) => ({
    ...model,
    dataplane: { ...model.dataplane, sync: { ...model.dataplane.sync, durationS } },
  });
}

function without(drops: (event: TimelineEvent) => boolean): (model: ClusterModel) => ClusterModel {
  return (model) =>
    withTimeline(
      model,
      model.timeline.filter((event) => !drops(event)),
    );
}

/** A service beside, whose pods crash and come back all the time; no traffic goes to it. */
function withCrashing(model: ClusterModel): ClusterModel {
  const [first] = model.services;
  if (first === undefined) return model;
  const endpoints = model.nodes.map(
    (_, node): EndpointModel => ({
      pod: `${CRASHING}-${node + 1}`,
      node,
      addresses: [ipv4(NOBODYS_PODS + node)],
      ready: true,
      serving: true,
      terminating: false,
    }),
  );
  const crashing = { ...first, name: CRASHING, vips: [ipv4(NOBODYS_VIP)], endpoints };
  return { ...model, services: [...model.services, crashing] };
}

/** Each goes down and comes back in turn, never two at one moment. */
function churn(pods: readonly string[], spanS: number): TimelineEvent[] {
  return pods.flatMap((pod, i): TimelineEvent[] => {
    const events: TimelineEvent[] = [];
    const offset = (i * CHURN_EVERY_S) / pods.length;
    for (let atS = offset; atS + CHURN_EVERY_S / 2 < spanS; atS += CHURN_EVERY_S) {
      events.push({ at: seconds(atS), kind: 'endpointCrashed', pod });
      events.push({ at: seconds(atS + CHURN_EVERY_S / 2), kind: 'endpointReady', pod });
    }
    return events;
  });
}

export const staleRules: Story = {
  name: 'stale-rules',
  summary: 'kube-proxy is overloaded by crash-looping pods, and its rules point at pods that are gone',
  goesWrong:
    'Every crash and every return changes the EndpointSlices, and every change asks kube-proxy on every node to write its rules again. While it writes, the old ones hold; what has changed meanwhile waits for the next round. A node that is emptied keeps getting connections for pods that no longer exist, the SYNs of new connections stay unanswered, UDP goes nowhere, and a node that comes back is announced before its rules are there.',
  facts: [
    {
      text: 'minSyncPeriod is 1 s with a burst of two; the cause of the overload that the talk saw was never published.',
      mark: 'V',
      source: 'kube-proxy; the talk',
    },
    {
      text: 'How long a round takes under contention is a setting of the story (8 s), not a measurement.',
      mark: 'U',
      source: 'kubernetes #26637, #48107 are kin',
    },
    {
      text: 'Announcing before the rules are programmed lost UDP for hours.',
      mark: 'V',
      source: 'kubernetes #113250, #139628',
    },
  ],
  capture: 'web-sessions',
  layout: { podsPerNode: Array.from({ length: NODES }, () => PODS_PER_NODE) },
  arrange: (calm, { spanS }) => {
    const emptied = podsOf(calm).filter(({ node }) => node === 0);
    const model = withCrashing(calm);
    const crashing = model.services.at(-1)!.endpoints.map(({ pod }) => pod);
    const moves = emptied.flatMap(({ pod }): TimelineEvent[] => [
      { at: seconds(spanS * DRAINED_AT), kind: 'endpointGone', pod },
      { at: seconds(spanS * BACK_AT), kind: 'endpointReady', pod },
    ]);
    return writing(SLOW_WRITE_S)(withTimeline(model, [...moves, ...churn(crashing, spanS)]));
  },
  variants: [
    {
      name: 'quick-rules',
      kind: 'mitigation',
      does: 'Rules are written in 100 ms: partial syncs, nftables or eBPF instead of whole iptables tables.',
      cost: 'Another kube-proxy mode, or a newer one.',
      change: writing(0.1),
    },
    {
      name: 'no-crash-loop',
      kind: 'mitigation',
      does: 'The pods that crash are not ready until they are well, so that they change nothing; rules take as long.',
      cost: 'A readiness probe that means it.',
      change: without((event) => 'pod' in event && event.pod.startsWith(CRASHING)),
    },
    {
      name: 'pre-stop-wait',
      kind: 'mitigation',
      does: 'Pods that leave terminate first and go on serving for longer than two rounds take.',
      cost: 'Every rollout is that much slower.',
      change: (failure) =>
        withTimeline(
          failure,
          failure.timeline.flatMap((event): TimelineEvent[] => {
            if (event.kind !== 'endpointGone') return [event];
            const gone = { ...event, at: seconds(event.at + 2 * SLOW_WRITE_S) };
            return [{ at: event.at, kind: 'endpointTerminating', pod: event.pod }, gone];
          }),
        ),
    },
    {
      name: 'policy-local',
      kind: 'trap',
      does: 'externalTrafficPolicy Local: the emptied node withdraws its announcement at once, and announces at once when its pods are back.',
      cost: 'The route is quicker than the rules: it is announced before they know a pod, and connections are dropped there.',
      change: set('policy', 'Local'),
    },
  ],
  measures: [
    {
      key: 'staleSyns',
      head: 'stale',
      says: 'flows that broke because the rules named a pod that was gone, or did not know one yet',
      of: ({ summary: { byCause } }) =>
        (byCause['stale-rules'] ?? 0) + (byCause['no-local-endpoint'] ?? 0) + (byCause['no-endpoint'] ?? 0),
    },
  ],
  why: (figures) => {
    const stale = (name: string): string => (figures.get(name)?.measures.staleSyns ?? 0).toFixed(1);
    return [
      `Stale rules break ${stale('failure')} flows; ${stale('quick-rules')} where rules are written in 100 ms, ${stale('no-crash-loop')} without the pods that crash.`,
    ];
  },
};
