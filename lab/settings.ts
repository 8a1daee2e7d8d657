/**
 * What clusters and clients are like beyond the stories: a setting a line of the table, each a way in which somebody's
 * cluster or somebody's clients differ. Every setting is drawn from a seed: cluster and events stay, connections vary.
 */
import { type LabService, webService } from './layout.js';
import { makeSetting, type NextHop, type Setting } from './setting.js';
import type { Step } from './story.js';
import { type ConnectionClass, TrafficPlanner } from './traffic-plan.js';

type SettingOf = (seed: number) => Setting;

const IDLE_OR_BUSY: readonly ConnectionClass[] = ['chatty', 'idle-data', 'idle-fin'];
const PUSHED: readonly ConnectionClass[] = ['download', 'half-close', 'chatty'];

const withdraw = (atS: number, node: string): Step => ({ atS, verb: 'withdraw', node });
const announce = (atS: number, node: string, weight = 1): Step => ({ atS, verb: 'announce', node, weight });
const crash = (atS: number, node: string, noticedAfterS: number | null = null): Step => ({
  ...{ atS, verb: 'crash', node, noticedAfterS },
});
const pods = (counts: Readonly<Record<string, number>>): ReadonlyMap<string, number> =>
  new Map(Object.entries(counts));
const dns = (policy: LabService['policy']): LabService =>
  webService(policy, {
    ...{ name: 'dns', protocol: 'udp', port: 53 },
    vip: { ipv4: '203.0.113.11', ipv6: '2001:db8:113::11' },
  });

/** Web clients that chat, wait and close; a node withdraws. */
const smoke: SettingOf = (seed) => {
  const services = [webService('Cluster')];
  const clients = new TrafficPlanner(services, 12, seed);
  clients.fill(200, 60, IDLE_OR_BUSY);
  clients.arrive(2.5, 9, 10);
  return makeSetting(seed, {
    ...{ name: 'smoke', services, durationS: 12, plan: clients.plan, steps: [withdraw(4, 'n2')] },
  });
};

/** The server sends and the client only acknowledges, or has closed its side. */
const pushed =
  (policy: LabService['policy']): SettingOf =>
  (seed) => {
    const services = [webService(policy)];
    const clients = new TrafficPlanner(services, 12, seed);
    clients.fill(150, 50, PUSHED);
    for (let i = 0; i < 60; i++) clients.add('half-close', clients.between(3, 3.9), 'ipv4');
    return makeSetting(seed, {
      ...{ name: `push-${policy.toLowerCase()}`, services, durationS: 12, plan: clients.plan },
      steps: [withdraw(4, 'n2')],
    });
  };

/** Downloads through a node that dies, and through one that comes without an endpoint of its own. */
const downloadCrash: SettingOf = (seed) => {
  const services = [webService('Local')];
  const clients = new TrafficPlanner(services, 12, seed);
  for (let i = 0; i < 150; i++) clients.add('download', clients.between(0.2, 2), i % 4 > 0 ? 'ipv4' : 'ipv6');
  return makeSetting(seed, {
    ...{ name: 'download-crash', services, durationS: 12, plan: clients.plan, steps: [crash(4, 'n2')] },
  });
};
const downloadNoLocal: SettingOf = (seed) => ({
  ...downloadCrash(seed),
  ...{ name: 'download-no-local', durationS: 14, podsPerNode: pods({ n1: 1, n2: 1, n3: 0, n4: 1 }) },
  nextHops: hops('n1', 'n2', 'n4'),
  steps: [announce(4, 'n3')],
});

