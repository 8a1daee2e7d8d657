/** The nodes that dumps describe, parsed once however many engines ask. */

import { sameAddress } from '../addr/address.js';
import type { ClusterModel, StateText } from '../cluster/model.js';
import { assumeRoutes } from '../netfilter/assumed-routes.js';
import type { Node } from '../netfilter/node.js';
import { readNodeState } from '../netfilter/node-state.js';

export interface DumpedNode {
  readonly node: Node;
  /** what the dumps did not say and the scenario or nobody did */
  readonly assumed: readonly string[];
}

const parsed = new WeakMap<readonly StateText[], Map<ClusterModel['nodes'], DumpedNode>>();

/**
 * The node in row `row` as its files describe it, completed by what the model says of addresses and pods. Throws a
 * FlowfateError where a file is no dump.
 */
export function dumpedNode(
  { nodes, services }: Pick<ClusterModel, 'nodes' | 'services'>,
  row: number,
  files: readonly StateText[],
): DumpedNode {
  const known = parsed.get(files)?.get(nodes);
  if (known !== undefined) return known;
  const { name, addresses, podCidrs, podGateways } = nodes[row]!;
  const node = readNodeState(name, files);
  const pods = services
    .flatMap(({ endpoints }) => endpoints.filter((endpoint) => endpoint.node === row))
    .flatMap((endpoint) => endpoint.addresses)
    .filter((address) => !addresses.some((own) => sameAddress(own, address)));
  const assumed = assumeRoutes(node, { addresses, podCidrs, podGateways, pods });
  const made = { node, assumed };
  const byNodes = parsed.get(files) ?? new Map<ClusterModel['nodes'], DumpedNode>();
  byNodes.set(nodes, made);
  parsed.set(files, byNodes);
  return made;
}
