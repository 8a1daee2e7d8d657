/**
 * What a node and an endpoint do with one client packet, decided on columns instead of bytes: the fast twin of
 * oracle/node-hop.ts and oracle/endpoint-hop.ts, held against them by a property test.
 *
 * Source: behaviour of Linux conntrack and of kube-proxy's iptables rules (1.26 and later) as measured on a
 * running kernel. The stages stand in the order in which a packet meets them: node, entry, rules, endpoint.
 */

import type { ClusterModel } from '../cluster/model.js';
import { isAhead, meetStaleEntry, resetComesBack, Stale } from '../conntrack/stale-segment.js';
import {
  IGNORE,
  INVALID,
  nextTcpState,
  ORIGINAL,
  REPLY,
  Segment,
  TcpState,
} from '../conntrack/tcp-states.js';
import { tcpTimeouts, UDP_STREAM_AFTER_S } from '../conntrack/timeouts.js';
import { connectionNumbers } from '../outcome/connection-numbers.js';
import type { FlowPlan } from '../outcome/flow-plan.js';
import type { ClusterState } from '../state/cluster-state.js';
import { HopKind, hopCode, Outcome, ReasonCode } from '../state/disposition.js';
import { DROP_NO_LOCAL_ENDPOINT, REJECT_NO_ENDPOINT } from '../state/node-rules.js';
import type { Opening, Ruling } from '../state/opening.js';
import { policyGate } from '../state/policy-gate.js';
import { type MidFlow, type ProxyPlane, proxyPlane } from '../state/proxy-plane.js';
import { DoorKind } from '../state/service-doors.js';
import { TCP, UDP } from '../wire/ip-protocol.js';
import type { EdgeWalk } from './edge-walk.js';
import {
  DEAD,
  ENTRY_ASSURED,
  ENTRY_DENIED,
  ENTRY_ENDED,
  ENTRY_LOOSE,
  ENTRY_REPLIED,
  ENTRY_RESET,
  ENTRY_SNAT,
  EntryPool,
  STATELESS,
} from './entry-pool.js';
import { ModelledChoice } from './modelled-choice.js';
import { DROPPED_HERE, PolicyWalk } from './policy-walk.js';
import { adoptByRules, answerTo, install, lostAnswer, openByRules } from './real-entries.js';
import { RealWalk } from './real-walk.js';
import { SourcePorts } from './source-ports.js';
import { type EntryLife, TableLimits } from './table-limits.js';

export class NodeWalk implements EntryLife {
  readonly entries: EntryPool;
  /** the entry through which the flow's endpoint accepted its connection, or -1 */
  readonly connectedBy: Int32Array;
  /** the entry through which the flow's endpoint answers it: of the last packet that it answered, or -1 */
  readonly answeredBy: Int32Array;
  /** instance of the pod that accepted it */
  readonly connectedTo: Int32Array;
  /** the connection began before the capture, and which endpoint has it is a guess */
  readonly guessed: Uint8Array;
  /** by five-tuple: how many draws it has had */
  readonly draws: Int32Array;
  /** nodes with rules of their own */
  readonly real: RealWalk;

  // the outcome of the last walk
  outcome: Outcome = Outcome.answered;
  reason = 0;
  hop = 0;
  /** entry the packet went through, or -1 */
  entry = -1;
  /** pod it was sent to, or -1 */
  pod = -1;

  /** per flow: key and source port as the node sees them */
  private readonly modelled: ModelledChoice;
  private readonly key: Int32Array;
  private readonly clientPort: Uint16Array;
  private readonly timeouts: Float64Array;
  private readonly plane: ProxyPlane;
  private readonly limits: TableLimits;
  private readonly ports: SourcePorts;
  /** network policies of the endpoints; null: there are none */
  readonly policies: PolicyWalk | null;

