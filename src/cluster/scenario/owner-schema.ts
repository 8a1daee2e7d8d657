/**
 * `spec.owners` as it may be written, and the model of it. Objects say it better; a printed scenario needs it.
 *
 *   owners:
 *     - name: web
 *       kind: Deployment              # StatefulSet, DaemonSet, ReplicaSet
 *       pods: [web-1, web-2]
 *       nodes: [n1, n2, n3]           # where its pods may stand; every node where it is not said
 *       spread: [{ domains: { n1: r1, n2: r1, n3: r2 }, maxSkew: 1 }]     # nodes that count; or atMost: 1, so many pods a domain
 *       minAvailable: 1               # an eviction must leave so many ready
 *       start: 2s                     # from placed to ready
 */
import { z } from 'zod';
import type { NodeModel } from '../model.js';
import { OWNER_KINDS, type OwnerModel } from '../owner-model.js';
import type { Problems } from '../yaml/problems.js';
import { type OwnerFacts, type Place, positionIn } from './facts.js';
import { duration, listOf, mapping, name, oneOf, wholeNumber } from './field-schemas.js';
import { NameTable } from './name-table.js';

const count = wholeNumber(1, 10_000);
const DOMAINS = 'expected a mapping of nodes to domains';

export const ownerSchema = mapping({
  name,
  kind: oneOf(OWNER_KINDS),
  pods: listOf(name),
  nodes: listOf(name).optional(),
  spread: listOf(
    mapping({
      domains: z.record(z.string(), z.string({ error: DOMAINS }), { error: DOMAINS }),
      maxSkew: count.optional(),
      atMost: count.optional(),
    }),
  ).default([]),
  minAvailable: wholeNumber(0, 10_000).default(0),
  start: duration.default(0),
});
export type RawOwner = z.output<typeof ownerSchema>;

export function ownerFacts({ start, ...raw }: RawOwner, place: Place): OwnerFacts {
  return { ...raw, startS: start, place };
}

export function resolveOwners(
  owners: readonly OwnerFacts[] | undefined,
  nodes: readonly NodeModel[],
  problems: Problems,
): readonly OwnerModel[] | undefined {
  if (owners === undefined || owners.length === 0) return undefined;
  const table = new NameTable(
    'node',
    nodes.map((node) => node.name),
  );
  return owners.map((owner) => ({
    name: owner.name,
    kind: owner.kind,
    pods: owner.pods,
    nodes:
      owner.nodes?.flatMap((name, i) => {
        const row = table.rowOf(name);
        if (row !== null) return [row];
        if (owner.fromObjects !== true) {
          problems.add(positionIn(owner.place, 'nodes', i), table.unknown(name));
        }
        return [];
      }) ?? nodes.map((_, row) => row),
    spread: (owner.spread ?? []).map(({ domains, maxSkew = null, atMost = null }) => ({
      domains: nodes.map((node) => domains[node.name] ?? null),
      maxSkew,
      atMost,
    })),
    minAvailable: owner.minAvailable ?? 0,
    startS: owner.startS ?? 0,
  }));
}
