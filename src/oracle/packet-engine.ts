/**
 * The slow engine: every client packet of the index is built as bytes and sent through the real data plane
 * (router, node, endpoint; oracle/data-plane.ts). It shares the timeline, the client's side and the verdicts with
 * the fast engine and nothing of what decides a packet's way; a property test holds the two against each other, whole
 * report against whole report. `flowfate replay --engine packets` runs it; TCP and UDP alone are built.
 */
import { formatAddress } from '../addr/address.js';
import { type EdgeInsert, insertOf, snatOf } from '../cluster/edge-model.js';
import type { ClusterModel } from '../cluster/model.js';
import { Segment, segmentOf } from '../conntrack/tcp-states.js';
import { TUPLE_DST, TUPLE_SRC, Tuple } from '../conntrack/tuple.js';
import { FlowfateError } from '../errors.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import {
  LABEL_MASK,
  META_FLAGS_CUT,
  META_FRAGMENT,
  META_LENGTH_SHIFT,
  META_PAYLOAD,
  META_TCP_FLAGS,
} from '../flow/packet-index.js';
import { type Blame, blame, blameEdge, blameForServer, downBy, EventLog } from '../outcome/blame.js';
import { ClientSide, SKIP } from '../outcome/client-side.js';
import { connectionNumbers } from '../outcome/connection-numbers.js';
import { EventCounts } from '../outcome/event-counts.js';
import { type FlowPlan, planOf } from '../outcome/flow-plan.js';
import { noticeStops } from '../outcome/notice-stops.js';
import { PathLog } from '../outcome/path-log.js';
import { Asks, Life, VerdictTracker } from '../outcome/verdict-tracker.js';
import { addressOf, ClusterState } from '../state/cluster-state.js';
import { HopKind, hopCode, Outcome, ReasonCode } from '../state/disposition.js';
import {
  Availability,
  EDGE_HOP,
  type EdgeMember,
  EdgePhase,
  type EdgeState,
  edgeStateOf,
} from '../state/edge-state.js';
import { type ForgedFields, forgePacket } from '../state/forge.js';
import { Packet } from '../state/packet.js';
import type { Pod } from '../state/pod.js';
import { type Route, RouterState } from '../state/router-state.js';
import { type DoorKind, listFor, type Origin } from '../state/service-doors.js';
import { Timeline, type TimelineListener } from '../timeline/timeline.js';
import { TCP, UDP } from '../wire/ip-protocol.js';
import { TCP_ACK, TCP_SYN } from '../wire/tcp.js';
import { DataPlane } from './data-plane.js';
import type { Socket } from './endpoint-hop.js';
import { PolicyRecord } from './policy-record.js';

const PAYLOAD_BYTES = 24;
/** instance of no pod */
const NO_INSTANCE = -1;

/** An entry of a node. */
interface Place {
  readonly node: number;
  readonly boot: number;
  readonly entry: number;
  readonly createdS: number;
}

/** What a flow's connection is, as the data plane made it. */
interface Home extends Place {
  readonly pod: number;
  instance: number;
  readonly guessed: boolean;
  readonly socket: Socket | null;
  /** the node put another source in the client's place, and this is its port */
  readonly masqueraded: boolean;
  readonly sourcePort: number;
}

/** no packet has met the router yet */
const NOT_ROUTED = -2;

