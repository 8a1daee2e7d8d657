/**
 * The data plane: batches of captured packets through router, conntrack and NAT, rewritten as bytes.
 *
 * A connection's first packet, and whatever is unusual, is decided by the hops of oracle/ on its bytes; what they
 * decided is kept as a record of the kernel, which steps and rewrites the packets that follow. So there is one
 * specification, and the kernel is held against it packet by packet (test/property/data-plane.test.ts).
 *
 * The capture is taken to stand before the cluster, where clients talk to services:
 *
 * - client to service: routed (TTL, flow hash, next hop), translated to the endpoint (DNAT, masquerade);
 * - service to client, as captured: shown as the endpoint sent it, before its node translated it back, so that the
 *   output is the same traffic as seen behind the nodes;
 * - endpoint to client, in captures taken behind the nodes: translated back to the service's address;
 * - everything else goes on unchanged: other traffic, fragments, protocols without ports, what was cut before them.
 *
 * A connection that began before the capture is taken up as oracle/ takes it up. What carries packets between nodes
 * (overlay) is left out: packets stand as the endpoint's node takes them out of it. MAC addresses stay.
 */
import type { Address } from '../addr/address.js';
import type { RecordBatch } from '../capture/record-batch.js';
import type { ClusterModel } from '../cluster/model.js';
import { Segment, segmentOf } from '../conntrack/tcp-states.js';
import { TUPLE_DST, TUPLE_SRC, Tuple } from '../conntrack/tuple.js';
import { FlowfateError } from '../errors.js';
import { CT_ASSURED, CT_REPLIED } from '../oracle/conntrack-table.js';
import { NodeHop } from '../oracle/node-hop.js';
import { RouterHop } from '../oracle/router-hop.js';
import { ServicePorts } from '../oracle/service-ports.js';
import type { NextHopGroup } from '../route/next-hop-group.js';
import { ClusterState } from '../state/cluster-state.js';
import { REASON_NAMES } from '../state/disposition.js';
import { Packet } from '../state/packet.js';
import { RouterState } from '../state/router-state.js';
import { Timeline } from '../timeline/timeline.js';
import { TCP } from '../wire/ip-protocol.js';
import { dumpTable } from './conntrack-dump.js';
import { commentOptions } from './drop-comment.js';
import { Field, Flag, KernelMemory } from './kernel-memory.js';
import { writeRewrite } from './rewrite-delta.js';
import { PacketClass, packVerdict } from './verdict-codes.js';

/** Enough for the headers of a packet with all its IP options and the fixed part of TCP. */
const HEADER_ROOM = 128;
const UNKNOWN_LABEL = 0xffff_ffff;

export interface PlaneCounters {
  readonly packets: number;
  readonly unchanged: number;
  readonly translated: number;
  readonly dropped: number;
  /** by node */
  readonly perNode: readonly { readonly node: string; readonly packets: number; readonly bytes: number }[];
  readonly byReason: Readonly<Record<string, number>>;
  /** connections that the data plane holds a record of */
  readonly connections: number;
  /** packets that were decided one by one instead of by a record */
  readonly decided: number;
}

export class DataPlane {
  /** Give this to the capture reader: its frames lie in the kernel's memory and are rewritten there. */
  readonly batch: RecordBatch;
  /** names of the hops: the router, then the nodes by row */
  readonly hops: readonly string[];
  private readonly memory: KernelMemory;
  private readonly cluster: ClusterState;
  private readonly router: RouterState;
  private readonly routerHop: RouterHop;
  private readonly nodes: readonly NodeHop[];
  private readonly services: ServicePorts;
  private readonly timeline: Timeline;
  /** where a connection's entry is, by record */
  private readonly nodeOf: number[] = [];
  private readonly entryOf: number[] = [];
  private readonly hashOf: number[] = [];
  private readonly groupOf: (NextHopGroup | null)[] = [];
  /** per node: record by entry, or -1 */
  private readonly recordOf: number[][];
  private readonly packet = new Packet();
  private readonly copy = new Packet();
  private readonly copyBytes = new Uint8Array(HEADER_ROOM);
  private readonly copyView = new DataView(this.copyBytes.buffer);
  private readonly tuple = new Tuple();
  private readonly other = new Tuple();
  private readonly notes = new Map<string, number>();
  private readonly reasons = new Map<string, number>();
  private pods = 0;
  private decided = 0;

