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
