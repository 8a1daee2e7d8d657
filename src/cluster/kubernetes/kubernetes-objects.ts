/**
 * Kubernetes objects by kind, read with their schemas. What becomes of every other kind stands in kind-table.ts; an
 * object whose fields have wrong types is a fault.
 */
import type { z } from 'zod';
import type { Place } from '../scenario/facts.js';
import type { SourceObject } from '../scenario/source-objects.js';
import { nearest } from '../yaml/nearest.js';
import { Problems } from '../yaml/problems.js';
import { readWith } from '../yaml/schema-issues.js';
import { Bystanders } from './bystanders.js';
import {
  f5PolicyObject,
  ingressLinkObject,
  transportServerObject,
  virtualServerObject,
} from './f5/f5-schemas.js';
import { kindOf } from './kind-table.js';
import {
  addressPoolObject,
  bfdProfileObject,
  bgpAdvertisementObject,
  bgpPeerObject,
  endpointSliceObject,
  endpointsObject,
  ipamBlockObject,
  ipPoolObject,
  l2AdvertisementObject,
  nodeObject,
  oldAddressPoolObject,
  podObject,
  serviceObject,
} from './kubernetes-schemas.js';
import {
  gatewayClassObject,
  gatewayObject,
  httpRouteObject,
  ingressClassObject,
  ingressObject,
  ingressRouteObject,
  ingressRouteTcpObject,
} from './l7/l7-schemas.js';
import { autoscalerObject, disruptionBudgetObject } from './owner-schemas.js';
import {
  calicoBgpConfigurationObject,
  calicoBgpPeerObject,
  ciliumAdvertisementObject,
  ciliumClusterConfigObject,
  ciliumPeerConfigObject,
  ciliumPeeringPolicyObject,
  configMapObject,
  felixConfigurationObject,
  installationObject,
  kubeProxyConfigurationObject,
  plainObject,
} from './settings-schemas.js';
import { workloadObject } from './workload-schemas.js';

const CALICO = ['crd.projectcalico.org', 'projectcalico.org'];
const METALLB = ['metallb.io'];
const CILIUM = ['cilium.io'];
const ADMIN_POLICY = ['policy.networking.k8s.io'];
const CORE = [''];
const F5 = ['cis.f5.com'];
const TRAEFIK = ['traefik.io', 'traefik.containo.us'];
const GATEWAY = ['gateway.networking.k8s.io'];