export class PacketEngine implements TimelineListener {
  readonly plan: FlowPlan;
  readonly tracker: VerdictTracker;
  readonly paths: PathLog;
  /** 1: nobody can say what the real rules of a node do with a packet of the flow */
  readonly undecided: Uint8Array;
  /** per flow: the rule that its last unanswered packet met, in words */
  readonly said = new Map<number, string>();
  /** 1: it began before the capture, and a dumped table knew it */
  readonly wasKnown: Uint8Array;
  readonly cluster: ClusterState;
  readonly timeline: Timeline;
  readonly counts: EventCounts;
  readonly homes: (Home | undefined)[] = [];
  /** per flow, see ReplayOutcome */
  readonly edgePort: Uint16Array;
  readonly policies = new PolicyRecord();
  private readonly router: RouterState;
  private readonly edge: EdgeState | null;
  private readonly dataPlane: DataPlane;
  private readonly client: ClientSide;
  private readonly log: EventLog;
  /** per flow: the entry through which its endpoint answered last */
  private readonly answers: (Place | undefined)[] = [];
  /** of each connection's packet under way */
  private readonly seq: Uint32Array;
  private readonly isn: Uint32Array;
  private readonly label: Uint32Array;
  private serverFin = false;
  private news = 0;
  /** client bytes that have not come to any node yet */
  private readonly unbooked: Float64Array;
  private readonly offsetNs: number;
  private nowS = Number.NEGATIVE_INFINITY;
  /** the flow whose packet is under way */
  private underWay = 0;
  /** what the router said of it */
  private routed = NOT_ROUTED;
  private readonly begun: Uint8Array;
  private readonly movedBy: Int32Array;
  private readonly lastNode: Int32Array;
  /** per flow: initial sequence number of the endpoint, as the client got it */
  private readonly serverIsn: Uint32Array;
  private readonly offered: boolean[];
  private readonly packet = new Packet();
  private readonly bytes = new DataView(new ArrayBuffer(256));
  private readonly tuple = new Tuple();
  private readonly fields: ForgedFields = { flags: 0, seq: 1, ack: 1, payloadBytes: 0, flowLabel: 0 };
  private readonly fragmentFields: ForgedFields = { ...this.fields, fragment: true };
  /** the packet that was sent last went to the load balancer */
  private edgeSent = false;
  private readonly blamed: Blame = { reason: 0, event: -1, hop: 0 };

  constructor(
    private readonly index: CaptureIndex,
    private readonly model: ClusterModel,
  ) {
    this.plan = planOf(index, model);
    const flows = this.plan.count;
    refuseOtherProtocols(this.plan);
    this.offsetNs = model.epochNs === null ? 0 : Number(index.summary.baseNs - model.epochNs);
    this.cluster = new ClusterState(model);
    this.router = new RouterState(model, this.cluster);
    const edge = edgeStateOf(model, this.cluster);
    this.edge = edge;
    this.dataPlane = new DataPlane(model, this.cluster, this.router, edge);
    this.tracker = new VerdictTracker(flows);
    this.client = new ClientSide(this.tracker);
    this.paths = new PathLog(flows);
    this.edgePort = this.plan.clientPort.slice();
    this.unbooked = new Float64Array(flows);
    this.log = new EventLog(model.nodes.length);
    this.undecided = new Uint8Array(flows);
    this.wasKnown = new Uint8Array(flows);
    this.seq = new Uint32Array(flows);
    this.isn = new Uint32Array(flows);
    this.label = new Uint32Array(flows);
    this.begun = new Uint8Array(flows);
    this.movedBy = new Int32Array(flows).fill(-1);
    this.lastNode = new Int32Array(flows).fill(NOT_ROUTED);
    this.serverIsn = new Uint32Array(flows);
    this.offered = model.nodes.map((_, node) => this.offers(node));
    this.hearPolicies();
    this.timeline = new Timeline(model, this.cluster, this.router, this, edge);
    this.counts = new EventCounts(model, this.timeline.entries.length, this.cluster);
  }

  /** What network policies say to a connection is said of the entry that it makes. */
  private hearPolicies(): void {
    const { policies, nodes } = this.dataPlane;
    if (policies === null) return;
    policies.onJudged = (...judged) => this.policies.note(this.underWay, ...judged);
    for (const hop of nodes) hop.onMade = (node, entry) => this.policies.made(this.underWay, node, entry);
  }

  run(): void {
    const { count, flow, meta, timeNs, seq, ack, label } = this.plan.packets;
    for (let i = 0; i < count; i++) {
      this.nowS = Math.max(this.nowS, this.seconds(timeNs[i]!));
      this.timeline.advance(this.nowS);
      const f = flow[i]!;
      this.underWay = f;
      this.seq[f] = seq[i]!;
      this.relabel(f, label[i]! & LABEL_MASK);
      this.step(f, meta[i]!, ack[i]!, this.nowS);
      this.book(f, meta[i]! >>> META_LENGTH_SHIFT);
    }
    const endS = Math.max(this.nowS, this.seconds(this.index.summary.duration * 1e9));
    this.timeline.advance(endS);
    this.nowS = endS;
    this.tracker.forgiveLate(endS);
    noticeStops(this.plan, this.client, this.tracker, this.timeline, endS, (f) =>
      this.serverReaches(f, endS) ? null : this.blamed,
    );
    this.client.finish();
    this.tracker.finish(endS);
  }

