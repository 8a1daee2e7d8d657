import { describe, expect, test } from 'vitest';
import { type Address, formatAddress, ipv4 } from '../../../src/addr/address.js';
import { Tuple } from '../../../src/conntrack/tuple.js';
import { NodeHop } from '../../../src/oracle/node-hop.js';
import { ServicePorts } from '../../../src/oracle/service-ports.js';
import { ClusterState } from '../../../src/state/cluster-state.js';
import { Outcome, REASON_NAMES } from '../../../src/state/disposition.js';
import { forgePacket } from '../../../src/state/forge.js';
import { Packet } from '../../../src/state/packet.js';
import { foldChecksum, sumWords } from '../../../src/wire/checksum.js';
import {
  gatewayAddress,
  nodeAddress,
  type Overrides,
  podAddress,
  smallCluster,
  VIP,
} from '../../support/small-cluster.js';

const CLIENT = ipv4(0xc6336435);
const FLAGS = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 };

function hop(overrides: Overrides = {}, node = 0): { node: NodeHop; cluster: ClusterState } {
  const model = smallCluster(overrides);
  const cluster = new ClusterState(model);
  return { node: new NodeHop(node, model, cluster, new ServicePorts(model), new Map()), cluster };
}

function packet(
  flags: number,
  options: { proto?: number; port?: number; srcPort?: number; src?: Address; dst?: Address } = {},
): Packet {
  const tuple = new Tuple();
  const proto = options.proto ?? 6;
  tuple.setKind(4, proto);
  tuple.setSource(options.src ?? CLIENT, options.srcPort ?? 53584);
  tuple.setDestination(options.dst ?? VIP, options.port ?? (proto === 17 ? 53 : 80));
  const out = new Packet();
  const fields = { flags, seq: 100, ack: 200, payloadBytes: 10, flowLabel: 0 };
  forgePacket(tuple, fields, new DataView(new ArrayBuffer(128)), out);
  return out;
}

/** "source:port > destination:port" */
function ends(of: Packet): string {
  const t = new Tuple();
  of.readTuple(t);
  const at = (i: number): string => formatAddress(ipv4(t.words[i]!));
  return `${at(0)}:${t.srcPort} > ${at(4)}:${t.dstPort}`;
}

function checksumsHold(of: Packet): boolean {
  const { view, l3, l4, end, proto } = of;
  const l4Bytes = end - l4;
  const pseudo = sumWords(view, l3 + 12, 8) + proto + l4Bytes;
  return (
    foldChecksum(sumWords(view, l3, 20)) === 0 && foldChecksum(pseudo + sumWords(view, l4, l4Bytes)) === 0
  );
}

