/**
 * Where a new pod of a scale-up goes: the node that answers, has addresses left, and has the fewest pods of the service
 * (the first of equals), with the next free address of each of the node's pod ranges.
 */
import { type Address, ipv4, ipv6, sameAddress } from '../addr/address.js';
import { type Prefix, prefixBits } from '../addr/prefix.js';
import type { ClusterModel, EndpointModel } from '../cluster/model.js';
import type { ClusterState } from '../state/cluster-state.js';

const FIRST_HOST = 10;
const MAX_TRIES = 4096;

export function placeNewPod(model: ClusterModel, cluster: ClusterState, service: number): EndpointModel {
  const load = model.nodes.map(
    (_, node) =>
      cluster.members[service]!.filter(
        (row) => cluster.pods[row]!.node === node && cluster.pods[row]!.running,
      ).length,
  );
  const up = model.nodes.map((_, row) => row).filter((row) => cluster.nodeUp[row]);
  const byLoad = up.sort((a, b) => load[a]! - load[b]!);
  const addressesOf = (row: number): Address[] => freeAddressesOn(row, model, cluster) ?? [];
  const hasRoom = (row: number): boolean => freeAddressesOn(row, model, cluster) !== null;
  const node = byLoad.find(hasRoom) ?? byLoad[0] ?? 0;
  const { name } = model.nodes[node]!;
  let number = 0;
  while (cluster.podByName.has(`${model.services[service]!.name}-${name}-${number}`)) number++;
  return {
    pod: `${model.services[service]!.name}-${name}-${number}`,
    node,
    addresses: addressesOf(node),
    ready: true,
    serving: true,
    terminating: false,
  };
}

/** The next free address of each of a node's pod ranges; null: one of them is full. */
export function freeAddressesOn(node: number, model: ClusterModel, cluster: ClusterState): Address[] | null {
  const { podCidrs, freeAddresses } = model.nodes[node]!;
  if (freeAddresses !== undefined) return nextOf(freeAddresses, podCidrs, cluster);
  const found = podCidrs.flatMap((cidr) => freeAddress(cidr, cluster, model) ?? []);
  return found.length === podCidrs.length ? found : null;
}

/**
 * The first of each family that no pod has. Whether a tunnel has it is not asked: address management that counts a
 * tunnel's address as free gives it to the next pod (calico 3589).
 */
function nextOf(
  free: readonly Address[],
  podCidrs: readonly Prefix[],
  cluster: ClusterState,
): Address[] | null {
  const families = [...new Set(podCidrs.map(({ address }) => address.family))];
  const found = families.flatMap(
    (family) =>
      free.find(
        (address) =>
          address.family === family &&
          !cluster.pods.some((pod) => pod.addresses.some((other) => sameAddress(other, address))),
      ) ?? [],
  );
  return found.length === families.length ? found : null;
}

function freeAddress(cidr: Prefix, cluster: ClusterState, model: ClusterModel): Address | null {
  const taken = [
    ...cluster.pods.flatMap((pod) => pod.addresses),
    ...model.nodes.flatMap((node) => [...node.podGateways, ...node.tunnelAddresses, ...node.addresses]),
  ];
  const { family, w0, w1, w2, w3 } = cidr.address;
  const size = Math.min(2 ** (prefixBits(family) - cidr.length), MAX_TRIES);
  for (let n = 0; n < size; n++) {
    // the low ones last: they are often spoken for
    const host = (n + FIRST_HOST) % size;
    const address = family === 4 ? ipv4(w0 + host) : ipv6(w0, w1, w2, w3 + host);
    if (!taken.some((other) => sameAddress(other, address))) return address;
  }
  return null;
}
