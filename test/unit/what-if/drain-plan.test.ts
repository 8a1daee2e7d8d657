import { describe, expect, test } from 'vitest';
import { ipv4 } from '../../../src/addr/address.js';
import type { ClusterModel } from '../../../src/cluster/model.js';
import { DrainCost } from '../../../src/what-if/drain-cost.js';
import { planDrain } from '../../../src/what-if/drain-plan.js';
import { Dice, randomIndex } from '../../support/random-world.js';
import { smallCluster } from '../../support/small-cluster.js';

const traffic = randomIndex(new Dice(5), 200);
const { duration } = traffic.summary;
const pace = { everyS: 3, downS: 1 };
const arrival = (pods: number): ClusterModel =>
  smallCluster({ pods: Array<number>(pods).fill(1), ecmp: { order: 'arrival' } });

describe('planDrain()', () => {
  test('says that no order is better where the router remembers nothing, and drains the cheapest node first', () => {
    const plan = planDrain(traffic, smallCluster(), pace);
    expect(plan.orderMatters).toBe(false);
    expect(plan.alternatives).toEqual([]);
    expect([...plan.order].sort()).toEqual(['n1', 'n2', 'n3', 'n4']);
    const costs = plan.steps.map(({ broken }) => broken);
    expect(costs).toEqual(costs.toSorted((a, b) => a - b));
    expect(plan.why[0]).toMatch(/^The order changes nothing/);
  });

  test('tries every order where returning nodes go to the end of the table', () => {
    const plan = planDrain(traffic, arrival(3), pace);
    expect(plan).toMatchObject({ orderMatters: true, exact: true });
    expect(plan.alternatives).toHaveLength(5);
    for (const { broken } of plan.alternatives) expect(broken).toBeGreaterThanOrEqual(plan.total - 0.1);
  });

  test('of many nodes whose order matters is a stated search', () => {
    const plan = planDrain(randomIndex(new Dice(6), 40), arrival(5), pace);
    expect(plan.exact).toBe(false);
    expect(plan.why[0]).toMatch(/orders were replayed, chosen greedily/);
    expect([...plan.order].sort()).toEqual(['n1', 'n2', 'n3', 'n4', 'n5']);
  });

  test('measures every drain inside the capture, whatever the pace of the rollout', () => {
    const plan = planDrain(traffic, smallCluster(), { everyS: 600, downS: 60 });
    for (const { measuredAt } of plan.steps) {
      for (const at of measuredAt) expect(at).toBeLessThan(duration);
    }
    expect(plan.steps.map(({ after }) => after)).toEqual([0, 600, 1200, 1800]);
    expect(plan.total).toBeGreaterThan(0);
    expect(plan.summary.perMinute).toBeCloseTo(plan.total / 40, 1);
  });

  test('the last node drained costs what it would cost as the first', () => {
    const plan = planDrain(traffic, smallCluster(), pace);
    const cost = new DrainCost(traffic, smallCluster(), pace, plan.steps[0]!.measuredAt.at(-1)!);
    const last = plan.steps.at(-1)!;
    const alone = last.measuredAt.map((at) => cost.at(Number(last.node.slice(1)) - 1, [], at));
    const mean = alone.reduce((sum, { out, back }) => sum + out + back, 0) / alone.length;
    expect(last.broken).toBeCloseTo(mean, 1);
  });

  test('its services and its nodes add up to the same total', () => {
    const { steps, total, summary } = planDrain(traffic, smallCluster(), pace);
    const ofServices = Object.values(summary.byService).reduce((sum, broken) => sum + broken, 0);
    expect(ofServices).toBeCloseTo(total, 0);
    expect(steps.reduce((sum, { out, back }) => sum + out + back, 0)).toBeCloseTo(total, 0);
  });

  test('compares the pace with shorter outages of the same nodes', () => {
    const plan = planDrain(traffic, smallCluster(), pace);
    expect(plan.pace.map(({ down }) => down)).toEqual([0.1, 0.5, 1, 2]);
    expect(plan.pace.find(({ down }) => down === 1)?.broken).toBe(plan.total);
  });

  test('refuses nodes that would be out together, a cluster of one, and a start after the end of the capture', () => {
    expect(() => planDrain(traffic, smallCluster(), { everyS: 2, downS: 3 })).toThrow(/must be shorter than/);
    expect(() => planDrain(traffic, smallCluster({ pods: [1] }))).toThrow(/at least two nodes/);
    expect(() => planDrain(traffic, smallCluster(), { startS: 1e6 })).toThrow(/--start 1000000s is too late/);
  });

  test('refuses a capture in which nothing goes to the service', () => {
    const elsewhere = smallCluster({ service: { vips: [ipv4(0x0a0a0a0a)] } });
    expect(() => planDrain(traffic, elsewhere, pace)).toThrow(/nothing to judge/);
  });
});

describe('DrainCost', () => {
  test('counts a client twice that is broken on the way out, reconnects, and is moved by the return', () => {
    const model = smallCluster({ ecmp: { select: 'modulo' } });
    const cost = new DrainCost(traffic, model, pace, duration);
    const sample = cost.at(0, [], duration / 3);
    expect(sample.out).toBeGreaterThan(0);
    expect(sample.back).toBeGreaterThan(0);
    const long = new DrainCost(traffic, model, { everyS: 600, downS: 300 }, duration).at(0, [], duration / 3);
    expect(long.back).toBeGreaterThan(0);
    const once = cost.replays;
    expect(cost.at(0, [], duration / 3)).toBe(sample);
    expect(cost.replays).toBe(once);
  });
});
