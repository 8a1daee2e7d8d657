/**
 * Whom the application behind an L7 proxy takes for the client, why, and which single setting would make it the
 * real one.
 *
 * The way of the address is walked as the request goes: the client's own claim in its header, the load balancer
 * before the cluster, the node's masquerade, the proxy, the application's reading. A remedy is found by walking it again with one setting
 * changed; two where no single one helps.
 */
import { type Address, sameAddress } from '../addr/address.js';
import { hostPrefix } from '../addr/prefix.js';
import type { EdgeInsert } from '../cluster/edge-model.js';
import type { L7ProxyModel } from '../cluster/l7-model.js';
import {
  clientAtApplication,
  entriesOf,
  type ForwardedRequest,
  forwardedFields,
  type ProxyFault,
  proxyRequest,
  trusts,
} from '../state/l7-proxy.js';
import type { HeaderField } from '../wire/http-request.js';

/** What the address meets on its way. */
export interface AddressPath {
  readonly client: Address;
  /** fields that the client sent itself */
  readonly fields: readonly HeaderField[];
  /** source of the PROXY header that the client sent itself */
  readonly announced: Address | null;
  /** the load balancer before the cluster; null: there is none in the way */
  readonly edge: EdgePassage | null;
  /** source that the node's masquerade gives the connection; null: it leaves it alone */
  readonly masquerade: Address | null;
  readonly proxy: L7ProxyModel;
  /** the proxy's pod */
  readonly own: Address;
}

interface EdgePassage {
  /** what SNAT automap puts in the client's place; null: nothing */
  readonly source: Address | null;
  readonly insert: EdgeInsert;
}

export interface ApplicationView {
  /** source of the connection that the application accepts */
  readonly peer: Address;
  readonly sees: Address | null;
  readonly fault: ProxyFault | null;
  readonly request: { readonly fields: readonly HeaderField[]; readonly announced: Address | null };
}

export function viewOf(path: AddressPath): ApplicationView {
  const { proxy, own } = path;
  const { request, fault } = proxyRequest(proxy, atProxy(path), own);
  return {
    peer: request.peer,
    sees: fault === null ? clientAtApplication(proxy.application, request) : null,
    fault,
    request,
  };
}

/** The request as it comes to the proxy. */
function atProxy({ client, fields, announced, edge, masquerade }: AddressPath): ForwardedRequest {
  if (edge === null) return { peer: masquerade ?? client, announced, fields };
  const { source, insert } = edge;
  return {
    peer: masquerade ?? source ?? client,
    announced: insert.sendProxy === 0 ? announced : client,
    fields: forwardedFields(insert, fields, client, NOBODY_TRUSTED),
  };
}

/** a load balancer at the border believes no client */
const NOBODY_TRUSTED = false;

/** Addresses that the client claims for itself and that are not its own, the one it names first in front. */
export function forgedClaims({ client, fields, announced, proxy }: AddressPath): Address[] {
  const named = entriesOf(proxy.field, fields).flatMap(({ address }) => address ?? []);
  const claims = announced === null ? named : [announced, ...named];
  return claims.filter((claim) => !sameAddress(claim, client));
}

interface Setting {
  /** as it stands in a scenario: key and value */
  readonly text: string;
  readonly applies: (path: AddressPath) => boolean;
  readonly change: (path: AddressPath) => AddressPath;
}

const withProxy =
  (change: Partial<L7ProxyModel>) =>
  (path: AddressPath): AddressPath => ({ ...path, proxy: { ...path.proxy, ...change } });

const withApplication =
  (change: Partial<L7ProxyModel['application']>) =>
  ({ proxy, ...path }: AddressPath): AddressPath => ({
    ...path,
    proxy: { ...proxy, application: { ...proxy.application, ...change } },
  });

const withInsert =
  (change: Partial<EdgeInsert>) =>
  ({ edge, ...path }: AddressPath): AddressPath => ({
    ...path,
    edge: edge && { ...edge, insert: { ...edge.insert, ...change } },
  });

