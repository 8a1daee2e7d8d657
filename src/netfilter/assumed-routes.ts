/**
 * Routes of a node whose dumps hold none, as far as a cluster says them: its own addresses, its pods behind one interface,
 * everything else behind another. The names of both interfaces are not known, and a rule that asks for one is `unknown`.
 */
import type { Address, Family } from '../addr/address.js';
import type { Prefix } from '../addr/prefix.js';
import type { Node } from './node.js';
import type { Link } from './node-routes.js';

/** No interface of Linux begins with this; see {@link isNameless}. */
const UPLINK = '?uplink';
const PODS = '?pods';
const IPVS = '?ipvs';

export const NAMELESS = 'the name of the interface was not given (ip -j addr, ip -j route)';

/** Whether an interface is one that was made up here. */
export function isNameless(name: string | null): boolean {
  return name?.startsWith('?') === true;
}

export interface NodePlace {
  readonly addresses: readonly Address[];
  /** address of the node on the interface of its pods */
  readonly podGateways: readonly Address[];
  readonly podCidrs: readonly Prefix[];
  /** pods of the node that are behind its interface for them */
  readonly pods: readonly Address[];
}

/** Completes the node's routes. Returns what was assumed, in words; empty where the dumps say it all. */
export function assumeRoutes(node: Node, place: NodePlace): string[] {
  const { routes } = node;
  const said: string[] = [];
  if (!node.hasAddresses) {
    // kube-proxy binds the addresses of its IPVS services to a dummy interface
    const bound = node.ipvs.flatMap(({ address }) => address ?? []);
    routes.links.push(linkOf(UPLINK, place.addresses), linkOf(PODS, place.podGateways), linkOf(IPVS, bound));
    node.hasAddresses = true;
    said.push('its addresses and interfaces are those of the scenario');
  }
  if (routes.hasRoutes) return said;
  for (const family of [4, 6] as const) {
    const own = place.addresses.filter((address) => address.family === family);
    if (own.length === 0) continue;
    const uplink = own.map((address) => routes.linkOfAddress(address)).find((link) => link !== null);
    add(node, { address: zero(family), length: 0 }, uplink?.name ?? UPLINK);
    const bits = family === 4 ? 32 : 128;
    const pods = [...place.podCidrs, ...place.pods.map((address) => ({ address, length: bits }))].filter(
      ({ address }) => address.family === family,
    );
    for (const prefix of pods) add(node, prefix, bridgeOf(node, place, family) ?? PODS);
  }
  said.push('pods are behind one interface, and everything else is behind that of its own address');
  return said;
}

/** The link that has the pods' gateway, where the node's addresses were given. */
function bridgeOf(node: Node, { podGateways }: NodePlace, family: Family): string | null {
  const gateway = podGateways.find((address) => address.family === family);
  return gateway === undefined ? null : (node.routes.linkOfAddress(gateway)?.name ?? null);
}

function linkOf(name: string, addresses: readonly Address[]): Link {
  return {
    name,
    index: 0,
    up: true,
    mtu: 0,
    kind: 'ether',
    group: 'default',
    master: null,
    addresses: addresses.map((address) => ({
      address,
      prefixLength: address.family === 4 ? 32 : 128,
      scope: 'global',
      secondary: false,
      deprecated: false,
    })),
  };
}

function add(node: Node, prefix: Prefix, dev: string): void {
  node.routes.addRoute({
    prefix,
    type: 'unicast',
    table: 'main',
    metric: 0,
    tos: 0,
    hops: [{ dev, gateway: null, weight: 1 }],
    prefsrc: null,
  });
}

function zero(family: Family): Address {
  return { family, w0: 0, w1: 0, w2: 0, w3: 0 };
}
