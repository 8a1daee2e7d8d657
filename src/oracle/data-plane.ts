/**
 * The whole path on bytes: client -> router -> node -> endpoint, and the answer back to the client.
 *
 * A packet is rewritten in place as the real hops rewrite it; what the client gets back is built in a buffer of
 * the data plane's own ({@link DataPlane.answer}), translated back by the node the packet came through. One
 * packet at a time; nothing is copied but the answer.
 */
import type { ClusterModel } from '../cluster/model.js';
import { Segment, segmentOf } from '../conntrack/tcp-states.js';
import { TUPLE_DST, TUPLE_SRC, Tuple } from '../conntrack/tuple.js';
import type { ClusterState } from '../state/cluster-state.js';
import { HopKind, hopCode, Outcome, ReasonCode } from '../state/disposition.js';
import { flowKey } from '../state/draw.js';
import { EDGE_HOP, type EdgeState } from '../state/edge-state.js';
import { buildTcpAnswer } from '../state/forge.js';
import { Packet } from '../state/packet.js';
import { type ProxyPlane, proxyPlane } from '../state/proxy-plane.js';
import type { RouterState } from '../state/router-state.js';
import { TCP } from '../wire/ip-protocol.js';
import { EdgeHop } from './edge-hop.js';
import { EndpointHop } from './endpoint-hop.js';
import { NodeHop } from './node-hop.js';
import { Overlay } from './overlay.js';
import { PolicyHop } from './policy-hop.js';
import { RouterHop } from './router-hop.js';
import { edgeTargets, ServicePorts } from './service-ports.js';

export class DataPlane {
  readonly nodes: readonly NodeHop[];
  readonly routerHop: RouterHop;
  /** the load balancer before the cluster, or null */
  readonly edge: EdgeHop | null;
  readonly endpoint: EndpointHop;

  // what became of the last packet
  outcome: Outcome = Outcome.answered;
  reason = 0;
  hop = 0;
  /** node that the router chose, or -1 */
  node = -1;
  /** pod that the node chose, or -1 */
  pod = -1;
  /** what comes back to the client; see {@link answered} */
  readonly answer = new Packet();
  /** whether {@link answer} holds a segment */
  answered = false;
  /** nobody can say what a node's real rules do with the packet */
  undecided = false;
  /** what they said of it, in words; empty: nothing */
  said = '';
  /** {@link adopt}: a dumped table knew the connection, so that its endpoint is no guess */
  wasKnown = false;

  /** what carries packets between nodes */
  readonly overlay: Overlay;
  private readonly plane: ProxyPlane;
  private readonly services: ServicePorts;
  /** under direct server return: the pod that accepted each connection last, by the tuple that came to the node */
  private readonly acceptedBy = new Map<string, number>();
  /** network policies of the pods; null: there are none */
  readonly policies: PolicyHop | null;
  private readonly tuple = new Tuple();
  /** the packet as it came to the node */
  private readonly original = new Tuple();
  private readonly answerBytes = new DataView(new ArrayBuffer(128));

  constructor(
    model: ClusterModel,
    private readonly cluster: ClusterState,
    private readonly router: RouterState,
    edge: EdgeState | null = null,
  ) {
    const podRow = (name: string): number => cluster.podByName.get(name)!.row;
    const behindEdge = edge === null ? [] : edgeTargets(model, edge.edge, podRow);
    this.services = new ServicePorts(model, behindEdge);
    const { services } = this;
    this.plane = proxyPlane(model.dataplane);
    this.overlay = new Overlay(model);
    this.edge = edge && new EdgeHop(edge, model, services);
    const draws = new Map<number, number>();
    this.policies = PolicyHop.of(model, cluster);
    const { policies } = this;
    this.nodes = model.nodes.map((_, node) => new NodeHop(node, model, cluster, services, draws, policies));
    for (const { room } of this.nodes) room.all = this.nodes.map((hop) => hop.room);
    this.routerHop = new RouterHop(router);
    this.endpoint = new EndpointHop(cluster);
  }

  /**
   * The router's decision on a client packet that comes neither by the load balancer nor from a node: a node, or -1. A
   * fragment is asked here as a fragment; the node puts it together again and gets the whole packet.
   */
  route(packet: Packet, nowS: number): number {
    const entry = this.entryOf(packet);
    return entry >= 0 ? entry : this.routerHop.forward(packet, nowS);
  }

