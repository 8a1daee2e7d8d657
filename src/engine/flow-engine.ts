/**
 * The fast engine: one pass over the packet index in order of time, one cheap step a packet.
 *
 * A flow's path is decided when it starts and again only when something on it has changed. Between changes a
 * flow is *calm*: its last packet was answered through a living, established entry; then a packet costs a look
 * at the flow, a look at the clock and a time stamp. Everything else takes the long way ({@link FlowEngine.step}).
 * Route changes are applied to the open flows at once, so that each flow knows which event moved it.
 *
 * A replay runs it from end to end ({@link FlowEngine.run}). Live traffic gives it a world that outlives it, moves it
 * on bit by bit ({@link FlowEngine.advance}), and tells it of route changes as they come.
 */
import type { ClusterModel } from '../cluster/model.js';
import { Segment, segmentOf, TcpState } from '../conntrack/tcp-states.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import {
  LABEL_MASK,
  META_FLAGS_CUT,
  META_FRAGMENT,
  META_LENGTH_SHIFT,
  META_PAYLOAD,
  META_TCP_FLAGS,
} from '../flow/packet-index.js';
import { createFlowHash, type FlowHash } from '../hash/flow-hash.js';
import {
  type Blame,
  blame,
  blameEdge,
  blameForServer,
  downBy,
  EventLog,
  type Grief,
} from '../outcome/blame.js';
import { ClientSide, SKIP } from '../outcome/client-side.js';
import { EventCounts } from '../outcome/event-counts.js';
import { type ClientPackets, type FlowPlan, planOf } from '../outcome/flow-plan.js';
import { noticeStops } from '../outcome/notice-stops.js';
import { PathLog } from '../outcome/path-log.js';
import { Asks, Life, VerdictTracker } from '../outcome/verdict-tracker.js';
import type { NextHopGroup } from '../route/next-hop-group.js';
import { ClusterState } from '../state/cluster-state.js';
import { HopKind, hopCode, Outcome, ReasonCode } from '../state/disposition.js';
import { Availability, EDGE_HOP, type EdgeMember, EdgePhase, edgeStateOf } from '../state/edge-state.js';
import type { Pod } from '../state/pod.js';
import { type Route, RouterState } from '../state/router-state.js';
import { type EventSource, Timeline, type TimelineListener } from '../timeline/timeline.js';
import { TCP, UDP } from '../wire/ip-protocol.js';
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.js';
import { EdgeWalk } from './edge-walk.js';
import { DEAD, ENTRY_ASSURED, ENTRY_REPLIED, NO_ENTRY } from './entry-pool.js';
import { NodeWalk } from './node-walk.js';
import { ServerPath } from './server-path.js';

/** a flow that has not sent yet */
const NOT_STARTED = -2;
const NO_ROUTE = -1;
/** not the router's business */
const VIA_EDGE = -3;

/** the bits of `meta` that a calm flow's packet must match, and what they are by kind of flow */
const CALM_MASK = TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | META_FRAGMENT | META_FLAGS_CUT;
const CALM_TCP = TCP_ACK;
const CALM_OTHER = 0;
const NOT_CALM = 0xffff;

/** What several engines in a row share, each with its own round of the same traffic. */
export interface EngineWorld {
  readonly cluster: ClusterState;
  readonly router: RouterState;
  readonly timeline: EventSource;
  readonly counts: EventCounts;
  readonly log: EventLog;
  /** by row of plan.vips: 1 = the router has had no route yet, its flows are nobody's concern. Others may change it. */
  readonly dormant: Uint8Array;
  /** this engine's own: flows, and nanoseconds from t = 0 to the capture's base */
  readonly plan: FlowPlan;
  readonly offsetNs: number;
}

