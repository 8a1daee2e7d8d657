/**
 * A large cluster without the endpoints that no packet of a capture can reach. Every node holds rules for every endpoint of
 * every service: 5,000 nodes and 100,000 endpoints are half a thousand million entries, and a capture asks for a few.
 */
import { formatAddress } from '../../addr/address.js';
import { prefixContains } from '../../addr/prefix.js';
import type { ClusterModel, ServiceModel } from '../model.js';

/** Nodes times endpoints from which on it is worth it; below, the model stays as it is. */
const LARGE = 2_000_000;

/** What a capture shows, on either side of its flows. */
export interface SeenEnds {
  /** as text */
  readonly addresses: ReadonlySet<string>;
  readonly ports: ReadonlySet<number>;
}

export interface NarrowedModel {
  readonly model: ClusterModel;
  /** services whose endpoints were left out */
  readonly idle: number;
}

/** @param seen asked for only where the cluster is large */
export function narrowModel(model: ClusterModel, seen: () => SeenEnds): NarrowedModel {
  const endpoints = model.services.reduce((sum, service) => sum + service.endpoints.length, 0);
  if (model.nodes.length * endpoints < LARGE || model.edge !== null) return { model, idle: 0 };
  const ends = seen();
  const named = namedByTimeline(model);
  let idle = 0;
  const services = model.services.map((service, row) => {
    if (isTouched(service, ends) || named.services.has(row) || hasNamedPod(service, named.pods))
      return service;
    if (sharesRoute(service, model)) return service;
    idle++;
    return { ...service, endpoints: [] };
  });
  return { model: { ...model, services }, idle };
}

/** By one of its addresses, or by a node port, which any address of a node may carry. */
function isTouched(
  { vips, clusterAddresses = [], externalIPs = [], ports }: ServiceModel,
  { addresses, ports: seen }: SeenEnds,
): boolean {
  return (
    [...vips, ...clusterAddresses, ...externalIPs].some((address) => addresses.has(formatAddress(address))) ||
    ports.some(({ nodePort }) => nodePort !== undefined && seen.has(nodePort))
  );
}

/** Its address goes by a route to more than itself: whether that is announced may depend on its endpoints. */
function sharesRoute({ vips }: ServiceModel, { router, timeline }: ClusterModel): boolean {
  const prefixes = [...router.routes, ...timeline.filter((event) => event.kind === 'route')].map(
    ({ prefix }) => prefix,
  );
  return prefixes.some(
    (prefix) =>
      prefix.length < (prefix.address.family === 4 ? 32 : 128) &&
      vips.some((vip) => prefixContains(prefix, vip)),
  );
}

function hasNamedPod({ endpoints }: ServiceModel, pods: ReadonlySet<string>): boolean {
  return pods.size > 0 && endpoints.some(({ pod }) => pods.has(pod));
}

function namedByTimeline({ timeline }: ClusterModel): { services: Set<number>; pods: Set<string> } {
  const services = new Set<number>();
  const pods = new Set<string>();
  for (const event of timeline) {
    if ('service' in event) services.add(event.service);
    if ('pod' in event) pods.add(event.pod);
  }
  return { services, pods };
}
