import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../../src/addr/address.js';
import { loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';
import { printScenario } from '../../../../src/cluster/scenario/print-scenario.js';
import { PolicyGate, PolicyVerdict } from '../../../../src/state/policy-gate.js';
import { SHOP_NODES } from '../../../support/shop-cluster.js';

const CLUSTER = `${SHOP_NODES}---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { type: LoadBalancer, selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
status: { loadBalancer: { ingress: [{ ip: 203.0.113.10 }] } }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
ports: [{ port: 8080 }]
endpoints: [{ addresses: [10.244.1.10], nodeName: n1, targetRef: { kind: Pod, name: web-1 } }]
---
apiVersion: v1
kind: Pod
metadata: { name: web-1, namespace: shop, labels: { app: web } }
spec: { nodeName: n1, containers: [{ ports: [{ name: http, containerPort: 8080 }] }] }
status: { phase: Running, podIP: 10.244.1.10 }
---
apiVersion: v1
kind: Pod
metadata: { name: shopper, namespace: shop, labels: { role: client } }
spec: { nodeName: n2 }
status: { phase: Running, podIP: 10.244.2.20 }
`;

function calico(spec: string, name = 'p', kind = 'GlobalNetworkPolicy'): string {
  const namespace = kind === 'NetworkPolicy' ? ', namespace: shop' : '';
  return `apiVersion: crd.projectcalico.org/v1\nkind: ${kind}\nmetadata: { name: ${name}${namespace} }\nspec: ${spec}\n`;
}

function cilium(spec: string, name = 'p'): string {
  return `apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}\n`;
}

const DENY_ALL = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny, namespace: shop }
spec: { podSelector: {} }
`;

const CLIENT = '198.51.100.7';

/** `yes`, `no: <policies>`, or `?: <what is not known>`; then the scenario is printed, loaded, and asked again. */
function verdict(documents: string[], source = CLIENT, port = 8080): string {
  const { model } = loadScenario([{ name: 'c.yaml', text: [CLUSTER, ...documents].join('---\n') }]);
  const again = loadScenario([{ name: 'p.yaml', text: printScenario(model) }]).model;
  expect(again.policies).toEqual(model.policies);
  if (model.policies === undefined) return 'yes';
  const gate = new PolicyGate(model, model.policies);
  const seen = [gate.sourceOf(parseAddress(source)!)];
  const { verdict: found, because } = gate.judge(0, 'web-1', 0, seen, 6, port);
  return found === PolicyVerdict.allowed
    ? 'yes'
    : `${found === PolicyVerdict.denied ? 'no' : '?'}: ${because}`;
}

describe('Calico', () => {
  test('a policy that selects the endpoint denies what its rules do not allow', () => {
    const allow = calico(
      "{ selector: app == 'web', ingress: [{ action: Allow, source: { nets: [198.51.100.0/24] } }] }",
    );
    expect(verdict([allow])).toBe('yes');
    expect(verdict([allow], '192.0.2.1')).toBe('no: GlobalNetworkPolicy p');
    expect(verdict([calico("{ selector: app == 'db' }")])).toBe('yes');
  });

  test('order decides: what denies first denies, and a policy without order comes last', () => {
    const allow = (order: string) =>
      calico(`{ ${order}selector: all(), ingress: [{ action: Allow }] }`, 'allow');
    const deny = calico(
      '{ order: 10, selector: all(), ingress: [{ action: Deny, source: { nets: [198.51.100.7/32] } }] }',
      'deny',
    );
    expect(verdict([allow('order: 5, '), deny])).toBe('yes');
    expect(verdict([allow('order: 20, '), deny])).toBe('no: GlobalNetworkPolicy deny');
    expect(verdict([allow(''), deny])).toBe('no: GlobalNetworkPolicy deny');
    expect(verdict([allow(''), deny], '198.51.100.8')).toBe('yes');
  });

  test('a Kubernetes policy stands among them with order 1000', () => {
    const allow = (order: number) =>
      calico(`{ order: ${order}, selector: all(), ingress: [{ action: Allow }] }`);
    expect(verdict([allow(999), DENY_ALL])).toBe('yes');
    expect(verdict([allow(1001), DENY_ALL])).toBe('yes');
    const deny = calico('{ order: 999, selector: all(), ingress: [{ action: Deny }] }', 'deny');
    expect(
      verdict([deny, DENY_ALL.replace('{ podSelector: {} }', '{ podSelector: {}, ingress: [{}] }')]),
    ).toBe('no: GlobalNetworkPolicy deny');
  });

  test('Pass goes on to the next tier, Log to the next rule', () => {
    const tier =
      'apiVersion: crd.projectcalico.org/v1\nkind: Tier\nmetadata: { name: security }\nspec: { order: 100 }\n';
    const pass = calico(
      '{ tier: security, selector: all(), ingress: [{ action: Log }, { action: Pass }] }',
      'pass',
    );
    const denial = calico('{ tier: security, selector: all(), ingress: [{ action: Log }] }', 'pass');
    expect(verdict([tier, pass])).toBe('yes');
    expect(verdict([tier, pass, DENY_ALL])).toBe('no: NetworkPolicy shop/deny');
    expect(verdict([tier, denial])).toBe('no: GlobalNetworkPolicy pass');
    expect(verdict([pass])).toMatch(
      /^\?: GlobalNetworkPolicy pass: the order of its tier security is not known/,
    );
  });

  test('negations, ports and protocols', () => {
    const rule = (text: string) => [calico(`{ selector: all(), ingress: [{ action: Allow, ${text} }] }`)];
    expect(verdict(rule('source: { notNets: [198.51.100.0/24] }'))).toMatch(/^no/);
    expect(verdict(rule('protocol: TCP, destination: { ports: [80, "8000:9000"] }'))).toBe('yes');
    expect(verdict(rule('protocol: TCP, destination: { ports: [http] }'))).toBe('yes');
    expect(verdict(rule('protocol: TCP, destination: { notPorts: [8080] }'))).toMatch(/^no/);
    expect(verdict(rule('protocol: UDP'))).toMatch(/^no/);
    expect(verdict(rule('notProtocol: UDP'))).toBe('yes');
    expect(verdict(rule('ipVersion: 6'))).toMatch(/^no/);
  });

  test('sources by selector are pods and network sets', () => {
    const rule = calico(
      "{ selector: app == 'web', ingress: [{ action: Allow, source: { selector: role == 'client' } }] }",
    );
    expect(verdict([rule], '10.244.2.20')).toBe('yes');
    expect(verdict([rule])).toMatch(/^no/);
    const set =
      'apiVersion: crd.projectcalico.org/v1\nkind: GlobalNetworkSet\nmetadata: { name: office, labels: { role: client } }\nspec: { nets: [198.51.100.0/24] }\n';
    expect(verdict([rule, set])).toBe('yes');
    const block = calico(
      "{ selector: all(), ingress: [{ action: Deny, source: { selector: bad == 'true' } }, { action: Allow }] }",
    );
    expect(verdict([block])).toMatch(/^\?/);
    expect(verdict([block, set])).toBe('yes');
  });

  test.each([
    "{ selector: 'app = web' }",
    '{ selector: all(), ingress: [{ action: Allow, http: { methods: [GET] } }] }',
    '{ selector: all(), ingress: [{ action: Allow, source: { services: { name: x } } }] }',
    '{ selector: all(), preDNAT: true, applyOnForward: true, ingress: [{ action: Deny }] }',
    '{ selector: all(), ingress: nothing }',
  ])('what is not evaluated is not judged: %s', (spec) => {
    expect(verdict([calico(spec)])).toMatch(/^\?: GlobalNetworkPolicy p/);
  });
});

describe('Cilium', () => {
  test('rules add up, an empty rule allows nothing, and one without a source everything', () => {
    expect(verdict([cilium('{ endpointSelector: {}, ingress: [{}] }')])).toBe(
      'no: CiliumNetworkPolicy shop/p',
    );
    const port =
      '{ endpointSelector: { matchLabels: { "k8s:app": web } }, ingress: [{ toPorts: [{ ports: [{ port: "8080", protocol: TCP }] }] }] }';
    expect(verdict([cilium(port)])).toBe('yes');
    expect(verdict([cilium(port), DENY_ALL])).toBe('yes');
    expect(verdict([cilium(port.replace('8080', '80')), DENY_ALL])).toMatch(/^no/);
  });

  test('CIDRs are for addresses outside the cluster', () => {
    const all = cilium('{ endpointSelector: {}, ingress: [{ fromCIDR: [0.0.0.0/0] }] }');
    expect(verdict([all])).toBe('yes');
    expect(verdict([all], '10.0.0.2')).toMatch(/^no/);
    expect(verdict([all], '10.244.2.20')).toMatch(/^no/);
    const except = cilium(
      '{ endpointSelector: {}, ingress: [{ fromCIDRSet: [{ cidr: 0.0.0.0/0, except: [198.51.100.0/24] }] }] }',
    );
    expect(verdict([except])).toMatch(/^no/);
  });

  test('entities and endpoints', () => {
    const from = (peer: string) => [cilium(`{ endpointSelector: {}, ingress: [{ ${peer} }] }`)];
    expect(verdict(from('fromEntities: [world]'))).toBe('yes');
    expect(verdict(from('fromEntities: [cluster]'))).toMatch(/^no/);
    expect(verdict(from('fromEntities: [remote-node]'), '10.0.0.2')).toBe('yes');
    expect(verdict(from('fromEntities: [kube-apiserver]'))).toMatch(/^\?/);
    expect(verdict(from('fromEndpoints: [{ matchLabels: { role: client } }]'), '10.244.2.20')).toBe('yes');
    expect(verdict(from('fromEndpoints: [{}]'))).toMatch(/^no/);
  });

  test('a denial comes before every allowance, and enableDefaultDeny: false closes nothing', () => {
    const open = cilium('{ endpointSelector: {}, ingress: [{ fromEntities: [all] }] }', 'open');
    const deny = cilium('{ endpointSelector: {}, ingressDeny: [{ fromCIDR: [198.51.100.0/24] }] }', 'deny');
    expect(verdict([open, deny])).toBe('no: CiliumNetworkPolicy shop/deny');
    expect(verdict([open, deny], '192.0.2.1')).toBe('yes');
    expect(
      verdict([cilium('{ endpointSelector: {}, enableDefaultDeny: { ingress: false }, ingress: [{}] }')]),
    ).toBe('yes');
  });

  test('layer 7 is not judged', () => {
    const l7 =
      '{ endpointSelector: {}, ingress: [{ toPorts: [{ ports: [{ port: "8080" }], rules: { http: [{ method: GET }] } }] }] }';
    expect(verdict([cilium(l7)])).toMatch(
      /^\?: CiliumNetworkPolicy shop\/p: a rule of it looks into layer 7/,
    );
  });

  test('cilium-config may enforce always, or never', () => {
    const config = (value: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: cilium-config, namespace: kube-system }\ndata: { enable-policy: ${value} }\n`;
    expect(verdict([config('always')])).toBe('no: cilium-config enable-policy: always');
    expect(verdict([config('never'), DENY_ALL])).toBe('yes');
  });
});