export class FlowEngine implements TimelineListener {
  readonly plan: FlowPlan;
  readonly cluster: ClusterState;
  readonly router: RouterState;
  readonly timeline: EventSource;
  readonly tracker: VerdictTracker;
  readonly walk: NodeWalk;
  readonly server: ServerPath;
  /** the load balancer before the cluster, or null */
  readonly edge: EdgeWalk | null;
  readonly paths: PathLog;
  readonly counts: EventCounts;
  /** client bytes of each flow since they were last booked */
  private readonly bytes: Float64Array;
  private readonly expects: Uint16Array;
  private readonly limitS: Float64Array;
  private readonly current: Int32Array;
  private readonly nextHop: Int32Array;
  private readonly movedBy: Int32Array;
  private readonly client: ClientSide;
  private readonly log: EventLog;
  /** per node: its rules had an endpoint to offer */
  private readonly offered: boolean[];
  private readonly offsetNs: number;
  private groupOfVip: (NextHopGroup | null)[] = [];
  private readonly dormant: Uint8Array | null;
  private hashes: Uint32Array;
  /** where the router hashes flow labels: the one that each client uses now; null elsewhere */
  private readonly labels: Uint32Array | null;
  private hasher: FlowHash | null = null;
  private fragmentHashes: Uint32Array | null = null;
  private stamping = false;
  private packetBytes = 0;
  private isFragment = false;
  /** of the packet under way: it answers the server's FIN; octets from the server that it is the first to acknowledge */
  private serverFin = false;
  private news = 0;
  /** client packets that are done */
  private done = 0;
  private nowS = Number.NEGATIVE_INFINITY;
  private readonly grief: Grief = {
    reason: 0,
    hop: 0,
    node: 0,
    home: -1,
    expired: false,
    rebooted: false,
    movedBy: -1,
  };
  private readonly blamed: Blame = { reason: 0, event: -1, hop: 0 };

  constructor(
    private readonly index: CaptureIndex,
    private readonly model: ClusterModel,
    world: EngineWorld | null = null,
  ) {
    this.plan = world?.plan ?? planOf(index, model);
    const flows = this.plan.count;
    this.cluster = world?.cluster ?? new ClusterState(model);
    this.router = world?.router ?? new RouterState(model, this.cluster);
    this.tracker = new VerdictTracker(flows);
    this.client = new ClientSide(this.tracker);
    const edge = edgeStateOf(model, this.cluster);
    this.edge = edge && new EdgeWalk(edge, model, this.plan);
    this.walk = new NodeWalk(model, this.cluster, this.plan, this.client.lingerS, this.edge);
    this.server = new ServerPath(this.walk, this.cluster, this.client.lingerS);
    this.paths = new PathLog(flows);
    this.log = world?.log ?? new EventLog(model.nodes.length);
    this.dormant = world?.dormant ?? null;
    this.offered = model.nodes.map((_, node) => this.offers(node));
    this.bytes = new Float64Array(flows);
    this.expects = new Uint16Array(flows).fill(NOT_CALM);
    this.limitS = new Float64Array(flows);
    this.current = new Int32Array(flows).fill(-1);
    this.nextHop = new Int32Array(flows).fill(NOT_STARTED);
    this.movedBy = new Int32Array(flows).fill(-1);
    this.offsetNs = world?.offsetNs ?? offsetOf(index, model);
    this.labels = hashesLabels(model)
      ? Uint32Array.from({ length: flows }, (_, f) => this.plan.firstLabel(f))
      : null;
    this.hashes = this.hashAll();
    this.timeline = world?.timeline ?? new Timeline(model, this.cluster, this.router, this, edge);
    this.counts = world?.counts ?? new EventCounts(model, this.timeline.entries.length, this.cluster);
    this.lookUpGroups();
  }

  /** Replays the whole capture. */
  run(): void {
    const { packets } = this.plan;
    this.walkPackets(packets, 0, packets.count);
    const endS = Math.max(this.nowS, (this.offsetNs + this.index.summary.duration * 1e9) * 1e-9);
    this.timeline.advance(endS);
    this.finish(endS);
  }

  /**
   * Replays what happens up to `toS`, but no more than `limit` client packets. Returns whether it got so far; if not,
   * the clock stands at the last packet.
   */
  advance(toS: number, limit: number): boolean {
    const { packets } = this.plan;
    const last = Math.min(packets.count, this.done + limit);
    let to = this.done;
    while (to < last && this.seconds(packets.timeNs[to]!) <= toS) to++;
    this.walkPackets(packets, this.done, to);
    this.done = to;
    if (to < packets.count && this.seconds(packets.timeNs[to]!) <= toS) return false;
    this.timeline.advance(toS);
    this.nowS = Math.max(this.nowS, toS);
    return true;
  }