  constructor(
    private readonly model: ClusterModel,
    private readonly cluster: ClusterState,
    private readonly plan: FlowPlan,
    /** see ClientSide */
    private readonly lingerS: Float64Array,
    /** the load balancer before the node, or null */
    private readonly edge: EdgeWalk | null = null,
  ) {
    this.key = edge?.key ?? plan.key;
    this.clientPort = edge?.port ?? plan.clientPort;
    const flows = plan.count;
    this.entries = new EntryPool(plan.tuples);
    this.connectedBy = new Int32Array(flows).fill(-1);
    this.answeredBy = new Int32Array(flows).fill(-1);
    this.connectedTo = new Int32Array(flows);
    this.guessed = new Uint8Array(flows);
    this.draws = new Int32Array(plan.tuples);
    this.timeouts = tcpTimeouts(model.dataplane.conntrack.timeouts);
    this.plane = proxyPlane(model.dataplane);
    this.modelled = new ModelledChoice(model, cluster, plan, this.plane, edge, this.key, this.clientPort);
    this.limits = new TableLimits(model, plan, this.entries, this, (pod) => cluster.pods[pod]!.node);
    this.ports = new SourcePorts(model, plan, this.entries, this);
    const gate = policyGate(model);
    this.policies = gate && new PolicyWalk(gate, model, cluster, plan, edge);
    this.real = new RealWalk(model, cluster, plan, this.entries);
    for (const dumped of this.real.dumpedEntries()) install(this, dumped);
  }

  /** Whether chance decided who got an entry, or a source port, where not all could. */
  get wasPressed(): boolean {
    return this.limits.wasFull || this.ports.pressed;
  }

  /** One packet of flow `f` that the router has sent to `node`. Results are left in the fields. */
  walk(f: number, node: number, segment: Segment | -1, payload: number, nowS: number): void {
    this.entry = -1;
    this.pod = -1;
    if (!this.cluster.nodeUp[node]) {
      this.settle(Outcome.silent, ReasonCode['node-down'], hopCode(HopKind.node, node));
      return;
    }
    const proto = this.plan.proto[f]!;
    let e = this.liveEntry(f, node, nowS);
    const owner = e < 0 ? f : this.entries.flow[e]!;
    let opened = false;
    if (e >= 0 && proto === TCP && (this.entries.flow[e] !== f || this.isLeftover(f, e, segment))) {
      if (!this.meetStale(f, e, node, segment, payload, nowS)) return;
      // a closed entry gives way to a SYN
      if (this.entries.state[e] === DEAD) e = -1;
    }
    if (e >= 0 && proto === TCP) {
      const next =
        segment < 0 ? INVALID : nextTcpState(ORIGINAL, segment as Segment, this.entries.state[e] as TcpState);
      if (next === INVALID) {
        this.entry = e;
        this.invalid(f, node, segment, ReasonCode['invalid-dropped']);
        return;
      }
      const closed = next === TcpState.synSent && this.entries.state[e]! >= TcpState.timeWait;
      if (closed && (this.entries.marks[e]! & ENTRY_RESET) === 0) {
        this.remove(e);
        e = -1;
      } else if (next !== IGNORE && !closed) {
        const again = next === TcpState.synSent && this.entries.state[e] === TcpState.synSent;
        this.moveTo(e, next);
        // a SYN sent again does not refresh its entry
        if (!again) this.entries.lastS[e] = nowS;
        this.limits.changed(e);
      }
    } else if (e >= 0) {
      this.entries.lastS[e] = nowS;
      this.assureStream(e, nowS);
    }
    if (e < 0) {
      e = proto === TCP ? this.openTcp(f, node, segment, nowS) : this.open(f, node, STATELESS, -1, nowS);
      if (e < 0) return;
      opened = true;
    } else if (owner !== f) this.policies?.inherit(f, owner);
    this.entry = e;
    if (segment === Segment.fin || segment === Segment.rst) this.connectionEnds(e);
    const barred = opened ? null : this.real.forward(e, segment);
    if (barred !== null) {
      this.pod = this.entries.pod[e]!;
      this.settleBy(f, node, barred);
      return;
    }
    if (this.real.openingOf(e) === undefined) {
      this.toEndpoint(f, e, proto, segment, payload, nowS);
      return;
    }
    const { connectedBy, connectedTo, answeredBy, guessed } = this;
    const before = [connectedBy[f]!, connectedTo[f]!, answeredBy[f]!, guessed[f]!] as const;
    this.toEndpoint(f, e, proto, segment, payload, nowS);
    const lost = lostAnswer(this, e, this.outcome, answerTo(proto, segment, payload));
    if (lost === null) return;
    this.settleBy(f, node, lost);
    this.outcome = Outcome.silent;
    // the client knows nothing of what its endpoint has accepted
    [connectedBy[f], connectedTo[f], answeredBy[f], guessed[f]] = before;
  }