  /** Seconds since t = 0 of a time in the index. */
  seconds(timeNs: number): number {
    return (timeNs + this.offsetNs) * 1e-9;
  }

  /** Whether a data segment of the flow, sent now, would be answered. */
  wouldAnswer(f: number): boolean {
    this.build(f, TCP_ACK, META_PAYLOAD);
    return this.dataPlane.wouldAnswer(this.packet, this.nowS);
  }

  get wasPressed(): boolean {
    return this.dataPlane.nodes.some(({ room }) => room.wasFull);
  }

  goesToEdge(f: number): boolean {
    if (this.edge === null) return false;
    this.build(f, 0, 0);
    return this.viaEdge();
  }

  edgeSource(f: number): string | null {
    if (this.edge === null || !this.goesToEdge(f)) return null;
    const { edge } = this.edge;
    if (snatOf(edge, this.dataPlane.edge!.serverRow(this.packet)) === 'none') return null;
    return formatAddress(addressOf(edge.addresses, this.plan.family[f]!)!);
  }

  edgeInsert(f: number): EdgeInsert {
    this.build(f, 0, 0);
    return insertOf(this.edge!.edge, this.dataPlane.edge!.serverRow(this.packet));
  }

  /** Whether the entry through which the endpoint answers has expired, so that the server's next packet is lost. */
  isForgotten(f: number): boolean {
    const back = this.answers[f];
    if (back === undefined || this.homes[f]?.guessed !== false) return false;
    const hop = this.dataPlane.nodes[back.node]!;
    hop.catchUp();
    const { table } = hop;
    return !table.holds(back.entry, back.createdS) || this.nowS > table.expiresS(back.entry);
  }

  private step(f: number, meta: number, ack: number, nowS: number): void {
    this.begin(f, nowS);
    this.meetRouter(f, meta, nowS);
    if (this.plan.proto[f] === TCP) this.segment(f, meta, ack, nowS);
    else this.datagram(f, meta, nowS);
  }

  /** The first packet of a connection: the one before it on the five-tuple is over. */
  private begin(f: number, nowS: number): void {
    if (this.begun[f] === 1) return;
    this.begun[f] = 1;
    const before = this.plan.before(f);
    if (before < 0) return;
    this.client.superseded(before, nowS);
    this.edgePort[f] = this.edgePort[before]!;
  }

  /** A client that takes another flow label takes another path, and no event is to blame. */
  private relabel(f: number, label: number): void {
    if (this.label[f] === label) return;
    this.label[f] = label;
    if (this.lastNode[f] === NOT_ROUTED) return;
    this.build(f, 0, 0);
    const node = this.dataPlane.peek(this.packet);
    if (node === this.lastNode[f]) return;
    this.lastNode[f] = node;
    this.movedBy[f] = -1;
  }

  /** Every packet meets the router, even one that comes to nothing behind it; fragments as fragments. */
  private meetRouter(f: number, meta: number, nowS: number): void {
    this.build(f, 0, 0);
    this.routed = NOT_ROUTED;
    if (this.viaEdge()) return;
    if ((meta & META_FRAGMENT) === 0) {
      this.routed = this.dataPlane.route(this.packet, nowS);
      this.lastNode[f] = this.routed;
      return;
    }
    // what comes whole may take another way
    if (this.lastNode[f] === NOT_ROUTED) this.lastNode[f] = this.dataPlane.peek(this.packet);
    this.fragmentFields.flowLabel = this.label[f]!;
    forgePacket(this.tuple, this.fragmentFields, this.bytes, this.packet);
    this.routed = this.dataPlane.route(this.packet, nowS);
  }

  /** Books a client packet's bytes, and those that came to nothing before, on the path that they took. */
  private book(f: number, bytes: number): void {
    this.unbooked[f]! += bytes;
    const node = this.paths.lastNode(f);
    if (node < 0) return;
    this.counts.load(this.plan.service[f]!, node, this.paths.lastPod(f), this.unbooked[f]!);
    this.unbooked[f] = 0;
  }

