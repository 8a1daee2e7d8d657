import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../../../src/addr/address.js';
import { hostPrefix } from '../../../../src/addr/prefix.js';
import type { ClusterModel, RouteNextHop, TimelineEvent } from '../../../../src/cluster/model.js';
import { EVENTS_KEPT, EventBook } from '../../../../src/live/event-book.js';
import { BROKEN_KEPT, LiveTraffic } from '../../../../src/live/traffic/live-traffic.js';
import type { LiveFlow } from '../../../../src/live/web/api-records.js';
import { planOf } from '../../../../src/outcome/flow-plan.js';
import { createNextHopGroup } from '../../../../src/route/create-group.js';
import { Records } from '../../../../src/verdict/records.js';
import { replay } from '../../../../src/verdict/replay.js';
import type { Fate, FlowVerdict } from '../../../../src/verdict/verdict.js';
import { type ECMP, MadeRouter } from '../../../support/made-router.js';
import { Dice, randomIndex } from '../../../support/random-world.js';
import { nodeAddress, smallCluster, VIP } from '../../../support/small-cluster.js';

const ROUTE = `${formatAddress(VIP)}/32`;
const START_MS = 5_000_000;
const hop = (node: number): string => formatAddress(nodeAddress(node + 1));

function all(traffic: LiveTraffic, fate: Fate | null): readonly LiveFlow[] {
  return traffic.flows({ fate, event: null, offset: 0, limit: Number.POSITIVE_INFINITY }).rows;
}

interface Change {
  readonly atS: number;
  readonly nodes: readonly number[];
}

interface Setting {
  readonly model?: ClusterModel;
  readonly made?: boolean;
  readonly speed?: number;
  readonly loop?: boolean;
  readonly flows?: number;
  readonly seed?: number;
  readonly ecmp?: Partial<typeof ECMP>;
}

/** Live traffic with a clock of its own; `runTo` moves it on in uneven ticks. */
function made(setting: Setting = {}) {
  const index = randomIndex(new Dice(setting.seed ?? 7), setting.flows ?? 300);
  const model = setting.model ?? smallCluster({ service: { vips: [VIP] } });
  const router = new MadeRouter({ ...model.router.ecmp, ...setting.ecmp });
  const book = new EventBook();
  const speed = setting.speed ?? 1;
  const traffic = new LiveTraffic(
    { index, model, made: setting.made ?? false, speed, loop: setting.loop ?? false },
    router,
    book,
  );
  let nowMs = START_MS;
  const runTo = (atS: number): void => {
    const untilMs = START_MS + (atS / speed) * 1000;
    while (nowMs < untilMs) {
      nowMs = Math.min(untilMs, nowMs + 37);
      traffic.advance(nowMs);
    }
  };
  const change = (hops: readonly string[], route = ROUTE): void => {
    traffic.happened(router.route(route, hops, nowMs), nowMs);
  };
  return { index, model, router, book, traffic, runTo, change, roundS: Math.max(1, index.summary.duration) };
}

/** The same changes as lines of a timeline. */
function timelineOf(changes: readonly Change[]): TimelineEvent[] {
  return changes.map(({ atS, nodes }) => ({
    at: atS,
    kind: 'route',
    prefix: hostPrefix(VIP),
    nextHops: nodes.map((node): RouteNextHop => ({ node, weight: 1 })),
  }));
}

/**
 * What both say of a flow that broke. A live verdict is made when the flow breaks, so that what its path was later is
 * not in it; a live event has the number of the timeline's plus one, for the traffic's begin.
 */
function digest(flow: FlowVerdict | LiveFlow, eventShift: number) {
  const { id, fate, cause, brokenAt, unanswered, src, srcPort, chain } = flow;
  const event = cause?.event == null ? null : Number(cause.event.slice(1)) - eventShift;
  const path = flow.path.filter(({ at }) => at <= brokenAt!).map(({ at, node }) => ({ at, node }));
  const last = chain.at(-1);
  return {
    id,
    fate,
    reason: cause?.reason,
    hop: cause?.hop,
    event,
    brokenAt,
    unanswered,
    src,
    srcPort,
    path,
    last,
  };
}

