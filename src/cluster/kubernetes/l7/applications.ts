/**
 * The application behind an ingress proxy, where the routes of the cluster name a single one: Ingress, HTTPRoute,
 * Traefik's IngressRoute.
 */
import { formatAddress } from '../../../addr/address.js';
import type { ApplicationModel, L7Kind } from '../../l7-model.js';
import type { KubernetesObjects } from '../kubernetes-objects.js';

interface Backend {
  readonly namespace: string;
  readonly name: string;
  readonly port: number | string | undefined;
}

/** What an IngressClass or GatewayClass calls the controllers of each kind. */
const CONTROLLERS: Readonly<Record<L7Kind, RegExp>> = {
  traefik: /traefik/,
  nginx: /nginx/,
  haproxy: /haproxy/,
  envoy: /envoy|istio|contour/,
};

/** Address and port of the only Service that routes of this kind of proxy name; null: none, or several. */
export function applicationsBehind(
  objects: KubernetesObjects,
  kind: L7Kind | undefined,
): ApplicationModel | null {
  if (kind === undefined) return null;
  const backends = new Map(
    backendsOf(objects, kind).map((one) => [`${one.namespace}/${one.name}:${one.port}`, one]),
  );
  const [only, ...others] = [...backends.values()];
  if (only === undefined || others.length > 0) return null;
  const service = objects.service.find((one) => one.namespace === only.namespace && one.name === only.name);
  const { clusterIP, clusterIPs = [], ports = [] } = service?.object.spec ?? {};
  const all = clusterIPs.length > 0 ? clusterIPs : [clusterIP];
  const addresses = all.flatMap((one) => (typeof one === 'object' ? [one] : []));
  const port = ports.find((one) => one.port === only.port || one.name === only.port)?.port;
  if (addresses.length === 0 || port === undefined) return null;
  const distinct = new Map(addresses.map((address) => [formatAddress(address), address]));
  return { addresses: [...distinct.values()], port, reads: 'x-forwarded-for', take: 'first', trusted: [] };
}

function backendsOf(objects: KubernetesObjects, kind: L7Kind): Backend[] {
  const isOurs = (controller: string | undefined): boolean =>
    controller === undefined || CONTROLLERS[kind].test(controller);
  const classes = new Map(
    objects.ingressClass.map(({ name, object }) => [name, object.spec?.controller ?? name]),
  );
  const gateways = new Map(
    objects.gatewayClass.map(({ name, object }) => [name, object.spec?.controllerName ?? name]),
  );
  const ofIngress = objects.ingress.flatMap(({ namespace, object }): Backend[] => {
    const { ingressClassName, defaultBackend, rules = [] } = object.spec ?? {};
    const stated = ingressClassName ?? object.metadata.annotations?.['kubernetes.io/ingress.class'];
    if (!isOurs(stated === undefined ? undefined : (classes.get(stated) ?? stated))) return [];
    return [
      defaultBackend,
      ...rules.flatMap(({ http }) => (http?.paths ?? []).map(({ backend }) => backend)),
    ].flatMap((backend): Backend[] => {
      const name = backend?.service?.name ?? backend?.serviceName;
      const port = backend?.service?.port;
      return name === undefined
        ? []
        : [{ namespace, name, port: port?.number ?? port?.name ?? backend?.servicePort }];
    });
  });
  const ofRoutes = objects.httpRoute.flatMap(({ namespace, object }): Backend[] => {
    const { parentRefs = [], rules = [] } = object.spec ?? {};
    const served = parentRefs.some((parent) => {
      const gateway = objects.gateway.find(
        (one) => one.name === parent.name && one.namespace === (parent.namespace ?? namespace),
      );
      const name = gateway?.object.spec?.gatewayClassName;
      return name !== undefined && isOurs(gateways.get(name) ?? name);
    });
    if (!served) return [];
    return rules.flatMap(({ backendRefs = [] }) =>
      backendRefs.map((one) => ({ namespace: one.namespace ?? namespace, name: one.name, port: one.port })),
    );
  });
  if (kind !== 'traefik') return [...ofIngress, ...ofRoutes];
  const ofTraefik = objects.ingressRoute.flatMap(({ namespace, object }) =>
    (object.spec?.routes ?? []).flatMap(({ services = [] }) =>
      services
        .filter((one) => one.kind !== 'TraefikService' && !one.name.includes('@'))
        .map((one) => ({ namespace: one.namespace ?? namespace, name: one.name, port: one.port })),
    ),
  );
  return [...ofIngress, ...ofRoutes, ...ofTraefik];
}
