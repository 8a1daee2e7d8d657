import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ClusterModel } from '../../src/cluster/model.js';
import { FlowEngine } from '../../src/engine/flow-engine.js';
import type { CaptureIndex } from '../../src/flow/flow-columns.js';
import { PacketEngine } from '../../src/oracle/packet-engine.js';
import { REASON_NAMES } from '../../src/state/disposition.js';
import { behindRandomEdge } from '../support/random-edge.js';
import { withRandomPolicies } from '../support/random-policies.js';
import { Dice, randomIndex, randomModel } from '../support/random-world.js';
import { differences, type ReportForm } from '../support/whole-report.js';

interface Verdict {
  readonly flow: number;
  readonly fate: number;
  readonly life: number;
  readonly brokenS: number;
  readonly reason: string;
  readonly event: number;
  readonly hop: number;
  readonly unanswered: number;
  readonly path: unknown;
}

type Engine = Pick<FlowEngine, 'tracker' | 'paths'>;

function verdicts({ tracker, paths }: Engine, flows: number): Verdict[] {
  return Array.from({ length: flows }, (_, f) => ({
    flow: f,
    fate: tracker.fate[f]!,
    life: tracker.life[f]!,
    brokenS: tracker.brokenS[f]!,
    reason: REASON_NAMES[tracker.reason[f]!]!,
    event: tracker.event[f]!,
    hop: tracker.hop[f]!,
    unanswered: tracker.unanswered[f]!,
    path: paths.steps(f),
  }));
}

/** Replays one world with both engines and compares every verdict, and the reports byte for byte. */
function agree(
  index: CaptureIndex,
  model: ClusterModel,
  forms: readonly ReportForm[] = ['json'],
): FlowEngine {
  const fast = new FlowEngine(index, model);
  fast.run();
  const slow = new PacketEngine(index, model);
  slow.run();
  expect(verdicts(fast, fast.plan.count)).toEqual(verdicts(slow, fast.plan.count));
  expect(differences(index, model, {}, forms)).toEqual([]);
  return fast;
}

/** FLOWFATE_SEED makes other worlds. */
const seed = Number(process.env.FLOWFATE_SEED ?? 7);
const runs = { numRuns: Number(process.env.FLOWFATE_RUNS ?? 60), seed };
console.info(`engines-agree: FLOWFATE_SEED=${seed}`);

test('on random clusters, timelines and traffic both engines give the same verdict for every flow', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const dice = new Dice(seed);
      const model = randomModel(dice);
      agree(randomIndex(dice, 40, 'own', 'one', 'odd'), model);
    }),
    runs,
  );
});

test('under kube-proxy they agree where ports are used again and meet what an earlier connection left', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const dice = new Dice(seed);
      const model = randomModel(dice);
      const conntrack = { ...model.dataplane.conntrack, beLiberal: dice.chance(0.3) };
      const proxy = dice.pick(['iptables', 'nftables'] as const);
      const dataplane = { ...model.dataplane, conntrack, proxy };
      agree(randomIndex(dice, 40, 'own', 'several', 'odd'), { ...model, dataplane });
    }),
    runs,
  );
});

test('under random network policies both engines let in and turn away the same connections', () => {
  const reasons = new Set<string>();
  let unsure = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const dice = new Dice(seed);
      const model = withRandomPolicies(randomModel(dice), dice);
      const { tracker, walk } = agree(randomIndex(dice, 40), model);
      for (const code of tracker.reason) reasons.add(REASON_NAMES[code]!);
      unsure += walk.policies?.unsure.size ?? 0;
    }),
    runs,
  );
  expect([...reasons]).toContain('policy-denied');
  expect(unsure).toBeGreaterThan(0);
});

test('behind a random load balancer both engines give the same verdict, for every reason it has', () => {
  const reasons = new Set<string>();
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const dice = new Dice(seed);
      const open = behindRandomEdge(randomModel(dice), dice);
      const model = dice.chance(0.3) ? withRandomPolicies(open, dice) : open;
      const { tracker } = agree(
        randomIndex(dice, 40, dice.chance(0.5) ? 'shared' : 'own', 'one', 'odd'),
        model,
      );
      for (const code of tracker.reason) reasons.add(REASON_NAMES[code]!);
    }),
    runs,
  );
  expect([...reasons]).toEqual(
    expect.arrayContaining([
      'member-unknown',
      'member-down',
      'no-member',
      'edge-unmatched',
      'invalid-refused',
    ]),
  );
});
