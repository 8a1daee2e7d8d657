import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { formatAddress } from '../../../../src/addr/address.js';
import { formatPrefix } from '../../../../src/addr/prefix.js';
import { loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';
import { printScenario } from '../../../../src/cluster/scenario/print-scenario.js';

const load = (...objects: object[]) =>
  loadScenario([
    { name: 'dump.yaml', text: stringify({ apiVersion: 'v1', kind: 'List', items: [NODE, ...objects] }) },
  ]).model;

const NODE = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1' },
  spec: { podCIDR: '10.244.1.0/24' },
  status: { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] },
};
const named = (apiVersion: string, kind: string, name: string, rest: object, meta: object = {}): object => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'ingress', ...meta },
  ...rest,
});

/** A LoadBalancer Service over one pod, and the Deployment of that pod. */
function proxy(image: string, args: string[], more: object = {}): object[] {
  return [
    named('v1', 'Service', 'edge', {
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.96.0.2',
        ports: [
          { name: 'http', port: 80, targetPort: 8000 },
          { name: 'https', port: 443, targetPort: 8443 },
          { name: 'metrics', port: 9100, targetPort: 9100 },
        ],
        selector: { app: 'edge' },
      },
      status: { loadBalancer: { ingress: [{ ip: '203.0.113.10' }] } },
    }),
    named(
      'discovery.k8s.io/v1',
      'EndpointSlice',
      'edge-x',
      {
        addressType: 'IPv4',
        endpoints: [
          { addresses: ['10.244.1.5'], nodeName: 'n1', targetRef: { kind: 'Pod', name: 'edge-1' } },
        ],
        ports: [
          { name: 'http', port: 8000 },
          { name: 'https', port: 8443 },
          { name: 'metrics', port: 9100 },
        ],
      },
      { labels: { 'kubernetes.io/service-name': 'edge' } },
    ),
    named('apps/v1', 'Deployment', 'edge', {
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'edge' } },
        template: {
          metadata: { labels: { app: 'edge' } },
          spec: { containers: [{ name: 'proxy', image, args, ...more }] },
        },
      },
    }),
  ];
}

const HTTP_PORTS = {
  ports: [
    { name: 'http', containerPort: 8000 },
    { name: 'https', containerPort: 8443 },
  ],
};
const configMap = (name: string, data: object): object => named('v1', 'ConfigMap', name, { data });
const proxiesOf = (...objects: object[]) =>
  load(...objects)
    .services.find(({ name }) => name === 'edge')!
    .ports.map(({ l7Proxy }) => l7Proxy);

test('each of Traefik’s entry points believes whom its arguments name, and other ports have no proxy', () => {
  const [web, secure, metrics] = proxiesOf(
    ...proxy('docker.io/library/traefik:v3.1.4', [
      '--entryPoints.web.address=:8000/tcp',
      '--entryPoints.websecure.address=:8443/tcp',
      '--entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.0/8,192.168.1.7',
      '--entryPoints.websecure.forwardedheaders.insecure',
      '--entryPoints.websecure.proxyProtocol.trustedIPs=10.0.0.250/32',
    ]),
  );
  expect(web).toMatchObject({ kind: 'traefik', forward: 'guard', acceptProxy: 'off' });
  expect(web!.trusted.map(formatPrefix)).toEqual(['10.0.0.0/8', '192.168.1.7/32']);
  expect(secure!.trusted.map(formatPrefix)).toEqual(['0.0.0.0/0', '::/0']);
  expect(secure).toMatchObject({ acceptProxy: 'trusted' });
  expect(secure!.proxyTrusted!.map(formatPrefix)).toEqual(['10.0.0.250/32']);
  expect(metrics).toBeUndefined();
});

test('Traefik’s file in a ConfigMap says the same, and an entry point of TCP routes alone passes on bytes', () => {
  const file = {
    entryPoints: {
      web: { address: ':8000', forwardedHeaders: { trustedIPs: ['10.1.0.0/16'] } },
      raw: { address: ':8443' },
    },
  };
  const [web, raw] = proxiesOf(
    ...proxy('traefik:v2.11', ['--configFile=/etc/traefik/traefik.yaml']),
    configMap('traefik', { 'traefik.yaml': stringify(file) }),
    named('traefik.io/v1alpha1', 'IngressRouteTCP', 'db', { spec: { entryPoints: ['raw'] } }),
  );
  expect(web!.trusted.map(formatPrefix)).toEqual(['10.1.0.0/16']);
  expect(raw).toMatchObject({ forward: 'off', application: { reads: 'peer' } });
});

