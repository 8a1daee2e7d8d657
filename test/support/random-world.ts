/**
 * Random clusters, timelines and client traffic from one number, for properties that must hold on all of them.
 * Traffic is an index as a capture reader would leave it; only the client's side is in it.
 */

import { type Address, ipv4, ipv6 } from '../../src/addr/address.js';
import { hostPrefix } from '../../src/addr/prefix.js';
import { IPVS_SCHEDULERS } from '../../src/cluster/limits.js';
import type { ClusterModel, ServiceModel, TimelineEvent } from '../../src/cluster/model.js';
import { OWNER_KINDS, type OwnerModel } from '../../src/cluster/owner-model.js';
import type { Probes } from '../../src/control/kubelet-probe.js';
import { type CaptureIndex, createFlowColumns } from '../../src/flow/flow-columns.js';
import { META_FRAGMENT, META_LENGTH_SHIFT, META_PAYLOAD, PacketIndex } from '../../src/flow/packet-index.js';
import { Dice as SeededDice } from '../../src/what-if/dice.js';

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;

export class Dice extends SeededDice {
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  chance(p: number): boolean {
    return this.next() < p;
  }
}

const OTHER_SELECTIONS = ['resilient', 'rendezvous', 'maglev'] as const;

export function randomModel(dice: Dice): ClusterModel {
  const count = 1 + dice.below(5);
  const nodes = Array.from({ length: count }, (_, i) => ({
    name: `n${i + 1}`,
    addresses: [ipv4(0x0a000001 + i), ipv6(0xfd00000a, 0, 0, i + 1)],
    podCidrs: [
      { address: ipv4(0x0af40000 + (i + 1) * 256), length: 24 },
      { address: ipv6(0xfd000244, (i + 1) << 16, 0, 0), length: 64 },
    ],
    podGateways: dice.chance(0.7)
      ? [ipv4(0x0af40001 + (i + 1) * 256), ipv6(0xfd000244, (i + 1) << 16, 0, 1)]
      : [],
    // now and then a pod's address: the collision
    tunnelAddresses: [ipv4(0x0af40000 + (i + 1) * 256 + (dice.chance(0.1) ? 10 : 0))],
    rack: null,
    announces: dice.chance(0.7) ? true : dice.chance(0.5) ? ('auto' as const) : false,
  }));
  const services = Array.from({ length: 1 + dice.below(2) }, (_, s) => {
    const endpoints = nodes.flatMap((_, node) =>
      Array.from({ length: dice.pick([0, 1, 1, 2]) }, (_, k) => ({
        pod: `s${s}-n${node + 1}-p${k}`,
        node,
        addresses: [
          ipv4(0x0af40000 + (node + 1) * 256 + 10 + s * 16 + k),
          ipv6(0xfd000244, (node + 1) << 16, 0, 10 + s * 16 + k),
        ],
        ready: dice.chance(0.9),
        serving: true,
        terminating: false,
      })),
    );
    return {
      name: `s${s}`,
      vips: [vip(s, 4), vip(s, 6)],
      ports: [
        { name: null, proto: 6, port: 80, targetPort: 8080 },
        { name: null, proto: 17, port: 53, targetPort: 5353 },
      ],
      externalTrafficPolicy: dice.pick(['Cluster', 'Local'] as const),
      sessionAffinity: dice.pick(['None', 'None', 'ClientIP'] as const),
      affinityTimeoutS: dice.pick([5, 10800]),
      probes: dice.pick([null, QUICK_PROBES]),
      l7Proxy: null,
      endpoints,
    };
  });
  const pods = services.flatMap((service) => service.endpoints.map((e) => e.pod));
  const ecmp = {
    hash: dice.pick(['linux-l3', 'linux-l4', 'linux-custom'] as const),
    // with and without the flow label
    fields: dice.pick([0x37, 0x3f]),
    seed: dice.below(0xffffffff),
    select: dice.pick(['hash-threshold', 'hash-threshold', 'modulo', ...OTHER_SELECTIONS] as const),
    order: dice.pick(['address', 'arrival'] as const),
    buckets: 67,
    idleTimerS: 2,
    unbalancedTimerS: 0,
    replace: 'in-place' as const,
    nexthops: dice.pick(['legacy', 'objects'] as const),
    useNeigh: dice.chance(0.5),
    ignoreLinkdown: dice.chance(0.5),
  };
  const everyNode = nodes.map((_, node) => ({ node, weight: 1 + dice.below(3) }));
  return {
    name: 'random',
    seed: dice.below(1000),
    router: {
      addresses: [],
      ecmp,
      routes: dice.chance(0.5) ? [{ prefix: hostPrefix(vip(0, 4)), nextHops: everyNode }] : [],
      bgp: {
        holdTimeS: dice.pick([1, 3, 90]),
        bfdS: dice.pick([null, 0.9]),
        gracefulRestartS: dice.pick([null, 2]),
        fibDelayS: dice.pick([0, 0.05]),
      },
    },
    dataplane: {
      proxy: dice.pick(['iptables', 'iptables', 'nftables', 'ipvs', 'cilium', 'calico-ebpf'] as const),
      ipvs: { scheduler: dice.pick(IPVS_SCHEDULERS), sloppyTcp: dice.chance(0.5) },
      cilium: {
        mode: dice.pick(['snat', 'dsr', 'hybrid'] as const),
        algorithm: dice.pick(['random', 'maglev'] as const),
        tableSize: 251,
      },
      calicoEbpf: { mode: dice.pick(['tunnel', 'dsr'] as const), maglev: dice.chance(0.5) },
      conntrack: {
        tcpLoose: dice.chance(0.8),
        beLiberal: false,
        max: dice.pick([8, 40, 262144]),
        timeouts: {
          synSent: dice.pick([1, 120]),
          synRecv: 60,
          established: dice.pick([1.5, 86400]),
          finWait: 120,
          closeWait: 3600,
          lastAck: 30,
          timeWait: dice.pick([2, 120]),
          close: 10,
          unacknowledged: dice.pick([1, 300]),
          udp: dice.pick([1, 30]),
          udpStream: dice.pick([1.2, 120]),
          icmp: 30,
          generic: 600,
        },
      },
      masqueradeRandomFully: dice.chance(0.8),
      dropInvalid: dice.chance(0.8),
      sync: {
        delayS: dice.pick([0, 0, 0.2]),
        minPeriodS: dice.pick([0, 1]),
        durationS: dice.pick([0, 0, 0.3]),
      },
      overlay: dice.pick(['none', 'none', 'ipip', 'vxlan'] as const),
      nodeGraceS: dice.pick([1, 40]),
    },
    nodes,
    services,
    epochNs: null,
    edge: null,
    timeline: randomTimeline(dice, nodes.length, services.length, pods, ecmp),
    ...(dice.chance(0.4) ? { owners: randomOwners(dice, services, nodes.length) } : {}),
  };
}

