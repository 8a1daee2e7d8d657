import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../../src/addr/address.js';
import type { ClusterModel } from '../../../../src/cluster/model.js';
import { loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';
import { printScenario } from '../../../../src/cluster/scenario/print-scenario.js';
import { PolicyGate, PolicyVerdict } from '../../../../src/state/policy-gate.js';
import { SHOP_NODES } from '../../../support/shop-cluster.js';

const TCP = 6;
const UDP = 17;

const CLUSTER = `${SHOP_NODES}---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  type: LoadBalancer
  selector: { app: web }
  ports: [{ port: 80, targetPort: http }]
status: { loadBalancer: { ingress: [{ ip: 203.0.113.10 }] } }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
ports: [{ port: 8080 }]
endpoints:
  - { addresses: [10.244.1.10], nodeName: n1, targetRef: { kind: Pod, name: web-1 } }
`;

const POD = `
apiVersion: v1
kind: Pod
metadata: { name: web-1, namespace: shop, labels: { app: web, tier: front } }
spec: { nodeName: n1, containers: [{ ports: [{ name: http, containerPort: 8080 }] }] }
status: { phase: Running, podIP: 10.244.1.10 }
`;

const CALICO = `
apiVersion: crd.projectcalico.org/v1
kind: FelixConfiguration
metadata: { name: default }
spec: {}
`;

function policy(spec: string, name = 'p', namespace = 'shop'): string {
  return `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`;
}

function load(...documents: string[]): { model: ClusterModel; unread: readonly string[] } {
  const { model } = loadScenario([{ name: 'cluster.yaml', text: [CLUSTER, ...documents].join('---\n') }]);
  return { model, unread: model.unread ?? [] };
}

/** `yes`, `no: <policies>`, or `?: <what is not known>`. */
function verdict(model: ClusterModel, source = '198.51.100.7', port = 8080, proto = TCP): string {
  if (model.policies === undefined) return 'yes';
  const gate = new PolicyGate(model, model.policies);
  const seen = [gate.sourceOf(parseAddress(source)!)];
  const { verdict: found, because } = gate.judge(0, 'web-1', 0, seen, proto, port);
  return found === PolicyVerdict.allowed
    ? 'yes'
    : `${found === PolicyVerdict.denied ? 'no' : '?'}: ${because}`;
}

const DENY = policy('{ podSelector: {}, policyTypes: [Ingress] }', 'deny');

describe('a Kubernetes NetworkPolicy', () => {
  test('that selects everything and allows nothing denies', () => {
    expect(verdict(load(CALICO, POD, DENY).model)).toBe('no: NetworkPolicy shop/deny');
  });

  test('of another namespace, or for Egress alone, is none of the endpoint’s', () => {
    expect(verdict(load(CALICO, POD, policy('{ podSelector: {} }', 'p', 'other')).model)).toBe('yes');
    const egress = policy('{ podSelector: {}, policyTypes: [Egress] }');
    expect(verdict(load(CALICO, POD, egress).model)).toBe('yes');
  });

  test('without policyTypes is one for Ingress, whatever its egress says', () => {
    const both = policy('{ podSelector: {}, egress: [{}] }');
    expect(verdict(load(CALICO, POD, both).model)).toBe('no: NetworkPolicy shop/p');
  });

  test.each([
    ['{ matchLabels: { app: web } }', true],
    ['{ matchLabels: { app: db } }', false],
    ['{ matchExpressions: [{ key: app, operator: In, values: [web, db] }] }', true],
    ['{ matchExpressions: [{ key: app, operator: NotIn, values: [web] }] }', false],
    ['{ matchExpressions: [{ key: tier, operator: Exists }] }', true],
    ['{ matchExpressions: [{ key: tier, operator: DoesNotExist }] }', false],
  ])('selects by %s: %s', (selector, selected) => {
    const { model } = load(CALICO, POD, policy(`{ podSelector: ${selector} }`));
    expect(verdict(model) !== 'yes').toBe(selected);
  });

  test('lets in what its ipBlock holds and `except` does not', () => {
    const { model } = load(
      CALICO,
      POD,
      policy(
        '{ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 198.51.100.0/24, except: [198.51.100.128/25] } }] }] }',
      ),
    );
    expect(verdict(model, '198.51.100.7')).toBe('yes');
    expect(verdict(model, '198.51.100.200')).toBe('no: NetworkPolicy shop/p');
    expect(verdict(model, '192.0.2.1')).toBe('no: NetworkPolicy shop/p');
  });

  test('compares ports with the pod’s, by number, range, name and protocol', () => {
    const withPorts = (ports: string) =>
      load(CALICO, POD, policy(`{ podSelector: {}, ingress: [{ ports: [${ports}] }] }`)).model;
    expect(verdict(withPorts('{ port: 80 }'))).toBe('no: NetworkPolicy shop/p');
    expect(verdict(withPorts('{ port: 8080 }'))).toBe('yes');
    expect(verdict(withPorts('{ port: 8000, endPort: 8079 }'))).toBe('no: NetworkPolicy shop/p');
    expect(verdict(withPorts('{ port: 8000, endPort: 8080 }'))).toBe('yes');
    expect(verdict(withPorts('{ port: http }'))).toBe('yes');
    expect(verdict(withPorts('{ port: metrics }'))).toBe('no: NetworkPolicy shop/p');
    expect(verdict(withPorts('{ protocol: UDP }'))).toBe('no: NetworkPolicy shop/p');
    expect(verdict(withPorts('{ protocol: UDP }'), '198.51.100.7', 5353, UDP)).toBe('yes');
  });

  test('adds to what another allows', () => {
    const allow = policy('{ podSelector: { matchLabels: { app: web } }, ingress: [{}] }', 'allow');
    expect(verdict(load(CALICO, POD, DENY, allow).model)).toBe('yes');
  });

  test('takes pods by labels of theirs and of their namespace, never an address outside', () => {
    const friend = `
apiVersion: v1
kind: Pod
metadata: { name: shopper, namespace: shop, labels: { role: client } }
spec: { nodeName: n2 }
status: { phase: Running, podIP: 10.244.2.20 }
`;
    const from = (peer: string) =>
      load(CALICO, POD, friend, policy(`{ podSelector: {}, ingress: [{ from: [${peer}] }] }`)).model;
    expect(verdict(from('{ podSelector: { matchLabels: { role: client } } }'), '10.244.2.20')).toBe('yes');
    expect(verdict(from('{ podSelector: { matchLabels: { role: other } } }'), '10.244.2.20')).toMatch(/^no/);
    expect(verdict(from('{ namespaceSelector: { matchLabels: { team: shop } } }'), '10.244.2.20')).toBe(
      'yes',
    );
    expect(verdict(from('{ namespaceSelector: {} }'), '198.51.100.7')).toMatch(/^no/);
    expect(verdict(from('{ namespaceSelector: {} }'), '10.244.2.99')).toMatch(/^\?/);
  });

  test('does not select pods on their node’s network', () => {
    const host = CLUSTER.replaceAll('10.244.1.10', '10.0.0.1');
    const { model } = loadScenario([{ name: 'c.yaml', text: [host, CALICO, DENY].join('---\n') }]);
    expect(verdict(model)).toBe('yes');
  });

  test('never keeps a node from its own pods', () => {
    const { model } = load(CALICO, POD, DENY);
    expect(verdict(model, '10.0.0.1')).toBe('yes');
    expect(verdict(model, '10.0.0.2')).toBe('no: NetworkPolicy shop/deny');
  });
});

describe('what is not known of a policy is not judged, and said', () => {
  test('labels of a pod without an object: the Service’s selector is known of it, no more', () => {
    const bySelector = load(CALICO, policy('{ podSelector: { matchLabels: { app: web } } }'));
    expect(verdict(bySelector.model)).toBe('no: NetworkPolicy shop/p');
    const other = load(CALICO, policy('{ podSelector: { matchLabels: { tier: front } } }'));
    expect(verdict(other.model)).toMatch(/^\?: NetworkPolicy shop\/p/);
    expect(other.unread.join()).toContain('NetworkPolicy shop/p');
  });

  test('no CNI that enforces policies', () => {
    const { model, unread } = load(POD, DENY);
    expect(verdict(model)).toMatch(/^\?: NetworkPolicy shop\/deny would deny it/);
    expect(unread.join()).toContain(
      'NetworkPolicy shop/deny: which CNI enforces network policies is not known',
    );
  });

  test('what allows for certain changes nothing, with or without a CNI', () => {
    const allow = policy('{ podSelector: {}, ingress: [{}] }');
    expect(verdict(load(POD, allow).model)).toBe('yes');
  });

  test('a policy whose fields have wrong types does not refuse the dump', () => {
    const { model, unread } = load(CALICO, POD, policy('{ podSelector: [web] }'));
    expect(verdict(model)).toMatch(/^\?: NetworkPolicy shop\/p: it cannot be read/);
    expect(unread.join()).toContain('NetworkPolicy shop/p');
  });
});

describe('who enforces', () => {
  const k3s = CLUSTER.replace(
    'metadata: { name: n1 }',
    `metadata: { name: n1, annotations: { k3s.io/node-args: '["server"]' } }`,
  );

  test('k3s brings kube-router’s controller, which refuses', () => {
    const { model } = loadScenario([{ name: 'c.yaml', text: [k3s, POD, DENY].join('---\n') }]);
    expect([model.policies?.engine, model.policies?.denial]).toEqual(['kube-router', 'reject']);
  });

  test('Calico drops, or refuses where FelixConfiguration says so', () => {
    expect(load(CALICO, POD, DENY).model.policies?.denial).toBe('drop');
    const reject = CALICO.replace('spec: {}', 'spec: { iptablesFilterDenyAction: Reject }');
    expect(load(reject, POD, DENY).model.policies?.denial).toBe('reject');
  });

  test('a Scenario has the last word', () => {
    const none =
      'apiVersion: flowfate.dev/v1\nkind: Scenario\nspec: { dataplane: { networkPolicy: none } }\n';
    expect(verdict(load(CALICO, POD, DENY, none).model)).toBe('yes');
  });
});

test('a printed scenario keeps the policies', () => {
  const { model } = load(
    CALICO,
    POD,
    DENY,
    policy(
      '{ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 198.51.100.0/24 } }], ports: [{ port: http }] }] }',
    ),
  );
  const again = loadScenario([{ name: 'printed.yaml', text: printScenario(model) }]).model;
  expect(again.policies).toEqual(model.policies);
  expect(again.dataplane).toEqual(model.dataplane);
});
