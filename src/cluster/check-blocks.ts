/**
 * Whether a node's blocks (podCIDR, or Calico's IPAMBlocks) have an address for each of its pods.
 *
 * A pod whose address lies in a block of another node has borrowed it, as Calico lets it, and takes none of its own
 * node's. Nothing more is asked of a pod's address: which blocks there are need not be known completely.
 */
import { type Address, formatAddress, sameAddress } from '../addr/address.js';
import { formatPrefix, type Prefix, prefixBits, prefixContains } from '../addr/prefix.js';
import { type ClusterFacts, positionIn } from './facts.js';
import type { ClusterModel, NodeModel, ServiceModel } from './model.js';
import type { Problems } from './problems.js';

const FAMILIES = [4, 6] as const;
type Family = (typeof FAMILIES)[number];
type Blocks = Pick<NodeModel, 'podCidrs'>;

export function checkBlocks(model: ClusterModel, facts: ClusterFacts, problems: Problems): void {
  for (const [row, node] of model.nodes.entries()) {
    for (const family of FAMILIES) {
      const room = roomOf(node, family);
      const pods = room === null ? 0 : podsOf(model, row, family);
      if (room === null || pods <= room) continue;
      const cidrs = node.podCidrs.filter(isOf(family)).map(formatPrefix).join(', ');
      const addresses = room === 1 ? 'address' : 'addresses';
      problems.add(
        positionIn(facts.nodes![row]!.place, 'podCIDR'),
        `node ${node.name} has ${pods} pods, but ${cidrs} only ${room} ${addresses}; give the node a larger block, or another one`,
      );
    }
  }
}

/**
 * Why the nodes' blocks cannot hold `replicas` pods of a service beside those of the others, or null. A node whose pods
 * hang on no bridge has its blocks from Calico, which would claim another one.
 */
export function refuseReplicas(
  nodes: readonly Pick<NodeModel, 'podCidrs' | 'podGateways'>[],
  services: readonly Pick<ServiceModel, 'endpoints'>[],
  service: number,
  replicas: number,
): string | null {
  const others = new Set(
    services.flatMap((s, row) => (row === service ? [] : s.endpoints.map((e) => e.pod))),
  );
  if (nodes.some(({ podGateways }) => podGateways.length === 0)) return null;
  for (const family of FAMILIES) {
    const rooms = nodes.flatMap((node) => roomOf(node, family) ?? []);
    if (rooms.length < nodes.length) continue;
    const room = rooms.reduce((sum, addresses) => sum + addresses, 0);
    const pods = replicas + others.size;
    if (pods > room)
      return `${pods} pods need more than the ${room} IPv${family} addresses that the podCIDRs of the nodes have`;
  }
  return null;
}

/** Addresses in the node's blocks of the family; null where it has no such block. */
function roomOf({ podCidrs }: Blocks, family: Family): number | null {
  const blocks = podCidrs.filter(isOf(family));
  if (blocks.length === 0) return null;
  return blocks.reduce((sum, { length }) => sum + 2 ** (prefixBits(family) - length), 0);
}

/** Pods of the node with an address of the family that is neither the node's own nor another node's to give. */
function podsOf(model: ClusterModel, row: number, family: Family): number {
  const node = model.nodes[row]!;
  const lent = model.nodes.flatMap((other, i) => (i === row ? [] : other.podCidrs));
  const isOwn = (address: Address): boolean =>
    address.family === family &&
    !node.addresses.some((other) => sameAddress(other, address)) &&
    !lent.some((cidr) => prefixContains(cidr, address));
  const addresses = model.services.flatMap(({ endpoints }) =>
    endpoints.flatMap((endpoint) => (endpoint.node === row ? endpoint.addresses.filter(isOwn) : [])),
  );
  return new Set(addresses.map(formatAddress)).size;
}

const isOf =
  (family: Family) =>
  ({ address }: Prefix): boolean =>
    address.family === family;
