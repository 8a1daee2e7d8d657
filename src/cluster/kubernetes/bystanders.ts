/**
 * Which objects of a dump a fault may refuse the whole of it: those that a flow from outside is judged by. A fault in any
 * other is said, and the object left out: a dump of a large cluster has something odd in it nearly always.
 */
import type { SourceObject } from '../scenario/source-objects.js';

const SERVICE_NAME = 'kubernetes.io/service-name';

/** Kinds that say nothing which could not be taken for absent; others refuse. */
const BYSTANDERS = new Set([
  'Pod',
  'ConfigMap',
  'Namespace',
  'DaemonSet',
  'Deployment',
  'StatefulSet',
  'Ingress',
  'IngressClass',
  'IngressRoute',
  'IngressRouteTCP',
  'Gateway',
  'GatewayClass',
  'HTTPRoute',
]);

type Data = Readonly<Record<string, unknown>>;

export class Bystanders {
  /** Services that clients reach from outside, as `namespace/name` */
  private readonly exposed = new Set<string>();

  constructor(objects: readonly SourceObject[]) {
    for (const { group, kind, data } of objects) {
      if (group === '' && kind === 'Service' && isExposed(data)) this.exposed.add(keyOf(data));
    }
  }

  /** Whether the object may be left out where it cannot be read. */
  has({ group, kind, data }: SourceObject): boolean {
    if (BYSTANDERS.has(kind)) return true;
    if (group === '' && kind === 'Service') return !this.exposed.has(keyOf(data));
    if (kind === 'Endpoints') return !this.exposed.has(keyOf(data));
    if (kind !== 'EndpointSlice') return false;
    const labels = mapping(mapping(data.metadata)?.labels);
    const name = labels?.[SERVICE_NAME];
    return !this.exposed.has(keyOf(data, typeof name === 'string' ? name : ''));
  }
}

/** What is odd enough not to be told is taken for exposed. */
function isExposed(data: Data): boolean {
  const spec = mapping(data.spec);
  if (spec === null) return true;
  const { type = 'ClusterIP', externalIPs } = spec;
  const isInside = type === 'ClusterIP' || type === 'NodePort' || type === 'ExternalName';
  return !isInside || (externalIPs ?? null) !== null;
}

function keyOf(data: Data, name?: string): string {
  const { namespace = 'default', name: own = '' } = mapping(data.metadata) ?? {};
  return `${String(namespace)}/${name ?? String(own)}`;
}

function mapping(value: unknown): Data | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Data) : null;
}
