import { describe, expect, test } from 'vitest';
import { ipv4 } from '../../../src/addr/address.js';
import { replay } from '../../../src/verdict/replay.js';
import { Dice, randomIndex } from '../../support/random-world.js';
import { smallCluster, VIP } from '../../support/small-cluster.js';

const index = randomIndex(new Dice(3), 30);

describe('notes of a result', () => {
  test('name a VIP that never appears, and where packets do go', () => {
    const { summary } = replay(index, smallCluster({ service: { vips: [ipv4(0x01020304)] } }));
    expect(summary.notes[0]).toMatch(
      /^VIP 1\.2\.3\.4 of service web never appears in the capture; its busiest servers are /,
    );
    expect(summary.notes[0]).toContain('203.0.113.10:80');
    expect(summary.byFate.unknown).toBe(30);
  });

  test('say when events lie outside the capture', () => {
    const late = smallCluster({
      service: { vips: [VIP] },
      timeline: [{ at: 1e6, kind: 'withdraw', node: 1 }],
    });
    expect(replay(index, late).summary.notes).toEqual([
      expect.stringMatching(/^All events of the timeline lie outside/),
    ]);
    expect(replay(index, smallCluster({ service: { vips: [VIP] } })).summary.notes).toEqual([]);
  });
});

describe('a result', () => {
  test('is the same for the same index, model and seed, and another for another seed', () => {
    const timeline = [{ at: 4, kind: 'withdraw', node: 1 } as const];
    const of = (seed: number): string => {
      const result = replay(index, { ...smallCluster({ timeline }), seed });
      return JSON.stringify(Array.from({ length: result.flowCount }, (_, row) => result.flowVerdict(row)));
    };
    expect(of(1)).toBe(of(1));
    expect(of(1)).not.toBe(of(2));
  });

  test('counts in its summary what its verdicts say', () => {
    const result = replay(index, smallCluster({ timeline: [{ at: 4, kind: 'withdraw', node: 1 }] }));
    const byFate: Record<string, number> = {};
    let broken = 0;
    for (let row = 0; row < result.flowCount; row++) {
      const { fate, cause } = result.flowVerdict(row);
      expect(result.fateOf(row)).toBe(fate);
      byFate[fate] = (byFate[fate] ?? 0) + 1;
      if (cause !== null) broken++;
    }
    for (const [fate, count] of Object.entries(result.summary.byFate))
      expect([fate, byFate[fate] ?? 0]).toEqual([fate, count]);
    expect(Object.values(result.summary.byCause).reduce((a, b) => a + b, 0)).toBe(broken);
  });
});
