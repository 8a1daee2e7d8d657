/**
 * The endpoints of a Service and where each of them listens: from its EndpointSlices, else from its Endpoints, else from
 * the Pods that it selects, as the endpoint slice controller would list them.
 *
 * An endpoint serves the ports of its own slice (or subset) only, each under the number that stands there. Slices for
 * host names are nobody's. Source: discovery/v1 and v1beta1, core/v1, pkg/controller/endpointslice.
 */
import { type Address, formatAddress, parseAddress, sameAddress } from '../../addr/address.js';
import { PROTOCOLS } from '../limits.js';
import { type Place, positionIn } from '../scenario/facts.js';
import { type Problems, placeText } from '../yaml/problems.js';
import type { KubernetesObjects, Read } from './kubernetes-objects.js';
import type { PodObject, ServiceObject } from './kubernetes-schemas.js';
import { matches } from './label-selector.js';

/** The label that ties a slice to its Service. */
const SERVICE_NAME = 'kubernetes.io/service-name';
/** Of v1beta1, where `topology` held what `nodeName` and `zone` are now. */
const HOSTNAME = 'kubernetes.io/hostname';

export type Service = Read<ServiceObject>;
type Pod = Read<PodObject>;

/** An endpoint of one family, as a slice lists it. */
export interface ListedEndpoint {
  readonly place: Place;
  /** of the pod, where there is one */
  readonly pod: string | null;
  readonly namespace: string;
  readonly node: string | null;
  readonly addresses: readonly Address[];
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zoneHints?: readonly string[];
  readonly nodeHints?: readonly string[];
  /** by row of the Service's ports: where it listens, null = not served */
  readonly targetPorts: readonly (number | null)[];
}

type BackendSource = 'slices' | 'endpoints' | 'pods' | 'nothing';

export interface Backends {
  readonly from: BackendSource;
  readonly endpoints: readonly ListedEndpoint[];
}

interface ListedPort {
  readonly name: string;
  readonly proto: number;
  readonly port: number;
}

/** Objects by what a Service looks them up by: made once for all Services. */
export class BackendIndex {
  private readonly slices: ReadonlyMap<string, KubernetesObjects['slice']>;
  private readonly subsets: ReadonlyMap<string, KubernetesObjects['endpoints']>;
  private readonly pods: ReadonlyMap<string, readonly Pod[]>;
  private readonly nodeByAddress = new Map<string, string>();

  constructor(
    objects: KubernetesObjects,
    private readonly problems: Problems,
    private readonly unread: string[],
  ) {
    this.slices = groupBy(objects.slice, ({ namespace, object }) =>
      keyOf(namespace, object.metadata.labels?.[SERVICE_NAME] ?? ''),
    );
    this.subsets = groupBy(objects.endpoints, ({ namespace, name }) => keyOf(namespace, name));
    this.pods = groupBy(objects.pod, ({ namespace }) => namespace);
    for (const { object } of objects.pod) {
      const node = object.spec?.nodeName;
      if (node === undefined || isOver(object)) continue;
      for (const address of podAddresses(object)) this.nodeByAddress.set(formatAddress(address), node);
    }
  }

  /** `exposed`: whether clients reach it from outside, so that what cannot be read of it must not be passed over. */
  of(service: Service, exposed: boolean): Backends {
    const key = keyOf(service.namespace, service.name);
    const slices = this.slices.get(key);
    if (slices !== undefined) {
      const unread: string[] = [];
      const endpoints = slices.flatMap((slice) => this.fromSlice(slice, service, exposed, unread));
      this.unread.push(...unread);
      return { from: 'slices', endpoints };
    }
    const subsets = this.subsets.get(key);
    if (subsets !== undefined) {
      return { from: 'endpoints', endpoints: subsets.flatMap((one) => this.fromEndpoints(one, service)) };
    }
    const selected = this.selected(service);
    if (selected.length === 0) return { from: 'nothing', endpoints: [] };
    return { from: 'pods', endpoints: selected.flatMap((pod) => fromPod(pod, service)) };
  }

  /** The node of the pod with one of these addresses, or null. */
  nodeOf(addresses: readonly Address[]): string | null {
    for (const address of addresses) {
      const node = this.nodeByAddress.get(formatAddress(address));
      if (node !== undefined) return node;
    }
    return null;
  }

  private selected({ namespace, object }: Service): readonly Pod[] {
    const { selector } = object.spec;
    if (selector === undefined || Object.keys(selector).length === 0) return [];
    return (this.pods.get(namespace) ?? []).filter(
      (pod) => matches({ matchLabels: selector }, pod.object.metadata.labels ?? {}) && !isOver(pod.object),
    );
  }