  /** An entry of the dumped table, where the flow's first packet has not come yet: it is another connection's. */
  private isLeftover(f: number, e: number, segment: Segment | -1): boolean {
    return segment === Segment.syn && this.connectedBy[f] !== e && this.entries.createdS[e]! < 0;
  }

  tupleOf(f: number): number {
    return this.plan.tuple[f]!;
  }

  /** The entry ends at another time than before. */
  entryChanged(e: number): void {
    this.limits.changed(e);
  }

  /** Source port under real rules: theirs, or one that is drawn; 0 where the source stays, -1 where none is left. */
  portFor(
    f: number,
    node: number,
    { pod, source, sourcePort }: Opening,
    ordinal: number,
    nowS: number,
  ): number {
    if (source === null) return 0;
    return sourcePort ?? this.ports.find(node, pod, f, this.clientPort[f]!, ordinal, this.key[f]!, nowS);
  }

  /** Marks of modelled policies at an endpoint whose node's real rules nobody gave. */
  deniedBeyond(f: number, node: number, { pod, source }: Opening): number {
    const home = this.cluster.pods[pod]!.node;
    if (home === node || this.plan.port[f]! < 0 || this.real.on(home) !== null) return 0;
    return this.policies?.marksOf(f, node, pod, source !== null) ?? 0;
  }

  /** No entry is made, and why. */
  refuseAt(node: number, outcome: Outcome, reason: number): -1 {
    this.settle(outcome, reason, hopCode(HopKind.node, node));
    return -1;
  }

  private settleBy(f: number, node: number, ruling: Ruling): void {
    this.settle(this.real.note(f, ruling), ruling.reason, hopCode(HopKind.node, node));
  }

  /**
   * A segment meets the entry of an earlier connection of its five-tuple. A SYN takes the entry over where the earlier
   * socket is gone; where it lives, the endpoint challenges (RFC 5961), the client's RST closes both, and the next SYN
   * gets through. Returns whether the segment goes on as one of the entry's own.
   */
  private meetStale(
    f: number,
    e: number,
    node: number,
    segment: Segment | -1,
    payload: number,
    nowS: number,
  ): boolean {
    const { entries } = this;
    const state = entries.state[e]!;
    if (segment === Segment.syn) {
      const isOpen = state >= TcpState.established && state < TcpState.timeWait;
      if (!isOpen || this.real.forward(e, segment) !== null || !this.holdsSocket(e)) {
        // one that is ignored takes the entry over once it is answered
        if (state < TcpState.established) entries.flow[e] = f;
        return true;
      }
      this.entry = e;
      this.pod = entries.pod[e]!;
      entries.state[e] = TcpState.close;
      entries.lastS[e] = nowS;
      this.limits.changed(e);
      this.settle(Outcome.silent, ReasonCode['stale-entry'], hopCode(HopKind.node, node));
      return false;
    }
    this.entry = e;
    const { firstSeq, firstAck } = connectionNumbers(this.plan);
    const owner = entries.flow[e]!;
    const ackAhead = isAhead(firstAck[f]!, firstAck[owner]!);
    const isLiberal = this.model.dataplane.conntrack.beLiberal || (entries.marks[e]! & ENTRY_LOOSE) !== 0;
    const met = meetStaleEntry(isAhead(firstSeq[f]!, firstSeq[owner]!), ackAhead, isLiberal);
    const isLost = segment < 0 || segment === Segment.rst || met === Stale.invalid;
    const next = isLost ? INVALID : nextTcpState(ORIGINAL, segment as Segment, state as TcpState);
    if (next === INVALID) {
      this.invalid(f, node, segment, ReasonCode['stale-entry']);
      return false;
    }
    const lives = state >= TcpState.established && state < TcpState.timeWait && this.holdsSocket(e);
    if (met === Stale.accepted) {
      this.moveTo(e, next < IGNORE ? next : state);
      entries.lastS[e] = nowS;
      this.limits.changed(e);
    }
    // the earlier connection's socket answers numbers that are not its own with a bare acknowledgement
    if (lives || !resetComesBack(state === TcpState.established, ackAhead)) {
      this.pod = entries.pod[e]!;
      this.settle(Outcome.silent, ReasonCode['stale-entry'], hopCode(HopKind.node, node));
    } else this.toEndpoint(f, e, TCP, segment, payload, nowS);
    return false;
  }

