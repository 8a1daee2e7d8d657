/** Whose source address changes on a node, and which address MASQUERADE takes. */
import type { Address } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import { TCP } from '../wire/ip-protocol.js';
import { addressOf } from './cluster-state.js';
import { proxyPlane } from './proxy-plane.js';
import { Origin } from './service-doors.js';

/**
 * Whether a connection to a pod on `podNode` is masqueraded on `node`, a pod that gets itself aside.
 *
 * @param marked whether kube-proxy would mark it (service-doors.ts)
 * @param origin who sends; eBPF planes translate what pods and nodes send at their sockets, and mask nobody
 * @param proto its protocol number
 */
export function isMasqueraded(
  { dataplane }: Pick<ClusterModel, 'dataplane'>,
  marked: boolean,
  origin: Origin,
  node: number,
  podNode: number,
  proto: number,
): boolean {
  const { masquerades } = proxyPlane(dataplane);
  if (!marked || (masquerades !== 'all' && origin !== Origin.outside)) return false;
  switch (masquerades) {
    case 'all':
      return true;
    case 'to-remote-pods':
      return node !== podNode;
    case 'all-but-tcp-to-remote-pods':
      return node !== podNode && proto !== TCP;
    case 'none':
      return false;
  }
}

/**
 * The source that a pod on `podNode` sees of a connection masqueraded on `node`: the primary address of the interface
 * that the packet leaves through. For a pod of the same node that is the pod bridge's, where the node has one; for a
 * remote pod behind an overlay the tunnel device's; otherwise the node's own. Null: the node has no address of this
 * family.
 */
export function masqueradeAddress(
  model: ClusterModel,
  node: number,
  podNode: number,
  family: number,
): Address | null {
  const { addresses, podGateways, tunnelAddresses } = model.nodes[node]!;
  const own = addressOf(addresses, family);
  if (node === podNode) return addressOf(podGateways, family) ?? own;
  return podNode >= 0 && isTunnelled(model, family) ? (addressOf(tunnelAddresses, family) ?? own) : own;
}

/** Whether packets of this family between nodes travel in a tunnel: IPIP carries IPv4 only. */
export function isTunnelled(
  { dataplane: { overlay } }: Pick<ClusterModel, 'dataplane'>,
  family: number,
): boolean {
  return overlay === 'vxlan' || (overlay === 'ipip' && family === 4);
}
