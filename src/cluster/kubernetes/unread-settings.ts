/** Settings of objects that are read otherwise, which bear on paths and are not modelled: each is named as unread. */
import { formatAddress, parseAddress } from '../../addr/address.js';
import { parsePrefix, prefixContains } from '../../addr/prefix.js';
import type { KubernetesObjects, Remarks } from './kubernetes-objects.js';
import type { KubeProxyConfiguration } from './settings-schemas.js';

/** Pools that are for some nodes, and communities that a router's policy may act on. */
export function noteUnreadSettings(
  { ipPool, bgpAdvertisement }: KubernetesObjects,
  { unread }: Remarks,
): void {
  for (const { name, object } of ipPool) {
    const { nodeSelector = '', disabled } = object.spec;
    if (disabled === true || nodeSelector === '' || nodeSelector.replaceAll(' ', '') === 'all()') continue;
    unread.push(
      `IPPool ${name}: nodeSelector ${nodeSelector} is not followed; its tunnels are taken to be every node’s, and new pods of a scale-up go by the nodes’ blocks.`,
    );
  }
  for (const { name, object } of bgpAdvertisement) {
    const { communities = [] } = object.spec ?? {};
    if (communities.length === 0) continue;
    unread.push(
      `BGPAdvertisement ${name}: communities ${communities.join(', ')} are not followed; a router that acts on them chooses otherwise.`,
    );
  }
}

/** Addresses of nodes that kube-proxy serves no node ports on, though the model does. */
export function noteNodePortAddresses(
  { nodePortAddresses = [] }: KubeProxyConfiguration,
  { node }: KubernetesObjects,
  { unread }: Remarks,
): void {
  // primary: the addresses that the Node object has
  if (nodePortAddresses.length === 0 || nodePortAddresses.includes('primary')) return;
  const ranges = nodePortAddresses.flatMap((text) => parsePrefix(text) ?? []);
  const others = node.flatMap(({ object }) =>
    (object.status?.addresses ?? []).flatMap(({ type, address: text }) => {
      const address = type === 'InternalIP' ? parseAddress(text) : null;
      if (address === null || ranges.some((range) => prefixContains(range, address))) return [];
      return [formatAddress(address)];
    }),
  );
  if (others.length === 0) return;
  unread.push(
    `KubeProxyConfiguration: nodePortAddresses ${nodePortAddresses.join(', ')} leaves out ${others.slice(0, 3).join(', ')}${others.length > 3 ? ` and ${others.length - 3} more` : ''}; node ports there are judged as if they were served.`,
  );
}