/** Owners of the pods of every service, each pod one's alone. */
function randomOwners(dice: Dice, services: readonly ServiceModel[], nodes: number): OwnerModel[] {
  const owned = new Set<string>();
  return services.map(({ name, endpoints }) => {
    const pods = endpoints.map(({ pod }) => pod).filter((pod) => !owned.has(pod));
    for (const pod of pods) owned.add(pod);
    const domains = Array.from({ length: nodes }, (_, node) => `d${node % 2}`);
    return {
      name: `owner-${name}`,
      kind: dice.pick(OWNER_KINDS),
      pods,
      nodes: domains.map((_, node) => node).filter(() => dice.chance(0.8)),
      spread: dice.chance(0.3) ? [{ domains, maxSkew: 1, atMost: null }] : [],
      minAvailable: dice.below(2),
      startS: dice.pick([0, 0.7]),
    };
  });
}

function randomTimeline(
  dice: Dice,
  nodes: number,
  services: number,
  pods: readonly string[],
  ecmp: ClusterModel['router']['ecmp'],
): TimelineEvent[] {
  const events = Array.from({ length: dice.below(9) }, (): TimelineEvent => {
    const at = Math.round(dice.next() * 10000) / 1000;
    const node = dice.below(nodes);
    const kinds = ['withdraw', 'announce', 'speakerUp', 'nodeDown', 'nodeUp', 'uncordon'] as const;
    const verb = dice.below(18);
    if (verb > 15 && ecmp.select === 'hash-threshold') {
      const links = ['neighborFailed', 'neighborReachable', 'linkDown', 'linkUp'] as const;
      return { at, kind: dice.pick(links), node };
    }
    if (verb < 6) return { at, kind: kinds[verb]!, node };
    if (verb === 6) return { at, kind: 'drain', node, gracePeriodS: dice.pick([0.5, 3]) };
    if (verb === 7) return { at, kind: 'speakerDown', node, mode: dice.pick(['silent', 'close'] as const) };
    if (verb === 8) return { at, kind: 'scale', service: dice.below(services), replicas: dice.below(6) };
    if (verb === 9) {
      return {
        at,
        kind: 'rollingRedeploy',
        nodes: Array.from({ length: nodes }, (_, n) => n),
        everyS: 2,
        downForS: 1,
      };
    }
    if (verb === 10) return { at, kind: 'proxyStall', nodes: dice.chance(0.5) ? [] : [node], forS: 2 };
    if (verb === 11) {
      const nextHops = Array.from({ length: nodes }, (_, n) => ({ node: n, weight: 1 })).filter(() =>
        dice.chance(0.6),
      );
      return { at, kind: 'route', prefix: hostPrefix(vip(0, dice.pick([4, 6]))), nextHops };
    }
    if (verb === 12) return { at, kind: 'ecmp', settings: { ...ecmp, seed: dice.below(1000) } };
    if (pods.length === 0) return { at, kind: 'announce', node };
    const endpointKinds = [
      'endpointReady',
      'endpointUnready',
      'endpointTerminating',
      'endpointGone',
      'endpointCrashed',
    ] as const;
    if (dice.chance(0.2)) {
      const latencyS = dice.pick([0.5, Number.POSITIVE_INFINITY]);
      return { at, kind: 'unhealthy', pod: dice.pick(pods), forS: 1 + dice.below(4), latencyS };
    }
    return { at, kind: dice.pick(endpointKinds), pod: dice.pick(pods) };
  });
  return events.sort((a, b) => a.at - b.at);
}

