/**
 * Variations of a cluster model: one knob, one value. The survival matrix is every combination of them.
 *
 * A knob says how its value is read and what it does to the model; the table below is the list that `compare
 * --vary` takes. What a variation cannot mean is refused with the reason (ConfigError by the caller).
 */

import { defaultTimeouts, USUAL_BFD_S, USUAL_GRACEFUL_RESTART_S } from '../cluster/defaults.js';
import {
  IPVS_SCHEDULERS,
  MAX_BUCKETS,
  MAX_HASH_FIELDS,
  OVERLAY_NAMES,
  PROXY_NAMES,
} from '../cluster/limits.js';
import type {
  ClusterModel,
  DataplaneModel,
  EcmpSettings,
  RouteNextHop,
  TimelineEvent,
} from '../cluster/model.js';
import { refusePlane } from '../cluster/refuse-plane.js';
import { nearest } from '../cluster/yaml/nearest.js';
import { FlowfateError } from '../errors.js';
import { FLOW_HASHES } from '../hash/flow-hash.js';
import { defaultBuckets } from '../route/create-group.js';
import { tableSizeOf } from '../route/maglev.js';
import { SELECTS } from '../route/next-hop-group.js';

export interface Variation {
  readonly knob: string;
  readonly values: readonly string[];
}

/** One setting of every varied knob, in the order given. */
export type Combination = readonly { readonly knob: string; readonly value: string }[];

type Change = (model: ClusterModel, value: string) => ClusterModel;

const KNOBS: Record<string, Change> = {
  hash: (model, value) => withEcmp(model, { hash: oneOf(value, FLOW_HASHES, 'hash') }),
  fields: (model, value) => withEcmp(model, { fields: wholeNumber(value, 'fields', 0, MAX_HASH_FIELDS) }),
  select: (model, value) => {
    const select = oneOf(value, SELECTS, 'select');
    // a number of buckets says something about one selection only; vary buckets behind select to set it
    const same = select === model.router.ecmp.select;
    return withEcmp(model, same ? { select } : { select, buckets: defaultBuckets(select) });
  },
  buckets: (model, value) =>
    withEcmp(model, { buckets: tableSizeOf(value) ?? wholeNumber(value, 'buckets', 1, MAX_BUCKETS) }),
  idleTimer: (model, value) => withEcmp(model, { idleTimerS: seconds(value, 'idleTimer') }),
  unbalancedTimer: (model, value) => withEcmp(model, { unbalancedTimerS: seconds(value, 'unbalancedTimer') }),
  order: (model, value) => withEcmp(model, { order: oneOf(value, ['address', 'arrival'] as const, 'order') }),
  replace: (model, value) =>
    withEcmp(model, { replace: oneOf(value, ['in-place', 'fresh-group'] as const, 'replace') }),
  nexthops: (model, value) =>
    withEcmp(model, { nexthops: oneOf(value, ['legacy', 'objects'] as const, 'nexthops') }),
  useNeigh: (model, value) => withEcmp(model, { useNeigh: yesNo(value, 'useNeigh') }),
  ignoreLinkdown: (model, value) => withEcmp(model, { ignoreLinkdown: yesNo(value, 'ignoreLinkdown') }),
  policy: (model, value) => {
    const externalTrafficPolicy = oneOf(value, ['Local', 'Cluster'] as const, 'policy');
    return { ...model, services: model.services.map((service) => ({ ...service, externalTrafficPolicy })) };
  },
  holdTime: (model, value) => withBgp(model, { holdTimeS: seconds(value, 'holdTime') }),
  bfd: (model, value) => withBgp(model, { bfdS: switchable(value, USUAL_BFD_S, 'bfd') }),
  gracefulRestart: (model, value) =>
    withBgp(model, { gracefulRestartS: switchable(value, USUAL_GRACEFUL_RESTART_S, 'gracefulRestart') }),
  proxy: (model, value) => withDataplane(model, withProxy(model.dataplane, value)),
  overlay: (model, value) => withDataplane(model, { overlay: oneOf(value, OVERLAY_NAMES, 'overlay') }),
  scheduler: (model, value) =>
    withDataplane(model, {
      ipvs: { ...model.dataplane.ipvs, scheduler: oneOf(value, IPVS_SCHEDULERS, 'scheduler') },
    }),
  sloppyTcp: (model, value) =>
    withDataplane(model, { ipvs: { ...model.dataplane.ipvs, sloppyTcp: yesNo(value, 'sloppyTcp') } }),
  dsr: (model, value) => {
    const { cilium, calicoEbpf } = model.dataplane;
    if (oneOf(value, ['yes', 'no', 'true', 'false', 'hybrid'] as const, 'dsr') === 'hybrid') {
      if (model.dataplane.proxy !== 'calico-ebpf')
        return withDataplane(model, { cilium: { ...cilium, mode: 'hybrid' } });
      throw new FlowfateError('config', 'dsr=hybrid is a mode of cilium; calico-ebpf has yes and no');
    }
    return withDataplane(
      model,
      yesNo(value, 'dsr')
        ? { cilium: { ...cilium, mode: 'dsr' }, calicoEbpf: { ...calicoEbpf, mode: 'dsr' } }
        : { cilium: { ...cilium, mode: 'snat' }, calicoEbpf: { ...calicoEbpf, mode: 'tunnel' } },
    );
  },
  algorithm: (model, value) => {
    const algorithm = oneOf(value, ['random', 'maglev'] as const, 'algorithm');
    const { cilium, calicoEbpf } = model.dataplane;
    return withDataplane(model, {
      cilium: { ...cilium, algorithm },
      calicoEbpf: { ...calicoEbpf, maglev: algorithm === 'maglev' },
    });
  },
  tcpLoose: (model, value) => withConntrack(model, { tcpLoose: yesNo(value, 'tcpLoose') }),
  speakers: fewerSpeakers,
  onePerSpeaker: onePerSpeaker,
};

