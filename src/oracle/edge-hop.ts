/**
 * The load balancer before the cluster, packet by packet on bytes. A client's packet meets these stages:
 *
 *   1. virtual server   by destination; a port without one is refused
 *   2. connection       known tuple -> its member; a SYN, or a datagram, makes one; anything else is reset
 *   3. load balancing   persistence, then the pool's method among the members that may get traffic
 *   4. SNAT             automap: its own address, the client's port where that is free
 *   5. rewrite          to the member's NodePort, or to a pod
 *
 * A member's answer is translated back by the reverse tuple. The handshake is passed on as a BIG-IP FastL4 virtual
 * server does it (a full proxy would answer the client's SYN itself: then the data stays unanswered instead of the SYN). The table
 * is its own: idle connections are forgotten after `idleS`, an unanswered SYN after `handshakeS`.
 */
import type { Address } from '../addr/address.js';
import { formatAddress } from '../addr/address.js';
import { snatOf } from '../cluster/edge-model.js';
import type { ClusterModel } from '../cluster/model.js';
import { Segment, segmentOf } from '../conntrack/tcp-states.js';
import { TUPLE_DST, TUPLE_SRC, Tuple } from '../conntrack/tuple.js';
import { addressOf } from '../state/cluster-state.js';
import { Outcome, ReasonCode } from '../state/disposition.js';
import { flowKey } from '../state/draw.js';
import { type EdgeServer, EdgeServers } from '../state/edge-servers.js';
import { EdgePhase, type EdgeState } from '../state/edge-state.js';
import type { Packet } from '../state/packet.js';
import { TCP } from '../wire/ip-protocol.js';
import { ConntrackTable } from './conntrack-table.js';
import type { ServicePorts } from './service-ports.js';

export class EdgeHop {
  outcome: Outcome = Outcome.answered;
  reason = 0;
  /** entry and member of the last packet, or -1 */
  entry = -1;
  member = -1;
  private readonly table: ConntrackTable;
  private readonly servers: EdgeServers;
  // by entry of the table
  private readonly members: number[] = [];
  private readonly phases: EdgePhase[] = [];
  private readonly lastS: number[] = [];
  private readonly keys: number[] = [];
  private readonly snatPorts: number[] = [];
  private readonly tuple = new Tuple();
  private readonly translated = new Tuple();
  private readonly reply = new Tuple();

  constructor(
    private readonly state: EdgeState,
    model: ClusterModel,
    private readonly services: ServicePorts,
  ) {
    this.table = new ConntrackTable({
      max: Number.POSITIVE_INFINITY,
      timeouts: model.dataplane.conntrack.timeouts,
    });
    this.servers = new EdgeServers(state.edge, model.services);
  }

  /** Whether the packet's destination is an address that the load balancer holds. */
  covers(packet: Packet): boolean {
    packet.readTuple(this.tuple);
    return this.serverOf() !== null;
  }

  /** A client's packet: translated in place, it goes to the node that is returned; -1: see outcome and reason. */
  forward(packet: Packet, nowS: number): number {
    packet.readTuple(this.tuple);
    const server = this.serverOf()!;
    const segment = packet.proto === TCP ? segmentOf(packet.tcpFlags) : Segment.syn;
    let entry = this.living(nowS);
    if (entry >= 0 && this.phases[entry] === EdgePhase.dropped && segment === Segment.syn) {
      this.close(entry);
      entry = -1;
    }
    this.entry = entry;
    this.member = entry < 0 ? -1 : this.members[entry]!;
    if (entry < 0) {
      if (segment !== Segment.syn) return this.unmatched(segment);
      entry = this.open(server, EdgePhase.opening, nowS);
    } else if (this.phases[entry] === EdgePhase.reselect) {
      this.close(entry);
      entry = this.open(server, EdgePhase.open, nowS);
    }
    this.entry = entry;
    if (entry < 0) return -1;
    this.member = this.members[entry]!;
    this.lastS[entry] = nowS;
    if (this.phases[entry] === EdgePhase.dropped) return this.end(Outcome.silent, ReasonCode['member-down']);
    this.table.readTuple(entry * 2 + 1, this.reply);
    this.translated.invert(this.reply);
    packet.writeTuple(this.translated);
    return this.state.members[this.member]!.node;
  }

  /** What became of the packet that was forwarded last. */
  after(segment: Segment | -1, proto: number, outcome: Outcome): void {
    const { entry } = this;
    if (entry < 0) return;
    if (proto !== TCP) return;
    if (outcome === Outcome.reset || segment === Segment.rst) this.close(entry);
    else if (outcome === Outcome.answered) {
      if (segment === Segment.fin) this.close(entry);
      else if (this.phases[entry] === EdgePhase.opening) this.phases[entry] = EdgePhase.open;
    }
  }

  /** A member's answer, translated back in place. False: no connection has its tuple. */
  fromMember(packet: Packet): boolean {
    packet.readTuple(this.tuple);
    const slot = this.table.peek(this.tuple);
    if (slot < 0 || (slot & 1) === 0) return false;
    this.table.readTuple(slot ^ 1, this.reply);
    this.translated.invert(this.reply);
    packet.writeTuple(this.translated);
    return true;
  }

