/** Kubernetes label selectors (apimachinery LabelSelector): all labels and all expressions must hold. */
import type { LabelSelector } from './kubernetes-schemas.js';

export type Labels = Readonly<Record<string, string>>;

export function matches(selector: LabelSelector, labels: Labels): boolean {
  const wanted = Object.entries(selector.matchLabels ?? {});
  return (
    wanted.every(([key, value]) => labels[key] === value) &&
    (selector.matchExpressions ?? []).every(({ key, operator, values }) =>
      meets(operator, values, labels[key]),
    )
  );
}

/** One requirement of a selector, label's or node's (apimachinery LabelSelectorOperator). */
export function meets(operator: string, values: readonly string[] = [], value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

/** MetalLB's lists of selectors: any of them; an absent or empty list selects everything. */
export function matchesAny(selectors: readonly LabelSelector[] | undefined, labels: Labels): boolean {
  return (
    selectors === undefined ||
    selectors.length === 0 ||
    selectors.some((selector) => matches(selector, labels))
  );
}
