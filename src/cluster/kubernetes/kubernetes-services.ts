/**
 * Services of Kubernetes as kube-proxy takes them: every one that has an address or a node port, with its ways in and
 * its endpoints. VIPs are the addresses that a load balancer gave the Service, the one it asked for, and its external
 * IPs.
 *
 * None of kube-proxy's: ExternalName and headless Services, those that the label service-proxy-name hands to another
 * proxy, and load balancer addresses of ipMode Proxy (pkg/proxy/util ShouldSkipService; KEP-1860).
 */
import { type Address, formatAddress, sameAddress } from '../../addr/address.js';
import { type Prefix, parsePrefix } from '../../addr/prefix.js';
import { PROTOCOLS } from '../limits.js';
import type { ServicePort } from '../model.js';
import { type EndpointFacts, positionIn, type ServiceFacts } from '../scenario/facts.js';
import { type Problems, placeText } from '../yaml/problems.js';
import { type KubernetesObjects, type Remarks, shortNames } from './kubernetes-objects.js';
import type { ServiceObject } from './kubernetes-schemas.js';
import { BackendIndex, type Backends, joinFamilies, type Service } from './service-backends.js';

const PROXY_NAME = 'service.kubernetes.io/service-proxy-name';
const HEADLESS = 'service.kubernetes.io/headless';

export function kubernetesServices(
  objects: KubernetesObjects,
  problems: Problems,
  remarks: Remarks,
): ServiceFacts[] {
  const taken = objects.service.filter((service) => isProxied(service, remarks));
  const exposed = taken.filter(({ object }) => vipsOf(object).length > 0);
  notePending(objects.service, remarks);
  const byOthers = objects.virtualServer.length + objects.transportServer.length + objects.ingressLink.length;
  if (exposed.length === 0 && objects.service.length > 0 && byOthers === 0) {
    const count = objects.service.length;
    remarks.notes.push(
      `None of the ${count} Service object${count === 1 ? '' : 's'} has type LoadBalancer with an address, or externalIPs.`,
    );
  }
  const serviceName = namesOf(exposed, taken);
  const podName = shortNames([...objects.pod, ...referencedPods(objects)]);
  const index = new BackendIndex(objects, problems, remarks.unread);
  const services = taken.map((service): ServiceFacts => {
    const isExposed = exposed.includes(service);
    const name = serviceName(service);
    const backends = index.of(service, isExposed);
    const endpoints = joinFamilies(backends.endpoints, podName);
    const ports = portsOf(service, endpoints);
    if (isExposed) noteBackends(service, name, backends, ports, remarks.notes);
    return {
      ...policiesOf(service, problems, remarks),
      name,
      place: service.place,
      fromObjects: true,
      namespace: service.namespace,
      labels: service.object.metadata.labels,
      loadBalancerClass: service.object.spec.loadBalancerClass,
      ports: ports.map(({ port }) => port),
      endpoints: endpoints.map((endpoint): EndpointFacts => {
        const { pod, place, addresses, ready, serving, terminating, zoneHints, nodeHints } = endpoint;
        const node = endpoint.node ?? index.nodeOf(addresses);
        const own = endpoint.targetPorts.some((port, i) => port !== ports[i]!.port.targetPort);
        return {
          pod,
          place,
          node,
          addresses,
          ready,
          serving,
          terminating,
          targetPorts: own ? endpoint.targetPorts : undefined,
          zoneHints: zoneHints?.length ? zoneHints : undefined,
          nodeHints: nodeHints?.length ? nodeHints : undefined,
        };
      }),
    };
  });
  return withWholePods(services);
}

/** Exposed Services keep the shortest names that tell them apart; others yield to them. */
function namesOf(exposed: readonly Service[], all: readonly Service[]): (service: Service) => string {
  const ofExposed = shortNames(exposed);
  const spoken = new Set(exposed.map(ofExposed));
  const ofAll = shortNames(all);
  const isExposed = new Set(exposed);
  return (service) => {
    if (isExposed.has(service)) return ofExposed(service);
    const name = ofAll(service);
    return spoken.has(name) ? `${service.namespace}/${service.name}` : name;
  };
}

