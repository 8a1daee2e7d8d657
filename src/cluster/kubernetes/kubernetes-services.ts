/**
 * Services of Kubernetes with their endpoints: from EndpointSlices, else from Endpoints, else from the Pods that
 * the Service selects. VIPs are the addresses that a load balancer gave the Service, the one it asked for, and
 * its external IPs.
 */
import { type Address, formatAddress, parseAddress, sameAddress } from '../../addr/address.js';
import { PROTOCOLS } from '../limits.js';
import type { ServicePort } from '../model.js';
import { type EndpointFacts, type Place, positionIn, type ServiceFacts } from '../scenario/facts.js';
import type { Problems } from '../yaml/problems.js';
import { type KubernetesObjects, type Read, shortNames } from './kubernetes-objects.js';
import type { PodObject, ServiceObject } from './kubernetes-schemas.js';
import { matches } from './label-selector.js';

/** The label that ties a slice to its Service. */
const SERVICE_NAME = 'kubernetes.io/service-name';

type Service = Read<ServiceObject>;
type Pod = Read<PodObject>;

/** An endpoint of one family, as a slice lists it. */
interface ListedEndpoint {
  readonly place: Place;
  /** of the pod, where there is one */
  readonly pod: string | null;
  readonly namespace: string;
  readonly node: string | null;
  readonly addresses: readonly Address[];
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

interface ListedPort {
  readonly name: string;
  readonly proto: number;
  readonly port: number;
}

interface Backends {
  readonly endpoints: readonly ListedEndpoint[];
  readonly ports: readonly ListedPort[];
}

export function kubernetesServices(
  objects: KubernetesObjects,
  problems: Problems,
  notes: string[],
): ServiceFacts[] {
  const exposed = objects.service.filter((service) => isExposed(service, notes));
  if (exposed.length === 0 && objects.service.length > 0) {
    const count = objects.service.length;
    notes.push(
      `None of the ${count} Service object${count === 1 ? '' : 's'} has type LoadBalancer with an address, or externalIPs.`,
    );
  }
  const serviceName = shortNames(exposed);
  const podName = shortNames([...objects.pod, ...referencedPods(objects)]);
  return exposed.map((service) => {
    const name = serviceName(service);
    const { spec } = service.object;
    if (spec.loadBalancerSourceRanges !== undefined && spec.loadBalancerSourceRanges.length > 0) {
      notes.push(`Service ${name}: loadBalancerSourceRanges is not modelled; every client is let in.`);
    }
    const backends = backendsOf(service, objects);
    const endpoints = joinFamilies(backends.endpoints, podName);
    return {
      name,
      place: service.place,
      vips: vipsOf(service.object),
      ports: portsOf(service, name, backends, objects, problems, notes),
      externalTrafficPolicy: spec.externalTrafficPolicy,
      sessionAffinity: spec.sessionAffinity,
      affinityTimeoutS: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds,
      endpoints: endpoints.flatMap((endpoint) => placed(endpoint, name, objects, problems)),
    };
  });
}

function isExposed({ name, object }: Service, notes: string[]): boolean {
  if (vipsOf(object).length > 0) return true;
  if (object.spec.type === 'LoadBalancer') {
    notes.push(`Service ${name} has type LoadBalancer but no address yet; it is left out.`);
  }
  return false;
}

function vipsOf({ spec, status }: ServiceObject): Address[] {
  const given = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
  const balanced = spec.type === 'LoadBalancer';
  const asked = balanced && given.length === 0 && spec.loadBalancerIP ? [spec.loadBalancerIP] : [];
  const all = [...(balanced ? given : []), ...asked, ...(spec.externalIPs ?? [])];
  return all.filter((vip, i) => all.findIndex((other) => sameAddress(vip, other)) === i);
}

// -- backends

/** Pods that slices name; their own objects may not be among the input. */
function referencedPods({ slice, endpoints }: KubernetesObjects): { name: string; namespace: string }[] {
  const inSlices = slice.flatMap(({ namespace, object }) =>
    (object.endpoints ?? []).map(({ targetRef }) => ({ targetRef, namespace })),
  );
  const inSubsets = endpoints.flatMap(({ namespace, object }) =>
    (object.subsets ?? [])
      .flatMap((subset) => [...(subset.addresses ?? []), ...(subset.notReadyAddresses ?? [])])
      .map(({ targetRef }) => ({ targetRef, namespace })),
  );
  return [...inSlices, ...inSubsets].flatMap(({ targetRef, namespace }) =>
    targetRef?.kind === 'Pod' && targetRef.name !== undefined ? [{ name: targetRef.name, namespace }] : [],
  );
}

function backendsOf(service: Service, objects: KubernetesObjects): Backends {
  const slices = objects.slice.filter(
    ({ namespace, object }) =>
      namespace === service.namespace && object.metadata.labels?.[SERVICE_NAME] === service.name,
  );
  if (slices.length > 0) return fromSlices(slices);
  const old = objects.endpoints.filter(
    ({ namespace, name }) => namespace === service.namespace && name === service.name,
  );
  if (old.length > 0) return fromEndpoints(old);
  return fromPods(service, objects.pod);
}

function fromSlices(slices: KubernetesObjects['slice']): Backends {
  const endpoints = slices.flatMap(({ place, namespace, object }) =>
    (object.endpoints ?? []).map(({ addresses, conditions = {}, nodeName, targetRef }, i): ListedEndpoint => {
      // Absent conditions: ready means ready, serving follows it (discovery/v1 EndpointConditions).
      const ready = conditions.ready ?? true;
      return {
        place: { document: place.document, path: [...place.path, 'endpoints', i] },
        pod: targetRef?.kind === 'Pod' ? (targetRef.name ?? null) : null,
        namespace,
        node: nodeName ?? null,
        addresses: addresses.flatMap((text) => parseAddress(text) ?? []),
        ready,
        serving: conditions.serving ?? ready,
        terminating: conditions.terminating ?? false,
      };
    }),
  );
  return { endpoints, ports: slices.flatMap(({ object }) => listedPorts(object.ports)) };
}

function fromEndpoints(objects: KubernetesObjects['endpoints']): Backends {
  const subsets = objects.flatMap(({ place, namespace, object }) =>
    (object.subsets ?? []).map((subset, i) => ({ subset, namespace, place, i })),
  );
  const endpoints = subsets.flatMap(({ subset, namespace, place, i }) =>
    (['addresses', 'notReadyAddresses'] as const).flatMap((list) =>
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
        };
      }),
    ),
  );
  return { endpoints, ports: subsets.flatMap(({ subset }) => listedPorts(subset.ports)) };
}

