/**
 * A node, packet by packet on bytes. A packet from outside meets these stages in this order:
 *
 *   1. up?          a node that is down swallows it
 *   2. conntrack    known tuple -> state step; unknown -> NEW, or INVALID
 *   3. nat          KUBE-SERVICES: choose an endpoint (DNAT), mark for masquerade under policy Cluster
 *   4. filter       INVALID drop; policy Local without a local endpoint: drop; no endpoint at all: reject
 *   5. postrouting  MASQUERADE: source address of the outgoing interface, a free source port
 *   6. rewrite      addresses, ports, checksums
 *
 * A packet from an endpoint is looked up in the reply direction and translated back. Source: behaviour of Linux
 * conntrack and kube-proxy (iptables, 1.26 and later) as measured on a running kernel.
 */
import { sameAddress } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import {
  HARDER_TRIES,
  PORT_TRIES,
  portClassFirst,
  portClassSize,
  portDrawOrdinal,
  triesOf,
} from '../conntrack/port-range.js';
import { isAhead, meetStaleEntry, resetComesBack, Stale } from '../conntrack/stale-segment.js';
import {
  IGNORE,
  INVALID,
  nextTcpState,
  ORIGINAL,
  REPLY,
  Segment,
  segmentOf,
  TcpState,
} from '../conntrack/tcp-states.js';
import { TUPLE_DST, TUPLE_SRC, Tuple } from '../conntrack/tuple.js';
import { addressOf, type ClusterState } from '../state/cluster-state.js';
import { HopKind, hopCode, Outcome, ReasonCode } from '../state/disposition.js';
import { draw, flowKey, Stream, scale } from '../state/draw.js';
import { foldedAddress } from '../state/endpoint-scheduler.js';
import { isMasqueraded, masqueradeAddress } from '../state/masquerade.js';
import { DROP_NO_LOCAL_ENDPOINT, REJECT_NO_ENDPOINT } from '../state/node-rules.js';
import { type Opening, type Ruling, UNDECIDED } from '../state/opening.js';
import type { Packet } from '../state/packet.js';
import { type ProxyPlane, proxyPlane } from '../state/proxy-plane.js';
import { isMarked, listFor, Origin } from '../state/service-doors.js';
import { TCP, UDP } from '../wire/ip-protocol.js';
import { TCP_ACK } from '../wire/tcp.js';
import { ConntrackTable, CT_ASSURED, CT_LOOSE, CT_REPLIED } from './conntrack-table.js';
import type { PolicyHop } from './policy-hop.js';
import { RealRules } from './real-rules.js';
import type { ServicePort, ServicePorts } from './service-ports.js';
import { TableRoom } from './table-room.js';

/** The window that a server offers at the start (65535 octets; Linux: 65160): sequence numbers farther off are another connection's. */
const WINDOW = 65535;

/** state column of entries that are not TCP */
const NO_STATE = 0;

export class NodeHop {
  readonly table: ConntrackTable;
  readonly room: TableRoom;
  /** what the last packet's fate is, unless it was forwarded */
  outcome: Outcome = Outcome.answered;
  reason = 0;
  hop = 0;
  /** pod that the last packet was forwarded to, or -1 */
  pod = -1;
  /** entry it went through, or -1 */
  entry = -1;
  /**
   * It passed through the entry of another connection: `unanswered` where a RST could not come back, `asks` where that
   * connection's socket may be there and would answer with a bare acknowledgement
   */
  stale: 'no' | 'unanswered' | 'asks' | 'passes' = 'no';
  /** pod of every entry, and how often that pod had left the rules when the entry was made */
  private podOf: number[] = [];
  private departures: number[] = [];
  /** entries with another source in the client's place */
  private masqueraded: boolean[] = [];
  /** told of every entry when it is made */
  onMade: ((node: number, entry: number) => void) | null = null;
  private boot = 0;
  private readonly tuple = new Tuple();
  private readonly original = new Tuple();
  private readonly reply = new Tuple();
  private readonly here: number;
  private readonly plane: ProxyPlane;
  /** entries whose client has said FIN or RST, by row */
  private ended: boolean[] = [];
  /** entries of connections that began before the capture, by row */
  private adopted: boolean[] = [];
  /** nobody can say what the node's real rules do with the last packet */
  undecided = false;
  /** what real rules said of it, in words; empty: nothing */
  said = '';
  private readonly real: RealRules;

