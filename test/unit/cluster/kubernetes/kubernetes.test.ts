import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../../../src/addr/address.js';
import { formatPrefix } from '../../../../src/addr/prefix.js';
import { loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';
import { printScenario } from '../../../../src/cluster/scenario/print-scenario.js';

const GOLDEN = join(import.meta.dirname, '..', '..', '..', 'golden', 'scenario-kubernetes');
const golden = (name: string) => ({ name, text: readFileSync(join(GOLDEN, name), 'utf8') });
const load = (...texts: string[]) => loadScenario(texts.map((text, i) => ({ name: `${i}.yaml`, text })));

interface NodeSpec {
  labels?: Record<string, string>;
  conditions?: { type: string; status: string }[];
  addresses?: { type: string; address: string }[];
}

// kubectl get -o json is YAML, too.
const object = (apiVersion: string, kind: string, name: string, rest: object, meta: object = {}): string =>
  JSON.stringify({ apiVersion, kind, metadata: { name, ...meta }, ...rest });
const node = (i: number, { labels = {}, conditions = [], addresses }: NodeSpec = {}): string =>
  object(
    'v1',
    'Node',
    `n${i}`,
    {
      spec: { podCIDR: `10.244.${i}.0/24` },
      status: { addresses: addresses ?? [{ type: 'InternalIP', address: `10.0.0.${i}` }], conditions },
    },
    { labels },
  );
const service = (name: string, spec: object = {}, ip = '203.0.113.10', namespace = 'default'): string =>
  object(
    'v1',
    'Service',
    name,
    {
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
      status: { loadBalancer: { ingress: [{ ip }] } },
    },
    { namespace },
  );
const slice = (
  name: string,
  endpoints: object[],
  ports: object[] = [{ name: '', port: 8080 }],
  namespace = 'default',
) =>
  object(
    'discovery.k8s.io/v1',
    'EndpointSlice',
    `${name}-x`,
    { endpoints, ports },
    { namespace, labels: { 'kubernetes.io/service-name': name } },
  );
const metallb = (kind: string, name: string, spec: object, meta: object = {}): string =>
  object(kind === 'BGPPeer' ? 'metallb.io/v1beta2' : 'metallb.io/v1beta1', kind, name, { spec }, meta);
const stream = (...objects: string[]): string => objects.join('\n---\n');
const announces = (...objects: string[]) =>
  load(
    stream(
      node(1, { labels: { rack: 'a' } }),
      node(2, { labels: { rack: 'b' } }),
      service('web'),
      ...objects,
    ),
  ).model.nodes.map((n) => n.announces);

describe('Kubernetes objects', () => {
  test('amount to the scenario that their golden case states', () => {
    const { model, notes } = loadScenario([golden('objects.yaml'), golden('metallb.yaml')]);
    expect(printScenario(model)).toBe(golden('expected.yaml').text);
    expect(notes).toEqual([
      'Service pending has type LoadBalancer but no address yet: from outside it has node ports only.',
      'Service dns: no EndpointSlice of it was given; its endpoints are the Pods that it selects.',
      'Cordoned (n2) changes nothing here: MetalLB goes on announcing from such nodes.',
      'Not Ready by its conditions: n3. It still answers here; say nodeDown at 0s if it does not.',
    ]);
  });

  test('have their pod ranges from the blocks of Calico where there are any', () => {
    const { model } = loadScenario([golden('objects.yaml'), golden('calico.yaml')]);
    expect(model.nodes.map((n) => n.podCidrs.map(formatPrefix))).toEqual([
      ['192.168.1.0/26', '192.168.1.64/26'],
      [],
      [],
    ]);
    expect(model.nodes.map((n) => n.podGateways)).toEqual([[], [], []]);
    expect(model.router.addresses).toEqual([]);
  });

  test('stand beside a scenario, which need not say again what they say and wins where it does', () => {
    const scenario = `apiVersion: flowfate.dev/v1
kind: Scenario
spec:
  nodes:
    - { name: n3, announces: true }
  services:
    - { name: web, externalTrafficPolicy: Cluster }
  timeline:
    - { at: 5s, withdraw: n2 }
    - { at: 6s, endpointGone: web-7d9c-aaa }
`;
    const inputs = [{ name: 's.yaml', text: scenario }, golden('objects.yaml'), golden('metallb.yaml')];
    const { model } = loadScenario(inputs);
    expect(model.nodes.map(({ name, announces }) => [name, announces])).toEqual([
      ['n3', true],
      ['n1', 'auto'],
      ['n2', 'auto'],
    ]);
    expect(model.services.map((s) => [s.name, s.externalTrafficPolicy, s.endpoints.length])).toEqual([
      ['web', 'Cluster', 3],
      ['kubernetes', 'Cluster', 0],
      ['dns', 'Cluster', 2],
    ]);
    expect(model.timeline).toEqual([
      { at: 5, kind: 'withdraw', node: 2 },
      { at: 6, kind: 'endpointGone', pod: 'web-7d9c-aaa' },
    ]);
    const [first, ...others] = inputs;
    expect(loadScenario([...others, first!]).model).toEqual({ ...model, name: 'objects' });
  });

  test('come as a typed list, too, whose items have no kind of their own', () => {
    const list = JSON.stringify({
      apiVersion: 'v1',
      kind: 'NodeList',
      items: [
        { metadata: { name: 'n1' }, status: { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] } },
      ],
    });
    expect(load(list, service('web')).model.nodes).toMatchObject([{ name: 'n1' }]);
  });

  test('that stand in two files are one object, as the later one shows it', () => {
    const { model } = load(stream(node(1), service('web')), stream(node(1, { labels: { rack: 'r7' } })));
    expect(model.nodes).toMatchObject([{ name: 'n1', rack: 'r7' }]);
  });

  test.each([
    [{ 'topology.kubernetes.io/rack': 'r1', 'topology.kubernetes.io/zone': 'z1' }, 'r1'],
    [{ rack: 'r2' }, 'r2'],
    [{ 'topology.kubernetes.io/zone': 'z1' }, 'z1'],
    [{ 'failure-domain.beta.kubernetes.io/zone': 'z0' }, 'z0'],
    [{ 'example.com/track': 't' }, null],
  ])('with the labels %j are in the rack %j', (labels, rack) => {
    const { model } = load(stream(node(1, { labels }), service('web')));
    expect(model.nodes[0]!.rack).toBe(rack);
  });

  test('are called with their namespace where a name stands in two', () => {
    const pods = (ip: string) => [
      { addresses: [ip], nodeName: 'n1', targetRef: { kind: 'Pod', name: 'web-0', namespace: 'any' } },
    ];
    const { model } = load(
      stream(
        node(1),
        service('web', {}, '203.0.113.10', 'a'),
        service('web', {}, '203.0.113.11', 'b'),
        slice('web', pods('10.244.1.10'), undefined, 'a'),
        slice('web', pods('10.244.1.11'), undefined, 'b'),
      ),
    );
    expect(model.services.map((s) => [s.name, s.endpoints[0]!.pod])).toEqual([
      ['a/web', 'a/web-0'],
      ['b/web', 'b/web-0'],
    ]);
  });
});

