/** Probes that ask the wrong question: what a neighbour does decides whether every pod gets traffic. */
import type { ClusterModel, TimelineEvent } from '../cluster/model.js';
import { DEFAULT_PROBE, type ProbeSettings, type Probes } from '../control/kubelet-probe.js';
import type { ReplayResult } from '../verdict/verdict.js';
import { both, podsOf, seconds, set, withServices, withTimeline } from './model-changes.js';
import type { Story } from './story.js';

const NODES = 4;
const BEGINS_AT = 0.3;
const LASTS = 0.3;
const DEPENDENCY_ANSWERS_S = 3;

const READINESS: ProbeSettings = { ...DEFAULT_PROBE, periodS: 2 };

const probes = (readiness: ProbeSettings | null, liveness: ProbeSettings | null): Probes => ({
  readiness,
  liveness,
  startupS: 4,
});

function withProbes(given: Probes): (model: ClusterModel) => ClusterModel {
  return (model) => withServices(model, (service) => ({ ...service, probes: given }));
}

/** One pod in real trouble instead of a dependency of all. */
function onlyOne(model: ClusterModel): ClusterModel {
  const [first] = podsOf(model);
  return withTimeline(
    model,
    model.timeline.filter((event) => event.kind !== 'unhealthy' || event.pod === first?.pod),
  );
}

function restarts({ events }: ReplayResult): number {
  return events.filter(({ detail }) => detail.includes('is restarted')).length;
}

export const probesStory: Story = {
  name: 'probes',
  summary:
    'a readiness probe asks a shared dependency: it is slow for a moment, and every pod leaves at once',
  goesWrong:
    'A readiness probe that calls the database says something about the database. When that is slow, all pods fail together: no endpoint is left, under policy Local every node withdraws its route, and what was slow is now down. A liveness probe that asks the same makes kubelet kill them all, again and again.',
  facts: [
    {
      text: 'A pod is taken out after failureThreshold probes in a row, each of which fails when it is not answered within timeoutSeconds (3 and 1 s by default).',
      mark: 'V',
      source: 'Pod v1',
    },
    {
      text: 'A container that is killed waits before it is started again: nothing the first time, then 10 s, doubled up to 300 s.',
      mark: 'V',
      source: 'kubelet',
    },
  ],
  capture: 'web-sessions',
  layout: { podsPerNode: Array.from({ length: NODES }, () => 1) },
  arrange: (calm, { spanS }) => {
    const local = withProbes(probes(READINESS, null))(set('policy', 'Local')(calm));
    return withTimeline(
      local,
      podsOf(local).map(
        ({ pod }): TimelineEvent => ({
          at: seconds(spanS * BEGINS_AT),
          kind: 'unhealthy',
          pod,
          forS: seconds(spanS * LASTS),
          latencyS: DEPENDENCY_ANSWERS_S,
        }),
      ),
    );
  },
  variants: [
    {
      name: 'own-health-only',
      kind: 'mitigation',
      does: 'The readiness probe asks the pod about itself; the dependency’s trouble is answered by the application.',
      cost: 'Requests that need the dependency fail with an error instead of going nowhere.',
      change: (failure) =>
        withTimeline(
          failure,
          failure.timeline.filter(({ kind }) => kind !== 'unhealthy'),
        ),
    },
    {
      name: 'patient-readiness',
      kind: 'mitigation',
      does: 'The same question with a timeout of 5 s.',
      cost: 'A pod that does not answer keeps its traffic for as long.',
      change: withProbes(probes({ ...READINESS, timeoutS: 5 }, null)),
    },
    {
      name: 'liveness-asks-too',
      kind: 'trap',
      does: 'The liveness probe asks the dependency as well.',
      cost: 'Kubelet kills every pod, and their connections with them.',
      change: withProbes(probes(READINESS, READINESS)),
    },
    {
      name: 'policy-cluster',
      kind: 'trap',
      does: 'externalTrafficPolicy Cluster: routes stay, and connections that are open live on.',
      cost: 'New connections are refused all the same: there is no endpoint.',
      change: set('policy', 'Cluster'),
    },
    {
      name: 'one-pod-in-trouble',
      kind: 'mitigation',
      does: 'What the probe is for: one pod alone is in trouble, and it alone is taken out.',
      cost: 'Under policy Local its node withdraws, and flows are re-hashed.',
      change: onlyOne,
    },
    {
      name: 'one-pod-and-cluster',
      kind: 'mitigation',
      does: 'One pod in trouble under policy Cluster: new connections go elsewhere, the others stay.',
      cost: 'The application no longer sees the client’s address.',
      change: both(onlyOne, set('policy', 'Cluster')),
    },
  ],
  measures: [{ key: 'restarts', head: 'restarts', says: 'containers that kubelet killed', of: restarts }],
  why: (figures) => {
    const broken = (name: string): string => (figures.get(name)?.broken.mean ?? 0).toFixed(0);
    const killed = figures.get('liveness-asks-too')?.measures.restarts ?? 0;
    return [
      `The dependency’s trouble breaks ${broken('failure')} flows that it never touched; a probe of the pod’s own health breaks ${broken('own-health-only')}.`,
      `With a liveness probe of the same kind kubelet kills ${killed.toFixed(0)} containers and ${broken('liveness-asks-too')} flows break.`,
    ];
  },
};
