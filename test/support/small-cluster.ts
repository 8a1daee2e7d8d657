/** A cluster of four nodes with a pod each behind one VIP, as the recorded runs have it; changed by `overrides`. */

import { type Address, ipv4, ipv6 } from '../../src/addr/address.js';
import { DEFAULT_CALICO_EBPF, DEFAULT_CILIUM, DEFAULT_IPVS } from '../../src/cluster/defaults.js';
import type {
  ClusterModel,
  DataplaneModel,
  NodeModel,
  ServiceModel,
  TimelineEvent,
} from '../../src/cluster/model.js';
import { defaultTimeouts } from './conntrack-defaults.js';

export const VIP = ipv4(0xcb00710a);
export const VIP6 = ipv6(0x20010db8, 0x01130000, 0, 0x10);

export const nodeAddress = (n: number): Address => ipv4(0x0a000000 + n);
export const gatewayAddress = (n: number): Address => ipv4(0x0af40001 + n * 256);
export const podAddress = (n: number, k = 0): Address => ipv4(0x0af4000a + n * 256 + k);

export interface Overrides {
  readonly service?: Partial<ServiceModel>;
  readonly dataplane?: Partial<DataplaneModel>;
  readonly conntrack?: Partial<DataplaneModel['conntrack']>;
  readonly node?: Partial<NodeModel>;
  /** pods per node, n1 first */
  readonly pods?: readonly number[];
  readonly timeline?: readonly TimelineEvent[];
  readonly edge?: ClusterModel['edge'];
  readonly router?: Partial<ClusterModel['router']>;
  readonly ecmp?: Partial<ClusterModel['router']['ecmp']>;
}

export function smallCluster(overrides: Overrides = {}): ClusterModel {
  const pods = overrides.pods ?? [1, 1, 1, 1];
  const nodes = pods.map(
    (_, i): NodeModel => ({
      name: `n${i + 1}`,
      addresses: [nodeAddress(i + 1), ipv6(0xfd00000a, 0, 0, i + 1)],
      podCidrs: [{ address: ipv4(0x0af40000 + (i + 1) * 256), length: 24 }],
      podGateways: [gatewayAddress(i + 1)],
      tunnelAddresses: [ipv4(0x0af40000 + (i + 1) * 256)],
      rack: null,
      announces: true,
      ...overrides.node,
    }),
  );
  const endpoints = pods.flatMap((count, node) =>
    Array.from({ length: count }, (_, k) => ({
      pod: `n${node + 1}-p${k}`,
      node,
      addresses: [podAddress(node + 1, k), ipv6(0xfd000244, (node + 1) << 16, 0, 10 + k)],
      ready: true,
      serving: true,
      terminating: false,
    })),
  );
  return {
    name: 'small',
    seed: 1,
    epochNs: null,
    edge: overrides.edge ?? null,
    router: {
      addresses: [],
      ecmp: {
        hash: 'linux-l4',
        fields: 7,
        seed: 1592639710,
        select: 'hash-threshold',
        order: 'address',
        buckets: 64,
        idleTimerS: 120,
        unbalancedTimerS: 0,
        replace: 'in-place',
        ...overrides.ecmp,
      },
      routes: [],
      bgp: { holdTimeS: 90, bfdS: null, gracefulRestartS: null, fibDelayS: 0 },
      ...overrides.router,
    },
    dataplane: {
      proxy: 'iptables',
      ipvs: DEFAULT_IPVS,
      cilium: DEFAULT_CILIUM,
      calicoEbpf: DEFAULT_CALICO_EBPF,
      conntrack: {
        tcpLoose: true,
        beLiberal: false,
        max: 262144,
        timeouts: defaultTimeouts,
        ...overrides.conntrack,
      },
      masqueradeRandomFully: true,
      dropInvalid: true,
      sync: { delayS: 0, minPeriodS: 0, durationS: 0 },
      overlay: 'none',
      nodeGraceS: 40,
      ...overrides.dataplane,
    },
    nodes,
    services: [
      {
        name: 'web',
        vips: [VIP, VIP6],
        ports: [
          { name: null, proto: 6, port: 80, targetPort: 8080 },
          { name: null, proto: 17, port: 53, targetPort: 5353 },
        ],
        externalTrafficPolicy: 'Cluster',
        sessionAffinity: 'None',
        affinityTimeoutS: 10800,
        probes: null,
        l7Proxy: null,
        endpoints,
        ...overrides.service,
      },
    ],
    timeline: overrides.timeline ?? [],
  };
}
