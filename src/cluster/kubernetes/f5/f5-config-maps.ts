/**
 * ConfigMaps with the label `f5type: virtual-server` as virtual servers: an AS3 declaration (label `as3: "true"`, key
 * `template`), or CIS's own form of before (keys `schema` and `data`).
 *
 * A pool of an AS3 declaration gets its members from the Service whose labels name tenant, application and pool
 * (cis.f5.com/as3-tenant, -app, -pool). Source: CIS docs, AS3 schema 3.x (Service_*, Pool, Monitor).
 */
import { parseAddress } from '../../../addr/address.js';
import { PROTOCOLS } from '../../limits.js';
import type { KubernetesObjects, Read, Remarks } from '../kubernetes-objects.js';
import {
  type As3Pool,
  type As3Service,
  as3Declaration,
  as3Monitor,
  as3Pool,
  as3Service,
  cccVirtualServer,
} from './f5-schemas.js';
import {
  F5Doubts,
  type F5MonitorSettings,
  type F5Virtual,
  type F5VirtualPool,
  USUAL_MONITOR,
  USUAL_SLOW_RAMP_S,
} from './f5-virtual.js';

type ConfigMap = KubernetesObjects['configMap'][number];
type Classes = Readonly<Record<string, unknown>>;

/** AS3's own monitors, which stand in every declaration by name. */
const BUILT_IN_MONITORS = ['http', 'https', 'tcp', 'tcp-half-open', 'icmp', 'gateway-icmp'];
/** Which transport a class listens on, on what port where none is stated, and whether it is a full proxy. */
const SERVICE_CLASSES: Readonly<
  Record<string, { proto: string; port?: number; proxy: boolean; cookie: boolean }>
> = {
  Service_HTTP: { proto: 'TCP', port: 80, proxy: true, cookie: true },
  Service_HTTPS: { proto: 'TCP', port: 443, proxy: true, cookie: true },
  Service_TCP: { proto: 'TCP', proxy: true, cookie: false },
  Service_L4: { proto: 'TCP', proxy: false, cookie: false },
  Service_UDP: { proto: 'UDP', proxy: false, cookie: false },
  Service_SCTP: { proto: 'SCTP', proxy: false, cookie: false },
};

function isF5ConfigMap({ object }: Pick<ConfigMap, 'object'>): boolean {
  return object.metadata.labels?.f5type === 'virtual-server';
}

