/**
 * A pod that answers late, or not at all, as steps of the timeline: what kubelet's probes make of it, and when.
 *
 * `unhealthy` states how the pod answers. `throttle` has it run under CPU bandwidth control (control/cfs-bandwidth.ts)
 * with one thread that answers and others that work, and takes the answers' times from there. Both only say what
 * the probes see; the fate of flows comes from the endpoint that leaves the list, and from the process that ends.
 */
import type { ClusterModel, TimelineEvent } from '../cluster/model.js';
import { CFS_PERIOD_MS, type CfsUsage, simulateCfs } from '../control/cfs-bandwidth.js';
import { type Answer, type ProbeOutcome, type Probes, runProbes } from '../control/kubelet-probe.js';
import { draw, Stream } from '../state/draw.js';

export type HealthEvent = Extract<TimelineEvent, { kind: 'unhealthy' | 'throttle' }>;

export interface HealthStep {
  readonly atS: number;
  readonly kind: HealthEvent['kind'];
  readonly detail: string;
  /** null: the pod's state begins or ends, and nobody has noticed yet */
  readonly outcome: ProbeOutcome | null;
}

const OUTCOME_DETAIL: Readonly<Record<ProbeOutcome, string>> = {
  unready: 'fails its readiness probe and leaves the endpoints',
  ready: 'passes its readiness probe and is an endpoint again',
  restart: 'fails its liveness probe and is restarted',
  started: 'runs again after its restart',
};

/** How long after the trouble has ended probes are followed: until they have succeeded again. */
const RECOVERY_S = 3600;

export function podHealth(model: ClusterModel, event: HealthEvent): HealthStep[] {
  const { pod, at } = event;
  const { probes } = placeOf(model, pod);
  const streams = streamsOf(model, pod);
  const { answer, detail } = healthOf(event, streams);
  const begin: HealthStep = { atS: at, kind: event.kind, detail: `${pod} ${detail}`, outcome: null };
  if (probes === null) return [begin];
  const seen = runProbes(probes, answer, at, at + event.forS + RECOVERY_S, streams(0));
  return [
    begin,
    ...seen.map(({ atS, outcome }) => ({
      atS,
      kind: event.kind,
      detail: `${pod} ${OUTCOME_DETAIL[outcome]}`,
      outcome,
    })),
  ];
}

/** How long what comes to the pod at a moment (seconds) waits for its answer while the event lasts; Infinity: for ever. */
export function answersOf(model: ClusterModel, event: HealthEvent): Answer {
  return healthOf(event, streamsOf(model, event.pod)).answer;
}

function healthOf(event: HealthEvent, streams: (ordinal: number) => number): Health {
  return event.kind === 'unhealthy' ? stated(event) : throttled(event, streams);
}

function streamsOf(model: ClusterModel, pod: string): (ordinal: number) => number {
  const { node } = placeOf(model, pod);
  return (ordinal) => draw(model.seed, node, Stream.probe, nameKey(pod), ordinal) / 2 ** 32;
}

function placeOf(model: ClusterModel, pod: string): { node: number; probes: Probes | null } {
  for (const { endpoints, probes } of model.services) {
    const endpoint = endpoints.find((e) => e.pod === pod);
    if (endpoint !== undefined) return { node: endpoint.node, probes };
  }
  throw new RangeError(`podHealth: expected a pod of the model, got ${pod}`);
}

interface Health {
  readonly answer: Answer;
  readonly detail: string;
}

function stated({ at, forS, latencyS }: Extract<HealthEvent, { kind: 'unhealthy' }>): Health {
  const detail = latencyS === Number.POSITIVE_INFINITY ? 'does not answer' : `answers after ${latencyS} s`;
  return {
    answer: (atS) => (atS >= at && atS < at + forS ? latencyS : 0),
    detail: `${detail} for ${forS} s`,
  };
}

function throttled(
  event: Extract<HealthEvent, { kind: 'throttle' }>,
  streams: (ordinal: number) => number,
): Health {
  const { at, forS, limit, threads, burstS, sleepS, workS, slices } = event;
  const background = { burstMs: burstS * 1000, sleepMs: sleepS * 1000 };
  let ordinal = 1;
  const usage = simulateCfs(
    { quotaMs: limit * CFS_PERIOD_MS, periodMs: CFS_PERIOD_MS, slices },
    [{ burstMs: workS * 1000, sleepMs: 1 }, ...Array.from({ length: threads - 1 }, () => background)],
    forS * 1000,
    () => streams(ordinal++),
  );
  return {
    answer: (atS) => (atS >= at && atS < at + forS ? answerAfter(usage, (atS - at) * 1000) : 0),
    detail: throttleDetail(event, usage),
  };
}

function throttleDetail(
  { limit, threads, forS }: Extract<HealthEvent, { kind: 'throttle' }>,
  usage: CfsUsage,
) {
  const used = usage.ranMs.reduce((sum, ms) => sum + ms, 0) / (forS * 1000 * limit);
  const share = (part: number): string => `${Math.round(part * 100)} %`;
  const periods = share(usage.throttledPeriods / usage.periods);
  return `with ${threads} threads uses ${share(used)} of its limit of ${limit} CPU and is throttled in ${periods} of the periods, for ${forS} s`;
}

/** Seconds from `atMs` until the first answer that was begun then or later is done. */
function answerAfter({ wokeMs, latencyMs }: CfsUsage, atMs: number): number {
  for (let i = 0; i < latencyMs.length; i++) {
    if (wokeMs[i]! >= atMs) return (wokeMs[i]! + latencyMs[i]! - atMs) / 1000;
  }
  return Number.POSITIVE_INFINITY;
}

function nameKey(name: string): number {
  let key = 0;
  for (let i = 0; i < name.length; i++) key = Math.imul(key, 31) + name.charCodeAt(i);
  return key | 0;
}