/** Every setting that can be varied. */
export const KNOB_NAMES: readonly string[] = Object.keys(KNOBS);

/** `select=modulo,resilient` as a variation. */
export function parseVariation(text: string): Variation {
  const equals = text.indexOf('=');
  const knob = equals < 0 ? text : text.slice(0, equals);
  const values =
    equals < 0
      ? []
      : text
          .slice(equals + 1)
          .split(',')
          .map((v) => v.trim());
  if (KNOBS[knob] === undefined) {
    throw new FlowfateError('usage', `--vary knows no "${knob}"; it takes ${KNOB_NAMES.join(', ')}`);
  }
  if (values.length === 0 || values.some((value) => value === '')) {
    throw new FlowfateError('usage', `--vary ${knob} needs values, as in --vary ${knob}=a,b`);
  }
  return { knob, values };
}

/** Every combination, the last knob varying fastest. */
export function combinations(variations: readonly Variation[]): Combination[] {
  return variations.reduce<Combination[]>(
    (all, { knob, values }) => all.flatMap((before) => values.map((value) => [...before, { knob, value }])),
    [[]],
  );
}

export function varied(model: ClusterModel, combination: Combination): ClusterModel {
  const changed = combination.reduce((before, { knob, value }) => KNOBS[knob]!(before, value), model);
  const refusal = refusePlane(changed.dataplane, changed.services);
  if (refusal !== null) throw new FlowfateError('config', refusal);
  return changed;
}

/** The model with the `n`-th seed of router hash and random draws; 0 is the model as it is. */
export function seeded(model: ClusterModel, n: number): ClusterModel {
  if (n === 0) return model;
  const seed = (model.router.ecmp.seed + Math.imul(n, 0x9e3779b1)) >>> 0;
  const reseed = (settings: EcmpSettings): EcmpSettings => ({ ...settings, seed });
  return {
    ...model,
    seed: model.seed + n,
    router: { ...model.router, ecmp: reseed(model.router.ecmp) },
    timeline: model.timeline.map((e) => (e.kind === 'ecmp' ? { ...e, settings: reseed(e.settings) } : e)),
  };
}

function withEcmp(model: ClusterModel, change: Partial<EcmpSettings>): ClusterModel {
  return {
    ...model,
    router: { ...model.router, ecmp: { ...model.router.ecmp, ...change } },
    timeline: model.timeline.map((e) =>
      e.kind === 'ecmp' ? { ...e, settings: { ...e.settings, ...change } } : e,
    ),
  };
}

function withBgp(model: ClusterModel, change: Partial<ClusterModel['router']['bgp']>): ClusterModel {
  return { ...model, router: { ...model.router, bgp: { ...model.router.bgp, ...change } } };
}

function withDataplane(model: ClusterModel, change: Partial<DataplaneModel>): ClusterModel {
  return { ...model, dataplane: { ...model.dataplane, ...change } };
}

/** Another plane, with the times for which it keeps connections where the scenario states none of its own. */
function withProxy({ proxy: before, conntrack }: DataplaneModel, value: string): Partial<DataplaneModel> {
  const proxy = oneOf(value, PROXY_NAMES, 'proxy');
  const usual = defaultTimeouts(before);
  const stated = Object.entries(conntrack.timeouts).filter(
    ([key, s]) => usual[key as keyof typeof usual] !== s,
  );
  const timeouts = { ...defaultTimeouts(proxy), ...Object.fromEntries(stated) };
  return { proxy, conntrack: { ...conntrack, timeouts } };
}