export function f5ConfigMaps(objects: KubernetesObjects, { unread }: Remarks): F5Virtual[] {
  return objects.configMap.filter(isF5ConfigMap).flatMap((map) => {
    const isAs3 = map.object.metadata.labels?.as3 === 'true';
    const text = map.object.data?.[isAs3 ? 'template' : 'data'];
    const parsed = typeof text === 'string' ? jsonOf(text) : undefined;
    const found = isAs3 ? ofDeclaration(map, parsed, objects.service, unread) : ofOldForm(map, parsed);
    if (found === null) {
      unread.push(
        `ConfigMap ${map.name}: its ${isAs3 ? 'AS3 declaration' : 'virtual server'} cannot be read, and what it serves is not known.`,
      );
    }
    return found ?? [];
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// -- AS3

function ofDeclaration(
  map: ConfigMap,
  parsed: unknown,
  services: KubernetesObjects['service'],
  unread: string[],
): F5Virtual[] | null {
  const result = as3Declaration.safeParse(parsed);
  if (!result.success) return null;
  // the declaration may stand without its envelope
  const adc = result.data.declaration ?? (result.data as Classes);
  return classesOf(adc, ['Tenant']).flatMap(([tenant, ofTenant]) =>
    classesOf(ofTenant, ['Application']).flatMap(([app, ofApp]) =>
      Object.entries(ofApp).flatMap(([name, one]): F5Virtual[] => {
        if (!String((one as Classes | null)?.class).startsWith('Service_')) return [];
        const service = as3Service.safeParse(one);
        if (!service.success) {
          unread.push(
            `ConfigMap ${map.name}: ${tenant}/${app}/${name} cannot be read, and what it serves is not known.`,
          );
          return [];
        }
        const label = services.filter(({ object }) => {
          const { labels = {} } = object.metadata;
          return labels['cis.f5.com/as3-tenant'] === tenant && labels['cis.f5.com/as3-app'] === app;
        });
        return [as3Virtual(map, [tenant, app, name], service.data, ofApp, label)];
      }),
    ),
  );
}

function classesOf(parent: Classes, classes: readonly string[]): [string, Classes][] {
  return Object.entries(parent).flatMap(([name, one]): [string, Classes][] =>
    typeof one === 'object' && one !== null && classes.includes(String((one as Classes).class))
      ? [[name, one as Classes]]
      : [],
  );
}

function as3Virtual(
  { name: mapName, namespace, place }: ConfigMap,
  [tenant, app, name]: readonly [string, string, string],
  service: As3Service,
  classes: Classes,
  services: KubernetesObjects['service'],
): F5Virtual {
  const found = new F5Doubts();
  const kind = SERVICE_CLASSES[service.class];
  if (kind === undefined) found.doubt(`its class ${service.class} is not modelled`);
  if (service.iRules !== undefined) found.doubt('its iRules are programs, and not modelled');
  if (service.policyEndpoint !== undefined) found.doubt('its policyEndpoint is not modelled');
  if (service.allowVlans !== undefined) found.pass('allowVlans is taken to hold the VLAN of its clients');
  if (service.redirect80 === true) found.pass('its redirect from port 80 was not read');
  const addresses = (service.virtualAddresses ?? []).flatMap((one) => {
    const text = Array.isArray(one) ? one[0] : one;
    const address = typeof text === 'string' ? parseAddress(text.replace(/%\d+$/, '')) : null;
    if (address !== null) return [address];
    found.doubt('one of its virtualAddresses is no address');
    return [];
  });
  const methods = service.persistenceMethods?.map(nameOf);
  const usual = kind?.cookie === false ? ('source-addr' as const) : null;
  return {
    object: `ConfigMap ${mapName}, ${tenant}/${app}/${name}`,
    name: `${tenant}-${app}-${name}`,
    namespace,
    place,
    addresses,
    proto: PROTOCOLS[kind?.proto ?? 'TCP']!,
    port: service.virtualPort ?? kind?.port ?? 0,
    snat: found.snat(typeof service.snat === 'object' ? 'by name' : service.snat),
    // an empty list says none
    persistence: methods?.length === 0 ? 'none' : found.persistence(methods?.[0], usual),
    proxyProtocol: 0,
    pool: as3PoolOf(service, classes, services, namespace, found),
    isFullProxy: kind?.proxy ?? true,
    doubts: found.doubts,
    unread: found.unread,
  };
}

function nameOf(reference: string | { use?: string | undefined; bigip?: string | undefined }): string {
  return typeof reference === 'string' ? reference : (reference.use ?? reference.bigip ?? '');
}

function as3PoolOf(
  { pool }: As3Service,
  classes: Classes,
  services: KubernetesObjects['service'],
  namespace: string,
  found: F5Doubts,
): F5VirtualPool | null {
  if (pool === undefined) {
    found.doubt('it has no pool');
    return null;
  }
  const name = nameOf(pool);
  const result = as3Pool.safeParse(classes[name]);
  if (!result.success || result.data.class !== 'Pool') {
    found.doubt(`its pool ${name} does not stand in the declaration`);
    return null;
  }
  const labelled = services.filter(({ object }) => object.metadata.labels?.['cis.f5.com/as3-pool'] === name);
  const [target] = labelled;
  if (target === undefined) {
    found.doubt(`no Service has the labels of its pool ${name}: its members are not known`);
    return null;
  }
  const { members = [] } = result.data;
  const [member] = members;
  if (labelled.length > 1 || members.length > 1) {
    found.doubt(`the members of its pool ${name} are those of several Services`);
  }
  if (members.some(({ serverAddresses = [] }) => serverAddresses.length > 0)) {
    found.doubt(`its pool ${name} has members of its own beside the Service’s`);
  }
  if (members.some(({ priorityGroup = 0 }) => priorityGroup > 0)) {
    found.doubt(`priority groups of its pool ${name} are not modelled`);
  }
  return {
    namespace: target.namespace ?? namespace,
    service: target.name,
    servicePort: member?.servicePort ?? null,
    nodeLabel: null,
    balance: found.balance(result.data.loadBalancingMode),
    serviceDown: found.serviceDown(result.data.serviceDownAction),
    slowRampS: result.data.slowRampTime ?? USUAL_SLOW_RAMP_S,
    monitor: as3MonitorOf(result.data, classes, found),
    session: sessionOf(member?.adminState),
  };
}

function sessionOf(state: string | undefined): F5VirtualPool['session'] {
  return state === 'disable' ? 'disabled' : state === 'offline' ? 'offline' : 'enabled';
}

function as3MonitorOf(
  { monitors = [] }: As3Pool,
  classes: Classes,
  found: F5Doubts,
): F5MonitorSettings | null {
  const [first] = monitors;
  if (first === undefined) return null;
  if (monitors.length > 1) found.pass(`of its ${monitors.length} monitors the first is taken`);
  const name = nameOf(first);
  const result = as3Monitor.safeParse(classes[name]);
  if (result.success) {
    const { interval, timeout, targetPort } = result.data;
    return {
      intervalS: interval ?? USUAL_MONITOR.intervalS,
      timeoutS: timeout ?? USUAL_MONITOR.timeoutS,
      port: targetPort ?? 0,
    };
  }
  if (!BUILT_IN_MONITORS.includes(name)) {
    found.pass(`its monitor ${name} stands on the device; BIG-IP’s usual one of 5 s and 16 s is taken`);
  }
  return USUAL_MONITOR;
}

// -- before AS3

function ofOldForm({ name, namespace, place }: Read<unknown>, parsed: unknown): F5Virtual[] | null {
  const result = cccVirtualServer.safeParse(parsed);
  if (!result.success) return null;
  const { frontend, backend } = result.data.virtualServer;
  const found = new F5Doubts();
  const address = parseAddress(frontend.virtualAddress?.bindAddr ?? '');
  if (frontend.iapp !== undefined) found.doubt(`its iApp ${frontend.iapp} is not modelled`);
  const udp = frontend.mode === 'udp';
  const [health] = backend.healthMonitors ?? [];
  return [
    {
      object: `ConfigMap ${name}`,
      name,
      namespace,
      place,
      addresses: address === null ? [] : [address],
      proto: PROTOCOLS[udp ? 'UDP' : 'TCP']!,
      port: frontend.virtualAddress?.port ?? 0,
      snat: 'automap',
      persistence: 'none',
      proxyProtocol: 0,
      pool:
        backend.serviceName === undefined
          ? null
          : {
              namespace,
              service: backend.serviceName,
              servicePort: backend.servicePort ?? null,
              nodeLabel: null,
              balance: found.balance(frontend.balance),
              serviceDown: 'none',
              slowRampS: USUAL_SLOW_RAMP_S,
              monitor: health === undefined ? null : found.monitor([health]),
              session: 'enabled',
            },
      isFullProxy: !udp,
      doubts: found.doubts,
      unread: found.unread,
    },
  ];
}
