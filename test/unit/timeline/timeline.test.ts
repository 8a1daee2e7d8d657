import { describe, expect, test } from 'vitest';
import type { TimelineEvent } from '../../../src/cluster/model.js';
import { ClusterState } from '../../../src/state/cluster-state.js';
import { RouterState } from '../../../src/state/router-state.js';
import { Timeline, type TimelineListener } from '../../../src/timeline/timeline.js';
import { type Overrides, smallCluster, VIP } from '../../support/small-cluster.js';

/** A cluster on its timeline, without traffic. */
class World {
  readonly cluster: ClusterState;
  readonly router: RouterState;
  readonly timeline: Timeline;
  /** what the listener heard, as text */
  readonly heard: string[] = [];

  constructor(timeline: readonly TimelineEvent[], overrides: Overrides = {}) {
    const model = smallCluster({ ...overrides, timeline });
    this.cluster = new ClusterState(model);
    this.router = new RouterState(model, this.cluster);
    const listener: TimelineListener = {
      routesChanged: (_, event, atS) => this.heard.push(`routes e${event + 1} ${atS}`),
      placesChanged: () => {},
      podStopped: (pod, event, atS) => this.heard.push(`stop ${pod.name} e${event + 1} ${atS}`),
      nodeChanged: () => {},
      linkChanged: () => {},
      eventStarts: () => {},
    };
    this.timeline = new Timeline(model, this.cluster, this.router, listener);
  }

  at(nowS: number): this {
    this.timeline.advance(nowS);
    return this;
  }

  /** next hops of the VIP's IPv4 route, in the order of the table */
  get hops(): string {
    const route = this.router.routes.find(({ prefix }) => prefix.address.w0 === VIP.w0)!;
    return route.nextHops.map(({ node }) => `n${node + 1}`).join(' ');
  }

  /** pods that node 1's rules offer */
  get offered(): number {
    return this.cluster.choices(0, 0, 'Cluster', 0);
  }
}

const router = (bgp: {
  holdTimeS?: number;
  bfdS?: number | null;
  gracefulRestartS?: number | null;
  fibDelayS?: number;
}): Overrides => ({
  router: { bgp: { holdTimeS: 90, bfdS: null, gracefulRestartS: null, fibDelayS: 0, ...bgp } },
});

