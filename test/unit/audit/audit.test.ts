import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { audit } from '../../../src/audit/audit.js';
import { type Finding, RULES } from '../../../src/audit/finding.js';
import type { MeasuredRate } from '../../../src/audit/rules/conntrack.js';
import { readRouterTables } from '../../../src/cluster/router-tables/read-router-tables.js';
import { objectsOf } from '../../../src/cluster/scenario/source-objects.js';
import { readDocuments } from '../../../src/cluster/yaml/document-reader.js';
import { Problems } from '../../../src/cluster/yaml/problems.js';
import { inFolder, runCommand } from '../cli/made-io.js';

const node = (name: string, more: { annotations?: object; labels?: object; cpu?: string } = {}) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { rack: `r-${name}`, ...more.labels }, annotations: more.annotations ?? {} },
  status: { capacity: { cpu: more.cpu ?? '4' } },
});
const service = (spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ...spec },
  status: { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } },
});
const slice = (nodes: readonly string[]) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-x', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  endpoints: nodes.map((nodeName, i) => ({
    addresses: [`10.244.0.${i + 10}`],
    nodeName,
    targetRef: { kind: 'Pod', name: `web-${i}` },
  })),
});
const pod = (i: number, nodeName: string, container: object = {}, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `web-${i}`, namespace: 'shop' },
  spec: {
    nodeName,
    terminationGracePeriodSeconds: 60,
    containers: [
      {
        name: 'c',
        image: 'shop:1',
        readinessProbe: { periodSeconds: 5 },
        lifecycle: { preStop: { sleep: { seconds: 10 } } },
        ...container,
      },
    ],
    ...spec,
  },
  status: { phase: 'Running', podIP: `10.244.0.${i + 10}` },
});
const NODES = ['a', 'b', 'c'];
const HEALTHY = [
  ...NODES.map((name) => node(name)),
  service(),
  slice(NODES),
  ...NODES.map((name, i) => pod(i, name)),
];

function audited(objects: readonly object[], options: { router?: string; measured?: MeasuredRate } = {}) {
  const text = objects.map((object) => JSON.stringify(object, null, 1)).join('\n');
  const problems = new Problems();
  const { documents } = readDocuments({ name: 'all.json', text }, problems);
  const found = documents.flatMap((document) => objectsOf(document, problems));
  problems.throwIfAny();
  const router =
    options.router === undefined
      ? []
      : readRouterTables([{ name: 'sysctl.txt', text: options.router, isFound: false }]);
  return audit({ objects: found, router, measured: options.measured ?? null });
}

/** The findings of one rule, each of which must stand on evidence with a place. */
function findings(
  rule: Finding['rule'],
  objects: readonly object[],
  options: Parameters<typeof audited>[1] = {},
): Finding[] {
  const all = audited(objects, options).findings;
  for (const { evidence } of all) {
    expect(evidence.length).toBeGreaterThan(0);
    for (const { position } of evidence) expect(position.file).toBeDefined();
  }
  return all.filter((finding) => finding.rule === rule);
}

/** `objects` with those that have the kinds of `others` replaced by them. */
function replacing(...others: readonly { kind: string }[]): object[] {
  const kinds = new Set(others.map(({ kind }) => kind));
  return [...HEALTHY.filter(({ kind }) => !kinds.has(kind)), ...others];
}

