import { describe, expect, test } from 'vitest';
import { ecmpSchema } from '../../../src/cluster/scenario/timeline-schema.js';
import { doubtsOf, isHashUnknown } from '../../../src/verdict/certainty.js';
import { varied } from '../../../src/what-if/variation.js';
import { smallCluster } from '../../support/small-cluster.js';

describe('doubts about a result', () => {
  test('there are none where a Linux kernel chooses', () => {
    for (const select of ['hash-threshold', 'resilient'] as const) {
      const model = smallCluster({ ecmp: { select } });
      expect([doubtsOf(model), isHashUnknown(model)]).toEqual([[], false]);
    }
  });

  test('a documented table is marked, and its hash is unknown', () => {
    const model = smallCluster({ ecmp: { select: 'resilient-cumulus' } });
    expect(doubtsOf(model)[0]).toContain('as documented by Cumulus Linux');
    expect(isHashUnknown(model)).toBe(true);
  });

  test('a Maglev table is the algorithm, not the bits', () => {
    const [doubt] = doubtsOf(smallCluster({ ecmp: { select: 'maglev', buckets: 16381 } }));
    expect(doubt).toContain('not the bits of Cilium or Katran');
  });

  test('settings that come later count, once each', () => {
    const model = smallCluster();
    const settings = { ...model.router.ecmp, hash: 'crc32c' as const };
    const timeline = [1, 2].map((at) => ({ at, kind: 'ecmp' as const, settings }));
    const later = smallCluster({ timeline });
    expect(doubtsOf(later)).toHaveLength(1);
    expect(isHashUnknown(later)).toBe(true);
  });
});

describe('Maglev table sizes by name', () => {
  test.each([
    ['cilium', 16381],
    ['cilium-largest', 131071],
    ['katran', 65537],
  ])('%s is %i in a scenario and in --vary', (name, size) => {
    expect(ecmpSchema.parse({ buckets: name }).buckets).toBe(size);
    const combination = [
      { knob: 'select', value: 'maglev' },
      { knob: 'buckets', value: name },
    ];
    expect(varied(smallCluster(), combination).router.ecmp.buckets).toBe(size);
  });

  test('another name is refused with the ones there are', () => {
    expect(ecmpSchema.safeParse({ buckets: 'envoy' }).error?.issues[0]?.message).toContain('cilium');
  });
});