  /** @throws FlowfateError where the model has what this data plane does not */
  constructor(private readonly model: ClusterModel) {
    if (model.edge !== null) {
      throw new FlowfateError(
        'config',
        'forwarding knows no load balancer before the cluster: take spec.edge out of the scenario',
      );
    }
    this.cluster = new ClusterState(model);
    this.router = new RouterState(model, this.cluster);
    this.routerHop = new RouterHop(this.router);
    this.services = new ServicePorts(model);
    const draws = new Map<number, number>();
    this.nodes = model.nodes.map((_, node) => new NodeHop(node, model, this.cluster, this.services, draws));
    this.hops = ['router', ...model.nodes.map(({ name }) => name)];
    this.recordOf = model.nodes.map(() => []);
    this.memory = new KernelMemory(
      {
        slow: (row, record, back) => this.decide(row, record, back),
        advance: () => this.advance(),
        ended: (record) => this.nodes[this.nodeOf[record]!]!.connectionEnds(this.entryOf[record]!),
        stamp: (record) => this.stamp(record),
      },
      model.dataplane.conntrack,
    );
    this.batch = this.memory.batch;
    for (const [node, hop] of this.nodes.entries()) {
      hop.table.keeper = {
        settle: (entry) => this.settle(node, entry),
        removed: (entry) => this.removed(node, entry),
      };
    }
    const changed = (): void => this.memory.kernel.nextEpoch();
    this.timeline = new Timeline(model, this.cluster, this.router, {
      routesChanged: changed,
      placesChanged: changed,
      podStopped: changed,
      eventStarts: changed,
      linkChanged: changed,
      nodeChanged: changed,
    });
    for (const word of this.services.doors.lastWords) this.memory.addWord(word);
    this.notePods();
    this.memory.kernel.setDueS(this.timeline.dueS);
  }

  /** `baseNs`: nanoseconds since 1970 that the batches' times count from; before the first batch. */
  begin(baseNs: bigint): void {
    const { epochNs } = this.model;
    this.memory.kernel.setOffsetNs(epochNs === null ? 0 : Number(baseNs - epochNs));
  }

  /** Takes the packets of {@link batch}, in order: rewrites them in place; {@link verdict} says what became of each. */
  process(): void {
    if (!this.memory.reserve()) {
      throw new FlowfateError('input', 'the connections of this capture do not fit in 4 GiB of memory');
    }
    this.memory.kernel.forward(this.batch.count);
  }

  /** What became of a row of the batch that was processed last: see verdict-codes.ts. */
  verdict(row: number): number {
    return this.memory.verdictOf(row);
  }

  /** Writes rows of the last batch as records of a file; see {@link KernelMemory.out}. Valid until the next call. */
  emit(format: 'pcap' | 'pcapng', classes: number, hop: number, baseNs: bigint): Uint8Array {
    const { kernel } = this.memory;
    const baseS = Number(baseNs / 1_000_000_000n);
    const restNs = Number(baseNs % 1_000_000_000n);
    const { count } = this.batch;
    const bytes = kernel.emit(count, format === 'pcapng' ? 1 : 0, classes, hop, baseNs, baseS, restNs);
    return this.memory.out(bytes >>> 0);
  }

  counters(): PlaneCounters {
    const of = (kind: PacketClass): number =>
      this.hops.reduce((sum, _, hop) => sum + this.memory.count(kind, hop).packets, 0);
    const [unchanged, translated, dropped] = [of(0), of(1), of(2)];
    return {
      packets: unchanged + translated + dropped,
      unchanged,
      translated,
      dropped,
      perNode: this.model.nodes.map(({ name }, node) => ({
        node: name,
        ...this.memory.count(PacketClass.translated, node + 1),
      })),
      byReason: Object.fromEntries([...this.reasons].sort(([, a], [, b]) => b - a)),
      connections: this.memory.kernel.recordCount() >>> 0,
      decided: this.decided,
    };
  }