describe('VIPs of a Service', () => {
  const vipsOf = (spec: object, status: object = {}): string[] =>
    load(
      stream(node(1), object('v1', 'Service', 'web', { spec: { ports: [{ port: 80 }], ...spec }, status })),
    ).model.services[0]!.vips.map(formatAddress);
  const ingress = { loadBalancer: { ingress: [{ ip: '203.0.113.1' }, { hostname: 'lb.example.com' }] } };

  test('are what the load balancer gave it', () => {
    expect(vipsOf({ type: 'LoadBalancer', loadBalancerIP: '203.0.113.9' }, ingress)).toEqual(['203.0.113.1']);
  });
  test('are what it asks for while it has none', () => {
    expect(vipsOf({ type: 'LoadBalancer', loadBalancerIP: '203.0.113.9' })).toEqual(['203.0.113.9']);
  });
  test('are its external addresses, of whatever type it is', () => {
    expect(vipsOf({ type: 'ClusterIP', externalIPs: ['203.0.113.7'] })).toEqual(['203.0.113.7']);
    expect(vipsOf({ type: 'LoadBalancer', externalIPs: ['203.0.113.1', '203.0.113.7'] }, ingress)).toEqual([
      '203.0.113.1',
      '203.0.113.7',
    ]);
  });
  test('are none for other types, which is said', () => {
    const text = stream(node(1), object('v1', 'Service', 'web', { spec: { type: 'NodePort' } }));
    const { model, notes } = load(text);
    expect(model.services).toEqual([]);
    expect(notes).toContain(
      'None of the 1 Service object has type LoadBalancer with an address, or externalIPs.',
    );
  });
});