  constructor(
    readonly node: number,
    private readonly model: ClusterModel,
    private readonly cluster: ClusterState,
    private readonly services: ServicePorts,
    /** how many draws a flow has had, by its key, over all nodes */
    private readonly draws: Map<number, number>,
    /** network policies of the pods; null: there are none */
    private readonly policies: PolicyHop | null = null,
  ) {
    this.plane = proxyPlane(model.dataplane);
    const reopens = this.plane.midFlow === 'conntrack' ? {} : ({ reopens: 'always' } as const);
    this.table = new ConntrackTable({ ...model.dataplane.conntrack, ...reopens });
    this.room = new TableRoom(node, this.table, model.dataplane.conntrack.max, model.seed, () =>
      this.catchUp(),
    );
    this.here = hopCode(HopKind.node, node);
    this.real = new RealRules(cluster, node, this.table);
    for (const { entry, pod, isMasked } of this.real.install()) {
      this.podOf[entry] = pod;
      this.masqueraded[entry] = isMasked;
      this.ended[entry] = false;
      this.departures[entry] = cluster.rules[node]!.departuresOf(pod);
    }
  }

  /** A packet from outside. True: it was translated (in place) and goes to {@link pod}; false: see outcome. */
  fromOutside(packet: Packet, nowS: number): boolean {
    this.pod = -1;
    this.entry = -1;
    this.stale = 'no';
    this.undecided = false;
    this.said = '';
    if (!this.cluster.nodeUp[this.node]) return this.end(Outcome.silent, ReasonCode['node-down']);
    this.catchUp();
    packet.readTuple(this.tuple);
    const segment = packet.proto === TCP ? segmentOf(packet.tcpFlags) : -1;
    let slot = this.known(nowS);
    let isIgnored = false;
    let opened = false;
    if (slot >= 0 && packet.proto === TCP) {
      this.real.firstUse(slot >> 1, packet);
      if (!this.inWindow(slot >> 1, packet, segment)) return this.outOfWindow(slot, packet, segment, nowS);
      const state = this.table.stateOf(slot >> 1);
      const next = this.table.stepTcp(slot, segment, nowS);
      if (next === INVALID) {
        this.entry = slot >> 1;
        return this.invalid(packet, ReasonCode['invalid-dropped']);
      }
      isIgnored = next === IGNORE && segment === Segment.syn;
      if (next === TcpState.synSent && state >= TcpState.timeWait) slot = -1;
    } else if (slot >= 0) {
      this.table.stepOther(slot, nowS);
    }
    if (slot < 0) {
      slot = this.open(packet, segment, nowS);
      if (slot < 0) return false;
      opened = true;
    }
    this.entry = slot >> 1;
    // a SYN that changes nothing counts once it is answered
    if (packet.proto === TCP && !isIgnored) this.noteNumbers(packet);
    this.pod = this.podOf[this.entry]!;
    if (segment === Segment.fin || segment === Segment.rst) this.connectionEnds(this.entry);
    const barred = opened ? null : this.real.later(this.entry, ORIGINAL, segment);
    if (barred !== null) return this.rule(barred);
    this.translate(packet, slot);
    return true;
  }

  private rule({ outcome, reason, said }: Ruling): false {
    this.undecided = outcome === UNDECIDED;
    this.said = said;
    return this.end(outcome === UNDECIDED ? Outcome.silent : outcome, reason);
  }

  hasRealRules(): boolean {
    return this.real.plane() !== null;
  }

  /** Whether answers do not come through this node at all. */
  isAstray(): boolean {
    return this.real.isAstray(this.entry);
  }

  /** Whether real rules keep an answer from the client; then it is as if nothing was answered. */
  losesAnswer(entry: number, segment: Segment | -1): boolean {
    const lost = this.real.later(entry, REPLY, segment);
    if (lost === null) return false;
    this.rule({ ...lost, outcome: lost.outcome === UNDECIDED ? UNDECIDED : Outcome.silent });
    return true;
  }

  /** Whether a segment of the opener lies in the entry's window; a SYN always does. */
  private inWindow(entry: number, packet: Packet, segment: Segment | -1): boolean {
    if (segment === Segment.syn) return true;
    const distance = (packet.view.getUint32(packet.l4 + 4) - this.table.endOf(entry)) | 0;
    return Math.abs(distance) <= WINDOW;
  }

