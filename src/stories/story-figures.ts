/** The figures that every run of every story has: one unit for failures and remedies alike. */

import type { Fate } from '../verdict/verdict.js';
import type { Spread } from '../what-if/compare.js';

export interface StoryFigures {
  /** flows towards a VIP, less the ones whose fate nobody can know */
  readonly judged: number;
  readonly broken: Spread;
  /** flows by fate, mean over the seeds */
  readonly byFate: Readonly<Record<Fate, number>>;
  /** flows that would break at their next packet, mean over the seeds */
  readonly latent: number;
  /** broken flows by cause, mean over the seeds, most frequent first */
  readonly byCause: Readonly<Record<string, number>>;
  /** moments of the first and the last flow that broke, seconds since t = 0, with the first seed; null: none broke */
  readonly brokeFromS: number | null;
  readonly brokeToS: number | null;
  /** busiest over mean, by flows, mean over the seeds; null: nothing to balance */
  readonly maxOverMean: { readonly nodes: number | null; readonly endpoints: number | null };
  readonly source: {
    /** share of the flows whose endpoint sees the client's address */
    readonly preserved: number;
    /** what the application sees instead, most frequent first, with the first seed */
    readonly seenInstead: readonly string[];
  };
  /** the story's own, by key, mean over the seeds */
  readonly measures: Readonly<Record<string, number | null>>;
}
