import { describe, expect, test } from 'vitest';
import type { EdgeModel, EdgePool } from '../../../src/cluster/edge-model.js';
import { ClusterState } from '../../../src/state/cluster-state.js';
import { Availability, type EdgeState, edgeStateOf } from '../../../src/state/edge-state.js';
import { smallCluster } from '../../support/small-cluster.js';
import { nodeMember, smallEdge } from '../../support/small-edge.js';

function stateOf(edge: EdgeModel, pods?: readonly number[]): { state: EdgeState; cluster: ClusterState } {
  const local = { externalTrafficPolicy: 'Local' as const };
  const model = smallCluster({ edge, service: local, ...(pods === undefined ? {} : { pods }) });
  const cluster = new ClusterState(model);
  return { state: edgeStateOf(model, cluster)!, cluster };
}

/** How often each node is chosen in `n` connections at `nowS`. */
function shares(state: EdgeState, n: number, nowS = 0): number[] {
  const chosen = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) chosen[state.members[state.choose(0, null, nowS)]!.node]!++;
  return chosen;
}

const pool = (change: Partial<EdgePool>, nodes = [0, 1, 2, 3]): EdgeModel => smallEdge(nodes, change);

describe('a pool', () => {
  test('is served in turn by round robin', () => {
    const { state } = stateOf(pool({}));
    const turn = Array.from({ length: 8 }, () => state.choose(0, null, 0));
    expect(turn).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
  });

  test('is served by ratio, spread and not in blocks', () => {
    const members = [nodeMember(0, { ratio: 3 }), nodeMember(1), nodeMember(2, { ratio: 2 })];
    const { state } = stateOf(pool({ balance: 'ratio', members }));
    const turn = Array.from({ length: 6 }, () => state.choose(0, null, 0));
    expect([0, 1, 2].map((row) => turn.filter((one) => one === row).length)).toEqual([3, 1, 2]);
    expect(turn.some((row, i) => row === turn[i + 1] && row === turn[i + 2])).toBe(false);
  });

  test('gives a connection to the member with least, equals in turn', () => {
    const { state } = stateOf(pool({ balance: 'least-connections' }));
    state.members[0]!.connections = 2;
    state.members[3]!.connections = 1;
    const chosen = Array.from({ length: 5 }, () => {
      const row = state.choose(0, null, 0);
      state.members[row]!.connections++;
      return row;
    });
    expect(chosen.slice(0, 2).sort()).toEqual([1, 2]);
    expect(chosen.slice(2).sort()).toEqual([1, 2, 3]);
  });

  test('sends to a member of which nothing is known as to one that is up, and not to one that is down', () => {
    const { state } = stateOf(pool({}, [0, 1, 2]));
    state.act(0, 'add', nodeMember(3), 7, 10);
    expect(state.members[3]).toMatchObject({ availability: Availability.unknown, event: 7 });
    expect(shares(state, 8, 10)).toEqual([2, 2, 2, 2]);
    state.setAvailability(state.members[3]!, Availability.down, 26);
    expect(shares(state, 6, 26)).toEqual([2, 2, 2, 0]);
  });

  test('knows members that do not answer at t = 0 as down', () => {
    const { state } = stateOf(pool({}), [1, 0, 1, 1]);
    expect(state.members.map(({ availability }) => availability)).toEqual([1, 2, 1, 1]);
    expect(shares(state, 6)).toEqual([2, 0, 2, 2]);
  });

  test('knows nothing of anybody without a monitor, and sends to all', () => {
    const { state } = stateOf(pool({ monitor: null }), [1, 0, 1, 1]);
    expect(shares(state, 8)).toEqual([2, 2, 2, 2]);
  });

  test('ramps a newcomer linearly: t/R of a share until R', () => {
    const { state } = stateOf(pool({ slowRampS: 10 }, [0, 1, 2]));
    state.act(0, 'add', nodeMember(3), 0, 100);
    expect([100, 102.5, 105, 110, 200].map((s) => state.weight(state.members[3]!, s))).toEqual([
      0, 0.25, 0.5, 1, 1,
    ]);
    expect(shares(state, 30, 100)).toEqual([10, 10, 10, 0]);
    expect(shares(state, 70, 105)[3]).toBe(10);
  });

  test('adds members disabled where it is told to, and enables them once they are up', () => {
    const { state } = stateOf(pool({ newMembers: 'disabled' }, [0, 1, 2]));
    state.act(0, 'add', nodeMember(3), 0, 1);
    expect(shares(state, 6, 1)[3]).toBe(0);
    state.setAvailability(state.members[3]!, Availability.up, 4);
    expect(shares(state, 8, 4)).toEqual([2, 2, 2, 2]);
  });

  test('has no member for a connection when all are disabled, down or gone', () => {
    const { state } = stateOf(pool({}, [0, 1, 2]));
    state.act(0, 'disable', nodeMember(0), 0, 1);
    state.act(0, 'offline', nodeMember(1), 0, 1);
    state.act(0, 'remove', nodeMember(2), 0, 1);
    expect([state.choose(0, null, 1), state.choices(0)]).toEqual([-1, 0]);
    state.act(0, 'enable', nodeMember(1), 0, 2);
    expect(state.choose(0, null, 2)).toBe(1);
  });
});

describe('persistence by source address', () => {
  const edge = smallEdge([0, 1, 2], {}, {}, { persistence: 'source-addr', persistenceS: 30 });

  test('keeps a client at its member, by a disabled one too, but not by one that is offline or down', () => {
    const { state } = stateOf(edge);
    const mine = state.choose(0, 'a', 0);
    const member = state.members[mine]!;
    const others = [0, 1, 2].filter((row) => row !== mine);
    expect(state.choose(0, 'b', 1)).toBe(others[0]);
    expect(state.choose(0, 'a', 20)).toBe(mine);
    state.act(0, 'disable', nodeMember(member.node), 0, 21);
    expect(state.choose(0, 'a', 22)).toBe(mine);
    expect(state.choose(0, 'c', 22)).not.toBe(mine);
    state.act(0, 'offline', nodeMember(member.node), 0, 23);
    expect(state.choose(0, 'a', 24)).not.toBe(mine);
  });

  test('forgets a client that stays away for longer than its timeout', () => {
    const { state } = stateOf(edge);
    const first = state.choose(0, 'a', 0);
    expect(state.choose(0, 'a', 30)).toBe(first);
    expect(state.choose(0, 'a', 60.5)).not.toBe(first);
  });
});

test('kube-proxy’s health check answers for a node only while it has a ready endpoint of its own', () => {
  const monitor = { intervalS: 5, timeoutS: 16, check: 'healthCheckNodePort' as const };
  const { state, cluster } = stateOf(pool({ monitor }));
  const pod = cluster.pods[0]!;
  pod.ready = false;
  pod.terminating = true;
  cluster.program(0);
  expect(state.answers(state.members[0]!)).toBe(false);
  const byPort = stateOf(pool({}));
  byPort.cluster.pods[0]!.ready = false;
  byPort.cluster.pods[0]!.terminating = true;
  byPort.cluster.program(0);
  expect(byPort.state.answers(byPort.state.members[0]!)).toBe(true);
});
