/** `spec.owners` of a model as text. */
import type { ClusterModel } from '../model.js';
import type { OwnerModel } from '../owner-model.js';
import { formatDuration } from '../yaml/duration.js';
import { flow, list, listLines, scalar } from '../yaml/yaml-text.js';

export function ownerLines({ owners = [], nodes }: ClusterModel): string[] {
  if (owners.length === 0) return [];
  return listLines(
    '  owners:   # what makes the pods anew',
    owners.map((owner) => ownerText(owner, nodes)),
  );
}

function ownerText(owner: OwnerModel, nodes: ClusterModel['nodes']): string {
  const nameOf = (row: number): string => scalar(nodes[row]!.name);
  return flow({
    name: scalar(owner.name),
    kind: owner.kind,
    pods: list(owner.pods.map(scalar)),
    nodes: list(owner.nodes.map(nameOf)),
    spread: list(
      owner.spread.map(({ domains, maxSkew, atMost }) =>
        flow({
          domains: flow(
            Object.fromEntries(
              domains.flatMap((domain, row) => (domain === null ? [] : [[nameOf(row), scalar(domain)]])),
            ),
          ),
          ...(maxSkew === null ? {} : { maxSkew: String(maxSkew) }),
          ...(atMost === null ? {} : { atMost: String(atMost) }),
        }),
      ),
    ),
    minAvailable: String(owner.minAvailable),
    start: formatDuration(owner.startS),
  });
}
