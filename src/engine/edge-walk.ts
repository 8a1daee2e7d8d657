/**
 * What the load balancer before the cluster does with a client's packet, decided on columns: the fast twin of
 * oracle/edge-hop.ts, held against it by a property test. They share the state of the pools (state/edge-state.ts).
 *
 * A flow has one connection here at most; its columns say where that stands, which member it goes to, and what the
 * node behind sees of the client: another source port, and with it another key for everything that is drawn there.
 */
import { formatAddress, parseAddress } from '../addr/address.js';
import { type EdgeInsert, insertOf, snatOf } from '../cluster/edge-model.js';
import type { ClusterModel } from '../cluster/model.js';
import { Segment } from '../conntrack/tcp-states.js';
import type { FlowPlan } from '../outcome/flow-plan.js';
import { addressOf } from '../state/cluster-state.js';
import { Outcome, ReasonCode } from '../state/disposition.js';
import { flowKey } from '../state/draw.js';
import { type EdgeServer, EdgeServers } from '../state/edge-servers.js';
import { type EdgeMember, EdgePhase, type EdgeState } from '../state/edge-state.js';
import { TCP } from '../wire/ip-protocol.js';

const NO_SERVER = -1;

export class EdgeWalk {
  /** per flow: key and source port as the node sees them */
  readonly key: Int32Array;
  readonly port: Uint16Array;
  /** per flow: row of the member it goes, or went, to; -1 = none */
  readonly member: Int32Array;
  // the outcome of a packet that was not forwarded
  outcome: Outcome = Outcome.answered;
  reason = 0;
  /** row in the virtual servers, or -1: the load balancer is not in the flow's way */
  private readonly server: Int16Array;
  /** row in the ports of its service, or -1 */
  private readonly serverPort: Int16Array;
  private readonly phase: Uint8Array;
  private readonly lastS: Float64Array;
  private readonly draws = new Map<number, number>();
  private readonly words = new Uint32Array(8);
  private readonly sources: ReadonlyMap<number, string>;

  constructor(
    readonly state: EdgeState,
    model: ClusterModel,
    private readonly plan: FlowPlan,
  ) {
    const flows = plan.count;
    this.key = plan.key.slice();
    this.port = plan.clientPort.slice();
    this.member = new Int32Array(flows).fill(-1);
    this.server = new Int16Array(flows).fill(NO_SERVER);
    this.serverPort = new Int16Array(flows).fill(-1);
    this.phase = new Uint8Array(flows);
    this.lastS = new Float64Array(flows);
    this.sources = new Map(
      state.edge.addresses.map((a) => [a.family, formatAddress(a)]).reverse() as [number, string][],
    );
    const servers = new EdgeServers(state.edge, model.services);
    for (let f = 0; f < flows; f++) this.assign(f, servers);
  }

  /** Whether the load balancer is in the flow's way. */
  carries(f: number): boolean {
    return this.server[f] !== NO_SERVER;
  }

  /** The pod that the flow goes to without kube-proxy, or -1. */
  directPod(f: number): number {
    const member = this.member[f]!;
    return !this.carries(f) || member < 0 ? -1 : this.state.members[member]!.pod;
  }

  /** Source address that the node sees, as text; null: the client's own. */
  sourceText(f: number): string | null {
    if (!this.carries(f) || snatOf(this.state.edge, this.server[f]!) === 'none') return null;
    return this.sources.get(this.plan.family[f]!)!;
  }

  /** The same folded as NewConnection wants it; null: the client's own. */
  foldedSource(f: number): number | null {
    const text = this.sourceText(f);
    if (text === null) return null;
    const { w0, w1, w2, w3 } = parseAddress(text)!;
    return (w0 ^ w1 ^ w2 ^ w3) >>> 0;
  }

  /** What the load balancer says of the flow's client to whom it sends on. */
  insertOf(f: number): EdgeInsert {
    return insertOf(this.state.edge, this.server[f]!);
  }

  /** Number of the next draw with the flow's key at the node. */
  nextOrdinal(f: number): number {
    const key = this.key[f]!;
    const ordinal = this.draws.get(key) ?? 0;
    this.draws.set(key, ordinal + 1);
    return ordinal;
  }

  /** After how long without a packet an open connection of the flow is forgotten. */
  idleLimitS(f: number): number {
    const { idleS } = this.state.edge;
    return this.plan.proto[f] === TCP ? idleS.tcp : idleS.udp;
  }

  /** A packet passed through an open connection at `atS`. */
  touch(f: number, atS: number): void {
    if (atS > this.lastS[f]!) this.lastS[f] = atS;
  }

  /** The five-tuple goes on as another connection: what the load balancer knows of it stays as it is. */
  inherit(f: number, before: number): void {
    for (const column of [this.key, this.port, this.member, this.phase, this.lastS])
      column[f] = column[before]!;
    this.phase[before] = EdgePhase.none;
  }

  /** Node that a packet of the flow goes to, or -1: see outcome and reason. */
  forward(f: number, segment: Segment | -1, nowS: number): number {
    const tcp = this.plan.proto[f] === TCP;
    const opens = !tcp || segment === Segment.syn;
    this.forgetIdle(f, nowS);
    if (this.phase[f] === EdgePhase.dropped && opens) this.close(f);
    if (this.phase[f] === EdgePhase.none) {
      if (!opens) return this.unmatched(segment);
      if (!this.open(f, tcp ? EdgePhase.opening : EdgePhase.open, nowS)) return -1;
    } else if (this.phase[f] === EdgePhase.reselect) {
      this.close(f);
      if (!this.open(f, EdgePhase.open, nowS)) return -1;
    }
    this.lastS[f] = nowS;
    if (this.phase[f] === EdgePhase.dropped) return this.end(Outcome.silent, ReasonCode['member-down']);
    return this.state.members[this.member[f]!]!.node;
  }