  /**
   * Sends one client packet; see EndpointHop.receive for `lingersUntilS`.
   *
   * @param routed what {@link route} said of it; null: the router is asked now
   */
  send(packet: Packet, lingersUntilS: number, nowS: number, routed: number | null = null): void {
    this.answered = false;
    this.undecided = false;
    this.said = '';
    this.pod = -1;
    const { edge } = this;
    const entry = this.entryOf(packet);
    if (entry >= 0) {
      this.node = entry;
      this.throughNode(packet, lingersUntilS, nowS);
      return;
    }
    if (edge?.covers(packet) === true) {
      const segment = packet.proto === TCP ? segmentOf(packet.tcpFlags) : -1;
      this.node = edge.forward(packet, nowS);
      if (this.node < 0) {
        this.end(edge.outcome, edge.reason, EDGE_HOP);
        return;
      }
      this.throughNode(packet, lingersUntilS, nowS);
      this.answered = this.answered && edge.fromMember(this.answer);
      edge.after(segment, packet.proto, this.outcome);
      return;
    }
    this.node = routed ?? this.routerHop.forward(packet, nowS);
    if (routed !== null) packet.decrementTtl();
    if (this.node < 0) {
      this.end(Outcome.unreachable, ReasonCode['no-route'], hopCode(HopKind.router, 0));
      return;
    }
    if (this.router.isDeadEnd(this.node)) {
      this.end(Outcome.silent, ReasonCode['next-hop-failed'], hopCode(HopKind.router, 0));
      return;
    }
    this.throughNode(packet, lingersUntilS, nowS);
  }

  /** Whether a data segment sent now would be answered; draws nothing and renews nothing. */
  wouldAnswer(packet: Packet, nowS: number): boolean {
    const viaEdge = this.viaEdge(packet);
    const isRouted = !viaEdge && this.entryOf(packet) < 0;
    const node = viaEdge ? this.edge!.peek(packet, nowS) : this.peek(packet);
    if (node < 0 || (isRouted && this.router.isDeadEnd(node))) return false;
    const pod = this.nodes[node]!.peek(packet, nowS);
    return pod >= 0 && this.endpoint.wouldAnswer(packet, pod);
  }

  /** Whether the packet goes to the load balancer. */
  viaEdge(packet: Packet): boolean {
    return this.edge?.covers(packet) === true && this.entryOf(packet) < 0;
  }

  /** Node that the packet would go to now, the load balancer aside; changes nothing. */
  peek(packet: Packet): number {
    const entry = this.entryOf(packet);
    return entry >= 0 ? entry : this.routerHop.peek(packet);
  }

  private entryOf(packet: Packet): number {
    packet.readTuple(this.tuple);
    return this.services.entryOf(this.tuple);
  }

  private throughNode(packet: Packet, lingersUntilS: number, nowS: number): void {
    const hop = this.nodes[this.node]!;
    const name = this.plane.answersFromVip ? '' : this.connectionName(packet);
    packet.readTuple(this.original);
    const { words, srcPort, dstPort, proto } = this.original;
    const key = flowKey(words, TUPLE_SRC, TUPLE_DST, srcPort, dstPort, proto);
    if (!hop.fromOutside(packet, nowS)) {
      this.pod = hop.pod;
      this.undecided = hop.undecided;
      this.said = hop.said;
      this.end(hop.outcome, hop.reason, hop.hop);
      return;
    }
    this.pod = hop.pod;
    this.overlay.carry(packet, this.node, this.podNode());
    const { endpoint } = this;
    const isSwallowed =
      hop.stale === 'unanswered' || (hop.stale === 'asks' && endpoint.hasSocket(packet, hop.pod));
    if (isSwallowed) {
      this.end(Outcome.silent, ReasonCode['stale-entry'], hopCode(HopKind.node, this.node));
      return;
    }
    if (packet.proto === TCP && hop.isOpenEntry() && endpoint.challenges(packet, hop.pod)) {
      hop.challenged(nowS);
      this.end(hop.outcome, hop.reason, hop.hop);
      return;
    }
    if (this.isDenied(packet, hop)) {
      this.end(this.policies!.outcome, ReasonCode['policy-denied'], hopCode(HopKind.endpoint, hop.pod));
      return;
    }
    const home = this.nodes[this.podNode()]!;
    if (this.cluster.isUp(home.node)) {
      home.catchUp();
      if (!home.room.host(hop.room, hop.entry, key, nowS)) {
        this.end(Outcome.silent, ReasonCode['conntrack-full'], hopCode(HopKind.node, home.node));
        return;
      }
    }
    const entryIsNew = hop.table.createdAtS(hop.entry) === nowS;
    endpoint.receive(packet, hop.pod, lingersUntilS, entryIsNew, nowS);
    this.end(endpoint.outcome, endpoint.reason, endpoint.hop);
    if (packet.proto !== 6) {
      if (endpoint.outcome === Outcome.answered && !hop.isAstray()) hop.answered(hop.entry, nowS);
      if (endpoint.outcome !== Outcome.silent) this.loseAnswer(hop, Segment.none);
      return;
    }
    if (endpoint.answerFlags < 0) return;
    buildTcpAnswer(
      packet,
      endpoint.answerFlags,
      endpoint.answerSeq,
      endpoint.answerAck,
      this.answerBytes,
      this.answer,
    );
    if (!this.plane.answersFromVip && this.leavesFromPod(name)) {
      // the client knows no connection with the pod's own address
      this.end(Outcome.silent, ReasonCode['reset-ignored'], endpoint.hop);
      return;
    }
    const { entry } = hop;
    const reset = endpoint.outcome === Outcome.reset;
    if (hop.isAstray()) {
      if (reset) this.end(Outcome.silent, ReasonCode['reset-ignored'], endpoint.hop);
      else this.loseAnswer(hop, Segment.ack);
      return;
    }
    // a RST may end the entry, and the ruling is on the packet that comes through it
    const lost = this.loseAnswer(hop, reset ? Segment.rst : segmentOf(this.answer.tcpFlags), entry);
    this.answered = hop.fromEndpoint(this.answer, nowS) && !lost;
  }