describe('endpoints of a Service', () => {
  const endpointsOf = (...objects: string[]) =>
    load(
      stream(node(1), node(2), service('web', { selector: { app: 'web' } }), ...objects),
    ).model.services[0]!.endpoints.map((e) => [
      e.pod,
      e.node,
      e.addresses.map(formatAddress).join(),
      e.ready,
      e.serving,
      e.terminating,
    ]);

  test('follow the conditions of the slice, absent ones as the API says', () => {
    const endpoint = (i: number, conditions?: object) => ({
      addresses: [`10.244.1.${i}`],
      nodeName: 'n1',
      ...(conditions ? { conditions } : {}),
    });
    expect(
      endpointsOf(
        slice('web', [
          endpoint(1),
          endpoint(2, { ready: false }),
          endpoint(3, { ready: false, serving: true, terminating: true }),
          endpoint(4, { ready: null }),
        ]),
      ),
    ).toEqual([
      ['10.244.1.1', 0, '10.244.1.1', true, true, false],
      ['10.244.1.2', 0, '10.244.1.2', false, false, false],
      ['10.244.1.3', 0, '10.244.1.3', false, true, true],
      ['10.244.1.4', 0, '10.244.1.4', true, true, false],
    ]);
  });

  test('come from Endpoints where there is no slice', () => {
    const endpoints = object('v1', 'Endpoints', 'web', {
      subsets: [
        {
          addresses: [{ ip: '10.244.1.1', nodeName: 'n1', targetRef: { kind: 'Pod', name: 'a' } }],
          notReadyAddresses: [{ ip: '10.244.2.1', nodeName: 'n2' }],
          ports: [{ port: 8080 }],
        },
      ],
    });
    expect(endpointsOf(endpoints)).toEqual([
      ['a', 0, '10.244.1.1', true, true, false],
      ['10.244.2.1', 1, '10.244.2.1', false, false, false],
    ]);
  });

  test('come from the pods that it selects where there is neither', () => {
    const pod = (name: string, ip: string, meta: object, ready: string, labels: object = { app: 'web' }) =>
      object(
        'v1',
        'Pod',
        name,
        {
          spec: { nodeName: 'n2' },
          status: { phase: 'Running', podIP: ip, conditions: [{ type: 'Ready', status: ready }] },
        },
        { ...meta, labels },
      );
    expect(
      endpointsOf(
        pod('a', '10.244.2.1', {}, 'True'),
        pod('b', '10.244.2.2', {}, 'False'),
        pod('c', '10.244.2.3', { deletionTimestamp: '2026-01-01T00:00:00Z' }, 'True'),
        pod('d', '10.244.2.4', {}, 'True', { app: 'other' }),
        pod('e', '10.244.2.5', { namespace: 'elsewhere' }, 'True'),
      ),
    ).toEqual([
      ['a', 1, '10.244.2.1', true, true, false],
      ['b', 1, '10.244.2.2', false, false, false],
      ['c', 1, '10.244.2.3', false, true, true],
    ]);
  });

  test('have their node from their pod where the slice names none', () => {
    const lone = slice('web', [{ addresses: ['10.244.2.1'] }]);
    const pod = object('v1', 'Pod', 'a', { spec: { nodeName: 'n2' }, status: { podIP: '10.244.2.1' } });
    expect(endpointsOf(lone, pod)).toEqual([['10.244.2.1', 1, '10.244.2.1', true, true, false]]);
    // a database outside the cluster
    expect(endpointsOf(lone)).toEqual([['10.244.2.1', -1, '10.244.2.1', true, true, false]]);
  });

  test('on a node that is no more stay in the list, and nothing answers there', () => {
    const gone = slice('web', [{ addresses: ['10.244.9.1'], nodeName: 'n9' }]);
    expect(endpointsOf(gone)).toEqual([['10.244.9.1', -1, '10.244.9.1', true, true, false]]);
    const { model } = load(stream(node(1), service('web'), gone));
    expect(model.services[0]!.endpoints[0]!.gone).toBe(true);
  });
});

