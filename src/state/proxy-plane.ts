/**
 * What the data planes of Kubernetes services do differently, in one row each: iptables and nftables (kube-proxy),
 * IPVS (kube-proxy), Cilium's and Calico's eBPF.
 *
 * | plane                 | chooses by            | mid-flow segment without an entry    | masquerades        | a pod's RST           |
 * |-----------------------|-----------------------|--------------------------------------|--------------------|-----------------------|
 * | iptables, nftables    | chance                | loose: as new; else INVALID          | policy Cluster     | un-NATed, from the VIP |
 * | ipvs                  | rr, lc, sh, mh        | the node's own stack resets; sloppy: as new | policy Cluster | un-NATed, from the VIP |
 * | cilium, snat          | chance or Maglev      | as new, whatever its flags           | Cluster, to a remote pod | un-NATed, from the VIP |
 * | cilium, dsr           | chance or Maglev      | as new, whatever its flags           | never              | the pod's node knows the VIP from the SYN alone: else ignored |
 * | cilium, hybrid        | chance or Maglev      | as new, whatever its flags           | all but TCP, to a remote pod | as with dsr |
 * | calico-ebpf, tunnel   | chance or Maglev      | Maglev: as new; else dropped         | never              | un-NATed, from the VIP |
 * | calico-ebpf, dsr      | chance or Maglev      | Maglev: as new; else dropped         | never              | un-NATed by the pod's node |
 *
 * Under policy Local a node without an endpoint answers nothing, whatever the plane: with IPVS the packet goes to a pod
 * elsewhere, unmasqueraded, and the client ignores that pod's answer (kubernetes #97081).
 *
 * Source: facts measured on a kernel for iptables, test/lab/overlay-and-nftables.test.ts for nftables and VXLAN's
 * source; failure reports and documentation for the others (kube-router #1577, cilium #47020, calico #12432,
 * KEP-1669): {@link isVerified} says which.
 */
import type { DataplaneModel } from '../cluster/model.js';

/** What a node does with a TCP segment that is no SYN and for which it has no entry. */
export type MidFlow =
  /** conntrack decides: taken up (tcp_loose) or INVALID */
  | 'conntrack'
  /** an endpoint is chosen as for a new connection, even for FIN and RST */
  | 'schedule'
  /** the VIP is an address of the node: its own stack has no such socket, and resets */
  | 'stack-reset'
  | 'drop';

/** How a node chooses among the endpoints that it may use. */
export type Scheduling =
  /** drawn for every entry */
  | 'random'
  /** a table over the endpoints, asked with the five-tuple: the same answer on every node */
  | 'maglev'
  /** IPVS: in turn, fewest connections, by source address, by a Maglev table over source address and port */
  | 'rr'
  | 'lc'
  | 'sh'
  | 'mh';

export interface ProxyPlane {
  readonly scheduling: Scheduling;
  readonly midFlow: MidFlow;
  /** whose connections are masqueraded under policy Cluster */
  readonly masquerades: 'all' | 'to-remote-pods' | 'all-but-tcp-to-remote-pods' | 'none';
  /** a pod's RST reaches the client with the VIP as its source */
  readonly answersFromVip: boolean;
}

const CILIUM_MASQUERADES = {
  snat: 'to-remote-pods',
  dsr: 'none',
  hybrid: 'all-but-tcp-to-remote-pods',
} as const;

export function proxyPlane({ proxy, ipvs, cilium, calicoEbpf }: DataplaneModel): ProxyPlane {
  switch (proxy) {
    case 'iptables':
    case 'nftables':
      return {
        scheduling: 'random',
        midFlow: 'conntrack',
        masquerades: 'all',
        answersFromVip: true,
      };
    case 'ipvs':
      return {
        scheduling: ipvs.scheduler,
        midFlow: ipvs.sloppyTcp ? 'schedule' : 'stack-reset',
        masquerades: 'all',
        answersFromVip: true,
      };
    case 'cilium':
      return {
        scheduling: cilium.algorithm,
        midFlow: 'schedule',
        masquerades: CILIUM_MASQUERADES[cilium.mode],
        answersFromVip: cilium.mode === 'snat',
      };
    case 'calico-ebpf':
      return {
        scheduling: calicoEbpf.maglev ? 'maglev' : 'random',
        midFlow: calicoEbpf.maglev ? 'schedule' : 'drop',
        masquerades: 'none',
        answersFromVip: true,
      };
  }
}

/** Whether what the plane does was held against running software, and not only read about. */
function isVerified(proxy: DataplaneModel['proxy']): boolean {
  return proxy === 'iptables' || proxy === 'nftables';
}

/** The sentence for results under a plane that was not held against running software; null where it was. */
export function unverifiedNote(proxy: DataplaneModel['proxy']): string | null {
  if (isVerified(proxy)) return null;
  return `data plane ${proxy}: modelled from documentation and source, not verified against a running one`;
}