  /** Whether the pod still has the connection that the entry was made for. */
  private holdsSocket(e: number): boolean {
    const owner = this.entries.flow[e]!;
    const pod = this.cluster.pods[this.entries.pod[e]!]!;
    return (
      this.answeredBy[owner] === e &&
      this.connectedTo[owner] === pod.instance &&
      pod.running &&
      this.cluster.isUp(pod.node)
    );
  }

  /** Takes a TCP entry to its next state, unless that is none. */
  step(e: number, next: number): void {
    if (next < IGNORE) this.moveTo(e, next);
    this.limits.changed(e);
  }

  /**
   * Gives `node` an entry for a connection that began before the capture. Which endpoint has it is known only
   * where there is one choice; otherwise one is drawn, and {@link guessed} says so.
   */
  adopt(f: number, node: number, nowS: number): void {
    if (!this.cluster.nodeUp[node]) return;
    if (this.real.on(node) !== null) {
      const e = adoptByRules(this, f, node, this.real.on(node)!, nowS);
      if (e < 0) return;
      this.connectedBy[f] = e;
      this.answeredBy[f] = e;
      this.connectedTo[f] = this.cluster.pods[this.entries.pod[e]!]!.instance;
      return;
    }
    if (this.plan.port[f]! < 0) return;
    const rules = this.cluster.rules[node]!;
    const direct = this.directPod(f);
    const ordinal = direct >= 0 ? 0 : this.nextOrdinal(f);
    const pod = direct >= 0 ? direct : this.modelled.choose(f, rules, ordinal, nowS);
    if (pod < 0) return;
    const snat = direct < 0 && this.modelled.isMasqueraded(f, node, pod) ? ENTRY_SNAT : 0;
    const found = this.ports.find(node, pod, f, this.clientPort[f]!, ordinal, this.key[f]!, nowS);
    // it had one, whatever is left
    const port = snat === 0 ? 0 : Math.max(found, 0);
    const e = this.add(
      f,
      node,
      pod,
      ordinal,
      TcpState.established,
      ENTRY_REPLIED | ENTRY_ASSURED | snat,
      nowS,
      port,
    );
    this.connectedBy[f] = e;
    this.answeredBy[f] = e;
    this.connectedTo[f] = this.cluster.pods[pod]!.instance;
    this.guessed[f] = direct < 0 && this.modelled.offered(f, rules).length > 1 ? 1 : 0;
  }

  /** Whether a data packet sent now would be answered; changes nothing. For flows that stay silent after a change. */
  wouldBreak(f: number, node: number, nowS: number): boolean {
    if (node < 0 || !this.cluster.nodeUp[node]) return true;
    const e = this.liveEntry(f, node, nowS);
    if (e < 0) {
      // picked up anew: survives only where the same pod is the only choice and sees the same source
      const by = this.connectedBy[f]!;
      if (by < 0 || this.plan.proto[f] !== TCP || !this.takesUp(node)) return true;
      const pod = this.entries.pod[by]!;
      const plane = this.real.on(node);
      if (plane !== null) return !(this.real.onlyPod(f, plane) === pod && this.wouldAnswer(f, pod));
      const direct = this.directPod(f);
      const again =
        direct >= 0 ? direct : this.modelled.everywhere(f, node, this.draws[this.plan.tuple[f]!]!);
      const masquerades = direct < 0 && this.modelled.isMasqueraded(f, node, pod);
      const seesTheSame = (this.entries.marks[by]! & ENTRY_SNAT) === 0 && !masquerades;
      return !(again === pod && seesTheSame && this.wouldAnswer(f, pod));
    }
    const pod = this.entries.pod[e]!;
    if (this.entries.flow[e] !== f && this.plan.proto[f] === TCP) return true;
    if (this.real.forward(e, Segment.ack) !== null || this.real.back(e, Segment.ack) !== null) return true;
    return !(this.wouldAnswer(f, pod) && this.knows(f, e, pod));
  }

  private wouldAnswer(f: number, pod: number): boolean {
    const { running, shadowed, node, instance } = this.cluster.pods[pod]!;
    return (
      running &&
      !shadowed.includes(this.plan.family[f]!) &&
      this.cluster.isUp(node) &&
      this.connectedTo[f] === instance
    );
  }

  /** Whether a node gives a data packet of a connection that it does not know to an endpoint. */
  private takesUp(node: number): boolean {
    const midFlow = this.midFlowAt(node);
    return midFlow === 'conntrack' ? this.isLoose(node) : midFlow === 'schedule';
  }