describe('the first packet of a connection that a node does not know', () => {
  const noLocal: Overrides = { pods: [0, 1, 1, 1], service: { externalTrafficPolicy: 'Local' } };
  const cluster: Overrides = {};
  const local: Overrides = { service: { externalTrafficPolicy: 'Local' } };
  const { FIN, SYN, RST, ACK, PSH, URG } = FLAGS;
  const rows: [string, number, Overrides, 'forwarded' | [number, string]][] = [
    ['SYN, Cluster', SYN, cluster, 'forwarded'],
    ['SYN, Local with a local pod', SYN, local, 'forwarded'],
    ['SYN, Local without one', SYN, noLocal, [Outcome.silent, 'no-local-endpoint']],
    ['ACK, Cluster', ACK, cluster, 'forwarded'],
    ['data, Local with a local pod', ACK | PSH, local, 'forwarded'],
    ['URG data, Cluster', ACK | URG, cluster, 'forwarded'],
    ['data, Local without a local pod', ACK | PSH, noLocal, [Outcome.silent, 'no-local-endpoint']],
    ['FIN, Cluster', FIN | ACK, cluster, [Outcome.silent, 'invalid-dropped']],
    ['FIN with data, Local', FIN | ACK | PSH, local, [Outcome.silent, 'invalid-dropped']],
    ['RST, Cluster', RST, cluster, [Outcome.silent, 'invalid-dropped']],
    ['RST+ACK, Cluster', RST | ACK, cluster, [Outcome.silent, 'invalid-dropped']],
    ['SYN+ACK, Local', SYN | ACK, local, [Outcome.silent, 'invalid-dropped']],
    ['no flags, Local without a local pod', 0, noLocal, [Outcome.silent, 'invalid-dropped']],
    ['data with tcp_loose off', ACK | PSH, { conntrack: { tcpLoose: false } }, [Outcome.silent, 'loose-off']],
    [
      'FIN without the INVALID rule',
      FIN | ACK,
      { dataplane: { dropInvalid: false } },
      [Outcome.unreachable, 'forwarding-loop'],
    ],
    ['SYN, no endpoint anywhere', SYN, { pods: [0, 0, 0, 0] }, [Outcome.unreachable, 'no-endpoint']],
  ];
  test.each(rows)('%s', (_, flags, overrides, expected) => {
    const { node } = hop(overrides);
    const forwarded = node.fromOutside(packet(flags), 1);
    expect(forwarded ? 'forwarded' : [node.outcome, REASON_NAMES[node.reason]]).toEqual(expected);
    expect(node.table.size).toBe(forwarded ? 1 : 0);
  });

  test('to a port without a service loops until its TTL ends', () => {
    const { node } = hop();
    expect(node.fromOutside(packet(SYN, { port: 81 }), 1)).toBe(false);
    expect([node.outcome, REASON_NAMES[node.reason]]).toEqual([Outcome.unreachable, 'not-a-service']);
  });

  test('at a node that is down meets silence', () => {
    const { node, cluster: state } = hop();
    state.nodeUp[0] = false;
    expect(node.fromOutside(packet(SYN), 1)).toBe(false);
    expect([node.outcome, REASON_NAMES[node.reason]]).toEqual([Outcome.silent, 'node-down']);
  });
});

