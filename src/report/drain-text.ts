/** The drain plan as text: the order, what each step breaks, what other orders would, and why. */
import type { DrainPlan } from '../what-if/drain-plan.js';
import { count, duration, moment, percent } from './figures.js';
import type { Sink } from './sink.js';
import { bar, type Palette, padEnd, padStart, printable, wrap } from './terminal.js';

const BAR_COLUMNS = 24;

export function writeDrainText(
  plan: DrainPlan,
  sink: Sink,
  view: { palette: Palette; columns: number },
): void {
  const { palette, columns } = view;
  const nodeColumns = Math.max(...plan.steps.map((step) => step.node.length));
  const most = Math.max(1, ...plan.steps.map((step) => step.brokenOut + step.brokenBack));
  const places = `${plan.exact ? 'all' : 'of'} ${count(plan.ordersTried)} orders tried`;
  const lines = [
    palette.bold(`Drain ${plan.order.map(printable).join(', ')}`),
    `${palette.paint('red', count(plan.broken))} of ${count(plan.flows)} flows break (${percent(plan.broken, plan.flows)}); ` +
      `on average ${count(Math.round(plan.averageBroken))}, at worst ${count(plan.worst.broken)} (${plan.worst.order.map(printable).join(', ')})`,
    palette.dim(`one node every ${duration(plan.everyS)}, out for ${duration(plan.downS)}; ${places}`),
    '',
    ...plan.steps.map((step) => {
      const strip = padEnd(bar((step.brokenOut + step.brokenBack) / most, BAR_COLUMNS), BAR_COLUMNS);
      const figures = `${padStart(count(step.brokenOut), 6)} going, ${padStart(count(step.brokenBack), 6)} coming back`;
      return `  ${padStart(moment(step.at), 10)}  ${padEnd(printable(step.node), nodeColumns)}  ${palette.paint('red', strip)}  ${figures}`;
    }),
    '',
    palette.bold('Why'),
    ...plan.why.flatMap((sentence) => {
      const [first = '', ...more] = wrap(printable(sentence), columns - 4);
      return [`  ${palette.dim('·')} ${first}`, ...more.map((line) => `    ${line}`)];
    }),
  ];
  sink(`${lines.join('\n')}\n`);
}