describe('routes', () => {
  test('lose a node that withdraws and get it back in its place', () => {
    const world = new World([
      { at: 5, kind: 'withdraw', node: 1 },
      { at: 9, kind: 'announce', node: 1 },
    ]);
    expect(world.at(4.9).hops).toBe('n1 n2 n3 n4');
    expect(world.at(5).hops).toBe('n1 n3 n4');
    expect(world.at(9).hops).toBe('n1 n2 n3 n4');
  });

  test('under order: arrival get it back at its old place within the keep time, at the end after it', () => {
    const back = (at: number): string =>
      new World(
        [
          { at: 5, kind: 'withdraw', node: 1 },
          { at, kind: 'announce', node: 1 },
        ],
        { ecmp: { order: 'arrival' } },
      ).at(at).hops;
    expect(back(100)).toBe('n1 n2 n3 n4');
    expect(back(500)).toBe('n1 n3 n4 n2');
  });

  test('change only after the time from message to FIB', () => {
    const world = new World([{ at: 5, kind: 'withdraw', node: 1 }], router({ fibDelayS: 0.2 }));
    expect(world.at(5.19).hops).toBe('n1 n2 n3 n4');
    expect(world.at(5.2).hops).toBe('n1 n3 n4');
    expect(world.heard).toEqual(['routes e1 5.2']);
  });

  test('of a silent speaker stay until the hold time, or until BFD notices', () => {
    const silent: TimelineEvent[] = [{ at: 5, kind: 'speakerDown', node: 0, mode: 'silent' }];
    expect(new World(silent, router({ holdTimeS: 9 })).at(13.9).hops).toBe('n1 n2 n3 n4');
    expect(new World(silent, router({ holdTimeS: 9 })).at(14).hops).toBe('n2 n3 n4');
    expect(new World(silent, router({ holdTimeS: 9, bfdS: 0.9 })).at(5.9).hops).toBe('n2 n3 n4');
  });

  test('of a speaker that closes go at once, or are kept for the restart time', () => {
    const closes: TimelineEvent[] = [
      { at: 5, kind: 'speakerDown', node: 0, mode: 'close' },
      { at: 20, kind: 'speakerUp', node: 0 },
    ];
    expect(new World(closes).at(5).hops).toBe('n2 n3 n4');
    const graceful = new World(closes, router({ gracefulRestartS: 120 }));
    expect(graceful.at(200).hops).toBe('n1 n2 n3 n4');
    expect(graceful.heard).toEqual([]);
  });

  test('that `route` entries state follow nothing else, from the beginning', () => {
    const prefix = { address: VIP, length: 32 };
    const world = new World([
      { at: 5, kind: 'withdraw', node: 1 },
      { at: 6, kind: 'route', prefix, nextHops: [{ node: 3, weight: 1 }] },
    ]);
    expect(world.at(5.5).hops).toBe('n1 n2 n3 n4');
    expect(world.at(6).hops).toBe('n4');
  });

  test('of nodes that announce as MetalLB decides follow their endpoints under policy Local', () => {
    const world = new World(
      [
        { at: 5, kind: 'endpointGone', pod: 'n3-p0' },
        { at: 8, kind: 'endpointReady', pod: 'n3-p0' },
      ],
      { node: { announces: 'auto' }, service: { externalTrafficPolicy: 'Local' } },
    );
    expect(world.at(5).hops).toBe('n1 n2 n4');
    expect(world.at(8).hops).toBe('n1 n2 n3 n4');
  });
});

describe('a node that goes down', () => {
  const down: TimelineEvent[] = [
    { at: 5, kind: 'nodeDown', node: 1 },
    { at: 60, kind: 'nodeUp', node: 1 },
  ];

  test('keeps its route until the hold time and its endpoints until Kubernetes notices', () => {
    const world = new World(down, router({ holdTimeS: 20 }));
    world.at(5);
    expect([world.cluster.nodeUp[1], world.hops, world.offered]).toEqual([false, 'n1 n2 n3 n4', 4]);
    world.at(25);
    expect([world.hops, world.offered]).toEqual(['n1 n3 n4', 4]);
    world.at(45);
    expect(world.offered).toBe(3);
  });

  test('comes back with fresh pods, an empty table and its route', () => {
    const world = new World(down, router({ holdTimeS: 20 }));
    const pod = world.cluster.podByName.get('n2-p0')!;
    const { instance } = pod;
    world.at(60);
    expect([world.cluster.nodeUp[1], world.cluster.nodeBoot[1], world.hops, world.offered]).toEqual([
      true,
      1,
      'n1 n2 n3 n4',
      4,
    ]);
    expect(pod.instance).toBeGreaterThan(instance);
  });

  test('and is back before anybody noticed never lost its route', () => {
    const blink: TimelineEvent[] = [
      { at: 5, kind: 'nodeDown', node: 1 },
      { at: 7, kind: 'nodeUp', node: 1 },
    ];
    const world = new World(blink, router({ holdTimeS: 20 }));
    world.at(100);
    expect([world.hops, world.offered]).toEqual(['n1 n2 n3 n4', 4]);
  });
});