  /** The connection that its five-tuple carries now. */
  private isLatest(f: number): boolean {
    const { connection } = this.plan;
    if (connection[f]! > 0 && this.begun[f] === 0) return false;
    return !(this.begun[f + 1] === 1 && connection[f + 1]! > 0);
  }

  /** What the client's acknowledgement tells of its server, see ClientSide. Returns whether the packet exists. */
  private serverSent(f: number, captured: Segment | -1, payload: number, ack: number, nowS: number): boolean {
    const { client, tracker } = this;
    const news = client.news(f, ack);
    const life = tracker.life[f]!;
    this.news = news;
    if (news <= 0 || (life !== Life.open && life !== Life.closing)) {
      if (client.heard[f] === 0 || (news > 0 && life === Life.connecting)) client.hears(f, ack, nowS);
      return true;
    }
    const bare = captured === Segment.ack && payload === 0;
    if (bare && client.isImpossible(f, news)) return false;
    if (this.serverReaches(f, nowS)) {
      this.serverSends(f, nowS);
      this.serverFin = client.isServerFin(f, news);
      const back = this.answers[f];
      if (this.serverFin && back !== undefined) {
        this.dataPlane.nodes[back.node]!.table.stepTcp(back.entry * 2 + 1, Segment.fin, nowS);
      }
      client.hears(f, ack, nowS);
      return true;
    }
    const { reason, event, hop } = this.blamed;
    if (reason === ReasonCode['entry-expired']) this.forget(f);
    tracker.serverDataLost(f, reason, event, hop, nowS);
    return !bare;
  }

  /** What its server sent in vain has ended the connection on that side. */
  private forget(f: number): void {
    const home = this.homes[f];
    if (home === undefined) return;
    home.instance = NO_INSTANCE;
    if (home.socket !== null) home.socket.gone = true;
  }

  /** Whether what the server sends now would come back to the client; if not, why is in `blamed`. */
  private serverReaches(f: number, nowS: number): boolean {
    const home = this.homes[f];
    const back = this.answers[f];
    if (home === undefined || back === undefined || home.guessed || nowS <= this.client.lingerS[f]!)
      return true;
    const { cluster, dataPlane } = this;
    const pod = cluster.pods[home.pod]!;
    const { table } = dataPlane.nodes[back.node]!;
    const lost = (reason: number, hop: number): false => {
      blameForServer(reason, hop, this.log, this.blamed);
      return false;
    };
    if (!cluster.isUp(pod.node)) return lost(ReasonCode['node-down'], hopCode(HopKind.node, pod.node));
    const here = hopCode(HopKind.node, back.node);
    if (!cluster.nodeUp[back.node] || back.boot !== cluster.nodeBoot[back.node]) {
      return lost(ReasonCode['node-down'], here);
    }
    if (!pod.running || pod.instance !== home.instance) {
      return lost(ReasonCode['endpoint-gone'], hopCode(HopKind.endpoint, pod.row));
    }
    if (!table.holds(back.entry, back.createdS) || nowS > table.expiresS(back.entry)) {
      return lost(ReasonCode['entry-expired'], here);
    }
    const hop = dataPlane.nodes[back.node]!;
    if (hop.losesAnswer(back.entry, Segment.ack)) {
      if (hop.undecided) this.undecided[f] = 1;
      this.said.set(f, hop.said);
      return lost(hop.reason, here);
    }
    return true;
  }

  /** What the server sent came back: it renews the entry of the connection. */
  private serverSends(f: number, nowS: number): void {
    const back = this.answers[f];
    if (back === undefined || this.homes[f]?.guessed !== false || nowS <= this.client.lingerS[f]!) return;
    this.dataPlane.nodes[back.node]!.table.refresh(back.entry, nowS);
  }

