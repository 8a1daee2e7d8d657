/**
 * Which tunnel addresses Calico's nodes have: one a node and type of tunnel, whatever blocks the node has.
 *
 * Known from the node's annotations, or from the handle of the address in a block's attributes; where neither says it,
 * nothing is assumed, and that is said. Source: calico/node allocateip.go, libcalico-go/lib/ipam; projectcalico/calico
 * #3589.
 */
import { type Address, ipv4, ipv6, parseAddress, sameAddress } from '../../addr/address.js';
import type { KubernetesObjects, Remarks } from './kubernetes-objects.js';

const ANNOTATIONS = [
  'projectcalico.org/IPv4IPIPTunnelAddr',
  'projectcalico.org/IPv4VXLANTunnelAddr',
  'projectcalico.org/IPv6VXLANTunnelAddr',
  'projectcalico.org/IPv4WireguardInterfaceAddr',
  'projectcalico.org/IPv6WireguardInterfaceAddr',
];

const TUNNEL_HANDLE = /^(?:ipip|vxlan|vxlan-v6|wireguard|wireguard-v6)-tunnel-addr-(.+)$/;

/** Whether Calico gives the pods their addresses, so that a node's podCIDR says nothing. */
export function isCalico({ ipPool, ipamBlock, node }: KubernetesObjects): boolean {
  const isAnnotated = node.some(({ object }) =>
    Object.keys(object.metadata.annotations ?? {}).some((key) => ANNOTATIONS.includes(key)),
  );
  return ipPool.length > 0 || ipamBlock.length > 0 || isAnnotated;
}

/** By node. A node that is not among the keys has no tunnel address that anybody tells of. */
export function tunnelAddresses(
  objects: KubernetesObjects,
  { notes, unread }: Remarks,
): Map<string, Address[]> {
  const found = new Map<string, Address[]>();
  const add = (node: string, address: Address): void => {
    const own = found.get(node) ?? [];
    if (!own.some((other) => sameAddress(other, address))) own.push(address);
    found.set(node, own);
  };
  for (const { name, object } of objects.node) {
    for (const key of ANNOTATIONS) {
      const text = object.metadata.annotations?.[key];
      if (text === undefined || text === '') continue;
      const address = parseAddress(text.split('/')[0]!);
      if (address === null) unread.push(`Node ${name}: the annotation ${key} holds no address: "${text}".`);
      else add(name, address);
    }
  }
  for (const { object } of objects.ipamBlock) {
    const { cidr, allocations = [], attributes = [] } = object.spec;
    for (const [place, row] of allocations.entries()) {
      if (row === null) continue;
      const { handle_id = '', secondary } = attributes[row] ?? {};
      const node = TUNNEL_HANDLE.exec(handle_id)?.[1] ?? '';
      const isTunnel = node !== '' || secondary?.type?.endsWith('TunnelAddress') === true;
      if (isTunnel) add(secondary?.node ?? node, addressAt(cidr.address, place));
    }
  }
  noteUnknown(objects, found, notes);
  return found;
}

function noteUnknown(
  { node, ipPool }: KubernetesObjects,
  found: ReadonlyMap<string, readonly Address[]>,
  notes: string[],
): void {
  const tunnels = ipPool.some(
    ({ object: { spec } }) =>
      (spec.ipipMode ?? 'Never') !== 'Never' || (spec.vxlanMode ?? 'Never') !== 'Never',
  );
  const without = node.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  if (!tunnels || without.length === 0) return;
  notes.push(
    `Neither annotation nor IPAMBlock tells the tunnel address of ${without.length === node.length ? 'any node' : without.join(', ')}: whether a pod has it as well is not known. Collect ipamblocks, or nodes with their annotations.`,
  );
}

function addressAt({ family, w0, w1, w2, w3 }: Address, place: number): Address {
  return family === 4 ? ipv4(w0 + place) : ipv6(w0, w1, w2, w3 + place);
}
