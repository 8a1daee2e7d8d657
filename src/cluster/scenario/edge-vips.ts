/** Which VIPs a load balancer before the cluster holds: nobody announces those to a router. */
import { type Address, formatAddress } from '../../addr/address.js';
import type { ClusterFacts, ServiceFacts } from './facts.js';

type Held = (service: Pick<ServiceFacts, 'name' | 'notModelled'>, vip: Address) => boolean;

/** Whether a VIP of a service is the load balancer's, or stands where nothing is modelled. */
export function heldVips({ edge, services = [] }: Pick<ClusterFacts, 'edge' | 'services'>): Held {
  const raw = edge?.raw;
  if (raw === undefined) return ({ notModelled }) => notModelled !== undefined;
  const isEdge = raw.pools.length > 0 || (raw.virtualServers ?? []).length > 0;
  // without virtual servers of its own, it has one a service
  const all = isEdge && raw.virtualServers === undefined;
  const held = new Set(
    (raw.virtualServers ?? []).flatMap(({ service, vip }) => {
      const name = service ?? services[0]?.name;
      return vip === undefined ? [`${name}`] : vip.map((one) => `${name} ${formatAddress(one)}`);
    }),
  );
  return ({ name, notModelled }, vip) =>
    all || notModelled !== undefined || held.has(name) || held.has(`${name} ${formatAddress(vip)}`);
}