describe('target ports of a Service', () => {
  const ports = (spec: object[], ...objects: string[]) => {
    const { model, notes } = load(
      stream(node(1), service('web', { ports: spec, selector: { app: 'web' } }), ...objects),
    );
    return { ports: model.services[0]!.ports.map((p) => [p.name, p.proto, p.port, p.targetPort]), notes };
  };
  const endpoint = { addresses: ['10.244.1.1'], nodeName: 'n1' };

  test('are the port itself, a number, or what the slice says', () => {
    expect(ports([{ port: 80 }]).ports).toEqual([[null, 6, 80, 80]]);
    expect(ports([{ port: 80, targetPort: 8080, protocol: 'SCTP' }]).ports).toEqual([[null, 132, 80, 8080]]);
    const spec = [
      { name: 'a', port: 80, targetPort: 'http' },
      { name: 'b', port: 53, protocol: 'UDP', targetPort: 'dns' },
    ];
    const listed = slice(
      'web',
      [endpoint],
      [
        { name: 'b', port: 5353, protocol: 'UDP' },
        { name: 'a', port: 8080 },
      ],
    );
    expect(ports(spec, listed).ports).toEqual([
      ['a', 6, 80, 8080],
      ['b', 17, 53, 5353],
    ]);
  });

  test('are looked up in the containers of its pods where no slice says them', () => {
    const pod = object(
      'v1',
      'Pod',
      'a',
      {
        spec: { nodeName: 'n1', containers: [{ ports: [{ name: 'http', containerPort: 8081 }] }] },
        status: { podIP: '10.244.1.1' },
      },
      { labels: { app: 'web' } },
    );
    expect(ports([{ port: 80, targetPort: 'http' }], pod).ports).toEqual([[null, 6, 80, 8081]]);
  });

  test('with a name that nothing explains lead to no endpoint, which is said', () => {
    const listed = slice('web', [endpoint], []);
    expect(ports([{ port: 80, targetPort: 'http' }], listed)).toEqual({
      ports: [[null, 6, 80, 80]],
      notes: ['Service web: no endpoint serves its port 80; connections to it are refused.'],
    });
  });
});

describe('who announces', () => {
  const pool = (name: string, addresses: string[], labels: object = {}) =>
    metallb('IPAddressPool', name, { addresses }, { labels });
  const rackA = [{ matchLabels: { rack: 'a' } }];

  test('is left to the rule of MetalLB where its objects say nothing', () => {
    expect(announces()).toEqual(['auto', 'auto']);
    expect(announces(metallb('BGPAdvertisement', 'all', {}))).toEqual(['auto', 'auto']);
  });

  test.each([
    [[{ matchLabels: { rack: 'a' } }], ['auto', false]],
    [
      [{ matchLabels: { rack: 'a' } }, { matchLabels: { rack: 'b' } }],
      ['auto', 'auto'],
    ],
    [[{ matchExpressions: [{ key: 'rack', operator: 'In', values: ['b', 'c'] }] }], [false, 'auto']],
    [[{ matchExpressions: [{ key: 'rack', operator: 'NotIn', values: ['b'] }] }], ['auto', false]],
    [[{ matchExpressions: [{ key: 'rack', operator: 'Exists' }] }], ['auto', 'auto']],
    [[{ matchExpressions: [{ key: 'rack', operator: 'DoesNotExist' }] }], [false, false]],
    [[{ matchLabels: { rack: 'a' }, matchExpressions: [{ key: 'x', operator: 'Exists' }] }], [false, false]],
    [[{}], ['auto', 'auto']],
    [[], ['auto', 'auto']],
  ])('follows the node selectors %j of an advertisement', (nodeSelectors, expected) => {
    expect(announces(metallb('BGPAdvertisement', 'a', { nodeSelectors }))).toEqual(expected);
  });

  test('needs a peer that selects the node', () => {
    const peer = metallb('BGPPeer', 'tor', { peerAddress: '10.0.0.254', nodeSelectors: rackA });
    expect(announces(peer, metallb('BGPAdvertisement', 'all', {}))).toEqual(['auto', false]);
  });

  test('needs an advertisement of the pool that the VIP is from', () => {
    const pools = [
      pool('one', ['203.0.113.1-203.0.113.20']),
      pool('two', ['198.51.100.0/24'], { tier: 'x' }),
    ];
    const of = (spec: object) => announces(...pools, metallb('BGPAdvertisement', 'a', spec));
    expect(of({ ipAddressPools: ['one'] })).toEqual(['auto', 'auto']);
    expect(of({ ipAddressPools: ['two'] })).toEqual([false, false]);
    expect(of({ ipAddressPoolSelectors: [{ matchLabels: { tier: 'x' } }] })).toEqual([false, false]);
  });

  test('excludes nodes by label and nodes whose network is down', () => {
    const label = 'node.kubernetes.io/exclude-from-external-load-balancers';
    const { model } = load(
      stream(
        node(1, { labels: { [label]: '' } }),
        node(2, { conditions: [{ type: 'NetworkUnavailable', status: 'True' }] }),
        node(3),
        service('web'),
      ),
    );
    expect(model.nodes.map((n) => n.announces)).toEqual([false, false, 'auto']);
  });

  test('is decided a service at a time; that nobody announces one is said', () => {
    const { model, notes } = load(
      stream(
        node(1),
        service('web'),
        service('api', {}, '198.51.100.1'),
        pool('one', ['203.0.113.0/24']),
        pool('two', ['198.51.100.0/24']),
        metallb('BGPAdvertisement', 'a', { ipAddressPools: ['one'] }),
      ),
    );
    expect(model.nodes[0]!.announces).toBe('auto');
    expect(model.services.map(({ announcers }) => announcers!.map(({ node: row }) => row))).toEqual([
      [0],
      [],
    ]);
    expect(notes).toContain(
      'Nobody announces 198.51.100.1: no advertisement of MetalLB covers 198.51.100.1 of service api (pool two).',
    );
  });
});

