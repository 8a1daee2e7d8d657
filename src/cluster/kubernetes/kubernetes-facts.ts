/**
 * Kubernetes, MetalLB, Calico and Cilium objects as facts: nodes, pod ranges and tunnels, services with their
 * endpoints, the router as the speakers know it, and the data plane.
 */
import { type Address, parseAddress } from '../../addr/address.js';
import type { ClusterFacts, NodeFacts } from '../scenario/facts.js';
import type { Problems } from '../yaml/problems.js';
import { isExcluded } from './announcers.js';
import { isCalico, tunnelAddresses } from './calico-addresses.js';
import { calicoBlocks, checkCalico, freeAddresses, tunnels } from './calico-facts.js';
import { dataplaneFacts } from './dataplane-facts.js';
import { f5Edge } from './f5/f5-edge.js';
import type { KubernetesObjects, Remarks } from './kubernetes-objects.js';
import { kubernetesServices } from './kubernetes-services.js';
import { l7Services } from './l7/l7-services.js';
import { routerFacts } from './metallb-facts.js';
import { ownersOf } from './owners.js';
import { noteUnreadSettings } from './unread-settings.js';

const ZONES = ['topology.kubernetes.io/zone', 'failure-domain.beta.kubernetes.io/zone'];

export function kubernetesFacts(
  objects: KubernetesObjects,
  problems: Problems,
  remarks: Remarks,
): ClusterFacts {
  const services = kubernetesServices(objects, problems, remarks);
  noteConditions(objects, remarks.notes);
  checkCalico(objects, problems);
  noteUnreadSettings(objects, remarks);
  const ofCalico = isCalico(objects) ? tunnelAddresses(objects, remarks) : null;
  const overlay = tunnels(objects);
  const { overlayKind, ...dataplane } = dataplaneFacts(objects, remarks);
  const place = objects.configMap[0]?.place;
  const nodes = objects.node.map((node) => nodeFacts(node, objects, ofCalico));
  const l7 = l7Services(objects, services, remarks);
  const f5 = f5Edge(objects, nodes, l7.services, remarks);
  return {
    ...routerFacts(objects, remarks.notes),
    ...f5,
    owners: ownersOf(objects, f5.services, remarks),
    assumed: [...l7.assumed, ...f5.assumed],
    nodes,
    servicesGiven: objects.service.length > 0,
    dataplane: {
      ...dataplane,
      overlay:
        overlay ??
        (overlayKind === undefined || place === undefined ? undefined : { kind: overlayKind, place }),
    },
  };
}

function nodeFacts(
  { name, place, object }: KubernetesObjects['node'][number],
  objects: KubernetesObjects,
  ofCalico: ReadonlyMap<string, readonly Address[]> | null,
): NodeFacts {
  const { spec, status } = object;
  const addresses = (status?.addresses ?? []).flatMap(({ type, address }): Address[] => {
    const parsed = type === 'InternalIP' ? parseAddress(address) : null;
    return parsed === null ? [] : [parsed];
  });
  const own = spec?.podCIDRs ?? (spec?.podCIDR === undefined ? undefined : [spec.podCIDR]);
  const labels = object.metadata.labels ?? {};
  const zone = ZONES.find((key) => key in labels);
  return {
    name,
    place,
    fromObjects: true,
    addresses,
    podCidrs: ofCalico === null ? own : calicoBlocks(name, objects),
    freeAddresses: ofCalico === null ? undefined : freeAddresses(name, objects),
    // Calico hands out its blocks, not the node's range, and its pods are on no bridge that has an address.
    podGateways: ofCalico === null ? undefined : [],
    tunnelAddresses: ofCalico === null ? undefined : (ofCalico.get(name) ?? []),
    hasTunnel: ofCalico?.has(name) === true ? true : undefined,
    rack: rackOf(labels),
    zone: zone === undefined ? undefined : labels[zone],
    announces: isExcluded(object) ? false : undefined,
  };
}

/** A label that ends in /rack is more than a zone. */
function rackOf(labels: Readonly<Record<string, string>>): string | undefined {
  const rack = Object.keys(labels).find((key) => key === 'rack' || key.endsWith('/rack'));
  const key = rack ?? ZONES.find((k) => k in labels);
  return key === undefined ? undefined : labels[key];
}

function noteConditions({ node }: KubernetesObjects, notes: string[]): void {
  const cordoned = node.filter(({ object }) => object.spec?.unschedulable === true).map(({ name }) => name);
  if (cordoned.length > 0) {
    notes.push(
      `Cordoned (${cordoned.join(', ')}) changes nothing here: MetalLB goes on announcing from such nodes.`,
    );
  }
  const unready = node.filter(({ object }) =>
    object.status?.conditions?.some((c) => c.type === 'Ready' && c.status !== 'True'),
  );
  if (unready.length > 0) {
    const names = unready.map(({ name }) => name).join(', ');
    notes.push(
      `Not Ready by its conditions: ${names}. It still answers here; say nodeDown at 0s if it does not.`,
    );
  }
}