  /** A segment of another connection: what becomes of it, see stale-segment.ts. */
  private outOfWindow(slot: number, packet: Packet, segment: Segment | -1, nowS: number): boolean {
    const { table } = this;
    const entry = slot >> 1;
    this.entry = entry;
    const state = table.stateOf(entry) as TcpState;
    const seqAhead = isAhead(packet.view.getUint32(packet.l4 + 4), table.endOf(entry));
    const ackAhead = isAhead(packet.view.getUint32(packet.l4 + 8), table.ackOf(entry));
    const isLiberal = this.model.dataplane.conntrack.beLiberal || table.isLoose(entry);
    const met = meetStaleEntry(seqAhead, ackAhead, isLiberal);
    const isLost = segment < 0 || segment === Segment.rst || met === Stale.invalid;
    if (isLost || nextTcpState(ORIGINAL, segment as Segment, state) === INVALID) {
      return this.invalid(packet, ReasonCode['stale-entry']);
    }
    this.stale = !resetComesBack(state === TcpState.established, ackAhead)
      ? 'unanswered'
      : this.isOpenEntry()
        ? 'asks'
        : 'passes';
    if (met === Stale.accepted) {
      table.stepTcp(slot, segment, nowS);
      table.refresh(entry, nowS);
    }
    this.pod = this.podOf[entry]!;
    this.translate(packet, slot);
    return true;
  }

  /** The endpoint's SYN+ACK: the numbers of both sides are known. */
  private agree(entry: number, packet: Packet): void {
    this.table.setAck(entry, packet.view.getUint32(packet.l4 + 4) + 1);
    this.table.setEnd(entry, packet.view.getUint32(packet.l4 + 8));
  }

  private noteNumbers(packet: Packet): void {
    this.table.setEnd(this.entry, packet.view.getUint32(packet.l4 + 4));
    const ack = packet.view.getUint32(packet.l4 + 8);
    if ((packet.tcpFlags & TCP_ACK) !== 0) this.table.setAck(this.entry, ack);
  }

  /** Whether the entry of the last packet is that of an established connection, or of one that closes. */
  isOpenEntry(): boolean {
    const state = this.table.stateOf(this.entry);
    return state >= TcpState.established && state < TcpState.timeWait;
  }

  /** The endpoint challenged a SYN, and the client's RST closed the entry. */
  challenged(nowS: number): void {
    this.table.close(this.entry, nowS);
    this.end(Outcome.silent, ReasonCode['stale-entry']);
  }

  /** A packet from an endpoint. True: translated back in place, it goes to the client. */
  fromEndpoint(packet: Packet, nowS: number): boolean {
    packet.readTuple(this.tuple);
    const slot = this.table.find(this.tuple, nowS);
    if (slot < 0) return false;
    const entry = slot >> 1;
    if (packet.proto === TCP) {
      const segment = segmentOf(packet.tcpFlags);
      const isReset = segment === 4;
      if (isReset && !this.table.hasReplied(entry)) {
        this.table.readTuple(slot ^ 1, this.original);
        this.table.remove(entry);
      } else {
        if (this.table.stepTcp(slot, segment, nowS) === INVALID) return false;
        this.table.readTuple(slot ^ 1, this.original);
        this.table.mark(entry, CT_REPLIED);
        if (segment === Segment.synAck) this.agree(entry, packet);
      }
    } else {
      this.table.stepOther(slot, nowS);
      this.table.readTuple(slot ^ 1, this.original);
      if (packet.proto !== UDP) this.table.mark(entry, CT_ASSURED);
    }
    this.tuple.invert(this.original);
    packet.writeTuple(this.tuple);
    return true;
  }

  /**
   * Installs the entry of a connection that began before the capture, as its first packet finds it: established
   * and assured, towards an endpoint drawn as a new connection would draw it. Returns the pod, the packet being
   * translated towards it, or -1.
   */
  adopt(packet: Packet, nowS: number): number {
    if (!this.cluster.nodeUp[this.node]) return -1;
    this.catchUp();
    packet.readTuple(this.tuple);
    const dumped = this.known(nowS);
    if (dumped >= 0) return this.real.plane() === null ? -1 : this.adoptDumped(packet, dumped);
    let entry: number;
    let pod: number;
    if (this.real.plane() === null) {
      pod = this.choose(nowS);
      if (pod < 0) return -1;
      entry = this.insert(pod, TcpState.established, nowS);
    } else {
      const opening = this.openReal(Segment.ack, nowS);
      pod = opening.pod;
      if (pod < 0) return -1;
      entry = this.insert(pod, TcpState.established, nowS, opening);
    }
    if (entry < 0) return -1;
    this.table.mark(entry, CT_REPLIED | CT_ASSURED);
    this.adopted[entry] = true;
    this.entry = entry;
    if (packet.proto === TCP) this.noteNumbers(packet);
    this.translate(packet, entry * 2);
    return pod;
  }