describe('the router of the BGPPeers', () => {
  const routerOf = (...objects: string[]) => {
    const { model, notes } = load(
      stream(node(1), service('web'), slice('web', []), metallb('BGPAdvertisement', 'all', {}), ...objects),
    );
    const ofRouter = notes.filter((note) => !note.startsWith('Service web'));
    return { ...model.router.bgp, addresses: model.router.addresses.map(formatAddress), notes: ofRouter };
  };

  test('has their address, hold time, BFD and graceful restart', () => {
    const peer = metallb('BGPPeer', 'tor', {
      peerAddress: '10.0.0.254',
      holdTime: '3m0s',
      bfdProfile: 'b',
      enableGracefulRestart: true,
    });
    const profile = metallb('BFDProfile', 'b', { detectMultiplier: 5, receiveInterval: 200 });
    expect(routerOf(peer, profile)).toEqual({
      addresses: ['10.0.0.254'],
      holdTimeS: 180,
      bfdS: 1,
      gracefulRestartS: 120,
      fibDelayS: 0,
      notes: [],
    });
    expect(routerOf(peer, metallb('BFDProfile', 'b', {})).bfdS).toBe(0.9);
    expect(routerOf(peer)).toMatchObject({
      bfdS: 0.9,
      notes: ['BFDProfile b is not among the objects; 0.9 s of detection is assumed.'],
    });
  });

  test('keeps the defaults where they are silent, and never lets go with a hold time of zero', () => {
    expect(routerOf(metallb('BGPPeer', 'tor', {}))).toEqual({
      addresses: [],
      holdTimeS: 90,
      bfdS: null,
      gracefulRestartS: null,
      fibDelayS: 0,
      notes: [],
    });
    expect(routerOf(metallb('BGPPeer', 'tor', { holdTime: '0s' })).holdTimeS).toBeGreaterThan(1e9);
  });

  test('is one: peers with other timers are said to be', () => {
    const peers = [
      metallb('BGPPeer', 'a', { peerAddress: '10.0.0.254', holdTime: '9s' }),
      metallb('BGPPeer', 'b', { peerAddress: '10.0.0.253', holdTime: '30s' }),
    ];
    expect(routerOf(...peers)).toMatchObject({
      addresses: ['10.0.0.254', '10.0.0.253'],
      holdTimeS: 9,
      notes: ['The BGPPeers differ in their timers; those of a are taken for the one router there is.'],
    });
  });
});