describe('endpoints', () => {
  test('that are gone stop, those that terminate do not', () => {
    const world = new World([
      { at: 5, kind: 'endpointTerminating', pod: 'n1-p0' },
      { at: 6, kind: 'endpointGone', pod: 'n1-p0' },
    ]);
    world.at(5);
    expect([world.offered, world.cluster.podByName.get('n1-p0')!.running, world.heard]).toEqual([
      3,
      true,
      [],
    ]);
    world.at(6);
    expect(world.heard).toEqual(['stop n1-p0 e2 6']);
  });

  test('of a drained node terminate at once and stop after their grace period', () => {
    const world = new World([{ at: 5, kind: 'drain', node: 0, gracePeriodS: 30 }]);
    expect(world.at(5).offered).toBe(3);
    expect(world.at(34.9).heard).toEqual([]);
    expect(world.at(35).heard).toEqual(['stop n1-p0 e1 35']);
  });

  test('are added on the emptiest nodes and removed from the end when a service is scaled', () => {
    const world = new World(
      [
        { at: 5, kind: 'scale', service: 0, replicas: 6 },
        { at: 9, kind: 'scale', service: 0, replicas: 2 },
      ],
      { pods: [2, 1, 1, 0] },
    );
    expect(world.at(5).offered).toBe(6);
    expect(world.cluster.pods.slice(4).map((pod) => pod.node)).toEqual([3, 1]);
    expect(new Set(world.cluster.pods.map((pod) => pod.addresses[0]!.w0)).size).toBe(6);
    expect(world.at(9).offered).toBe(2);
  });

  test('reach the rules after the sync delay, and not while kube-proxy stalls', () => {
    const gone: TimelineEvent[] = [{ at: 5, kind: 'endpointUnready', pod: 'n1-p0' }];
    const delayed = new World(gone, { dataplane: { sync: { delayS: 2, minPeriodS: 0, durationS: 0 } } });
    expect(delayed.at(6.9).offered).toBe(4);
    expect(delayed.at(7).offered).toBe(3);
    const stalled = new World([{ at: 4, kind: 'proxyStall', nodes: [0], forS: 30 }, ...gone]);
    expect(stalled.at(33.9).offered).toBe(4);
    expect(stalled.cluster.choices(0, 0, 'Cluster', 1)).toBe(3);
    expect(stalled.at(34).offered).toBe(3);
  });

  test('that change often wait for minSyncPeriod after a burst of two', () => {
    const flaps = [5, 5.1, 5.2].map(
      (at, i): TimelineEvent => ({ at, kind: 'endpointUnready', pod: `n${i + 1}-p0` }),
    );
    const world = new World(flaps, { dataplane: { sync: { delayS: 0, minPeriodS: 1, durationS: 0 } } });
    expect([5, 5.1, 5.2, 6, 6.1].map((at) => world.at(at).offered)).toEqual([3, 2, 2, 2, 1]);
  });
});

describe('rules that take long to write', () => {
  const slow = { dataplane: { sync: { delayS: 0, minPeriodS: 0, durationS: 10 } } };

  test('hold as they were drawn up, and what changed meanwhile is written next', () => {
    const world = new World(
      [
        { at: 5, kind: 'endpointUnready', pod: 'n1-p0' },
        { at: 6, kind: 'endpointUnready', pod: 'n2-p0' },
      ],
      slow,
    );
    expect([5, 14.9, 15, 24.9, 25].map((at) => world.at(at).offered)).toEqual([4, 4, 3, 3, 2]);
  });
});