const KINDS = {
  node: { kind: 'Node', groups: CORE, schema: nodeObject },
  service: { kind: 'Service', groups: CORE, schema: serviceObject },
  endpoints: { kind: 'Endpoints', groups: CORE, schema: endpointsObject },
  pod: { kind: 'Pod', groups: CORE, schema: podObject },
  configMap: { kind: 'ConfigMap', groups: CORE, schema: configMapObject },
  deployment: { kind: 'Deployment', groups: ['apps'], schema: workloadObject },
  daemonSet: { kind: 'DaemonSet', groups: ['apps'], schema: workloadObject },
  replicaSet: { kind: 'ReplicaSet', groups: ['apps'], schema: workloadObject },
  disruptionBudget: { kind: 'PodDisruptionBudget', groups: ['policy'], schema: disruptionBudgetObject },
  autoscaler: { kind: 'HorizontalPodAutoscaler', groups: ['autoscaling'], schema: autoscalerObject },
  statefulSet: { kind: 'StatefulSet', groups: ['apps'], schema: workloadObject },
  slice: { kind: 'EndpointSlice', groups: ['discovery.k8s.io'], schema: endpointSliceObject },
  kubeProxy: {
    kind: 'KubeProxyConfiguration',
    groups: ['kubeproxy.config.k8s.io'],
    schema: kubeProxyConfigurationObject,
  },
  addressPool: { kind: 'IPAddressPool', groups: METALLB, schema: addressPoolObject },
  oldAddressPool: { kind: 'AddressPool', groups: METALLB, schema: oldAddressPoolObject },
  bgpPeer: { kind: 'BGPPeer', groups: METALLB, schema: bgpPeerObject },
  bgpAdvertisement: { kind: 'BGPAdvertisement', groups: METALLB, schema: bgpAdvertisementObject },
  l2Advertisement: { kind: 'L2Advertisement', groups: METALLB, schema: l2AdvertisementObject },
  bfdProfile: { kind: 'BFDProfile', groups: METALLB, schema: bfdProfileObject },
  ipPool: { kind: 'IPPool', groups: CALICO, schema: ipPoolObject },
  ipamBlock: { kind: 'IPAMBlock', groups: CALICO, schema: ipamBlockObject },
  felix: { kind: 'FelixConfiguration', groups: CALICO, schema: felixConfigurationObject },
  calicoBgp: { kind: 'BGPConfiguration', groups: CALICO, schema: calicoBgpConfigurationObject },
  calicoBgpPeer: { kind: 'BGPPeer', groups: CALICO, schema: calicoBgpPeerObject },
  installation: { kind: 'Installation', groups: ['operator.tigera.io'], schema: installationObject },
  ciliumPolicy: { kind: 'CiliumBGPPeeringPolicy', groups: CILIUM, schema: ciliumPeeringPolicyObject },
  ciliumCluster: { kind: 'CiliumBGPClusterConfig', groups: CILIUM, schema: ciliumClusterConfigObject },
  ciliumPeer: { kind: 'CiliumBGPPeerConfig', groups: CILIUM, schema: ciliumPeerConfigObject },
  ciliumAdvertisement: { kind: 'CiliumBGPAdvertisement', groups: CILIUM, schema: ciliumAdvertisementObject },
  namespace: { kind: 'Namespace', groups: CORE, schema: plainObject },
  networkPolicy: {
    kind: 'NetworkPolicy',
    groups: ['networking.k8s.io', 'extensions'],
    schema: plainObject,
  },
  calicoNetworkPolicy: { kind: 'NetworkPolicy', groups: CALICO, schema: plainObject },
  calicoGlobalPolicy: { kind: 'GlobalNetworkPolicy', groups: CALICO, schema: plainObject },
  ciliumNetworkPolicy: { kind: 'CiliumNetworkPolicy', groups: CILIUM, schema: plainObject },
  ciliumClusterwidePolicy: {
    kind: 'CiliumClusterwideNetworkPolicy',
    groups: CILIUM,
    schema: plainObject,
  },
  calicoTier: { kind: 'Tier', groups: CALICO, schema: plainObject },
  networkSet: { kind: 'NetworkSet', groups: CALICO, schema: plainObject },
  globalNetworkSet: { kind: 'GlobalNetworkSet', groups: CALICO, schema: plainObject },
  adminPolicy: { kind: 'AdminNetworkPolicy', groups: ADMIN_POLICY, schema: plainObject },
  baselinePolicy: { kind: 'BaselineAdminNetworkPolicy', groups: ADMIN_POLICY, schema: plainObject },
  ciliumPool: { kind: 'CiliumLoadBalancerIPPool', groups: CILIUM, schema: plainObject },
  virtualServer: { kind: 'VirtualServer', groups: F5, schema: virtualServerObject },
  transportServer: { kind: 'TransportServer', groups: F5, schema: transportServerObject },
  ingressLink: { kind: 'IngressLink', groups: F5, schema: ingressLinkObject },
  f5Policy: { kind: 'Policy', groups: F5, schema: f5PolicyObject },
  ingress: { kind: 'Ingress', groups: ['networking.k8s.io', 'extensions'], schema: ingressObject },
  ingressClass: { kind: 'IngressClass', groups: ['networking.k8s.io'], schema: ingressClassObject },
  ingressRoute: { kind: 'IngressRoute', groups: TRAEFIK, schema: ingressRouteObject },
  ingressRouteTcp: { kind: 'IngressRouteTCP', groups: TRAEFIK, schema: ingressRouteTcpObject },
  gateway: { kind: 'Gateway', groups: GATEWAY, schema: gatewayObject },
  gatewayClass: { kind: 'GatewayClass', groups: GATEWAY, schema: gatewayClassObject },
  httpRoute: { kind: 'HTTPRoute', groups: GATEWAY, schema: httpRouteObject },
} as const;
type Kinds = typeof KINDS;

export interface Read<T> {
  readonly place: Place;
  readonly name: string;
  readonly namespace: string;
  readonly object: T;
}