  private midFlowAt(node: number): MidFlow {
    return this.real.on(node) === null ? this.plane.midFlow : 'conntrack';
  }

  private isLoose(node: number): boolean {
    return this.real.on(node)?.tcpLoose ?? this.model.dataplane.conntrack.tcpLoose;
  }

  /** The living entry of a flow on a node; one that has expired or been flushed is removed on the way. */
  liveEntry(f: number, node: number, nowS: number): number {
    const { entries } = this;
    const direct = this.directPod(f);
    const tuple = this.plan.tuple[f]!;
    const e = direct < 0 ? entries.find(tuple, node) : entries.findTo(tuple, node, direct);
    if (e < 0) return -1;
    const flushed =
      entries.state[e] === STATELESS &&
      this.plan.proto[f] === UDP &&
      direct < 0 &&
      entries.departures[e] !== this.cluster.rules[node]!.departuresOf(entries.pod[e]!);
    if (entries.boot[e] === this.cluster.nodeBoot[node] && !flushed && nowS <= this.expiresS(e)) return e;
    this.remove(e);
    return -1;
  }

  /** When the entry ends if no packet refreshes it. */
  expiresS(e: number): number {
    return this.entries.lastS[e]! + this.timeoutS(e);
  }

  timeoutS(e: number): number {
    const { state, marks, lastS, createdS } = this.entries;
    const { timeouts } = this.model.dataplane.conntrack;
    const replied = (marks[e]! & ENTRY_REPLIED) !== 0;
    if (state[e] !== STATELESS) {
      const byState = this.timeouts[state[e]!]!;
      if (!replied && state[e] === TcpState.established) return Math.min(byState, timeouts.unacknowledged);
      return byState;
    }
    const stream = replied && lastS[e]! - createdS[e]! > UDP_STREAM_AFTER_S;
    return stream ? timeouts.udpStream : timeouts.udp;
  }

  remove(e: number): void {
    if (this.entries.state[e] === DEAD) return;
    this.limits.removed(e);
    this.entries.state[e] = DEAD;
  }

  /** A node came back: its table is empty. */
  forget(node: number): void {
    const { entries } = this;
    for (let e = 0; e < entries.count; e++) if (entries.node[e] === node) this.remove(e);
    this.limits.forget(node);
  }

  addNode(): void {
    this.limits.addNode();
    this.ports.addNode();
  }

  private connectionEnds(e: number): void {
    const { marks, node, pod } = this.entries;
    if ((marks[e]! & ENTRY_ENDED) !== 0) return;
    marks[e]! |= ENTRY_ENDED;
    this.cluster.rules[node[e]!]!.scheduler.ended(pod[e]!);
  }

  private directPod(f: number): number {
    return this.edge === null ? -1 : this.edge.directPod(f);
  }

  nextOrdinal(f: number): number {
    return this.edge?.carries(f) === true ? this.edge.nextOrdinal(f) : this.draws[this.plan.tuple[f]!]!++;
  }

  /** The packet never came to a node. */
  notForwarded(outcome: Outcome, reason: number, hop: number): void {
    this.settle(outcome, reason, hop);
    this.pod = -1;
    this.entry = -1;
  }

  private settle(outcome: Outcome, reason: number, hop: number): void {
    this.outcome = outcome;
    this.reason = reason;
    this.hop = hop;
  }

  /** ctstate INVALID: no translation. KUBE-FORWARD drops it; without that rule it loops until its TTL ends. */
  private invalid(f: number, node: number, segment: Segment | -1, reason: number): void {
    const hop = hopCode(HopKind.node, node);
    const plane = this.real.on(node);
    if (plane !== null) {
      const ruling = this.real.invalid(f, plane, segment);
      const dropped = ruling.reason === ReasonCode['invalid-dropped'];
      this.settleBy(f, node, dropped ? { ...ruling, reason } : ruling);
      return;
    }
    const viaEdge = this.edge?.carries(f) === true;
    const isOwnAddress = viaEdge ? this.directPod(f) < 0 : this.plan.door[f] === DoorKind.nodePort;
    if (isOwnAddress) {
      // a NodePort is the node's own address: its stack has no such socket
      const outcome = segment === Segment.rst ? Outcome.silent : Outcome.reset;
      this.settle(outcome, ReasonCode['invalid-refused'], hop);
    } else if (this.model.dataplane.dropInvalid) this.settle(Outcome.silent, reason, hop);
    else this.settle(Outcome.unreachable, ReasonCode['forwarding-loop'], hop);
  }

