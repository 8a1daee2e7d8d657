/**
 * Cilium as announcer: its BGP peering policies, and the BGP control plane of their successors (cluster configuration,
 * peer configuration, advertisements). Both announce the services whose labels their selector matches, from the nodes
 * that they select.
 *
 * Source: docs.cilium.io, "Cilium BGP Control Plane" v1 and v2. A policy without a service selector announces no
 * service; an advertisement without a selector neither.
 */
import { type Address, formatAddress, parseAddress, sameAddress } from '../../addr/address.js';
import { USUAL_PREFERENCE } from '../defaults.js';
import type { AnnouncedService, Announcement, AnnouncingNode } from './announcement.js';
import type { KubernetesObjects } from './kubernetes-objects.js';
import type { LabelSelector } from './kubernetes-schemas.js';
import { type Labels, matches } from './label-selector.js';

export function ciliumAnnouncement(
  objects: KubernetesObjects,
  service: AnnouncedService,
  vip: Address,
  nodes: readonly AnnouncingNode[],
  routers: readonly Address[],
): Announcement | null {
  const { ciliumPolicy, ciliumCluster } = objects;
  if (ciliumPolicy.length === 0 && ciliumCluster.length === 0) return null;
  const labels = {
    ...service.labels,
    'io.kubernetes.service.name': service.name,
    'io.kubernetes.service.namespace': service.namespace,
  };
  const selectors = [
    ...ciliumPolicy.flatMap(({ object: { spec = {} } }) => {
      const announces = (spec.virtualRouters ?? []).some(
        ({ serviceSelector, neighbors = [] }) =>
          serviceSelector !== undefined &&
          matches(serviceSelector, labels) &&
          isOurs(
            neighbors.map(({ peerAddress }) => peerAddress),
            routers,
          ),
      );
      return announces ? [spec.nodeSelector] : [];
    }),
    ...ciliumCluster.flatMap(({ object: { spec = {} } }) => {
      const peers = (spec.bgpInstances ?? []).flatMap((one) => one.peers ?? []);
      const ours = peers.filter(({ peerAddress }) => isOurs([peerAddress], routers));
      const announces = ours.some(({ peerConfigRef }) =>
        isAdvertised(objects, peerConfigRef?.name ?? null, service, labels),
      );
      return announces ? [spec.nodeSelector] : [];
    }),
  ];
  const chosen = nodes.filter((node) =>
    selectors.some((selector) => selector === undefined || matches(selector, node.labels)),
  );
  if (chosen.length > 0) {
    return {
      announcers: chosen.map(({ name }) => ({ node: name, preference: USUAL_PREFERENCE })),
      aggregate: null,
      why: null,
    };
  }
  const kinds = [...ciliumPolicy, ...ciliumCluster].map(({ name }) => name).join(', ');
  return {
    announcers: [],
    aggregate: null,
    why: `no BGP policy of Cilium (${kinds}) selects service ${service.name} and a node, so ${formatAddress(vip)} is announced nowhere`,
  };
}

/** Whether one of the peers is the router that is modelled; any is where nobody says the router's address. */
function isOurs(peers: readonly (string | undefined)[], routers: readonly Address[]): boolean {
  const addresses = peers.flatMap((text) => parseAddress(text?.split('/')[0] ?? '') ?? []);
  if (routers.length === 0 || addresses.length === 0) return true;
  return addresses.some((address) => routers.some((one) => sameAddress(one, address)));
}

function isAdvertised(
  { ciliumPeer, ciliumAdvertisement }: KubernetesObjects,
  config: string | null,
  service: AnnouncedService,
  labels: Labels,
): boolean {
  const families = ciliumPeer.find(({ name }) => name === config)?.object.spec?.families;
  const wanted = (families ?? []).flatMap(({ advertisements }) =>
    advertisements === undefined ? [] : [advertisements],
  );
  const kind = service.external ? 'ExternalIP' : 'LoadBalancerIP';
  return ciliumAdvertisement
    .filter(({ object }) => isWanted(wanted, families !== undefined, object.metadata.labels ?? {}))
    .flatMap(({ object }) => object.spec?.advertisements ?? [])
    .some(
      ({ advertisementType, service: offered, selector }) =>
        advertisementType === 'Service' &&
        offered?.addresses?.includes(kind) === true &&
        selector !== undefined &&
        matches(selector, labels),
    );
}

/** Where the peer's configuration is not among the objects, every advertisement is taken for its own. */
function isWanted(selectors: readonly LabelSelector[], known: boolean, labels: Labels): boolean {
  return known ? selectors.some((selector) => matches(selector, labels)) : true;
}