test.each([
  [{}, { forward: 'replace', realIp: 'peer', acceptProxy: 'off', trusted: [] }],
  [{ 'use-forwarded-headers': 'true' }, { forward: 'replace', realIp: 'rightmost-untrusted' }],
  [{ 'use-forwarded-headers': 'true', 'compute-full-forwarded-for': 'true' }, { forward: 'append-peer' }],
  [{ 'use-proxy-protocol': 'true' }, { forward: 'replace', realIp: 'peer', acceptProxy: 'required' }],
])('ingress-nginx with %j', (data, expected) => {
  const [http] = proxiesOf(
    ...proxy(
      'registry.k8s.io/ingress-nginx/controller:v1.11.2@sha256:abc',
      ['/nginx-ingress-controller', '--configmap=$(POD_NAMESPACE)/controller'],
      HTTP_PORTS,
    ),
    configMap('controller', data),
  );
  expect(http).toMatchObject({ kind: 'nginx', ...expected });
});

test('proxy-real-ip-cidr is whom ingress-nginx believes: everybody, unless it is stated', () => {
  const nginx = proxy(
    'registry.k8s.io/ingress-nginx/controller:v1.11.2',
    ['--configmap=ingress/c'],
    HTTP_PORTS,
  );
  const on = { 'use-forwarded-headers': 'true' };
  expect(proxiesOf(...nginx, configMap('c', on))[0]!.trusted.map(formatPrefix)).toEqual([
    '0.0.0.0/0',
    '::/0',
  ]);
  const narrow = configMap('c', { ...on, 'proxy-real-ip-cidr': '10.0.0.0/24, 10.0.1.9' });
  expect(proxiesOf(...nginx, narrow)[0]!.trusted.map(formatPrefix)).toEqual(['10.0.0.0/24', '10.0.1.9/32']);
});

test('a ConfigMap that was not given is assumed to say nothing, and that is said', () => {
  const model = load(
    ...proxy('registry.k8s.io/ingress-nginx/controller:v1.11.2', ['--configmap=ingress/gone'], HTTP_PORTS),
  );
  expect(model.assumed!.find(({ what }) => what === 'services.edge.l7Proxy')!.because).toContain(
    'ConfigMap ingress/gone',
  );
});

test('HAProxy’s two ingress controllers and NGINX’s own differ in what they do with the field', () => {
  const [tech] = proxiesOf(
    ...proxy('haproxytech/kubernetes-ingress:3.0', ['--configmap=ingress/h'], HTTP_PORTS),
    configMap('h', { 'proxy-protocol': '10.0.0.0/8' }),
  );
  expect(tech).toMatchObject({ kind: 'haproxy', forward: 'add', acceptProxy: 'trusted' });
  const [other] = proxiesOf(
    ...proxy('quay.io/jcmoraisjr/haproxy-ingress:v0.14', ['--configmap=ingress/h'], HTTP_PORTS),
    configMap('h', { forwardfor: 'update', 'use-proxy-protocol': 'true' }),
  );
  expect(other).toMatchObject({ kind: 'haproxy', forward: 'append', acceptProxy: 'required' });
  const [nginx] = proxiesOf(
    ...proxy('nginx/nginx-ingress:3.6', ['-nginx-configmaps=$(POD_NAMESPACE)/n'], HTTP_PORTS),
    configMap('n', {
      'proxy-protocol': 'True',
      'real-ip-header': 'proxy_protocol',
      'set-real-ip-from': '10.0.0.9',
    }),
  );
  expect(nginx).toMatchObject({ kind: 'nginx', forward: 'append', acceptProxy: 'required' });
  expect(nginx!.proxyTrusted!.map(formatPrefix)).toEqual(['10.0.0.9/32']);
});

test('the only Service that routes name is the application, and a listener of TCP writes no header', () => {
  const app = named('v1', 'Service', 'shop', {
    spec: { clusterIP: '10.96.0.9', ports: [{ name: 'http', port: 8080 }] },
  });
  const ingress = named('networking.k8s.io/v1', 'Ingress', 'shop', {
    spec: {
      ingressClassName: 'nginx',
      rules: [{ http: { paths: [{ backend: { service: { name: 'shop', port: { name: 'http' } } } }] } }],
    },
  });
  const nginx = proxy('registry.k8s.io/ingress-nginx/controller:v1.11.2', [], HTTP_PORTS);
  const { application } = proxiesOf(...nginx, app, ingress)[0]!;
  expect(application.addresses.map(formatAddress)).toEqual(['10.96.0.9']);
  expect(application.port).toBe(8080);
});

test('what was read of a proxy survives being printed', () => {
  const model = load(
    ...proxy('traefik:v3', [
      '--entrypoints.web.address=:8000',
      '--entrypoints.web.proxyprotocol.insecure=true',
    ]),
  );
  const again = loadScenario([{ name: 'p.yaml', text: printScenario(model) }]).model;
  expect(again.services).toEqual(model.services);
});
