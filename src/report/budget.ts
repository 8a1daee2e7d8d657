/**
 * Budgets: `--fail-on 'broken>0'`. A budget names a figure of the summary, an operator and a number, or a share
 * of the judged connections in percent; it is exceeded where the comparison holds. Used by pipelines that must fail when a
 * planned change would break more than somebody allowed.
 */
import { FlowfateError } from '../errors.js';
import { FATES } from '../verdict/fates.js';
import {
  APPLICATION_TROUBLES,
  type ApplicationTrouble,
  REASONS,
  type ReplayResult,
  type Summary,
} from '../verdict/verdict.js';
import { count, percent } from './figures.js';

type Operator = '>' | '>=' | '<' | '<=' | '==' | '!=';

export interface Budget {
  /** as the user wrote it */
  readonly text: string;
  readonly metric: string;
  readonly operator: Operator;
  readonly limit: number;
  readonly unit: 'flows' | 'percent';
}

const FIGURES: Record<string, (result: ReplayResult) => number> = {
  flows: ({ summary }) => summary.flows,
  judged: ({ summary }) => summary.judged,
  // what breaks in some draws is not whole, even where its likeliest fate is
  broken: ({ summary }) => Math.max(summary.broken, summary.expected?.broken.mean ?? 0),
  latent: ({ summary }) => summary.latent,
  sourceLost: ({ summary }) => summary.sourcePreserved.no,
  sourcePreserved: ({ summary }) => summary.sourcePreserved.yes,
  dropped: ({ events }) => events.reduce((sum, event) => sum + event.dropped, 0),
};
for (const fate of FATES) FIGURES[fate] = ({ summary }) => summary.byFate[fate] ?? 0;
for (const trouble of Object.keys(APPLICATION_TROUBLES) as ApplicationTrouble[]) {
  FIGURES[trouble] = ({ summary }) => summary.byApplication[trouble] ?? 0;
}
for (const reason of Object.keys(REASONS)) FIGURES[reason] = ({ summary }) => causeCount(summary, reason);

/** What may stand on the left of a budget. */
const BUDGET_METRICS: readonly string[] = Object.keys(FIGURES);

/** Not a number of flows, so that a percentage of the judged ones means nothing. */
const NO_SHARE = new Set(['flows', 'judged', 'unknown', 'dropped']);

const FORM = /^\s*([A-Za-z][A-Za-z-]*)\s*(>=|<=|==|!=|>|<|=)\s*(\d+(?:\.\d+)?)\s*(%?)\s*$/;

/** Throws a usage error that says what a budget looks like. `metrics`: what may stand on its left. */
export function parseBudget(text: string, metrics: readonly string[] = BUDGET_METRICS): Budget {
  const parts = FORM.exec(text);
  if (parts === null) {
    throw new FlowfateError(
      'usage',
      `--fail-on: "${text}" is no budget; write a figure, a comparison and a number, like 'broken>0' or 'timeout>=1%'`,
    );
  }
  const [, name = '', sign = '', number = '', mark = ''] = parts;
  const metric = metrics.find((known) => folded(known) === folded(name));
  if (metric === undefined) {
    throw new FlowfateError(
      'usage',
      `--fail-on: no figure is called "${name}"; there are ${metrics.join(', ')}`,
    );
  }
  if (mark === '%' && NO_SHARE.has(metric)) {
    throw new FlowfateError(
      'usage',
      `--fail-on: "${metric}" cannot be a percentage of the judged connections; give a number`,
    );
  }
  return {
    text: text.trim(),
    metric,
    operator: (sign === '=' ? '==' : sign) as Operator,
    limit: Number(number),
    unit: mark === '%' ? 'percent' : 'flows',
  };
}

/** The sentence that says how the budget was exceeded, or `null` where it was kept. */
export function exceeded(budget: Budget, result: ReplayResult): string | null {
  return exceededBy(budget, FIGURES[budget.metric]!(result), result.summary.judged);
}

/** The same for a figure that is known; `judged` is what its share is of. */
export function exceededBy(budget: Budget, value: number, judged: number): string | null {
  const compared = budget.unit === 'percent' ? (judged === 0 ? 0 : (value / judged) * 100) : value;
  if (!holds(compared, budget.operator, budget.limit)) return null;
  const share =
    budget.unit === 'percent' ? ` (${percent(value, judged)} of ${count(judged)} judged connections)` : '';
  return `the budget "${budget.text}" is exceeded: ${budget.metric} is ${count(value)}${share}`;
}

function holds(value: number, operator: Operator, limit: number): boolean {
  switch (operator) {
    case '>':
      return value > limit;
    case '>=':
      return value >= limit;
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
    case '==':
      return value === limit;
    case '!=':
      return value !== limit;
  }
}

function causeCount(summary: Summary, reason: string): number {
  return summary.byCause[reason] ?? 0;
}

/** `source-lost`, `sourceLost` and `SOURCELOST` are one. */
function folded(name: string): string {
  return name.replaceAll('-', '').toLowerCase();
}
