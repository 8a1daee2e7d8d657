/** The changes that stories make to a cluster model, a word each. Settings that `compare --vary` knows are set with {@link set}. */
import type { ClusterModel, EndpointModel, ServiceModel, TimelineEvent } from '../cluster/model.js';
import { varied } from '../what-if/variation.js';

/** A setting of `compare --vary`, like `set('select', 'rendezvous')`. */
export function set(knob: string, value: string): (model: ClusterModel) => ClusterModel {
  return (model) => varied(model, [{ knob, value }]);
}

/** Several changes, one after the other. */
export function both(
  ...changes: readonly ((model: ClusterModel) => ClusterModel)[]
): (model: ClusterModel) => ClusterModel {
  return (model) => changes.reduce((changed, change) => change(changed), model);
}

/** Cilium without kube-proxy: direct server return, backends by Maglev, every node announces. */
export const dsrWithMaglev = both(
  set('policy', 'Cluster'),
  set('proxy', 'cilium'),
  set('dsr', 'yes'),
  set('algorithm', 'maglev'),
);

export function withTimeline(model: ClusterModel, timeline: readonly TimelineEvent[]): ClusterModel {
  return { ...model, timeline: [...timeline].sort((a, b) => a.at - b.at) };
}

export function withServices(
  model: ClusterModel,
  change: (service: ServiceModel) => ServiceModel,
): ClusterModel {
  return { ...model, services: model.services.map(change) };
}

/** Endpoints of every service, a pod of several services once. */
export function podsOf(model: ClusterModel): EndpointModel[] {
  const byName = new Map(model.services.flatMap(({ endpoints }) => endpoints.map((e) => [e.pod, e])));
  return [...byName.values()];
}

/** To the millisecond, as a person would write it. */
export function seconds(s: number): number {
  return Math.round(s * 1000) / 1000;
}
