/** The headline's figures, the same words in text and HTML. */
import type { Summary } from '../verdict/verdict.js';
import { count, percent } from './figures.js';

export interface BrokeFigures {
  /** `175`, or `175 ± 5` where draws of the real system decide as well */
  readonly broken: string;
  readonly share: string;
  /** what the range rests on; null where there is none */
  readonly draws: string | null;
}

export function brokeFigures({ broken, judged, expected }: Summary): BrokeFigures {
  if (expected === null || expected.broken.low === expected.broken.high) {
    return { broken: count(broken), share: percent(broken, judged), draws: null };
  }
  const { mean, low, high } = expected.broken;
  const half = Math.max(1, Math.round((high - low) / 2));
  return {
    broken: `${count(Math.round(mean))} ± ${count(half)}`,
    share: percent(mean, judged),
    draws:
      `Over ${expected.draws} draws of what the real system draws at random: ${count(low)} to ${count(high)} in 90 % ` +
      `of them. Below, each flow has its likeliest fate (${count(broken)} broken); what events moved and dropped, and loads, are those of one draw.`,
  };
}
