/**
 * A story: one failure of a real cluster, told by running it. It says how the cluster is laid out, what happens to
 * it, and what one could do about it; every figure comes from replaying a capture through the model.
 *
 * A story never holds a result. What it states as a fact carries its source and how well it is verified.
 */

import type { ClusterModel } from '../cluster/model.js';
import type { FromCaptureOptions } from '../cluster/scenario/scenario-from-capture.js';
import type { ReplayResult } from '../verdict/verdict.js';
import type { MadeCaptureName } from './made-captures.js';
import type { StoryFigures } from './story-figures.js';

/** how many seeds each row of a story is the mean of */
export const DEFAULT_STORY_SEEDS = 10;

/** How well something is known. */
export const MARKS = {
  V: 'verified: read in source, documentation or an issue, or measured',
  P: 'from a paper',
  I: 'inferred',
  U: 'not verified',
} as const;
type Mark = keyof typeof MARKS;

/** A sentence about the real software that the story relies on. */
interface StoryFact {
  readonly text: string;
  readonly mark: Mark;
  /** where it is from, like "metallb #312" */
  readonly source: string;
}

/** One changed scenario, run beside the failure. */
export interface StoryVariant {
  /** kebab-case */
  readonly name: string;
  /** a mitigation is meant to help; a trap looks like one or is how it gets worse */
  readonly kind: 'mitigation' | 'trap';
  /** what is done differently, a sentence */
  readonly does: string;
  /** what that costs whoever runs the cluster, a sentence */
  readonly cost: string;
  /** how well the effect that the model gives it is known; absent = V */
  readonly mark?: Mark;
  /** The changed scenario. What cannot be is refused with a FlowfateError, which becomes the row's result. */
  readonly change: (failure: ClusterModel, setting: StorySetting) => ClusterModel;
}

/** A figure of the story's own, beside those that every run has. */
export interface StoryMeasure {
  /** key in JSON, camelCase with its unit */
  readonly key: string;
  /** head of the column: a word or two */
  readonly head: string;
  /** what it is, a sentence */
  readonly says: string;
  /** null: does not apply to this run */
  readonly of: (result: ReplayResult, model: ClusterModel) => number | null;
}

/** What a story has to arrange itself around. */
export interface StorySetting {
  /** from the first packet to the last, seconds; never 0 */
  readonly spanS: number;
}

export interface Story {
  /** kebab-case; the name on the command line */
  readonly name: string;
  /** one line for the list */
  readonly summary: string;
  /** what goes wrong and why, a paragraph */
  readonly goesWrong: string;
  readonly facts: readonly StoryFact[];
  /** the capture it runs on when nobody gives one */
  readonly capture: MadeCaptureName;
  /** nodes and endpoints that it wants behind the capture's VIPs */
  readonly layout: FromCaptureOptions;
  /** The failure: the calm cluster of {@link layout}, changed and with its timeline. */
  readonly arrange: (calm: ClusterModel, setting: StorySetting) => ClusterModel;
  readonly variants: readonly StoryVariant[];
  readonly measures?: readonly StoryMeasure[];
  /** What the figures show, made from them: sentences. By name of the run, without the refused ones. */
  readonly why: (figures: ReadonlyMap<string, StoryFigures>, setting: StorySetting) => readonly string[];
}

/** The name under which the failure itself stands among the runs. */
export const FAILURE = 'failure';
