import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { formatAddress } from '../../../../src/addr/address.js';
import { loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';
import { printScenario } from '../../../../src/cluster/scenario/print-scenario.js';

const GOLDEN = join(import.meta.dirname, '..', '..', '..', 'golden', 'cis', 'nodeport.yaml');
const DUMP = readFileSync(GOLDEN, 'utf8');

const load = (...texts: string[]) =>
  loadScenario(texts.map((text, i) => ({ name: `${i}.yaml`, text }))).model;
const edgeOf = (...texts: string[]) => load(...texts).edge!;
const object = (apiVersion: string, kind: string, name: string, rest: object, meta: object = {}): string =>
  stringify({ apiVersion, kind, metadata: { name, namespace: 'ingress', ...meta }, ...rest });
const cis = (kind: string, name: string, spec: object, status: object = {}): string =>
  object('cis.f5.com/v1', kind, name, { spec, status });
const POOL = { service: 'traefik', servicePort: 80 };
/** the dump without its TransportServer */
const BARE = DUMP.replace(/- apiVersion: cis\.f5\.com[\s\S]*?(?=kind: List)/, '');
const CLUSTER_MODE = BARE.replace('pool-member-type=nodeport', 'pool-member-type=cluster');

test('a TransportServer gives its Service the VIP, and its pool every node that is Ready', () => {
  const model = load(DUMP);
  const { edge } = model;
  expect(model.services[0]).toMatchObject({ name: 'traefik', externalTrafficPolicy: 'Local' });
  expect(model.services[0]!.vips.map(formatAddress)).toEqual(['192.0.2.10']);
  expect(edge!.addresses.map(formatAddress)).toEqual(['192.168.0.250']);
  expect(edge!.snat).toBe('automap');
  expect(edge!.pools).toHaveLength(1);
  expect(edge!.pools[0]).toMatchObject({
    target: 'nodePort',
    balance: 'round-robin',
    slowRampS: 10,
    monitor: { intervalS: 5, timeoutS: 16, check: 'member' },
  });
  expect(edge!.pools[0]!.members.map(({ node }) => model.nodes[node]!.name)).toEqual(['n1', 'n2']);
  expect(edge!.virtualServers).toMatchObject([{ name: 'traefik', persistence: 'source-addr' }]);
});

test('with pool members of type cluster they are the endpoints that are ready', () => {
  const edge = edgeOf(
    CLUSTER_MODE,
    cis('TransportServer', 't', { virtualServerAddress: '192.0.2.10', virtualServerPort: 80, pool: POOL }),
  );
  expect(edge.pools[0]).toMatchObject({ target: 'pod', monitor: null });
  expect(edge.pools[0]!.members).toMatchObject([{ pod: 'traefik-1' }]);
});

test('a virtual server on other ports than its Service is a service of its own over the same endpoints', () => {
  const model = load(
    BARE,
    cis('TransportServer', 'front', {
      virtualServerAddress: '192.0.2.10',
      virtualServerPort: 8443,
      snat: 'none',
      persistenceProfile: 'none',
      pool: { ...POOL, loadBalancingMethod: 'least-connections-member', serviceDownAction: 'reset' },
    }),
  );
  const front = model.services.find(({ name }) => name === 'front')!;
  expect(front.ports).toMatchObject([{ port: 8443, targetPort: 8000, nodePort: 30080 }]);
  expect(front.endpoints).toMatchObject([{ pod: 'traefik-1' }]);
  expect(model.services.find(({ name }) => name === 'traefik')!.vips).toEqual([]);
  expect(model.edge!.virtualServers).toMatchObject([{ service: 1, snat: 'none', persistence: 'none' }]);
  expect(model.edge!.pools[0]).toMatchObject({ balance: 'least-connections', serviceDown: 'reset' });
  const printed = loadScenario([{ name: 'p.yaml', text: printScenario(model) }]).model;
  expect(printed.edge).toEqual(model.edge);
});

test('a VirtualServer listens on its HTTPS port where it has a TLS profile, and is balanced anew in spite of its cookie', () => {
  const model = load(
    BARE,
    cis(
      'VirtualServer',
      'site',
      {
        host: 'a.example',
        tlsProfileName: 'tls',
        httpTraffic: 'redirect',
        pools: [{ ...POOL, path: '/', monitor: { type: 'http', interval: 20, timeout: 61 } }],
      },
      { vsAddress: '192.0.2.11', status: 'Ok' },
    ),
  );
  const named = new Map(model.services.map((service) => [service.name, service]));
  expect(named.get('site')).toMatchObject({ ports: [{ port: 443 }] });
  expect(named.get('site')!.notModelled).toBeUndefined();
  expect(named.get('site-80')!.notModelled).toContain('redirect');
  expect(model.edge!.pools).toMatchObject([{ monitor: { intervalS: 20, timeoutS: 61 } }]);
  expect(model.assumed!.map(({ what }) => what)).toContain('edge.virtualServers.site.persistence');
});

test('an AS3 declaration gets its members from the Service that its labels name', () => {
  const declaration = {
    class: 'AS3',
    declaration: {
      class: 'ADC',
      shop: {
        class: 'Tenant',
        app: {
          class: 'Application',
          template: 'generic',
          web: {
            class: 'Service_L4',
            virtualAddresses: ['192.0.2.12'],
            virtualPort: 80,
            pool: 'web_pool',
            snat: 'none',
            persistenceMethods: [],
          },
          web_pool: {
            class: 'Pool',
            loadBalancingMode: 'ratio-member',
            slowRampTime: 30,
            monitors: [{ use: 'slow' }],
            members: [{ servicePort: 80, serverAddresses: [], shareNodes: true }],
          },
          slow: { class: 'Monitor', monitorType: 'tcp', interval: 10, timeout: 31 },
        },
      },
    },
  };
  const map = object(
    'v1',
    'ConfigMap',
    'as3',
    { data: { template: JSON.stringify(declaration) } },
    { labels: { f5type: 'virtual-server', as3: 'true' } },
  );
  const labelled = BARE.replace(
    'metadata: {name: traefik, namespace: ingress}',
    'metadata: {name: traefik, namespace: ingress, labels: {cis.f5.com/as3-tenant: shop, cis.f5.com/as3-app: app, cis.f5.com/as3-pool: web_pool}}',
  );
  const { edge, services } = load(labelled, map);
  expect(services[0]!.vips.map(formatAddress)).toEqual(['192.0.2.12']);
  expect(edge!.virtualServers).toMatchObject([{ snat: 'none', persistence: 'none' }]);
  expect(edge!.pools).toMatchObject([
    { balance: 'ratio', slowRampS: 30, monitor: { intervalS: 10, timeoutS: 31 } },
  ]);
  const unlabelled = load(BARE, map);
  expect(unlabelled.edge).toBeNull();
  expect(unlabelled.unread!.join()).toContain('no Service has the labels of its pool web_pool');
});

test('the ConfigMap of CIS before AS3 is a virtual server, too', () => {
  const virtualServer = {
    frontend: { balance: 'round-robin', mode: 'tcp', virtualAddress: { bindAddr: '192.0.2.13', port: 80 } },
    backend: { serviceName: 'traefik', servicePort: 80 },
  };
  const map = object(
    'v1',
    'ConfigMap',
    'old',
    {
      data: {
        schema: 'f5schemadb://bigip-virtual-server_v0.1.7.json',
        data: JSON.stringify({ virtualServer }),
      },
    },
    { labels: { f5type: 'virtual-server' } },
  );
  expect(edgeOf(BARE, map)).toMatchObject({
    pools: [{ monitor: null }],
    virtualServers: [{ service: 0, persistence: 'none' }],
  });
});

test('an IngressLink takes every port of the Service that it selects, and its PROXY header', () => {
  const selected = BARE.replace(
    'metadata: {name: traefik, namespace: ingress}',
    'metadata: {name: traefik, namespace: ingress, labels: {app: link}}',
  );
  const edge = edgeOf(
    selected,
    cis('IngressLink', 'link', {
      virtualServerAddress: '192.0.2.14',
      iRules: ['/Common/Proxy_Protocol_iRule'],
      selector: { matchLabels: { app: 'link' } },
    }),
  );
  expect(edge.virtualServers).toMatchObject([{ insert: { sendProxy: 1 } }]);
});

const UNJUDGED: [string, string, object][] = [
  ['iRules', 'VirtualServer', { pools: [POOL], iRules: ['/Common/pick'] }],
  ['2 pools', 'VirtualServer', { pools: [POOL, { ...POOL, service: 'other', path: '/x' }] }],
  ['allowSourceRange', 'VirtualServer', { pools: [POOL], allowSourceRange: ['10.0.0.0/8'] }],
  [
    'alternateBackends',
    'TransportServer',
    { virtualServerPort: 80, pool: { ...POOL, alternateBackends: [{ service: 'b' }] } },
  ],
  [
    'least-sessions',
    'TransportServer',
    { virtualServerPort: 80, pool: { ...POOL, loadBalancingMethod: 'least-sessions' } },
  ],
  ['persistence ssl', 'TransportServer', { virtualServerPort: 80, persistenceProfile: 'ssl', pool: POOL }],
  [
    'Service ingress/gone was not given',
    'TransportServer',
    { virtualServerPort: 80, pool: { ...POOL, service: 'gone' } },
  ],
  ['Policy p was not given', 'TransportServer', { virtualServerPort: 80, policyName: 'p', pool: POOL }],
];

test.each(UNJUDGED)(
  'what cannot be expressed is named, and its connections are not judged: %s',
  (word, kind, spec) => {
    const model = load(BARE, cis(kind, 'odd', { virtualServerAddress: '192.0.2.10', ...spec }));
    expect(
      model.unread!.filter((line) => line.startsWith(`${kind} odd: `) && line.includes(word)),
    ).toHaveLength(1);
    expect(model.services.find(({ vips }) => vips.length > 0)!.notModelled).toContain(word);
    expect(model.edge).toBeNull();
  },
);

test('two hosts on one address and port are told apart by requests only: neither is judged', () => {
  const site = (name: string, service: string): string =>
    cis('VirtualServer', name, {
      host: `${name}.example`,
      virtualServerAddress: '192.0.2.10',
      pools: [{ ...POOL, service }],
    });
  const same = load(BARE, site('a', 'traefik'), site('b', 'traefik'));
  expect(same.edge!.virtualServers).toHaveLength(1);
  expect(same.unread).toEqual([]);
  const other = load(BARE, site('a', 'traefik'), site('b', 'elsewhere'));
  expect(other.services.find(({ vips }) => vips.length > 0)!.notModelled).toContain('host');
});

test('a Scenario completes the load balancer of the objects, key by key', () => {
  const bare = DUMP.replace('flannel.alpha.coreos.com/public-ip: 192.168.0.250', 'unrelated: x');
  const scenario = `apiVersion: flowfate.dev/v1\nkind: Scenario\nspec: { edge: { address: 192.168.0.99 } }`;
  const without = load(bare);
  expect(without.edge!.addresses.map(formatAddress)).toEqual(['192.0.2.254']);
  expect(without.assumed!.map(({ what }) => what)).toContain('edge.address');
  const model = load(bare, scenario);
  expect(model.edge!.addresses.map(formatAddress)).toEqual(['192.168.0.99']);
  expect(model.edge!.pools).toHaveLength(1);
  expect(model.assumed!.map(({ what }) => what)).not.toContain('edge.address');
});