export type KubernetesObjects = {
  readonly [K in keyof Kinds]: Read<z.output<Kinds[K]['schema']>>[];
};

const KEY_OF = new Map(
  Object.entries(KINDS).flatMap(([key, { kind, groups }]) =>
    groups.map((group): [string, keyof Kinds] => [`${group}/${kind}`, key as keyof Kinds]),
  ),
);

/** What was chosen or looks odd, and what bears on paths and is not used. */
export interface Remarks {
  readonly notes: string[];
  readonly unread: string[];
}

export function readObjects(
  objects: readonly SourceObject[],
  problems: Problems,
  { notes, unread }: Remarks,
): KubernetesObjects {
  const found = Object.fromEntries(
    Object.keys(KINDS).map((key) => [key, []]),
  ) as unknown as KubernetesObjects;
  const rows = new Map<string, number>();
  const idle = new Set<string>();
  const notRead = new Map<string, { what: string; names: string[] }>();
  const bystanders = new Bystanders(objects);
  for (const source of objects) {
    const { document, path, group, kind, data } = source;
    const key = KEY_OF.get(`${group}/${kind}`);
    if (key === undefined) {
      const whole = group === '' ? kind : `${kind} (${group})`;
      const verdict = kindOf(group, kind);
      if (verdict.use === 'unknown') unread.push(unknownKind(kind, group, nameOf(data), verdict.sameGroup));
      else if (verdict.use === 'irrelevant') idle.add(whole);
      else {
        const entry = notRead.get(whole) ?? { what: verdict.what, names: [] };
        entry.names.push(nameOf(data));
        notRead.set(whole, entry);
      }
      continue;
    }
    const schema = KINDS[key].schema as typeof nodeObject;
    const faults = new Problems();
    const object = readWith(schema, document, path, withoutNulls(data), faults);
    if (object === null) {
      if (bystanders.has(source)) unread.push(leftOut(kind, nameOf(data), faults));
      else problems.addAll(faults);
      continue;
    }
    const { name = '', namespace = 'default' } = object.metadata ?? {};
    const list = found[key] as Read<unknown>[];
    const read = { place: { document, path }, name, namespace, object };
    // The same object in two files is one object, as the later file shows it.
    const id = `${key} ${namespace}/${name}`;
    const before = rows.get(id);
    if (before === undefined) {
      rows.set(id, list.length);
      list.push(read);
    } else list[before] = read;
  }
  for (const [kind, { what, names }] of notRead) {
    const some =
      names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
    unread.push(`${kind} ${some}: not read; ${what}.`);
  }
  if (idle.size > 0)
    notes.push(`Left out, for they do not change the path of a packet here: ${[...idle].join(', ')}.`);
  return found;
}

function leftOut(kind: string, name: string, faults: Problems): string {
  return `${kind} ${name}: left out, for it cannot be read: ${faults.firstSentence()}.`;
}

function unknownKind(kind: string, group: string, name: string, sameGroup: readonly string[]): string {
  const of = group === '' ? 'the core group' : group;
  const meant = nearest(kind, sameGroup);
  const hint = meant === null ? 'it is not known here' : `did you mean ${meant}?`;
  return `${kind} ${name}: there is no such kind in ${of}; ${hint} It was not read.`.replace(
    'here It',
    'here. It',
  );
}

function nameOf(data: Readonly<Record<string, unknown>>): string {
  const { metadata } = data as { metadata?: { name?: unknown } };
  return typeof metadata?.name === 'string' ? metadata.name : 'without a name';
}

/** Go prints empty fields as null (`endpoints: null`, `creationTimestamp: null`): they are absent. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (inner === null ? [] : [[key, withoutNulls(inner)]])),
  );
}

/** `web`, or `shop/web` where several namespaces have one of that name. */
export function shortNames(items: readonly { readonly name: string; readonly namespace: string }[]) {
  const count = new Map<string, number>();
  const distinct = new Set(items.map(({ namespace, name }) => `${namespace}/${name}`));
  for (const whole of distinct) {
    const name = whole.slice(whole.indexOf('/') + 1);
    count.set(name, (count.get(name) ?? 0) + 1);
  }
  return (item: { readonly name: string; readonly namespace: string }): string =>
    count.get(item.name)! > 1 ? `${item.namespace}/${item.name}` : item.name;
}