  /** Whether the entry was there before anybody looked: no policy judges it again. */
  isAdopted(entry: number): boolean {
    return this.adopted[entry] === true;
  }

  /** The entry of a dumped table knows the connection. Returns the pod, as {@link adopt}. */
  adoptDumped(packet: Packet, slot: number): number {
    this.entry = slot >> 1;
    this.translate(packet, slot);
    return this.podOf[this.entry]!;
  }

  /** Slot of the packet's dumped entry, or -1. */
  dumpedSlot(packet: Packet, nowS: number): number {
    this.catchUp();
    packet.readTuple(this.tuple);
    return this.real.plane() === null ? -1 : this.table.find(this.tuple, nowS);
  }

  /** How many endpoints a connection that nobody saw begin could have here; null: the modelled rules say. */
  choices(packet: Packet): number | null {
    packet.readTuple(this.tuple);
    return this.real.choices(this.tuple);
  }

  private openReal(segment: Segment | -1, nowS: number): Opening {
    const key = this.key();
    const ordinal = this.draws.get(key) ?? 0;
    this.draws.set(key, ordinal + 1);
    return this.real.open(this.tuple, segment, key, ordinal, nowS);
  }

  hasEnded(entry: number): boolean {
    return this.ended[entry] === true;
  }

  /** An answer without TCP's segments (UDP) passed through the entry. */
  answered(entry: number, nowS: number): void {
    this.table.stepOther(entry * 2 + 1, nowS);
  }

  isMasqueraded(entry: number): boolean {
    return this.masqueraded[entry]!;
  }

  /**
   * Pod that a segment in the middle of a connection would go to now, the packet being translated towards it; -1: it
   * would go nowhere, or depends on a draw. Makes no entry and renews none.
   */
  peek(packet: Packet, nowS: number): number {
    if (!this.cluster.nodeUp[this.node]) return -1;
    this.catchUp();
    packet.readTuple(this.tuple);
    const slot = this.known(nowS);
    if (slot >= 0) return this.peekKnown(packet, slot);
    const { midFlow } = this.plane;
    const takesUp =
      midFlow === 'conntrack' ? this.model.dataplane.conntrack.tcpLoose : midFlow === 'schedule';
    const found = this.services.find(this.tuple);
    if (!takesUp || found === null || this.isBarred(found)) return -1;
    const pod = this.sameEverywhere(found);
    if (pod < 0) return -1;
    const target = addressOf(this.cluster.pods[pod]!.addresses, this.tuple.family);
    if (target === null || this.masqueradesTo(pod)) return -1;
    this.tuple.setDestination(target, this.cluster.targetPort(found.service, found.port, pod));
    packet.writeTuple(this.tuple);
    return pod;
  }

  private peekKnown(packet: Packet, slot: number): number {
    const segment = segmentOf(packet.tcpFlags);
    if (!this.inWindow(slot >> 1, packet, segment)) return -1;
    const next = nextTcpState(ORIGINAL, segment as Segment, this.table.stateOf(slot >> 1) as TcpState);
    if (next === INVALID) return -1;
    this.translate(packet, slot);
    return this.podOf[slot >> 1]!;
  }

  /** The endpoint that the connection in {@link tuple} gets on every node that offers it, or -1. */
  private sameEverywhere(found: ServicePort): number {
    if (found.pod >= 0) return found.pod;
    const key = this.key();
    const ordinal = this.draws.get(key) ?? 0;
    const source = foldedAddress(this.tuple.words, TUPLE_SRC);
    const connection = { key, ordinal, source, sourcePort: this.tuple.srcPort };
    const policy = listFor(this.model.services[found.service]!, found.kind, this.origin());
    return this.cluster.rules[this.node]!.everywhere(found.service, found.port, policy, connection);
  }