test('an AdminNetworkPolicy is about pods and namespaces: what comes from outside is judged, from pods not', () => {
  const felix =
    'apiVersion: crd.projectcalico.org/v1\nkind: FelixConfiguration\nmetadata: { name: default }\nspec: {}\n';
  const admin =
    'apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: { name: a }\nspec: { priority: 1 }\n';
  expect(verdict([felix, admin])).toBe('yes');
  expect(verdict([felix, admin], '10.244.2.20')).toMatch(/^\?: AdminNetworkPolicy a/);
});

test('what a pod with rules for egress sends is not judged', () => {
  const egress =
    'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: out, namespace: shop }\nspec: { podSelector: { matchLabels: { role: client } }, policyTypes: [Egress] }\n';
  const { model } = loadScenario([{ name: 'c.yaml', text: [CLUSTER, egress].join('---\n') }]);
  const gate = new PolicyGate(model, model.policies!);
  const of = (address: string) => gate.restrictionOf(gate.sourceOf(parseAddress(address)!));
  expect(of('10.244.2.20')).toBe('NetworkPolicy shop/out');
  expect(of('10.244.1.10')).toBeNull();
  expect(of('10.244.2.99')).toBe('NetworkPolicy shop/out');
  expect(of(CLIENT)).toBeNull();
});
