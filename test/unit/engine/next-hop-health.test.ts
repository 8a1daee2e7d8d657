import { describe, expect, test } from 'vitest';
import type { EcmpSettings, TimelineEvent } from '../../../src/cluster/model.js';
import { ClusterState } from '../../../src/state/cluster-state.js';
import { RouterState } from '../../../src/state/router-state.js';
import { Timeline } from '../../../src/timeline/timeline.js';
import { smallCluster, VIP } from '../../support/small-cluster.js';

/** Next hops that have hashes of their own at `nowS`. */
function inUse(timeline: readonly TimelineEvent[], ecmp: Partial<EcmpSettings>, nowS: number): number[] {
  const model = smallCluster({ timeline, ecmp });
  const cluster = new ClusterState(model);
  const router = new RouterState(model, cluster);
  const nothing = (): void => {};
  const listener = {
    routesChanged: nothing,
    placesChanged: nothing,
    podStopped: nothing,
    nodeChanged: nothing,
    linkChanged: nothing,
    eventStarts: nothing,
  };
  new Timeline(model, cluster, router, listener).advance(nowS);
  const group = router.fib.lookup(4, VIP.w0, 0, 0, 0)!;
  const hashes = Array.from({ length: 64 }, (_, i) => i * 2 ** 25);
  return [...new Set(hashes.map((hash) => group.peek(hash)))].sort();
}

const cut: TimelineEvent[] = [
  { at: 1, kind: 'linkDown', node: 1 },
  { at: 2, kind: 'linkUp', node: 1 },
  { at: 5, kind: 'speakerUp', node: 1 },
];

describe('a link that loses its carrier', () => {
  test('leaves a legacy route as it is until the hold time has passed', () => {
    expect(inUse(cut.slice(0, 1), {}, 80)).toEqual([0, 1, 2, 3]);
    expect(inUse(cut.slice(0, 1), {}, 91.5)).toEqual([0, 2, 3]);
  });

  test('ends no session if it comes back before the hold time', () => {
    expect(inUse(cut.slice(0, 2), {}, 200)).toEqual([0, 1, 2, 3]);
  });

  test('takes a nexthop object out for good: the speaker that is back brings a new one', () => {
    const ecmp = { nexthops: 'objects' } as const;
    expect([1, 4, 6].map((nowS) => inUse(cut, ecmp, nowS))).toEqual([
      [0, 2, 3],
      [0, 2, 3],
      [0, 1, 2, 3],
    ]);
  });
});

test('a failed neighbour is passed over by nexthop objects and holds its share in a legacy route', () => {
  const failed: TimelineEvent[] = [{ at: 1, kind: 'neighborFailed', node: 2 }];
  expect(inUse(failed, {}, 2)).toEqual([0, 1, 2, 3]);
  expect(inUse(failed, { nexthops: 'objects' }, 2)).toEqual([0, 1, 3]);
});

test('health is refused where nobody knows what the router makes of it', () => {
  const failed: TimelineEvent[] = [{ at: 1, kind: 'neighborFailed', node: 2 }];
  expect(() => inUse(failed, { select: 'rendezvous' }, 2)).toThrow(
    'neighborFailed is known of the Linux kernel only',
  );
});