  /** The source the endpoint of entry `entry` sees: words of the reply tuple's destination. */
  readSource(entry: number, out: Tuple): void {
    this.table.readTuple(entry * 2 + 1, this.reply);
    out.invert(this.reply);
  }

  /** A node that has booted since begins with an empty table. */
  catchUp(): void {
    const boot = this.cluster.nodeBoot[this.node]!;
    if (this.boot === boot) return;
    this.boot = boot;
    this.table.clear();
    this.room.forget();
  }

  /** Slot of the packet's tuple, or -1. UDP entries whose endpoint left the rules have been flushed by kube-proxy. */
  private known(nowS: number): number {
    const slot = this.table.find(this.tuple, nowS);
    if (slot < 0 || this.tuple.proto !== UDP) return slot;
    const entry = slot >> 1;
    // what kube-proxy has not translated it does not flush
    if (this.services.find(this.tuple)?.pod !== -1) return slot;
    const departures = this.cluster.rules[this.node]!.departuresOf(this.podOf[entry]!);
    if (departures === this.departures[entry]) return slot;
    this.table.remove(entry);
    return -1;
  }

  /** Rewrites a packet that came in through `slot` to what the other side expects. */
  private translate(packet: Packet, slot: number): void {
    this.table.readTuple(slot ^ 1, this.reply);
    this.tuple.invert(this.reply);
    packet.writeTuple(this.tuple);
  }

  /** The client of an entry has said FIN or RST. */
  connectionEnds(entry: number): void {
    if (this.ended[entry]) return;
    this.ended[entry] = true;
    this.cluster.rules[this.node]!.scheduler.ended(this.podOf[entry]!);
  }

  /** A segment in the middle of a connection that this node does not know, under a plane that takes up none. */
  private refuseMidFlow(segment: Segment | -1): -1 {
    if (this.plane.midFlow === 'drop') this.end(Outcome.silent, ReasonCode['mid-flow-dropped']);
    else if (segment === Segment.rst) this.end(Outcome.silent, ReasonCode['no-entry-reset']);
    else this.end(Outcome.reset, ReasonCode['no-entry-reset']);
    return -1;
  }

  private end(outcome: Outcome, reason: number): false {
    this.outcome = outcome;
    this.reason = reason;
    this.hop = this.here;
    return false;
  }

  /**
   * ctstate INVALID: no translation. A NodePort is the node's own address, and its stack has no such socket: RST
   * (measured on Linux 6.18).
   */
  private invalid(packet: Packet, reason: number): false {
    const ruling = this.real.invalid(this.tuple, segmentOf(packet.tcpFlags));
    if (ruling !== null) {
      const dropped = ruling.reason === ReasonCode['invalid-dropped'];
      return this.rule(dropped ? { ...ruling, reason } : ruling);
    }
    if (this.services.find(this.tuple)?.local === true) {
      const isReset = segmentOf(packet.tcpFlags) === Segment.rst;
      return this.end(isReset ? Outcome.silent : Outcome.reset, ReasonCode['invalid-refused']);
    }
    if (this.model.dataplane.dropInvalid) return this.end(Outcome.silent, reason);
    return this.end(Outcome.unreachable, ReasonCode['forwarding-loop']);
  }

