import fc from 'fast-check';
import { expect, test } from 'vitest';
import { REASON_NAMES } from '../../src/path/disposition.js';
import { FlowEngine } from '../../src/replay/flow-engine.js';
import { PacketEngine } from '../../src/replay/packet-engine.js';
import { sourceProvenance } from '../../src/replay/source-provenance.js';
import { Dice, randomIndex, randomModel } from '../support/random-world.js';

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

test('on random clusters, timelines and traffic both engines give the same verdict for every flow', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const dice = new Dice(seed);
      const model = randomModel(dice);
      const index = randomIndex(dice, 40);
      const fast = new FlowEngine(index, model);
      fast.run();
      const slow = new PacketEngine(index, model);
      slow.run();
      expect(verdicts(fast, fast.plan.count)).toEqual(verdicts(slow, fast.plan.count));
      for (let f = 0; f < fast.plan.count; f++) {
        if (fast.tracker.fate[f] !== 0) continue;
        const seen = slow.sourceAtEndpoint[f] ?? null;
        if (seen !== null) expect([f, sourceProvenance(fast, model, f).atEndpoint]).toEqual([f, seen]);
      }
    }),
    { numRuns: Number(process.env.FLOWFATE_RUNS ?? 300), seed: 7 },
  );
});
