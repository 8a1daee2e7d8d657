/**
 * The endpoints, packet by packet: each pod's sockets and what they answer. A pod knows the connections whose
 * SYN it has accepted, by the tuple it sees (after DNAT and masquerade) and by the sequence number it chose: a
 * client that got its SYN+ACK from elsewhere acknowledges another one. A segment of any other connection is
 * answered by the pod's kernel with a RST: flags exactly R and seq = the segment's ack number where it carries ACK, otherwise
 * RST+ACK with seq 0 (RFC 9293 3.10.7.1; measured). UDP is answered always.
 */
import { Segment, segmentOf } from '../conntrack/tcp-states.js';
import { TUPLE_WORDS, Tuple } from '../conntrack/tuple.js';
import type { ClusterState } from '../state/cluster-state.js';
import { HopKind, hopCode, Outcome, ReasonCode } from '../state/disposition.js';
import type { Packet } from '../state/packet.js';
import { TCP } from '../wire/ip-protocol.js';
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.js';

const NO_ANSWER = -1;

export interface Socket {
  /** which start of the pod it belongs to */
  readonly instance: number;
  /** initial sequence number that the pod chose */
  readonly isn: number;
  /** the client's */
  readonly clientIsn: number;
  /** reset: the pod knows it no more */
  gone: boolean;
}

export class EndpointHop {
  outcome: Outcome = Outcome.answered;
  reason = 0;
  hop = 0;
  /** whether the last packet is a SYN */
  isSyn = false;
  /** flags of the segment that answers the last packet, or -1: none */
  answerFlags = NO_ANSWER;
  /** its sequence and acknowledgement numbers */
  answerSeq = 0;
  answerAck = 0;
  /** the connection that was made last */
  made: Socket | null = null;
  /** per pod: connections by tuple */
  private readonly sockets = new Map<number, Map<string, Socket>>();
  /** near which the next connection's initial sequence number lies; every one is another */
  isn = 0;
  private count = 0;
  private accepted = 0;
  private readonly tuple = new Tuple();

  constructor(private readonly cluster: ClusterState) {}

  /**
   * A translated packet arrives for a pod.
   *
   * @param lingersUntilS until when a pod that was stopped may still answer this flow
   * @param entryIsNew the packet made its conntrack entry
   */
  receive(packet: Packet, pod: number, lingersUntilS: number, entryIsNew: boolean, nowS: number): void {
    const { node, running, crashed, shadowed, instance } = this.cluster.pods[pod]!;
    const here = hopCode(HopKind.endpoint, pod);
    this.answerFlags = NO_ANSWER;
    if (!this.cluster.isUp(node)) {
      this.end(Outcome.silent, ReasonCode['node-down'], hopCode(HopKind.node, node));
      return;
    }
    packet.readTuple(this.tuple);
    const name = connectionName(this.tuple);
    const socket = this.connections(pod).get(name);
    this.isSyn = packet.proto === TCP && segmentOf(packet.tcpFlags) === Segment.syn;
    if (shadowed.includes(packet.family)) {
      this.refuseForNode(packet, hopCode(HopKind.node, node));
      return;
    }
    const knows = isLiving(socket, instance) && socket.isn === acknowledged(packet);
    const segment = packet.proto === TCP ? segmentOf(packet.tcpFlags) : Segment.ack;
    if (!running && !(knows && nowS <= lingersUntilS)) {
      const stale = segment === Segment.syn && entryIsNew;
      const reason = stale ? ReasonCode['stale-rules'] : ReasonCode['endpoint-gone'];
      if (!crashed || segment === Segment.rst) this.end(Outcome.silent, reason, here);
      else if (packet.proto === TCP) this.refuse(packet, reason, here);
      else this.end(Outcome.unreachable, reason, here);
    } else if (packet.proto !== TCP) {
      this.end(Outcome.answered, 0, here);
    } else if (segment === Segment.syn) {
      this.count++;
      this.accepted = (this.isn + this.count) >>> 0;
      this.make(pod, name, this.accepted, sequence(packet));
      this.accept(packet, segment, here);
    } else if (knows) {
      this.accept(packet, segment, here);
    } else if (segment === Segment.rst) {
      this.end(Outcome.silent, ReasonCode['ecmp-rehash'], here);
    } else {
      this.refuse(packet, ReasonCode['endpoint-gone'], here);
    }
  }

