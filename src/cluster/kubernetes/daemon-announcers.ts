/**
 * Announcers that are configured by the arguments and environment of their DaemonSet: kube-router and kube-vip. Every
 * node that the DaemonSet selects announces; kube-vip in ARP mode has one leader, which nobody can tell from objects.
 *
 * Source: kube-router's documentation (--advertise-*), kube-vip's (bgp_enable, svc_enable, vip_arp).
 */
import type { Address } from '../../addr/address.js';
import { USUAL_PREFERENCE } from '../defaults.js';
import type { AnnouncedService, Announcement, AnnouncingNode } from './announcement.js';
import { argumentsOf, switchOf } from './dataplane-facts.js';
import type { KubernetesObjects } from './kubernetes-objects.js';
import { matches } from './label-selector.js';

export function daemonAnnouncement(
  objects: KubernetesObjects,
  { external }: AnnouncedService,
  _vip: Address,
  nodes: readonly AnnouncingNode[],
): Announcement | null {
  const router = argumentsOf(objects.daemonSet, 'kube-router');
  const advertises =
    router !== null &&
    switchOf(router, 'run-router', true) &&
    switchOf(router, external ? 'advertise-external-ip' : 'advertise-loadbalancer-ip', false);
  if (advertises) return from(objects, /kube-router/, nodes);
  const environment = environmentOf(objects, /kube-vip/);
  if (environment.get('bgp_enable') !== 'true' || environment.get('svc_enable') !== 'true') return null;
  return from(objects, /kube-vip/, nodes);
}

function from(
  { daemonSet }: KubernetesObjects,
  image: RegExp,
  nodes: readonly AnnouncingNode[],
): Announcement {
  const selectors = daemonSet.flatMap(({ object: { spec } }) => {
    const pod = spec?.template?.spec;
    return pod?.containers?.some((one) => image.test(one.image ?? '')) === true
      ? [pod.nodeSelector ?? {}]
      : [];
  });
  const chosen = nodes.filter(
    ({ labels }) =>
      selectors.length === 0 || selectors.some((matchLabels) => matches({ matchLabels }, labels)),
  );
  return {
    announcers: chosen.map(({ name }) => ({ node: name, preference: USUAL_PREFERENCE })),
    aggregate: null,
    why: null,
  };
}

function environmentOf({ daemonSet }: KubernetesObjects, image: RegExp): Map<string, string> {
  const containers = daemonSet
    .flatMap(({ object }) => object.spec?.template?.spec?.containers ?? [])
    .filter((one) => image.test(one.image ?? ''));
  return new Map(
    containers.flatMap(({ env = [] }) => env.map(({ name, value = '' }) => [name, String(value)] as const)),
  );
}
