import { expect, test } from 'vitest';
import { audit } from '../../../src/audit/audit.js';
import type { Finding } from '../../../src/audit/finding.js';
import { objectsOf } from '../../../src/cluster/scenario/source-objects.js';
import { readDocuments } from '../../../src/cluster/yaml/document-reader.js';
import { Problems } from '../../../src/cluster/yaml/problems.js';

const RACKS = ['r1', 'r1', 'r2'];
const meta = (name: string, more: object = {}): object => ({ name, namespace: 'shop', ...more });
const SELECTOR = { matchLabels: { app: 'web' } };

/** Pods of Deployment `web` on these nodes (from 1), with this pod spec and these objects beside it. */
function findings(on: readonly number[], spec: object, ...more: object[]): Finding[] {
  const items = [
    ...RACKS.map((rack, i) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `n${i + 1}`, labels: { 'example.com/rack': rack } },
      status: { addresses: [{ type: 'InternalIP', address: `10.0.0.${i + 1}` }] },
    })),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta('web'),
      spec: { type: 'LoadBalancer', clusterIP: '10.96.0.9', ports: [{ port: 80 }], selector: { app: 'web' } },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      addressType: 'IPv4',
      metadata: meta('web-x', { labels: { 'kubernetes.io/service-name': 'web' } }),
      endpoints: on.map((node, i) => ({
        addresses: [`10.244.${node}.${i + 10}`],
        nodeName: `n${node}`,
        targetRef: { kind: 'Pod', name: `web-6d4cf56db6-abcd${i}` },
      })),
      ports: [{ name: '', port: 8080 }],
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: meta('web'),
      spec: {
        replicas: on.length,
        selector: SELECTOR,
        template: { metadata: { labels: { app: 'web' } }, spec },
      },
    },
    ...more,
  ];
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const problems = new Problems();
  const { documents } = readDocuments({ name: 'dump.json', text }, problems);
  const objects = documents.flatMap((document) => objectsOf(document, problems));
  return [...audit({ objects, router: [], measured: null }).findings];
}

const term = { topologyKey: 'example.com/rack', labelSelector: SELECTOR };
const APART = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
const SPREAD = { topologySpreadConstraints: [{ ...term, maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' }] };
const of = (rule: string, all: readonly Finding[]): string[] =>
  all.filter((one) => one.rule === rule).map(({ finding }) => finding);

test('pods that stand where their rule forbids it are found, and those that keep it are not', () => {
  expect(of('placement-not-held', findings([1, 2], APART))).toEqual([
    '2 pods of Deployment shop/web stand in r1, where its rule allows 1.',
  ]);
  expect(of('placement-not-held', findings([1, 2], SPREAD))).toEqual([
    '2 pods of Deployment shop/web stand in r1, where its rule allows 1.',
  ]);
  expect(of('placement-not-held', findings([1, 3], APART))).toEqual([]);
  expect(of('placement-not-held', findings([1, 2, 3], SPREAD))).toEqual([]);
});

test('a rule that leaves no domain empty leaves no room for a successor', () => {
  expect(of('no-room-for-successor', findings([1, 3], APART))).toEqual([
    'A pod of Deployment shop/web that is evicted fits nowhere else: each of 2 domains has one.',
  ]);
  expect(of('no-room-for-successor', findings([1], APART))).toEqual([]);
});

test('a budget that lets no pod go is found', () => {
  const budget = (spec: object): object => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: meta('web'),
    spec: { selector: SELECTOR, ...spec },
  });
  const blocked = findings([1, 3], {}, budget({ minAvailable: '100%' }));
  expect(of('budget-forbids-eviction', blocked)).toEqual([
    'No pod of Deployment shop/web may be evicted: 2 of 2 must stay available.',
  ]);
  expect(
    blocked.find(({ rule }) => rule === 'budget-forbids-eviction')!.evidence.map(({ says }) => says),
  ).toEqual(['spec.replicas: 2', 'spec.minAvailable: 100%']);
  expect(of('budget-forbids-eviction', findings([1, 3], {}, budget({ maxUnavailable: 1 })))).toEqual([]);
});