  /** Whether a SYN with this tuple meets a living socket of another connection: it is challenged (RFC 5961). */
  challenges(packet: Packet, pod: number): boolean {
    const { node, running, instance } = this.cluster.pods[pod]!;
    if (!running || !this.cluster.isUp(node) || segmentOf(packet.tcpFlags) !== Segment.syn) return false;
    packet.readTuple(this.tuple);
    const socket = this.connections(pod).get(connectionName(this.tuple));
    return isLiving(socket, instance) && socket.clientIsn !== sequence(packet);
  }

  /** Whether the packet's tuple is that of a living socket, whatever its numbers. */
  hasSocket(packet: Packet, pod: number): boolean {
    const { node, running, instance } = this.cluster.pods[pod]!;
    packet.readTuple(this.tuple);
    const socket = this.connections(pod).get(connectionName(this.tuple));
    return running && this.cluster.isUp(node) && isLiving(socket, instance);
  }

  /** Whether a data segment that arrives for a pod now would be answered; changes nothing. */
  wouldAnswer(packet: Packet, pod: number): boolean {
    const { node, running, shadowed, instance } = this.cluster.pods[pod]!;
    if (!running || shadowed.includes(packet.family) || !this.cluster.isUp(node)) return false;
    packet.readTuple(this.tuple);
    const socket = this.connections(pod).get(connectionName(this.tuple));
    return isLiving(socket, instance) && socket.isn === acknowledged(packet);
  }

  /** The pod's node has the address itself: its stack knows no such connection, and refuses every one. */
  private refuseForNode(packet: Packet, here: number): void {
    const reason = ReasonCode['tunnel-address-collision'];
    if (packet.proto !== TCP) this.end(Outcome.unreachable, reason, here);
    else if (segmentOf(packet.tcpFlags) === Segment.rst) this.end(Outcome.silent, reason, here);
    else this.refuse(packet, reason, here);
  }

  /** Gives a pod a connection that began before the capture. */
  adopt(packet: Packet, pod: number): void {
    packet.readTuple(this.tuple);
    this.make(pod, connectionName(this.tuple), acknowledged(packet), -1);
  }

  private make(pod: number, name: string, isn: number, clientIsn: number): void {
    const { instance } = this.cluster.pods[pod]!;
    this.made = { instance, isn, clientIsn, gone: false };
    this.connections(pod).set(name, this.made);
  }

  private connections(pod: number): Map<string, Socket> {
    const known = this.sockets.get(pod);
    if (known !== undefined) return known;
    const fresh = new Map<string, Socket>();
    this.sockets.set(pod, fresh);
    return fresh;
  }

  private end(outcome: Outcome, reason: number, hop: number): void {
    this.outcome = outcome;
    this.reason = reason;
    this.hop = hop;
  }

  private refuse(packet: Packet, reason: number, here: number): void {
    const flags = packet.tcpFlags;
    const seq = packet.view.getUint32(packet.l4 + 4);
    if ((flags & TCP_ACK) !== 0) {
      this.answerFlags = TCP_RST;
      this.answerSeq = packet.view.getUint32(packet.l4 + 8);
      this.answerAck = 0;
    } else {
      this.answerFlags = TCP_RST | TCP_ACK;
      this.answerSeq = 0;
      this.answerAck = (seq + packet.payloadBytes + ((flags & (TCP_SYN | TCP_FIN)) !== 0 ? 1 : 0)) >>> 0;
    }
    this.end(Outcome.reset, reason, here);
  }

  private accept(packet: Packet, segment: number, here: number): void {
    this.end(Outcome.answered, 0, here);
    if (segment === Segment.rst) return;
    const seq = packet.view.getUint32(packet.l4 + 4);
    const extra = segment === Segment.syn || segment === Segment.fin ? 1 : 0;
    if (segment === Segment.syn) this.answerFlags = TCP_SYN | TCP_ACK;
    else if (segment === Segment.fin || packet.payloadBytes > 0) this.answerFlags = TCP_ACK;
    else return;
    this.answerSeq = segment === Segment.syn ? this.accepted : packet.view.getUint32(packet.l4 + 8);
    this.answerAck = (seq + packet.payloadBytes + extra) >>> 0;
  }
}

function isLiving(socket: Socket | undefined, instance: number): socket is Socket {
  return socket !== undefined && socket.instance === instance && !socket.gone;
}

function sequence(packet: Packet): number {
  return packet.view.getUint32(packet.l4 + 4);
}

/** The initial sequence number that the client took its peer's to be; the model's endpoints send no data of their own. */
function acknowledged(packet: Packet): number {
  return (packet.view.getUint32(packet.l4 + 8) - 1) >>> 0;
}

function connectionName({ words }: Tuple): string {
  let name = '';
  for (let i = 0; i < TUPLE_WORDS; i++) name += `${words[i]!.toString(36)} `;
  return name;
}
