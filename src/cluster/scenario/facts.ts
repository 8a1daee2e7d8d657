/**
 * What scenario documents and Kubernetes objects say, before it is put together: names instead of rows, nothing
 * filled in, and for each thing the place where it stands. Both dialects yield this, so that one may complete
 * the other; resolve-model.ts makes the model of it.
 */
import type { Address } from '../../addr/address.js';
import type { Prefix } from '../../addr/prefix.js';
import type { ErrorPosition } from '../../errors.js';
import type {
  Assumption,
  ConntrackSettings,
  ConntrackTimeouts,
  DataplaneModel,
  EcmpSettings,
  NodeModel,
  RouterBgp,
  ServiceModel,
  ServicePort,
} from '../model.js';
import type { OwnerKind } from '../owner-model.js';
import type { PolicyModel } from '../policy-model.js';
import type { Path, SourceDocument } from '../yaml/yaml-source.js';
import type { RawEdge } from './edge-schema.js';
import type { RawNextHop } from './field-schemas.js';
import type { RawTimelineEntry } from './timeline-schema.js';

/** Where something stands; what came from a command line has a name of its own and no lines. */
export interface Place {
  readonly document: Pick<SourceDocument, 'positionOf'>;
  readonly path: Path;
}

export function positionIn({ document, path }: Place, ...inner: Path): ErrorPosition {
  return document.positionOf([...path, ...inner]);
}

type Stated<T> = { readonly [K in keyof T]?: T[K] | undefined };

export interface NodeFacts extends Stated<Omit<NodeModel, 'name'>> {
  readonly name: string;
  readonly place: Place;
  /** a Node object of a dump: one that nothing can be sent to is left out */
  readonly fromObjects?: boolean | undefined;
}

export interface EndpointFacts {
  readonly pod: string;
  readonly place: Place;
  /** null: outside the cluster */
  readonly node: string | null;
  readonly addresses: readonly Address[];
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly targetPorts?: readonly (number | null)[] | undefined;
  readonly zoneHints?: readonly string[] | undefined;
  readonly nodeHints?: readonly string[] | undefined;
  /** nothing answers at its address */
  readonly gone?: boolean | undefined;
}

export interface ServiceFacts
  extends Stated<Omit<ServiceModel, 'name' | 'endpoints' | 'ports' | 'announcers'>> {
  readonly name: string;
  readonly place: Place;
  /** a Service object of a dump: what is odd about it is said, and does not refuse the dump */
  readonly fromObjects?: boolean | undefined;
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly loadBalancerClass?: string | undefined;
  /** who announces its VIPs, by node */
  readonly announcers?: readonly AnnouncerFacts[] | undefined;
  readonly ports?: readonly ServicePort[] | undefined;
  readonly endpoints?: readonly EndpointFacts[] | undefined;
}

export interface AnnouncerFacts {
  readonly node: string;
  readonly vips?: readonly Address[] | undefined;
  readonly preference: number;
}

export interface SpreadFacts {
  /** domain by node */
  readonly domains: Readonly<Record<string, string>>;
  readonly maxSkew?: number | undefined;
  readonly atMost?: number | undefined;
}

export interface OwnerFacts {
  readonly name: string;
  readonly kind: OwnerKind;
  readonly place: Place;
  /** of a dump: nodes that were left out of it are left out here, too */
  readonly fromObjects?: boolean | undefined;
  readonly pods: readonly string[];
  readonly nodes?: readonly string[] | undefined;
  readonly spread?: readonly SpreadFacts[] | undefined;
  readonly minAvailable?: number | undefined;
  readonly startS?: number | undefined;
}

export interface RouteFacts {
  readonly place: Place;
  readonly prefix: Prefix;
  readonly nextHops: readonly RawNextHop[];
}

export interface TimelineFacts {
  readonly place: Place;
  readonly entry: RawTimelineEntry;
}

export interface DataplaneFacts
  extends Stated<Omit<DataplaneModel, 'conntrack' | 'sync' | 'overlay' | 'ipvs' | 'cilium' | 'calicoEbpf'>> {
  readonly ipvs?: Stated<DataplaneModel['ipvs']> | undefined;
  readonly cilium?: Stated<DataplaneModel['cilium']> | undefined;
  readonly calicoEbpf?: Stated<DataplaneModel['calicoEbpf']> | undefined;
  readonly conntrack?: Stated<Omit<ConntrackSettings, 'timeouts'>> | undefined;
  readonly timeouts?: Stated<ConntrackTimeouts> | undefined;
  readonly sync?: Stated<DataplaneModel['sync']> | undefined;
  readonly overlay?: { readonly kind: DataplaneModel['overlay']; readonly place: Place } | undefined;
  /** what the objects state and no model has: connections are not judged unless the setting is stated otherwise */
  readonly notModelled?: { readonly setting: 'proxy' | 'scheduler'; readonly sentence: string } | undefined;
  /** an overlay that follows from a data plane's own settings */
  readonly overlayKind?: DataplaneModel['overlay'] | undefined;
}

