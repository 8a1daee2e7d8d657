/**
 * What makes a cluster's pods (Deployment, StatefulSet, DaemonSet, ReplicaSet), as far as it decides what follows when
 * one of them goes: whether another is made, where that may stand, and what a PodDisruptionBudget holds back.
 */

export const OWNER_KINDS = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'] as const;
export type OwnerKind = (typeof OWNER_KINDS)[number];

export interface OwnerModel {
  readonly name: string;
  readonly kind: OwnerKind;
  /** its pods at t = 0, by name; endpoints of services */
  readonly pods: readonly string[];
  /** rows in `nodes` where its pods may stand: node selector, required node affinity, taints */
  readonly nodes: readonly number[];
  /** rules that the scheduler holds; preferences are none */
  readonly spread: readonly SpreadRule[];
  /** an eviction must leave so many of its pods ready; 0: nothing holds evictions back */
  readonly minAvailable: number;
  /** from a new pod's placement until it is ready */
  readonly startS: number;
}

export interface SpreadRule {
  /** by row in `nodes`: the domain it belongs to, null = it has none and takes no pod */
  readonly domains: readonly (string | null)[];
  /** topologySpreadConstraints, DoNotSchedule: a domain may have so many more than the emptiest; null: no such rule */
  readonly maxSkew: number | null;
  /** required pod anti-affinity against its own kind: so many pods a domain; null: no such rule */
  readonly atMost: number | null;
}

/** Pods of an owner in a domain: all that hold a place, and those of them that are not on their way out. */
export interface DomainCounts {
  readonly all: (domain: string) => number;
  readonly staying: (domain: string) => number;
}

/**
 * Whether one more pod may go to a node. Spread counts pods that stay, and every domain that the pod's node selector and
 * affinity allow, cordoned and tainted ones too; anti-affinity counts a pod until it is gone.
 */
export function admitsOneMore(
  { domains, maxSkew, atMost }: SpreadRule,
  node: number,
  { all, staying }: DomainCounts,
): boolean {
  const domain = domains[node];
  if (domain === null || domain === undefined) return false;
  if (atMost !== null && all(domain) >= atMost) return false;
  if (maxSkew === null) return true;
  const fewest = Math.min(...domains.flatMap((other) => (other === null ? [] : [staying(other)])));
  return staying(domain) + 1 - fewest <= maxSkew;
}
