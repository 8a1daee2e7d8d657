/** Stories as JSON and as JSON lines: the same objects in both, `record` saying what a line is. */
import type { Story } from '../stories/story.js';
import type { StoryResult, StoryRun } from '../stories/story-result.js';
import { REPORT_SCHEMA } from './records.js';
import type { Sink } from './sink.js';

export function writeStoryListJson(stories: readonly Story[], sink: Sink): void {
  sink(`${JSON.stringify({ schema: REPORT_SCHEMA, kind: 'stories', stories: stories.map(storyHead) })}\n`);
}

export function writeStoryListNdjson(stories: readonly Story[], sink: Sink): void {
  for (const story of stories) sink(`${JSON.stringify({ record: 'story', ...storyHead(story) })}\n`);
}

export function writeStoryJson(result: StoryResult, sink: Sink): void {
  const head = { schema: REPORT_SCHEMA, kind: 'story', ...resultHead(result) };
  sink(`${JSON.stringify({ ...head, runs: result.runs.map(runRecord), why: result.why })}\n`);
}

export function writeStoryNdjson(result: StoryResult, sink: Sink): void {
  sink(`${JSON.stringify({ record: 'story', schema: REPORT_SCHEMA, ...resultHead(result) })}\n`);
  for (const run of result.runs) sink(`${JSON.stringify({ record: 'run', ...runRecord(run) })}\n`);
  sink(`${JSON.stringify({ record: 'why', why: result.why })}\n`);
}

function storyHead({ name, summary, variants }: Story): object {
  return { name, summary, variants: variants.map((variant) => variant.name) };
}

function resultHead({ story, capture, flows, seeds, failure, notes }: StoryResult): object {
  return {
    name: story.name,
    summary: story.summary,
    goesWrong: story.goesWrong,
    facts: story.facts,
    measures: (story.measures ?? []).map(({ key, says }) => ({ key, says })),
    capture,
    flows,
    seeds,
    scenario: { name: failure.name, seed: failure.seed },
    notes,
  };
}

function runRecord({ name, variant, figures, refused }: StoryRun): object {
  return {
    name,
    kind: variant?.kind ?? 'failure',
    does: variant?.does ?? null,
    cost: variant?.cost ?? null,
    mark: variant === null ? null : (variant.mark ?? 'V'),
    ...(figures ?? {}),
    refused,
  };
}
