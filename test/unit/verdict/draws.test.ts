import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadScenario } from '../../../src/cluster/scenario/load-scenario.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { dependsOnDraws } from '../../../src/verdict/draws.js';
import { isBroken } from '../../../src/verdict/fates.js';
import { replay } from '../../../src/verdict/replay.js';

const CAPTURES = join(import.meta.dirname, '..', '..', '..', 'captures');
const index = readCapture(join(CAPTURES, 'cluster-withdraw.pcap.gz'));
const scenario = join(CAPTURES, 'cluster-withdraw.yaml');
const { model } = loadScenario([{ name: scenario, text: readFileSync(scenario, 'utf8') }]);
const pod = model.services[0]!.endpoints[0]!.pod;
const podGoes = { ...model, timeline: [{ at: 5, kind: 'endpointGone', pod } as const] };
const withdrawn = { ...model, timeline: [{ at: 5, kind: 'withdraw', node: 1 } as const] };

describe('what the real system draws at random', () => {
  test('gives chances to connections whose endpoint was drawn, and the likeliest fate', () => {
    const result = replay(index, podGoes, { draws: 16 });
    const verdicts = Array.from({ length: result.flowCount }, (_, row) => result.flowVerdict(row));
    const drawn = verdicts.filter(({ chances }) => chances !== null);
    expect(drawn.length).toBeGreaterThan(100);
    for (const { chances, fate, drawn: isDrawn, cause } of drawn) {
      expect(isDrawn).toBe(true);
      expect(Object.values(chances!).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1);
      expect(chances![fate]).toBe(Math.max(...Object.values(chances!)));
      expect(cause !== null).toBe(isBroken(fate));
    }
    expect(result.summary.broken).toBe(verdicts.filter(({ fate }) => isBroken(fate)).length);
  });

  test('has an interval that holds its mean, and a mean near one draw in four pods', () => {
    const { summary } = replay(index, podGoes, { draws: 32 });
    const { mean, low, high } = summary.expected!.broken;
    expect(low).toBeLessThanOrEqual(mean);
    expect(high).toBeGreaterThanOrEqual(mean);
    expect(summary.verdict).toBe('broken');
    expect(mean).toBeGreaterThan(0);
  });

  test('changes nothing where one draw is asked for', () => {
    const once = replay(index, withdrawn);
    expect(once.summary.expected).toBeNull();
    expect(once.flowVerdict(0).chances).toBeNull();
  });

  test('is no matter where every node has one endpoint under policy Local', () => {
    const services = model.services.map((service) => ({
      ...service,
      externalTrafficPolicy: 'Local' as const,
    }));
    const local = { ...withdrawn, services };
    expect(dependsOnDraws(local)).toBe(false);
    const { expected, broken } = replay(index, local, { draws: 16 }).summary;
    expect(expected!.broken).toEqual({ mean: broken, low: broken, high: broken });
  });

  test('counts less where it contradicts what the client did, in a timeline that happened', () => {
    // this pod never went: clients whose acknowledgements advance afterwards did not have it
    const free = replay(index, podGoes, { draws: 16 }).summary;
    const { basis, expected } = replay(index, podGoes, { draws: 16, asRecorded: true }).summary;
    expect(basis).toBe('as-recorded');
    expect(expected!.broken.mean).toBeLessThan(0.9 * free.expected!.broken.mean);
  });
});
