/**
 * Who announces each service's VIPs, by whatever announces in this cluster: MetalLB, Calico, Cilium, kube-vip,
 * kube-router. Decided a service at a time, for services of the Scenario as for Service objects.
 *
 * Where nothing of the kind is among the objects, nothing is decided here: every node announces, which is assumed. A VIP
 * that nobody announces is said, with the object that keeps the nodes silent.
 */
import { type Address, formatAddress } from '../../addr/address.js';
import { formatPrefix, type Prefix } from '../../addr/prefix.js';
import { heldVips } from '../scenario/edge-vips.js';
import type { AnnouncerFacts, ClusterFacts, NodeFacts, ServiceFacts } from '../scenario/facts.js';
import type { AnnouncedService, Announcement, AnnouncingNode } from './announcement.js';
import { calicoAnnouncement } from './calico-announcers.js';
import { ciliumAnnouncement } from './cilium-announcers.js';
import { daemonAnnouncement } from './daemon-announcers.js';
import type { KubernetesObjects, Remarks } from './kubernetes-objects.js';
import { metalLbAnnouncement } from './metallb-announcers.js';
import { metalLbConfig } from './metallb-config.js';

/** kube-controller-manager and MetalLB (0.13.11 and later) leave such nodes out. */
const EXCLUDE = 'node.kubernetes.io/exclude-from-external-load-balancers';

/** `facts` with the announcers of every service that does not state its own. */
export function withAnnouncers(
  facts: ClusterFacts,
  objects: KubernetesObjects,
  remarks: Remarks,
): ClusterFacts {
  const nodes = announcingNodes(facts.nodes ?? [], objects);
  const routers = facts.routerAddresses ?? [];
  const config = metalLbConfig(objects, remarks);
  if (config !== null && config.peers.length > 0 && config.advertisements.length === 0) {
    remarks.notes.push(
      'There are BGPPeers but no BGPAdvertisement; every node they select is taken to announce every VIP.',
    );
  }
  const aggregates = new Map<string, Prefix>();
  const ofVip = (service: AnnouncedService, vip: Address): Announcement | null => {
    const all = [
      config === null ? null : metalLbAnnouncement(config, service, vip, nodes, routers),
      calicoAnnouncement(objects, service, vip, nodes, routers, remarks),
      ciliumAnnouncement(objects, service, vip, nodes, routers),
      daemonAnnouncement(objects, service, vip, nodes),
    ].filter((one) => one !== null);
    // one that announces it outweighs another that does not
    return all.find(({ announcers }) => announcers.length > 0) ?? all[0] ?? null;
  };
  const isHeld = heldVips(facts);
  let decided = false;
  const services = (facts.services ?? []).map((service): ServiceFacts => {
    if (service.announcers !== undefined || (service.vips ?? []).length === 0) return service;
    const announcers: AnnouncerFacts[] = [];
    let concerned = false;
    for (const vip of service.vips ?? []) {
      if (isHeld(service, vip)) continue;
      const announcement = ofVip(announcedService(service, vip), vip);
      if (announcement === null) continue;
      concerned = true;
      announcers.push(...announcement.announcers.map((one) => ({ ...one, vips: [vip] })));
      if (announcement.why !== null) {
        remarks.notes.push(`Nobody announces ${formatAddress(vip)}: ${announcement.why}.`);
      }
      const { aggregate } = announcement;
      if (aggregate !== null) aggregates.set(formatPrefix(aggregate), aggregate);
    }
    decided ||= concerned;
    return concerned ? { ...service, announcers: merged(announcers, service.vips ?? []) } : service;
  });
  if (!decided) return facts;
  return {
    ...facts,
    services,
    aggregates: [...aggregates.values()],
    announcersDecided: true,
    nodes: (facts.nodes ?? []).map((node) => silenced(node, services)),
  };
}

/** One entry a node and preference; one that is for every VIP does not list them. */
function merged(announcers: readonly AnnouncerFacts[], vips: readonly Address[]): AnnouncerFacts[] {
  const byNode = new Map<string, AnnouncerFacts>();
  for (const one of announcers) {
    const key = `${one.node} ${one.preference}`;
    const before = byNode.get(key)?.vips ?? [];
    byNode.set(key, { ...one, vips: [...before, ...(one.vips ?? [])] });
  }
  return [...byNode.values()].map(({ node, preference, vips: own = [] }) =>
    own.length === vips.length ? { node, preference } : { node, preference, vips: own },
  );
}

/** A node that announces nothing at all: `announce` in a timeline makes it announce everything. */
function silenced(node: NodeFacts, services: readonly ServiceFacts[]): NodeFacts {
  const exposed = services.filter(({ vips = [] }) => vips.length > 0);
  const speaks = exposed.some(
    ({ announcers }) => announcers === undefined || announcers.some((one) => one.node === node.name),
  );
  return speaks || node.announces !== undefined ? node : { ...node, announces: false };
}

function announcingNodes(nodes: readonly NodeFacts[], objects: KubernetesObjects): AnnouncingNode[] {
  const byName = new Map(objects.node.map((node) => [node.name, node]));
  return nodes.flatMap(({ name }) => {
    const object = byName.get(name)?.object;
    if (object === undefined) return [{ name, labels: { 'kubernetes.io/hostname': name } }];
    return isExcluded(object) ? [] : [{ name, labels: object.metadata.labels ?? {} }];
  });
}

/** A node that no speaker announces from, whatever else is configured. */
export function isExcluded({ metadata, status }: KubernetesObjects['node'][number]['object']): boolean {
  const down = status?.conditions?.some((c) => c.type === 'NetworkUnavailable' && c.status === 'True');
  return down === true || metadata.labels?.[EXCLUDE] !== undefined;
}

function announcedService(
  { name, namespace = 'default', labels = {}, loadBalancerClass, externalIPs = [] }: ServiceFacts,
  vip: Address,
): AnnouncedService {
  const external = externalIPs.some((one) => formatAddress(one) === formatAddress(vip));
  return { name, namespace, labels, loadBalancerClass, external };
}