  private fromSlice(
    { place, name, namespace, object }: KubernetesObjects['slice'][number],
    service: Service,
    exposed: boolean,
    unread: string[],
  ): ListedEndpoint[] {
    const { addressType = 'IPv4' } = object;
    if (addressType !== 'IPv4' && addressType !== 'IPv6') {
      if (exposed) {
        unread.push(
          `EndpointSlice ${name}: addressType ${addressType}; kube-proxy takes IPv4 and IPv6 only.`,
        );
      }
      return [];
    }
    const ports = targetPortsOf(service, listedPorts(object.ports));
    return (object.endpoints ?? []).map((endpoint, i): ListedEndpoint => {
      const { conditions = {}, hints, topology, targetRef } = endpoint;
      // Absent conditions: ready means ready, serving follows it (discovery/v1 EndpointConditions).
      const ready = conditions.ready ?? true;
      const addresses = endpoint.addresses.flatMap((text, k): Address[] => {
        const address = parseAddress(text);
        if (address !== null && `IPv${address.family}` === addressType) return [address];
        const position = positionIn(place, 'endpoints', i, 'addresses', k);
        const sentence = `EndpointSlice ${name}: expected an ${addressType} address, found "${text}"`;
        if (exposed) this.problems.add(position, sentence);
        else unread.push(`${sentence} (${placeText(position).slice(0, -2)}).`);
        return [];
      });
      return {
        place: { document: place.document, path: [...place.path, 'endpoints', i] },
        pod: targetRef?.kind === 'Pod' ? (targetRef.name ?? null) : null,
        namespace,
        node: endpoint.nodeName ?? topology?.[HOSTNAME] ?? null,
        addresses,
        ready,
        serving: conditions.serving ?? ready,
        terminating: conditions.terminating ?? false,
        zoneHints: (hints?.forZones ?? []).map((hint) => hint.name),
        nodeHints: (hints?.forNodes ?? []).map((hint) => hint.name),
        targetPorts: ports,
      };
    });
  }

  private fromEndpoints(
    { place, namespace, object }: KubernetesObjects['endpoints'][number],
    service: Service,
  ): ListedEndpoint[] {
    return (object.subsets ?? []).flatMap((subset, i) => {
      const targetPorts = targetPortsOf(service, listedPorts(subset.ports));
      return (['addresses', 'notReadyAddresses'] as const).flatMap((list) =>
        (subset[list] ?? []).map(({ ip, nodeName, targetRef }, k): ListedEndpoint => {
          const ready = list === 'addresses';
          return {
            place: { document: place.document, path: [...place.path, 'subsets', i, list, k] },
            pod: targetRef?.kind === 'Pod' ? (targetRef.name ?? null) : null,
            namespace,
            node: nodeName ?? null,
            addresses: [ip],
            ready,
            serving: ready,
            terminating: false,
            targetPorts,
          };
        }),
      );
    });
  }
}

/** What the controller would list of a pod; nothing where it has no address. */
function fromPod({ place, name, namespace, object }: Pod, service: Service): ListedEndpoint[] {
  const addresses = podAddresses(object);
  if (addresses.length === 0) return [];
  const serving = object.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
  const terminating = object.metadata.deletionTimestamp !== undefined;
  const published = service.object.spec.publishNotReadyAddresses === true;
  const targetPorts = (service.object.spec.ports ?? []).map(
    ({ port, protocol = 'TCP', targetPort = port }) =>
      typeof targetPort === 'number' ? targetPort : containerPort(object, targetPort, protocol),
  );
  return [
    {
      place,
      pod: name,
      namespace,
      node: object.spec?.nodeName ?? null,
      addresses,
      ready: published || (serving && !terminating),
      serving,
      terminating,
      targetPorts,
    },
  ];
}

/** The number that a pod's containers give a named port, or null. */
function containerPort({ spec }: PodObject, wanted: string, protocol: string): number | null {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  for (const { ports = [] } of containers) {
    const found = ports.find((port) => port.name === wanted && (port.protocol ?? 'TCP') === protocol);
    if (found !== undefined) return found.containerPort;
  }
  return null;
}

export function isOver({ status }: PodObject): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

export function podAddresses({ status }: PodObject): Address[] {
  const several = (status?.podIPs ?? []).map(({ ip }) => ip);
  const one = status?.podIP === undefined ? null : parseAddress(status.podIP);
  return several.length > 0 || one === null ? several : [one];
}

function listedPorts(
  ports: readonly {
    name?: string | undefined;
    protocol?: string | undefined;
    port?: number | undefined;
  }[] = [],
): ListedPort[] {
  return ports.flatMap(({ name = '', protocol = 'TCP', port }) =>
    port === undefined ? [] : [{ name, proto: PROTOCOLS[protocol]!, port }],
  );
}

/** A slice's port serves the Service's port of the same name and protocol. */
function targetPortsOf({ object }: Service, listed: readonly ListedPort[]): (number | null)[] {
  return (object.spec.ports ?? []).map(({ name = '', protocol = 'TCP' }) => {
    const found = listed.find((one) => one.name === name && one.proto === PROTOCOLS[protocol]);
    return found?.port ?? null;
  });
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/**
 * A pod stands in one slice per family, may stand in two while it moves, and in several where its ports differ: one
 * endpoint with all addresses and ports.
 */
export function joinFamilies(
  listed: readonly ListedEndpoint[],
  podName: (pod: { name: string; namespace: string }) => string,
): (ListedEndpoint & { readonly pod: string })[] {
  const byPod = new Map<string, ListedEndpoint & { readonly pod: string }>();
  for (const endpoint of listed) {
    const first = endpoint.addresses[0];
    if (first === undefined) continue;
    const { pod: name, namespace } = endpoint;
    const pod = name === null ? formatAddress(first) : podName({ name, namespace });
    const before = byPod.get(pod);
    if (before === undefined) {
      byPod.set(pod, { ...endpoint, pod });
      continue;
    }
    const more = endpoint.addresses.filter((a) => !before.addresses.some((b) => sameAddress(a, b)));
    byPod.set(pod, {
      ...before,
      addresses: [...before.addresses, ...more],
      // As kube-proxy's endpoint cache does with duplicates: ready in any is ready.
      ready: before.ready || endpoint.ready,
      serving: before.serving || endpoint.serving,
      terminating: before.terminating && endpoint.terminating,
      targetPorts: before.targetPorts.map((port, i) => port ?? endpoint.targetPorts[i] ?? null),
    });
  }
  return [...byPod.values()];
}