/** What the endpoint slice controller would list: the pods that the Service selects and that have an address. */
function fromPods(service: Service, pods: readonly Pod[]): Backends {
  const { selector } = service.object.spec;
  if (selector === undefined) return { endpoints: [], ports: [] };
  const selected = pods.filter(
    ({ namespace, object }) =>
      namespace === service.namespace &&
      matches({ matchLabels: selector }, object.metadata.labels ?? {}) &&
      object.status?.phase !== 'Succeeded' &&
      object.status?.phase !== 'Failed',
  );
  const endpoints = selected.map(({ place, name, namespace, object }): ListedEndpoint => {
    const serving =
      object.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
    const terminating = object.metadata.deletionTimestamp !== undefined;
    return {
      place,
      pod: name,
      namespace,
      node: object.spec?.nodeName ?? null,
      addresses: podAddresses(object),
      ready: serving && !terminating,
      serving,
      terminating,
    };
  });
  return { endpoints: endpoints.filter(({ addresses }) => addresses.length > 0), ports: [] };
}

function podAddresses({ status }: PodObject): Address[] {
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

/** A pod stands in one slice per family (and may stand in two while it moves): one endpoint with all addresses. */
function joinFamilies(
  listed: readonly ListedEndpoint[],
  podName: (pod: { name: string; namespace: string }) => string,
): ListedEndpoint[] {
  const byPod = new Map<string, ListedEndpoint>();
  for (const endpoint of listed) {
    const first = endpoint.addresses[0];
    if (first === undefined) continue;
    const { pod: name, namespace } = endpoint;
    const pod = name === null ? formatAddress(first) : podName({ name, namespace });
    const before = byPod.get(pod);
    const more = endpoint.addresses.filter((a) => !before?.addresses.some((b) => sameAddress(a, b)));
    byPod.set(
      pod,
      before === undefined
        ? { ...endpoint, pod }
        : {
            ...before,
            addresses: [...before.addresses, ...more],
            // As kube-proxy's endpoint cache does with duplicates: ready in any is ready.
            ready: before.ready || endpoint.ready,
            serving: before.serving || endpoint.serving,
            terminating: before.terminating && endpoint.terminating,
          },
    );
  }
  return [...byPod.values()];
}

function placed(
  endpoint: ListedEndpoint,
  service: string,
  objects: KubernetesObjects,
  problems: Problems,
): EndpointFacts[] {
  const { place, addresses, ready, serving, terminating } = endpoint;
  const pod = endpoint.pod!;
  const node = endpoint.node ?? nodeOfPod(endpoint, objects);
  if (node === null) {
    const sentence = `endpoint ${pod} of service ${service} names no node; give its Pod object or set nodeName`;
    problems.add(positionIn(place), sentence);
    return [];
  }
  return [{ pod, place, node, addresses, ready, serving, terminating }];
}

function nodeOfPod({ addresses }: ListedEndpoint, { pod }: KubernetesObjects): string | null {
  const owner = pod.find(({ object }) =>
    podAddresses(object).some((a) => addresses.some((b) => sameAddress(a, b))),
  );
  return owner?.object.spec?.nodeName ?? null;
}

// -- ports

/** A named target port can differ from pod to pod; the slice says what it is, else the pods' containers do. */
function portsOf(
  service: Service,
  name: string,
  backends: Backends,
  objects: KubernetesObjects,
  problems: Problems,
  notes: string[],
): ServicePort[] {
  const { ports: listed, endpoints } = backends;
  return (service.object.spec.ports ?? []).flatMap((port, i) => {
    const proto = PROTOCOLS[port.protocol ?? 'TCP']!;
    const made = (targetPort: number): ServicePort[] => [
      { name: port.name ?? null, proto, port: port.port, targetPort },
    ];
    const inSlices = distinct(
      listed.filter((other) => other.name === (port.name ?? '') && other.proto === proto).map((p) => p.port),
    );
    const targets = inSlices.length > 0 ? inSlices : targetsOf(port, proto, service, objects);
    if (targets.length > 1) {
      notes.push(
        `Service ${name}: port ${port.port} leads to ports ${targets.join(', ')} of different pods; ${targets[0]} is taken for all.`,
      );
    }
    if (targets[0] !== undefined) return made(targets[0]);
    // A port that leads to no endpoint leads nowhere: its number does not matter.
    if (endpoints.length === 0) return made(port.port);
    const sentence = `service ${name}: nothing says which number the target port "${port.targetPort}" has; give its EndpointSlices or Pods`;
    problems.add(positionIn(service.place, 'spec', 'ports', i, 'targetPort'), sentence);
    return [];
  });
}

function targetsOf(
  port: NonNullable<ServiceObject['spec']['ports']>[number],
  proto: number,
  service: Service,
  objects: KubernetesObjects,
): number[] {
  const { targetPort = port.port } = port;
  if (typeof targetPort === 'number') return [targetPort];
  const { selector } = service.object.spec;
  const pods = objects.pod.filter(
    ({ namespace, object }) =>
      selector !== undefined &&
      namespace === service.namespace &&
      matches({ matchLabels: selector }, object.metadata.labels ?? {}),
  );
  const ports = pods.flatMap(({ object }) =>
    (object.spec?.containers ?? []).flatMap((container) => container.ports ?? []),
  );
  return distinct(
    ports
      .filter(({ name, protocol = 'TCP' }) => name === targetPort && PROTOCOLS[protocol] === proto)
      .map(({ containerPort }) => containerPort),
  );
}

function distinct(numbers: readonly number[]): number[] {
  return [...new Set(numbers)];
}