describe('translation', () => {
  test('under Local changes the destination alone, and checksums hold', () => {
    const { node } = hop({ service: { externalTrafficPolicy: 'Local' } });
    const p = packet(FLAGS.SYN);
    node.fromOutside(p, 1);
    expect(ends(p)).toBe(`198.51.100.53:53584 > ${formatAddress(podAddress(1))}:8080`);
    expect(checksumsHold(p)).toBe(true);
  });

  test('under Cluster takes the bridge address towards a pod of the node and the node address otherwise', () => {
    const seen = new Map<string, string>();
    for (let port = 2000; port < 2040; port++) {
      const { node, cluster } = hop({}, 1);
      const p = packet(FLAGS.SYN, { srcPort: port });
      node.fromOutside(p, 1);
      expect(checksumsHold(p)).toBe(true);
      seen.set(cluster.pods[node.pod]!.name, ends(p).split(':')[0]!);
    }
    expect(Object.fromEntries(seen)).toEqual({
      'n1-p0': formatAddress(nodeAddress(2)),
      'n2-p0': formatAddress(gatewayAddress(2)),
      'n3-p0': formatAddress(nodeAddress(2)),
      'n4-p0': formatAddress(nodeAddress(2)),
    });
  });

  test('of the answer restores VIP and client, and checksums hold', () => {
    const { node } = hop({}, 2);
    const p = packet(FLAGS.SYN);
    node.fromOutside(p, 1);
    const there = new Tuple();
    p.readTuple(there);
    const back = new Tuple();
    back.invert(there);
    const answer = new Packet();
    const fields = { flags: FLAGS.SYN | FLAGS.ACK, seq: 1, ack: 101, payloadBytes: 0, flowLabel: 0 };
    forgePacket(back, fields, new DataView(new ArrayBuffer(128)), answer);
    expect(node.fromEndpoint(answer, 1.001)).toBe(true);
    expect(ends(answer)).toBe('203.0.113.10:80 > 198.51.100.53:53584');
    expect(checksumsHold(answer)).toBe(true);
  });

  test('draws a port from the class of the client’s port', () => {
    for (const [srcPort, first, last] of [
      [80, 1, 511],
      [700, 600, 1023],
      [50000, 1024, 65535],
    ] as const) {
      const { node } = hop();
      const p = packet(FLAGS.SYN, { srcPort });
      node.fromOutside(p, 1);
      const port = Number(/:(\d+) >/.exec(ends(p))![1]);
      expect(port).toBeGreaterThanOrEqual(first);
      expect(port).toBeLessThanOrEqual(last);
    }
  });

  test('without --random-fully keeps the port while the tuple is free, and finds another one otherwise', () => {
    const { node } = hop({ pods: [1, 0, 0, 0], dataplane: { masqueradeRandomFully: false } });
    const a = packet(FLAGS.SYN, { src: ipv4(0xc6336401) });
    const b = packet(FLAGS.SYN, { src: ipv4(0xc6336402) });
    node.fromOutside(a, 1);
    node.fromOutside(b, 1);
    expect(ends(a)).toContain(':53584 >');
    expect(ends(b)).not.toContain(':53584 >');
    expect(ends(b).split(':')[0]).toBe(ends(a).split(':')[0]);
  });

  test('without masquerade still gives every connection a tuple of its own', () => {
    const { node } = hop({
      pods: [1, 0, 0, 0],
      service: {
        externalTrafficPolicy: 'Local',
        ports: [
          { name: null, proto: 6, port: 80, targetPort: 8080 },
          { name: null, proto: 6, port: 81, targetPort: 8080 },
        ],
      },
    });
    const first = packet(FLAGS.SYN, { port: 80 });
    const second = packet(FLAGS.SYN, { port: 81 });
    node.fromOutside(first, 1);
    node.fromOutside(second, 1);
    expect(ends(first)).toContain('198.51.100.53:53584 >');
    expect(ends(second)).toMatch(/^198\.51\.100\.53:(?!53584)/);
  });
});

test('a node out of source ports towards an endpoint drops new connections in silence', () => {
  const { node } = hop({ pods: [1, 0, 0, 0] });
  let dropped = 0;
  for (let i = 0; i < 520; i++) {
    const p = packet(FLAGS.SYN, { srcPort: 80, src: ipv4(0xc6330000 + i) });
    if (node.fromOutside(p, 1)) continue;
    dropped++;
    expect([node.outcome, REASON_NAMES[node.reason]]).toEqual([Outcome.silent, 'snat-port-exhausted']);
  }
  expect(dropped).toBe(520 - 511);
});

test('sessionAffinity ClientIP gives a client its endpoint again until the timeout', () => {
  const { node } = hop({ service: { sessionAffinity: 'ClientIP', affinityTimeoutS: 10 } });
  const podAt = (srcPort: number, nowS: number): number => {
    node.fromOutside(packet(FLAGS.SYN, { srcPort }), nowS);
    return node.pod;
  };
  const first = podAt(2000, 0);
  for (let i = 1; i < 20; i++) expect(podAt(2000 + i, i * 5)).toBe(first);
  const later = new Set(Array.from({ length: 40 }, (_, i) => podAt(3000 + i, 1000 + i * 11)));
  expect(later.size).toBeGreaterThan(1);
});

test('a UDP entry keeps its endpoint until the endpoint leaves the rules', () => {
  const { node, cluster } = hop();
  const send = (nowS: number): number => {
    node.fromOutside(packet(0, { proto: 17 }), nowS);
    return node.pod;
  };
  const first = send(0);
  expect(send(1)).toBe(first);
  cluster.stopPod(cluster.pods[first]!);
  expect(send(2)).toBe(first);
  cluster.program(0);
  expect(send(3)).not.toBe(first);
});
