/**
 * Which Services are ingress proxies, port by port, and what those believe: `l7Proxy` of the services' ports.
 *
 * A Service is a proxy's where its selector finds a container with a proxy's image, and a port of it where that
 * container listens on the port's number. How the applications behind read their client's address nobody's objects say.
 */
import type { L7ProxyModel } from '../../l7-model.js';
import type { Assumption, ServicePort } from '../../model.js';
import type { ServiceFacts } from '../../scenario/facts.js';
import type { KubernetesObjects, Remarks } from '../kubernetes-objects.js';
import { applicationsBehind } from './applications.js';
import { controllerSettings, envoySettings } from './other-proxies.js';
import { behind, type ProxyContainer, type ProxySettings, proxyContainers } from './proxy-settings.js';
import { TRAEFIK_IMAGE, traefikSettings } from './traefik.js';

const TCP = 6;

export interface L7Facts {
  readonly services: readonly ServiceFacts[];
  readonly assumed: readonly Assumption[];
}

export function l7Services(
  objects: KubernetesObjects,
  services: readonly ServiceFacts[],
  { unread }: Remarks,
): L7Facts {
  const containers = proxyContainers(objects);
  if (containers.length === 0) return { services, assumed: [] };
  const byName = new Map(objects.service.map((one) => [`${one.namespace}/${one.name}`, one]));
  const assumed: Assumption[] = [];
  const said = new Set<string>();
  const settingsOf = new Map<ProxyContainer, ProxySettings | null>();
  const withProxies = services.map((service): ServiceFacts => {
    const own = byName.get(`${service.namespace}/${service.name.replace(/^.*\//, '')}`);
    const [proxy, ...others] = own === undefined ? [] : behind(own, containers);
    if (proxy === undefined) return service;
    if (!settingsOf.has(proxy)) settingsOf.set(proxy, settings(proxy, objects));
    const read = settingsOf.get(proxy) ?? null;
    if (read === null) return service;
    for (const sentence of read.unread) {
      const whole = `${proxy.object}: ${sentence}.`;
      if (!said.has(whole)) unread.push(whole);
      said.add(whole);
    }
    noteOthers(service.name, proxy, others, unread);
    const applications = applicationsBehind(objects, [...read.ports.values()][0]?.kind);
    const raw = rawPorts(own!, objects);
    const ports = (service.ports ?? []).map((port) =>
      raw.has(port.port) ? port : withProxy(port, read.ports, applications),
    );
    if (!ports.some(({ l7Proxy }) => l7Proxy !== undefined && l7Proxy !== null)) return service;
    const what = `services.${service.name}.l7Proxy`;
    for (const because of read.assumed) assumed.push({ what, value: 'as by default', because });
    assumed.push({
      what: `${what}.application`,
      value: 'reads the first entry of X-Forwarded-For',
      because: 'no object says how the applications behind the proxy read their client’s address',
    });
    return { ...service, ports };
  });
  return { services: withProxies, assumed };
}

function settings(proxy: ProxyContainer, objects: KubernetesObjects): ProxySettings | null {
  const { image = '' } = proxy.container;
  if (TRAEFIK_IMAGE.test(image)) return traefikSettings(proxy, objects);
  if (/envoy|proxyv2/.test(image)) return envoySettings(proxy);
  return controllerSettings(proxy, objects);
}

/** Ports of a Gateway's Service whose listeners pass on bytes: TCP, TLS in passthrough. */
function rawPorts(
  { namespace, object }: KubernetesObjects['service'][number],
  { gateway }: KubernetesObjects,
): Set<number> {
  const name = object.metadata.labels?.['gateway.networking.k8s.io/gateway-name'];
  const own = gateway.find((one) => one.name === name && one.namespace === namespace);
  const listeners = own?.object.spec?.listeners ?? [];
  const isRaw = ({ protocol, tls }: (typeof listeners)[number]): boolean =>
    protocol === 'TCP' || (protocol === 'TLS' && tls?.mode === 'Passthrough');
  return new Set(listeners.filter(isRaw).flatMap(({ port }) => (port === undefined ? [] : [port])));
}

/** A port that the proxy's container does not listen on is served by something else in the pod. */
function withProxy(
  port: ServicePort,
  proxies: ReadonlyMap<number, L7ProxyModel>,
  application: L7ProxyModel['application'] | null,
): ServicePort {
  const proxy = port.proto === TCP ? proxies.get(port.targetPort) : undefined;
  if (proxy === undefined) return port;
  const readsHeader = proxy.application.reads !== 'peer';
  return { ...port, l7Proxy: application === null || !readsHeader ? proxy : { ...proxy, application } };
}

/** Pods of one Service that are told different things: a roll-out that stands still, or two controllers. */
function noteOthers(
  name: string,
  { object, container }: ProxyContainer,
  others: readonly ProxyContainer[],
  unread: string[],
): void {
  const workloads = others.filter((one) => !one.object.startsWith('Pod ') && one.object !== object);
  if (workloads.length === 0) return;
  const differs = workloads.some(
    (one) => JSON.stringify(one.container.args) !== JSON.stringify(container.args),
  );
  if (!differs) return;
  unread.push(
    `Service ${name}: its pods are those of ${object} and ${workloads.map((one) => one.object).join(', ')}, which are told different things; those of ${object} are taken.`,
  );
}
