/**
 * CIS's custom resources as virtual servers: VirtualServer (HTTP, a port or two), TransportServer (one port), IngressLink
 * (the Service of an ingress controller), and Services of type LoadBalancer that CIS serves.
 */
import { type Address, parseAddress } from '../../../addr/address.js';
import { PROTOCOLS } from '../../limits.js';
import type { KubernetesObjects, Read, Remarks } from '../kubernetes-objects.js';
import { matches } from '../label-selector.js';
import type { F5PolicyObject, F5Pool, TransportServerObject, VirtualServerObject } from './f5-schemas.js';
import { F5Doubts, type F5Virtual, type F5VirtualPool, USUAL_SLOW_RAMP_S } from './f5-virtual.js';

const TCP = PROTOCOLS.TCP!;
const HTTP_PORT = 80;
const HTTPS_PORT = 443;
/** IngressLink watches the readiness of NGINX there, whatever the Service's ports. */
const NGINX_READY_PORT = 8081;
/** Annotations of a Service that CIS serves. */
const SERVED = ['cis.f5.com/ip', 'cis.f5.com/ipamLabel', 'cis.f5.com/host'];

type Policies = ReadonlyMap<string, F5PolicyObject>;
type Common = Pick<F5Virtual, 'object' | 'name' | 'namespace' | 'place' | 'addresses'>;
type Spec = NonNullable<VirtualServerObject['spec']> | NonNullable<TransportServerObject['spec']>;

export function f5Resources(objects: KubernetesObjects, remarks: Remarks): F5Virtual[] {
  const policies = new Map(
    objects.f5Policy.map(({ namespace, name, object }) => [`${namespace}/${name}`, object]),
  );
  const groups = addressesOfGroups(objects);
  const common = (
    kind: string,
    { name, namespace, place, object }: Read<VirtualServerObject | TransportServerObject>,
  ): Common | null => {
    const own = addressesOf(object);
    const group = object.spec?.hostGroup;
    const addresses = own.length > 0 || group === undefined ? own : (groups.get(group) ?? []);
    if (addresses.length > 0) return { object: `${kind} ${name}`, name, namespace, place, addresses };
    remarks.notes.push(`${kind} ${name} has no address yet: nothing comes in by it.`);
    return null;
  };
  return [
    ...objects.virtualServer.flatMap((read) => {
      const base = common('VirtualServer', read);
      return base === null ? [] : virtualServers(base, read.object, policies);
    }),
    ...objects.transportServer.flatMap((read) => {
      const base = common('TransportServer', read);
      return base === null ? [] : [transportServer(base, read.object, policies)];
    }),
    ...objects.ingressLink.flatMap((read) => {
      const base = common('IngressLink', read as Read<VirtualServerObject>);
      return base === null ? [] : ingressLink(base, read.object, objects, policies);
    }),
    ...objects.service.flatMap((read) => loadBalancerService(read)),
  ];
}

function addressesOf({ spec, status }: VirtualServerObject | TransportServerObject): Address[] {
  const stated = spec?.virtualServerAddress ?? status?.vsAddress;
  return [stated, ...(spec?.additionalVirtualServerAddresses ?? [])].flatMap((text) => {
    // an address may carry a route domain: 10.8.3.11%2
    const address = text === undefined ? null : parseAddress(text.replace(/%\d+$/, ''));
    return address === null ? [] : [address];
  });
}

/** Resources of one host group share an address, which only one of them need state. */
function addressesOfGroups({ virtualServer, transportServer }: KubernetesObjects): Map<string, Address[]> {
  const groups = new Map<string, Address[]>();
  for (const { object } of [...virtualServer, ...transportServer]) {
    const group = object.spec?.hostGroup;
    const addresses = addressesOf(object);
    if (group !== undefined && addresses.length > 0) groups.set(group, addresses);
  }
  return groups;
}