  /** The nodes' tables, a line an entry as `conntrack -L` prints it, with the node's name before it. */
  *dump(): IterableIterator<string> {
    const nowS = this.memory.kernel.timeS();
    for (const [node, { table }] of this.nodes.entries()) {
      for (const line of dumpTable(table, nowS)) yield `${this.model.nodes[node]!.name} ${line}`;
    }
  }

  private advance(): void {
    const { kernel } = this.memory;
    this.timeline.advance(kernel.timeS());
    kernel.setDueS(this.timeline.dueS);
    this.notePods();
  }

  /** Pods that came since are looked for in packets, too. */
  private notePods(): void {
    const { pods } = this.cluster;
    for (; this.pods < pods.length; this.pods++) {
      for (const { family, w0, w3 } of pods[this.pods]!.addresses) {
        this.memory.addWord(family === 4 ? w0 : w3);
      }
    }
  }

  /** The group takes note of a packet; 1 while it chooses the same node. */
  private stamp(record: number): number {
    const group = this.groupOf[record];
    if (group === null || group === undefined) return 0;
    return group.choose(this.hashOf[record]!, this.memory.kernel.timeS()) === this.nodeOf[record] ? 1 : 0;
  }

  /** A row that the kernel leaves; `record` is its connection's, or -1. */
  private decide(row: number, record: number, back: number): number {
    this.decided++;
    const nowS = this.memory.kernel.timeS();
    const { l3, l4, end, family, proto } = this.memory.rowHeaders(row);
    this.packet.set(this.memory.view, family, proto, l3, l4, end, 0);
    this.packet.readTuple(this.tuple);
    if (record >= 0)
      return back === 0 ? this.fromClient(row, record, nowS) : this.fromService(row, record, nowS);
    const { doors } = this.services;
    const { words, srcPort, dstPort } = this.tuple;
    if (doors.find(family, words, TUPLE_DST, proto, dstPort) !== null) return this.fromClient(row, -1, nowS);
    const behind = doors.find(family, words, TUPLE_SRC, proto, srcPort);
    if (behind !== null && behind.port >= 0) return this.fromService(row, -1, nowS);
    return this.fromEndpoint(nowS);
  }

  private fromClient(row: number, record: number, nowS: number): number {
    const { packet } = this;
    if (record < 0) {
      this.memory.kernel.draft(row, 0);
      if (packet.proto === TCP && segmentOf(packet.tcpFlags) !== Segment.syn) {
        this.adopt(this.copyOf(packet), nowS);
      }
    }
    packet.readTuple(this.tuple);
    let node = this.services.entryOf(this.tuple);
    let routed = 0;
    if (node < 0) {
      const hasRoute = this.routerHop.peek(packet) >= 0;
      node = this.routerHop.forward(packet, nowS);
      if (node < 0) return this.drop(hasRoute ? 'ttl-exceeded' : 'no-route', -1);
      if (this.router.isDeadEnd(node)) return this.drop('next-hop-failed', -1);
      routed = Flag.routed;
    }
    const hop = this.nodes[node]!;
    if (!hop.fromOutside(packet, nowS)) return this.drop(REASON_NAMES[hop.reason]!, node);
    const kept = record < 0 ? this.memory.kernel.commit() : record;
    this.keep(kept, node, hop.entry, routed, this.labelOf(packet.l3));
    return packVerdict(PacketClass.translated, node + 1, 0);
  }