/** probes that notice within the seconds that a random world lasts */
const QUICK_PROBES: Probes = {
  readiness: { initialDelayS: 0, periodS: 0.4, timeoutS: 0.1, failureThreshold: 2, successThreshold: 1 },
  liveness: { initialDelayS: 0, periodS: 0.5, timeoutS: 0.2, failureThreshold: 3, successThreshold: 1 },
  startupS: 0.3,
};

function vip(service: number, family: number): Address {
  return family === 4 ? ipv4(0xcb00710a + service) : ipv6(0x20010db8, 0x01130000, 0, 0x10 + service);
}

interface Sent {
  readonly flow: number;
  readonly atNs: number;
  meta: number;
  readonly seq?: number;
  readonly ack?: number;
  label?: number;
}

/**
 * Traffic of `flows` flows over about ten seconds; with `shared` ports every port belongs to two clients, and
 * `several` connections now and then follow each other on one port. */
export function randomIndex(
  dice: Dice,
  flows: number,
  ports: 'own' | 'shared' = 'own',
  connections: 'one' | 'several' = 'one',
  packets: 'plain' | 'odd' = 'plain',
): CaptureIndex {
  const columns = createFlowColumns(flows);
  const sent: Sent[] = [];
  for (let flow = 0; flow < flows; flow++) {
    const family = dice.chance(0.7) ? 4 : 6;
    const udp = dice.chance(0.2);
    columns.family[flow] = family;
    columns.proto[flow] = udp ? 17 : 6;
    const host = ports === 'own' ? dice.below(8) : 2 * dice.below(4) + (flow & 1);
    const client = family === 4 ? ipv4(0xc6336400 + host) : ipv6(0x20010db8, 0x00510000, 0, host);
    const server = vip(dice.below(2), family);
    columns.addresses.set(
      [client.w0, client.w1, client.w2, client.w3, server.w0, server.w1, server.w2, server.w3],
      8 * flow,
    );
    const number = ports === 'own' ? flow : flow >> 1;
    columns.aPort[flow] = dice.chance(0.9) ? 1024 + number : 100 + number;
    columns.bPort[flow] = dice.chance(0.05) ? 81 : udp ? 53 : 80;
    for (const packet of udp ? datagrams(dice, flow) : segments(dice, flow, connections === 'several'))
      sent.push(packet);
  }
  sent.sort((a, b) => a.atNs - b.atNs);
  if (packets === 'odd') makeOdd(dice, sent);
  const index = new PacketIndex();
  for (const { flow, atNs, meta, seq, ack, label } of sent)
    index.push(
      flow << 1,
      meta | (100 << META_LENGTH_SHIFT),
      atNs,
      seq,
      ack,
      (meta & META_PAYLOAD) === 0 ? 0 : 100,
      label,
    );
  for (const { flow, atNs } of sent) {
    if (columns.packetsOut[flow]!++ === 0) columns.firstNs[flow] = atNs;
    columns.lastNs[flow] = atNs;
    columns.bytesOut[flow]! += 100;
  }
  return {
    summary: {
      file: 'random',
      format: 'pcap',
      linkTypes: ['ethernet'],
      packets: index.count,
      bytes: index.count * 100,
      baseNs: 0n,
      duration: (sent.at(-1)?.atNs ?? 0) * 1e-9,
      truncated: false,
      decodeFaults: {},
      damage: null,
      warnings: [],
    },
    flows: columns,
    packets: index,
  };
}

