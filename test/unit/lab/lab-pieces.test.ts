/** The pieces of the lab that act on nothing: rules, plans, and what is read back from the kernel. */
import { describe, expect, test } from 'vitest';
import { kubeProxyRules } from '../../../lab/kube-proxy.js';
import { kubeProxyNftables } from '../../../lab/kube-proxy-nftables.js';
import {
  type Family,
  layoutOf,
  NODE_NAMES,
  type PodPlan,
  type TrafficPolicy,
  webService,
} from '../../../lab/layout.js';
import { parseMonitor } from '../../../lab/route-watch.js';
import { SETTINGS } from '../../../lab/settings.js';
import { SCENARIOS, storyOf } from '../../../lab/story.js';
import { planTraffic } from '../../../lab/traffic-plan.js';

const services = [webService('Cluster')];
const layout = layoutOf(new Map(NODE_NAMES.map((name) => [name, 1])), services);
const story = (name: (typeof SCENARIOS)[number]) => storyOf(name, (node) => [`${node}-p0`]);

describe('kubeProxyRules()', () => {
  const plain = { masqueradeRandomFully: true, dropInvalid: true };
  const rulesOf = (family: Family, node: string, policy: TrafficPolicy, pods: readonly PodPlan[]) =>
    kubeProxyRules(family, node, [webService(policy)], pods, plain);

  const linesOf = (chain: string, text: string) =>
    text.split('\n').filter((line) => line.startsWith(`-A ${chain} `));

  test('gives every endpoint the same chance, the last one what is left', () => {
    const rules = linesOf('KUBE-SVC-WEB', rulesOf('ipv4', 'n1', 'Cluster', layout.pods));
    let reaches = 1;
    const chances = rules.map((rule) => {
      const chance = reaches * Number(/--probability (\S+)/.exec(rule)?.[1] ?? 1);
      reaches -= chance;
      return chance;
    });
    for (const chance of chances) expect(chance).toBeCloseTo(0.25, 8);
  });

  test('under Local sends outsiders to the node’s own endpoints, and drops where it has none', () => {
    const own = rulesOf('ipv6', 'n2', 'Local', layout.pods);
    expect(linesOf('KUBE-SVL-WEB', own)).toEqual(['-A KUBE-SVL-WEB -j KUBE-SEP-WEB-N2-P0']);
    expect(linesOf('KUBE-EXTERNAL-SERVICES', own)).toEqual([]);
    const none = rulesOf(
      'ipv6',
      'n2',
      'Local',
      layout.pods.filter(({ node }) => node !== 'n2'),
    );
    expect(linesOf('KUBE-SVL-WEB', none)).toEqual([]);
    expect(linesOf('KUBE-EXTERNAL-SERVICES', none)[0]).toMatch(/2001:db8:113::10\/128.* -j DROP$/);
  });

  test('rejects where the service has no endpoint at all', () => {
    const text = rulesOf('ipv4', 'n1', 'Cluster', []);
    expect(linesOf('KUBE-EXTERNAL-SERVICES', text)[0]).toMatch(/ -j REJECT$/);
    expect(text).not.toContain('-j KUBE-EXT-WEB');
  });
});

test('parseMonitor() keeps the kernel’s order of next hops, microseconds and deletions, and other routes out', () => {
  const text = [
    '[2026-11-23T06:08:09.617633] 203.0.113.10 proto bird metric 32 \\\tnexthop via 10.0.0.3 dev br0 weight 1 \\\tnexthop via 10.0.0.1 dev br0 weight 1 ',
    '[2026-11-23T06:08:09.620000] local fd00::1 dev d0 table local proto kernel metric 0 pref medium',
    '[2026-11-23T06:08:10.000001] Deleted 2001:db8:113::10 nhid 7 proto bgp metric 20 pref medium\\\tnexthop via fd00:a::2 dev br0 weight 1 ',
    '[2026-11-23T06:08:10.500000] 2001:db8:113::10 via fd00:a::4 dev br0 proto bird metric 32 pref medium',
  ].join('\n');
  expect(parseMonitor(text, layout)).toEqual([
    {
      atS: Date.UTC(2026, 10, 23, 6, 8, 9) / 1000 + 0.617633,
      prefix: '203.0.113.10/32',
      nextHops: ['n3', 'n1'],
    },
    { atS: Date.UTC(2026, 10, 23, 6, 8, 10) / 1000 + 0.000001, prefix: '2001:db8:113::10/128', nextHops: [] },
    { atS: Date.UTC(2026, 10, 23, 6, 8, 10) / 1000 + 0.5, prefix: '2001:db8:113::10/128', nextHops: ['n4'] },
  ]);
});