  /** The traffic is over: what is unanswered stays so. */
  finish(endS: number): void {
    this.nowS = endS;
    this.tracker.forgiveLate(endS);
    noticeStops(this.plan, this.client, this.tracker, this.timeline, endS, (f) =>
      this.serverIsCutOff(f, endS),
    );
    this.client.finish();
    this.tracker.finish(endS);
    for (let f = 0; f < this.plan.count; f++) this.book(f, 0);
  }

  /** Why what the server of `f` sends no longer arrives; null where it would. */
  private serverIsCutOff(f: number, endS: number): Blame | null {
    const { server } = this;
    if (server.reaches(f, endS)) return null;
    blameForServer(server.reason, server.hop, this.log, this.blamed);
    return this.blamed;
  }

  /** How far it has got, in seconds since t = 0. */
  get clockS(): number {
    return this.nowS;
  }

  /** Seconds since t = 0 of a time in the index. */
  seconds(timeNs: number): number {
    return (timeNs + this.offsetNs) * 1e-9;
  }

  private walkPackets({ flow, meta, timeNs, ack, label }: ClientPackets, from: number, to: number): void {
    const { heard, heardS } = this.client;
    const { expects, current, limitS, bytes, offsetNs } = this;
    let { nowS } = this;
    let { dueS } = this.timeline;
    let { lastS } = this.walk.entries;
    const { labels } = this;
    for (let i = from; i < to; i++) {
      const f = flow[i]!;
      const m = meta[i]!;
      const atS = (timeNs[i]! + offsetNs) * 1e-9;
      if (atS > nowS) nowS = atS;
      if (nowS >= dueS) {
        this.nowS = nowS;
        this.timeline.advance(nowS);
        dueS = this.timeline.dueS;
      }
      bytes[f]! += m >>> META_LENGTH_SHIFT;
      if (labels !== null && (label[i]! & LABEL_MASK) !== labels[f]) {
        expects[f] = NOT_CALM;
        this.relabel(f, label[i]! & LABEL_MASK);
      }
      if ((m & CALM_MASK) === expects[f]) {
        const e = current[f]!;
        if (nowS - lastS[e]! <= limitS[f]!) {
          lastS[e] = nowS;
          const a = ack[i]!;
          if (a !== heard[f]) {
            heard[f] = a;
            heardS[f] = nowS;
          }
          if (this.stamping) this.stamp(f, nowS);
          continue;
        }
      }
      this.nowS = nowS;
      this.step(f, m, ack[i]!, nowS);
      lastS = this.walk.entries.lastS;
    }
    this.nowS = nowS;
  }

  /** The long way of one client packet. */
  private step(f: number, meta: number, ack: number, nowS: number): void {
    if (this.dormant !== null && this.dormant[this.plan.vip[f]!] === 1) return;
    this.expects[f] = NOT_CALM;
    if (this.tracker.life[f] === Life.unborn && this.nextHop[f] === NOT_STARTED) this.begin(f, nowS);
    this.packetBytes = meta >>> META_LENGTH_SHIFT;
    this.isFragment = (meta & META_FRAGMENT) !== 0;
    const node = this.edge?.carries(f) === true ? this.toEdge(f) : this.route(f, meta, nowS);
    if (this.plan.proto[f] === TCP) this.segment(f, node, meta, ack, nowS);
    else this.datagram(f, node, nowS);
  }

  /** The first packet of a connection: the one before it on the five-tuple is over. */
  private begin(f: number, nowS: number): void {
    const before = this.plan.before(f);
    if (before < 0) return;
    this.client.superseded(before, nowS);
    this.expects[before] = NOT_CALM;
    this.edge?.inherit(f, before);
  }

  /** The load balancer decides once it is known what the packet means. */
  private toEdge(f: number): typeof VIA_EDGE {
    const e = this.current[f]!;
    if (e > NO_ENTRY) this.edge!.touch(f, this.walk.entries.lastS[e]!);
    return VIA_EDGE;
  }