/** Entries that expire under idle clients, silent servers and half-closed connections. */
const expiry =
  (policy: LabService['policy']): SettingOf =>
  (seed) => {
    const services = [webService(policy)];
    const clients = new TrafficPlanner(services, 16, seed);
    for (let i = 0; i < 240; i++) {
      const family = i % 4 > 0 ? 'ipv4' : 'ipv6';
      const openS = clients.between(0.2, 2);
      const laterS = clients.between(4, 12);
      const kind = clients.oneOf(['chatty', 'idle-data', 'idle-data', 'idle-fin', 'push-gap'] as const);
      if (kind === 'idle-data') clients.add(kind, openS, family, { sendAtS: [laterS] });
      else if (kind === 'idle-fin') clients.add(kind, openS, family, { closeS: laterS });
      else clients.add(kind, openS, family);
    }
    for (let i = 0; i < 80; i++) {
      clients.add('half-close', clients.between(0.2, 2), i % 4 > 0 ? 'ipv4' : 'ipv6', {
        push: { everyMs: clients.oneOf([1000, 2000, 4500]), count: 4 },
        closeS: clients.between(2.2, 3),
      });
    }
    const limits = { established: 4, fin_wait: 3, time_wait: 3, close_wait: 3 };
    return makeSetting(seed, {
      ...{ name: `expiry-${policy.toLowerCase()}`, services, durationS: 16, plan: clients.plan, steps: [] },
      podsPerNode: pods({ n1: 2, n2: 1, n3: 1, n4: 1 }),
      nodeSysctls: Object.entries(limits).map(
        ([name, s]) => `net.netfilter.nf_conntrack_tcp_timeout_${name}=${s}`,
      ),
      conntrack: { timeouts: { established: '4s', finWait: '3s', timeWait: '3s', closeWait: '3s' } },
    });
  };

/** Source ports that are used again, after an orderly close and after a reset; the node comes back meanwhile. */
const reuse =
  (policy: LabService['policy']): SettingOf =>
  (seed) => {
    const services = [webService(policy)];
    const clients = new TrafficPlanner(services, 14, seed);
    const family = (i: number) => (i % 4 > 0 ? 'ipv4' : 'ipv6');
    const again = (...afterS: number[]) => ({ reuse: { afterS: clients.oneOf(afterS), times: 3 } });
    for (let i = 0; i < 160; i++) {
      clients.add('chatty', clients.between(0.2, 2), family(i), again(0.01, 0.2, 1.1));
    }
    for (let i = 0; i < 80; i++) {
      clients.add('short', clients.between(0.2, 6), family(i), again(0.01, 0.5, 1.2));
    }
    for (let i = 0; i < 60; i++) {
      clients.add('short', clients.between(0.2, 6), family(i), { ...again(0.01, 0.5), aborts: true });
    }
    return makeSetting(seed, {
      ...{ name: `reuse-${policy.toLowerCase()}`, services, durationS: 14, plan: clients.plan },
      steps: [withdraw(4, 'n2'), announce(7, 'n2')],
    });
  };

/** Eight nodes with weights, five services, a custom hash, changes within a second of each other. */
const manyServices: SettingOf = (seed) => {
  const services = [
    webService('Cluster'),
    dns('Cluster'),
    webService('Local', {
      ...{ name: 'udpl', protocol: 'udp', vip: { ipv4: '203.0.113.12' }, port: 53 },
      pods: ['n1-p0', 'n2-p0', 'n7-p0'],
    }),
    webService('Local', {
      ...{ name: 'six', vip: { ipv6: '2001:db8:113::66' }, port: 443 },
      pods: ['n1-p0', 'n2-p0', 'n4-p0', 'n7-p0'],
    }),
    webService('Cluster', {
      ...{ name: 'aff', vip: { ipv4: '203.0.113.13', ipv6: '2001:db8:113::13' }, port: 8000 },
      affinityS: 10_800,
    }),
  ];
  const clients = new TrafficPlanner(services, 13, seed);
  clients.fill(100, 40, IDLE_OR_BUSY);
  clients.fill(80, 30, ['datagram'], 1);
  clients.fill(80, 0, ['datagram'], 2);
  clients.fill(0, 120, ['chatty', 'idle-data'], 3);
  clients.fill(80, 30, IDLE_OR_BUSY, 4);
  clients.arrive(2.5, 9, 8, 4);
  const weights = [1, 3, 1, 2, 1, 1, 5, 1];
  const nextHops = weights.map((weight, i) => ({ node: `n${i + 1}`, weight }));
  return makeSetting(seed, {
    ...{ name: 'many-services', services, durationS: 13, plan: clients.plan, nextHops },
    podsPerNode: new Map(nextHops.map(({ node }) => [node, 1])),
    hash: { policy: 3, fields: 0x33 },
    steps: [
      withdraw(4, 'n2'),
      announce(4.2, 'n2', 3),
      withdraw(4.4, 'n7'),
      withdraw(4.6, 'n1'),
      announce(7, 'n7', 5),
    ],
  });
};