  private segment(f: number, meta: number, ack: number, nowS: number): void {
    const { tracker, client, dataPlane } = this;
    const flags = (meta & META_FLAGS_CUT) !== 0 ? TCP_ACK : meta & META_TCP_FLAGS;
    const captured = segmentOf(flags);
    const payload = meta & META_PAYLOAD;
    this.serverFin = false;
    this.news = 0;
    if ((flags & TCP_ACK) !== 0 && !this.serverSent(f, captured, payload, ack, nowS)) return;
    if (tracker.life[f] === Life.unborn && captured !== Segment.syn) this.adopt(f, flags, nowS);
    const segment = client.prepare(f, captured, payload, nowS);
    const asSyn = segment === Segment.syn && captured !== Segment.syn;
    if (captured === Segment.syn) this.isn[f] = this.seq[f]!;
    else if (asSyn) this.seq[f] = this.isn[f]!;
    this.build(f, asSyn ? TCP_SYN : flags, asSyn ? 0 : payload);
    if (segment === SKIP) {
      if (this.routed >= 0) this.note(f, this.routed, -1, nowS);
      return;
    }
    dataPlane.endpoint.isn = connectionNumbers(this.plan).firstAck[f]!;
    this.send(f, nowS);
    if (dataPlane.outcome === Outcome.answered) this.answers[f] = this.placeOf(dataPlane.node);
    if (dataPlane.outcome === Outcome.answered && client.asks === Asks.connection) {
      this.connected(f, false);
      this.serverIsn[f] = dataPlane.answer.view.getUint32(dataPlane.answer.l4 + 4);
    }
    client.acknowledged(f, this.news, dataPlane.outcome, this.blamed);
    const { reason, event, hop } = this.blamed;
    if (this.serverFin) tracker.serverCloses(f);
    else tracker.packet(f, client.asks, dataPlane.outcome, reason, event, hop, nowS);
    this.note(f, dataPlane.node, dataPlane.pod, nowS);
  }

  private datagram(f: number, meta: number, nowS: number): void {
    const { tracker, dataPlane } = this;
    const before = this.paths.lastPod(f);
    this.build(f, 0, meta & META_PAYLOAD);
    this.send(f, nowS);
    const { reason, event, hop } = this.blamed;
    tracker.datagram(f, dataPlane.outcome, reason, event, hop, nowS);
    if (dataPlane.outcome === Outcome.answered) {
      const home = this.homes[f];
      if (home === undefined) {
        this.connected(f, false);
      } else if (home.pod !== dataPlane.pod && before !== dataPlane.pod) {
        this.blameFor(f, ReasonCode['endpoint-gone'], hopCode(HopKind.endpoint, home.pod));
        tracker.misdelivered(f, this.blamed.reason, this.blamed.event, this.blamed.hop, nowS);
      }
    }
    this.note(f, dataPlane.node, dataPlane.pod, nowS);
  }

  private send(f: number, nowS: number): void {
    const { dataPlane } = this;
    this.edgeSent = this.viaEdge();
    dataPlane.send(this.packet, this.client.lingerS[f]!, nowS, this.routed);
    if (this.edgeSent) this.noteEdgePort(f);
    if (dataPlane.policies !== null && this.fields.flags === TCP_SYN) this.passesEntry(f);
    this.blamed.event = -1;
    if (dataPlane.undecided) this.undecided[f] = 1;
    if (dataPlane.said !== '') this.said.set(f, dataPlane.said);
    if (dataPlane.outcome === Outcome.answered) return;
    this.blameFor(f, dataPlane.reason, dataPlane.hop);
    if (dataPlane.outcome !== Outcome.reset) this.counts.dropped(this.blamed.event);
  }

  /** A SYN that goes on through an entry, which may be that of an earlier connection. */
  private passesEntry(f: number): void {
    const { node, nodes, pod, reason } = this.dataPlane;
    const isPassed = pod >= 0 && reason !== ReasonCode['stale-entry'];
    if (isPassed && nodes[node]!.entry >= 0) this.policies.passes(f, node, nodes[node]!.entry);
  }

  private noteEdgePort(f: number): void {
    const { sourcePort } = this.dataPlane.edge!;
    if (sourcePort >= 0) this.edgePort[f] = sourcePort;
  }

  private blameFor(f: number, reason: number, hop: number): void {
    const connecting = this.client.asks === Asks.connection && this.plan.proto[f] === TCP;
    const home = connecting ? undefined : this.homes[f];
    const { node } = this.dataPlane;
    const grief = {
      reason,
      hop,
      node,
      home: home?.node ?? -1,
      rebooted: home !== undefined && home.boot !== this.cluster.nodeBoot[home.node],
      expired: home !== undefined && node >= 0 && !this.stillThere(home),
      movedBy: this.movedBy[f]!,
    };
    blame(grief, this.log, this.blamed);
    if (this.edgeSent) this.blameEdge(f, reason, home?.pod ?? -1);
  }