/** The proxy believes whom it gets connections from now. */
function trusting(path: AddressPath): AddressPath {
  const { peer } = atProxy(path);
  const { trusted, proxyTrusted } = path.proxy;
  const believed = proxyTrusted && { proxyTrusted: [...proxyTrusted, hostPrefix(peer)] };
  return withProxy({ trusted: [...trusted, hostPrefix(peer)], ...believed })(path);
}

const SETTINGS: readonly Setting[] = [
  {
    text: 'edge.snat: none and externalTrafficPolicy: Local',
    applies: ({ edge }) => edge !== null && edge.source !== null,
    change: ({ edge, ...path }) => ({ ...path, masquerade: null, edge: edge && { ...edge, source: null } }),
  },
  {
    text: 'edge.insert.forward: replace, with the load balancer in l7Proxy.trustedIPs',
    applies: ({ edge, proxy }) =>
      edge !== null && edge.insert.forward !== 'replace' && proxy.forward !== 'replace',
    change: (path) => trusting(withInsert({ forward: 'replace', field: path.proxy.field })(path)),
  },
  {
    text: 'edge.insert.proxyProtocol: v2 and l7Proxy.proxyProtocol.accept: trusted, with the load balancer in l7Proxy.trustedIPs',
    applies: ({ edge, proxy }) => edge !== null && edge.insert.sendProxy === 0 && proxy.acceptProxy === 'off',
    change: (path) => trusting(withProxy({ acceptProxy: 'trusted' })(withInsert({ sendProxy: 2 })(path))),
  },
  {
    text: 'externalTrafficPolicy: Local',
    applies: ({ masquerade }) => masquerade !== null,
    change: (path) => ({ ...path, masquerade: null }),
  },
  {
    text: 'l7Proxy.forward: replace',
    applies: ({ proxy }) => proxy.forward !== 'replace',
    change: withProxy({ forward: 'replace' }),
  },
  {
    text: 'l7Proxy.trustedIPs without this peer, insecure: false',
    applies: (path) => trusts(path.proxy, atProxy(path).peer),
    change: withProxy({ trusted: [], insecure: false }),
  },
  {
    text: 'l7Proxy.application.reads: x-forwarded-for',
    applies: ({ proxy }) => proxy.application.reads !== proxy.field,
    change: (path) => withApplication({ reads: path.proxy.field })(path),
  },
  {
    text: 'l7Proxy.application.take: last',
    applies: ({ proxy }) => proxy.application.take !== 'last',
    change: withApplication({ take: 'last' }),
  },
  {
    text: 'l7Proxy.proxyProtocol.accept: off',
    applies: ({ proxy }) => proxy.acceptProxy !== 'off',
    change: withProxy({ acceptProxy: 'off' }),
  },
  {
    text: 'l7Proxy.proxyProtocol.send: v2, l7Proxy.application.reads: proxy-protocol',
    applies: ({ proxy }) => proxy.sendProxy === 0,
    change: (path) => withApplication({ reads: 'proxy-protocol' })(withProxy({ sendProxy: 2 })(path)),
  },
];

/**
 * The fewest settings that make the application see the client, whatever the client claims about itself: for
 * each way to do it, the keys of a scenario. Empty where it sees the client already, or nothing helps.
 */
export function restoringSettings(path: AddressPath): string[] {
  if (isRestored(path)) return [];
  const usable = SETTINGS.filter(({ applies }) => applies(path));
  const single = usable.filter(({ change }) => isRestored(change(path)));
  if (single.length > 0) return single.map(({ text }) => text);
  return usable.flatMap((first, i) =>
    usable
      .slice(i + 1)
      .filter((second) => isRestored(second.change(first.change(path))))
      .map((second) => `${first.text} and ${second.text}`),
  );
}

/** Right as things are, and right if the client lied: what holds only for honest clients is no remedy. */
function isRestored(path: AddressPath): boolean {
  const lied = { ...path, fields: [...path.fields, { name: 'X-Forwarded-For', value: A_LIE }, ...LIES] };
  return [path, lied].every((one) => {
    const { sees } = viewOf(one);
    return sees !== null && sameAddress(sees, path.client);
  });
}

/** of the range for documentation that nobody's client comes from (RFC 5737) */
const A_LIE = '192.0.2.255';
const LIES: readonly HeaderField[] = [{ name: 'Forwarded', value: `for=${A_LIE}` }];
