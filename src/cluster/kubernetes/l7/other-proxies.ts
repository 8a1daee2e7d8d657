/**
 * Ingress controllers that are told by a ConfigMap whom they believe.
 *
 * | controller                        | keys                                                                                   |
 * |-----------------------------------|----------------------------------------------------------------------------------------|
 * | ingress-nginx                     | use-forwarded-headers, compute-full-forwarded-for, use-proxy-protocol, proxy-real-ip-cidr (everybody), enable-real-ip |
 * | NGINX Ingress Controller (F5)     | proxy-protocol, set-real-ip-from, real-ip-header, real-ip-recursive                    |
 * | haproxytech/kubernetes-ingress    | forwarded-for (true), proxy-protocol (whose)                                           |
 * | jcmoraisjr/haproxy-ingress        | forwardfor (add: replaces), use-proxy-protocol                                         |
 *
 * Source: the controllers' documentation; ingress-nginx's template nginx.tmpl (real_ip_header, set_real_ip_from,
 * real_ip_recursive on, $realip_remote_addr under compute-full-forwarded-for).
 */
import type { L7ProxyModel } from '../../l7-model.js';
import type { KubernetesObjects } from '../kubernetes-objects.js';
import {
  EVERYBODY,
  namedConfigMap,
  type ProxyContainer,
  type ProxySettings,
  portsNamed,
  prefixList,
  proxyModel,
} from './proxy-settings.js';

type Kind = L7ProxyModel['kind'];
type Read = (keys: Keys, unread: string[]) => L7ProxyModel;

interface Controller {
  readonly kind: Kind;
  readonly title: string;
  readonly image: RegExp;
  readonly argument: string;
  readonly ports: readonly number[];
  readonly read: Read;
}

class Keys {
  constructor(private readonly data: ReadonlyMap<string, string>) {}

  text(key: string): string | undefined {
    const value = this.data.get(key)?.trim();
    return value === '' ? undefined : value;
  }

  isOn(key: string): boolean {
    return this.text(key)?.toLowerCase() === 'true';
  }
}

const CONTROLLERS: readonly Controller[] = [
  {
    kind: 'nginx',
    title: 'ingress-nginx',
    image: /ingress-nginx\/controller|nginx-ingress-controller/,
    argument: '--configmap',
    ports: [80, 443],
    read: ingressNginx,
  },
  {
    kind: 'nginx',
    title: 'NGINX Ingress Controller',
    image: /nginx(-plus)?-ingress(:|@|$)/,
    argument: '-nginx-configmaps',
    ports: [80, 443],
    read: nginxOfF5,
  },
  {
    kind: 'haproxy',
    title: 'HAProxy Kubernetes Ingress',
    image: /haproxytech\/kubernetes-ingress/,
    argument: '--configmap',
    ports: [8080, 8443],
    read: haproxyTech,
  },
  {
    kind: 'haproxy',
    title: 'HAProxy Ingress',
    image: /haproxy-ingress(:|@|$)/,
    argument: '--configmap',
    ports: [80, 443],
    read: haproxyIngress,
  },
];

/** Settings of a controller that a ConfigMap configures; null: it is none of these. */
export function controllerSettings(proxy: ProxyContainer, objects: KubernetesObjects): ProxySettings | null {
  const { container } = proxy;
  const controller = CONTROLLERS.find(({ image }) => image.test(container.image ?? ''));
  if (controller === undefined) return null;
  const unread: string[] = [];
  const assumed: string[] = [];
  const map = namedConfigMap(proxy, controller.argument, objects);
  if (map !== null && map.data === null) {
    assumed.push(
      `ConfigMap ${map.name}, which configures it, was not given; ${controller.title}’s defaults are taken`,
    );
  }
  const model = controller.read(new Keys(map?.data ?? new Map()), unread);
  const listening = portsNamed(container, ['http', 'https'], controller.ports);
  return { ports: new Map(listening.map((port) => [port, model])), unread, assumed };
}

/** Envoy, whoever configures it: it appends its peer, and whom it believes stands in what is not read. */
export function envoySettings({ container }: ProxyContainer): ProxySettings {
  const { ports = [] } = container;
  const model = proxyModel({ kind: 'envoy', forward: 'append' });
  return {
    ports: new Map(ports.map(({ containerPort }) => [containerPort, model])),
    unread: [],
    assumed: [
      'Envoy’s listeners are not among the objects; it is taken to append its peer to X-Forwarded-For and to expect no PROXY header',
    ],
  };
}

function ingressNginx(keys: Keys, unread: string[]): L7ProxyModel {
  const stated = keys.text('proxy-real-ip-cidr');
  const cidrs = stated === undefined ? EVERYBODY : prefixList(stated, 'proxy-real-ip-cidr', unread);
  const header = keys.text('forwarded-for-header');
  if (header !== undefined && header.toLowerCase() !== 'x-forwarded-for') {
    unread.push(`forwarded-for-header ${header} is not followed`);
  }
  const forwarded = keys.isOn('use-forwarded-headers');
  const announced = keys.isOn('use-proxy-protocol');
  const real = (forwarded || keys.isOn('enable-real-ip')) && !announced;
  return proxyModel({
    kind: 'nginx',
    forward: forwarded && keys.isOn('compute-full-forwarded-for') ? 'append-peer' : 'replace',
    trusted: real ? cidrs : [],
    realIp: real ? 'rightmost-untrusted' : 'peer',
    acceptProxy: announced ? 'required' : 'off',
    ...(announced ? { proxyTrusted: cidrs } : {}),
  });
}

function nginxOfF5(keys: Keys, unread: string[]): L7ProxyModel {
  const from = prefixList(keys.text('set-real-ip-from') ?? '', 'set-real-ip-from', unread);
  const header = keys.text('real-ip-header')?.toLowerCase() ?? 'x-real-ip';
  const announced = keys.isOn('proxy-protocol');
  const real = header === 'x-forwarded-for';
  return proxyModel({
    kind: 'nginx',
    forward: 'append',
    trusted: real ? from : [],
    realIp:
      !real || from.length === 0 ? 'peer' : keys.isOn('real-ip-recursive') ? 'rightmost-untrusted' : 'last',
    acceptProxy: announced ? 'required' : 'off',
    ...(announced ? { proxyTrusted: header === 'proxy_protocol' ? from : [] } : {}),
  });
}

function haproxyTech(keys: Keys, unread: string[]): L7ProxyModel {
  const whose = keys.text('proxy-protocol');
  const proxyTrusted = whose === undefined ? [] : prefixList(whose, 'proxy-protocol', unread);
  if (keys.text('src-ip-header') !== undefined) unread.push('src-ip-header is not followed');
  return proxyModel({
    kind: 'haproxy',
    forward: keys.text('forwarded-for')?.toLowerCase() === 'false' ? 'off' : 'add',
    acceptProxy: proxyTrusted.length > 0 ? 'trusted' : 'off',
    ...(proxyTrusted.length > 0 ? { proxyTrusted } : {}),
  });
}

function haproxyIngress(keys: Keys, unread: string[]): L7ProxyModel {
  const mode = keys.text('forwardfor') ?? 'add';
  const forward = { add: 'replace', update: 'append', ignore: 'off' } as const;
  if (!(mode in forward)) unread.push(`forwardfor: ${mode} is not modelled; add is taken`);
  return proxyModel({
    kind: 'haproxy',
    forward: forward[mode as keyof typeof forward] ?? 'replace',
    acceptProxy: keys.isOn('use-proxy-protocol') ? 'required' : 'off',
  });
}
