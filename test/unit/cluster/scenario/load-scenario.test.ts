import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../../../src/addr/address.js';
import { formatPrefix } from '../../../../src/addr/prefix.js';
import type { ClusterModel } from '../../../../src/cluster/model.js';
import { loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';
import { scenarioJsonSchema } from '../../../../src/cluster/scenario/scenario-schema.js';
import { hasShared, sharedPath } from '../../../support/shared.js';
import { changed, SCENARIO } from './scenario-text.js';

const load = (...texts: string[]) => loadScenario(texts.map((text, i) => ({ name: `${i}.yaml`, text })));
const modelOf = (...texts: string[]): ClusterModel => load(...texts).model;

/** Every key that the language has, each with another value than its default. */
const EVERY_KEY = `apiVersion: flowfate.dev/v1
kind: Scenario
metadata: { name: everything, namespace: lab, labels: { a: b }, annotations: { c: 1 } }
spec:
  seed: 7
  router:
    address: [10.0.0.254, "fd00:a::fe"]
    ecmp:
      hash: linux-custom
      fields: 0x37
      seed: "0xdeadbeef"
      select: resilient
      order: arrival
      buckets: 128
      idleTimer: 3s
      unbalancedTimer: 1m30s
      replace: fresh-group
    bgp: { holdTime: 9s, bfd: 900ms, gracefulRestart: on, fibDelay: 4ms }
    routes:
      - { prefix: 203.0.113.0/24, nextHops: [n2, "n1*3"] }
      - { prefix: "2001:db8:113::10", nextHops: ["fd00:a::1"] }
  edge: {}
  dataplane:
    proxy: iptables
    conntrack:
      tcpLoose: false
      beLiberal: true
      max: 4096
      timeouts: { synSent: 1, synRecv: 2, established: 3, finWait: 4, closeWait: 5, lastAck: 6, timeWait: 7, close: 8, unacknowledged: 9, udp: 10, udpStream: 11, icmp: 12, generic: 13 }
    masqueradeRandomFully: false
    dropInvalid: true
    sync: { delay: 200ms, minPeriod: 0 }
    overlay: none
    nodeGrace: 5s
  nodes:
    - { name: n1, address: [10.0.0.1, "fd00:a::1"], podCIDR: [10.244.1.0/24, "fd00:244:1::/64"], podGateway: [10.244.1.9], rack: r1, announces: true }
    - { name: n2, address: [10.0.0.2, "fd00:a::2"], podCIDR: 10.244.2.0/24, announces: false }
    - { name: n3, address: 10.0.0.3, announces: auto }
  services:
    - name: web
      vip: [203.0.113.10, "2001:db8:113::10"]
      ports:
        - { name: http, protocol: TCP, port: 80, targetPort: 8080 }
        - { protocol: UDP, port: 443 }
        - { protocol: SCTP, port: 9 }
      externalTrafficPolicy: Local
      sessionAffinity: ClientIP
      sessionAffinityTimeout: 10m
      endpoints:
        - { pod: p1, node: n1, address: [10.244.1.10, "fd00:244:1::a"] }
        - { pod: p2, node: n2, address: 10.244.2.10, ready: false }
        - { pod: p3, node: n2, address: 10.244.2.11, terminating: true }
        - { pod: p4, node: n2, address: 10.244.2.12, ready: false, serving: true, terminating: true }
  epoch: 1795391995.741888123
  timeline: []
`;

describe('loadScenario()', () => {
  test('reads every key of the language', () => {
    const model = modelOf(EVERY_KEY);
    expect(model.name).toBe('everything');
    expect(model.seed).toBe(7);
    expect(model.router.addresses.map(formatAddress)).toEqual(['10.0.0.254', 'fd00:a::fe']);
    expect(model.router.ecmp).toEqual({
      hash: 'linux-custom',
      fields: 0x37,
      seed: 0xdeadbeef,
      select: 'resilient',
      order: 'arrival',
      buckets: 128,
      idleTimerS: 3,
      unbalancedTimerS: 90,
      replace: 'fresh-group',
    });
    expect(model.router.bgp).toEqual({ holdTimeS: 9, bfdS: 0.9, gracefulRestartS: 120, fibDelayS: 0.004 });
    const routes = model.router.routes.map(({ prefix, nextHops }) => ({
      prefix: formatPrefix(prefix),
      nextHops,
    }));
    expect(routes).toEqual([
      {
        prefix: '203.0.113.0/24',
        nextHops: [
          { node: 1, weight: 1 },
          { node: 0, weight: 3 },
        ],
      },
      { prefix: '2001:db8:113::10/128', nextHops: [{ node: 0, weight: 1 }] },
    ]);
    expect(model.dataplane).toEqual({
      proxy: 'iptables',
      ipvs: { scheduler: 'rr', sloppyTcp: false },
      cilium: { mode: 'snat', algorithm: 'random', tableSize: 16381 },
      calicoEbpf: { mode: 'tunnel', maglev: false },
      conntrack: {
        tcpLoose: false,
        beLiberal: true,
        max: 4096,
        timeouts: {
          synSent: 1,
          synRecv: 2,
          established: 3,
          finWait: 4,
          closeWait: 5,
          lastAck: 6,
          timeWait: 7,
          close: 8,
          unacknowledged: 9,
          udp: 10,
          udpStream: 11,
          icmp: 12,
          generic: 13,
        },
      },
      masqueradeRandomFully: false,
      dropInvalid: true,
      sync: { delayS: 0.2, minPeriodS: 0, durationS: 0 },
      overlay: 'none',
      nodeGraceS: 5,
    });
    const nodes = model.nodes.map((node) => ({
      ...node,
      addresses: node.addresses.map(formatAddress),
      podCidrs: node.podCidrs.map(formatPrefix),
      podGateways: node.podGateways.map(formatAddress),
      tunnelAddresses: node.tunnelAddresses.map(formatAddress),
    }));
    expect(nodes).toEqual([
      {
        name: 'n1',
        addresses: ['10.0.0.1', 'fd00:a::1'],
        podCidrs: ['10.244.1.0/24', 'fd00:244:1::/64'],
        podGateways: ['10.244.1.9'],
        tunnelAddresses: ['10.244.1.0', 'fd00:244:1::'],
        rack: 'r1',
        announces: true,
      },
      {
        name: 'n2',
        addresses: ['10.0.0.2', 'fd00:a::2'],
        podCidrs: ['10.244.2.0/24'],
        podGateways: ['10.244.2.1'],
        tunnelAddresses: ['10.244.2.0'],
        rack: null,
        announces: false,
      },
      {
        name: 'n3',
        addresses: ['10.0.0.3'],
        podCidrs: [],
        podGateways: [],
        tunnelAddresses: [],
        rack: null,
        announces: 'auto',
      },
    ]);
    const service = model.services[0]!;
    expect(service.vips.map(formatAddress)).toEqual(['203.0.113.10', '2001:db8:113::10']);
    expect(service.ports).toEqual([
      { name: 'http', proto: 6, port: 80, targetPort: 8080 },
      { name: null, proto: 17, port: 443, targetPort: 443 },
      { name: null, proto: 132, port: 9, targetPort: 9 },
    ]);
    expect(service).toMatchObject({
      name: 'web',
      externalTrafficPolicy: 'Local',
      sessionAffinity: 'ClientIP',
      affinityTimeoutS: 600,
    });
    expect(
      service.endpoints.map(({ pod, node, ready, serving, terminating }) => [
        pod,
        node,
        ready,
        serving,
        terminating,
      ]),
    ).toEqual([
      ['p1', 0, true, true, false],
      ['p2', 1, false, false, false],
      ['p3', 1, false, true, true],
      ['p4', 1, false, true, true],
    ]);
    expect(model.epochNs).toBe(1795391995741888123n);
  });

  test('fills in what the real software does where the scenario is silent', () => {
    const model = modelOf(`apiVersion: flowfate.dev/v1
kind: Scenario
spec:
  nodes: [{ name: n1, address: 10.0.0.1, podCIDR: 10.244.1.0/24 }]
  services: [{ name: web, vip: 203.0.113.10, ports: [{ port: 80 }] }]
`);
    expect(model.name).toBe('0');
    expect(model.seed).toBe(1);
    const { seed, ...ecmp } = model.router.ecmp;
    expect(seed).toBeGreaterThan(0);
    expect(ecmp).toEqual({
      hash: 'linux-l4',
      fields: 7,
      select: 'hash-threshold',
      order: 'address',
      buckets: 64,
      idleTimerS: 120,
      unbalancedTimerS: 0,
      replace: 'in-place',
    });
    expect(model.router.bgp).toEqual({ holdTimeS: 90, bfdS: null, gracefulRestartS: null, fibDelayS: 0 });
    expect(model.router.routes).toEqual([]);
    expect(model.dataplane).toEqual({
      proxy: 'iptables',
      ipvs: { scheduler: 'rr', sloppyTcp: false },
      cilium: { mode: 'snat', algorithm: 'random', tableSize: 16381 },
      calicoEbpf: { mode: 'tunnel', maglev: false },
      conntrack: {
        tcpLoose: true,
        beLiberal: false,
        max: 262144,
        timeouts: {
          synSent: 120,
          synRecv: 60,
          established: 86400,
          finWait: 120,
          closeWait: 3600,
          lastAck: 30,
          timeWait: 120,
          close: 10,
          unacknowledged: 300,
          udp: 30,
          udpStream: 120,
          icmp: 30,
          generic: 600,
        },
      },
      masqueradeRandomFully: true,
      dropInvalid: true,
      sync: { delayS: 0, minPeriodS: 1, durationS: 0 },
      overlay: 'none',
      nodeGraceS: 40,
    });
    expect(model.nodes[0]).toMatchObject({ announces: 'auto', rack: null });
    expect(model.nodes[0]!.podGateways.map(formatAddress)).toEqual(['10.244.1.1']);
    expect(model.services[0]).toMatchObject({
      externalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      affinityTimeoutS: 10800,
      endpoints: [],
    });
    expect(model.services[0]!.ports).toEqual([{ name: null, proto: 6, port: 80, targetPort: 80 }]);
    expect(model.epochNs).toBeNull();
    expect(model.timeline).toEqual([]);
  });

  test('leaves the INVALID rule out with beLiberal, as kube-proxy does, unless the scenario says otherwise', () => {
    const liberal = (more: string) =>
      modelOf(changed('proxy: iptables', `conntrack: { beLiberal: true }${more}`)).dataplane.dropInvalid;
    expect(liberal('')).toBe(false);
    expect(liberal(', dropInvalid: true')).toBe(true);
    expect(modelOf(changed('proxy: iptables', 'dropInvalid: false')).dataplane.dropInvalid).toBe(false);
  });

  test("draws the router's hash seed from the scenario's seed where none is stated", () => {
    const drawn = (seed: number) =>
      modelOf(changed(', seed: 1', '', changed('spec:', `spec:\n  seed: ${seed}`))).router.ecmp.seed;
    expect(drawn(1)).toBe(drawn(1));
    expect(drawn(1)).not.toBe(drawn(2));
    expect(drawn(2 ** 32 + 1)).not.toBe(drawn(1));
    const option = loadScenario([{ name: 'f', text: changed(', seed: 1', '') }], { seed: 2 }).model;
    expect(option.seed).toBe(2);
    expect(option.router.ecmp.seed).toBe(drawn(2));
  });

  test('takes the next prime for a Maglev table and says so', () => {
    const { model, notes } = load(changed('seed: 1', 'select: maglev, buckets: 64'));
    expect(model.router.ecmp.buckets).toBe(67);
    expect(notes).toEqual(['A Maglev table has a prime number of buckets: 64 became 67.']);
    expect(modelOf(changed('seed: 1', 'select: maglev, buckets: 65537')).router.ecmp.buckets).toBe(65537);
  });

  test('switches BFD and graceful restart off, on and to a time', () => {
    const bgp = (text: string) => modelOf(changed('seed: 1 }', `seed: 1 }\n    bgp: { ${text} }`)).router.bgp;
    expect(bgp('bfd: off, gracefulRestart: false')).toMatchObject({ bfdS: null, gracefulRestartS: null });
    expect(bgp('bfd: on, gracefulRestart: true')).toMatchObject({ bfdS: 0.9, gracefulRestartS: 120 });
    expect(bgp('bfd: 300ms, gracefulRestart: 60')).toMatchObject({ bfdS: 0.3, gracefulRestartS: 60 });
  });

  test('keeps the nanoseconds of the epoch that a number would lose', () => {
    const epoch = (text: string) => modelOf(changed('  timeline:', `  epoch: ${text}\n  timeline:`)).epochNs;
    expect(epoch('1795391995.741888')).toBe(1795391995741888000n);
    expect(epoch('"1795391995.123456789"')).toBe(1795391995123456789n);
    expect(epoch('1795391995')).toBe(1795391995000000000n);
    expect(epoch('1.5e9')).toBe(1500000000000000000n);
    expect(epoch('&t 1795391995.123456789')).toBe(1795391995123456789n);
  });

  test('reads JSON, anchors and merge keys', () => {
    const { name, ...rest } = modelOf(SCENARIO);
    const asJson = JSON.stringify({
      apiVersion: 'flowfate.dev/v1',
      kind: 'Scenario',
      spec: {
        router: {
          ecmp: { hash: 'linux-l4', seed: 1 },
          routes: [{ prefix: '203.0.113.10/32', nextHops: ['n1', 'n2*2'] }],
        },
        nodes: [
          { name: 'n1', address: '10.0.0.1' },
          { name: 'n2', address: '10.0.0.2' },
        ],
        services: [
          {
            name: 'web',
            vip: '203.0.113.10',
            ports: [{ port: 80, targetPort: 8080 }],
            endpoints: [{ pod: 'p1', node: 'n1', address: '10.244.1.10' }],
          },
        ],
        timeline: [{ at: 5, withdraw: 'n2' }],
      },
    });
    expect(name).toBe('small');
    // the JSON says less than the scenario, so that more is assumed
    expect(modelOf(asJson)).toEqual({ ...rest, name: '0', assumed: modelOf(asJson).assumed });
    const merged = changed('{ name: n1, address', '{ <<: &r { rack: r9 }, name: n1, address');
    const both = changed('{ name: n2, address', '{ <<: *r, name: n2, address', merged);
    expect(modelOf(both).nodes.map((node) => node.rack)).toEqual(['r9', 'r9']);
  });

  test('is called after its file where it has no name', () => {
    const text = changed('metadata: { name: small }\n', '');
    expect(loadScenario([{ name: 'runs/withdraw-one.yaml', text }]).model.name).toBe('withdraw-one');
  });

  test('lays a later scenario over an earlier one, by name and key by key', () => {
    const more = `apiVersion: flowfate.dev/v1
kind: Scenario
metadata: { name: later }
spec:
  router: { ecmp: { select: modulo }, routes: [{ prefix: 203.0.113.10, nextHops: [n3] }] }
  nodes:
    - { name: n3, address: 10.0.0.3 }
    - { name: n2, rack: r2 }
  services:
    - { name: web, externalTrafficPolicy: Local }
  timeline:
    - { at: 1s, announce: n3 }
`;
    const { model, notes } = load(SCENARIO, more);
    expect(model.name).toBe('later');
    expect(model.router.ecmp).toMatchObject({ seed: 1, select: 'modulo' });
    expect(
      model.nodes.map(({ name, rack, addresses }) => [name, rack, formatAddress(addresses[0]!)]),
    ).toEqual([
      ['n3', null, '10.0.0.3'],
      ['n2', 'r2', '10.0.0.2'],
      ['n1', null, '10.0.0.1'],
    ]);
    expect(model.services[0]).toMatchObject({ name: 'web', externalTrafficPolicy: 'Local' });
    expect(model.services[0]!.endpoints[0]).toMatchObject({ pod: 'p1', node: 2 });
    expect(model.router.routes).toHaveLength(1);
    expect(model.router.routes[0]!.nextHops).toEqual([{ node: 0, weight: 1 }]);
    expect(model.timeline.map((event) => [event.at, event.kind])).toEqual([
      [1, 'announce'],
      [5, 'withdraw'],
    ]);
    expect(notes).toEqual(['The timeline is not in the order of time (1 s stands late); it was sorted.']);
  });

  test('says what is legal and probably not meant', () => {
    expect(load(changed('vip: 203.0.113.10\n', 'vip: ["2001:db8::1", 10.0.0.2]\n')).notes).toEqual([
      'VIP 10.0.0.2 of service web is an address of node n2, too.',
      'The route to 203.0.113.10/32 covers no VIP, so it carries no flow of a service.',
      'Service web has an IPv6 VIP, but no node has an IPv6 address.',
      'Service web has an IPv6 VIP, but none of its endpoints has an IPv6 address.',
    ]);
  });

  test('lets one pod serve two services, and pods on the host network share the address of their node', () => {
    const two = changed(
      '  timeline:',
      `    - { name: api, vip: 203.0.113.11, ports: [{ port: 80 }], endpoints: [{ pod: p1, node: n1, address: 10.244.1.10 }, { pod: h1, node: n2, address: 10.0.0.2 }, { pod: h2, node: n2, address: 10.0.0.2 }] }
  timeline:`,
    );
    expect(modelOf(two).services.map((service) => service.endpoints.length)).toEqual([1, 3]);
    const differing = changed(
      'pod: p1, node: n1, address: 10.244.1.10 }, { pod: h1',
      'pod: p1, node: n2, address: 10.244.1.10 }, { pod: h1',
      two,
    );
    expect(() => load(differing)).toThrow(
      '0.yaml:19:74: pod p1 stands in two services with different nodes or addresses',
    );
  });

  const shipped = join(import.meta.dirname, '..', '..', '..', '..', 'captures');
  const scenarios = readdirSync(shipped).filter((file) => file.endsWith('.yaml'));
  test.each(scenarios)('loads the shipped scenario %s without a note', (file) => {
    const { model, notes } = loadScenario([{ name: file, text: readFileSync(join(shipped, file), 'utf8') }]);
    expect(notes).toEqual([]);
    expect(model.nodes.map((node) => node.name)).toEqual(['n1', 'n2', 'n3', 'n4']);
    expect(model.services[0]!.endpoints).toHaveLength(4);
    expect(model.timeline.length).toBeGreaterThan(0);
  });

  test.runIf(hasShared)(
    'loads the example of the contract (needs the contract, which is not part of the project)',
    () => {
      const page = readFileSync(sharedPath('contract', 'README.md'), 'utf8');
      const text = /```yaml\n(apiVersion: flowfate\.dev\/v1\nkind: Scenario\n[\s\S]*?)```/.exec(page)![1]!;
      // The example shows one node of four.
      const more = [2, 3, 4]
        .map((i) => `    - { name: n${i}, address: [10.0.0.${i}, "fd00:a::${i}"] }`)
        .join('\n');
      const { model } = load(changed('  services:', `${more}\n  services:`, text));
      expect(model.name).toBe('withdraw-one');
      expect(model.router.routes[0]!.nextHops[3]).toEqual({ node: 3, weight: 2 });
      expect(model.timeline.map((event) => event.kind)).toEqual(['withdraw', 'route']);
    },
  );
});

describe('scenarioJsonSchema()', () => {
  test('describes what may be written, not what it is read into', () => {
    const schema = scenarioJsonSchema() as {
      properties: Record<string, { properties: Record<string, object> }>;
    };
    expect(Object.keys(schema.properties)).toEqual(['apiVersion', 'kind', 'metadata', 'spec']);
    expect(Object.keys(schema.properties.spec!.properties)).toEqual([
      'seed',
      'router',
      'edge',
      'dataplane',
      'networkPolicies',
      'nodes',
      'services',
      'owners',
      'epoch',
      'timeline',
    ]);
    expect(schema.properties.spec!.properties.epoch).toMatchObject({
      anyOf: [{ type: 'number' }, { type: 'string' }],
    });
  });
});
