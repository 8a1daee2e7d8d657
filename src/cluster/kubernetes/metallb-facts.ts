/**
 * What MetalLB's peers say about the router and its sessions: address, hold time, BFD and graceful restart. Who announces
 * what stands in metallb-announcers.ts.
 */
import { sameAddress } from '../../addr/address.js';
import { USUAL_BFD_S, USUAL_GRACEFUL_RESTART_S } from '../defaults.js';
import type { ClusterFacts } from '../scenario/facts.js';
import type { KubernetesObjects } from './kubernetes-objects.js';

/** FRR: receive interval 300 ms, detect multiplier 3, where a BFDProfile is silent. */
const BFD_INTERVAL_MS = 300;
const BFD_MULTIPLIER = 3;

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
