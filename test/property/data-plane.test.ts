/**
 * The data plane against its specification, packet by packet: the same packets go through the kernel's records, and one
 * by one through the hops of oracle/, which see every one of them. Bytes, class and hop must be the same.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ClusterModel } from '../../src/cluster/model.js';
import { Segment, segmentOf } from '../../src/conntrack/tcp-states.js';
import { Tuple } from '../../src/conntrack/tuple.js';
import { DataPlane } from '../../src/dataplane/data-plane.js';
import { classOf, hopOf, PacketClass } from '../../src/dataplane/verdict-codes.js';
import { NodeHop } from '../../src/oracle/node-hop.js';
import { RouterHop } from '../../src/oracle/router-hop.js';
import { ServicePorts } from '../../src/oracle/service-ports.js';
import { ClusterState } from '../../src/state/cluster-state.js';
import { Packet } from '../../src/state/packet.js';
import { RouterState } from '../../src/state/router-state.js';
import { Timeline } from '../../src/timeline/timeline.js';
import { foldChecksum, sumWords } from '../../src/wire/checksum.js';
import { Dice, randomModel } from '../support/random-world.js';

interface Sent {
  readonly frame: Uint8Array;
  readonly timeNs: number;
  readonly isIpv6: boolean;
  readonly proto: number;
  readonly fromClient: boolean;
}

interface Became {
  readonly kind: number;
  readonly hop: number;
  readonly bytes: string;
}

const L3 = 14;

/** An Ethernet frame with right checksums, or a UDP checksum of 0. */
function frameOf(
  dice: Dice,
  words: readonly number[][],
  proto: number,
  ports: number[],
  flags: number,
): Uint8Array {
  const [src, dst] = words as [number[], number[]];
  const isIpv6 = src.length === 4;
  const header = isIpv6 ? 40 : 20;
  const l4 = L3 + header;
  const payload = dice.below(40);
  const l4Bytes = (proto === 6 ? 20 : 8) + payload;
  const frame = new Uint8Array(l4 + l4Bytes);
  const view = new DataView(frame.buffer);
  view.setUint16(12, isIpv6 ? 0x86dd : 0x0800);
  for (let i = l4; i < frame.length; i++) frame[i] = dice.below(256);
  const ttl = dice.chance(0.02) ? 1 : 64;
  if (isIpv6) {
    view.setUint32(L3, 0x60000000 + dice.below(0xfffff));
    view.setUint16(L3 + 4, l4Bytes);
    frame[L3 + 6] = proto;
    frame[L3 + 7] = ttl;
  } else {
    view.setUint16(L3, 0x4500);
    view.setUint16(L3 + 2, header + l4Bytes);
    frame[L3 + 8] = ttl;
    frame[L3 + 9] = proto;
  }
  const at = L3 + (isIpv6 ? 8 : 12);
  for (const [i, word] of [...src, ...dst].entries()) view.setUint32(at + 4 * i, word);
  if (!isIpv6) view.setUint16(L3 + 10, foldChecksum(sumWords(view, L3, 20)));
  view.setUint16(l4, ports[0]!);
  view.setUint16(l4 + 2, ports[1]!);
  const sum = l4 + (proto === 6 ? 16 : 6);
  if (proto === 6) {
    frame[l4 + 12] = 0x50;
    frame[l4 + 13] = flags;
    // near each other, as those of a connection are, but for a few
    view.setUint32(l4 + 4, dice.chance(0.05) ? dice.below(0xffffffff) : dice.below(100_000));
    view.setUint32(l4 + 8, dice.below(100_000));
  } else {
    view.setUint16(l4 + 4, l4Bytes);
  }
  view.setUint16(sum, 0);
  if (proto === 17 && !isIpv6 && dice.chance(0.2)) return frame;
  const pseudo = sumWords(view, at, 8 * src.length) + proto + l4Bytes;
  view.setUint16(sum, foldChecksum(pseudo + sumWords(view, l4, l4Bytes)) || (proto === 17 ? 0xffff : 0));
  return frame;
}

