import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EdgeModel, EdgePool } from '../../../src/cluster/edge-model.js';
import type { ClusterModel, TimelineEvent } from '../../../src/cluster/model.js';
import type { CaptureIndex } from '../../../src/flow/flow-columns.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { MADE_VIP, MADE_VIP6, makeTraffic, type TrafficPlan } from '../../../src/stories/made-traffic.js';
import { replay } from '../../../src/verdict/replay.js';
import type { FlowVerdict, ReplayResult } from '../../../src/verdict/verdict.js';
import { smallCluster } from '../../support/small-cluster.js';
import { nodeMember, smallEdge } from '../../support/small-edge.js';

const PER_S = 50;
const PLAN: TrafficPlan = {
  seed: 5,
  durationS: 40,
  perSecond: PER_S,
  lives: [
    { share: 0.8, fromS: 0.1, toS: 1 },
    { share: 0.2, fromS: 0, toS: Number.POSITIVE_INFINITY },
  ],
  pauseS: [0.5, 1],
  clients: 200,
  ipv6Share: 0,
  udpShare: 0,
};

let folder = '';
let index: CaptureIndex;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flowfate-edge-'));
  writeFileSync(join(folder, 'made.pcap'), makeTraffic(PLAN));
  index = readCapture(join(folder, 'made.pcap'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Five nodes, a pod on all but the last; the last joins the pool of the others at 10 s unless told otherwise. */
function behind(edge: EdgeModel, timeline: readonly TimelineEvent[] = JOIN): ClusterModel {
  return smallCluster({
    edge: {
      ...edge,
      virtualServers: edge.virtualServers.map((v) => ({ ...v, vips: [MADE_VIP, MADE_VIP6] })),
    },
    pods: [1, 1, 1, 1, 0],
    service: {
      vips: [MADE_VIP, MADE_VIP6],
      ports: [{ name: null, proto: 6, port: 443, targetPort: 8443 }],
      externalTrafficPolicy: 'Local',
    },
    timeline,
  });
}
const JOINS_S = 10;
const JOIN: readonly TimelineEvent[] = [
  { at: JOINS_S, kind: 'poolMember', pool: 0, action: 'add', member: nodeMember(4) },
];
const four = (pool: Partial<EdgePool> = {}): EdgeModel => smallEdge([0, 1, 2, 3], pool);

const lost = ({ summary }: ReplayResult): number => summary.byCause['member-unknown'] ?? 0;

function verdicts(result: ReplayResult): FlowVerdict[] {
  return Array.from({ length: result.flowCount }, (_, row) => result.flowVerdict(row));
}

/** Simpson's rule. */
function integral(f: (t: number) => number, toS: number): number {
  const steps = 2000;
  const h = toS / steps;
  let sum = f(0) + f(toS);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * f(i * h);
  return (sum * h) / 3;
}

describe('a node without a pod joins the pool', () => {
  test.each([
    [16, 0],
    [8, 0],
    [16, 10],
    [16, 30],
    [4, 2],
  ])(
    'loses r·∫ w/(n+w) dt connections until it is down after %d s, the ramp being %d s',
    (timeoutS, slowRampS) => {
      const monitor = { intervalS: Math.min(5, timeoutS), timeoutS, check: 'member' as const };
      const result = replay(index, behind(four({ monitor, slowRampS })));
      const weight = (t: number): number => (slowRampS === 0 ? 1 : Math.min(t / slowRampS, 1));
      const expected = PER_S * integral((t) => weight(t) / (4 + weight(t)), timeoutS);
      expect(Math.abs(lost(result) - expected)).toBeLessThanOrEqual(3);
      expect(result.summary.byFate.timeout).toBe(lost(result));
      expect(Object.keys(result.summary.byCause)).toEqual(['member-unknown']);
    },
  );

  test('names the load balancer, the event and what the client was left with', () => {
    const broken = verdicts(replay(index, behind(four()))).filter(({ fate }) => fate !== 'delivered');
    expect(broken.length).toBeGreaterThan(100);
    for (const { fate, unanswered, cause, brokenAt, chain, path } of broken) {
      expect([fate, unanswered, cause]).toEqual([
        'timeout',
        'SYN',
        { event: 'e1', hop: 'edge bigip', reason: 'member-unknown' },
      ]);
      expect(brokenAt).toBeGreaterThanOrEqual(JOINS_S);
      expect(brokenAt).toBeLessThanOrEqual(JOINS_S + 16);
      expect(path.map(({ node }) => node)).toEqual(['n5']);
      expect(chain.join(' ')).toContain('the load balancer sent the packet to n5');
    }
  });

  test('loses nothing under policy Cluster, added disabled, or where it never joins', () => {
    const model = behind(four({ slowRampS: 0 }));
    const [web] = model.services;
    const cluster = { ...model, services: [{ ...web!, externalTrafficPolicy: 'Cluster' as const }] };
    for (const one of [cluster, behind(four({ newMembers: 'disabled' })), behind(four(), [])]) {
      const { byFate, flows } = replay(index, one).summary;
      expect(byFate.delivered).toBe(flows);
    }
  });

  test('serves its share from then on where it is healthy, up at its first check', () => {
    const model = behind(smallEdge([0, 1, 2], { slowRampS: 0 }), [
      { at: JOINS_S, kind: 'poolMember', pool: 0, action: 'add', member: nodeMember(3) },
    ]);
    const { summary } = replay(index, model);
    expect(summary.byFate.delivered).toBe(summary.flows);
    const flows = summary.balance.nodes.map((node) => node.flows);
    expect(flows[4]).toBe(0);
    expect(Math.abs(flows[3]! - (PER_S * 30) / 4)).toBeLessThanOrEqual(3);
  });
});

describe('a member that stops answering', () => {
  const dies: readonly TimelineEvent[] = [{ at: 10, kind: 'nodeDown', node: 1 }];
  const brokenWith = (serviceDown: EdgePool['serviceDown']): FlowVerdict[] =>
    verdicts(replay(index, behind(four({ serviceDown }), dies))).filter(({ fate }) => fate !== 'delivered');
  const counted = (of: readonly FlowVerdict[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { fate, cause } of of) {
      const key = `${fate} ${cause!.reason}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  };

  test('gets connections until 16 s after its last good check, and with action none they hang', () => {
    const broken = brokenWith('none');
    expect(Object.keys(counted(broken))).toEqual(['timeout node-down']);
    const syns = broken.filter(({ unanswered }) => unanswered === 'SYN').map(({ brokenAt }) => brokenAt!);
    // checks of the four members are 1.25 s apart, so that the last good one of n2 was at 6.25 s
    expect(Math.max(...syns)).toBeLessThanOrEqual(6.25 + 16);
    expect(Math.max(...syns)).toBeGreaterThan(6.25 + 16 - 0.5);
  });

  test('has its connections reset at once with action reset, all at the moment it is given up', () => {
    const reset = brokenWith('reset').filter(({ fate }) => fate === 'reset');
    expect(reset.length).toBeGreaterThan(3);
    for (const { brokenAt, cause } of reset) {
      expect(brokenAt).toBe(22.25);
      expect(cause).toEqual({ event: 'e1', hop: 'edge bigip', reason: 'member-down' });
    }
  });

  test('gives them to another member with action reselect, whose pod resets what it does not know', () => {
    const moved = brokenWith('reselect').filter(({ cause }) => cause!.reason === 'member-down');
    expect(moved.length).toBeGreaterThan(3);
    for (const { fate, path } of moved) expect([fate, path.length]).toEqual(['reset', 2]);
  });

  test('has them end in silence with action drop', () => {
    expect(brokenWith('drop').every(({ fate }) => fate === 'timeout')).toBe(true);
  });
});

describe('the source', () => {
  const seen = (edge: Partial<EdgeModel>, policy: 'Local' | 'Cluster'): FlowVerdict['source'] => {
    const model = behind({ ...four(), ...edge }, []);
    const services = model.services.map((service) => ({ ...service, externalTrafficPolicy: policy }));
    return replay(index, { ...model, services }).flowVerdict(0).source;
  };

  test('is the load balancer’s with automap, and a step of its own', () => {
    const source = seen({}, 'Local')!;
    expect(source).toMatchObject({ atEndpoint: '10.0.0.250', preserved: false });
    expect(source.steps).toEqual([
      {
        hop: 'edge bigip',
        mechanism: 'snat-automap',
        from: expect.stringMatching(/^198\.51\.100\.\d+:32768$/),
        to: '10.0.0.250:32768',
      },
    ]);
  });

  test('is masqueraded once more under policy Cluster, and preserved with neither', () => {
    const twice = seen({}, 'Cluster')!;
    expect(twice.steps.map(({ mechanism }) => mechanism)).toEqual(['snat-automap', 'masquerade']);
    expect(twice.steps[1]!.from).toBe('10.0.0.250:32768');
    const kept = seen({ snat: 'none' }, 'Local')!;
    expect([kept.preserved, kept.steps, kept.atEndpoint === kept.atClient]).toEqual([true, [], true]);
  });
});

test('pods as members over an overlay do not care which node joins, and no node masquerades', () => {
  const members = [0, 1, 2, 3].map((node) => ({ ...nodeMember(node), pod: `n${node + 1}-p0` }));
  const edge = smallEdge([], { target: 'pod', members });
  const model = behind(edge, [{ at: 5, kind: 'nodeDown', node: 4 }]);
  const services = model.services.map((one) => ({ ...one, externalTrafficPolicy: 'Cluster' as const }));
  const result = replay(index, { ...model, services });
  expect(result.summary.byFate.delivered).toBe(result.summary.flows);
  const { source } = result.flowVerdict(0);
  expect(source!.steps.map(({ mechanism }) => mechanism)).toEqual(['snat-automap']);
});