  /** First packet of a connection: slot of its new entry, or -1 with the outcome set. */
  private open(packet: Packet, segment: Segment | -1, nowS: number): number {
    let state: number = NO_STATE;
    const real = this.real.plane();
    const midFlow = real === null ? this.plane.midFlow : 'conntrack';
    if (packet.proto === TCP && segment !== Segment.syn && midFlow !== 'conntrack') {
      if (midFlow !== 'schedule') return this.refuseMidFlow(segment);
      state = TcpState.established;
    } else if (packet.proto === TCP) {
      state = segment < 0 ? INVALID : nextTcpState(ORIGINAL, segment as Segment, TcpState.none);
      if (state === INVALID) {
        this.invalid(packet, ReasonCode['invalid-dropped']);
        return -1;
      }
      if (state !== TcpState.synSent && !(real?.tcpLoose ?? this.model.dataplane.conntrack.tcpLoose)) {
        this.invalid(packet, ReasonCode['loose-off']);
        return -1;
      }
    }
    const found = this.services.find(this.tuple);
    if (found === null && real === null) {
      this.end(Outcome.unreachable, ReasonCode['not-a-service']);
      return -1;
    }
    if (!this.room.make(this.key(), nowS)) {
      this.end(Outcome.silent, ReasonCode['conntrack-full']);
      return -1;
    }
    if (real !== null) return this.openBy(packet.proto === TCP ? segment : -1, state, nowS);
    if (this.isBarred(found!)) {
      this.end(Outcome.silent, ReasonCode['source-range']);
      return -1;
    }
    const pod = this.choose(nowS);
    if (pod === DROP_NO_LOCAL_ENDPOINT) {
      this.end(Outcome.silent, ReasonCode['no-local-endpoint']);
      return -1;
    }
    if (pod === REJECT_NO_ENDPOINT) {
      this.end(Outcome.unreachable, ReasonCode['no-endpoint']);
      return -1;
    }
    if (this.isDeniedHere(found!, pod)) return -1;
    const entry = this.insert(pod, state, nowS);
    if (entry < 0) {
      this.end(Outcome.silent, ReasonCode['snat-port-exhausted']);
      return -1;
    }
    const isLoose = packet.proto === TCP && state !== TcpState.synSent && this.plane.midFlow === 'conntrack';
    if (isLoose) this.table.mark(entry, CT_LOOSE);
    return entry * 2;
  }

  /** The same by real rules. */
  private openBy(segment: Segment | -1, state: number, nowS: number): number {
    const opening = this.openReal(segment, nowS);
    if (opening.pod < 0) {
      this.rule(opening);
      return -1;
    }
    const entry = this.insert(opening.pod, state, nowS, opening);
    if (entry >= 0) return entry * 2;
    this.end(Outcome.silent, ReasonCode['snat-port-exhausted']);
    return -1;
  }

  /** Endpoint for the packet in {@link tuple}, or a code of node-rules.ts. */
  private choose(nowS: number): number {
    const found = this.services.find(this.tuple);
    if (found === null) return REJECT_NO_ENDPOINT;
    if (found.pod >= 0) return found.pod;
    const key = this.key();
    const ordinal = this.draws.get(key) ?? 0;
    this.draws.set(key, ordinal + 1);
    const service = this.model.services[found.service]!;
    const { sessionAffinity } = service;
    const client = sessionAffinity === 'ClientIP' ? this.services.clientText(this.tuple) : null;
    const source = foldedAddress(this.tuple.words, TUPLE_SRC);
    const connection = { key, ordinal, source, sourcePort: this.tuple.srcPort };
    const policy = listFor(service, found.kind, this.origin());
    const rules = this.cluster.rules[this.node]!;
    return rules.choose(found.service, found.port, policy, client, connection, nowS);
  }

  /** Where the sender of {@link tuple} stands, as this node sees it. */
  private origin(): Origin {
    const { family, words } = this.tuple;
    const { origin, node } = this.services.doors.senderOf(family, words, TUPLE_SRC);
    return origin === Origin.node && node !== this.node ? Origin.outside : origin;
  }

  /** A service with endpoints whose source ranges do not have the client. */
  private isBarred(found: ServicePort): boolean {
    if (this.cluster.rules[this.node]!.isEmpty(found.service, found.port)) return false;
    return !this.services.doors.admits(found, this.services.client(this.tuple));
  }

  private key(): number {
    const { words, srcPort, dstPort, proto } = this.tuple;
    return flowKey(words, TUPLE_SRC, TUPLE_DST, srcPort, dstPort, proto);
  }

  /** A network policy of a pod of this node drops the packet, before its entry is confirmed. */
  private isDeniedHere(found: ServicePort, pod: number): boolean {
    const { policies } = this;
    if (policies === null || this.cluster.pods[pod]!.node !== this.node) return false;
    if (!policies.deniesAtHome(this.tuple, found, pod, this.masqueradesTo(pod))) return false;
    this.pod = pod;
    this.outcome = policies.outcome;
    this.reason = ReasonCode['policy-denied'];
    this.hop = hopCode(HopKind.endpoint, pod);
    return true;
  }

