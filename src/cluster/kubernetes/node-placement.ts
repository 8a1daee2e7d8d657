/** Where the scheduler may put a pod of a template: node selector, required node affinity, taints, cordons. */
import type { KubernetesObjects } from './kubernetes-objects.js';
import { meets } from './label-selector.js';
import type { NodeTerm, Toleration } from './owner-schemas.js';
import type { WorkloadObject } from './workload-schemas.js';

export type Node = KubernetesObjects['node'][number];
export type PodSpec = NonNullable<NonNullable<NonNullable<WorkloadObject['spec']>['template']>['spec']>;

/** Whether node selector and required node affinity choose the node, whatever its taints. */
export function isChosen(spec: PodSpec, { name, object }: Node): boolean {
  const { labels = {} } = object.metadata;
  const selected = Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
  if (!selected) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms = required?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => holds(term, name, labels));
}

export function mayStandOn(spec: PodSpec, node: Node): boolean {
  const { object } = node;
  if (object.spec?.unschedulable === true || !isChosen(spec, node)) return false;
  return (object.spec?.taints ?? []).every(
    (taint) =>
      taint.effect === 'PreferNoSchedule' ||
      (spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint)),
  );
}

/** Expressions of a term hold together, terms one by one. An empty term selects nothing. */
function holds(
  { matchExpressions = [], matchFields = [] }: NodeTerm,
  name: string,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((one) => meetsTerm(one, labels[one.key])) &&
    matchFields.every((one) => meetsTerm(one, one.key === 'metadata.name' ? name : undefined))
  );
}

/** A node selector compares as numbers, too (v1 NodeSelectorOperator). */
function meetsTerm(
  { operator, values = [] }: { operator: string; values?: string[] | undefined },
  value: string | undefined,
): boolean {
  if (operator === 'Gt') return value !== undefined && Number(value) > Number(values[0]);
  if (operator === 'Lt') return value !== undefined && Number(value) < Number(values[0]);
  return meets(operator, values, value);
}

/** v1 Toleration.ToleratesTaint; an empty key with Exists tolerates everything. */
function tolerates(
  { key = '', operator = 'Equal', value = '', effect = '' }: Toleration,
  taint: { key: string; value?: string | undefined; effect: string },
): boolean {
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return key !== '' && value === (taint.value ?? '');
}