  private blameEdge(f: number, reason: number, home: number): void {
    const { node, edge } = this.dataPlane;
    const one = node < 0 ? undefined : this.edge!.members[edge!.member]!;
    const unknown = one !== undefined && one.availability === Availability.unknown;
    blameEdge(
      {
        refused: node < 0 ? reason : null,
        unknownSince: unknown ? one.event : null,
        otherPod: home >= 0 && one !== undefined && one.pod >= 0 && one.pod !== home,
        movedBy: this.movedBy[f]!,
      },
      this.blamed,
    );
  }

  /** Whether the packet that was built last goes to the load balancer. */
  private viaEdge(): boolean {
    return this.dataPlane.viaEdge(this.packet);
  }

  /** Whether a connection that the load balancer has just adopted may be another member's, or another endpoint's. */
  private isGuess(endpoint: boolean): boolean {
    const member = this.edge!.members[this.dataPlane.edge!.member]!;
    const server = this.edge!.edge.virtualServers.findIndex(({ pool }) => pool === member.pool);
    return this.edge!.choices(server) > 1 || (member.pod < 0 && endpoint);
  }

  /** The packet did not go through the entry of the connection, because that entry is gone. */
  private stillThere(home: Home): boolean {
    const hop = this.dataPlane.nodes[home.node]!;
    return hop.entry === home.entry && hop.table.createdAtS(home.entry) === home.createdS;
  }

  /** The entry that the last packet went through on a node. */
  private placeOf(node: number): Place {
    const { entry, table } = this.dataPlane.nodes[node]!;
    return { node, boot: this.cluster.nodeBoot[node]!, entry, createdS: table.createdAtS(entry) };
  }

  private connected(f: number, guessed: boolean): void {
    const { node, pod } = this.dataPlane;
    const hop = this.dataPlane.nodes[node]!;
    hop.readSource(hop.entry, this.tuple);
    this.homes[f] = {
      ...this.placeOf(node),
      pod,
      instance: this.cluster.pods[pod]!.instance,
      guessed,
      socket: this.plan.proto[f] === TCP ? this.dataPlane.endpoint.made : null,
      masqueraded: hop.isMasqueraded(hop.entry),
      sourcePort: this.tuple.srcPort,
    };
  }

  private adopt(f: number, flags: number, nowS: number): void {
    this.tracker.midway[f] = 1;
    this.tracker.life[f] = Life.open;
    this.serverIsn[f] = connectionNumbers(this.plan).firstAck[f]! - 1;
    this.build(f, flags, 0);
    const { dataPlane } = this;
    const viaEdge = this.viaEdge();
    const pod = dataPlane.adopt(this.packet, nowS, this.routed);
    if (viaEdge) this.noteEdgePort(f);
    if (pod < 0) return;
    dataPlane.pod = pod;
    const { node } = dataPlane;
    const { plan, model } = this;
    const service = plan.service[f]!;
    const policy = listFor(model.services[service]!, plan.door[f] as DoorKind, plan.origin[f] as Origin);
    this.build(f, flags, 0);
    const choices =
      dataPlane.nodes[node]!.choices(this.packet) ??
      this.cluster.choices(service, plan.port[f]!, policy, node);
    const guess = !dataPlane.wasKnown && choices > 1;
    if (dataPlane.wasKnown) this.wasKnown[f] = 1;
    this.connected(f, viaEdge ? this.isGuess(guess) : guess);
    this.answers[f] = this.placeOf(node);
  }

  private build(f: number, flags: number, payload: number): void {
    const { flows } = this.index;
    const b = this.plan.clientIsB[f] === 1;
    const row = this.plan.row[f]!;
    const at = 8 * row;
    for (let i = 0; i < 4; i++) {
      this.tuple.words[TUPLE_SRC + i] = flows.addresses[(b ? at + 4 : at) + i]!;
      this.tuple.words[TUPLE_DST + i] = flows.addresses[(b ? at : at + 4) + i]!;
    }
    this.tuple.setKind(flows.family[row]!, flows.proto[row]!);
    this.tuple.setPorts(b ? flows.bPort[row]! : flows.aPort[row]!, b ? flows.aPort[row]! : flows.bPort[row]!);
    this.fields.flags = flags;
    this.fields.ack = flags === TCP_SYN ? 0 : (this.serverIsn[f]! + 1) >>> 0;
    this.fields.payloadBytes = payload === 0 ? 0 : PAYLOAD_BYTES;
    this.fields.seq = this.seq[f]!;
    this.fields.flowLabel = this.label[f]!;
    forgePacket(this.tuple, this.fields, this.bytes, this.packet);
  }