describe('live traffic', () => {
  test.each([
    { seed: 1, policy: 'Cluster', select: 'hash-threshold', speed: 1 },
    { seed: 2, policy: 'Local', select: 'hash-threshold', speed: 10 },
    { seed: 3, policy: 'Cluster', select: 'resilient', speed: 1 },
    { seed: 4, policy: 'Local', select: 'resilient', speed: 3 },
    { seed: 5, policy: 'Cluster', select: 'modulo', speed: 1 },
  ] as const)(
    'breaks the flows that a replay of the same changes breaks, each for the same cause ($select, $policy)',
    ({ seed, policy, select, speed }) => {
      const dice = new Dice(seed);
      const changes: Change[] = Array.from({ length: 5 }, (_, i) => ({
        atS: 1.2345 + i * 1.51,
        nodes: [0, 1, 2, 3].filter(() => dice.chance(0.7)),
      }));
      const ecmp = { select, idleTimerS: 0.4 };
      const base = smallCluster({
        service: { vips: [VIP], externalTrafficPolicy: policy },
        ecmp,
        router: {
          routes: [{ prefix: hostPrefix(VIP), nextHops: [0, 1, 2].map((node) => ({ node, weight: 1 })) }],
          ecmp: { ...smallCluster().router.ecmp, ...ecmp },
        },
      });
      const { index, traffic, runTo, change, router } = made({ seed: seed + 50, model: base, speed });
      router.route(ROUTE, [0, 1, 2].map(hop), START_MS);
      traffic.begin(START_MS);
      for (const { atS, nodes } of changes) {
        runTo(atS);
        change(nodes.map(hop));
      }
      runTo(100);
      const expected = replay(index, { ...base, timeline: timelineOf(changes) });
      const broken = Array.from({ length: expected.flowCount }, (_, row) => expected.flowVerdict(row)).filter(
        ({ fate }) => fate !== 'delivered' && fate !== 'unknown',
      );
      const live = all(traffic, null).filter(({ fate }) => fate !== 'unknown');
      const order = (a: { id: number }, b: { id: number }) => a.id - b.id;
      expect(broken.length).toBeGreaterThan(20);
      expect(live.map((flow) => digest(flow, 1)).sort(order)).toEqual(broken.map((flow) => digest(flow, 0)));
      const { byFate, byCause, state } = traffic.record();
      expect(state).toBe('ended');
      expect(byFate.delivered).toBe(expected.summary.byFate.delivered);
      expect(byCause).toEqual(expected.summary.byCause);
    },
  );

  test('tells at once which flows a withdrawn next hop moved, and breaks none but these', () => {
    const { index, model, book, traffic, runTo, change } = made({ flows: 600 });
    change([0, 1, 2, 3].map(hop));
    runTo(4);
    const before = new Map(all(traffic, 'delivered').map((flow) => [flow.id, flow]));
    change([0, 2, 3].map(hop));
    const event = book.get(1)!;
    // an oracle of its own: the group asked twice
    const plan = planOf(index, { services: model.services, nodes: [] });
    const hashes = plan.hashes(model.router.ecmp, 'ports');
    const group = createNextHopGroup(
      { ...model.router.ecmp, hashBits: 31 },
      [0, 1, 2, 3].map((id) => ({ id, weight: 1 })),
      0,
    );
    const old = Array.from(hashes, (hash) => group.peek(hash));
    group.replace(
      [0, 2, 3].map((id) => ({ id, weight: 1 })),
      0,
    );
    const moved = new Set<number>();
    const records = new Records(plan, index.flows.count);
    for (let f = 0; f < plan.count; f++) if (group.peek(hashes[f]!) !== old[f]) moved.add(records.of(f));
    expect(event.flowsMoved).toBeGreaterThan(10);
    expect(event.flowsMoved).toBeLessThanOrEqual([...before.keys()].filter((id) => moved.has(id)).length);
    runTo(8);
    const killed = all(traffic, null).filter(({ cause }) => cause?.event === event.id);
    expect(killed.length).toBeGreaterThan(5);
    for (const { id } of killed) expect(moved.has(id)).toBe(true);
    expect(book.get(1)!.flowsBroken + book.get(1)!.flowsStalled).toBe(killed.length);
    expect(killed[0]!.chain.join(' ')).toContain(`${event.detail} (e2)`);
  });

  test('shows a flow that gets no answer as open, and lets it heal', () => {
    const model = smallCluster({ service: { vips: [VIP], externalTrafficPolicy: 'Local' }, pods: [1, 0] });
    const { book, traffic, runTo, change } = made({ model, flows: 400 });
    change([hop(0)]);
    runTo(3);
    change([hop(1)]);
    runTo(4.5);
    const open = all(traffic, 'timeout').filter((flow) => flow.open === true);
    expect(open.length).toBeGreaterThan(5);
    const because = new Set(open.map(({ cause }) => `${cause?.reason} ${cause?.event}`));
    // those that are first seen after the change have nobody to blame; a FIN cannot begin an entry at the new node
    expect(because).toEqual(
      new Set(['no-local-endpoint e2', 'no-local-endpoint null', 'ecmp-rehash e2', 'invalid-dropped null']),
    );
    const { flowsStalled } = traffic.record();
    expect(flowsStalled).toBeGreaterThanOrEqual(open.length);
    expect(book.get(1)!.flowsStalled).toBeGreaterThan(5);
    change([hop(0)]);
    runTo(7);
    expect(traffic.record().flowsStalled).toBeLessThan(flowsStalled);
  });

  test('waits for the first route to one of its VIPs', () => {
    const { router, traffic, runTo, change } = made();
    traffic.happened(router.route('198.51.100.0/24', ['10.0.0.1'], START_MS), START_MS);
    runTo(2);
    expect(traffic.record()).toMatchObject({ state: 'waiting', flowsStarted: 0, round: 0 });
    expect(traffic.vipLoads()).toEqual([]);
    change([hop(0)]);
    expect(traffic.record()).toMatchObject({ state: 'running', round: 1 });
  });

  test('follows the longest prefix, and goes back to the shorter one', () => {
    const { traffic, runTo, change } = made({ loop: true });
    change([hop(0)], '203.0.113.0/24');
    runTo(1);
    change([hop(1)]);
    runTo(2);
    const on = (node: number) => traffic.vipLoads()[0]!.onNode(nodeAddress(node + 1));
    expect([on(0), on(1) > 0]).toEqual([0, true]);
    change([hop(2)], '203.0.113.0/24');
    expect(on(2)).toBe(0);
    change([]);
    runTo(3);
    expect([on(0), on(1), on(2) > 0]).toEqual([0, 0, true]);
    change([], '203.0.113.0/24');
    runTo(4);
    expect(traffic.record().byCause['no-route'] ?? 0).toBeGreaterThan(0);
  });

  test('takes next hops that no scenario names for nodes, with endpoints where the model was made', () => {
    const model = smallCluster({ service: { vips: [VIP] } });
    const { traffic, runTo, change } = made({ model, made: true });
    change(['192.0.2.1', '192.0.2.2']);
    runTo(3);
    change(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    runTo(9);
    const reached = new Set(all(traffic, null).flatMap(({ path }) => path.map(({ node }) => node)));
    expect([...reached].sort()).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    const endpoints = new Set(
      all(traffic, 'delivered').flatMap(({ path }) => path.map(({ endpoint }) => endpoint)),
    );
    expect(endpoints).toContain('web@192.0.2.3');
    expect(traffic.record().byCause['ecmp-rehash']).toBeGreaterThan(0);
  });

  test('hashes afresh when the router is given another seed', () => {
    const { router, book, traffic, runTo, change } = made();
    change([hop(0), hop(1), hop(2)]);
    runTo(4);
    traffic.reconfigured(START_MS + 4000);
    expect(book.count).toBe(1);
    router.ecmp = { ...router.ecmp, seed: 99 };
    traffic.reconfigured(START_MS + 4000);
    expect(book.get(1)).toMatchObject({ kind: 'ecmp', detail: expect.stringContaining('seed 99') });
    expect(book.get(1)!.flowsMoved).toBeGreaterThan(book.get(1)!.flowsActive / 3);
    runTo(8);
    expect(book.get(1)!.flowsBroken).toBeGreaterThan(5);
  });

  test('sends every round from other ports, no two flows of a client from the same', () => {
    const { traffic, runTo, change, roundS, index } = made({ loop: true, flows: 200 });
    change([hop(0), hop(1)]);
    const portsOf = (): string[] =>
      all(traffic, 'delivered').map((f) => `${f.src} ${f.dstPort} ${f.srcPort} ${f.connection}`);
    runTo(roundS * 0.99);
    const first = portsOf();
    runTo(roundS * 1.99);
    const second = portsOf();
    expect(traffic.record().round).toBe(2);
    expect(new Set(first).size).toBe(first.length);
    expect(new Set(second).size).toBe(second.length);
    const high = second.filter((text) => Number(text.split(' ')[2]) >= 1024);
    expect(high.length).toBeGreaterThan(20);
    for (const text of high) expect(first).not.toContain(text);
    for (const flow of all(traffic, 'delivered')) expect(flow.id).toBeGreaterThanOrEqual(index.flows.count);
  });

  test('leaves out what it missed while the machine slept', () => {
    const { traffic, runTo, change } = made({ loop: true });
    change([hop(0)]);
    runTo(1);
    traffic.advance(START_MS + 3_600_000);
    const { at, skipped } = traffic.record();
    expect(at).toBeLessThan(200);
    expect(skipped).toBeGreaterThan(3000);
    traffic.advance(START_MS + 3_600_500);
    expect(traffic.record().at - at).toBeCloseTo(0.5, 6);
  });

  test('needs no more memory after many rounds and changes than after few', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { book, traffic, runTo, change, roundS } = made({ loop: true, flows: 60, made: true, speed: 50 });
    let hops = 0;
    const round = (n: number): void => {
      for (let i = 1; i <= 4; i++) {
        runTo(roundS * (n + i / 5));
        change(['192.0.2.1', `198.18.${(hops >> 8) & 255}.${hops++ & 255}`]);
        traffic.sample(START_MS);
      }
    };
    let n = 0;
    // rings fill, and the first worlds are forgotten
    for (; n < 150; n++) round(n);
    collect();
    const before = process.memoryUsage().heapUsed;
    for (; n < 400; n++) round(n);
    collect();
    const grown = process.memoryUsage().heapUsed - before;
    expect(traffic.record().round).toBe(400);
    expect(book.count).toBeGreaterThan(EVENTS_KEPT * 2);
    expect(book.newest(10_000)).toHaveLength(EVENTS_KEPT);
    expect(all(traffic, 'reset').length).toBeLessThanOrEqual(BROKEN_KEPT);
    expect(grown).toBeLessThan(8e6);
  });
});