function isProxied({ name, object }: Service, { notes, unread }: Remarks): boolean {
  const { metadata, spec } = object;
  if (spec.type === 'ExternalName') return false;
  const other = metadata.labels?.[PROXY_NAME];
  if (other !== undefined) {
    unread.push(
      `Service ${name}: the label ${PROXY_NAME} hands it to ${other || 'another proxy'}, which is not modelled; kube-proxy has no rule for it.`,
    );
    return false;
  }
  const headless = spec.clusterIP === 'None' || metadata.labels?.[HEADLESS] !== undefined;
  if (headless && vipsOf(object).length > 0) {
    notes.push(`Service ${name} is headless: kube-proxy has no rule for it, whatever its other addresses.`);
  }
  if (headless) return false;
  const proxied = ingressOf(object).flatMap(({ ip, ipMode }) =>
    ip !== undefined && ipMode === 'Proxy' ? [formatAddress(ip)] : [],
  );
  if (proxied.length > 0) {
    unread.push(
      `Service ${name}: ${proxied.join(', ')} has ipMode Proxy: its load balancer answers there itself, and no node has a rule for it.`,
    );
  }
  const hasNodePort = (spec.ports ?? []).some(({ nodePort }) => nodePort !== undefined);
  return vipsOf(object).length + clusterAddressesOf(object).length > 0 || hasNodePort;
}

function notePending(services: readonly Service[], { notes }: Remarks): void {
  const pending = services.filter(
    ({ object }) =>
      object.spec.type === 'LoadBalancer' && vipsOf(object).length === 0 && ingressOf(object).length === 0,
  );
  for (const { name } of pending) {
    notes.push(
      `Service ${name} has type LoadBalancer but no address yet: from outside it has node ports only.`,
    );
  }
}

function noteBackends(
  { object: { spec } }: Service,
  name: string,
  { from, endpoints }: Backends,
  ports: readonly { readonly port: ServicePort; readonly served: boolean }[],
  notes: string[],
): void {
  if (from === 'nothing') {
    const selector = Object.entries(spec.selector ?? {}).map(([key, value]) => `${key}=${value}`);
    const pods =
      selector.length === 0 ? 'it selects none' : `no Pod matches its selector ${selector.join(',')}`;
    notes.push(
      `Service ${name} has no endpoint: neither EndpointSlices nor Endpoints of it were given, and ${pods}. Every connection to it is refused here; collect endpointslices if it has some.`,
    );
  } else if (endpoints.length === 0) {
    notes.push(
      `Service ${name} has no endpoint in its ${from === 'slices' ? 'EndpointSlices' : 'Endpoints'}: its connections are refused.`,
    );
  } else {
    if (from === 'pods') {
      notes.push(
        `Service ${name}: no EndpointSlice of it was given; its endpoints are the Pods that it selects.`,
      );
    }
    for (const { port, served } of ports) {
      if (served) continue;
      notes.push(`Service ${name}: no endpoint serves its port ${port.port}; connections to it are refused.`);
    }
  }
}

function policiesOf(
  { name, place, object: { spec, ...rest } }: Service,
  problems: Problems,
  { unread }: Remarks,
): Omit<ServiceFacts, 'name' | 'place' | 'ports' | 'endpoints'> {
  const object = { spec, ...rest };
  const vips = vipsOf(object);
  const externalIPs = spec.externalIPs ?? [];
  const cluster = clusterAddressesOf(object);
  const sourceRanges = (spec.loadBalancerSourceRanges ?? []).flatMap((text, i): Prefix[] => {
    const range = parsePrefix(text.trim());
    if (range !== null) return [range];
    const position = positionIn(place, 'spec', 'loadBalancerSourceRanges', i);
    const sentence = `Service ${name}: expected a prefix like 203.0.113.0/24, found "${text}"`;
    if (vips.length > 0) problems.add(position, sentence);
    else unread.push(`${sentence} (${placeText(position).slice(0, -2)}).`);
    return [];
  });
  return {
    vips,
    externalIPs: externalIPs.length > 0 ? externalIPs : undefined,
    clusterAddresses: cluster.length > 0 ? cluster : undefined,
    externalTrafficPolicy: spec.externalTrafficPolicy,
    internalTrafficPolicy: spec.internalTrafficPolicy,
    sourceRanges: sourceRanges.length > 0 ? sourceRanges : undefined,
    publishNotReady: spec.publishNotReadyAddresses,
    sessionAffinity: spec.sessionAffinity,
    affinityTimeoutS: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds,
  };
}