describe('Kubernetes objects that are wrong or not modelled', () => {
  test.each([
    [
      object('v1', 'Node', 'n1', { spec: { podCIDRs: ['10.0.0.0/99'] } }),
      /: spec\.podCIDRs\[0\]: expected a prefix like .*, found "10\.0\.0\.0\/99"$/,
    ],
    [
      service('web', { externalTrafficPolicy: 'Lokal' }),
      /: spec\.externalTrafficPolicy: expected Cluster or Local, found "Lokal"; did you mean "Local"\?$/,
    ],
    [
      service('web', {}, '203.0.113.300'),
      /: status\.loadBalancer\.ingress\[0\]\.ip: expected an IPv4 or IPv6 address, found "203\.0\.113\.300"$/,
    ],
    [
      service('web', { ports: [{ port: 0 }] }),
      /: spec\.ports\[0\]\.port: expected a port from 1 to 65535, found 0$/,
    ],
    [
      '{"apiVersion": "v1", "kind": "Node", "metadata": {}}',
      /^0\.yaml:1:50: the key "name" is missing in metadata: expected text$/,
    ],
    [
      metallb('BGPPeer', 'a', { holdTime: 'long' }),
      /: spec\.holdTime: expected a duration like 90s or 1m30s, found "long"$/,
    ],
  ])('%s is refused', (text, message) => {
    expect(() => load(text)).toThrow(message);
  });

  test.each([
    [{ ipipMode: 'Always' }, 'ipip'],
    [{ vxlanMode: 'Always' }, 'vxlan'],
  ])('a Calico pool with %j is an overlay, which the scenario can overrule', (mode, overlay) => {
    const pool = object('crd.projectcalico.org/v1', 'IPPool', 'p', {
      spec: { cidr: '10.244.0.0/16', ...mode },
    });
    const text = stream(node(1), service('web'), pool);
    expect(load(text).model.dataplane.overlay).toBe(overlay);
    const scenario = 'apiVersion: flowfate.dev/v1\nkind: Scenario\nspec: { dataplane: { overlay: none } }\n';
    expect(load(text, scenario).model.dataplane.overlay).toBe('none');
  });

  const block = (name: string, cidr: string, spec: object = {}): string =>
    object('crd.projectcalico.org/v1', 'IPAMBlock', name, { spec: { cidr, ...spec } });

  test.each([
    ['10.244.0.0/16', 33, 'pool p: blockSize of an IPv4 pool is from 20 to 32, not 33'],
    ['fd00::/48', 64, 'pool p: blockSize of an IPv6 pool is from 116 to 128, not 64'],
    ['10.244.0.0/26', 24, 'pool p: blocks of /24 are larger than the pool, which is 10.244.0.0/26'],
    ['10.244.0.0/28', undefined, 'pool p: blocks of /26 are larger than the pool, which is 10.244.0.0/28'],
  ])('the pool %s with blocks of /%s is refused', (cidr, blockSize, sentence) => {
    const pool = object('projectcalico.org/v3', 'IPPool', 'p', { spec: { cidr, blockSize } });
    expect(() => load(stream(node(1), service('web'), pool))).toThrow(sentence);
  });

  test('blocks that share addresses are refused, unless one of them is being deleted', () => {
    const both = (spec: object): string =>
      stream(node(1), service('web'), block('a', '10.244.0.0/26'), block('b', '10.244.0.32/27', spec));
    expect(() => load(both({}))).toThrow(
      'the block 10.244.0.32/27 lies in the block 10.244.0.0/26; an address belongs to one of them',
    );
    expect(() => load(both({ deleted: true }))).not.toThrow();
  });

  test('a node with more pods than its blocks have addresses has borrowed some', () => {
    const pods = Array.from({ length: 3 }, (_, i) => ({ addresses: [`10.244.1.${i}`], nodeName: 'n1' }));
    const text = stream(
      node(1),
      service('web'),
      slice('web', pods),
      block('a', '10.244.1.0/31', { affinity: 'host:n1' }),
    );
    expect(load(text).model.services[0]!.endpoints).toHaveLength(3);
  });

  test('a pool that is disabled or tunnels between subnets only is none', () => {
    for (const spec of [{ ipipMode: 'CrossSubnet' }, { ipipMode: 'Always', disabled: true }]) {
      const pool = object('projectcalico.org/v3', 'IPPool', 'p', {
        spec: { cidr: '10.244.0.0/16', ...spec },
      });
      expect(load(stream(node(1), service('web'), pool)).model.dataplane.overlay).toBe('none');
    }
  });
});