export interface EdgeFacts {
  readonly place: Place;
  readonly raw: RawEdge;
  /** keys that a Scenario states; absent: made of objects */
  readonly stated?: readonly string[] | undefined;
}

export interface ClusterFacts {
  readonly name?: string | undefined;
  readonly seed?: number | undefined;
  readonly epochNs?: bigint | undefined;
  readonly routerAddresses?: readonly Address[] | undefined;
  readonly ecmp?: Stated<EcmpSettings> | undefined;
  readonly ecmpPlace?: Place | undefined;
  readonly bgp?: Stated<RouterBgp> | undefined;
  readonly routes?: readonly RouteFacts[];
  readonly edge?: EdgeFacts | undefined;
  readonly dataplane?: DataplaneFacts | undefined;
  /** network policies as a Scenario states them; objects are read without it */
  readonly networkPolicies?: Omit<PolicyModel, 'engine'> | undefined;
  readonly nodes?: readonly NodeFacts[];
  readonly services?: readonly ServiceFacts[];
  /** there are Service objects, though perhaps none of kube-proxy's */
  readonly servicesGiven?: boolean | undefined;
  /** what is announced in the place of VIPs */
  readonly aggregates?: readonly Prefix[] | undefined;
  /** something among the objects decides who announces */
  readonly announcersDecided?: boolean | undefined;
  readonly timeline?: readonly TimelineFacts[];
  readonly owners?: readonly OwnerFacts[] | undefined;
  /** what was taken in reading objects because none of them states it */
  readonly assumed?: readonly Assumption[];
}

/**
 * `strong` laid over `weak`: settings key by key, nodes and services by name, routes by prefix, timelines one
 * after the other. Lists (addresses, ports, endpoints) are replaced whole.
 */
export function overlay(weak: ClusterFacts, strong: ClusterFacts): ClusterFacts {
  return {
    ...over(weak, strong),
    edge: overlaidEdge(weak.edge, strong.edge),
    ecmp: over(weak.ecmp, strong.ecmp),
    bgp: over(weak.bgp, strong.bgp),
    routes: [...(weak.routes ?? []), ...(strong.routes ?? [])],
    dataplane: {
      ...over(weak.dataplane, strong.dataplane),
      conntrack: over(weak.dataplane?.conntrack, strong.dataplane?.conntrack),
      timeouts: over(weak.dataplane?.timeouts, strong.dataplane?.timeouts),
      sync: over(weak.dataplane?.sync, strong.dataplane?.sync),
      ipvs: over(weak.dataplane?.ipvs, strong.dataplane?.ipvs),
      cilium: over(weak.dataplane?.cilium, strong.dataplane?.cilium),
      calicoEbpf: over(weak.dataplane?.calicoEbpf, strong.dataplane?.calicoEbpf),
    },
    nodes: byName(weak.nodes ?? [], strong.nodes ?? []),
    services: byName(weak.services ?? [], strong.services ?? []),
    timeline: [...(weak.timeline ?? []), ...(strong.timeline ?? [])],
  };
}

/** One that has pools or virtual servers stands for itself; one that has none completes the other, key by key. */
function overlaidEdge(weak: EdgeFacts | undefined, strong: EdgeFacts | undefined): EdgeFacts | undefined {
  if (weak === undefined || strong === undefined) return strong ?? weak;
  const stated = strong.stated ?? Object.keys(strong.raw);
  if (stated.includes('pools') || stated.includes('virtualServers')) return strong;
  const more = Object.entries(strong.raw).filter(([key]) => stated.includes(key));
  // what every virtual server says of SNAT is the objects'; a Scenario's word is for all of them
  const servers = stated.includes('snat')
    ? weak.raw.virtualServers?.map((server) => ({ ...server, snat: undefined }))
    : weak.raw.virtualServers;
  return {
    place: strong.place,
    stated,
    raw: { ...weak.raw, ...Object.fromEntries(more), virtualServers: servers },
  };
}

/** The named ones of `strong` first and in their order; what only `weak` has follows. */
function byName<T extends { readonly name: string }>(weak: readonly T[], strong: readonly T[]): T[] {
  const weakByName = new Map(weak.map((item) => [item.name, item]));
  const strongNames = new Set(strong.map((item) => item.name));
  return [
    ...strong.map((item) => over(weakByName.get(item.name), item)),
    ...weak.filter((item) => !strongNames.has(item.name)),
  ];
}

/** `strong`'s keys over `weak`'s; a key that is undefined says nothing. */
export function over<T extends object>(weak: T | undefined, strong: T | undefined): T {
  const stated = Object.entries(strong ?? {}).filter(([, value]) => value !== undefined);
  return { ...weak, ...Object.fromEntries(stated) } as T;
}