  /** A connection that began before the capture, as its first packet finds it. Returns the node, or -1. */
  adopt(packet: Packet, nowS: number): number {
    packet.readTuple(this.tuple);
    const server = this.serverOf()!;
    if (this.living(nowS) >= 0) return -1;
    const entry = this.open(server, EdgePhase.open, nowS);
    if (entry < 0) return -1;
    this.entry = entry;
    this.member = this.members[entry]!;
    packet.writeTuple(this.translated);
    return this.state.members[this.member]!.node;
  }

  /** Node that a segment of an open connection would go to now, translated in place; -1: it would be reset or dropped. */
  peek(packet: Packet, nowS: number): number {
    packet.readTuple(this.tuple);
    const entry = this.living(nowS);
    if (entry < 0) return -1;
    const phase = this.phases[entry]!;
    if (phase === EdgePhase.dropped || phase === EdgePhase.reselect) return -1;
    this.table.readTuple(entry * 2 + 1, this.reply);
    this.translated.invert(this.reply);
    packet.writeTuple(this.translated);
    return this.state.members[this.members[entry]!]!.node;
  }

  /** Row of the virtual server that a client's packet comes to. */
  serverRow(packet: Packet): number {
    packet.readTuple(this.tuple);
    return this.serverOf()!.server;
  }

  /** Source port that the connection of the last packet has behind the load balancer; -1: the client's own. */
  get sourcePort(): number {
    return this.entry < 0 ? -1 : this.snatPorts[this.entry]!;
  }

  /** The connection of a client's packet that goes to `member`, or -1. */
  entryTo(packet: Packet, member: number): number {
    packet.readTuple(this.tuple);
    const slot = this.table.peek(this.tuple);
    return slot < 0 || this.members[slot >> 1] !== member ? -1 : slot >> 1;
  }

  setPhase(entry: number, phase: EdgePhase): void {
    this.phases[entry] = phase;
  }

  close(entry: number): void {
    const member = this.state.members[this.members[entry]!]!;
    member.connections--;
    this.table.readTuple(entry * 2, this.reply);
    const { family, proto } = this.reply;
    if (this.snatPorts[entry]! >= 0)
      this.state.ports.release(member.row, family, proto, this.keys[entry]!, this.snatPorts[entry]!);
    this.table.remove(entry);
  }

  private serverOf(): EdgeServer | null {
    return this.servers.find(this.tuple, this.services.find(this.tuple) !== null);
  }

  /** The living connection of the packet in {@link tuple}, or -1; an idle one is forgotten on the way. */
  private living(nowS: number): number {
    const slot = this.table.peek(this.tuple);
    if (slot < 0) return -1;
    const entry = slot >> 1;
    const { idleS, handshakeS } = this.state.edge;
    const limitS =
      this.tuple.proto !== TCP
        ? idleS.udp
        : this.phases[entry] === EdgePhase.opening
          ? handshakeS
          : idleS.tcp;
    if (nowS - this.lastS[entry]! <= limitS) return entry;
    this.close(entry);
    return -1;
  }

  /** A new connection of the packet in {@link tuple}; the translated tuple is left in {@link translated}. -1: none. */
  private open({ server, port }: EdgeServer, phase: EdgePhase, nowS: number): number {
    const { tuple, state } = this;
    const { family, proto } = tuple;
    if (port < 0) {
      const outcome = proto === TCP ? Outcome.reset : Outcome.unreachable;
      return this.end(outcome, ReasonCode['not-a-service']);
    }
    const row = state.choose(server, this.clientOf(server), nowS);
    if (row < 0) {
      const outcome = proto === TCP ? Outcome.reset : Outcome.silent;
      return this.end(outcome, ReasonCode['no-member']);
    }
    const member = state.members[row]!;
    const { words, srcPort, dstPort } = tuple;
    const key = flowKey(words, TUPLE_SRC, TUPLE_DST, srcPort, dstPort, proto);
    this.translated.copy(tuple);
    this.translated.setDestination(state.addressOf(member, family)!, state.portOf(member, server, port));
    let snatPort = -1;
    if (snatOf(state.edge, server) === 'automap') {
      snatPort = state.ports.take(row, family, proto, key, srcPort);
      if (snatPort < 0) return this.end(Outcome.silent, ReasonCode['snat-port-exhausted']);
      this.translated.setSource(addressOf(state.edge.addresses, family) as Address, snatPort);
    }
    this.reply.invert(this.translated);
    const entry = this.table.insert(tuple, this.reply, 0, nowS);
    this.members[entry] = row;
    this.phases[entry] = proto === TCP ? phase : EdgePhase.open;
    this.lastS[entry] = nowS;
    this.keys[entry] = key;
    this.snatPorts[entry] = snatPort;
    member.connections++;
    return entry;
  }

  /** Key of the client's address, where the virtual server persists by it. */
  private clientOf(server: number): string | null {
    if (this.state.edge.virtualServers[server]!.persistence === 'none') return null;
    const [w0, w1, w2, w3] = this.tuple.words as unknown as [number, number, number, number];
    return formatAddress({ family: this.tuple.family as 4 | 6, w0, w1, w2, w3 });
  }

  /** No connection has this segment: loose initiation is off, and the sender is told so, but not about a RST. */
  private unmatched(segment: Segment | -1): -1 {
    const outcome = segment === Segment.rst ? Outcome.silent : Outcome.reset;
    return this.end(outcome, ReasonCode['edge-unmatched']);
  }

  private end(outcome: Outcome, reason: number): -1 {
    this.outcome = outcome;
    this.reason = reason;
    return -1;
  }
}
