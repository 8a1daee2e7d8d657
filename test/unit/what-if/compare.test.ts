import { describe, expect, test } from 'vitest';
import { readCapture } from '../../../src/flow/read-capture.js';
import { replay } from '../../../src/verdict/replay.js';
import { compare, spread } from '../../../src/what-if/compare.js';
import { planDrain } from '../../../src/what-if/drain-plan.js';
import { combinations, parseVariation, seeded, varied } from '../../../src/what-if/variation.js';
import { Dice, randomIndex } from '../../support/random-world.js';
import { smallCluster } from '../../support/small-cluster.js';

const index = readCapture('captures/cluster-withdraw.pcap.gz');
const model = smallCluster({ timeline: [{ at: 5, kind: 'withdraw', node: 1 }] });

function brokenIn({ byFate }: ReturnType<typeof replay>['summary']): number {
  return byFate.reset + byFate.refused + byFate.timeout + byFate['endpoint-closed'] + byFate.misdelivered;
}

describe('variations', () => {
  test('combine, the last knob varying fastest', () => {
    const all = combinations([
      parseVariation('select=modulo,maglev'),
      parseVariation('policy=Local,Cluster'),
    ]);
    expect(all.map((c) => c.map(({ value }) => value).join(' '))).toEqual([
      'modulo Local',
      'modulo Cluster',
      'maglev Local',
      'maglev Cluster',
    ]);
  });

  test('change what they name and nothing else', () => {
    const changed = varied(model, [{ knob: 'holdTime', value: '3s' }]);
    expect(changed.router.bgp.holdTimeS).toBe(3);
    expect({ ...changed, router: model.router }).toEqual(model);
  });

  test('of the speakers leave the first ones, in stated routes as well', () => {
    const fewer = varied(model, [{ knob: 'speakers', value: '2' }]);
    expect(fewer.nodes.map(({ announces }) => announces)).toEqual([true, true, false, false]);
    expect(() => varied(model, [{ knob: 'speakers', value: '9' }])).toThrow(/only 4 nodes announce/);
  });

  test('that mean nothing are refused with what would do', () => {
    expect(() => parseVariation('colour=red')).toThrow(/knows no "colour"; it takes hash, /);
    expect(() => parseVariation('select')).toThrow(/needs values/);
    expect(() => varied(model, [{ knob: 'select', value: 'best' }])).toThrow(/not one of modulo/);
    expect(() => varied(model, [{ knob: 'holdTime', value: 'soon' }])).toThrow(/no duration/);
  });

  test('the first seed is the model as it is', () => {
    expect(seeded(model, 0)).toBe(model);
    expect(seeded(model, 1).router.ecmp.seed).not.toBe(model.router.ecmp.seed);
  });
});

describe('the survival matrix', () => {
  test('holds for each combination what its replays say, ranked, alike in one thread and in several', async () => {
    const variations = [
      parseVariation('select=hash-threshold,modulo,rendezvous'),
      parseVariation('policy=Local,Cluster'),
    ];
    const here = await compare(index, model, variations, { seeds: 3, threads: 0 });
    expect(await compare(index, model, variations, { seeds: 3, threads: 2 })).toEqual(here);
    expect(here.rows.length).toBe(6);
    const means = here.rows.map(({ broken }) => broken.mean);
    expect(means).toEqual([...means].sort((a, b) => a - b));
    const { combination, broken } = here.rows[0]!;
    const runs = [0, 1, 2].map((seed) =>
      brokenIn(replay(index, seeded(varied(model, combination), seed)).summary),
    );
    expect(broken).toEqual(spread(runs));
  });

  test('refuses an impossible combination with the reason and goes on', async () => {
    const { rows } = await compare(
      index,
      varied(model, [{ knob: 'select', value: 'maglev' }]),
      [parseVariation('buckets=64,67')],
      { seeds: 1, threads: 0 },
    );
    expect(rows.map(({ refused }) => refused)).toEqual([null, expect.stringContaining('prime')]);
  });

  test('says how many flows there are even where every combination is refused', async () => {
    const maglev = varied(model, [{ knob: 'select', value: 'maglev' }]);
    const { flows, rows } = await compare(index, maglev, [parseVariation('buckets=64')], {
      seeds: 1,
      threads: 0,
    });
    expect([rows[0]!.refused === null, flows]).toEqual([false, replay(index, model).summary.flows]);
  });

  test('gives a mean with its interval: Student’s t', () => {
    expect(spread([1, 2, 3, 4, 5])).toMatchObject({ mean: 3, min: 1, max: 5 });
    expect(spread([1, 2, 3, 4, 5]).interval).toBeCloseTo(2.776 * Math.sqrt(2.5 / 5), 6);
    expect(spread([7]).interval).toBe(0);
  });
});

describe('plan drain', () => {
  test('finds the order that breaks fewest flows, by trying all of them', () => {
    const traffic = randomIndex(new Dice(5), 200);
    const three = smallCluster({ pods: [1, 1, 1] });
    const plan = planDrain(traffic, three, { everyS: 3, downS: 1, startS: 1 });
    expect(plan.exact).toBe(true);
    expect(plan.ordersTried).toBe(6);
    expect(plan.broken).toBeLessThanOrEqual(plan.averageBroken);
    expect(plan.worst.broken).toBeGreaterThanOrEqual(plan.averageBroken);
    expect([...plan.order].sort()).toEqual(['n1', 'n2', 'n3']);
    const total = plan.steps.reduce((sum, step) => sum + step.brokenOut + step.brokenBack, 0);
    expect(total).toBeLessThanOrEqual(plan.broken);
  });

  test('of many nodes is a stated heuristic, never worse than the orders it drew', () => {
    const traffic = randomIndex(new Dice(6), 60);
    const plan = planDrain(traffic, smallCluster({ pods: Array(7).fill(1) as number[] }), {
      everyS: 1,
      downS: 0.4,
      startS: 1,
    });
    expect(plan.exact).toBe(false);
    expect(plan.why[0]).toMatch(/too many orders/);
    expect(plan.broken).toBeLessThanOrEqual(plan.worst.broken);
    expect(plan.order.length).toBe(7);
  });

  test('says which drains lie after the end of the capture', () => {
    const { why } = planDrain(index, smallCluster(), { everyS: 1e6, downS: 1, startS: 1 });
    expect(why[0]).toMatch(/^The drains of n\d, n\d, n\d lie after the end of the capture/);
  });

  test('refuses nodes that would be out together, and a cluster of one', () => {
    expect(() => planDrain(index, model, { everyS: 2, downS: 3 })).toThrow(/must be shorter than/);
    expect(() => planDrain(index, smallCluster({ pods: [1] }))).toThrow(/at least two nodes/);
  });
});
