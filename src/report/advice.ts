/**
 * What to try next, by the reason for which flows broke: remedies that people run in practice, each a change
 * that can be made in the scenario and replayed over the same capture.
 */
import type { Reason, ReplayResult } from '../verdict/verdict.js';

const REMEDIES: Partial<Record<Reason, string>> = {
  'ecmp-rehash':
    'spec.router.ecmp.select: resilient keeps flows in place when a next hop leaves; when one is added, ' +
    'only idle buckets move. With hash-threshold a next hop at either end of the list moves half of all flows, ' +
    'one in the middle about a third.',
  'no-local-endpoint':
    'Let only nodes that have an endpoint announce the VIP, or try externalTrafficPolicy: Cluster, which ' +
    'delivers from any node and loses the client address.',
  'no-endpoint':
    'Keep an endpoint serving while others terminate: a preStop wait, minReadySeconds, a disruption budget.',
  'endpoint-gone':
    'Give pods a preStop wait longer than routes and rules take to change, so that no packet meets a pod that has gone.',
  'endpoint-stopped':
    'Give pods a preStop wait and a terminationGracePeriodSeconds above the length of the connections that matter.',
  'node-down':
    'The hold time decides how long a dead node attracts traffic (90 s by default in MetalLB); BFD notices within a second.',
  'no-route':
    'At least one speaker must announce the VIP at every moment: announce the new before the old goes.',
  'not-a-service':
    'The node attracts traffic for a port that no service has: check ports and the node’s rules.',
  'invalid-dropped':
    'A closing FIN that reaches a node without the connection is dropped as INVALID: what cures the re-hash cures these timeouts.',
  'forwarding-loop':
    'Keep the INVALID drop rule (dataplane.dropInvalid), or route the VIP to a blackhole on nodes: packets loop otherwise.',
  'entry-expired':
    'Send TCP keepalives more often than dataplane.conntrack.timeouts, or raise the timeout that ran out.',
  'loose-off':
    'With tcpLoose: false moved flows time out instead of being reset; clients notice a reset at once and a timeout after minutes.',
  'conntrack-full':
    'Raise nf_conntrack_max (dataplane.conntrack.max) above the connections that a node holds.',
  'snat-port-exhausted':
    'Source ports run out per endpoint and port: more endpoints, or externalTrafficPolicy: Local, which masquerades nothing.',
  'stale-rules': 'Shorten dataplane.sync, or delay the announcement until the rules are programmed.',
  'invalid-refused':
    'A FIN that reaches a node without the connection is refused by the node itself: what moved the flow is to be cured.',
  'next-hop-failed':
    'Nexthop objects (router.ecmp.nexthops: objects) or fib_multipath_use_neigh=1 pass over a failed neighbour; ' +
    'ignore_routes_with_linkdown=1 takes out a next hop whose link has no carrier.',
  'member-unknown':
    'Add pool members disabled and enable them once they are known to be healthy (edge.pools[].newMembers: disabled).',
  'member-down':
    'serviceDown: none lets the connections of a member that is down end by themselves; a longer monitor timeout forgives more.',
  'no-member': 'Keep at least one member of the pool enabled and answering its monitor.',
  'edge-unmatched':
    'Send TCP keepalives more often than the load balancer’s idle timeout (edge.idleTimeout).',
  'tunnel-address-collision':
    'Free the address that the pod shares with the tunnel, and use blocks large enough for a node.',
};

/** Remedies for what broke here, the most frequent reason first. */
export function adviceFor({ summary }: ReplayResult, limit: number): string[] {
  return Object.entries(summary.byCause)
    .filter(([, flows]) => flows > 0)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([reason]) => REMEDIES[reason as Reason])
    .filter((remedy) => remedy !== undefined)
    .slice(0, limit);
}