  /** Whether the connection of {@link tuple} to a pod is masqueraded here. */
  private masqueradesTo(pod: number): boolean {
    const { service, kind, pod: direct } = this.services.find(this.tuple)!;
    const { addresses, node: podNode } = this.cluster.pods[pod]!;
    const origin = this.origin();
    const client = this.services.client(this.tuple);
    if (direct >= 0) return false;
    if (origin === Origin.pod && addresses.some((own) => sameAddress(own, client))) return true;
    const marked = isMarked(this.model.services[service]!, kind, origin);
    return isMasqueraded(this.model, marked, origin, this.node, podNode, this.tuple.proto);
  }

  /** Translates to `pod` and makes the entry. -1: no source port is free. */
  private insert(pod: number, state: number, nowS: number, opening: Opening | null = null): number {
    if (opening !== null) return this.insertOpened(opening, state, nowS);
    const { service, port } = this.services.find(this.tuple)!;
    const { addresses, node: podNode } = this.cluster.pods[pod]!;
    const target = addressOf(addresses, this.tuple.family);
    if (target === null) return -1;
    const masquerades = this.masqueradesTo(pod);
    this.original.copy(this.tuple);
    this.tuple.setDestination(target, this.cluster.targetPort(service, port, pod));
    this.reply.invert(this.tuple);
    if (masquerades) {
      const source = masqueradeAddress(this.model, this.node, podNode, this.tuple.family);
      if (source === null || !this.takePort(source, nowS)) return this.forgo();
    } else if (this.table.isTaken(this.reply, nowS) && !this.takePort(null, nowS)) {
      // a null binding still needs a tuple of its own
      return this.forgo();
    }
    const entry = this.keep(pod, state, nowS);
    this.masqueraded[entry] = masquerades;
    return entry;
  }

  /** Makes the entry that real rules ask for. */
  private insertOpened(opening: Opening, state: number, nowS: number): number {
    const { pod, source, sourcePort } = opening;
    const { reply } = opening.connection!;
    this.original.copy(this.tuple);
    this.tuple.setDestination(reply.src, reply.srcPort);
    this.reply.invert(this.tuple);
    if (source !== null && sourcePort !== null) this.reply.setDestination(source, sourcePort);
    else if (source !== null && !this.takePort(source, nowS, true)) return this.forgo();
    if (source === null && this.table.isTaken(this.reply, nowS) && !this.takePort(null, nowS))
      return this.forgo();
    const entry = this.keep(pod, state, nowS);
    this.real.opened(entry, opening);
    this.masqueraded[entry] = source !== null;
    return entry;
  }

  private keep(pod: number, state: number, nowS: number): number {
    const entry = this.table.insert(this.original, this.reply, state, nowS);
    this.tuple.copy(this.original);
    this.real.opened(entry, null);
    this.podOf[entry] = pod;
    this.ended[entry] = false;
    this.adopted[entry] = false;
    this.onMade?.(this.node, entry);
    this.cluster.rules[this.node]!.scheduler.opened(pod);
    this.departures[entry] = this.cluster.rules[this.node]!.departuresOf(pod);
    return entry;
  }

  private forgo(): -1 {
    this.tuple.copy(this.original);
    return -1;
  }

  /** Makes the reply tuple in {@link reply} free by choice of the source port (and address, where one is given). */
  private takePort(
    source: { w0: number; w1: number; w2: number; w3: number; family: 4 | 6 } | null,
    nowS: number,
    drawn = this.model.dataplane.masqueradeRandomFully,
  ): boolean {
    const port = this.original.srcPort;
    const first = portClassFirst(port);
    const size = portClassSize(port);
    if (source !== null) this.reply.setDestination(source, port);
    const random = source !== null && drawn;
    if (!random && !this.table.isTaken(this.reply, nowS)) return true;
    const { words, srcPort, dstPort, proto } = this.original;
    const key = flowKey(words, TUPLE_SRC, TUPLE_DST, srcPort, dstPort, proto);
    const ordinal = (this.draws.get(key) ?? 1) - 1;
    for (let round = 0; round < PORT_TRIES.length; round++) {
      const drawn = draw(this.model.seed, this.node, Stream.sourcePort, key, portDrawOrdinal(ordinal, round));
      const start = scale(drawn, size);
      const tries = triesOf(round, size);
      for (let i = 0; i < tries; i++) {
        this.reply.setPorts(this.reply.srcPort, first + ((start + i) % size));
        if (!this.table.isTaken(this.reply, nowS, tries - i <= HARDER_TRIES)) return true;
      }
      // every port of the class was tried
      if (tries === size) break;
    }
    return false;
  }
}
