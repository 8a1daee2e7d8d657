import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { loadScenario } from '../../../src/cluster/scenario/load-scenario.js';
import { printScenario } from '../../../src/cluster/scenario/print-scenario.js';
import type { CaptureIndex } from '../../../src/flow/flow-columns.js';
import { flowRow } from '../../../src/flow/flow-rows.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { writeStoryJson } from '../../../src/report/story-json.js';
import { MADE_CAPTURES } from '../../../src/stories/made-captures.js';
import { makeTraffic } from '../../../src/stories/made-traffic.js';
import { STORIES } from '../../../src/stories/registry.js';
import { failureFor, findStory, runStory, settingOf, variantModel } from '../../../src/stories/run-story.js';
import { FAILURE } from '../../../src/stories/story.js';
import type { StoryFigures } from '../../../src/stories/story-figures.js';
import { replay } from '../../../src/verdict/replay.js';
import { seeded } from '../../../src/what-if/variation.js';

const shipped = (name: string): string =>
  fileURLToPath(new URL(`../../../captures/stories/${name}.pcap.gz`, import.meta.url));

const indexes = new Map<string, CaptureIndex>();
function captureOf(name: string): CaptureIndex {
  const known = indexes.get(name) ?? readCapture(shipped(name));
  indexes.set(name, known);
  return known;
}

/** Every row of a story over its own capture. */
function rowsOf(name: string, seeds: number): (row: string) => StoryFigures {
  const story = findStory(name);
  const { runs } = runStory(story, captureOf(story.capture), { seeds });
  return (row) => {
    const figures = runs.find((run) => run.name === row)?.figures;
    if (figures === null || figures === undefined) throw new Error(`${name} has no figures for ${row}`);
    return figures;
  };
}

describe('the captures of the stories', () => {
  test.each(Object.entries(MADE_CAPTURES))('%s is what its plan makes, octet by octet', (name, plan) => {
    const file = gunzipSync(readFileSync(shipped(name)));
    expect(Buffer.compare(file, makeTraffic(plan))).toBe(0);
  });

  test.each(Object.keys(MADE_CAPTURES))(
    '%s decodes without a fault, every connection from its SYN on',
    (name) => {
      const index = captureOf(name);
      const { summary } = index;
      expect([summary.decodeFaults, summary.damage, summary.truncated]).toEqual([{}, null, false]);
      for (let f = 0; f < index.flows.count; f++) {
        const { proto, sawSyn } = flowRow(index.flows, f, null);
        if (proto === 'tcp') expect(sawSyn).toBe(true);
      }
    },
  );
});