  /**
   * The client's acknowledgement tells what its server has sent. Returns whether its packet exists: a bare
   * acknowledgement of what never came does not.
   */
  private serverSent(f: number, captured: Segment | -1, payload: number, ack: number, nowS: number): boolean {
    const { client, tracker, server } = this;
    const news = client.news(f, ack);
    this.news = news;
    const life = tracker.life[f]!;
    if (news <= 0 || (life !== Life.open && life !== Life.closing)) {
      if (client.heard[f] === 0 || (news > 0 && life === Life.connecting)) client.hears(f, ack, nowS);
      return true;
    }
    const bare = captured === Segment.ack && payload === 0;
    if (bare && client.isImpossible(f, news)) return false;
    if (server.reaches(f, nowS)) {
      server.sends(f, nowS);
      this.serverFin = client.isServerFin(f, news);
      if (this.serverFin) server.closes(f);
      client.hears(f, ack, nowS);
      return true;
    }
    blameForServer(server.reason, server.hop, this.log, this.blamed);
    server.lost(f);
    tracker.serverDataLost(f, this.blamed.reason, this.blamed.event, this.blamed.hop, nowS);
    return !bare;
  }

  private segment(f: number, routed: number, meta: number, ack: number, nowS: number): void {
    const { tracker, client, walk } = this;
    const captured = (meta & META_FLAGS_CUT) !== 0 ? Segment.ack : segmentOf(meta & META_TCP_FLAGS);
    const payload = meta & META_PAYLOAD;
    this.serverFin = false;
    this.news = 0;
    if ((meta & TCP_ACK) !== 0 && !this.serverSent(f, captured, payload, ack, nowS)) return;
    if (tracker.life[f] === Life.unborn && captured !== Segment.syn) this.adopt(f, routed, nowS);
    const segment = client.prepare(f, captured, payload, nowS);
    if (segment === SKIP) {
      this.notePath(f, routed, -1, nowS);
      if (tracker.life[f] === Life.over) this.rest(f);
      return;
    }
    const node = routed === VIA_EDGE ? this.edge!.forward(f, segment, nowS) : routed;
    this.send(f, node, segment, payload, nowS);
    if (routed === VIA_EDGE && node >= 0) this.edge!.after(f, segment, walk.outcome);
    client.acknowledged(f, this.news, walk.outcome, this.blamed);
    const { reason, event, hop } = this.blamed;
    if (this.serverFin) tracker.serverCloses(f);
    else tracker.packet(f, client.asks, walk.outcome, reason, event, hop, nowS);
    this.notePath(f, node, walk.pod, nowS);
    this.calm(f, CALM_TCP);
  }

  private datagram(f: number, routed: number, nowS: number): void {
    const { tracker, walk } = this;
    const node = routed === VIA_EDGE ? this.edge!.forward(f, Segment.ack, nowS) : routed;
    const before = this.paths.lastPod(f);
    this.send(f, node, Segment.ack, 1, nowS);
    const { reason, event, hop } = this.blamed;
    if (walk.outcome === Outcome.reset) {
      tracker.packet(f, Asks.answer, walk.outcome, reason, event, hop, nowS);
      this.notePath(f, node, walk.pod, nowS);
      return;
    }
    tracker.datagram(f, walk.outcome, reason, event, hop, nowS);
    const home = walk.connectedBy[f]!;
    if (walk.outcome === Outcome.answered && this.plan.proto[f] === UDP) {
      if (home < 0) {
        walk.connectedBy[f] = walk.entry;
      } else if (walk.entries.pod[home] !== walk.pod && before !== walk.pod) {
        this.blameFor(
          f,
          node,
          ReasonCode['endpoint-gone'],
          hopCode(HopKind.endpoint, walk.entries.pod[home]!),
        );
        tracker.misdelivered(f, this.blamed.reason, this.blamed.event, this.blamed.hop, nowS);
      }
    }
    this.notePath(f, node, walk.pod, nowS);
    this.calm(f, CALM_OTHER);
  }

  /** Walks the packet behind the router; the outcome is in `walk`, the cause of a failure in `blamed`. */
  private send(f: number, node: number, segment: Segment | -1, payload: number, nowS: number): void {
    const { walk } = this;
    if (node >= 0 && this.isDeadEnd(f, node)) {
      walk.notForwarded(Outcome.silent, ReasonCode['next-hop-failed'], hopCode(HopKind.router, 0));
    } else if (node >= 0) {
      walk.walk(f, node, segment, payload, nowS);
    } else if (this.edge?.carries(f) === true) {
      walk.notForwarded(this.edge.outcome, this.edge.reason, EDGE_HOP);
    } else {
      walk.notForwarded(Outcome.unreachable, ReasonCode['no-route'], hopCode(HopKind.router, 0));
    }
    this.blamed.event = -1;
    if (walk.outcome === Outcome.answered) return;
    this.blameFor(f, node, walk.reason, walk.hop);
    if (walk.outcome !== Outcome.reset) this.counts.dropped(this.blamed.event);
  }