/** The hash looks at addresses and flow labels, which clients change when they retransmit. */
const flowLabels =
  (name: string, hash: { policy: 0 | 3; fields: number | null }, step: Step): SettingOf =>
  (seed) => {
    const services = [webService('Local')];
    const clients = new TrafficPlanner(services, 12, seed);
    clients.fill(120, 100, IDLE_OR_BUSY);
    clients.arrive(2.5, 8, 10);
    return makeSetting(seed, {
      ...{ name, services, durationS: 12, plan: clients.plan, hash },
      steps: [step],
    });
  };

/** A resilient group with weights and a node more. */
const resilientWeights: SettingOf = (seed) => {
  const services = [webService('Local')];
  const clients = new TrafficPlanner(services, 16, seed);
  clients.fill(200, 80, IDLE_OR_BUSY);
  clients.arrive(2.5, 13, 12);
  const weights: readonly NextHop[] = [1, 4, 2, 1, 3].map((weight, i) => ({ node: `n${i + 1}`, weight }));
  return makeSetting(seed, {
    ...{ name: 'resilient-weights', services, durationS: 16, plan: clients.plan, nextHops: weights },
    ...{ podsPerNode: pods({ n1: 1, n2: 1, n3: 1, n4: 1, n5: 1, n6: 1 }), router: 'resilient' },
    ...{ buckets: 100, idleTimerS: 2 },
    steps: [withdraw(4, 'n2'), announce(4.4, 'n6', 2), announce(8, 'n2', 4), withdraw(8.3, 'n5')],
  });
};

/** A node dies, and BFD tells the router. */
const crashBfd =
  (policy: LabService['policy']): SettingOf =>
  (seed) => {
    const services = [webService(policy)];
    const clients = new TrafficPlanner(services, 14, seed);
    clients.fill(200, 80, IDLE_OR_BUSY);
    clients.arrive(2.5, 11, 12);
    return makeSetting(seed, {
      ...{ name: `crash-bfd-${policy.toLowerCase()}`, services, durationS: 14, plan: clients.plan },
      steps: [crash(4, 'n2', 0.3)],
    });
  };

/** Sysctls and rules that decide between a reset and silence. */
const loose0: SettingOf = (seed) => {
  const services = [webService('Cluster')];
  const clients = new TrafficPlanner(services, 13, seed);
  clients.fill(150, 60, [...IDLE_OR_BUSY, 'download']);
  return makeSetting(seed, {
    ...{ name: 'loose-0', services, durationS: 13, plan: clients.plan, steps: [withdraw(4, 'n2')] },
    ...{ nodeSysctls: ['net.netfilter.nf_conntrack_tcp_loose=0'], conntrack: { tcpLoose: false } },
  });
};
const liberal: SettingOf = (seed) => {
  const services = [webService('Local')];
  const clients = new TrafficPlanner(services, 13, seed);
  clients.fill(150, 60, [...IDLE_OR_BUSY, 'download', 'half-close']);
  return makeSetting(seed, {
    ...{ name: 'liberal', services, durationS: 13, plan: clients.plan, dropInvalid: false },
    ...{ nodeSysctls: ['net.netfilter.nf_conntrack_tcp_be_liberal=1'], conntrack: { beLiberal: true } },
    steps: [withdraw(4, 'n2'), announce(7, 'n2')],
  });
};