  /** An answer as the client sees it: shown as the endpoint sent it, if its node lets it pass. */
  private fromService(row: number, record: number, nowS: number): number {
    const { packet, other, copy } = this;
    if (record < 0) {
      this.memory.kernel.draft(row, 1);
      this.copyOf(packet);
      other.invert(this.tuple);
      copy.writeTuple(other);
      // the client's own numbers are those that the answer acknowledges
      if (copy.proto === TCP) this.copyView.setUint32(copy.l4 + 4, this.copyView.getUint32(copy.l4 + 8));
      const node = this.adopt(copy, nowS);
      if (node < 0) return this.drop('before-capture', -1);
      record = this.memory.kernel.commit();
      const routed = this.services.entryOf(other) < 0 ? Flag.routed : 0;
      this.keep(record, node, this.nodes[node]!.entry, routed, UNKNOWN_LABEL);
    }
    const node = this.nodeOf[record]!;
    const hop = this.nodes[node]!;
    if (!this.cluster.nodeUp[node]) return this.drop('node-down', node);
    hop.catchUp();
    const entry = this.entryOf[record]!;
    if (!this.isLive(record)) return this.drop('entry-expired', node);
    hop.table.readTuple(entry * 2 + 1, this.tuple);
    packet.writeTuple(this.tuple);
    hop.table.readTuple(entry * 2, other);
    this.copyOf(packet);
    if (!hop.fromEndpoint(copy, nowS)) {
      return this.drop(this.isLive(record) ? 'invalid-dropped' : 'entry-expired', node);
    }
    if (this.isLive(record)) {
      // only the client's next packet shows whether what was decided still holds
      this.load(record, false);
    }
    return packVerdict(PacketClass.translated, node + 1, 0);
  }

  /** IPv6 flow label; whatever stands there in IPv4, where nobody asks. */
  private labelOf(l3: number): number {
    return this.memory.view.getUint32(l3) & 0xfffff;
  }

  /** A packet that may be an endpoint's own answer. */
  private fromEndpoint(nowS: number): number {
    for (const [node, hop] of this.nodes.entries()) {
      if (!this.cluster.nodeUp[node]) continue;
      hop.catchUp();
      const slot = hop.table.find(this.tuple, nowS);
      if (slot < 0 || (slot & 1) === 0) continue;
      if (!hop.fromEndpoint(this.packet, nowS)) return this.drop('invalid-dropped', node);
      const record = this.recordOf[node]![slot >> 1] ?? -1;
      if (record >= 0) this.load(record, false);
      return packVerdict(PacketClass.translated, node + 1, 0);
    }
    return packVerdict(PacketClass.unchanged, 0, 0);
  }

  /** A connection that began before the capture, by a packet of its client's; returns its node, or -1. */
  private adopt(packet: Packet, nowS: number): number {
    packet.readTuple(this.tuple);
    const fixed = this.services.entryOf(this.tuple);
    const node = fixed >= 0 ? fixed : this.routerHop.peek(packet);
    if (node < 0) return -1;
    return this.nodes[node]!.adopt(packet, nowS) >= 0 ? node : -1;
  }

  /** The headers of `packet` in {@link copy}. */
  private copyOf({ family, proto, l3, l4, end }: Packet): Packet {
    const bytes = Math.min(end - l3, HEADER_ROOM);
    this.copyBytes.set(new Uint8Array(this.memory.view.buffer, l3, bytes));
    this.copy.set(this.copyView, family, proto, 0, l4 - l3, bytes, 0);
    return this.copy;
  }

  /** The record stands for this entry from now on. */
  private keep(record: number, node: number, entry: number, routed: number, label: number): void {
    const before = this.nodeOf[record];
    if (before !== undefined && this.isLive(record) && (before !== node || this.entryOf[record] !== entry)) {
      this.settle(before, this.entryOf[record]!);
      this.recordOf[before]![this.entryOf[record]!] = -1;
    }
    this.nodeOf[record] = node;
    this.entryOf[record] = entry;
    this.recordOf[node]![entry] = record;
    const { view } = this.memory;
    const at = this.memory.recordAt(record);
    const { table } = this.nodes[node]!;
    table.readTuple(entry * 2, this.tuple);
    table.readTuple(entry * 2 + 1, this.other);
    writeRewrite(view, at, this.tuple, this.other);
    view.setUint32(at + Field.label, label, true);
    view.setUint32(at + Field.hop, node + 1, true);
    view.setFloat64(at + Field.created, table.createdAtS(entry), true);
    let stamped = 0;
    this.groupOf[record] = null;
    if (routed !== 0) {
      const { words, family } = this.tuple;
      const d = TUPLE_DST;
      const group = this.router.fib.lookup(
        family as 4 | 6,
        words[d]!,
        words[d + 1]!,
        words[d + 2]!,
        words[d + 3]!,
      );
      this.groupOf[record] = group;
      if (group?.select.startsWith('resilient') === true) {
        stamped = Flag.stamped;
        this.copyOf(this.packet).writeTuple(this.tuple);
        this.hashOf[record] = this.routerHop.hashOf(this.copy);
      }
    }
    view.setUint8(at + Field.flags, routed | stamped);
    this.load(record, label !== UNKNOWN_LABEL);
  }