function virtualServers(common: Common, { spec = {} }: VirtualServerObject, policies: Policies): F5Virtual[] {
  const found = new F5Doubts();
  const policy = policyOf(spec, common.namespace, policies, found);
  noteShared(spec, found);
  if (spec.hostPersistence !== undefined) found.doubt('its hostPersistence is not modelled');
  const pools = spec.pools ?? [];
  const targets = new Set(pools.map((pool) => targetName(pool, common.namespace)));
  if (spec.defaultPool !== undefined) targets.add(targetName(spec.defaultPool, common.namespace));
  if (targets.size > 1) {
    found.doubt(
      `it chooses among ${targets.size} pools by path or host, which stands in requests, not in packets’ headers`,
    );
  }
  const first = pools[0] ?? spec.defaultPool;
  const whole = (port: number, more: readonly string[] = []): F5Virtual => ({
    ...common,
    proto: TCP,
    port,
    snat: found.snat(spec.snat ?? policy?.spec?.snat),
    persistence: found.persistence(
      spec.persistenceProfile ?? policy?.spec?.profiles?.persistenceProfile,
      null,
    ),
    proxyProtocol: 0,
    pool: first === undefined ? null : poolOf(first, common.namespace, policy, found),
    isFullProxy: true,
    doubts: [...new Set([...found.doubts, ...more])],
    unread: [...new Set(found.unread)],
  });
  const http = spec.virtualServerHTTPPort ?? HTTP_PORT;
  if (spec.tlsProfileName === undefined) return [whole(http)];
  const https = whole(spec.virtualServerHTTPSPort ?? HTTPS_PORT);
  if (spec.httpTraffic === 'none') return [https];
  const redirects =
    spec.httpTraffic === 'redirect'
      ? [`on port ${http} it answers itself with a redirect to HTTPS, which is not modelled`]
      : [];
  return [https, whole(http, redirects)];
}

function transportServer(
  common: Common,
  { spec = {} }: TransportServerObject,
  policies: Policies,
): F5Virtual {
  const found = new F5Doubts();
  const policy = policyOf(spec, common.namespace, policies, found);
  noteShared(spec, found);
  const proto = PROTOCOLS[(spec.type ?? 'tcp').toUpperCase()];
  if (proto === undefined) found.doubt(`its type ${spec.type} is not modelled`);
  return {
    ...common,
    proto: proto ?? TCP,
    port: spec.virtualServerPort ?? 0,
    snat: found.snat(spec.snat ?? policy?.spec?.snat),
    persistence: found.persistence(
      spec.persistenceProfile ?? policy?.spec?.profiles?.persistenceProfile,
      'source-addr',
    ),
    proxyProtocol: 0,
    pool: spec.pool === undefined ? null : poolOf(spec.pool, common.namespace, policy, found),
    isFullProxy: spec.mode !== 'performance' && proto === TCP,
    doubts: found.doubts,
    unread: found.unread,
  };
}

function ingressLink(
  common: Common,
  { spec = {} }: KubernetesObjects['ingressLink'][number]['object'],
  { service }: KubernetesObjects,
  policies: Policies,
): F5Virtual[] {
  const found = new F5Doubts();
  const policy = policyOf(spec, common.namespace, policies, found);
  // the iRule of NGINX's and F5's guide sends a PROXY header of version 1
  const rules = spec.iRules ?? [];
  const announces = rules.filter((rule) => /proxy_?protocol/i.test(rule));
  noteShared({ ...spec, iRules: rules.filter((rule) => !announces.includes(rule)) }, found);
  const selected = service.filter(
    (one) =>
      one.namespace === common.namespace &&
      spec.selector !== undefined &&
      matches(spec.selector, one.object.metadata.labels ?? {}),
  );
  const [target] = selected;
  if (target === undefined) {
    found.doubt('no Service has the labels of its selector');
    return [HTTP_PORT, HTTPS_PORT].map((port) => ({
      ...linked(common, port, found, spec.snat ?? policy?.spec?.snat, announces.length > 0),
      pool: null,
    }));
  }
  if (selected.length > 1)
    found.doubt(`its selector finds ${selected.length} Services, and takes one of them`);
  const ports = (target.object.spec.ports ?? []).filter(({ port }) => port !== NGINX_READY_PORT);
  return ports.map(({ port }) => ({
    ...linked(common, port, found, spec.snat ?? policy?.spec?.snat, announces.length > 0),
    pool: poolOf({ service: target.name, servicePort: port }, common.namespace, policy, found, {
      type: 'http',
      targetPort: NGINX_READY_PORT,
    }),
  }));
}

function linked(
  common: Common,
  port: number,
  found: F5Doubts,
  snat: string | undefined,
  announces: boolean,
): Omit<F5Virtual, 'pool'> {
  return {
    ...common,
    proto: TCP,
    port,
    snat: found.snat(snat),
    persistence: 'source-addr',
    proxyProtocol: announces ? 1 : 0,
    isFullProxy: true,
    doubts: found.doubts,
    unread: found.unread,
  };
}