type Ingress = NonNullable<NonNullable<NonNullable<ServiceObject['status']>['loadBalancer']>['ingress']>;

function ingressOf({ spec, status }: ServiceObject): Ingress {
  return spec.type === 'LoadBalancer' ? (status?.loadBalancer?.ingress ?? []) : [];
}

function vipsOf(object: ServiceObject): Address[] {
  const { spec } = object;
  const ingress = ingressOf(object);
  const given = ingress.flatMap(({ ip, ipMode }) => (ip === undefined || ipMode === 'Proxy' ? [] : [ip]));
  const balanced = spec.type === 'LoadBalancer';
  const asked = balanced && ingress.length === 0 && spec.loadBalancerIP ? [spec.loadBalancerIP] : [];
  return distinct([...given, ...asked, ...(spec.externalIPs ?? [])]);
}

function clusterAddressesOf({ spec }: ServiceObject): Address[] {
  const all = [...(spec.clusterIPs ?? []), ...(spec.clusterIP === undefined ? [] : [spec.clusterIP])];
  return distinct(all.flatMap((address) => (typeof address === 'string' ? [] : [address])));
}

function distinct(addresses: readonly Address[]): Address[] {
  return addresses.filter((one, i) => addresses.findIndex((other) => sameAddress(one, other)) === i);
}

/** The ports with the number that most of what serves them listens on; and whether anything does. */
function portsOf(
  { object }: Service,
  endpoints: readonly { readonly targetPorts: readonly (number | null)[] }[],
): { port: ServicePort; served: boolean }[] {
  return (object.spec.ports ?? []).map(({ name = null, protocol = 'TCP', port, targetPort, nodePort }, i) => {
    const counts = new Map<number, number>();
    for (const { targetPorts } of endpoints) {
      const target = targetPorts[i];
      if (typeof target === 'number') counts.set(target, (counts.get(target) ?? 0) + 1);
    }
    const commonest = [...counts].sort(([, m], [, n]) => n - m)[0]?.[0];
    const stated = typeof targetPort === 'number' ? targetPort : port;
    return {
      port: {
        name,
        proto: PROTOCOLS[protocol]!,
        port,
        targetPort: commonest ?? stated,
        ...(nodePort === undefined ? {} : { nodePort }),
      },
      served: commonest !== undefined,
    };
  });
}

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

/**
 * A pod has its addresses in every service: a service of one family lists a part of them. Where two services list
 * different addresses of one family (a slice that is late), the pod of the later one goes by its address.
 */
function withWholePods(services: readonly ServiceFacts[]): ServiceFacts[] {
  const known = new Map<string, readonly Address[]>();
  const renamed = services.map((service) => ({
    ...service,
    endpoints: (service.endpoints ?? []).map((endpoint) => {
      const before = known.get(endpoint.pod) ?? [];
      const more = endpoint.addresses.filter((a) => !before.some((b) => sameAddress(a, b)));
      if (more.some((a) => before.some((b) => a.family === b.family))) {
        return { ...endpoint, pod: `${endpoint.pod}@${formatAddress(endpoint.addresses[0]!)}` };
      }
      if (more.length > 0) known.set(endpoint.pod, [...before, ...more]);
      return endpoint;
    }),
  }));
  return renamed.map((service) => ({
    ...service,
    endpoints: service.endpoints.map((endpoint) => ({
      ...endpoint,
      addresses: known.get(endpoint.pod) ?? endpoint.addresses,
    })),
  }));
}
