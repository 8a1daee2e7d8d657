/**
 * An L7 proxy between the client and the application: it ends the client's connection, reads the request, and
 * sends it on over a connection of its own. What is left of the client's address then stands in a header field,
 * or before the request in a PROXY header, if anybody puts it there and the next one believes it.
 *
 * ```
 *   connection from `peer`, perhaps announced by a PROXY header ─► accept ─► whom do we take for the client?
 *        ─► forwarding field: off, append to the list, add a field, replace, or guard ─► connection from `own`
 * ```
 *
 * What nginx 1.22 and HAProxy 2.6 do with each setting was seen on the programs themselves
 * (test/interop/http-proxies.test.ts); Traefik (`guard`, PROXY headers of strangers ignored) and Envoy are as
 * their documentation says.
 */
import { type Address, formatAddress } from '../addr/address.js';
import { type Prefix, prefixContains } from '../addr/prefix.js';
import type { ApplicationModel, ForwardingField, L7ProxyModel } from '../cluster/l7-model.js';
import {
  type ForwardedEntry,
  forwardedElement,
  parseForwarded,
  parseForwardedFor,
} from '../wire/forwarded.js';
import { type HeaderField, valuesOf } from '../wire/http-request.js';

/** A request as one hop hands it to the next. */
export interface ForwardedRequest {
  /** source of the connection that carries it */
  readonly peer: Address;
  /** source that a PROXY header before it names; null = no such header */
  readonly announced: Address | null;
  readonly fields: readonly HeaderField[];
}

export type ProxyFault =
  /** it waits for a PROXY header and gets a request: the connection is closed */
  | 'proxy-header-missing'
  /** it takes the PROXY header for a request: 400 Bad Request */
  | 'proxy-header-unexpected';

export interface ProxiedRequest {
  readonly request: ForwardedRequest;
  /** whom the proxy takes for the client, in its logs and rules */
  readonly client: Address;
  readonly fault: ProxyFault | null;
}

const FIELD_NAMES: Readonly<Record<ForwardingField, string>> = {
  'x-forwarded-for': 'X-Forwarded-For',
  forwarded: 'Forwarded',
};

/** What becomes of `request` at a proxy whose own address towards the application is `own`. */
export function proxyRequest(proxy: L7ProxyModel, request: ForwardedRequest, own: Address): ProxiedRequest {
  const { peer, announced, fields } = request;
  let client = peer;
  if (announced !== null && believes(proxy, peer)) client = announced;
  // whoever is announced is the peer from here on, and its fields are believed as its own would be
  const isTrusted = trusts(proxy, client);
  if (proxy.realIp !== 'peer' && isTrusted) {
    client = lastOf(entriesOf(proxy.field, fields), proxy.realIp, proxy.trusted) ?? client;
  }
  return {
    request: {
      peer: own,
      announced: proxy.sendProxy === 0 ? null : client,
      fields: forwardedFields(proxy, fields, proxy.forward === 'append-peer' ? peer : client, isTrusted),
    },
    client,
    fault: faultOf(proxy, announced),
  };
}

/** Whom the application takes for the client; null where its header names nobody. */
export function clientAtApplication(
  application: ApplicationModel,
  request: ForwardedRequest,
): Address | null {
  const { reads, take, trusted } = application;
  if (reads === 'peer') return request.peer;
  if (reads === 'proxy-protocol') return request.announced ?? request.peer;
  const entries = entriesOf(reads, request.fields);
  if (entries.length === 0) return request.peer;
  return take === 'first' ? entries[0]!.address : lastOf(entries, take, trusted);
}

export function trusts(proxy: Pick<L7ProxyModel, 'insecure' | 'trusted'>, peer: Address): boolean {
  return proxy.insecure || isIn(proxy.trusted, peer);
}

/** Whether it takes the word of `peer`'s PROXY header. */
function believes(proxy: L7ProxyModel, peer: Address): boolean {
  const { acceptProxy, proxyTrusted } = proxy;
  if (proxyTrusted !== undefined) return isIn(proxyTrusted, peer);
  return acceptProxy === 'required' || trusts(proxy, peer);
}

function faultOf({ acceptProxy }: L7ProxyModel, announced: Address | null): ProxyFault | null {
  if (acceptProxy === 'required' && announced === null) return 'proxy-header-missing';
  return acceptProxy === 'off' && announced !== null ? 'proxy-header-unexpected' : null;
}

/** The fields as one hop sends them on, `client` being whom it takes for the client. */
export function forwardedFields(
  { forward, field }: Pick<L7ProxyModel, 'forward' | 'field'>,
  fields: readonly HeaderField[],
  client: Address,
  isTrusted: boolean,
): readonly HeaderField[] {
  if (forward === 'off') return fields;
  const name = FIELD_NAMES[field];
  const entry = field === 'forwarded' ? forwardedElement(client) : formatAddress(client);
  if (forward === 'add') return [...fields, { name, value: entry }];
  const before = valuesOf(fields, name);
  const others = fields.filter((given) => given.name.toLowerCase() !== field);
  const replaces = forward === 'replace' || (forward === 'guard' && !isTrusted);
  const value = replaces ? entry : [...before, entry].join(', ');
  return [...others, { name, value }];
}

/** The entries of a request's forwarding fields, farthest from the server first. */
export function entriesOf(field: ForwardingField, fields: readonly HeaderField[]): ForwardedEntry[] {
  const values = valuesOf(fields, field);
  return field === 'forwarded' ? parseForwarded(values) : parseForwardedFor(values);
}

/** The last entry, or the last one that is nobody's whom we trust; where all are trusted, the first. */
function lastOf(
  entries: readonly ForwardedEntry[],
  take: 'last' | 'rightmost-untrusted',
  trusted: readonly Prefix[],
): Address | null {
  if (take === 'last') return entries.at(-1)?.address ?? null;
  for (let i = entries.length - 1; i >= 0; i--) {
    const { address } = entries[i]!;
    if (address === null || !isIn(trusted, address)) return address;
  }
  return entries[0]?.address ?? null;
}

function isIn(prefixes: readonly Prefix[], address: Address): boolean {
  return prefixes.some((prefix) => prefixContains(prefix, address));
}
