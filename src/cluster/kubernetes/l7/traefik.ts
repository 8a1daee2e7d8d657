/**
 * Traefik's static configuration: its entry points, and whom each believes. From arguments, else from the environment,
 * else from a file in a ConfigMap, of which Traefik takes one alone.
 *
 *   --entryPoints.web.address=:8000/tcp
 *   --entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.0/8      (insecure: everybody)
 *   --entryPoints.web.proxyProtocol.trustedIPs=10.0.0.0/8         (insecure: everybody)
 *
 * It believes nobody unless told so: X-Forwarded-For of a stranger is replaced, and a PROXY header taken for a request.
 * Source: Traefik 2.x and 3.x, "EntryPoints".
 */
import { parse } from 'yaml';
import type { Prefix } from '../../../addr/prefix.js';
import type { L7ProxyModel } from '../../l7-model.js';
import type { KubernetesObjects } from '../kubernetes-objects.js';
import {
  EVERYBODY,
  type ProxyContainer,
  type ProxySettings,
  prefixList,
  proxyModel,
} from './proxy-settings.js';

export const TRAEFIK_IMAGE = /(^|\/)traefik(:|@|$)/;

/** The entry point of a Traefik that is told of none. */
const USUAL_PORT = 80;

/** Keys below `entryPoints`, in small letters: `web.address`. */
type Keys = Map<string, string>;

export function traefikSettings(proxy: ProxyContainer, objects: KubernetesObjects): ProxySettings {
  const unread: string[] = [];
  const keys = firstOf(fromWords(proxy.words), fromEnvironment(proxy), fromFile(proxy, objects, unread));
  const names = new Set([...keys.keys()].map((key) => key.slice(0, key.indexOf('.'))));
  const ports = new Map<number, L7ProxyModel>();
  const tcpOnly = entryPointsOfTcp(objects);
  for (const name of names) {
    const address = keys.get(`${name}.address`) ?? '';
    const port = Number(/:(\d+)(\/tcp)?$/i.exec(address)?.[1]);
    if (Number.isInteger(port)) ports.set(port, entryPoint(name, keys, tcpOnly.has(name), unread));
  }
  if (names.size === 0) ports.set(USUAL_PORT, entryPoint('http', keys, false, unread));
  return { ports, unread, assumed: [] };
}

function entryPoint(name: string, keys: Keys, isTcp: boolean, unread: string[]): L7ProxyModel {
  const trust = (what: string): readonly Prefix[] => {
    const insecure = keys.get(`${name}.${what}.insecure`);
    if (insecure !== undefined && insecure.toLowerCase() !== 'false') return EVERYBODY;
    return prefixList(keys.get(`${name}.${what}.trustedips`) ?? '', `entry point ${name}: ${what}`, unread);
  };
  const proxyTrusted = trust('proxyprotocol');
  const trusted = trust('forwardedheaders');
  return proxyModel({
    kind: 'traefik',
    // a TCP router passes on bytes
    forward: isTcp ? 'off' : 'guard',
    trusted,
    acceptProxy: proxyTrusted.length > 0 ? 'trusted' : 'off',
    ...(proxyTrusted.length > 0 ? { proxyTrusted } : {}),
    ...(isTcp ? { application: { addresses: [], port: 80, reads: 'peer', take: 'first', trusted: [] } } : {}),
  });
}

/** Entry points that only IngressRouteTCPs name. */
function entryPointsOfTcp({ ingressRouteTcp, ingressRoute }: KubernetesObjects): Set<string> {
  const named = (routes: KubernetesObjects['ingressRoute']): string[] =>
    routes.flatMap(({ object }) => object.spec?.entryPoints ?? []).map((name) => name.toLowerCase());
  const http = new Set(named(ingressRoute));
  return new Set(named(ingressRouteTcp).filter((name) => !http.has(name)));
}

function firstOf(...all: readonly Keys[]): Keys {
  return all.find(({ size }) => size > 0) ?? new Map();
}

function fromWords(words: readonly string[]): Keys {
  const keys: Keys = new Map();
  for (const word of words) {
    const [, path, value = 'true'] = /^--?entrypoints\.([^=]+)(?:=(.*))?$/i.exec(word) ?? [];
    if (path !== undefined) keys.set(path.toLowerCase(), value.replace(/^"(.*)"$/, '$1'));
  }
  return keys;
}

function fromEnvironment({ container }: ProxyContainer): Keys {
  const keys: Keys = new Map();
  for (const { name, value } of container.env ?? []) {
    const path = /^TRAEFIK_ENTRYPOINTS_(.+)$/.exec(name)?.[1];
    if (path !== undefined) keys.set(path.toLowerCase().replaceAll('_', '.'), String(value ?? ''));
  }
  return keys;
}

function fromFile(
  { words, namespace }: ProxyContainer,
  { configMap }: KubernetesObjects,
  unread: string[],
): Keys {
  const named = words.find((word) => /^--?configfile=/i.test(word))?.replace(/^.*[=/]/, '');
  const files = configMap
    .filter((map) => map.namespace === namespace)
    .flatMap(({ object }) => Object.entries(object.data ?? {}))
    .filter(([file]) => (named === undefined ? /^traefik\.(ya?ml|toml)$/.test(file) : file === named));
  const [file, text] = files[0] ?? [];
  if (file === undefined) {
    if (named !== undefined) unread.push(`its file ${named} stands in no ConfigMap that was given`);
    return new Map();
  }
  const keys: Keys = new Map();
  const read = /\.toml$/.test(file) ? null : parsed(String(text));
  if (read === null) unread.push(`its file ${file} cannot be read as YAML`);
  else flatten((read as { entryPoints?: unknown }).entryPoints, '', keys);
  return keys;
}

function parsed(text: string): object | null {
  try {
    const read: unknown = parse(text, { maxAliasCount: 0 });
    return typeof read === 'object' ? read : null;
  } catch {
    return null;
  }
}

function flatten(value: unknown, path: string, keys: Keys): void {
  if (Array.isArray(value)) keys.set(path, value.join(','));
  else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      flatten(inner, path === '' ? key.toLowerCase() : `${path}.${key.toLowerCase()}`, keys);
    }
  } else if (value !== undefined && value !== null) keys.set(path, String(value));
}