  /** What became of the packet that was forwarded. */
  after(f: number, segment: Segment | -1, outcome: Outcome): void {
    if (this.phase[f] === EdgePhase.none || this.plan.proto[f] !== TCP) return;
    if (outcome === Outcome.reset || segment === Segment.rst) this.close(f);
    else if (outcome === Outcome.answered) {
      if (segment === Segment.fin) this.close(f);
      else if (this.phase[f] === EdgePhase.opening) this.phase[f] = EdgePhase.open;
    }
  }

  /** A connection that began before the capture. Returns its node, or -1. */
  adopt(f: number, nowS: number): number {
    if (this.phase[f] !== EdgePhase.none || !this.open(f, EdgePhase.open, nowS)) return -1;
    return this.state.members[this.member[f]!]!.node;
  }

  /** Whether which member the flow has is a guess, once it was adopted. */
  isGuess(f: number): boolean {
    return this.state.choices(this.server[f]!) > 1;
  }

  /** Flows with a connection to a member. */
  *flowsTo({ row }: EdgeMember): IterableIterator<number> {
    for (let f = 0; f < this.plan.count; f++) {
      if (this.member[f] === row && this.phase[f] !== EdgePhase.none) yield f;
    }
  }

  setPhase(f: number, phase: EdgePhase): void {
    this.phase[f] = phase;
  }

  /** Node that a segment of the flow would go to now, or -1: it would be reset or dropped. */
  peek(f: number, nowS: number): number {
    const phase = this.phase[f]!;
    if (phase === EdgePhase.none || phase === EdgePhase.dropped || phase === EdgePhase.reselect) return -1;
    if (nowS - this.lastS[f]! > this.idleLimitS(f)) return -1;
    return this.state.members[this.member[f]!]!.node;
  }

  close(f: number): void {
    const member = this.state.members[this.member[f]!]!;
    member.connections--;
    this.phase[f] = EdgePhase.none;
    if (snatOf(this.state.edge, this.server[f]!) === 'none') return;
    const { family, proto, key } = this.plan;
    this.state.ports.release(member.row, family[f]!, proto[f]!, key[f]!, this.port[f]!);
  }

  private assign(f: number, servers: EdgeServers): void {
    const { plan } = this;
    // what begins on a node never comes to the load balancer
    if (plan.entry[f]! >= 0) return;
    const vip = plan.vips[plan.vip[f]!]!.address;
    const found: EdgeServer | null = servers.of(
      vip,
      plan.service[f]!,
      plan.proto[f]!,
      plan.serverPort(f),
      plan.port[f]! >= 0,
      this.state.edge,
    );
    if (found === null) return;
    this.server[f] = found.server;
    this.serverPort[f] = found.port;
  }

  private forgetIdle(f: number, nowS: number): void {
    if (this.phase[f] === EdgePhase.none) return;
    const limitS = this.phase[f] === EdgePhase.opening ? this.state.edge.handshakeS : this.idleLimitS(f);
    if (nowS - this.lastS[f]! > limitS) this.close(f);
  }

  private open(f: number, phase: EdgePhase, nowS: number): boolean {
    const { state, plan } = this;
    const server = this.server[f]!;
    if (this.serverPort[f]! < 0) {
      const outcome = plan.proto[f] === TCP ? Outcome.reset : Outcome.unreachable;
      this.end(outcome, ReasonCode['not-a-service']);
      return false;
    }
    const persists = state.edge.virtualServers[server]!.persistence !== 'none';
    const row = state.choose(server, persists ? plan.clientText(f) : null, nowS);
    if (row < 0) {
      this.end(plan.proto[f] === TCP ? Outcome.reset : Outcome.silent, ReasonCode['no-member']);
      return false;
    }
    const member = state.members[row]!;
    const family = plan.family[f]!;
    if (snatOf(state.edge, server) === 'automap') {
      const port = state.ports.take(row, family, plan.proto[f]!, plan.key[f]!, plan.clientPort[f]!);
      if (port < 0) {
        this.end(Outcome.silent, ReasonCode['snat-port-exhausted']);
        return false;
      }
      this.port[f] = port;
    }
    this.member[f] = row;
    this.phase[f] = phase;
    this.lastS[f] = nowS;
    member.connections++;
    this.key[f] = this.keyTo(f, member);
    return true;
  }

  /** Key of the translated tuple, as a node draws by it. */
  private keyTo(f: number, member: EdgeMember): number {
    const { words, plan, state } = this;
    const family = plan.family[f]!;
    const source =
      snatOf(state.edge, this.server[f]!) === 'automap'
        ? addressOf(state.edge.addresses, family)!
        : plan.clientAddress(f);
    const target = state.addressOf(member, family)!;
    words.set([source.w0, source.w1, source.w2, source.w3, target.w0, target.w1, target.w2, target.w3]);
    const port = state.portOf(member, this.server[f]!, this.serverPort[f]!);
    return flowKey(words, 0, 4, this.port[f]!, port, plan.proto[f]!);
  }

  private unmatched(segment: Segment | -1): -1 {
    return this.end(segment === Segment.rst ? Outcome.silent : Outcome.reset, ReasonCode['edge-unmatched']);
  }

  private end(outcome: Outcome, reason: number): -1 {
    this.outcome = outcome;
    this.reason = reason;
    return -1;
  }
}