describe('a pod that answers late', () => {
  const probes = {
    readiness: { initialDelayS: 0, periodS: 10, timeoutS: 1, failureThreshold: 3, successThreshold: 1 },
    liveness: null,
    startupS: 0,
  };
  const late: TimelineEvent[] = [{ at: 5, kind: 'unhealthy', pod: 'n1-p0', forS: 60, latencyS: 3 }];

  test('leaves the endpoints when its readiness probe has failed three times, and comes back', () => {
    const world = new World(late, { service: { probes } });
    const details = world.timeline.entries.map(({ detail }) => detail);
    expect(details).toEqual([
      'n1-p0 answers after 3 s for 60 s',
      'n1-p0 fails its readiness probe and leaves the endpoints',
      'n1-p0 passes its readiness probe and is an endpoint again',
    ]);
    const [, out, back] = world.timeline.entries.map(({ at }) => at);
    expect(out).toBeGreaterThanOrEqual(26);
    expect(out).toBeLessThan(36);
    expect(back).toBeGreaterThanOrEqual(65);
    expect(back).toBeLessThan(75);
    expect(world.at(out!).offered).toBe(3);
    expect(world.at(back!).offered).toBe(4);
    expect(world.heard).toEqual([]);
  });

  test('stays where nobody probes it', () => {
    const world = new World(late);
    expect(world.timeline.entries).toHaveLength(1);
    expect(world.at(100).offered).toBe(4);
  });

  test('is killed by a liveness probe: its process stops, its address stays', () => {
    const world = new World(late, { service: { probes: { ...probes, liveness: probes.readiness } } });
    world.at(40);
    expect(world.heard.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['stop n1-p0']);
    world.at(200);
    expect([world.offered, world.cluster.podByName.get('n1-p0')!.crashed]).toEqual([4, false]);
  });

  test('because it is throttled says how much of its limit it used', () => {
    const throttle: TimelineEvent = {
      ...{ at: 5, kind: 'throttle', pod: 'n1-p0', forS: 60, limit: 0.1, threads: 64 },
      ...{ burstS: 0.0001, sleepS: 0.01, workS: 0.03, slices: 'expire' },
    };
    const expiring = new World([throttle], { service: { probes } }).timeline.entries;
    expect(expiring[0]!.detail).toMatch(/^n1-p0 with 64 threads uses \d+ % of its limit of 0.1 CPU/);
    expect(expiring.map(({ detail }) => detail)).toContain(
      'n1-p0 fails its readiness probe and leaves the endpoints',
    );
    const roomy = new World([{ ...throttle, limit: 4, slices: 'kept' }], { service: { probes } });
    expect(roomy.timeline.entries).toHaveLength(1);
  });
});

test('a rolling redeploy takes nodes out in turn and brings each back as new', () => {
  const world = new World([{ at: 10, kind: 'rollingRedeploy', nodes: [0, 1], everyS: 60, downForS: 20 }]);
  expect(world.timeline.entries.map(({ at, detail }) => `${at} ${detail}`)).toEqual([
    '10 n1 is taken down for its redeploy',
    '30 n1 is back from its redeploy',
    '70 n2 is taken down for its redeploy',
    '90 n2 is back from its redeploy',
  ]);
  world.at(10);
  expect([world.hops, world.cluster.nodeUp[0], world.offered]).toEqual(['n2 n3 n4', false, 3]);
  world.at(30);
  expect([world.hops, world.cluster.nodeUp[0], world.cluster.nodeBoot[0]]).toEqual(['n1 n2 n3 n4', true, 1]);
});

test('events at one moment act in the order of the timeline, and one sync follows them', () => {
  const world = new World(
    [
      { at: 5, kind: 'endpointGone', pod: 'n1-p0' },
      { at: 5, kind: 'endpointGone', pod: 'n2-p0' },
      { at: 5, kind: 'endpointReady', pod: 'n1-p0' },
    ],
    { dataplane: { sync: { delayS: 0, minPeriodS: 1, durationS: 0 } } },
  );
  world.at(5);
  expect(world.offered).toBe(3);
  expect(world.cluster.rules[0]!.departuresOf(0)).toBe(0);
});

test('a node that was never told to announce does not begin to when it boots; one that was, does', () => {
  const world = new World(
    [
      { at: 1, kind: 'announce', node: 0 },
      { at: 2, kind: 'nodeDown', node: 0 },
      { at: 2, kind: 'nodeDown', node: 1 },
      { at: 3, kind: 'nodeUp', node: 0 },
      { at: 3, kind: 'nodeUp', node: 1 },
    ],
    { node: { announces: false } },
  );
  expect(world.at(1).hops).toBe('n1');
  expect(world.at(3).hops).toBe('n1');
});
