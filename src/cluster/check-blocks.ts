/**
 * Whether a node's podCIDRs have an address for each of its pods.
 *
 * A pod whose address lies in a block of another node has borrowed it and takes none of its own node's. A node whose
 * pods are on no bridge has its blocks from Calico, which borrows from any block and claims others: nothing is asked of
 * it.
 */
import { type Address, formatAddress, sameAddress } from '../addr/address.js';
import { formatPrefix, type Prefix, prefixBits, prefixContains } from '../addr/prefix.js';
import type { ClusterModel, NodeModel, ServiceModel } from './model.js';
import { type ClusterFacts, positionIn } from './scenario/facts.js';
import type { Problems } from './yaml/problems.js';

const FAMILIES = [4, 6] as const;
type Family = (typeof FAMILIES)[number];

export function checkBlocks(model: ClusterModel, facts: ClusterFacts, problems: Problems): void {
  const hosted = addressesByNode(model);
  for (const [row, node] of model.nodes.entries()) {
    if (node.podGateways.length === 0) continue;
    for (const family of FAMILIES) {
      const blocks = node.podCidrs.filter(isOf(family));
      const room = blocks.reduce((sum, cidr) => sum + sizeOf(cidr), 0);
      const held = (hosted.get(row) ?? []).filter((address) => address.family === family);
      // whose they are is asked only where all of them would be too many: it is a question to every other node
      if (blocks.length === 0 || held.length + node.tunnelAddresses.length <= room) continue;
      const pods = podAddresses(model, row, held);
      const tunnel = model.dataplane.overlay === 'none' ? [] : ownIn(blocks, node.tunnelAddresses);
      const needed = new Set([...pods, ...tunnel]).size;
      if (needed <= room) continue;
      const who = needed > pods.size ? `${pods.size} pods and a tunnel` : `${pods.size} pods`;
      const addresses = room === 1 ? 'address' : 'addresses';
      problems.add(
        positionIn(facts.nodes![row]!.place, 'podCIDR'),
        `node ${node.name} has ${who}, but ${blocks.map(formatPrefix).join(', ')} only ${room} ${addresses}; give the node a larger block, or another one`,
      );
    }
  }
}

/** Why the nodes' podCIDRs cannot hold `replicas` pods of a service beside those of the others, or null. */
export function refuseReplicas(
  nodes: readonly Pick<NodeModel, 'podCidrs' | 'podGateways' | 'tunnelAddresses'>[],
  services: readonly Pick<ServiceModel, 'endpoints'>[],
  service: number,
  replicas: number,
): string | null {
  const others = new Set(
    services.flatMap((s, row) => (row === service ? [] : s.endpoints.map((e) => e.pod))),
  );
  const pods = replicas + others.size;
  if (nodes.some(({ podGateways }) => podGateways.length === 0)) return null;
  for (const family of FAMILIES) {
    const blocks = nodes.map(({ podCidrs }) => podCidrs.filter(isOf(family)));
    if (blocks.some((own) => own.length === 0)) continue;
    const room = nodes.reduce((sum, { podGateways, tunnelAddresses }, row) => {
      const spokenFor = new Set(ownIn(blocks[row]!, [...podGateways, ...tunnelAddresses])).size;
      return blocks[row]!.reduce((all, cidr) => all + sizeOf(cidr), sum - spokenFor);
    }, 0);
    if (pods > room) {
      return `${pods} pods need more than the ${room} IPv${family} addresses that the podCIDRs of the nodes have for pods`;
    }
  }
  return null;
}

const sizeOf = ({ address, length }: Prefix): number => 2 ** (prefixBits(address.family) - length);

/** Those of the addresses that lie in the blocks, as texts. */
function ownIn(blocks: readonly Prefix[], addresses: readonly Address[]): string[] {
  return addresses
    .filter((address) => blocks.some((cidr) => prefixContains(cidr, address)))
    .map(formatAddress);
}

/** Addresses of endpoints by the row of their node. */
function addressesByNode({ services }: ClusterModel): Map<number, Address[]> {
  const hosted = new Map<number, Address[]>();
  for (const { node, addresses } of services.flatMap(({ endpoints }) => endpoints)) {
    const list = hosted.get(node);
    if (list === undefined) hosted.set(node, [...addresses]);
    else list.push(...addresses);
  }
  return hosted;
}

/** Those of the addresses on a node that are neither the node's own nor another node's to give. */
function podAddresses(model: ClusterModel, row: number, held: readonly Address[]): Set<string> {
  const node = model.nodes[row]!;
  const lent = model.nodes.flatMap((other, i) => (i === row ? [] : other.podCidrs));
  const isOwn = (address: Address): boolean =>
    !node.addresses.some((other) => sameAddress(other, address)) &&
    !lent.some((cidr) => prefixContains(cidr, address));
  return new Set(held.filter(isOwn).map(formatAddress));
}

const isOf =
  (family: Family) =>
  ({ address }: Prefix): boolean =>
    address.family === family;