describe('an audit', () => {
  test('finds nothing in a healthy cluster, and says what it did not look at', () => {
    const { findings: found, looked, missing } = audited(HEALTHY);
    expect(found).toEqual([]);
    expect(looked).toEqual({ Node: 3, Service: 1, EndpointSlice: 1, Pod: 3 });
    expect(missing).toEqual([
      'no sysctl of the router (--router-state): its hash policy was not looked at',
      'no capture (--capture): conntrack’s limits were not held against a rate',
    ]);
  });

  const TUNNEL = 'projectcalico.org/IPv4IPIPTunnelAddr';
  const block = (allocations: unknown[], handle: string) => ({
    apiVersion: 'crd.projectcalico.org/v1',
    kind: 'IPAMBlock',
    metadata: { name: '10-244-0-0-29' },
    spec: { cidr: '10.244.0.0/29', allocations, attributes: [{ handle_id: handle }] },
  });

  test('finds a pod with a node’s tunnel address, by the annotation and the pod', () => {
    const objects = replacing(node('a', { annotations: { [TUNNEL]: '10.244.0.11' } }), node('b'), node('c'));
    const [found] = findings('tunnel-address-collision', objects);
    expect(found).toMatchObject({
      severity: 'high',
      finding: 'Pod shop/web-1 has 10.244.0.11, the tunnel address of node a.',
    });
    expect(found!.evidence.map(({ object }) => object)).toEqual(['Node a', 'Pod shop/web-1']);
  });

  test('finds a tunnel address that the block counts as free, or gave to a workload; not one that it knows', () => {
    const at = (address: string, own: object) => [
      ...replacing(node('a', { annotations: { [TUNNEL]: address } }), node('b'), node('c')),
      own,
    ];
    const free: (number | null)[] = [null, null, null, null, null, null, null, null];
    expect(findings('tunnel-address-free', at('10.244.0.3', block(free, 'x')))).toHaveLength(1);
    const given = free.with(3, 0);
    expect(
      findings('tunnel-address-collision', at('10.244.0.3', block(given, 'k8s-pod-network.1234')))[0]!
        .finding,
    ).toContain('belongs to the handle k8s-pod-network.1234');
    expect(audited(at('10.244.0.3', block(given, 'ipip-tunnel-addr-a'))).findings).toEqual([]);
  });

  test('finds two pods with one address, unless they share their host’s network', () => {
    const twin = { ...pod(1, 'b'), status: { podIP: '10.244.0.10' } };
    expect(findings('duplicate-pod-address', replacing(pod(0, 'a'), twin))[0]!.finding).toBe(
      'Pods shop/web-0 and shop/web-1 both have 10.244.0.10.',
    );
    const host = { ...pod(1, 'b', {}, { hostNetwork: true }), status: { podIP: '10.244.0.10' } };
    expect(findings('duplicate-pod-address', replacing(pod(0, 'a'), host))).toEqual([]);
  });

  test('finds a service on one node, or in one rack of several', () => {
    expect(findings('single-failure-domain', replacing(slice(['a', 'a'])))[0]).toMatchObject({
      severity: 'high',
      finding: 'All 2 endpoints of service shop/web stand on node a.',
    });
    const racks = NODES.map((name) => node(name, { labels: { rack: name === 'c' ? 'r2' : 'r1' } }));
    expect(findings('single-failure-domain', replacing(slice(['a', 'b']), ...racks))[0]).toMatchObject({
      severity: 'medium',
      finding: 'All 2 endpoints of service shop/web stand in rack r1.',
    });
    expect(findings('single-failure-domain', replacing(slice(['a', 'c']), ...racks))).toEqual([]);
    const one = NODES.map((name) => node(name, { labels: { rack: 'r1' } }));
    expect(findings('single-failure-domain', replacing(slice(['a', 'b']), ...one))).toEqual([]);
  });

  test('says nothing of placement where endpoints name no node', () => {
    const bare = { ...slice(['a']), endpoints: [{ addresses: ['10.9.9.9'] }] };
    expect(findings('single-failure-domain', replacing(bare))).toEqual([]);
  });

  test('finds unequal pods a node under policy Local, with the factor', () => {
    const objects = replacing(slice(['a', 'b', 'b', 'b', 'c']));
    expect(findings('uneven-local', objects)[0]!.finding).toBe(
      'A pod of service shop/web on a, c gets 3 times the traffic of one on b.',
    );
    expect(findings('uneven-local', [...objects, service({ externalTrafficPolicy: 'Cluster' })])).toEqual([]);
  });

  test('finds nodes that announce without an endpoint', () => {
    const metallb = [
      {
        apiVersion: 'metallb.io/v1beta1',
        kind: 'IPAddressPool',
        metadata: { name: 'p', namespace: 'm' },
        spec: { addresses: ['192.0.2.0/24'] },
      },
      {
        apiVersion: 'metallb.io/v1beta1',
        kind: 'BGPAdvertisement',
        metadata: { name: 'adv', namespace: 'm' },
        spec: { nodeSelectors: [{ matchLabels: { lb: 'yes' } }] },
      },
    ];
    const nodes = NODES.map((name) => node(name, { labels: { lb: name === 'c' ? 'no' : 'yes' } }));
    const cluster = service({ externalTrafficPolicy: 'Cluster' });
    expect(
      findings('announcers-exceed-proxies', [...replacing(slice(['a']), cluster, ...nodes), ...metallb])[0]!
        .finding,
    ).toBe('2 nodes announce service shop/web, and its endpoints stand on 1.');
    expect(
      findings('announcers-exceed-proxies', [...replacing(slice(['a', 'b']), cluster, ...nodes), ...metallb]),
    ).toEqual([]);
  });

  const traefik = (...args: string[]) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'traefik', namespace: 'ingress' },
    spec: { template: { spec: { containers: [{ image: 'traefik:v3', args }] } } },
  });
  test.each([
    ['--entryPoints.web.forwardedHeaders.insecure', 1],
    ['--entrypoints.web.forwardedHeaders.insecure=false', 0],
    ['--entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.0/8,0.0.0.0/0', 1],
    ['--entryPoints.web.proxyProtocol.trustedIPs=10.0.0.7', 0],
    ['--entryPoints.web.proxyProtocol.insecure=true', 1],
  ])('judges whom Traefik trusts by %s', (argument, count) => {
    expect(findings('forged-client-address', [...HEALTHY, traefik(argument)])).toHaveLength(count);
  });

  test('judges whom ingress-nginx trusts', () => {
    const config = (data: object) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'ingress-nginx-controller', namespace: 'i' },
      data,
    });
    expect(
      findings('forged-client-address', [...HEALTHY, config({ 'use-forwarded-headers': 'true' })]),
    ).toHaveLength(1);
    expect(
      findings('forged-client-address', [
        ...HEALTHY,
        config({ 'use-forwarded-headers': 'true', 'proxy-real-ip-cidr': '10.0.0.0/24' }),
      ]),
    ).toEqual([]);
    expect(
      findings('forged-client-address', [
        ...HEALTHY,
        config({ 'use-proxy-protocol': 'true', 'proxy-real-ip-cidr': '0.0.0.0/0' }),
      ]),
    ).toHaveLength(1);
  });

  test('finds a proxy that never sees its clients, unless the data plane keeps the source', () => {
    const objects = replacing(
      service({ externalTrafficPolicy: 'Cluster' }),
      pod(0, 'a', { image: 'docker.io/traefik:v3.1' }),
    );
    expect(findings('lost-client-address', objects)).toHaveLength(1);
    const cilium = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'cilium-config', namespace: 'kube-system' },
      data: { 'kube-proxy-replacement': 'true' },
    };
    expect(findings('lost-client-address', [...objects, cilium])).toEqual([]);
  });

  test('finds a peer without BFD, with its hold time', () => {
    const peer = (spec: object) => ({
      apiVersion: 'metallb.io/v1beta2',
      kind: 'BGPPeer',
      metadata: { name: 'tor', namespace: 'm' },
      spec,
    });
    expect(findings('slow-failure-detection', [...HEALTHY, peer({})])[0]!.finding).toContain('up to 90 s');
    expect(findings('slow-failure-detection', [...HEALTHY, peer({ holdTime: '30s' })])[0]!.finding).toContain(
      'up to 30 s',
    );
    expect(findings('slow-failure-detection', [...HEALTHY, peer({ bfdProfile: 'fast' })])).toEqual([]);
    expect(findings('slow-failure-detection', [...HEALTHY, peer({ holdTime: '3s' })])).toEqual([]);
  });

  test('finds pods whose hang or leave nobody notices in time', () => {
    expect(findings('slow-probe', replacing(pod(0, 'a', { readinessProbe: undefined })))).toHaveLength(1);
    expect(
      findings(
        'slow-probe',
        replacing(pod(0, 'a', { readinessProbe: { periodSeconds: 30, failureThreshold: 4 } })),
      )[0]!.finding,
    ).toContain('for up to 121 s');
    expect(findings('no-time-to-leave', replacing(pod(0, 'a', { lifecycle: undefined })))).toHaveLength(1);
    expect(
      findings(
        'no-time-to-leave',
        replacing(pod(0, 'a', { lifecycle: { preStop: { sleep: { seconds: 60 } } } })),
      )[0]!.finding,
    ).toContain('are killed while they still wait');
  });

  test('finds NodePort members without a healthCheckNodePort behind a load balancer', () => {
    const server = {
      apiVersion: 'cis.f5.com/v1',
      kind: 'TransportServer',
      metadata: { name: 'ts', namespace: 'shop' },
      spec: { pool: { service: 'web', monitor: { type: 'tcp' } } },
    };
    expect(findings('unknown-members', [...replacing(service({ type: 'NodePort' })), server])).toHaveLength(
      1,
    );
    expect(
      findings('unknown-members', [...replacing(service({ healthCheckNodePort: 30900 })), server]),
    ).toEqual([]);
    expect(findings('unknown-members', replacing(service({ type: 'NodePort' })))).toEqual([]);
  });

  test('finds a CPU limit far below the node’s CPUs, unless threads follow the limit', () => {
    const limited = (more: object = {}) =>
      replacing(
        pod(0, 'a', { resources: { limits: { cpu: '500m' } }, ...more }),
        node('a', { cpu: '64' }),
        node('b'),
        node('c'),
      );
    expect(findings('cpu-limit-throttles', limited())[0]!.finding).toContain('up to 99 of every 100 ms');
    expect(findings('cpu-limit-throttles', limited({ env: [{ name: 'GOMAXPROCS', value: '1' }] }))).toEqual(
      [],
    );
  });

  test('finds a router that hashes addresses alone', () => {
    expect(
      findings('hash-by-address', HEALTHY, { router: 'net.ipv4.fib_multipath_hash_policy = 0\n' }),
    ).toHaveLength(1);
    expect(
      findings('hash-by-address', HEALTHY, { router: 'net.ipv4.fib_multipath_hash_policy = 1\n' }),
    ).toEqual([]);
  });

  test('holds a measured rate against the smallest table, with kube-proxy’s own limits', () => {
    const measured = { file: 'c.pcap', perS: 1000, meanS: 5 };
    expect(findings('conntrack-near-limit', HEALTHY, { measured })[0]).toMatchObject({ severity: 'medium' });
    expect(findings('conntrack-near-limit', HEALTHY, { measured: { ...measured, perS: 100 } })).toEqual([]);
    const config = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kube-proxy', namespace: 'kube-system' },
      data: { 'config.conf': 'kind: KubeProxyConfiguration\nconntrack:\n  maxPerCore: 1000\n  min: 1000\n' },
    };
    expect(
      findings('conntrack-near-limit', [...HEALTHY, config], { measured: { ...measured, perS: 100 } })[0]!
        .severity,
    ).toBe('high');
  });
});