describe.each(STORIES.map((story) => [story.name, story] as const))('the story %s', (_, story) => {
  const index = captureOf(story.capture);
  const failure = failureFor(story, index).model;
  const names = [FAILURE, ...story.variants.map(({ name }) => name)];

  test.each(names)('prints the scenario of %s so that it loads as the same model', (name) => {
    const model = variantModel(story, name, failure, settingOf(index));
    const text = printScenario(model);
    const loaded = loadScenario([{ name: 'printed.yaml', text }]).model;
    expect({ ...loaded, assumed: undefined, unread: undefined }).toEqual({ ...model, assumed: undefined });
  });

  test('comes out the same twice, and no run is refused', () => {
    const told = (): string => {
      let text = '';
      const result = runStory(story, index, { seeds: 2, captureName: 'made' });
      expect(result.runs.filter(({ refused }) => refused !== null)).toEqual([]);
      writeStoryJson(result, (piece) => {
        text += piece;
      });
      return text;
    };
    expect(told()).toBe(told());
  });

  test('names each run once, in kebab-case', () => {
    expect(new Set(names).size).toBe(names.length);
    for (const name of [story.name, ...names]) expect(name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
  });
});

describe('rehash-on-scale', () => {
  const story = findStory('rehash-on-scale');
  const index = captureOf(story.capture);
  const { model } = failureFor(story, index);

  test('moves the share of flows that RFC 2992 says for a next hop appended to four and to five: half', () => {
    const adds = [
      ...new Set(model.timeline.filter(({ kind }) => kind === 'endpointReady').map(({ at }) => at)),
    ];
    const runs = Array.from({ length: 20 }, (_, n) => replay(index, seeded(model, n)).events);
    expect(adds).toHaveLength(2);
    for (const add of adds) {
      // one event a service: each moves the flows of its own VIP
      const shares = runs.map((events) => {
        const now = events.filter(({ at }) => at === add);
        return now.reduce((sum, { flowsMoved }) => sum + flowsMoved, 0) / now[0]!.flowsActive;
      });
      const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
      expect(mean).toBeGreaterThan(0.45);
      expect(mean).toBeLessThan(0.55);
    }
  });

  test('breaks nothing where the set of speakers stays, and less the less a newcomer gets', () => {
    const row = rowsOf('rehash-on-scale', 6);
    expect(row('proxy-per-speaker').broken.mean).toBe(0);
    expect(row('fewer-speakers').broken.mean).toBe(0);
    const resets = (name: string): number => row(name).byFate.reset;
    expect(resets('policy-cluster')).toBe(0);
    expect(row('policy-cluster').source.preserved).toBe(0);
    expect(resets('failure')).toBeGreaterThan(2 * resets('consistent-hashing'));
    expect(resets('consistent-hashing')).toBeGreaterThan(resets('resilient'));
    expect(resets('resilient-forced')).toBeGreaterThan(resets('resilient'));
    expect(resets('resilient-switch')).toBeGreaterThan(2 * resets('resilient'));
  });
});

describe('rehash-on-redeploy', () => {
  const row = rowsOf('rehash-on-redeploy', 6);
  const fate = (name: string, kind: keyof StoryFigures['byFate']): number => row(name).byFate[kind];

  test('has two kinds of breaks, and each remedy helps one of them', () => {
    expect(fate('failure', 'reset')).toBeGreaterThan(fate('failure', 'endpoint-closed'));
    expect(fate('consistent-hashing', 'reset')).toBeLessThan(0.75 * fate('failure', 'reset'));
    expect(fate('pre-stop-wait', 'endpoint-closed')).toBeLessThan(0.75 * fate('failure', 'endpoint-closed'));
    expect(row('hashing-and-wait').broken.mean).toBeLessThan(row('failure').broken.mean);
  });

  test('resets next to nothing where nodes agree on the pod (DSR with Maglev), and shows the client', () => {
    expect(fate('dsr-with-maglev', 'reset')).toBeLessThan(0.1 * fate('failure', 'reset'));
    expect(row('dsr-with-maglev').source.preserved).toBe(1);
  });

  test('shows that a fresh resilient group and the label alone do not help', () => {
    const near = (name: string): number => row(name).broken.mean / row('failure').broken.mean;
    expect(near('resilient-fresh')).toBeGreaterThan(0.85);
    expect(near('label-and-wait')).toBeGreaterThan(0.85);
    expect(near('resilient')).toBeLessThan(0.85);
  });

  test('hangs flows where the router keeps the route of a node that is gone', () => {
    // a FIN at a node that does not know the flow is INVALID, and the answer to the server's FIN is never sent
    expect(fate('failure', 'timeout')).toBeLessThan(0.3 * fate('failure', 'reset'));
    expect(fate('graceful-restart', 'timeout')).toBeGreaterThan(5);
    // BFD moves flows while their node is down: what would have waited is reset
    expect(fate('power-off-bfd', 'reset')).toBeGreaterThan(fate('power-off', 'reset'));
  });
});

describe('uneven-load', () => {
  const row = rowsOf('uneven-load', 10);
  const ratio = (name: string): number => row(name).measures.podLoadRatio!;

  test('gives the lonely pod about five times the load, and about the same with every remedy', () => {
    expect(ratio('failure')).toBeGreaterThan(4);
    expect(ratio('failure')).toBeLessThan(6);
    for (const name of ['weights', 'one-proxy-a-speaker', 'spread', 'policy-cluster']) {
      expect(ratio(name)).toBeLessThan(1.5);
    }
  });

  test('breaks no flow', () => {
    expect(row('failure').broken.max).toBe(0);
  });
});

describe('unknown-member', () => {
  const row = rowsOf('unknown-member', 2);
  const plan = MADE_CAPTURES.arrivals;

  test.each(['failure', 'slow-ramp', 'slow-ramp-longer', 'faster-checks', 'no-monitor'])(
    'loses in %s what the closed form says, within two connections',
    (name) => {
      const { broken, byFate, measures, byCause } = row(name);
      expect(measures.predictedLost).toBeGreaterThan(0);
      expect(Math.abs(broken.mean - measures.predictedLost!)).toBeLessThanOrEqual(2);
      expect([byFate.timeout, byCause]).toEqual([broken.mean, { 'member-unknown': broken.mean }]);
    },
  );

  test('predicts r·T/(n+1) for the failure, and its integral for the ramp', () => {
    const r = plan.perSecond;
    expect(Math.abs(row('failure').measures.predictedLost! - (r * 16) / 5)).toBeLessThan(0.5);
    // ∫ (t/10)/(4+t/10) dt over 0 … 10 is 10 - 40·ln(5/4); then 6 s of a fifth
    const ramped = r * (10 - 40 * Math.log(1.25) + 6 / 5);
    expect(Math.abs(row('slow-ramp').measures.predictedLost! - ramped)).toBeLessThan(0.5);
  });

  test('loses nothing where the unknown is kept out, and hides the client everywhere', () => {
    for (const name of ['join-disabled', 'node-per-rack', 'pods-as-members', 'policy-cluster']) {
      expect([name, row(name).broken.max]).toEqual([name, 0]);
    }
    expect(row('failure').source).toMatchObject({ preserved: 0, seenInstead: ['10.0.0.250'] });
    expect(row('node-per-rack').maxOverMean.nodes).toBeGreaterThan(2);
    expect(row('faster-checks').measures.checksPerS).toBe(5 * row('failure').measures.checksPerS!);
  });

  test('asks the healthCheckNodePort a better question as slowly', () => {
    expect(row('health-check-port').broken.mean).toBe(row('failure').broken.mean);
  });
});
