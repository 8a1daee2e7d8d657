/**
 * Kubernetes objects by kind, read with their schemas. An object of a kind that has nothing to do with the path
 * of a packet is counted and left out; one whose fields have wrong types is a fault.
 */
import type { z } from 'zod';
import type { Place } from '../scenario/facts.js';
import type { SourceObject } from '../scenario/source-objects.js';
import type { Problems } from '../yaml/problems.js';
import { readWith } from '../yaml/schema-issues.js';
import {
  addressPoolObject,
  bfdProfileObject,
  bgpAdvertisementObject,
  bgpPeerObject,
  endpointSliceObject,
  endpointsObject,
  ipamBlockObject,
  ipPoolObject,
  nodeObject,
  podObject,
  serviceObject,
} from './kubernetes-schemas.js';

const CALICO = ['crd.projectcalico.org', 'projectcalico.org'];
const METALLB = ['metallb.io'];
const CORE = [''];

const KINDS = {
  node: { kind: 'Node', groups: CORE, schema: nodeObject },
  service: { kind: 'Service', groups: CORE, schema: serviceObject },
  endpoints: { kind: 'Endpoints', groups: CORE, schema: endpointsObject },
  pod: { kind: 'Pod', groups: CORE, schema: podObject },
  slice: { kind: 'EndpointSlice', groups: ['discovery.k8s.io'], schema: endpointSliceObject },
  addressPool: { kind: 'IPAddressPool', groups: METALLB, schema: addressPoolObject },
  bgpPeer: { kind: 'BGPPeer', groups: METALLB, schema: bgpPeerObject },
  bgpAdvertisement: { kind: 'BGPAdvertisement', groups: METALLB, schema: bgpAdvertisementObject },
  bfdProfile: { kind: 'BFDProfile', groups: METALLB, schema: bfdProfileObject },
  ipPool: { kind: 'IPPool', groups: CALICO, schema: ipPoolObject },
  ipamBlock: { kind: 'IPAMBlock', groups: CALICO, schema: ipamBlockObject },
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

/** A kind that has a part in the path and is left out all the same, with what that means. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'L2Advertisement (metallb.io)':
    'L2Advertisement is left out: here VIPs reach their nodes by routes, not by one node that answers ARP.',
};

export function readObjects(
  objects: readonly SourceObject[],
  problems: Problems,
  notes: string[],
): KubernetesObjects {
  const found = Object.fromEntries(
    Object.keys(KINDS).map((key) => [key, []]),
  ) as unknown as KubernetesObjects;
  const idle = new Set<string>();
  for (const { document, path, group, kind, data } of objects) {
    const entry = Object.entries(KINDS).find(
      ([, known]) => known.kind === kind && (known.groups as readonly string[]).includes(group),
    );
    if (entry === undefined) {
      idle.add(group === '' ? kind : `${kind} (${group})`);
      continue;
    }
    const object = readWith(
      entry[1].schema as typeof nodeObject,
      document,
      path,
      withoutNulls(data),
      problems,
    );
    if (object === null) continue;
    const { name, namespace = 'default' } = object.metadata;
    const list = found[entry[0] as keyof Kinds] as Read<unknown>[];
    const read = { place: { document, path }, name, namespace, object };
    // The same object in two files is one object, as the later file shows it.
    const before = list.findIndex((other) => other.name === name && other.namespace === namespace);
    if (before < 0) list.push(read);
    else list[before] = read;
  }
  for (const kind of idle) if (LEFT_OUT[kind] !== undefined) notes.push(LEFT_OUT[kind]);
  const others = [...idle].filter((kind) => LEFT_OUT[kind] === undefined);
  if (others.length > 0)
    notes.push(`Left out, for they do not change the path of a packet here: ${others.join(', ')}.`);
  return found;
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