function randomTraffic(dice: Dice, model: ClusterModel): Sent[] {
  const sent: Sent[] = [];
  for (let c = 0; c < 24; c++) {
    const service = dice.pick(model.services);
    const proto = dice.pick([6, 6, 17]);
    const vip = dice.pick(service.vips);
    const isIpv6 = vip.family === 6;
    const client = isIpv6 ? [0x20010db8, 0, 0, 1 + dice.below(5)] : [0xc6336401 + dice.below(5)];
    const server = isIpv6 ? [vip.w0, vip.w1, vip.w2, vip.w3] : [vip.w0];
    const port = dice.chance(0.1) ? 9 : proto === 6 ? 80 : 53;
    const clientPort = dice.pick([500, 900, 40000]) + dice.below(3);
    let atNs = dice.below(8_000) * 1e6;
    let begun = dice.chance(0.15);
    for (let k = dice.below(25); k >= 0; k--) {
      const fromClient = !begun || dice.chance(0.5);
      const ordinary = begun ? 0x10 : 0x02;
      const flags = dice.chance(0.15) ? dice.pick([0x02, 0x12, 0x11, 0x04, 0x14, 0, 0x3f, 0x18]) : ordinary;
      begun = true;
      const ends = fromClient ? [client, server] : [server, client];
      const ports = fromClient ? [clientPort, port] : [port, clientPort];
      const frame = frameOf(dice, ends, proto, ports, fromClient || flags !== 0x02 ? flags : 0x12);
      sent.push({ frame, timeNs: atNs, isIpv6, proto, fromClient });
      atNs += dice.pick([1, 20, 300, 1500]) * 1e6;
    }
  }
  return sent.sort((a, b) => a.timeNs - b.timeNs);
}

function throughKernel(model: ClusterModel, traffic: readonly Sent[], batchRows: number): Became[] {
  const plane = new DataPlane(model);
  plane.begin(0n);
  const { batch } = plane;
  const became: Became[] = [];
  for (let from = 0; from < traffic.length; from += batchRows) {
    const rows = traffic.slice(from, from + batchRows);
    let at = 0;
    for (const [row, { frame, timeNs }] of rows.entries()) {
      batch.bytes.set(frame, at);
      batch.at[row] = at;
      batch.capLen[row] = frame.length;
      batch.wireLen[row] = frame.length;
      batch.timeNs[row] = timeNs;
      batch.linkType[row] = 1;
      at += frame.length;
    }
    batch.count = rows.length;
    plane.process();
    for (const [row, { frame }] of rows.entries()) {
      const verdict = plane.verdict(row);
      const bytes = batch.bytes.slice(batch.at[row]!, batch.at[row]! + frame.length);
      became.push({ kind: classOf(verdict), hop: hopOf(verdict), bytes: Buffer.from(bytes).toString('hex') });
    }
  }
  return became;
}

/** The specification: every packet goes through the hops. */
class Reference {
  private readonly cluster: ClusterState;
  private readonly router: RouterState;
  private readonly routerHop: RouterHop;
  private readonly nodes: NodeHop[];
  private readonly services: ServicePorts;
  private readonly timeline: Timeline;
  /** where the client's packets went last */
  private readonly homes = new Map<string, { node: number; original: string }>();
  private readonly packet = new Packet();
  private readonly tuple = new Tuple();

  constructor(model: ClusterModel) {
    this.cluster = new ClusterState(model);
    this.router = new RouterState(model, this.cluster);
    this.routerHop = new RouterHop(this.router);
    this.services = new ServicePorts(model);
    const draws = new Map<number, number>();
    this.nodes = model.nodes.map((_, n) => new NodeHop(n, model, this.cluster, this.services, draws));
    const nothing = (): void => {};
    const listener = { routesChanged: nothing, placesChanged: nothing, podStopped: nothing };
    const rest = { eventStarts: nothing, linkChanged: nothing, nodeChanged: nothing };
    this.timeline = new Timeline(model, this.cluster, this.router, { ...listener, ...rest });
  }

  send(sent: Sent): Became {
    const nowS = sent.timeNs * 1e-9;
    this.timeline.advance(nowS);
    const frame = sent.frame.slice();
    const packet = this.set(this.packet, frame, sent);
    packet.readTuple(this.tuple);
    const key = new Tuple();
    if (sent.fromClient) key.copy(this.tuple);
    else key.invert(this.tuple);
    const name = key.words.join(' ');
    const [kind, hop] = sent.fromClient
      ? this.fromClient(sent, packet, name, nowS)
      : this.fromService(sent, packet, key, nowS);
    return { kind, hop, bytes: Buffer.from(frame).toString('hex') };
  }

  private fromClient(sent: Sent, packet: Packet, name: string, nowS: number): [number, number] {
    const begins = sent.proto !== 6 || segmentOf(packet.tcpFlags) === Segment.syn;
    if (!this.homes.has(name) && !begins) this.adopt(this.set(new Packet(), sent.frame.slice(), sent), nowS);
    packet.readTuple(this.tuple);
    const fixed = this.services.entryOf(this.tuple);
    const node = fixed >= 0 ? fixed : this.routerHop.forward(packet, nowS);
    if (node < 0 || (fixed < 0 && this.router.isDeadEnd(node))) return [PacketClass.dropped, 0];
    if (!this.nodes[node]!.fromOutside(packet, nowS)) return [PacketClass.dropped, node + 1];
    this.homes.set(name, { node, original: name });
    return [PacketClass.translated, node + 1];
  }

