/**
 * Kubernetes, MetalLB and Calico objects as facts: nodes with what announces there, pod ranges, services with
 * their endpoints, the router as the speakers know it, and tunnels between nodes.
 */
import { type Address, parseAddress } from '../../addr/address.js';
import type { ClusterFacts, NodeFacts } from '../scenario/facts.js';
import type { SourceObject } from '../scenario/source-objects.js';
import type { Problems } from '../yaml/problems.js';
import { calicoBlocks, checkCalico, tunnels } from './calico-facts.js';
import { type KubernetesObjects, readObjects } from './kubernetes-objects.js';
import { kubernetesServices } from './kubernetes-services.js';
import { routerFacts, silentNodes } from './metallb-facts.js';

export function kubernetesFacts(
  sources: readonly SourceObject[],
  problems: Problems,
  notes: string[],
): ClusterFacts {
  if (sources.length === 0) return {};
  const objects = readObjects(sources, problems, notes);
  const services = kubernetesServices(objects, problems, notes);
  const silent = silentNodes(objects, services, notes);
  noteConditions(objects, notes);
  checkCalico(objects, problems);
  return {
    ...routerFacts(objects, notes),
    nodes: objects.node.map((node) => nodeFacts(node, silent, objects)),
    services,
    dataplane: { overlay: tunnels(objects) },
  };
}

function nodeFacts(
  { name, place, object }: KubernetesObjects['node'][number],
  silent: ReadonlySet<string>,
  objects: KubernetesObjects,
): NodeFacts {
  const { spec, status } = object;
  const addresses = (status?.addresses ?? []).flatMap(({ type, address }): Address[] => {
    const parsed = type === 'InternalIP' ? parseAddress(address) : null;
    return parsed === null ? [] : [parsed];
  });
  const isCalico = objects.ipamBlock.length > 0;
  const own = spec?.podCIDRs ?? (spec?.podCIDR === undefined ? undefined : [spec.podCIDR]);
  return {
    name,
    place,
    addresses,
    podCidrs: isCalico ? calicoBlocks(name, objects) : own,
    // Calico hands out its blocks, not the node's range, and its pods hang on no bridge that has an address.
    podGateways: isCalico ? [] : undefined,
    rack: rackOf(object.metadata.labels ?? {}),
    announces: silent.has(name) ? false : undefined,
  };
}

/** A label that ends in /rack is more than a zone. */
function rackOf(labels: Readonly<Record<string, string>>): string | undefined {
  const rack = Object.keys(labels).find((key) => key === 'rack' || key.endsWith('/rack'));
  const key =
    rack ??
    ['topology.kubernetes.io/zone', 'failure-domain.beta.kubernetes.io/zone'].find((k) => k in labels);
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