  /** First segment of a connection the node has no entry for. Returns the new entry, or -1 with the outcome set. */
  private openTcp(f: number, node: number, segment: Segment | -1, nowS: number): number {
    const midFlow = this.midFlowAt(node);
    if (segment !== Segment.syn && midFlow !== 'conntrack') {
      if (midFlow === 'schedule') return this.open(f, node, TcpState.established, segment, nowS);
      this.refuseMidFlow(node, segment);
      return -1;
    }
    const state = segment < 0 ? INVALID : nextTcpState(ORIGINAL, segment as Segment, TcpState.none);
    if (state === INVALID) {
      this.invalid(f, node, segment, ReasonCode['invalid-dropped']);
      return -1;
    }
    if (state !== TcpState.synSent && !this.isLoose(node)) {
      this.invalid(f, node, segment, ReasonCode['loose-off']);
      return -1;
    }
    const e = this.open(f, node, state, segment, nowS);
    if (e >= 0 && state !== TcpState.synSent) this.entries.marks[e]! |= ENTRY_LOOSE;
    return e;
  }

  /** A segment in the middle of a connection that the node does not know, under a plane that takes up none. */
  private refuseMidFlow(node: number, segment: Segment | -1): void {
    const hop = hopCode(HopKind.node, node);
    if (this.plane.midFlow === 'drop') this.settle(Outcome.silent, ReasonCode['mid-flow-dropped'], hop);
    else if (segment === Segment.rst) this.settle(Outcome.silent, ReasonCode['no-entry-reset'], hop);
    else this.settle(Outcome.reset, ReasonCode['no-entry-reset'], hop);
  }

  /** ctstate NEW: kube-proxy's rules choose an endpoint and translate. */
  private open(f: number, node: number, state: number, segment: Segment | -1, nowS: number): number {
    const hop = hopCode(HopKind.node, node);
    const plane = this.real.on(node);
    if (plane !== null) {
      // conntrack comes before every rule
      if (!this.limits.makeRoom(node, this.key[f]!, nowS))
        return this.refuseAt(node, Outcome.silent, ReasonCode['conntrack-full']);
      return openByRules(this, f, plane, state, segment, nowS);
    }
    if (this.plan.port[f]! < 0) {
      // no rule for this port: forwarded back to the router until the TTL ends
      this.settle(Outcome.unreachable, ReasonCode['not-a-service'], hop);
      return -1;
    }
    if (!this.limits.makeRoom(node, this.key[f]!, nowS)) {
      this.settle(Outcome.silent, ReasonCode['conntrack-full'], hop);
      return -1;
    }
    const direct = this.directPod(f);
    if (direct >= 0) {
      const denied = this.policies?.marksOf(f, node, direct, false) ?? 0;
      return denied === DROPPED_HERE
        ? this.deniedAt(direct)
        : this.add(f, node, direct, 0, state, denied, nowS, 0);
    }
    const rules = this.cluster.rules[node]!;
    if (this.plan.barred[f] === 1 && this.edge?.carries(f) !== true && !this.modelled.isEmpty(f, rules)) {
      this.settle(Outcome.silent, ReasonCode['source-range'], hop);
      return -1;
    }
    const ordinal = this.nextOrdinal(f);
    const pod = this.modelled.choose(f, rules, ordinal, nowS);
    if (pod === DROP_NO_LOCAL_ENDPOINT) {
      this.settle(Outcome.silent, ReasonCode['no-local-endpoint'], hop);
      return -1;
    }
    if (pod === REJECT_NO_ENDPOINT) {
      this.settle(Outcome.unreachable, ReasonCode['no-endpoint'], hop);
      return -1;
    }
    const snat = this.modelled.isMasqueraded(f, node, pod);
    // the pod's own node filters in FORWARD, before POSTROUTING looks for a port
    const denied = this.policies?.marksOf(f, node, pod, snat) ?? 0;
    if (denied === DROPPED_HERE) return this.deniedAt(pod);
    const port = snat ? this.ports.find(node, pod, f, this.clientPort[f]!, ordinal, this.key[f]!, nowS) : 0;
    if (port < 0) {
      this.settle(Outcome.silent, ReasonCode['snat-port-exhausted'], hop);
      return -1;
    }
    return this.add(f, node, pod, ordinal, state, (snat ? ENTRY_SNAT : 0) | denied, nowS, port);
  }