/** Masquerade keeps the client's port where it is free: the same port of many clients, and towards two services. */
const keptPorts: SettingOf = (seed) => {
  const services = [webService('Cluster'), webService('Cluster', { name: 'b', port: 81 })];
  const clients = new TrafficPlanner(services, 11, seed);
  for (let i = 0; i < 150; i++) {
    const family = i % 4 > 0 ? 'ipv4' : 'ipv6';
    clients.add('chatty', clients.between(0.2, 2), family);
    const { src, srcPort } = clients.plan.at(-1)!;
    clients.add('chatty', clients.between(0.2, 2), family, { src, srcPort }, 1);
  }
  for (let i = 0; i < 60; i++) {
    const same = { src: `198.51.100.${10 + (i % 50)}`, srcPort: 1000 + Math.floor(i / 50) };
    clients.add('chatty', clients.between(0.2, 2), 'ipv4', same);
  }
  return makeSetting(seed, {
    ...{ name: 'kept-ports', services, durationS: 11, plan: clients.plan, masqueradeRandomFully: false },
    steps: [withdraw(4, 'n2')],
  });
};

/** Pods that stop and come back, under TCP and UDP. */
const podChurn =
  (policy: LabService['policy']): SettingOf =>
  (seed) => {
    const services = [webService(policy), dns(policy)];
    const clients = new TrafficPlanner(services, 16, seed);
    clients.fill(150, 50, [...IDLE_OR_BUSY, 'download']);
    clients.fill(80, 30, ['datagram'], 1);
    clients.arrive(2.5, 12, 10);
    return makeSetting(seed, {
      ...{ name: `pod-churn-${policy.toLowerCase()}`, services, durationS: 16, plan: clients.plan },
      podsPerNode: pods({ n1: 2, n2: 2, n3: 2, n4: 1 }),
      steps: [
        { atS: 4, verb: 'stop-pods', pods: ['n1-p0'] },
        { atS: 6, verb: 'stop-pods', pods: ['n4-p0'] },
        { atS: 9, verb: 'start-pods', pods: ['n4-p0'] },
      ],
    });
  };

/** Datagrams that do not fit into a frame: a fragment has no ports to hash. */
const fragments: SettingOf = (seed) => {
  const services = [dns('Cluster')];
  const clients = new TrafficPlanner(services, 9, seed);
  for (let i = 0; i < 80; i++) {
    const padding = { paddingBytes: i % 4 < 2 ? 2500 : 0 };
    clients.add('datagram', clients.between(0.2, 2), i % 2 > 0 ? 'ipv4' : 'ipv6', padding);
  }
  return makeSetting(seed, { name: 'fragments', services, durationS: 9, plan: clients.plan, steps: [] });
};

const inNftables =
  (setting: SettingOf): SettingOf =>
  (seed) => {
    const plain = setting(seed);
    return { ...plain, name: `${plain.name}-nftables`, proxy: 'nftables' };
  };

const hops = (...nodes: readonly string[]): NextHop[] => nodes.map((node) => ({ node, weight: 1 }));

const ALL: readonly SettingOf[] = [
  smoke,
  pushed('Cluster'),
  pushed('Local'),
  downloadCrash,
  downloadNoLocal,
  expiry('Cluster'),
  expiry('Local'),
  reuse('Cluster'),
  reuse('Local'),
  manyServices,
  flowLabels('labels-policy-0', { policy: 0, fields: null }, withdraw(4, 'n3')),
  flowLabels('labels-custom', { policy: 3, fields: 0x3b }, withdraw(4, 'n3')),
  flowLabels('labels-crash', { policy: 0, fields: null }, crash(4, 'n2')),
  resilientWeights,
  crashBfd('Local'),
  crashBfd('Cluster'),
  loose0,
  liberal,
  keptPorts,
  podChurn('Local'),
  podChurn('Cluster'),
  fragments,
  inNftables(smoke),
  inNftables(pushed('Local')),
  inNftables(reuse('Cluster')),
  inNftables(podChurn('Local')),
];

/** By name. */
export const SETTINGS: ReadonlyMap<string, SettingOf> = new Map(
  ALL.map((setting) => [setting(1).name, setting]),
);