describe('flowfate audit', () => {
  const BROKEN = [...replacing(slice(['a', 'a']))].map((object) => JSON.stringify(object)).join('\n');

  test('prints findings with their places, as text, JSON and SARIF, and fails where it is told to', () =>
    inFolder(async (folder) => {
      const file = join(folder, 'cluster.json');
      writeFileSync(file, BROKEN);
      const text = await runCommand(['audit', '--cluster', file, '--fail-on', 'high']);
      expect(text.status).toBe(1);
      expect(text.out).toContain('1 finding in 8 objects: 1 high, 0 medium, 0 low.');
      expect(text.out).toContain(`cluster.json:8:`);
      const json = JSON.parse((await runCommand(['audit', '--cluster', file, '--format', 'json'])).out);
      expect(json.findings[0]).toMatchObject({ rule: 'single-failure-domain', severity: 'high' });
      const sarif = JSON.parse((await runCommand(['audit', '--cluster', file, '--format', 'sarif'])).out);
      expect(sarif.runs[0].tool.driver.rules.map(({ id }: { id: string }) => id)).toEqual(Object.keys(RULES));
      expect(sarif.runs[0].results[0]).toMatchObject({ ruleId: 'single-failure-domain', level: 'error' });
      expect(sarif.runs[0].results[0].locations[0].physicalLocation.region.startLine).toBe(8);
    }));

  test('refuses an input without objects in a sentence', () =>
    inFolder(async (folder) => {
      const file = join(folder, 'empty.json');
      writeFileSync(file, '{"kind":"List","apiVersion":"v1","items":[]}');
      const { status, err } = await runCommand(['audit', '--cluster', file]);
      expect(status).toBe(2);
      expect(err).toContain(
        'no Kubernetes objects; give what kubectl get -o yaml or flowfate collect writes',
      );
      expect((await runCommand(['audit'])).status).toBe(2);
    }));
});