  /** Real rules may keep the answer from the client. */
  private loseAnswer(hop: NodeHop, segment: Segment | -1, entry = hop.entry): boolean {
    if (!hop.losesAnswer(entry, segment)) return false;
    this.undecided = hop.undecided;
    this.said = hop.said;
    this.end(hop.outcome, hop.reason, hop.hop);
    return true;
  }

  /**
   * A connection that began before the capture: the node its packet meets, and an endpoint, know it. The packet is
   * used up. Returns the pod, or -1 where nobody can know the connection.
   *
   * @param routed what {@link route} said of it; null: where the router would send it now
   */
  adopt(packet: Packet, nowS: number, routed: number | null = null): number {
    const { edge } = this;
    const node = this.viaEdge(packet) ? edge!.adopt(packet, nowS) : (routed ?? this.peek(packet));
    this.node = node;
    if (node < 0) return -1;
    const name = this.plane.answersFromVip ? '' : this.connectionName(packet);
    const pod = this.adoptOn(node, packet, nowS);
    if (pod >= 0) this.endpoint.adopt(packet, pod);
    if (pod >= 0 && name !== '') this.acceptedBy.set(name, pod);
    return pod;
  }

  /** The node's own table knows it, or that of another node, or else the endpoint is drawn. */
  private adoptOn(node: number, packet: Packet, nowS: number): number {
    const own = this.nodes[node]!;
    this.wasKnown = own.dumpedSlot(packet, nowS) >= 0;
    if (this.wasKnown || own.choices(packet) === null) return own.adopt(packet, nowS);
    for (let other = this.nodes.length - 1; other >= 0; other--) {
      const slot = this.nodes[other]!.dumpedSlot(packet, nowS);
      if (slot < 0) continue;
      this.node = other;
      this.wasKnown = true;
      return this.nodes[other]!.adoptDumped(packet, slot);
    }
    return own.adopt(packet, nowS);
  }

  /**
   * Direct server return: whether a pod's RST keeps the pod's address. The pod's node knows the VIP from the SYN alone,
   * or is the node that the packet came through.
   */
  private leavesFromPod(name: string): boolean {
    const { endpoint } = this;
    if (endpoint.outcome === Outcome.answered && endpoint.isSyn) this.acceptedBy.set(name, this.pod);
    if (endpoint.outcome !== Outcome.reset || endpoint.isSyn || this.podNode() === this.node) return false;
    return this.acceptedBy.get(name) !== this.pod;
  }

  private connectionName(packet: Packet): string {
    packet.readTuple(this.tuple);
    return this.tuple.words.join(' ');
  }

  /** A network policy of the pod drops the packet on the pod's node, where that is another one. */
  private isDenied(packet: Packet, hop: NodeHop): boolean {
    const podNode = this.podNode();
    if (this.policies === null || podNode === this.node || hop.isAdopted(hop.entry)) return false;
    // its own rules say what its policies are
    if (this.nodes[podNode]?.hasRealRules() === true) return false;
    const door = this.services.find(this.original);
    if (door === null) return false;
    const denies = this.policies.deniesElsewhere(this.original, packet, door, hop.pod, this.node);
    return denies && this.cluster.isUp(podNode);
  }

  private podNode(): number {
    return this.cluster.pods[this.pod]!.node;
  }

  private end(outcome: Outcome, reason: number, hop: number): void {
    this.outcome = outcome;
    this.reason = reason;
    this.hop = hop;
  }
}