  private note(f: number, node: number, pod: number, nowS: number): void {
    if (node >= 0) this.paths.note(f, nowS, node, pod);
  }

  // -- TimelineListener

  routesChanged(_routes: readonly Route[], event: number, atS: number): void {
    this.log.routes = event;
    for (let f = 0; f < this.plan.count; f++) {
      if (this.lastNode[f] === NOT_ROUTED) continue;
      this.build(f, 0, 0);
      const node = this.dataPlane.peek(this.packet);
      if (node === this.lastNode[f]) continue;
      this.lastNode[f] = node;
      this.movedBy[f] = event;
      if (this.isActive(f, atS)) this.counts.moved(event);
    }
  }

  memberDown(member: EdgeMember, atS: number): void {
    const { serviceDown } = this.edge!.pool(member);
    if (serviceDown === 'none') return;
    const hop = this.dataPlane.edge!;
    const event = downBy(member, this.cluster.nodeUp[member.node]!, this.log);
    for (let f = 0; f < this.plan.count; f++) {
      if (!this.isLatest(f)) continue;
      this.build(f, 0, 0);
      const entry = hop.entryTo(this.packet, member.row);
      if (entry < 0) continue;
      this.movedBy[f] = event;
      if (serviceDown === 'drop') hop.setPhase(entry, EdgePhase.dropped);
      else if (serviceDown === 'reselect') hop.setPhase(entry, EdgePhase.reselect);
      else {
        hop.close(entry);
        if (this.plan.proto[f] !== TCP || !this.tracker.isOpen(f)) continue;
        this.tracker.resetByEdge(f, ReasonCode['member-down'], event, EDGE_HOP, atS);
      }
    }
  }

  placesChanged(event: number): void {
    for (let node = 0; node < this.model.nodes.length; node++) {
      const offers = this.offers(node);
      if (offers) this.log.emptied[node] = -1;
      else if (this.offered[node]) this.log.emptied[node] = event;
      this.offered[node] = offers;
    }
  }

  podStopped(pod: Pod, event: number, atS: number): void {
    this.log.pod[pod.row] = event;
    for (let f = 0; f < this.plan.count; f++) {
      const home = this.homes[f];
      if (home === undefined || home.pod !== pod.row || home.instance !== pod.instance) continue;
      if (this.plan.proto[f] === UDP || !this.tracker.isOpen(f) || home.guessed) continue;
      if (!this.cluster.isUp(pod.node) || !this.cluster.nodeUp[home.node]) continue;
      this.client.endpointStops(f, pod.row, event, atS);
    }
  }

  nodeChanged(node: number, event: number): void {
    this.log.node[node] = event;
    if (!this.cluster.nodeUp[node])
      for (const { row } of this.cluster.podsOn(node)) this.log.pod[row] = event;
  }

  linkChanged(node: number, event: number): void {
    this.log.link[node] = event;
  }

  eventStarts(event: number, atS: number): void {
    let active = 0;
    for (let f = 0; f < this.plan.count; f++) if (this.isActive(f, atS)) active++;
    this.counts.active(event, active);
  }

  /** Open at this moment: begun, neither over nor broken, and (without connections) with packets still to come. */
  private isActive(f: number, atS: number): boolean {
    if (!this.tracker.isOpen(f)) return false;
    return this.plan.proto[f] === TCP || this.seconds(this.plan.lastNs(f)) >= atS;
  }

  private offers(node: number): boolean {
    return this.cluster.rules[node]!.offersAnything();
  }
}

/** Packets of TCP and UDP alone are built: what else goes to a service is refused with a sentence. */
function refuseOtherProtocols(plan: FlowPlan): void {
  const others = new Set(plan.proto.filter((proto) => proto !== TCP && proto !== UDP));
  if (others.size === 0) return;
  throw new FlowfateError(
    'usage',
    `--engine packets builds TCP and UDP alone, and this capture has flows of IP protocol ${[...others].join(', ')} to a service; leave --engine away`,
  );
}
