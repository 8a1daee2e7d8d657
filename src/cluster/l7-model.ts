/**
 * An L7 proxy (ingress controller) as the endpoint of a service, and the application behind it: as far as they
 * decide which client address the application sees.
 *
 * | key             | Traefik                            | nginx                              | HAProxy                   | Envoy                 |
 * |-----------------|------------------------------------|------------------------------------|---------------------------|-----------------------|
 * | forward: off    | –                                  | nothing configured                 | nothing configured        | use_remote_address off |
 * | forward: append | –                                  | $proxy_add_x_forwarded_for         | –                         | use_remote_address on |
 * | append-peer     | –                                  | $realip_remote_addr appended       | –                         | –                     |
 * | forward: add    | –                                  | –                                  | option forwardfor         | –                     |
 * | forward: replace| –                                  | X-Forwarded-For $remote_addr       | http-request set-header   | –                     |
 * | forward: guard  | forwardedHeaders.trustedIPs        | –                                  | forwardfor if { src … }   | –                     |
 * | realIp          | –                                  | set_real_ip_from, real_ip_header   | –                         | xff_num_trusted_hops  |
 * | acceptProxy     | proxyProtocol.trustedIPs           | listen … proxy_protocol            | bind … accept-proxy       | proxy_protocol filter |
 */
import type { Address } from '../addr/address.js';
import type { Prefix } from '../addr/prefix.js';

export const L7_KINDS = ['traefik', 'nginx', 'haproxy', 'envoy'] as const;
export type L7Kind = (typeof L7_KINDS)[number];

export const FORWARDING_FIELDS = ['x-forwarded-for', 'forwarded'] as const;
export type ForwardingField = (typeof FORWARDING_FIELDS)[number];

/** `guard`: append for whom it trusts, replace for everybody else; `append-peer`: append the peer, whoever the client is */
export const FORWARD_MODES = ['off', 'append', 'append-peer', 'add', 'replace', 'guard'] as const;
export type ForwardMode = (typeof FORWARD_MODES)[number];

/** `trusted`: from whom it trusts, if there is one; of others it is skipped */
export const ACCEPT_PROXY = ['off', 'required', 'trusted'] as const;

export const TAKES = ['first', 'last', 'rightmost-untrusted'] as const;

export interface L7ProxyModel {
  readonly kind: L7Kind;
  readonly field: ForwardingField;
  readonly forward: ForwardMode;
  /** peers whose fields and PROXY headers are believed */
  readonly trusted: readonly Prefix[];
  /** peers whose PROXY headers are believed, where they are others than {@link trusted} */
  readonly proxyTrusted?: readonly Prefix[] | undefined;
  /** everybody is trusted */
  readonly insecure: boolean;
  /** whom it takes for the client: the peer, or an entry of a trusted peer's field */
  readonly realIp: 'peer' | 'last' | 'rightmost-untrusted';
  readonly acceptProxy: (typeof ACCEPT_PROXY)[number];
  /** version of the PROXY header that it sends to the application; 0 = none */
  readonly sendProxy: 0 | 1 | 2;
  readonly application: ApplicationModel;
}

/** The application behind the proxy, and how it reads who its client is. */
export interface ApplicationModel {
  /** where the proxy sends requests: pods or a Service; empty = not stated */
  readonly addresses: readonly Address[];
  readonly port: number;
  readonly reads: 'peer' | ForwardingField | 'proxy-protocol';
  readonly take: (typeof TAKES)[number];
  /** for rightmost-untrusted */
  readonly trusted: readonly Prefix[];
}

interface ProxiedService {
  readonly l7Proxy: L7ProxyModel | null;
  readonly ports: readonly { readonly l7Proxy?: L7ProxyModel | null | undefined }[];
}

/** The proxy that serves a port (row) of a service, or null: the endpoints are the application there. */
export function l7ProxyOf({ l7Proxy, ports }: ProxiedService, port: number): L7ProxyModel | null {
  const own = ports[port]?.l7Proxy;
  return own === undefined ? l7Proxy : own;
}

/** What each does that is told nothing: Traefik always writes the field, the others pass it as it is. */
export const DEFAULT_FORWARD: Readonly<Record<L7Kind, ForwardMode>> = {
  traefik: 'guard',
  nginx: 'off',
  haproxy: 'off',
  envoy: 'off',
};
