/** What comes of a story: its runs side by side, in the same units. */
import type { ClusterModel } from '../cluster/model.js';
import type { Story, StoryVariant } from './story.js';
import type { StoryFigures } from './story-figures.js';

export interface StoryRun {
  /** {@link FAILURE} or the variant's name */
  readonly name: string;
  readonly variant: StoryVariant | null;
  /** null where refused */
  readonly figures: StoryFigures | null;
  /** why this variant cannot be, instead of figures */
  readonly refused: string | null;
}

export interface StoryResult {
  readonly story: Story;
  readonly capture: { readonly file: string; readonly packets: number; readonly durationS: number };
  /** flows of the capture */
  readonly flows: number;
  readonly seeds: number;
  /** the failure's scenario */
  readonly failure: ClusterModel;
  /** the failure first, then the variants in the story's order */
  readonly runs: readonly StoryRun[];
  readonly why: readonly string[];
  readonly notes: readonly string[];
}
