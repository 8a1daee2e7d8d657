/**
 * The type of an object that has lost it, by where it was found. Archives of sosreport and of OpenShift's Insights
 * operator hold objects as the client library has them, without apiVersion and kind:
 *
 *   config/node/ip-10-0-1-7.json                                            insights
 *   config/pod/openshift-ingress/router-default-5c8.json                    insights
 *   cluster-scoped-resources/metallb.io/…/x.yaml, namespaces/a/core/pods.yaml must-gather
 *   sos_commands/kubernetes/cluster-info/a/kubectl_get_-o_json_--namespace_a_services   sosreport
 */

export interface TypeMeta {
  readonly apiVersion: string;
  readonly kind: string;
}

const CORE = ['Node', 'Service', 'Endpoints', 'Pod', 'ConfigMap', 'Namespace', 'Secret'];
const APPS = ['DaemonSet', 'Deployment', 'ReplicaSet', 'StatefulSet'];
const NETWORKING = ['Ingress', 'NetworkPolicy'];

const KINDS: ReadonlyMap<string, TypeMeta> = new Map(
  [
    ...CORE.map((kind) => ({ apiVersion: 'v1', kind })),
    ...APPS.map((kind) => ({ apiVersion: 'apps/v1', kind })),
    ...NETWORKING.map((kind) => ({ apiVersion: 'networking.k8s.io/v1', kind })),
    { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
    { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' },
    { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
  ].flatMap((type) => namesOf(type.kind).map((name): [string, TypeMeta] => [name, type])),
);

/** The nearest part of the path that names a resource, or null. */
export function typeFromPath(path: string): TypeMeta | null {
  const parts = path.toLowerCase().split(/[/\\]/);
  const base = parts
    .pop()!
    .replace(/\.gz$/, '')
    .replace(/\.(ya?ml|json|txt)$/, '');
  // the command that printed it: the resource is its last word
  const word = base.includes('_get_') ? base.slice(base.lastIndexOf('_') + 1) : base;
  for (const name of [word, ...parts.reverse()]) {
    const type = KINDS.get(name);
    if (type !== undefined) return type;
  }
  return null;
}

/** `service`, `services`, `ingresses`, `networkpolicies` */
function namesOf(kind: string): string[] {
  const name = kind.toLowerCase();
  if (name.endsWith('y')) return [name, `${name.slice(0, -1)}ies`];
  if (name === 'endpoints') return [name];
  return [name, `${name}${name.endsWith('s') ? 'es' : 's'}`];
}

/** Files of objects that are never opened. */
export function isSecretPath(path: string): boolean {
  return typeFromPath(path)?.kind === 'Secret';
}
