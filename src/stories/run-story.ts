/**
 * Runs a story over a capture: the failure and every variant of it, each with the same seeds.
 *
 * One run under a hash that nobody knows is one draw, so each row is a mean over seeds; moments and addresses are
 * those of the first seed, which is the scenario's own.
 */
import type { ClusterModel } from '../cluster/model.js';
import { scenarioFromCapture } from '../cluster/scenario/scenario-from-capture.js';
import { nearest } from '../cluster/yaml/nearest.js';
import { FlowfateError } from '../errors.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { replay } from '../verdict/replay.js';
import type { RequestHeads } from '../verdict/request-heads.js';
import { seenTraffic } from '../verdict/seen-traffic.js';
import { seeded } from '../what-if/variation.js';
import { FigureSum } from './figure-sum.js';
import { STORIES } from './registry.js';
import { FAILURE, type Story, type StorySetting, type StoryVariant } from './story.js';
import type { StoryResult, StoryRun } from './story-result.js';

export interface StoryOptions {
  /** how many seeds of router hash and draws each row is the mean of */
  readonly seeds: number;
  /** source of every draw, instead of the scenario's */
  readonly seed?: number;
  /** the failure, instead of the one that the story arranges around the capture */
  readonly failure?: ClusterModel;
  /** the clients' first requests in the capture */
  readonly heads?: RequestHeads;
  /** what to call the capture in the result, instead of its path */
  readonly captureName?: string;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Throws a FlowfateError of code `usage` for a name that is none. */
export function findStory(name: string): Story {
  const found = STORIES.find((story) => story.name === name);
  if (found !== undefined) return found;
  const names = STORIES.map((story) => story.name);
  const meant = nearest(name, names);
  const hint = meant === null ? `there are ${names.join(', ')}` : `did you mean ${meant}?`;
  throw new FlowfateError('usage', `there is no story "${name}"; ${hint}`);
}

/** The scenario of a story's failure around the VIPs of a capture, with what was chosen. */
export function failureFor(
  story: Story,
  index: CaptureIndex,
  seed?: number,
): { readonly model: ClusterModel; readonly notes: readonly string[] } {
  const { model, notes } = scenarioFromCapture(seenTraffic(index), { ...story.layout, event: 'none' });
  const calm = { ...model, name: story.name, ...(seed === undefined ? {} : { seed }) };
  // the sentences on nodes and event are those of a scenario without a story
  return { model: story.arrange(calm, settingOf(index)), notes: notes.slice(1, -1) };
}

/** The scenario of one variant; `failure` is the failure itself. */
export function variantModel(
  story: Story,
  name: string,
  failure: ClusterModel,
  setting: StorySetting,
): ClusterModel {
  if (name === FAILURE) return failure;
  const variant = story.variants.find((one) => one.name === name);
  if (variant !== undefined) return renamed(variant, failure, setting);
  const names = [FAILURE, ...story.variants.map((one) => one.name)];
  const meant = nearest(name, names);
  const hint = meant === null ? `it has ${names.join(', ')}` : `did you mean ${meant}?`;
  throw new FlowfateError('usage', `the story ${story.name} has no run "${name}"; ${hint}`);
}

export function settingOf({ summary }: CaptureIndex): StorySetting {
  // a capture of one moment still has a before and an after
  return { spanS: Math.max(summary.duration, 0.001) };
}

export function runStory(story: Story, index: CaptureIndex, options: StoryOptions): StoryResult {
  const setting = settingOf(index);
  const made = options.failure === undefined ? failureFor(story, index, options.seed) : null;
  const failure = options.failure ?? made!.model;
  const total = (story.variants.length + 1) * options.seeds;
  let done = 0;
  const step = (): void => options.onProgress?.(++done, total);
  const runs = [null, ...story.variants].map((variant): StoryRun => {
    const name = variant?.name ?? FAILURE;
    try {
      const model = variant === null ? failure : renamed(variant, failure, setting);
      return { name, variant, figures: figuresOf(story, index, model, options, step), refused: null };
    } catch (error) {
      // an impossible variant is a result; a failure that cannot be is the user's to mend, a fault of ours is neither
      if (variant === null || !(error instanceof RangeError || error instanceof FlowfateError)) throw error;
      return { name, variant, figures: null, refused: error.message };
    }
  });
  const { file, packets, duration } = index.summary;
  return {
    story,
    capture: { file: options.captureName ?? file, packets, durationS: duration },
    flows: index.flows.count,
    seeds: options.seeds,
    failure,
    runs,
    why: story.why(
      new Map(runs.flatMap(({ name, figures }) => (figures === null ? [] : [[name, figures]]))),
      setting,
    ),
    notes: made?.notes ?? [],
  };
}

function renamed(variant: StoryVariant, failure: ClusterModel, setting: StorySetting): ClusterModel {
  return { ...variant.change(failure, setting), name: `${failure.name}-${variant.name}` };
}

function figuresOf(
  story: Story,
  index: CaptureIndex,
  model: ClusterModel,
  { seeds, heads = new Map() }: StoryOptions,
  step: () => void,
) {
  const sum = new FigureSum(story.measures ?? []);
  for (let n = 0; n < seeds; n++) {
    const one = seeded(model, n);
    sum.add(replay(index, one, { heads }), one);
    step();
  }
  return sum.figures();
}