describe('planTraffic()', () => {
  const settings = { connections: 200, perSecond: 8, seed: 7 };
  const rolling = story('rolling');

  test('plans the same for the same seed, and something else for another', () => {
    const plan = planTraffic(settings, services, rolling, rolling.durationS);
    expect(planTraffic(settings, services, rolling, rolling.durationS)).toEqual(plan);
    expect(planTraffic({ ...settings, seed: 8 }, services, rolling, rolling.durationS)).not.toEqual(plan);
  });

  test('never uses a source twice, and is quiet in the last second', () => {
    const plan = planTraffic(settings, services, rolling, rolling.durationS);
    expect(new Set(plan.map(({ src, srcPort }) => `${src} ${srcPort}`)).size).toBe(plan.length);
    const moments = plan.flatMap(({ openS, sendAtS, closeS }) => [openS, ...sendAtS, closeS ?? 0]);
    expect(Math.max(...moments)).toBeLessThan(rolling.durationS - 1);
    expect(new Set(plan.map((connection) => connection.class)).size).toBe(4);
  });
});

test.each(SCENARIOS)(
  'the story %s names nodes of the lab, in order of time, and leaves time for what it breaks',
  (name) => {
    const { announcing, steps, durationS } = story(name);
    const nodes = new Set<string>(NODE_NAMES);
    const named = steps.flatMap((step) => ('node' in step ? [step.node] : []));
    for (const node of [...announcing, ...named]) expect(nodes).toContain(node);
    expect(steps.map(({ atS }) => atS)).toEqual(steps.map(({ atS }) => atS).toSorted((a, b) => a - b));
    expect(durationS - (steps.at(-1)?.atS ?? 0)).toBeGreaterThanOrEqual(7);
  },
);

describe.each([...SETTINGS])('the setting %s', (name, settingOf) => {
  const setting = settingOf(7);

  test('is called by its name, and names only its own nodes and pods', () => {
    expect(setting.name).toBe(name);
    const { nodes, pods } = layoutOf(setting.podsPerNode, setting.services);
    const named = setting.steps.flatMap((step) => ('node' in step ? [step.node] : step.pods));
    const known = new Set([...nodes, ...pods].map((one) => one.name));
    for (const one of [...named, ...setting.nextHops.map(({ node }) => node)]) expect(known).toContain(one);
  });

  test('opens no two connections to a service from one address and port', () => {
    const sources = setting.plan.map(({ src, srcPort, service }) => `${src} ${srcPort} ${service}`);
    expect(new Set(sources).size).toBe(setting.plan.length);
    expect(setting.plan.length).toBeGreaterThan(50);
    expect(settingOf(7).plan).toEqual(setting.plan);
  });
});

test('kubeProxyNftables() sends outsiders under Local to the node’s own endpoints, drops where it has none, and rejects where nobody has one', () => {
  const settings = { masqueradeRandomFully: true, dropInvalid: true };
  const text = (node: string, pods: readonly PodPlan[]) =>
    kubeProxyNftables('ipv4', node, [webService('Local')], pods, settings);
  expect(text('n2', layout.pods)).toMatch(
    /chain service-web-local \{\n\s+numgen random mod 1 vmap \{ 0 : goto endpoint-web-n2-p0 \}/,
  );
  const others = layout.pods.filter(({ node }) => node !== 'n2');
  expect(text('n2', others)).toContain('elements = { 203.0.113.10 . tcp . 80 : drop }');
  expect(text('n2', [])).toContain('elements = { 203.0.113.10 . tcp . 80 : goto reject-chain }');
});
