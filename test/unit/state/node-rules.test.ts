import { expect, test } from 'vitest';
import { ClusterState } from '../../../src/state/cluster-state.js';
import { DROP_NO_LOCAL_ENDPOINT, REJECT_NO_ENDPOINT } from '../../../src/state/node-rules.js';
import { smallCluster } from '../../support/small-cluster.js';

const flow = (key: number, ordinal: number) => ({ key, ordinal, source: 0, sourcePort: 0 });

test('a new connection gets each endpoint equally often under Cluster', () => {
  const cluster = new ClusterState(smallCluster());
  const counts = [0, 0, 0, 0];
  const draws = 40_000;
  for (let key = 0; key < draws; key++)
    counts[cluster.rules[0]!.choose(0, 0, 'Cluster', null, flow(key, 0), 0)]!++;
  const chiSquare = counts.reduce((sum, n) => sum + (n - draws / 4) ** 2 / (draws / 4), 0);
  // 16.27 is the 99.9 % quantile for three degrees of freedom
  expect(chiSquare).toBeLessThan(16.27);
});

test('a choice depends on seed, node, flow and how often the flow has drawn, and on nothing else', () => {
  const cluster = new ClusterState(smallCluster());
  const [a, b] = [cluster.rules[0]!, cluster.rules[1]!];
  const series = (rules: typeof a): number[] =>
    Array.from({ length: 64 }, (_, i) => rules.choose(0, 0, 'Cluster', null, flow(77, i), 0));
  const before = series(a);
  b.choose(0, 0, 'Cluster', null, flow(5, 0), 0);
  expect(series(a)).toEqual(before);
  expect(series(b)).not.toEqual(before);
});

test('under Local only endpoints of the node are chosen; none there is a drop, none anywhere a reject', () => {
  const cluster = new ClusterState(
    smallCluster({ pods: [2, 1, 0, 1], service: { externalTrafficPolicy: 'Local' } }),
  );
  for (let key = 0; key < 50; key++)
    expect(cluster.pods[cluster.rules[0]!.choose(0, 0, 'Local', null, flow(key, 0), 0)]!.node).toBe(0);
  expect(cluster.rules[2]!.choose(0, 0, 'Local', null, flow(1, 0), 0)).toBe(DROP_NO_LOCAL_ENDPOINT);
  for (const pod of cluster.pods) cluster.stopPod(pod);
  cluster.program(2);
  expect(cluster.rules[2]!.choose(0, 0, 'Local', null, flow(1, 0), 0)).toBe(REJECT_NO_ENDPOINT);
});

test('terminating endpoints that still serve are used only while none is ready, per list', () => {
  const cluster = new ClusterState(
    smallCluster({ pods: [2, 1], service: { externalTrafficPolicy: 'Local' } }),
  );
  const [p0, p1] = [cluster.podByName.get('n1-p0')!, cluster.podByName.get('n1-p1')!];
  cluster.terminate(p0);
  cluster.program(0);
  for (let key = 0; key < 20; key++)
    expect(cluster.rules[0]!.choose(0, 0, 'Local', null, flow(key, 0), 0)).toBe(p1.row);
  cluster.terminate(p1);
  cluster.program(0);
  expect(cluster.choices(0, 0, 'Local', 0)).toBe(2);
  cluster.unlist(p1);
  cluster.program(0);
  expect(cluster.choices(0, 0, 'Local', 0)).toBe(1);
});

test('programming the same endpoints again changes nothing', () => {
  const cluster = new ClusterState(smallCluster());
  expect(cluster.program(0)).toBe(false);
  cluster.unlist(cluster.pods[0]!);
  expect(cluster.program(0)).toBe(true);
  expect(cluster.rules[0]!.departuresOf(0)).toBe(1);
  expect(cluster.program(0)).toBe(false);
});
