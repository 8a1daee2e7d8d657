import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadScenario } from '../../../src/cluster/scenario/load-scenario.js';
import { printScenario } from '../../../src/cluster/scenario/print-scenario.js';
import { ClusterState } from '../../../src/state/cluster-state.js';
import { RouterState } from '../../../src/state/router-state.js';
import { Timeline } from '../../../src/timeline/timeline.js';

const RACKS = ['r1', 'r1', 'r2', 'r2'];
const POD = (i: number): string => `web-6d4cf56db6-abcd${i}`;

interface Settings {
  readonly spec?: object;
  readonly kind?: string;
  readonly on?: readonly number[];
  readonly more?: readonly object[];
  readonly events?: readonly string[];
}

/** A Deployment `web` with a pod on each node of `on`, behind one Service. */
function load({ spec = {}, kind = 'Deployment', on = [1, 2], more = [], events = [] }: Settings) {
  const meta = (name: string, rest: object = {}) => ({ name, namespace: 'default', ...rest });
  const items = [
    ...RACKS.map((rack, i) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: `n${i + 1}`,
        labels: { 'kubernetes.io/hostname': `n${i + 1}`, 'example.com/rack': rack },
      },
      spec: {
        podCIDR: `10.244.${i + 1}.0/24`,
        ...(i === 3 ? { taints: [{ key: 'only', effect: 'NoSchedule' }] } : {}),
      },
      status: { addresses: [{ type: 'InternalIP', address: `10.0.0.${i + 1}` }] },
    })),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta('web'),
      spec: { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }], selector: { app: 'web' } },
      status: { loadBalancer: { ingress: [{ ip: '203.0.113.10' }] } },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      addressType: 'IPv4',
      metadata: meta('web-x', { labels: { 'kubernetes.io/service-name': 'web' } }),
      endpoints: on.map((node, i) => ({
        addresses: [`10.244.${node}.20`],
        nodeName: `n${node}`,
        conditions: { ready: true },
        targetRef: { kind: 'Pod', name: kind === 'Deployment' ? POD(i) : `web-abcd${i}` },
      })),
      ports: [{ name: '', port: 8080 }],
    },
    {
      apiVersion: 'apps/v1',
      kind,
      metadata: meta('web'),
      spec: {
        replicas: on.length,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web' }], ...spec } },
      },
    },
    ...more,
  ];
  return loadScenario([{ name: 'dump.yaml', text: stringify({ apiVersion: 'v1', kind: 'List', items }) }], {
    events,
  });
}

/** Where pods run at `atS`: names of nodes, sorted; those that are on their way out too. */
function runningAt(settings: Settings, ...times: number[]): string[][] {
  const { model } = load(settings);
  const cluster = new ClusterState(model);
  const router = new RouterState(model, cluster);
  const nothing = (): void => {};
  const timeline = new Timeline(model, cluster, router, {
    eventStarts: nothing,
    routesChanged: nothing,
    placesChanged: nothing,
    nodeChanged: nothing,
    linkChanged: nothing,
    podStopped: nothing,
    rulesChanged: nothing,
  } as never);
  return times.map((atS) => {
    timeline.advance(atS);
    return cluster.pods
      .filter((pod) => pod.running)
      .map((pod) => model.nodes[pod.node]!.name)
      .sort();
  });
}

const budget = (spec: object): object => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'web', namespace: 'default' },
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
});
const SELECT = { labelSelector: { matchLabels: { app: 'web' } } };