  /** A network policy of the pod turned the packet away. */
  private deniedAt(pod: number): -1 {
    this.pod = pod;
    this.settle(this.policies!.outcome, ReasonCode['policy-denied'], hopCode(HopKind.endpoint, pod));
    return -1;
  }

  /** A fresh entry; its opening is the caller's to note where real rules made it. */
  add(
    f: number,
    node: number,
    pod: number,
    ordinal: number,
    state: number,
    marks: number,
    nowS: number,
    port: number,
  ): number {
    const e = this.entries.add(
      f,
      this.plan.tuple[f]!,
      node,
      this.cluster.nodeBoot[node]!,
      pod,
      ordinal,
      nowS,
    );
    this.entries.state[e] = state;
    this.entries.marks[e] = marks;
    this.entries.departures[e] = this.cluster.rules[node]!.departuresOf(pod);
    this.entries.port[e] = port;
    if ((marks & ENTRY_SNAT) !== 0) this.ports.hold(e);
    this.limits.added(e);
    this.cluster.rules[node]!.scheduler.opened(pod);
    return e;
  }

  /** Translated and forwarded: the pod's answer, or none. */
  private toEndpoint(
    f: number,
    e: number,
    proto: number,
    segment: Segment | -1,
    payload: number,
    nowS: number,
  ): void {
    const { entries } = this;
    const pod = this.cluster.pods[entries.pod[e]!]!;
    this.pod = pod.row;
    const endpointHop = hopCode(HopKind.endpoint, pod.row);
    if (!this.cluster.isUp(pod.node)) {
      this.settle(Outcome.silent, ReasonCode['node-down'], hopCode(HopKind.node, pod.node));
      return;
    }
    if ((entries.marks[e]! & ENTRY_DENIED) !== 0) {
      this.deniedAt(pod.row);
      return;
    }
    if (!this.limits.host(e, this.key[f]!, nowS)) {
      this.settle(Outcome.silent, ReasonCode['conntrack-full'], hopCode(HopKind.node, pod.node));
      return;
    }
    if (pod.shadowed.includes(this.plan.family[f]!)) {
      this.refuseForNode(f, e, proto, segment, hopCode(HopKind.node, pod.node), nowS);
      return;
    }
    const lingers = nowS <= this.lingerS[f]! && this.knows(f, e, pod.row);
    if (!pod.running && !lingers) {
      const stale = segment === Segment.syn && entries.createdS[e] === nowS;
      const reason = stale ? ReasonCode['stale-rules'] : ReasonCode['endpoint-gone'];
      if (!pod.crashed || segment === Segment.rst) this.settle(Outcome.silent, reason, endpointHop);
      else if (proto === TCP) this.refuse(f, e, segment, reason, endpointHop, nowS);
      else this.settle(Outcome.unreachable, reason, endpointHop);
      return;
    }
    if (proto === UDP) {
      if (!this.real.isAstray(e)) entries.marks[e]! |= ENTRY_REPLIED;
      this.assureStream(e, nowS);
      this.settle(Outcome.answered, 0, endpointHop);
      return;
    }
    const opens = proto === TCP ? segment === Segment.syn : this.connectedBy[f]! < 0;
    if (opens) {
      entries.flow[e] = f;
      this.connectedBy[f] = e;
      this.connectedTo[f] = pod.instance;
      this.guessed[f] = 0;
    } else if (!this.knows(f, e, pod.row)) {
      if (segment === Segment.rst) this.settle(Outcome.silent, ReasonCode['ecmp-rehash'], endpointHop);
      else this.refuse(f, e, segment, ReasonCode['endpoint-gone'], endpointHop, nowS);
      return;
    }
    this.settle(Outcome.answered, 0, endpointHop);
    this.answeredBy[f] = e;
    if (proto === TCP) this.reply(e, segment, payload, nowS);
    else {
      this.limits.assured(e);
      entries.marks[e]! |= ENTRY_REPLIED | ENTRY_ASSURED;
    }
  }

  /** The pod's node has the address itself: its stack knows no such connection, and refuses every one. */
  private refuseForNode(
    f: number,
    e: number,
    proto: number,
    segment: Segment | -1,
    hop: number,
    nowS: number,
  ): void {
    const reason = ReasonCode['tunnel-address-collision'];
    if (proto !== TCP) this.settle(Outcome.unreachable, reason, hop);
    else if (segment === Segment.rst) this.settle(Outcome.silent, reason, hop);
    else this.refuse(f, e, segment, reason, hop, nowS);
  }

