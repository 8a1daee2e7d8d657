/**
 * Calico as announcer: every node with a BGP session to the router announces the ranges of service addresses that its
 * BGPConfiguration names; under policy Local those with an endpoint announce host routes.
 *
 * Source: docs.tigera.io, "Advertise Kubernetes service IP addresses", BGPPeer (node, nodeSelector).
 */
import { type Address, formatAddress, parseAddress, sameAddress } from '../../addr/address.js';
import { prefixContains } from '../../addr/prefix.js';
import { USUAL_PREFERENCE } from '../defaults.js';
import type { AnnouncedService, Announcement, AnnouncingNode } from './announcement.js';
import { calicoSelector } from './calico-selector.js';
import type { KubernetesObjects, Remarks } from './kubernetes-objects.js';

export function calicoAnnouncement(
  { calicoBgp, calicoBgpPeer }: KubernetesObjects,
  service: AnnouncedService,
  vip: Address,
  nodes: readonly AnnouncingNode[],
  routers: readonly Address[],
  { unread }: Remarks,
): Announcement | null {
  const spec = (calicoBgp.find(({ name }) => name === 'default') ?? calicoBgp[0])?.object.spec;
  const ranges = (service.external ? spec?.serviceExternalIPs : spec?.serviceLoadBalancerIPs) ?? [];
  if (!ranges.some(({ cidr }) => prefixContains(cidr, vip))) return null;
  const peers = calicoBgpPeer.filter(({ object }) => object.spec?.peerIP !== undefined);
  const ours = peers.filter(({ object }) => {
    const address = addressOf(object.spec!.peerIP!);
    return address !== null && routers.some((one) => sameAddress(one, address));
  });
  const sessions = ours.length > 0 ? ours : peers;
  // sessions with a router may stand in no object at all (a route reflector of its own)
  if (sessions.length === 0) return all(nodes);
  const selecting = sessions.map(({ name, object }) => {
    const { node, nodeSelector } = object.spec!;
    if (node !== undefined && node !== '') return (one: AnnouncingNode) => one.name === node;
    const selects = calicoSelector(nodeSelector ?? '');
    if (selects !== null) return (one: AnnouncingNode) => selects(one.labels);
    const sentence = `BGPPeer ${name}: its nodeSelector "${nodeSelector}" cannot be read; it is taken to select no node.`;
    if (!unread.includes(sentence)) unread.push(sentence);
    return () => false;
  });
  const chosen = nodes.filter((node) => selecting.some((selects) => selects(node)));
  if (chosen.length > 0) return all(chosen);
  const names = sessions.map(({ name }) => name).join(', ');
  return {
    announcers: [],
    aggregate: null,
    why: `BGPPeer ${names} selects no node, so none has a session for ${formatAddress(vip)} of service ${service.name}`,
  };
}

function all(nodes: readonly AnnouncingNode[]): Announcement {
  return {
    announcers: nodes.map(({ name }) => ({ node: name, preference: USUAL_PREFERENCE })),
    aggregate: null,
    why: null,
  };
}

/** `10.0.0.1` or `10.0.0.1:179`, `[fd00::1]:179` */
function addressOf(text: string): Address | null {
  return (
    parseAddress(text) ??
    parseAddress(text.replace(/^\[([^\]]+)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1'))
  );
}
