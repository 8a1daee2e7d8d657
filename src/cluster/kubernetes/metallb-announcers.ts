/**
 * Who announces a VIP by MetalLB's rules, decided a service at a time: the pools that hold the address, the
 * advertisements that cover such a pool and the service, their nodes, and the peers that select a node.
 *
 * In layer 2 mode one node answers: the first, in the order of a hash of its name and the address, of those that an
 * advertisement selects; the others stand behind it. Source: internal/config, speaker/bgp_controller.go,
 * speaker/layer2_controller.go (ShouldAnnounce).
 */
import { createHash } from 'node:crypto';
import { type Address, formatAddress, sameAddress } from '../../addr/address.js';
import { hostPrefix, maskAddress, type Prefix } from '../../addr/prefix.js';
import { USUAL_PREFERENCE } from '../defaults.js';
import type { AnnouncedService, Announcement, AnnouncingNode } from './announcement.js';
import { type Labels, matchesAny } from './label-selector.js';
import {
  type MetalLbAdvertisement,
  type MetalLbConfig,
  type MetalLbPeer,
  rangeHolds,
} from './metallb-config.js';

/**
 * Who announces `vip` of `service`; null where MetalLB's objects say nothing about it.
 *
 * @param routers addresses of the router that is modelled; sessions with others are not its business
 */
export function metalLbAnnouncement(
  config: MetalLbConfig,
  service: AnnouncedService,
  vip: Address,
  nodes: readonly AnnouncingNode[],
  routers: readonly Address[],
): Announcement | null {
  const text = formatAddress(vip);
  if (service.loadBalancerClass !== undefined && !service.loadBalancerClass.includes('metallb')) return null;
  const pools = config.pools.filter(({ ranges }) => ranges.some((range) => rangeHolds(range, vip)));
  if (config.pools.length > 0 && pools.length === 0) {
    return nobody(
      `${text} of service ${service.name} lies in no address pool of MetalLB, which announces only those`,
    );
  }
  if (config.advertisements.length === 0 && config.peers.length === 0) return null;
  const covering = config.advertisements.filter(
    (one) =>
      covers(one, pools, config.pools.length === 0) && matchesAny(one.serviceSelectors, service.labels),
  );
  const peers = peersOf(config, routers);
  if (config.advertisements.length > 0 && covering.length === 0) {
    const names = pools.map(({ name }) => name).join(', ');
    return nobody(
      `no advertisement of MetalLB covers ${text} of service ${service.name} (pool ${names || 'unknown'})`,
    );
  }
  const bgp = covering.filter(({ kind }) => kind === 'bgp');
  if (bgp.length === 0 && covering.length > 0) return layer2(covering, vip, nodes);
  if (
    config.peers.length > 0 &&
    nodes.every(({ labels }) => !peers.some((peer) => matchesAny(peer.nodeSelectors, labels)))
  ) {
    const names = config.peers.map(({ name }) => name).join(', ');
    return nobody(
      `no node has a session with the router for ${text} of service ${service.name}: the nodeSelectors of BGPPeer ${names} match no node`,
    );
  }
  const announcers = nodes.flatMap(({ name, labels }) => {
    const preference = bgpPreference(labels, bgp, peers, config);
    return preference === null ? [] : [{ node: name, preference }];
  });
  if (announcers.length === 0) {
    const names = bgp.map((one) => one.name).join(', ');
    return nobody(
      `no node announces ${text} of service ${service.name}: the nodeSelectors and peers of BGPAdvertisement ${names} leave none`,
    );
  }
  return { announcers, aggregate: aggregateOf(bgp, vip), why: null };
}

function nobody(why: string): Announcement {
  return { announcers: [], aggregate: null, why };
}

/** An empty selection is every pool; so is any where the pools are not among the objects. */
function covers(
  { pools: names, poolSelectors }: MetalLbAdvertisement,
  pools: MetalLbConfig['pools'],
  poolsUnknown: boolean,
): boolean {
  if (poolsUnknown || (names.length === 0 && poolSelectors.length === 0)) return true;
  return pools.some(
    ({ name, labels }) =>
      names.includes(name) || (poolSelectors.length > 0 && matchesAny(poolSelectors, labels)),
  );
}

/** Peers that are the router which is modelled; all of them where none is, or where nobody says its address. */
function peersOf({ peers }: MetalLbConfig, routers: readonly Address[]): readonly MetalLbPeer[] {
  const ours = peers.filter(
    ({ address }) => address !== null && routers.some((one) => sameAddress(one, address)),
  );
  return ours.length > 0 ? ours : peers;
}

/** The highest LOCAL_PREF with which a node announces; null: it does not. */
function bgpPreference(
  labels: Labels,
  advertisements: readonly MetalLbAdvertisement[],
  peers: readonly MetalLbPeer[],
  config: MetalLbConfig,
): number | null {
  const sessions = peers.filter(({ nodeSelectors }) => matchesAny(nodeSelectors, labels));
  if (config.peers.length > 0 && sessions.length === 0) return null;
  if (config.advertisements.length === 0) return USUAL_PREFERENCE;
  const preferences = advertisements
    .filter(({ nodeSelectors }) => matchesAny(nodeSelectors, labels))
    .flatMap(({ peers: named, localPref }) => {
      if (config.peers.length === 0) return [USUAL_PREFERENCE];
      const through = sessions.filter(({ name }) => named.length === 0 || named.includes(name));
      return through.map(({ internal }) => (internal ? (localPref ?? USUAL_PREFERENCE) : USUAL_PREFERENCE));
    });
  return preferences.length === 0 ? null : Math.max(...preferences);
}

/** What is announced in the VIP's place where every advertisement of it is shortened. */
function aggregateOf(advertisements: readonly MetalLbAdvertisement[], vip: Address): Prefix | null {
  const host = hostPrefix(vip).length;
  const lengths = advertisements.map(({ aggregation }) => aggregation[vip.family]);
  const longest = lengths.length === 0 ? host : Math.max(...lengths);
  return longest >= host ? null : { address: maskAddress(vip, longest), length: longest };
}

function layer2(
  advertisements: readonly MetalLbAdvertisement[],
  vip: Address,
  nodes: readonly AnnouncingNode[],
): Announcement {
  const key = ({ name }: AnnouncingNode): string =>
    createHash('sha256')
      .update(`${name}#${formatAddress(vip)}`)
      .digest('hex');
  const eligible = nodes
    .filter(({ labels }) => advertisements.some((one) => matchesAny(one.nodeSelectors, labels)))
    .map((node) => ({ node, hash: key(node) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  if (eligible.length === 0) {
    return nobody(`the nodeSelectors of the L2Advertisements that cover ${formatAddress(vip)} match no node`);
  }
  return {
    announcers: eligible.map(({ node }, i) => ({ node: node.name, preference: eligible.length - i })),
    aggregate: null,
    why: null,
  };
}