  /** Whether the pod holds the flow's connection and sees it come from the same source as at the handshake. */
  private knows(f: number, e: number, pod: number): boolean {
    const by = this.connectedBy[f]!;
    if (by < 0 || this.entries.pod[by] !== pod || this.connectedTo[f] !== this.cluster.pods[pod]!.instance)
      return false;
    if (by === e) return true;
    const { marks, node, port } = this.entries;
    if (((marks[by]! | marks[e]!) & ENTRY_SNAT) === 0) return true;
    return node[by] === node[e] && port[by] === port[e];
  }

  /**
   * Whether a pod's RST leaves as the VIP. Under direct server return the pod's node knows the VIP from the SYN alone,
   * or is the node that the packet came through.
   */
  private leavesFromVip(f: number, e: number, segment: Segment | -1): boolean {
    if (this.real.isAstray(e)) return false;
    if (this.plane.answersFromVip || segment === Segment.syn) return true;
    const pod = this.entries.pod[e]!;
    if (this.cluster.pods[pod]!.node === this.entries.node[e]) return true;
    const by = this.connectedBy[f]!;
    return by >= 0 && this.entries.pod[by] === pod;
  }

  /** The endpoint has no such connection: RST. Where that is the only reply ever, the entry goes at once. */
  private refuse(
    f: number,
    e: number,
    segment: Segment | -1,
    reason: number,
    hop: number,
    nowS: number,
  ): void {
    if (!this.leavesFromVip(f, e, segment)) {
      this.settle(Outcome.silent, ReasonCode['reset-ignored'], hop);
      return;
    }
    this.settle(Outcome.reset, reason, hop);
    const onlyReply = (this.entries.marks[e]! & ENTRY_REPLIED) === 0;
    if (onlyReply || this.entries.state[e] === STATELESS) {
      this.remove(e);
    } else {
      // before any FIN: see ENTRY_RESET
      const beforeFin = this.entries.state[e]! <= TcpState.established && this.plane.midFlow === 'conntrack';
      if (beforeFin) this.entries.marks[e]! |= ENTRY_RESET;
      this.entries.state[e] = TcpState.close;
      // the RST refreshes the entry, whatever the client's segment did
      this.entries.lastS[e] = nowS;
      this.limits.changed(e);
    }
  }

  /** What the endpoint's answer does to the entry. */
  private reply(e: number, segment: Segment | -1, payload: number, nowS: number): void {
    const answer = answerTo(TCP, segment, payload);
    if (answer < 0 || this.real.isAstray(e)) return;
    this.entries.marks[e]! |= ENTRY_REPLIED;
    if (answer === Segment.synAck && (this.entries.marks[e]! & ENTRY_RESET) !== 0) {
      // it acknowledges a SYN that was let through: in step again
      this.entries.marks[e]! &= ~ENTRY_RESET;
      this.entries.state[e] = TcpState.synSent;
      this.entries.lastS[e] = nowS;
    }
    const next = nextTcpState(REPLY, answer as Segment, this.entries.state[e] as TcpState);
    if (next < IGNORE) {
      this.moveTo(e, next);
      // after a SYN that was sent again, which refreshes nothing by itself
      this.entries.lastS[e] = nowS;
    }
    this.limits.changed(e);
  }

  /** A TCP entry's next state; one that has had answers is assured once it is established. */
  private moveTo(e: number, next: number): void {
    const { state, marks } = this.entries;
    const wasOpen = state[e] === TcpState.synRecv || state[e] === TcpState.established;
    const twoWay = wasOpen && next === TcpState.established && (marks[e]! & ENTRY_REPLIED) !== 0;
    if (twoWay) {
      this.limits.assured(e);
      marks[e]! |= ENTRY_ASSURED;
    }
    state[e] = next;
  }

  private assureStream(e: number, nowS: number): void {
    const { marks, createdS } = this.entries;
    if ((marks[e]! & (ENTRY_REPLIED | ENTRY_ASSURED)) !== ENTRY_REPLIED) return;
    if (nowS - createdS[e]! <= UDP_STREAM_AFTER_S) return;
    this.limits.assured(e);
    marks[e]! |= ENTRY_ASSURED;
    this.limits.changed(e);
  }
}
