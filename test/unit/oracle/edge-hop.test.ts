import { describe, expect, test } from 'vitest';
import { formatAddress, ipv4 } from '../../../src/addr/address.js';
import type { EdgeModel } from '../../../src/cluster/edge-model.js';
import { Segment } from '../../../src/conntrack/tcp-states.js';
import { Tuple } from '../../../src/conntrack/tuple.js';
import { DataPlane } from '../../../src/oracle/data-plane.js';
import { EdgeHop } from '../../../src/oracle/edge-hop.js';
import { ServicePorts } from '../../../src/oracle/service-ports.js';
import { ClusterState } from '../../../src/state/cluster-state.js';
import { Outcome, REASON_NAMES } from '../../../src/state/disposition.js';
import { EdgePorts } from '../../../src/state/edge-ports.js';
import { edgeStateOf } from '../../../src/state/edge-state.js';
import { buildTcpAnswer, forgePacket } from '../../../src/state/forge.js';
import { Packet } from '../../../src/state/packet.js';
import { RouterState } from '../../../src/state/router-state.js';
import { foldChecksum, sumWords } from '../../../src/wire/checksum.js';
import { smallCluster, VIP } from '../../support/small-cluster.js';
import { smallEdge } from '../../support/small-edge.js';

const SYN = 2;
const ACK = 16;
const FIN = 1;
const RST = 4;

function hopOf(edge: EdgeModel): EdgeHop {
  const model = smallCluster({ edge });
  const state = edgeStateOf(model, new ClusterState(model))!;
  return new EdgeHop(state, model, new ServicePorts(model));
}

function packet(flags: number, srcPort = 50000, host = 53, proto = 6, port = proto === 17 ? 53 : 80): Packet {
  const tuple = new Tuple();
  tuple.setKind(4, proto);
  tuple.setSource(ipv4(0xc6336400 + host), srcPort);
  tuple.setDestination(VIP, port);
  const out = new Packet();
  const fields = { flags, seq: 100, ack: 200, payloadBytes: 10, flowLabel: 0 };
  forgePacket(tuple, fields, new DataView(new ArrayBuffer(128)), out);
  return out;
}

function ends(of: Packet): string {
  const t = new Tuple();
  of.readTuple(t);
  const at = (i: number): string => formatAddress(ipv4(t.words[i]!));
  return `${at(0)}:${t.srcPort} > ${at(4)}:${t.dstPort}`;
}

function checksumsHold({ view, l3, l4, end, proto }: Packet): boolean {
  const pseudo = sumWords(view, l3 + 12, 8) + proto + (end - l4);
  const sum = foldChecksum(pseudo + sumWords(view, l4, end - l4));
  return foldChecksum(sumWords(view, l3, 20)) === 0 && sum === 0;
}

const verdict = (hop: EdgeHop): [number, string] => [hop.outcome, REASON_NAMES[hop.reason]!];

describe('a client’s packet', () => {
  test('goes to a member’s NodePort from the load balancer’s own address, with the client’s port', () => {
    const hop = hopOf(smallEdge([1, 2]));
    const p = packet(SYN);
    expect([hop.covers(p), hop.forward(p, 0)]).toEqual([true, 1]);
    expect([ends(p), checksumsHold(p)]).toEqual(['10.0.0.250:50000 > 10.0.0.2:30000', true]);
    const next = packet(ACK);
    expect([hop.forward(next, 1), ends(next)]).toEqual([1, '10.0.0.250:50000 > 10.0.0.2:30000']);
  });

  test('keeps its source where SNAT is off, and goes to a pod where pods are members', () => {
    const hop = hopOf(smallEdge([1], {}, { snat: 'none' }));
    const p = packet(SYN);
    hop.forward(p, 0);
    expect(ends(p)).toBe('198.51.100.53:50000 > 10.0.0.2:30000');
    const member = { node: 2, pod: 'n3-p0', ratio: 1, session: 'enabled' as const };
    const direct = hopOf(smallEdge([], { target: 'pod', members: [member] }));
    const q = packet(SYN);
    expect([direct.forward(q, 0), ends(q), checksumsHold(q)]).toEqual([
      2,
      '10.0.0.250:50000 > 10.244.3.10:8080',
      true,
    ]);
  });

  test('gets another port where another client already has its port towards that member', () => {
    const hop = hopOf(smallEdge([1]));
    const [a, b] = [packet(SYN, 50000, 1), packet(SYN, 50000, 2)];
    hop.forward(a, 0);
    hop.forward(b, 0);
    expect(ends(a)).toBe('10.0.0.250:50000 > 10.0.0.2:30000');
    expect(ends(b)).toMatch(/^10\.0\.0\.250:\d+ > 10\.0\.0\.2:30000$/);
    expect(ends(b)).not.toBe(ends(a));
  });

  test('is answered from the VIP to the client', () => {
    const hop = hopOf(smallEdge([1]));
    const p = packet(SYN);
    hop.forward(p, 0);
    const answer = new Packet();
    buildTcpAnswer(p, SYN | ACK, 1, 101, new DataView(new ArrayBuffer(128)), answer);
    expect([hop.fromMember(answer), ends(answer), checksumsHold(answer)]).toEqual([
      true,
      '203.0.113.10:80 > 198.51.100.53:50000',
      true,
    ]);
    expect(hop.fromMember(packet(ACK, 1234))).toBe(false);
  });

  test('without a connection is reset, unless it opens one; a RST is answered by nobody', () => {
    const hop = hopOf(smallEdge([1]));
    expect([hop.forward(packet(ACK), 0), ...verdict(hop)]).toEqual([-1, Outcome.reset, 'edge-unmatched']);
    expect([hop.forward(packet(RST), 0), ...verdict(hop)]).toEqual([-1, Outcome.silent, 'edge-unmatched']);
  });

  test('to a port that no virtual server has is refused', () => {
    const hop = hopOf(smallEdge([1]));
    expect([hop.forward(packet(SYN, 1, 1, 6, 81), 0), ...verdict(hop)]).toEqual([
      -1,
      Outcome.reset,
      'not-a-service',
    ]);
    hop.forward(packet(0, 1, 1, 17, 99), 0);
    expect(verdict(hop)).toEqual([Outcome.unreachable, 'not-a-service']);
  });

  test('is refused when no member may have it; a datagram is dropped', () => {
    const member = { node: 1, pod: null, ratio: 1, session: 'offline' as const };
    const hop = hopOf(smallEdge([], { members: [member] }));
    hop.forward(packet(SYN), 0);
    expect(verdict(hop)).toEqual([Outcome.reset, 'no-member']);
    hop.forward(packet(0, 1, 1, 17), 0);
    expect(verdict(hop)).toEqual([Outcome.silent, 'no-member']);
  });
});