describe('owners', () => {
  test('a drained pod is made anew on a node that its rules allow, and serves until its grace is over', () => {
    const settings = { events: ['10s drain n1'] };
    expect(runningAt(settings, 9, 11, 13, 41)).toEqual([
      ['n1', 'n2'],
      ['n1', 'n2'],
      ['n1', 'n2', 'n3'],
      ['n2', 'n3'],
    ]);
  });

  test('without an owner among the objects nothing is made anew', () => {
    expect(runningAt({ kind: 'Job', events: ['10s drain n1'] }, 41)).toEqual([['n2']]);
  });

  test('a drain leaves the pods of a DaemonSet alone, and a redeploy brings them back', () => {
    expect(runningAt({ kind: 'DaemonSet', events: ['10s drain n1'] }, 60)).toEqual([['n1', 'n2']]);
    expect(
      runningAt({ kind: 'DaemonSet', events: ['10s rollingRedeploy nodes=n1 downFor=20s'] }, 11, 31),
    ).toEqual([['n2'], ['n1', 'n2']]);
  });

  test('a redeployed node does not get its pods back: they stand elsewhere by then', () => {
    expect(runningAt({ events: ['10s rollingRedeploy nodes=n1 downFor=20s'] }, 11, 31)).toEqual([
      ['n2'],
      ['n2', 'n3'],
    ]);
  });

  test('a budget holds the second eviction back until the first pod’s successor is ready', () => {
    const settings = {
      on: [1, 1],
      more: [budget({ minAvailable: 1 })],
      events: ['10s drain n1'],
    };
    const model = load(settings).model;
    expect(model.owners).toMatchObject([{ name: 'web', minAvailable: 1 }]);
    // the successor is ready at 12 s, the second eviction succeeds at 15 s
    expect(runningAt(settings, 14, 16, 18, 42, 46)).toEqual([
      ['n1', 'n1', 'n2'],
      ['n1', 'n1', 'n2'],
      ['n1', 'n1', 'n2', 'n3'],
      ['n1', 'n2', 'n3'],
      ['n2', 'n3'],
    ]);
  });

  test.each([
    [{ maxUnavailable: '50%' }, 1],
    [{ maxUnavailable: 0 }, 2],
    [{ minAvailable: '51%' }, 2],
  ])('the budget %j leaves that many ready', (spec, expected) => {
    expect(load({ more: [budget(spec)] }).model.owners![0]!.minAvailable).toBe(expected);
  });

  test('taints, node selectors and required affinity say where pods may stand', () => {
    const nodesOf = (spec: object): number[] => [...load({ spec }).model.owners![0]!.nodes];
    expect(nodesOf({})).toEqual([0, 1, 2]);
    expect(nodesOf({ tolerations: [{ operator: 'Exists' }] })).toEqual([0, 1, 2, 3]);
    expect(nodesOf({ nodeSelector: { 'example.com/rack': 'r2' } })).toEqual([2]);
    const required = {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['n2'] }] },
      ],
    };
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: required };
    expect(nodesOf({ affinity: { nodeAffinity } })).toEqual([1]);
  });

  test('a pod that must stand apart from its like by rack waits while the other rack is taken', () => {
    const term = { topologyKey: 'example.com/rack', ...SELECT };
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
    const settings = { on: [1, 3], spec: { affinity }, events: ['10s drain n3', '60s uncordon n3'] };
    // n2 shares its rack with n1, n4 is tainted: it waits for n3
    expect(runningAt(settings, 41, 63)).toEqual([['n1'], ['n1', 'n3']]);
  });

  test('topology spread counts against the emptiest domain, a cordoned one included', () => {
    const constraint = { maxSkew: 1, topologyKey: 'example.com/rack', whenUnsatisfiable: 'DoNotSchedule' };
    const spec = { topologySpreadConstraints: [{ ...constraint, ...SELECT }] };
    expect(runningAt({ on: [1, 3], spec, events: ['10s drain n1'] }, 41)).toEqual([['n2', 'n3']]);
    // r2 stands empty: a second pod in r1 would be two more than there
    expect(runningAt({ on: [1, 3], spec, events: ['10s drain n3'] }, 41)).toEqual([['n1']]);
    const preference = { ...constraint, whenUnsatisfiable: 'ScheduleAnyway', ...SELECT };
    expect(load({ spec: { topologySpreadConstraints: [preference] } }).model.owners![0]!.spread).toEqual([]);
  });

  test('pods of a silent node are made anew 300 s after it was noticed', () => {
    expect(runningAt({ events: ['10s nodeDown n1'] }, 340, 353)).toEqual([
      ['n1', 'n2'],
      ['n1', 'n2', 'n3'],
    ]);
  });

  test('owners survive being printed, an autoscaler is said, and the start that nobody states is assumed', () => {
    const autoscaler = {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'web', namespace: 'default' },
      spec: { scaleTargetRef: { kind: 'Deployment', name: 'web' }, minReplicas: 2, maxReplicas: 9 },
    };
    const { model } = load({ more: [autoscaler, budget({ minAvailable: 1 })], events: ['1s drain n1'] });
    const again = loadScenario([{ name: 'p.yaml', text: printScenario(model) }]).model;
    expect(again.owners).toEqual(model.owners);
    expect(model.unread!.join()).toContain(
      'HorizontalPodAutoscaler web: keeps Deployment web between 2 and 9',
    );
    expect(model.assumed!.map(({ what }) => what)).toContain('owners.start');
  });
});
