import { describe, expect, test } from 'vitest';
import { type LoadedScenario, loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';

const CLUSTER = `
apiVersion: v1
kind: Node
metadata: { name: n1 }
spec: { podCIDR: 10.244.1.0/24 }
status: { addresses: [{ type: InternalIP, address: 10.0.0.1 }, { type: InternalIP, address: "fd00::1" }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { type: LoadBalancer, ports: [{ port: 80 }] }
status: { loadBalancer: { ingress: [{ ip: 203.0.113.10 }] } }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
ports: [{ port: 8080 }]
endpoints: [{ addresses: [10.244.1.10], nodeName: n1, targetRef: { kind: Pod, name: web-1 } }]
`;

function load(...documents: string[]): LoadedScenario {
  return loadScenario([{ name: 'c.yaml', text: [CLUSTER, ...documents].join('---\n') }]);
}

const unread = (loaded: LoadedScenario): string => (loaded.model.unread ?? []).join('\n');

describe('a wrongly typed field', () => {
  test.each([
    ['Pod p', 'apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { nodeName: 5 }\n'],
    ['ConfigMap m', 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: m }\ndata: [a]\n'],
    ['DaemonSet d', 'apiVersion: apps/v1\nkind: DaemonSet\nmetadata: { name: d }\nspec: { template: 1 }\n'],
    [
      'Service db',
      'apiVersion: v1\nkind: Service\nmetadata: { name: db, namespace: shop }\nspec: { type: ClusterIP, ports: [{ port: db }] }\n',
    ],
    [
      'EndpointSlice db-1',
      'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: db-1, namespace: shop, labels: { kubernetes.io/service-name: db } }\nendpoints: [{ addresses: none }]\n',
    ],
  ])('in %s, which no flow from outside is judged by, leaves out that object and says so', (name, text) => {
    const loaded = load(text);
    expect(loaded.model.services.map((service) => service.name)).toContain('web');
    expect(unread(loaded)).toContain(`${name}: left out, for it cannot be read: c.yaml:`);
  });

  test('in a slice of a service that clients reach is refused', () => {
    expect(() => load(CLUSTER.split('---\n')[2]!.replace('[10.244.1.10]', '10.244.1.10'))).toThrow(
      'expected a list',
    );
  });
});

test('remarks are there where loading fails as well', () => {
  const remarks = { notes: [], unread: [] as string[] };
  const text = `${CLUSTER}---\napiVersion: v1\nkind: Serivce\nmetadata: { name: x }\n`.replace(
    'port: 80',
    'port: 0',
  );
  expect(() => loadScenario([{ name: 'c.yaml', text }], { remarks })).toThrow('expected a port');
  expect(remarks.unread.join()).toContain('did you mean Service?');
});

describe('settings that are not modelled are named', () => {
  const proxy = (fields: string): string =>
    `apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n${fields}\n`;

  test('a mode of kube-proxy: no connection is judged, unless a Scenario states one', () => {
    const loaded = load(proxy('mode: userspace'));
    expect(loaded.model.services[0]!.notModelled).toBe('kube-proxy runs in mode userspace');
    expect(unread(loaded)).toContain('mode userspace is not modelled');
    const stated = 'apiVersion: flowfate.dev/v1\nkind: Scenario\nspec: { dataplane: { proxy: iptables } }\n';
    expect(load(proxy('mode: userspace'), stated).model.services[0]!.notModelled).toBeUndefined();
  });

  test('a scheduler of IPVS: no connection is judged, unless a Scenario states another, or IPVS is not used', () => {
    const sed = (mode: string): string => proxy(`mode: ${mode}\nipvs: { scheduler: sed }`);
    const loaded = load(sed('ipvs'));
    expect(loaded.model.services[0]!.notModelled).toBe('IPVS chooses endpoints by sed');
    expect(unread(loaded)).toContain('ipvs.scheduler sed is not modelled');
    const stated =
      'apiVersion: flowfate.dev/v1\nkind: Scenario\nspec: { dataplane: { proxy: ipvs, ipvs: { scheduler: lc } } }\n';
    expect(load(sed('ipvs'), stated).model.services[0]!.notModelled).toBeUndefined();
    expect(load(sed('iptables')).model.services[0]!.notModelled).toBeUndefined();
    expect(load(proxy('mode: ipvs\nipvs: { scheduler: wrr }')).model.dataplane.ipvs.scheduler).toBe('rr');
  });

  test('nodePortAddresses, where they leave out an address of a node', () => {
    expect(unread(load(proxy('nodePortAddresses: [10.0.0.0/8]')))).toContain('leaves out fd00::1');
    expect(unread(load(proxy('nodePortAddresses: ["10.0.0.0/8", "fd00::/8"]')))).toBe('');
    expect(unread(load(proxy('nodePortAddresses: [primary]')))).toBe('');
  });

  test('nodes of a pool, and communities of an advertisement', () => {
    const pool = (selector: string): string =>
      `apiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: { name: p }\nspec: { cidr: 10.244.0.0/16, nodeSelector: ${selector} }\n`;
    expect(unread(load(pool('"rack == \'r1\'"')))).toContain('IPPool p: nodeSelector');
    expect(unread(load(pool('all()')))).toBe('');
    const advertisement =
      'apiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: { name: a }\nspec: { communities: ["64512:1"] }\n';
    expect(unread(load(advertisement))).toContain('BGPAdvertisement a: communities 64512:1');
  });
});