describe('a connection', () => {
  test('stays at its member until it is closed or reset, and a new one gets the next', () => {
    const hop = hopOf(smallEdge([1, 2]));
    for (const [flags, segment] of [
      [FIN | ACK, Segment.fin],
      [RST, Segment.rst],
    ] as const) {
      const first = hop.forward(packet(SYN), 0);
      hop.after(Segment.syn, 6, Outcome.answered);
      expect(hop.forward(packet(SYN), 0.1)).toBe(first);
      expect(hop.forward(packet(flags), 0.2)).toBe(first);
      hop.after(segment, 6, Outcome.answered);
      const second = hop.forward(packet(SYN), 0.3);
      expect(second).not.toBe(first);
      hop.after(Segment.syn, 6, Outcome.reset);
    }
  });

  test('is forgotten when it is idle for longer than its timeout', () => {
    const hop = hopOf(smallEdge([1]));
    hop.forward(packet(SYN), 0);
    hop.after(Segment.syn, 6, Outcome.answered);
    expect(hop.forward(packet(ACK), 300)).toBe(1);
    expect([hop.forward(packet(ACK), 600.1), ...verdict(hop)]).toEqual([-1, Outcome.reset, 'edge-unmatched']);
  });

  test('that nobody answered is forgotten after the handshake timeout, and another member is tried', () => {
    const hop = hopOf(smallEdge([1, 2]));
    expect([0, 1, 3, 7, 13].map((s) => hop.forward(packet(SYN), s))).toEqual([1, 1, 1, 1, 2]);
  });
});

test('a segment that a NodePort’s node calls INVALID is refused by the node’s own stack', () => {
  const model = smallCluster({ edge: smallEdge([1]), conntrack: { tcpLoose: false } });
  const cluster = new ClusterState(model);
  const plane = new DataPlane(model, cluster, new RouterState(model, cluster), edgeStateOf(model, cluster));
  plane.send(packet(SYN), -1, 0);
  expect(plane.outcome).toBe(Outcome.answered);
  cluster.boot(1);
  plane.send(packet(ACK), -1, 1);
  expect([plane.outcome, REASON_NAMES[plane.reason]]).toEqual([Outcome.reset, 'invalid-refused']);
});

test('a port that was another connection’s is taken again only when none is left', () => {
  const ports = new EdgePorts(1);
  expect(ports.take(0, 4, 6, 7, 5000)).toBe(5000);
  ports.release(0, 4, 6, 7, 5000);
  expect(ports.take(0, 4, 6, 7, 5000)).toBe(5000);
  ports.release(0, 4, 6, 7, 5000);
  const taken = new Set<number>();
  for (let key = 100; key < 100 + 64512; key++) taken.add(ports.take(0, 4, 6, key, 5000));
  // all but the one that was another's were free; the last connection got that one
  expect(taken.size).toBe(64512);
  expect(ports.take(0, 4, 6, 99, 5000)).toBe(-1);
  expect(ports.take(1, 4, 6, 99, 5000)).toBe(5000);
});
