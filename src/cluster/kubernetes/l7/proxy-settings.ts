/**
 * What proxies are told: arguments, environment and ConfigMaps of the containers that run them, and which of a Service's
 * pods those are.
 */

import { parseAddress } from '../../../addr/address.js';
import { hostPrefix, type Prefix, parsePrefix } from '../../../addr/prefix.js';
import type { L7ProxyModel } from '../../l7-model.js';
import type { KubernetesObjects } from '../kubernetes-objects.js';
import { matches } from '../label-selector.js';
import type { Container } from '../workload-schemas.js';

/** A container that runs a proxy, of a workload or of a pod without one. */
export interface ProxyContainer {
  /** kind and name of whose it is, as sentences begin */
  readonly object: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly container: Container;
  readonly words: readonly string[];
}

export interface ProxySettings {
  /** by the number that a container listens on; ports that are not here are served by no proxy */
  readonly ports: ReadonlyMap<number, L7ProxyModel>;
  /** what was not read, as ends of sentences */
  readonly unread: readonly string[];
  /** what was taken because nothing states it */
  readonly assumed: readonly string[];
}

export const EVERYBODY: readonly Prefix[] = ['0.0.0.0/0', '::/0'].map((text) => parsePrefix(text)!);

/** Proxies' images, in the order in which they are looked for. */
const IMAGES = /traefik|ingress-nginx|nginx-ingress|haproxy|kubernetes-ingress|envoy|proxyv2|contour/;

export function proxyContainers(objects: KubernetesObjects): ProxyContainer[] {
  const workloads = [
    ...objects.deployment.map((one) => ({ kind: 'Deployment', one })),
    ...objects.daemonSet.map((one) => ({ kind: 'DaemonSet', one })),
    ...objects.statefulSet.map((one) => ({ kind: 'StatefulSet', one })),
  ].flatMap(({ kind, one: { name, namespace, object } }) => {
    const template = object.spec?.template;
    const { labels = {} } = template?.metadata ?? {};
    return found(`${kind} ${name}`, namespace, labels, template?.spec?.containers ?? []);
  });
  // pods say the same once more; they count where what made them was not given
  const pods = objects.pod.flatMap(({ name, namespace, object }) =>
    found(
      `Pod ${name}`,
      namespace,
      object.metadata.labels ?? {},
      (object.spec?.containers ?? []) as readonly Container[],
    ),
  );
  return [...workloads, ...pods];
}

function found(
  object: string,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  containers: readonly Container[],
): ProxyContainer[] {
  return containers
    .filter(({ image = '' }) => IMAGES.test(image))
    .map((container) => ({
      object,
      namespace,
      labels,
      container,
      words: [...(container.command ?? []), ...(container.args ?? [])].flatMap((text) =>
        text.trim().split(/\s+/),
      ),
    }));
}

/** The containers that a Service's selector finds, those of workloads first. */
export function behind(
  { namespace, object }: KubernetesObjects['service'][number],
  all: readonly ProxyContainer[],
): ProxyContainer[] {
  const { selector = {} } = object.spec;
  if (Object.keys(selector).length === 0) return [];
  return all.filter((one) => one.namespace === namespace && matches({ matchLabels: selector }, one.labels));
}

/** Data of the ConfigMap that an argument names as `namespace/name`; null: it was not given. */
export function namedConfigMap(
  { words, namespace }: ProxyContainer,
  argument: string,
  { configMap }: KubernetesObjects,
): { name: string; data: ReadonlyMap<string, string> | null } | null {
  const value = words.find((word) => word.startsWith(`${argument}=`))?.slice(argument.length + 1);
  const next = words.indexOf(argument);
  const text = value ?? (next < 0 ? undefined : words[next + 1]);
  if (text === undefined) return null;
  const whole = text.replaceAll('$(POD_NAMESPACE)', namespace);
  const [space = namespace, name = whole] = whole.includes('/') ? whole.split('/') : [namespace, whole];
  const map = configMap.find((one) => one.namespace === space && one.name === name);
  if (map === undefined) return { name: `${space}/${name}`, data: null };
  const data = new Map(
    Object.entries(map.object.data ?? {}).map(([key, entry]) => [key, String(entry)] as const),
  );
  return { name: `${space}/${name}`, data };
}

/** Addresses and prefixes from a list by commas; what is neither goes to `unread`. */
export function prefixList(text: string, what: string, unread: string[]): Prefix[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .flatMap((part): Prefix[] => {
      const address = parseAddress(part);
      const prefix = address === null ? parsePrefix(part) : hostPrefix(address);
      if (prefix !== null) return [prefix];
      unread.push(`${what} holds ${part}, which is neither an address nor a prefix`);
      return [];
    });
}

/** The numbers that a container states under these names, or those that are usual. */
export function portsNamed(
  { ports = [] }: Container,
  names: readonly string[],
  usual: readonly number[],
): number[] {
  const stated = ports.flatMap(({ name, containerPort }) =>
    names.includes(name ?? '') ? [containerPort] : [],
  );
  return stated.length > 0 ? stated : [...usual];
}

/** A proxy that trusts nobody and says nothing, changed by `own`. */
export function proxyModel(
  own: Partial<L7ProxyModel> & Pick<L7ProxyModel, 'kind' | 'forward'>,
): L7ProxyModel {
  return {
    field: 'x-forwarded-for',
    trusted: [],
    insecure: false,
    realIp: 'peer',
    acceptProxy: 'off',
    sendProxy: 0,
    application: { addresses: [], port: 80, reads: 'x-forwarded-for', take: 'first', trusted: [] },
    ...own,
  };
}
