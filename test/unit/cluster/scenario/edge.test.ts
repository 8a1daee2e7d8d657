import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../../../src/addr/address.js';
import { nodePortOf } from '../../../../src/cluster/edge-model.js';
import type { ClusterModel } from '../../../../src/cluster/model.js';
import { loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';
import { printScenario } from '../../../../src/cluster/scenario/print-scenario.js';
import { FlowfateError } from '../../../../src/errors.js';

const SCENARIO = `apiVersion: flowfate.dev/v1
kind: Scenario
spec:
  edge:
    address: [10.0.0.250, "fd00:a::250"]
    virtualServers:
      - { name: vs, service: web, vip: 203.0.113.10, pool: web-nodes, persistence: none }
    pools:
      - name: web-nodes
        members: [n1, "n2*3", { member: n3, session: disabled }]
        monitor: { interval: 5s, timeout: 16s, check: member }
  dataplane: { dropInvalid: true }
  nodes:
    - { name: n1, address: [10.0.0.1, "fd00:a::1"] }
    - { name: n2, address: 10.0.0.2 }
    - { name: n3, address: 10.0.0.3 }
  services:
    - name: web
      vip: [203.0.113.10, 203.0.113.11]
      ports: [{ port: 80, targetPort: 8080 }, { port: 443, nodePort: 31443 }]
      externalTrafficPolicy: Local
      endpoints: [{ pod: p1, node: n1, address: 10.244.1.10 }]
    - name: dns
      vip: 203.0.113.12
      ports: [{ protocol: UDP, port: 53 }]
  timeline:
    - { at: 5s, poolMember: { add: n3 } }
`;

function changed(before: string, after: string): string {
  if (!SCENARIO.includes(before)) throw new RangeError(`the scenario has no ${before}`);
  return SCENARIO.replace(before, () => after);
}

const load = (text: string, events: readonly string[] = []): ClusterModel =>
  loadScenario([{ name: 'f.yaml', text }], { events }).model;

function errorOf(text: string): string {
  try {
    load(text);
  } catch (error) {
    if (error instanceof FlowfateError && error.code === 'config') return error.message;
    throw error;
  }
  throw new Error('the scenario loads');
}

describe('spec.edge', () => {
  test('becomes rows, with the defaults of a BIG-IP for what is not said', () => {
    const { edge } = load(SCENARIO);
    expect(edge).toMatchObject({
      name: 'edge',
      snat: 'automap',
      insert: { field: 'x-forwarded-for', forward: 'off', sendProxy: 0 },
      idleS: { tcp: 300, udp: 60 },
      handshakeS: 5,
      virtualServers: [{ name: 'vs', service: 0, pool: 0, persistence: 'none', persistenceS: 180 }],
      pools: [
        {
          name: 'web-nodes',
          target: 'nodePort',
          balance: 'round-robin',
          slowRampS: 10,
          serviceDown: 'none',
          newMembers: 'enabled',
          monitor: { intervalS: 5, timeoutS: 16, check: 'member' },
          members: [
            { node: 0, pod: null, ratio: 1, session: 'enabled' },
            { node: 1, pod: null, ratio: 3, session: 'enabled' },
            { node: 2, pod: null, ratio: 1, session: 'disabled' },
          ],
        },
      ],
    });
    expect(edge!.virtualServers[0]!.vips.map(formatAddress)).toEqual(['203.0.113.10']);
  });

  test('gives a monitor without a timeout three intervals and a second, and none where it is off', () => {
    const without = load(changed('{ interval: 5s, timeout: 16s, check: member }', '{ interval: 2s }'));
    expect(without.edge!.pools[0]!.monitor).toEqual({ intervalS: 2, timeoutS: 7, check: 'member' });
    expect(
      load(changed('{ interval: 5s, timeout: 16s, check: member }', 'off')).edge!.pools[0]!.monitor,
    ).toBeNull();
  });

  test('has a virtual server for every service where none is stated', () => {
    const text = changed(
      '    virtualServers:\n      - { name: vs, service: web, vip: 203.0.113.10, pool: web-nodes, persistence: none }\n',
      '',
    );
    const alone = text.slice(0, text.indexOf('    - name: dns')) + text.slice(text.indexOf('  timeline:'));
    expect(load(alone).edge!.virtualServers.map(({ name, vips }) => [name, vips.length])).toEqual([
      ['web', 2],
    ]);
  });

  test('is nothing where it is empty', () => {
    const text = SCENARIO.replace(/ {2}edge:\n( {4}.*\n)+/, '  edge: {}\n').replace(
      / {4}- \{ at: 5s.*\n/,
      '',
    );
    expect(load(text.replace('  timeline:\n', '')).edge).toBeNull();
  });

  test('numbers NodePorts from 30000 in the order of the model where a port states none', () => {
    const { services } = load(SCENARIO);
    expect([nodePortOf(services, 0, 0), nodePortOf(services, 0, 1), nodePortOf(services, 1, 0)]).toEqual([
      30000, 31443, 30002,
    ]);
  });

  test('is printed so that it loads as the same, with every action on members', () => {
    const events = [
      '6s poolMember web-nodes remove n1,n2',
      '7s poolMember offline n3',
      '8s poolMember add n1 ratio=2',
    ];
    const model = load(SCENARIO, [...events, '9s poolMember enable n1', '9s poolMember disable n2']);
    expect(
      model.timeline.map((e) => (e.kind === 'poolMember' ? `${e.at} ${e.action} ${e.member.node}` : '')),
    ).toEqual(['5 add 2', '6 remove 0', '6 remove 1', '7 offline 2', '8 add 0', '9 enable 0', '9 disable 1']);
    expect(load(printScenario(model))).toEqual({ ...model, name: 'f', assumed: [] });
    const pods = changed(
      'members: [n1, "n2*3", { member: n3, session: disabled }]',
      'target: pod\n        members: [p1]',
    );
    const direct = load(pods.replace('poolMember: { add: n3 }', 'poolMember: { remove: p1 }'));
    expect(load(printScenario(direct))).toEqual({ ...direct, name: 'f', assumed: [] });
  });

  test.each([
    [
      'members: [n1, "n2*3", { member: n3, session: disabled }]',
      'members: []',
      '10:18: pool web-nodes has no members; list the nodes or pods it sends to',
    ],
    [
      'timeout: 16s',
      'timeout: 4s',
      '11:43: the monitor of pool web-nodes gives up after 4 s and checks every 5 s only; its timeout must not be below its interval (three intervals and a second are usual)',
    ],
    [
      'persistence: none }\n',
      'persistence: none }\n      - { name: other, service: web, pool: web-nodes }\n',
      '8:9: virtual servers vs and other both hold 203.0.113.10 of service web; give each VIP to one of them',
    ],
    ['vip: 203.0.113.10, pool', 'vip: 203.0.113.12, pool', '7:40: 203.0.113.12 is no VIP of service web'],
    [
      'pool: web-nodes,',
      'pool: web-node,',
      '7:60: there is no pool "web-node"; did you mean "web-nodes"? (known: web-nodes)',
    ],
    [
      'service: web, vip: 203.0.113.10, ',
      '',
      '7:9: a virtual server needs a service where there is more than one',
    ],
    ['[n1, "n2*3"', '[n1, "n9*3"', '10:23: there is no node "n9"; did you mean "n1"? (known: n1, n2, n3)'],
    ['[n1, "n2*3"', '[n1, n1, "n2*3"', '10:23: n1 stands twice in pool web-nodes'],
    [
      'address: [10.0.0.250, "fd00:a::250"]',
      'address: [10.0.0.2]',
      '5:15: edge edge has the address 10.0.0.2, which is that of node n2',
    ],
    [
      'address: [10.0.0.250, "fd00:a::250"]',
      'address: ["fd00:a::250"]',
      '5:14: edge edge has no IPv4 address for SNAT automap, which virtual server vs needs; give it one with the key address, or say snat: none',
    ],
    ['externalTrafficPolicy: Local', 'externalTrafficPolicy: Cluster', null],
    [
      '      - name: web-nodes\n',
      '      - name: web-nodes\n        target: pod\n',
      '11:19: there is no pod "n1"; did you mean "p1"? (known: p1) (and 3 more problems, lines 11, 28)',
    ],
    ['{ add: n3 }', '{ add: n9 }', '27:36: there is no node "n9"; did you mean "n1"? (known: n1, n2, n3)'],
    ['{ add: n3 }', '{ pool: web }', '27:29: there is no pool "web" (known: web-nodes)'],
    [
      '{ add: n3 }',
      '{}',
      '27:29: poolMember needs one of add, remove, enable, disable, offline, like { add: n5 }',
    ],
    ['{ add: n3 }', '{ remove: n3, ratio: 2 }', '27:29: ratio and session belong to a member that is added'],
  ])('%j as %j is refused with its place', (before, after, expected) => {
    const text = changed(before, after);
    if (expected === null) {
      const check = text.replace('check: member', 'check: healthCheckNodePort');
      expect(errorOf(check)).toContain('a healthCheckNodePort exists for members that are node ports');
      return;
    }
    expect(errorOf(text)).toBe(`f.yaml:${expected}`);
  });

  test('refuses pods as members where INVALID segments are not dropped', () => {
    const text = changed(
      'members: [n1, "n2*3", { member: n3, session: disabled }]',
      'target: pod\n        members: [p1]',
    )
      .replace('dropInvalid: true', 'dropInvalid: false')
      .replace('{ add: n3 }', '{ remove: p1 }');
    expect(errorOf(text)).toContain('modelled only where kube-proxy drops INVALID segments');
  });
});