/** Now and then a packet with data comes as a fragment, and a client takes another flow label. */
function makeOdd(dice: Dice, sent: Sent[]): void {
  const labels = new Map<number, number>();
  for (const packet of sent) {
    if ((packet.meta & META_PAYLOAD) !== 0 && dice.chance(0.04)) packet.meta |= META_FRAGMENT;
    if (dice.chance(0.02)) labels.set(packet.flow, dice.below(0x100000));
    packet.label = labels.get(packet.flow) ?? 0;
  }
}

function segments(dice: Dice, flow: number, several: boolean): Sent[] {
  const out: Sent[] = [];
  let atNs = Math.floor(dice.next() * 8e9);
  let seq = 0;
  let ack = 0;
  const send = (flags: number, payload: number): void => {
    out.push({ flow, atNs, meta: flags | payload, seq, ack: (flags & ACK) === 0 ? 0 : ack });
    if (payload !== 0) seq = (seq + 100) >>> 0;
    // now and then the server answers, or sends by itself
    if (dice.chance(0.5)) ack = (ack + dice.pick([1, 100, 100, 1400])) >>> 0;
    atNs += 1000 + Math.floor(dice.next() * dice.pick([1e6, 2e8, 1.5e9]));
  };
  const lives = several ? 1 + dice.below(3) : 1;
  for (let life = 0; life < lives; life++) {
    const begins = dice.chance(0.9);
    // without a SYN it is the same connection that goes on
    if (begins || life === 0) {
      seq = dice.below(0xffffffff);
      ack = 1 + dice.below(0xfffffffe);
    }
    if (begins) {
      send(SYN, 0);
      if (dice.chance(0.2)) send(SYN, 0);
      seq = (seq + 1) >>> 0;
      send(ACK, 0);
    }
    for (let n = dice.below(8); n > 0; n--) {
      if (dice.chance(0.7)) send(ACK | PSH, META_PAYLOAD);
      else send(dice.pick([ACK, ACK, 0, FIN, SYN | ACK]), 0);
    }
    const end = dice.below(4);
    if (end === 0) send(RST, 0);
    if (end === 1 || end === 2) {
      send(FIN | ACK, 0);
      if (dice.chance(0.3)) send(FIN | ACK, 0);
      seq = (seq + 1) >>> 0;
      for (let n = dice.below(3); n >= 0; n--) send(ACK, 0);
    }
  }
  return out;
}

function datagrams(dice: Dice, flow: number): Sent[] {
  let atNs = Math.floor(dice.next() * 8e9);
  return Array.from({ length: 1 + dice.below(12) }, () => {
    const packet = { flow, atNs, meta: META_PAYLOAD };
    atNs += 1000 + Math.floor(dice.next() * dice.pick([1e6, 2e8, 2e9]));
    return packet;
  });
}
