/**
 * MetalLB's objects as what they mean here: who announces (BGPPeer and BGPAdvertisement choose nodes), the
 * router's address, hold time, BFD and graceful restart.
 *
 * A node announces by MetalLB's own rule (`auto`) unless no peer selects it, no advertisement that covers a VIP's
 * pool selects it, it is marked to be left out, or its network is down (speaker/bgp_controller.go ShouldAnnounce).
 */
import { type Address, compareAddresses, parseAddress, sameAddress } from '../../addr/address.js';
import { parsePrefix, prefixContains } from '../../addr/prefix.js';
import { USUAL_BFD_S, USUAL_GRACEFUL_RESTART_S } from '../defaults.js';
import type { ClusterFacts, ServiceFacts } from '../scenario/facts.js';
import type { KubernetesObjects, Read } from './kubernetes-objects.js';
import { type Labels, matchesAny } from './label-selector.js';

/** kube-controller-manager and MetalLB (0.13.11 and later) leave such nodes out. */
const EXCLUDE = 'node.kubernetes.io/exclude-from-external-load-balancers';

/** FRR: receive interval 300 ms, detect multiplier 3, where a BFDProfile is silent. */
const BFD_INTERVAL_MS = 300;
const BFD_MULTIPLIER = 3;

type Node = KubernetesObjects['node'][number];
type Advertisement = KubernetesObjects['bgpAdvertisement'][number];

/** The names of the nodes that never announce. */
export function silentNodes(
  objects: KubernetesObjects,
  services: readonly ServiceFacts[],
  notes: string[],
): Set<string> {
  const { bgpPeer, bgpAdvertisement } = objects;
  if (bgpPeer.length > 0 && bgpAdvertisement.length === 0) {
    notes.push(
      'There are BGPPeers but no BGPAdvertisement; every node they select is taken to announce every VIP.',
    );
  }
  const silent = new Set<string>();
  for (const node of objects.node) {
    const labels = node.object.metadata.labels ?? {};
    const hasPeer =
      bgpPeer.length === 0 || bgpPeer.some(({ object }) => matchesAny(object.spec.nodeSelectors, labels));
    if (isExcluded(node) || !hasPeer || !isAdvertised(labels, node.name, objects, services, notes)) {
      silent.add(node.name);
    }
  }
  return silent;
}

function isExcluded({ object }: Node): boolean {
  const down = object.status?.conditions?.some((c) => c.type === 'NetworkUnavailable' && c.status === 'True');
  return down === true || object.metadata.labels?.[EXCLUDE] !== undefined;
}

/** Whether an advertisement lets the node announce any of the services' VIPs. */
function isAdvertised(
  labels: Labels,
  node: string,
  objects: KubernetesObjects,
  services: readonly ServiceFacts[],
  notes: string[],
): boolean {
  if (objects.bgpAdvertisement.length === 0) return true;
  const vips = services.flatMap((service) => (service.vips ?? []).map((vip) => ({ service, vip })));
  if (vips.length === 0) return true;
  const allowed = vips.filter(({ vip }) => {
    const pools = poolsOf(vip, objects);
    return objects.bgpAdvertisement.some(
      (advertisement) =>
        covers(advertisement, pools) && matchesAny(advertisement.object.spec?.nodeSelectors, labels),
    );
  });
  if (allowed.length > 0 && allowed.length < vips.length) {
    const names = [...new Set(allowed.map(({ service }) => service.name))].join(', ');
    notes.push(
      `By its BGPAdvertisements node ${node} announces only ${names}; here a node announces every VIP, so it is taken to.`,
    );
  }
  return allowed.length > 0;
}

type Pool = Read<KubernetesObjects['addressPool'][number]['object']>;

function poolsOf(vip: Address, { addressPool }: KubernetesObjects): Pool[] {
  return addressPool.filter(({ object }) => (object.spec.addresses ?? []).some((range) => holds(range, vip)));
}

/** An empty selection is every pool; so is any where the pools are not among the objects. */
function covers({ object: { spec } }: Advertisement, pools: readonly Pool[]): boolean {
  const names = spec?.ipAddressPools ?? [];
  const selectors = spec?.ipAddressPoolSelectors ?? [];
  if (pools.length === 0 || (names.length === 0 && selectors.length === 0)) return true;
  return pools.some(
    ({ name, object }) =>
      names.includes(name) || (selectors.length > 0 && matchesAny(selectors, object.metadata.labels ?? {})),
  );
}

/** `203.0.113.0/24` or `203.0.113.10-203.0.113.20` */
function holds(range: string, address: Address): boolean {
  const [from, to] = range.split('-').map((part) => parseAddress(part.trim()));
  if (from && to) return compareAddresses(from, address) <= 0 && compareAddresses(address, to) <= 0;
  const prefix = parsePrefix(range.trim());
  return prefix !== null && prefixContains(prefix, address);
}

/** What the peers say about the router and its sessions. Several peers are several routers; one is modelled. */
export function routerFacts(objects: KubernetesObjects, notes: string[]): ClusterFacts {
  const [first, ...others] = objects.bgpPeer;
  if (first === undefined) return {};
  const addresses = objects.bgpPeer
    .flatMap(({ object }) => object.spec.peerAddress ?? [])
    .filter((address, i, all) => all.findIndex((other) => sameAddress(address, other)) === i);
  const { holdTime, bfdProfile, enableGracefulRestart } = first.object.spec;
  const differ = others.filter(
    ({ object: { spec } }) =>
      spec.holdTime !== holdTime ||
      spec.bfdProfile !== bfdProfile ||
      spec.enableGracefulRestart !== enableGracefulRestart,
  );
  if (differ.length > 0) {
    notes.push(
      `The BGPPeers differ in their timers; those of ${first.name} are taken for the one router there is.`,
    );
  }
  return {
    routerAddresses: addresses.length > 0 ? addresses : undefined,
    bgp: {
      // A hold time of zero never expires (RFC 4271, 4.2): longer than any capture.
      holdTimeS: holdTime === 0 ? Number.MAX_SAFE_INTEGER : holdTime,
      bfdS: bfdProfile === undefined ? undefined : detectionS(bfdProfile, objects, notes),
      gracefulRestartS: enableGracefulRestart === true ? USUAL_GRACEFUL_RESTART_S : undefined,
    },
  };
}

function detectionS(profile: string, { bfdProfile }: KubernetesObjects, notes: string[]): number {
  const found = bfdProfile.find(({ name }) => name === profile);
  if (found === undefined) {
    notes.push(`BFDProfile ${profile} is not among the objects; ${USUAL_BFD_S} s of detection is assumed.`);
    return USUAL_BFD_S;
  }
  const { receiveInterval = BFD_INTERVAL_MS, detectMultiplier = BFD_MULTIPLIER } = found.object.spec ?? {};
  return (receiveInterval * detectMultiplier) / 1000;
}
