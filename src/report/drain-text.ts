/** The drain plan as text: the order, what each drain breaks, other orders and paces, and why. */
import type { DrainPlan } from '../what-if/drain-plan.js';
import { count, duration, percent } from './figures.js';
import type { Sink } from './sink.js';
import { bar, type Palette, padEnd, padStart, printable, wrap } from './terminal.js';

const BAR_COLUMNS = 24;

export function writeDrainText(
  plan: DrainPlan,
  sink: Sink,
  view: { palette: Palette; columns: number },
): void {
  const { palette, columns } = view;
  const { summary: total, steps } = plan;
  const nodeColumns = Math.max(...steps.map((step) => step.node.length));
  const most = Math.max(1, ...steps.map((step) => step.broken));
  const whole = (value: number): string => count(Math.round(value));
  const sentences = (list: readonly string[]): string[] =>
    list.flatMap((sentence) => {
      const [first = '', ...more] = wrap(printable(sentence), columns - 4);
      return [`  ${palette.dim('·')} ${first}`, ...more.map((line) => `    ${line}`)];
    });
  const worst = plan.alternatives.at(-1);
  const lines = [
    palette.bold(`Drain ${plan.order.map(printable).join(', ')}`),
    `${palette.paint('red', whole(total.broken))} connections break (${whole(total.spread.low)} to ${whole(total.spread.high)}), ` +
      `${percent(Math.round(total.broken), total.judged * steps.length)} of those judged in each of ${steps.length} drains; ${total.perMinute} a minute` +
      (worst === undefined
        ? ''
        : `; at worst ${whole(worst.broken)} (${worst.order.map(printable).join(', ')})`),
    palette.dim(`one node every ${duration(plan.everyS)}, out for ${duration(plan.downS)}`),
    '',
    ...steps.map((step) => {
      const strip = padEnd(bar(step.broken / most, BAR_COLUMNS), BAR_COLUMNS);
      const figures = `${padStart(whole(step.out), 6)} going, ${padStart(whole(step.back), 6)} coming back`;
      return `  ${padStart(`+${duration(step.after)}`, 12)}  ${padEnd(printable(step.node), nodeColumns)}  ${palette.paint('red', strip)}  ${figures}`;
    }),
    '',
    palette.bold('Services'),
    ...Object.entries(total.byService).map(
      ([name, broken]) => `  ${padStart(whole(broken), 6)}  ${printable(name)}`,
    ),
    '',
    palette.bold('Pace'),
    ...plan.pace.map(
      ({ every, down, broken, perMinute }) =>
        `  ${padStart(whole(broken), 6)}  out for ${duration(down)}, one node every ${duration(every)}: ${perMinute} a minute`,
    ),
    '',
    palette.bold('Why'),
    ...sentences([...plan.why, ...plan.assumed]),
  ];
  sink(`${lines.join('\n')}\n`);
}
