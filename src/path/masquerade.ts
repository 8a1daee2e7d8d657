/** Which address MASQUERADE takes: the primary address of the interface the packet leaves through. */
import type { Address } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import { addressOf } from './cluster-state.js';

/**
 * The source that a pod on `podNode` sees of a connection masqueraded on `node`: the pod bridge's address where
 * the pod is on the same node and the node has such a bridge, the node's own address otherwise. Null: the node
 * has no address of this family.
 */
export function masqueradeAddress(
  model: ClusterModel,
  node: number,
  podNode: number,
  family: number,
): Address | null {
  const { addresses, podGateways } = model.nodes[node]!;
  const own = addressOf(addresses, family);
  return node === podNode ? (addressOf(podGateways, family) ?? own) : own;
}
