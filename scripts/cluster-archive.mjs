// Writes captures/cluster-withdraw.tgz: the cluster of captures/cluster-withdraw.yaml as `flowfate collect` would find it,
// Kubernetes objects and the router's tables, and no scenario. The same octets each time.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

const numbers = [1, 2, 3, 4];
const list = (items) => ({ apiVersion: 'v1', kind: 'List', items });
const meta = (name, namespace, more = {}) => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
  ...more,
});
const yes = (type) => ({ type, status: 'True' });

const nodes = numbers.map((i) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: meta(`n${i}`, undefined, { labels: { 'kubernetes.io/hostname': `n${i}` } }),
  spec: { podCIDR: `10.244.${i}.0/24`, podCIDRs: [`10.244.${i}.0/24`, `fd00:244:${i}::/64`] },
  status: {
    addresses: [
      { type: 'InternalIP', address: `10.0.0.${i}` },
      { type: 'InternalIP', address: `fd00:a::${i}` },
      { type: 'Hostname', address: `n${i}` },
    ],
    capacity: { cpu: '4' },
    conditions: [yes('Ready')],
  },
}));
const web = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta('web', 'default'),
  spec: {
    type: 'LoadBalancer',
    clusterIPs: ['10.96.0.10', 'fd00:96::10'],
    ipFamilies: ['IPv4', 'IPv6'],
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    sessionAffinity: 'None',
    selector: { app: 'web' },
    ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080, nodePort: 30080 }],
  },
  status: {
    loadBalancer: {
      ingress: [
        { ip: '203.0.113.10', ipMode: 'VIP' },
        { ip: '2001:db8:113::10', ipMode: 'VIP' },
      ],
    },
  },
};
const podAddress = { IPv4: (i) => `10.244.${i}.10`, IPv6: (i) => `fd00:244:${i}::a` };
const slices = ['IPv4', 'IPv6'].map((addressType) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: meta(`web-${addressType.toLowerCase()}`, 'default', {
    labels: { 'kubernetes.io/service-name': 'web' },
  }),
  addressType,
  ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  endpoints: numbers.map((i) => ({
    addresses: [podAddress[addressType](i)],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `n${i}`,
    targetRef: { kind: 'Pod', namespace: 'default', name: `n${i}-p0` },
  })),
}));
const pods = numbers.map((i) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: meta(`n${i}-p0`, 'default', { labels: { app: 'web' } }),
  spec: {
    nodeName: `n${i}`,
    terminationGracePeriodSeconds: 30,
    containers: [
      {
        name: 'web',
        image: 'registry.example/web:1',
        ports: [{ name: 'http', protocol: 'TCP', containerPort: 8080 }],
        readinessProbe: {
          httpGet: { path: '/', port: 'http' },
          periodSeconds: 10,
          failureThreshold: 3,
          timeoutSeconds: 1,
        },
      },
    ],
  },
  status: {
    phase: 'Running',
    podIP: podAddress.IPv4(i),
    podIPs: [{ ip: podAddress.IPv4(i) }, { ip: podAddress.IPv6(i) }],
    conditions: [yes('Ready')],
  },
}));
const kubeProxy = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: meta('kube-proxy', 'kube-system'),
  data: {
    'config.conf': [
      'apiVersion: kubeproxy.config.k8s.io/v1alpha1',
      'kind: KubeProxyConfiguration',
      'mode: iptables',
      'conntrack: { maxPerCore: 32768, min: 131072, tcpBeLiberal: false }',
      'iptables: { masqueradeAll: false, minSyncPeriod: 1s }',
      '',
    ].join('\n'),
  },
};
const metallb = (version, kind, name, spec) => ({
  apiVersion: `metallb.io/${version}`,
  kind,
  metadata: meta(name, 'metallb-system'),
  spec,
});

const route = (dst, gateway) => ({
  dst,
  protocol: 'bird',
  metric: 32,
  flags: [],
  nexthops: numbers.map((i) => ({ gateway: gateway(i), dev: 'br0', weight: 1, flags: [] })),
});
const sysctl = [
  'net.ipv4.fib_multipath_hash_fields = 7',
  'net.ipv4.fib_multipath_hash_policy = 1',
  'net.ipv4.fib_multipath_hash_seed = 1592639710',
  'net.ipv4.fib_multipath_use_neigh = 0',
  'net.ipv6.fib_multipath_hash_policy = 1',
  '',
].join('\n');

const files = {
  'cluster/nodes.json': list(nodes),
  'cluster/services.json': list([web]),
  'cluster/endpointslices.json': list(slices),
  'cluster/pods.json': list(pods),
  'cluster/configmap-kube-system-kube-proxy.json': kubeProxy,
  'cluster/ipaddresspools.json': list([
    metallb('v1beta1', 'IPAddressPool', 'vips', { addresses: ['203.0.113.0/24', '2001:db8:113::/64'] }),
  ]),
  'cluster/bgpadvertisements.json': list([
    metallb('v1beta1', 'BGPAdvertisement', 'vips', { ipAddressPools: ['vips'] }),
  ]),
  'cluster/bgppeers.json': list([
    metallb('v1beta2', 'BGPPeer', 'tor', {
      myASN: 64601,
      peerASN: 65000,
      peerAddress: '10.0.0.254',
      holdTime: '90s',
    }),
  ]),
  'router/ip-route.json': [route('203.0.113.10', (i) => `10.0.0.${i}`)],
  'router/ip-6-route.json': [route('2001:db8:113::10', (i) => `fd00:a::${i}`)],
  'router/sysctl.txt': sysctl,
};

const archive = pack();
for (const [name, content] of Object.entries(files)) {
  const text = typeof content === 'string' ? content : `${JSON.stringify(content, null, 1)}\n`;
  archive.entry({ name: `flowfate-collect/${name}`, mtime: new Date(0), uid: 0, gid: 0, mode: 0o644 }, text);
}
archive.finalize();
const chunks = [];
for await (const chunk of archive) chunks.push(chunk);
const octets = gzipSync(Buffer.concat(chunks), { level: 9 });
writeFileSync(fileURLToPath(new URL('../captures/cluster-withdraw.tgz', import.meta.url)), octets);
console.log(`cluster-withdraw.tgz: ${octets.length} octets`);