/** A Service of type LoadBalancer that CIS gives an address: a virtual server a port. */
function loadBalancerService({
  name,
  namespace,
  place,
  object,
}: KubernetesObjects['service'][number]): F5Virtual[] {
  const { spec, status, metadata } = object;
  const { annotations = {} } = metadata;
  const isServed =
    SERVED.some((key) => key in annotations) || /(^|\.)f5\.com\//.test(spec.loadBalancerClass ?? '');
  if (spec.type !== 'LoadBalancer' || !isServed) return [];
  const given = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip === undefined ? [] : [ip]));
  const asked = parseAddress(annotations['cis.f5.com/ip'] ?? '');
  const addresses = given.length > 0 || asked === null ? given : [asked];
  if (addresses.length === 0) return [];
  const found = new F5Doubts();
  const health = annotations['cis.f5.com/health'];
  const monitor = health === undefined ? undefined : healthOf(health, found);
  if (annotations['cis.f5.com/policyName'] !== undefined) {
    found.pass(`its policy ${annotations['cis.f5.com/policyName']} was not followed`);
  }
  return (spec.ports ?? []).map(({ port, protocol = 'TCP' }) => ({
    object: `Service ${name}`,
    name,
    namespace,
    place,
    addresses,
    proto: PROTOCOLS[protocol]!,
    port,
    snat: 'automap',
    persistence: 'source-addr',
    proxyProtocol: 0,
    pool: poolOf({ service: name, servicePort: port }, namespace, undefined, found, monitor),
    isFullProxy: protocol === 'TCP',
    doubts: found.doubts,
    unread: found.unread,
  }));
}

function healthOf(text: string, found: F5Doubts): { interval?: number; timeout?: number } | undefined {
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read === 'object' && read !== null) return read as { interval?: number; timeout?: number };
  } catch {
    // said below
  }
  found.pass('its annotation cis.f5.com/health cannot be read as JSON; no monitor is taken');
  return undefined;
}

function policyOf(
  { policyName }: Spec,
  namespace: string,
  policies: Policies,
  found: F5Doubts,
): F5PolicyObject | undefined {
  if (policyName === undefined) return undefined;
  const policy = policies.get(`${namespace}/${policyName}`);
  if (policy === undefined) {
    found.doubt(`its Policy ${policyName} was not given`);
    return undefined;
  }
  const { iRules, l7Policies, l3Policies, defaultPool } = policy.spec ?? {};
  if (iRules !== undefined) found.doubt(`the iRules of its Policy ${policyName} are not modelled`);
  if (defaultPool !== undefined) found.doubt(`the default pool of its Policy ${policyName} is not modelled`);
  if (l3Policies?.allowSourceRange !== undefined || l3Policies?.allowVlans !== undefined) {
    found.doubt(`whom its Policy ${policyName} lets in is not modelled`);
  }
  if (l7Policies !== undefined) found.pass(`the l7Policies of its Policy ${policyName} were not read`);
  return policy;
}

function noteShared(spec: Spec, found: F5Doubts): void {
  const { iRules = [], allowVlans = [], allowSourceRange } = spec;
  if (iRules.length > 0) found.doubt(`its iRules (${iRules.join(', ')}) are programs, and not modelled`);
  if (allowVlans.length > 0) found.pass('allowVlans is taken to hold the VLAN of its clients');
  if (allowSourceRange !== undefined && allowSourceRange.length > 0) {
    found.doubt('whom its allowSourceRange turns away is not modelled');
  }
}

function targetName({ service, serviceNamespace, servicePort, name }: F5Pool, namespace: string): string {
  return `${serviceNamespace ?? namespace}/${service ?? `pool ${name}`}:${servicePort ?? ''}`;
}

function poolOf(
  pool: F5Pool,
  namespace: string,
  policy: F5PolicyObject | undefined,
  found: F5Doubts,
  monitor?: NonNullable<F5Pool['monitor']>,
): F5VirtualPool | null {
  const { service, servicePort, serviceNamespace, nodeMemberLabel, loadBalancingMethod } = pool;
  if (service === undefined || pool.reference === 'bigip') {
    found.doubt(`its pool ${pool.name ?? ''} stands on the device`.replace('  ', ' '));
    return null;
  }
  const elsewhere = [...(pool.multiClusterServices ?? []), ...(pool.staticPoolMembers ?? [])];
  if (elsewhere.length > 0) found.doubt('members of its pool stand outside this cluster');
  if ((pool.alternateBackends ?? []).length > 0) {
    found.doubt('its alternateBackends take a share of the connections, which is not modelled');
  }
  if ((pool.reselectTries ?? 0) > 0) {
    found.pass('reselectTries: that another member is tried for a silent one is not modelled');
  }
  const { slowRampTime, serviceDownAction } = policy?.spec?.poolSettings ?? {};
  const monitors = pool.monitors ?? [];
  return {
    namespace: serviceNamespace ?? namespace,
    service,
    servicePort: servicePort ?? null,
    nodeLabel: nodeMemberLabel ?? null,
    balance: found.balance(loadBalancingMethod),
    serviceDown: found.serviceDown(pool.serviceDownAction ?? serviceDownAction),
    slowRampS: slowRampTime ?? USUAL_SLOW_RAMP_S,
    monitor: found.monitor(monitors.length > 0 ? monitors : [pool.monitor ?? monitor ?? {}]),
    session: 'enabled',
  };
}