function withConntrack(
  model: ClusterModel,
  change: Partial<ClusterModel['dataplane']['conntrack']>,
): ClusterModel {
  return {
    ...model,
    dataplane: { ...model.dataplane, conntrack: { ...model.dataplane.conntrack, ...change } },
  };
}

/** Only the first n announcing nodes announce; the routes that the scenario states lose the others. */
function fewerSpeakers(model: ClusterModel, value: string): ClusterModel {
  const wanted = wholeNumber(value, 'speakers', 1, 1 << 20);
  const announcing = model.nodes.flatMap(({ announces }, node) => (announces === false ? [] : [node]));
  if (wanted > announcing.length) {
    throw new FlowfateError('config', `speakers=${wanted}: only ${announcing.length} nodes announce`);
  }
  const kept = new Set(announcing.slice(0, wanted));
  const filter = (hops: readonly RouteNextHop[]): RouteNextHop[] => hops.filter(({ node }) => kept.has(node));
  return {
    ...model,
    nodes: model.nodes.map((node, row) => (kept.has(row) ? node : { ...node, announces: false })),
    router: {
      ...model.router,
      routes: model.router.routes.map((route) => ({ ...route, nextHops: filter(route.nextHops) })),
    },
    timeline: model.timeline.flatMap((event): TimelineEvent[] => {
      if (event.kind === 'route') return [{ ...event, nextHops: filter(event.nextHops) }];
      return event.kind === 'announce' && !kept.has(event.node) ? [] : [event];
    }),
  };
}

/** One endpoint on every node that announces, as with a proxy that runs as a DaemonSet on the speakers' nodes. */
function onePerSpeaker(model: ClusterModel, value: string): ClusterModel {
  if (!yesNo(value, 'onePerSpeaker')) return model;
  return {
    ...model,
    services: model.services.map((service) => {
      const seen = new Set<number>();
      const endpoints = service.endpoints.filter(({ node }) => {
        if (seen.has(node)) return false;
        seen.add(node);
        return true;
      });
      const bare = model.nodes.flatMap(({ name, announces }, node) =>
        announces !== false && !seen.has(node) ? [name] : [],
      );
      if (bare.length > 0) {
        throw new FlowfateError(
          'config',
          `onePerSpeaker=yes: ${bare.join(', ')} announce ${service.name} but have no endpoint to keep; add one each to the scenario`,
        );
      }
      return { ...service, endpoints };
    }),
  };
}

function oneOf<T extends string>(value: string, allowed: readonly T[], knob: string): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined) {
    const meant = nearest(value, allowed);
    const hint = meant === null ? `it takes ${allowed.join(', ')}` : `did you mean ${meant}?`;
    throw new FlowfateError('usage', `--vary ${knob}: there is no "${value}"; ${hint}`);
  }
  return found;
}

function wholeNumber(value: string, knob: string, least: number, most: number): number {
  const n = Number(value);
  if (!Number.isInteger(n) || n < least || n > most) {
    throw new FlowfateError(
      'usage',
      `--vary ${knob}: "${value}" is not a whole number from ${least} to ${most}`,
    );
  }
  return n;
}

function seconds(value: string, knob: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value);
  if (match === null) {
    throw new FlowfateError('usage', `--vary ${knob}: "${value}" is no duration; write 250ms, 5s or 2m`);
  }
  const unit = { ms: 0.001, s: 1, m: 60, h: 3600 }[match[2] ?? 's']!;
  return Number(match[1]) * unit;
}

/** `off`, `on` for what is usual, or a time. */
function switchable(value: string, usualS: number, knob: string): number | null {
  if (value === 'off') return null;
  return value === 'on' ? usualS : seconds(value, knob);
}

/** Throws the usage error of the first value that its setting does not have; what cannot be combined is another matter. */
export function checkVariations(model: ClusterModel, variations: readonly Variation[]): void {
  for (const { knob, values } of variations) {
    for (const value of values) {
      try {
        KNOBS[knob]!(model, value);
      } catch (error) {
        if (error instanceof FlowfateError && error.code === 'usage') throw error;
      }
    }
  }
}

function yesNo(value: string, knob: string): boolean {
  const word = oneOf(value, ['yes', 'no', 'true', 'false'] as const, knob);
  return word === 'yes' || word === 'true';
}