  /** The router's way to the node is broken; what comes by the edge, or begins on a node, does not take it. */
  isDeadEnd(f: number, node: number): boolean {
    return this.router.isDeadEnd(node) && this.plan.entry[f]! < 0 && this.edge?.carries(f) !== true;
  }

  private blameFor(f: number, node: number, reason: number, hop: number): void {
    const { grief, walk } = this;
    const { entries } = walk;
    const home =
      this.client.asks === Asks.connection && this.plan.proto[f] === TCP ? -1 : walk.connectedBy[f]!;
    grief.reason = reason;
    grief.hop = hop;
    grief.node = node;
    grief.home = home < 0 ? -1 : entries.node[home]!;
    grief.rebooted = home >= 0 && entries.boot[home] !== this.cluster.nodeBoot[entries.node[home]!];
    grief.expired = home >= 0 && entries.state[home] === DEAD && walk.entry !== home;
    grief.movedBy = this.movedBy[f]!;
    blame(grief, this.log, this.blamed);
    if (this.edge?.carries(f) === true) this.blameEdge(f, node, reason, home < 0 ? -1 : entries.pod[home]!);
  }

  private blameEdge(f: number, node: number, reason: number, home: number): void {
    const { state, member } = this.edge!;
    const one = node < 0 ? undefined : state.members[member[f]!]!;
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

  /** After an answer through an established entry the flow is calm until something changes. */
  private calm(f: number, kind: number): void {
    const { walk, tracker } = this;
    const e = walk.entry;
    // the next whole packet may take another way than the fragments
    if (this.isFragment) return;
    if (e < 0 || walk.outcome !== Outcome.answered || tracker.waiting[f] !== Asks.nothing) return;
    if (this.client.lingerS[f]! >= 0) return;
    const { state, marks } = walk.entries;
    const settled = ENTRY_REPLIED | ENTRY_ASSURED;
    if ((marks[e]! & settled) !== settled) return;
    if (!walk.real.letsThrough(e, kind === CALM_TCP ? Segment.ack : Segment.none)) return;
    if (kind === CALM_TCP && (state[e] !== TcpState.established || tracker.life[f] !== Life.open)) return;
    this.current[f] = e;
    const { timeouts } = this.model.dataplane.conntrack;
    const limitS = kind === CALM_TCP ? walk.timeoutS(e) : Math.min(timeouts.udp, timeouts.udpStream);
    const viaEdge = this.edge?.carries(f) === true;
    this.limitS[f] = viaEdge ? Math.min(limitS, this.edge!.idleLimitS(f)) : limitS;
    this.expects[f] = kind;
  }

  /** A flow whose life is over has nothing left to decide but a SYN, until its path changes. */
  private rest(f: number): void {
    if (this.isFragment || this.client.lingerS[f]! >= 0) return;
    this.current[f] = NO_ENTRY;
    this.limitS[f] = Number.POSITIVE_INFINITY;
    this.expects[f] = CALM_TCP;
  }

  /** A connection that began before the capture: the node its first packet meets is taken to know it. */
  private adopt(f: number, node: number, nowS: number): void {
    this.tracker.midway[f] = 1;
    this.tracker.life[f] = Life.open;
    const at = node === VIA_EDGE ? this.edge!.adopt(f, nowS) : node;
    if (at < 0) return;
    this.walk.adopt(f, at, nowS);
    const adopted = this.walk.connectedBy[f]! >= 0;
    if (node === VIA_EDGE && adopted && this.edge!.isGuess(f)) this.walk.guessed[f] = 1;
  }

  // -- the router

  /** Node that the router sends this packet of the flow to, or -1. */
  private route(f: number, meta: number, nowS: number): number {
    const entry = this.plan.entry[f]!;
    if (entry >= 0) {
      this.nextHop[f] = entry;
      return entry;
    }
    const group = this.groupOfVip[this.plan.vip[f]!]!;
    if ((meta & META_FRAGMENT) !== 0) {
      if (this.nextHop[f] === NOT_STARTED)
        this.nextHop[f] = group === null ? NO_ROUTE : group.peek(this.hashes[f]!);
      return group === null ? NO_ROUTE : group.choose(this.fragmentHash(f), nowS);
    }
    if (this.nextHop[f] === NOT_STARTED || this.stamping) {
      this.nextHop[f] = group === null ? NO_ROUTE : group.choose(this.hashes[f]!, nowS);
    }
    return this.nextHop[f]!;
  }

  private fragmentHash(f: number): number {
    const { labels } = this;
    if (labels !== null) return this.plan.hashOf(this.hasher!, f, 'fragment', labels[f]!);
    this.fragmentHashes ??= this.plan.hashes(this.router.ecmp, 'fragment');
    return this.fragmentHashes[f]!;
  }

  private stamp(f: number, nowS: number): void {
    if (this.plan.entry[f]! >= 0) return;
    this.groupOfVip[this.plan.vip[f]!]?.choose(this.hashes[f]!, nowS);
  }

  /** A router's hash of every flow as it is now; the engine's own where clients may change their labels. */
  private hashAll(): Uint32Array {
    const { plan, labels } = this;
    const shared = plan.hashes(this.router.ecmp, 'ports');
    if (labels === null) return shared;
    const own = shared.slice();
    this.hasher = createFlowHash(this.router.ecmp);
    for (let f = 0; f < plan.count; f++) {
      if (labels[f] !== plan.firstLabel(f)) own[f] = plan.hashOf(this.hasher, f, 'ports', labels[f]!);
    }
    return own;
  }

  /** The client has taken another flow label, as Linux does when a retransmission timer fires: its path may change. */
  private relabel(f: number, label: number): void {
    this.labels![f] = label;
    this.hashes[f] = this.plan.hashOf(this.hasher!, f, 'ports', label);
    if (this.nextHop[f] === NOT_STARTED || this.plan.entry[f]! >= 0) return;
    const group = this.groupOfVip[this.plan.vip[f]!]!;
    const node = group === null ? NO_ROUTE : group.peek(this.hashes[f]!);
    if (node === this.nextHop[f]) return;
    this.nextHop[f] = node;
    this.movedBy[f] = -1;
  }

  private lookUpGroups(): void {
    this.groupOfVip = this.plan.vips.map(({ address: a }) =>
      this.router.fib.lookup(a.family, a.w0, a.w1, a.w2, a.w3),
    );
    this.stamping = this.router.ecmp.select === 'resilient';
  }

  // -- TimelineListener

  routesChanged(_routes: readonly Route[], event: number, atS: number): void {
    if (this.timeline.entries[event]?.kind === 'ecmp') {
      this.hashes = this.hashAll();
      this.fragmentHashes = null;
    }
    this.lookUpGroups();
    this.log.routes = event;
    for (let f = 0; f < this.plan.count; f++) {
      if (this.nextHop[f] === NOT_STARTED || this.plan.entry[f]! >= 0) continue;
      const group = this.groupOfVip[this.plan.vip[f]!]!;
      const node = group === null ? NO_ROUTE : group.peek(this.hashes[f]!);
      if (node === this.nextHop[f]) continue;
      this.nextHop[f] = node;
      this.movedBy[f] = event;
      this.expects[f] = NOT_CALM;
      if (this.isActive(f, atS)) this.counts.moved(event);
    }
  }

  memberDown(member: EdgeMember, atS: number): void {
    const edge = this.edge!;
    const { serviceDown } = edge.state.pool(member);
    if (serviceDown === 'none') return;
    const event = downBy(member, this.cluster.nodeUp[member.node]!, this.log);
    for (const f of edge.flowsTo(member)) {
      this.toEdge(f);
      this.expects[f] = NOT_CALM;
      this.movedBy[f] = event;
      if (serviceDown === 'drop') edge.setPhase(f, EdgePhase.dropped);
      else if (serviceDown === 'reselect') edge.setPhase(f, EdgePhase.reselect);
      else {
        edge.close(f);
        if (this.plan.proto[f] !== TCP || !this.tracker.isOpen(f)) continue;
        this.tracker.resetByEdge(f, ReasonCode['member-down'], event, EDGE_HOP, atS);
      }
    }
  }

  placesChanged(event: number): void {
    this.expects.fill(NOT_CALM);
    for (let node = 0; node < this.model.nodes.length; node++) {
      const offers = this.offers(node);
      if (offers) this.log.emptied[node] = -1;
      else if (this.offered[node]) this.log.emptied[node] = event;
      this.offered[node] = offers;
    }
  }

  /** The model has one node more than before, and cluster and log know it. */
  nodeAdded(): void {
    this.walk.addNode();
    this.offered.push(this.offers(this.offered.length));
  }

  private offers(node: number): boolean {
    return this.cluster.rules[node]!.offersAnything();
  }

  podStopped(pod: Pod, event: number, atS: number): void {
    this.log.pod[pod.row] = event;
    const { connectedBy, connectedTo, entries } = this.walk;
    for (let f = 0; f < this.plan.count; f++) {
      const e = connectedBy[f]!;
      if (e < 0 || entries.pod[e] !== pod.row || connectedTo[f] !== pod.instance) continue;
      if (this.plan.proto[f] !== TCP || !this.tracker.isOpen(f)) continue;
      if (!this.cluster.isUp(pod.node) || !this.cluster.nodeUp[entries.node[e]!]) continue;
      if (this.walk.guessed[f] === 0) this.client.endpointStops(f, pod.row, event, atS);
    }
  }

  nodeChanged(node: number, event: number): void {
    this.log.node[node] = event;
    if (this.cluster.nodeUp[node]) this.walk.forget(node);
    else for (const { row } of this.cluster.podsOn(node)) this.log.pod[row] = event;
  }

  eventStarts(event: number, atS: number): void {
    let active = 0;
    for (let f = 0; f < this.plan.count; f++) if (this.isActive(f, atS)) active++;
    this.counts.active(event, active);
  }

  linkChanged(node: number, event: number): void {
    this.log.link[node] = event;
  }

  /** Node that the flow's next packet would go to, or -1. */
  nodeNow(f: number): number {
    if (this.edge?.carries(f) !== true) return this.nodeOf(f);
    this.toEdge(f);
    return this.edge.peek(f, this.nowS);
  }

  /** Next hop's node of a flow that has begun, or -1. */
  nodeOf(f: number): number {
    return Math.max(-1, this.nextHop[f]!);
  }

  /** Open at this moment: it has begun, is neither over nor broken, and (without connections) will send again. */
  isActive(f: number, atS: number): boolean {
    if (!this.tracker.isOpen(f)) return false;
    return this.plan.proto[f] === TCP || this.seconds(this.plan.lastNs(f)) >= atS;
  }

  // -- books

  private notePath(f: number, node: number, pod: number, nowS: number): void {
    const sameNode = node === this.paths.lastNode(f);
    const samePod = pod < 0 || pod === this.paths.lastPod(f);
    if (node < 0 || (sameNode && samePod)) return;
    // this packet's bytes already belong to the new path
    if (this.paths.lastNode(f) >= 0) this.book(f, this.packetBytes);
    this.paths.note(f, nowS, node, pod);
  }

  /** Books the flow's bytes on the path they took, but for the last `exceptBytes`. */
  private book(f: number, exceptBytes: number): void {
    const bytes = this.bytes[f]! - exceptBytes;
    this.counts.load(this.plan.service[f]!, this.paths.lastNode(f), this.paths.lastPod(f), bytes);
    this.bytes[f] = exceptBytes;
  }
}

function offsetOf(index: CaptureIndex, { epochNs }: ClusterModel): number {
  return epochNs === null ? 0 : Number(index.summary.baseNs - epochNs);
}

/** fields of a custom hash (fib_multipath_hash_fields): the flow label outside, and inside a tunnel */
const LABEL_FIELDS = 0x8 | 0x200;

/** Whether the router, now or later, hashes IPv6 flow labels (Linux policies 0, 2, and 3 with that field). */
function hashesLabels({ router, timeline }: ClusterModel): boolean {
  const all = [router.ecmp, ...timeline.flatMap((event) => (event.kind === 'ecmp' ? [event.settings] : []))];
  return all.some(
    ({ hash, fields }) =>
      hash === 'linux-l3' ||
      hash === 'linux-inner' ||
      (hash === 'linux-custom' && (fields & LABEL_FIELDS) !== 0),
  );
}