  /** The entry's state goes into its record; `current`: what was decided holds until something changes. */
  private load(record: number, current: boolean): void {
    const { view, kernel } = this.memory;
    const at = this.memory.recordAt(record);
    const hop = this.nodes[this.nodeOf[record]!]!;
    const entry = this.entryOf[record]!;
    const marks = hop.table.marksOf(entry);
    let flags = view.getUint8(at + Field.flags) & (Flag.routed | Flag.stamped);
    flags |= Flag.live;
    if ((marks & CT_REPLIED) !== 0) flags |= Flag.replied;
    if ((marks & CT_ASSURED) !== 0) flags |= Flag.assured;
    if (hop.hasEnded(entry)) flags |= Flag.ended;
    view.setUint8(at + Field.flags, flags);
    view.setUint8(at + Field.state, hop.table.stateOf(entry));
    view.setFloat64(at + Field.last, hop.table.lastAtS(entry), true);
    view.setUint32(at + Field.end, hop.table.endOf(entry), true);
    view.setUint32(at + Field.acked, hop.table.ackOf(entry), true);
    if (current) view.setUint32(at + Field.epoch, kernel.currentEpoch(), true);
  }

  private isLive(record: number): boolean {
    return (this.memory.view.getUint8(this.memory.recordAt(record) + Field.flags) & Flag.live) !== 0;
  }

  private settle(node: number, entry: number): void {
    const record = this.recordOf[node]![entry] ?? -1;
    if (record < 0) return;
    const { view } = this.memory;
    const at = this.memory.recordAt(record);
    const flags = view.getUint8(at + Field.flags);
    if ((flags & Flag.live) === 0) return;
    const { table } = this.nodes[node]!;
    const kept = table.marksOf(entry) & ~(CT_REPLIED | CT_ASSURED);
    const marks =
      kept |
      ((flags & Flag.replied) !== 0 ? CT_REPLIED : 0) |
      ((flags & Flag.assured) !== 0 ? CT_ASSURED : 0);
    const lastS = view.getFloat64(at + Field.last, true);
    table.restore(entry, view.getUint8(at + Field.state), marks, lastS);
    table.setEnd(entry, view.getUint32(at + Field.end, true));
    table.setAck(entry, view.getUint32(at + Field.acked, true));
  }

  private removed(node: number, entry: number): void {
    const record = this.recordOf[node]![entry] ?? -1;
    if (record < 0) return;
    this.recordOf[node]![entry] = -1;
    const at = this.memory.recordAt(record) + Field.flags;
    this.memory.view.setUint8(at, this.memory.view.getUint8(at) & ~Flag.live);
  }

  private drop(reason: string, node: number): number {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    const where = this.hops[node + 1]!;
    const text = `flowfate: dropped at ${where}: ${reason}`;
    let note = this.notes.get(text);
    if (note === undefined) {
      note = this.memory.addNote(commentOptions(text));
      this.notes.set(text, note);
    }
    return packVerdict(PacketClass.dropped, node + 1, note);
  }

  /** What addresses are called: services, pods, nodes. */
  names(): { readonly address: Address; readonly name: string }[] {
    const { services, nodes } = this.model;
    return [
      ...services.flatMap(({ vips, name }) => vips.map((address) => ({ address, name }))),
      ...nodes.flatMap(({ addresses, name }) => addresses.map((address) => ({ address, name }))),
      ...this.cluster.pods.flatMap(({ addresses, name }) => addresses.map((address) => ({ address, name }))),
    ];
  }
}