  private fromService(sent: Sent, packet: Packet, key: Tuple, nowS: number): [number, number] {
    const name = key.words.join(' ');
    if (this.services.find(key) === null) return [PacketClass.unchanged, 0];
    if (!this.homes.has(name)) {
      const client = this.set(new Packet(), sent.frame.slice(), sent);
      client.writeTuple(key);
      if (sent.proto === 6) client.view.setUint32(client.l4 + 4, client.view.getUint32(client.l4 + 8));
      const node = this.adopt(client, nowS);
      if (node < 0) return [PacketClass.dropped, 0];
      this.homes.set(name, { node, original: name });
    }
    const { node } = this.homes.get(name)!;
    const hop = this.nodes[node]!;
    if (!this.cluster.nodeUp[node]) return [PacketClass.dropped, node + 1];
    hop.catchUp();
    const slot = hop.table.peek(key);
    if (slot < 0) return [PacketClass.dropped, node + 1];
    hop.table.readTuple(slot ^ 1, this.tuple);
    packet.writeTuple(this.tuple);
    const passed = this.set(new Packet(), Uint8Array.from(new Uint8Array(packet.view.buffer)), sent);
    if (!hop.fromEndpoint(passed, nowS)) return [PacketClass.dropped, node + 1];
    // what its node makes of it is what the client saw
    passed.readTuple(this.tuple);
    expect([...this.tuple.words]).toEqual([...invertedWords(key)]);
    return [PacketClass.translated, node + 1];
  }

  private adopt(packet: Packet, nowS: number): number {
    packet.readTuple(this.tuple);
    const fixed = this.services.entryOf(this.tuple);
    const node = fixed >= 0 ? fixed : this.routerHop.peek(packet);
    return node >= 0 && this.nodes[node]!.adopt(packet, nowS) >= 0 ? node : -1;
  }

  private set(packet: Packet, frame: Uint8Array, { isIpv6, proto }: Sent): Packet {
    const l4 = L3 + (isIpv6 ? 40 : 20);
    packet.set(new DataView(frame.buffer), isIpv6 ? 6 : 4, proto, L3, l4, frame.length, 0);
    return packet;
  }
}

function invertedWords(key: Tuple): Uint32Array {
  const inverted = new Tuple();
  inverted.invert(key);
  return inverted.words;
}

const runs = { numRuns: Number(process.env.FLOWFATE_RUNS ?? 150), seed: 11 };

test('on random clusters, timelines and traffic every packet leaves the kernel as the hops would have it', () => {
  const seen = { translated: 0, dropped: 0 };
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const dice = new Dice(seed);
      const model = withResilience(randomModel(dice), dice);
      const traffic = randomTraffic(dice, model);
      const became = throughKernel(model, traffic, dice.pick([1, 7, 1000]));
      const reference = new Reference(model);
      for (const [i, sent] of traffic.entries()) {
        const expected = reference.send(sent);
        expect([i, became[i]]).toEqual([i, expected]);
        if (expected.kind === PacketClass.translated) seen.translated++;
        if (expected.kind === PacketClass.dropped) seen.dropped++;
      }
    }),
    runs,
  );
  expect(seen.translated).toBeGreaterThan(seen.dropped / 4);
});

/** Now and then a group that wants to know of every packet. */
function withResilience(model: ClusterModel, dice: Dice): ClusterModel {
  const plain = model.timeline.every(({ kind }) => kind !== 'ecmp');
  if (!plain || !dice.chance(0.3)) return model;
  const ecmp = { ...model.router.ecmp, select: 'resilient' as const };
  return { ...model, router: { ...model.router, ecmp } };
}

test('checksums that were right are right afterwards', () => {
  const dice = new Dice(5);
  for (let world = 0; world < 20; world++) {
    const model = randomModel(dice);
    const traffic = randomTraffic(dice, model);
    for (const [i, { kind, bytes }] of throughKernel(model, traffic, 64).entries()) {
      if (kind !== PacketClass.translated) continue;
      const { isIpv6, proto } = traffic[i]!;
      const frame = Uint8Array.from(Buffer.from(bytes, 'hex'));
      const view = new DataView(frame.buffer);
      const l4 = L3 + (isIpv6 ? 40 : 20);
      if (!isIpv6) expect(foldChecksum(sumWords(view, L3, 20))).toBe(0);
      if (proto === 17 && view.getUint16(l4 + 6) === 0) continue;
      const pseudo = sumWords(view, L3 + (isIpv6 ? 8 : 12), isIpv6 ? 32 : 8) + proto + frame.length - l4;
      expect(foldChecksum(pseudo + sumWords(view, l4, frame.length - l4))).toBe(0);
    }
  }
});
