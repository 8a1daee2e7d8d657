/** Both engines print the same whole report of the shipped captures, and of every story and its variants. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { ClusterModel } from '../../src/cluster/model.js';
import { loadScenario } from '../../src/cluster/scenario/load-scenario.js';
import { FlowfateError } from '../../src/errors.js';
import type { CaptureIndex } from '../../src/flow/flow-columns.js';
import { readCapture } from '../../src/flow/read-capture.js';
import { STORIES } from '../../src/stories/registry.js';
import { failureFor, settingOf, variantModel } from '../../src/stories/run-story.js';
import { FAILURE } from '../../src/stories/story.js';
import { differences } from '../support/whole-report.js';

const captures = new URL('../../captures/', import.meta.url).pathname;
const RUNS = ['cluster-withdraw', 'local-add', 'cluster-resilient-withdraw-readd', 'local-rolling-frr'];

test.each(RUNS)('both engines print the same report of %s: text, JSON, NDJSON and page', (name) => {
  const file = `${captures}${name}.yaml`;
  const { model } = loadScenario([{ name: file, text: readFileSync(file, 'utf8') }]);
  const index = readCapture(`${captures}${name}.pcap.gz`);
  expect(differences(index, model, { draws: 2 })).toEqual([]);
});

const indexes = new Map<string, CaptureIndex>();
function captureOf(name: string): CaptureIndex {
  const known = indexes.get(name) ?? readCapture(`${captures}stories/${name}.pcap.gz`);
  indexes.set(name, known);
  return known;
}

test.each(STORIES.map((story) => [story.name, story] as const))(
  'both engines print the same report of the story %s and of what may help',
  (_, story) => {
    const index = captureOf(story.capture);
    const { model: failure } = failureFor(story, index);
    for (const name of [FAILURE, ...story.variants.map((variant) => variant.name)]) {
      let model: ClusterModel;
      try {
        model = variantModel(story, name, failure, settingOf(index));
      } catch (error) {
        // what cannot be is refused with a sentence, which becomes the row's result
        if (error instanceof FlowfateError) continue;
        throw error;
      }
      expect([name, differences(index, model, {}, ['json'])]).toEqual([name, []]);
    }
  },
);
