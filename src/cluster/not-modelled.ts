/**
 * What the scenario language knows and this version does not model yet. It is refused with the reason, never
 * ignored: a report that leaves out a hop of the path is wrong. A hop that becomes modelled loses its line here.
 */
import type { DataplaneModel } from './model.js';

type Refusal = string | null;

export function refuseProxy(proxy: DataplaneModel['proxy']): Refusal {
  if (proxy === 'iptables') return null;
  return `proxy ${proxy} is not modelled yet: it resets, drops and chooses endpoints otherwise than iptables does; use iptables`;
}

export function refuseOverlay(overlay: DataplaneModel['overlay']): Refusal {
  if (overlay === 'none') return null;
  return `overlay ${overlay} is not modelled yet: pods on other nodes would see the tunnel's address as source; state overlay: none in the scenario to go on without it`;
}

export function refuseEdge(edge: Readonly<Record<string, unknown>>): Refusal {
  if (Object.keys(edge).length === 0) return null;
  return 'an edge load balancer before the cluster is not modelled yet; leave edge empty';
}

export function refuseVerb(verb: string): Refusal {
  if (verb !== 'poolMember') return null;
  return 'poolMember is not modelled yet: it acts on the pool of an edge load balancer; leave it out';
}
