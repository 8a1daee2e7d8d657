/**
 * CPU bandwidth control holds a multi-threaded pod back below its limit: it answers its probes late, leaves the
 * endpoints, its node stops announcing, and the flows of everybody else are re-hashed.
 */
import type { ClusterModel, CpuLimit, TimelineEvent } from '../cluster/model.js';
import { DEFAULT_PROBE, type ProbeSettings, type Probes } from '../control/kubelet-probe.js';
import type { ReplayResult } from '../verdict/verdict.js';
import { podsOf, seconds, set, withServices, withTimeline } from './model-changes.js';
import type { Story } from './story.js';

const NODES = 4;
const BEGINS_AT = 0.2;
const LASTS = 0.35;

/** 64 threads that hardly work, and answers that cost 30 ms, at a limit of 300m. */
const LIMIT: CpuLimit = {
  limit: 0.3,
  threads: 64,
  burstS: 0.000004,
  sleepS: 0.01,
  workS: 0.03,
  slices: 'expire',
};

const READINESS: ProbeSettings = { ...DEFAULT_PROBE, periodS: 2, timeoutS: 0.5 };

function probed(readiness: ProbeSettings, liveness: ProbeSettings | null = null): Probes {
  return { readiness, liveness, startupS: 5 };
}

function withProbes(probes: Probes): (model: ClusterModel) => ClusterModel {
  return (model) => withServices(model, (service) => ({ ...service, probes }));
}

/** The same trouble under another limit. */
function limited(change: Partial<CpuLimit>): (model: ClusterModel) => ClusterModel {
  return (model) =>
    withTimeline(
      model,
      model.timeline.map((event) => (event.kind === 'throttle' ? { ...event, ...change } : event)),
    );
}

function timesLeft({ events }: ReplayResult): number {
  return events.filter(({ detail }) => detail.includes('leaves the endpoints')).length;
}

export const cpuThrottling: Story = {
  name: 'cpu-throttling',
  summary: 'a pod is throttled although it stays below its CPU limit, fails its probes, and routes change',
  goesWrong:
    'A limit is CPU time per period of 100 ms, dealt out to CPUs in slices of 5 ms. Until Linux 5.4 a slice that a CPU had not used up by the end of the period was lost, up to a millisecond on every CPU that a thread of the pod had touched: with many threads most of the limit is never used, and the thread that answers waits for the next period. The readiness probe times out, the pod leaves the endpoints, under policy Local its node stops announcing, and the router re-hashes; when the pod has recovered it does so again.',
  facts: [
    {
      text: 'Slices of a CPU expired from 4.18 on (512ac999d275) and no longer do since 5.4 (de53fd7aedb1).',
      mark: 'V',
      source: 'kernel commits; kubernetes #67577',
    },
    {
      text: 'fibtest on 64 CPUs: 1573 M iterations alone, 150 M with expiring slices, 1209 M with the fix. The model keeps order and size; exact ratios depend on which CPU wakes first.',
      mark: 'V',
      source: 'fibtest; the model against its bands in the unit tests',
    },
    {
      text: 'Kubelet probes every 10 s with a timeout of 1 s and takes a pod out after three failures; here every 2 s with 0.5 s, so that the story fits into its capture.',
      mark: 'V',
      source: 'Pod v1',
    },
  ],
  capture: 'web-sessions',
  layout: { podsPerNode: Array.from({ length: NODES }, () => 1) },
  arrange: (calm, { spanS }) => {
    const local = withProbes(probed(READINESS))(set('policy', 'Local')(calm));
    const at = seconds(spanS * BEGINS_AT);
    const forS = seconds(spanS * LASTS);
    return withTimeline(
      local,
      podsOf(local)
        .filter(({ node }) => node === 0)
        .map(({ pod }): TimelineEvent => ({ at, kind: 'throttle', pod, forS, ...LIMIT })),
    );
  },
  variants: [
    {
      name: 'slices-kept',
      kind: 'mitigation',
      does: 'Linux 5.4 or later, whose slices do not expire; the same pod under the same limit.',
      cost: 'A kernel on every node.',
      change: limited({ slices: 'kept' }),
    },
    {
      name: 'fewer-threads',
      kind: 'mitigation',
      does: 'As many threads as the limit has CPUs, and one more (GOMAXPROCS, worker_processes).',
      cost: 'Every program has a setting of its own for it, and most take the node’s CPUs by default.',
      change: limited({ threads: 2 }),
    },
    {
      name: 'higher-limit',
      kind: 'mitigation',
      does: 'A limit of sixteen CPUs: more than what is stranded.',
      cost: 'A limit that limits nothing; the node’s CPUs can be oversubscribed.',
      change: limited({ limit: 16 }),
    },
    {
      name: 'patient-probe',
      kind: 'mitigation',
      does: 'The readiness probe waits for 5 s.',
      cost: 'A pod that is really dead keeps its traffic for as long.',
      change: withProbes(probed({ ...READINESS, timeoutS: 5, periodS: 5 })),
    },
    {
      name: 'liveness-as-readiness',
      kind: 'trap',
      does: 'The liveness probe is the same as the readiness probe: the slow pod is killed.',
      cost: 'The restart closes the connections that still worked, and cures nothing.',
      change: withProbes(probed(READINESS, READINESS)),
    },
    {
      name: 'policy-cluster',
      kind: 'mitigation',
      does: 'externalTrafficPolicy Cluster: no route follows a pod’s readiness.',
      cost: 'The application no longer sees the client’s address.',
      change: set('policy', 'Cluster'),
    },
  ],
  measures: [
    {
      key: 'leftEndpoints',
      head: 'left',
      says: 'how often a pod left the endpoints',
      of: timesLeft,
    },
  ],
  why: (figures) => {
    const left = (name: string): number => figures.get(name)?.measures.leftEndpoints ?? 0;
    const broken = (name: string): string => (figures.get(name)?.broken.mean ?? 0).toFixed(0);
    return [
      `With slices that expire the pod leaves the endpoints ${left('failure').toFixed(1)} times and ${broken('failure')} flows break; where slices are kept it leaves ${left('slices-kept').toFixed(1)} times and ${broken('slices-kept')} break.`,
      'How late an answer is comes from a model with one thread a CPU; bands and order are right, the exact moment is not to be relied on.',
    ];
  },
};
