/**
 * A node's real rules in the place of the modelled data plane: what they make of the first packet of a connection, of an
 * INVALID one, and of later ones in both directions. The packet walks through the dumped tables (netfilter/), and what
 * comes out is put into the words of a replay: an endpoint, or why there is none.
 *
 * Rules are those of the dump until other ones take their place: nothing that happens to endpoints changes them.
 */
import { type Address, formatAddress, sameAddress } from '../addr/address.js';
import type { ClusterModel, StateText } from '../cluster/model.js';
import { INVALID, nextTcpState, ORIGINAL, REPLY, Segment, TcpState } from '../conntrack/tcp-states.js';
import { type Connection, newConnection } from '../netfilter/connections.js';
import type { Node } from '../netfilter/node.js';
import type { PacketFields } from '../netfilter/packet.js';
import { decidedBy, type Passage, type Passages, passagesOf, type Standing } from '../netfilter/passage.js';
import { RecentLists } from '../netfilter/recent-lists.js';
import { arrivalInterface } from '../netfilter/trace.js';
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.js';
import { Outcome, ReasonCode } from './disposition.js';
import { dumpedNode } from './node-dumps.js';
import {
  type FirstPacket,
  laterRow,
  noRulings,
  type Opening,
  PASSES,
  type Ruling,
  UNDECIDED,
} from './opening.js';
import type { Pod } from './pod.js';

const TCP = 6;

/** flags octet by Segment */
const FLAGS = [TCP_SYN, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_ACK, TCP_RST, 0];

/** What a plane asks of the cluster around it. */
export interface Surroundings {
  readonly model: ClusterModel;
  readonly pods: readonly Pod[];
  readonly members: readonly (readonly number[])[];
  targetPort(service: number, port: number, pod: number): number;
  /** counts changes of real rules, on any node */
  readonly rulesGeneration: number;
  /** the real plane of another node, or null */
  realPlaneOf(node: number): RealPlane | null;
}

export class RealPlane {
  /** what the walks took for granted, in words */
  readonly assumed = new Set<string>();
  readonly dumped: Node;
  private readonly node: Node;
  /** the same without memory of clients */
  private readonly forgetful: Node;
  private readonly recent = new RecentLists();
  private readonly name: string;
  /** pods by protocol, address and port where they listen */
  private listeners = new Map<string, number>();
  private podsKnown = -1;

  constructor(
    readonly row: number,
    files: readonly StateText[],
    private readonly cluster: Surroundings,
  ) {
    const { node, assumed } = dumpedNode(cluster.model, row, files);
    this.dumped = node;
    this.node = node.withOwnTables(this.recent);
    this.forgetful = node.withOwnTables(new RecentLists());
    this.name = node.name;
    for (const each of assumed) this.assumed.add(each);
  }

  get tcpLoose(): boolean {
    const own = this.dumped.sysctl('net.netfilter.nf_conntrack_tcp_loose');
    return own === null ? this.cluster.model.dataplane.conntrack.tcpLoose : own !== 0;
  }

  /**
   * The rules' answer to the first packet of a connection.
   *
   * @param chance uniform in [0, 1): what the kernel's draws come to
   */
  open(packet: FirstPacket, chance: number, nowS: number): Opening {
    this.recent.nowS = nowS;
    const iif = this.arrival(packet);
    const passages = this.walk({ ...fieldsOf(packet), iif }, { kind: 'first' });
    const ways = passages.all
      .map((passage) => ({ passage, opening: this.openingOf(packet, passage, iif) }))
      .sort((a, b) => a.opening.pod - b.opening.pod || b.passage.probability - a.passage.probability);
    let sum = 0;
    for (const [way, { passage, opening }] of ways.entries()) {
      sum += passage.probability;
      if (chance >= sum && (way < ways.length - 1 || passages.unknown > 1e-9)) continue;
      for (const { list, address, noted, removed } of passage.recent) {
        if (removed) this.recent.remove(list, address);
        if (noted) this.recent.note(list, address);
      }
      return { ...opening, probability: passage.probability, way };
    }
    return { ...this.nobodyKnows(passages.why), iif, probability: passages.unknown, way: -1 };
  }

  /** Every endpoint that the first packet of a client whom nobody remembers could come to; null where it could come to anything else. */
  choices(packet: FirstPacket): Opening[] | null {
    const iif = this.arrival(packet);
    const { all, unknown } = passagesOf(this.forgetful, { ...fieldsOf(packet), iif }, { kind: 'first' });
    const openings = all.map((passage) => this.openingOf(packet, passage, iif));
    return unknown > 0 || openings.some(({ pod }) => pod < 0) ? null : openings;
  }

  /** What becomes of a packet that conntrack calls INVALID: it is not translated. */
  invalid(packet: FirstPacket): Ruling {
    const iif = this.arrival(packet);
    const { all, unknown, why } = this.walk({ ...fieldsOf(packet), iif }, { kind: 'invalid' });
    if (unknown > 0 || all.length !== 1) return this.nobodyKnows(why);
    const passage = all[0]!;
    const { outcome, reason, said } = this.stopped(packet, passage) ?? this.loops(packet, passage, iif);
    if (reason === ReasonCode['stack-refused']) {
      return { outcome, reason: ReasonCode['invalid-refused'], said };
    }
    if (reason === ReasonCode['not-a-service'])
      return { outcome, reason: ReasonCode['forwarding-loop'], said };
    return { outcome, reason, said };
  }

  /** A packet of a connection that the node knows; `segment` is that of TCP. */
  later(
    opening: Opening,
    direction: typeof ORIGINAL | typeof REPLY,
    segment: Segment | -1,
    replied: boolean,
  ): Ruling {
    const { later } = opening;
    if (later.generation !== this.cluster.rulesGeneration) {
      later.generation = this.cluster.rulesGeneration;
      later.rows = [];
    }
    const row = laterRow(direction, segment, replied);
    const known = later.rows[row];
    if (known !== undefined) return known;
    const ruling = this.laterRuling(opening, direction, segment, replied);
    later.rows[row] = ruling;
    return ruling;
  }

  /** An entry of the dumped table as an opening; null where it leads to no endpoint of the cluster. */
  known(connection: Connection): Opening | null {
    const { original, reply } = connection;
    const pod = this.podAt(reply.proto, reply.src, reply.srcPort);
    if (pod < 0) return null;
    const same = sameAddress(reply.dst, original.src);
    const packet: FirstPacket = { ...original, segment: Segment.ack };
    const towards = { ...fieldsOf(packet), iif: null, src: reply.src, srcPort: reply.srcPort };
    return {
      ...PASSES,
      pod,
      source: same ? null : reply.dst,
      sourcePort: reply.dstPort,
      probability: 1,
      way: 0,
      connection,
      iif: this.arrival(packet),
      oif: arrivalInterface(this.node, towards),
      later: noRulings(),
    };
  }

  /** What becomes of a packet whose entry in the dumped table leads to no endpoint of the scenario. */
  leadsNowhere({ reply }: Connection): Opening {
    return this.nobodyKnows(
      `its conntrack entry leads to ${endText(reply.src, reply.srcPort)}, which no endpoint of the scenario is`,
    );
  }

  private arrival(packet: FirstPacket): string | null {
    return arrivalInterface(this.node, { ...fieldsOf(packet), iif: null });
  }

  private walk(fields: PacketFields, standing: Standing): Passages {
    const passages = passagesOf(this.node, fields, standing);
    for (const each of passages.assumed) this.assumed.add(each);
    return passages;
  }

  private openingOf(packet: FirstPacket, passage: Passage, iif: string | null): Opening {
    const nowhere = {
      pod: -1,
      source: null,
      sourcePort: null,
      probability: passage.probability,
      way: 0,
      connection: passage.connection,
      iif,
      oif: passage.oif,
      later: noRulings(),
    };
    const pod =
      passage.verdict === 'forwarded' || passage.verdict === 'local'
        ? this.podAt(packet.proto, passage.dst, passage.dstPort)
        : -1;
    if (pod < 0) {
      const stopped = this.stopped(packet, passage) ?? this.loops(packet, passage, iif);
      return { ...nowhere, ...stopped };
    }
    const same = sameAddress(passage.src, packet.src);
    const opening: Opening = {
      ...nowhere,
      ...PASSES,
      pod,
      source: same ? null : passage.src,
      sourcePort: passage.portDrawn ? null : passage.srcPort,
    };
    const beyond =
      passage.connection && this.remotePlane(pod)?.passesOn(opening, ORIGINAL, packet.segment, false);
    return beyond == null || beyond.outcome === Outcome.answered
      ? opening
      : { ...opening, ...beyond, pod: -1 };
  }

  /** What a rule that drops or rejects comes to. */
  private turnedAway(passage: Passage): Ruling {
    const said = `${this.name}, ${decidedBy(passage)}`;
    if (passage.verdict === 'dropped') {
      return { outcome: Outcome.silent, reason: reasonOf(passage, 'rule-dropped'), said };
    }
    const outcome = passage.with === 'tcp-reset' ? Outcome.reset : Outcome.unreachable;
    return { outcome, reason: reasonOf(passage, 'rule-rejected'), said };
  }

  /** Why a packet did not go on; null where it did. */
  private stopped(packet: FirstPacket, passage: Passage): Ruling | null {
    switch (passage.verdict) {
      case 'dropped':
      case 'rejected':
        return this.turnedAway(passage);
      case 'local': {
        const isReset = packet.proto === TCP && packet.segment === Segment.rst;
        return {
          outcome: isReset ? Outcome.silent : packet.proto === TCP ? Outcome.reset : Outcome.unreachable,
          reason: ReasonCode['stack-refused'],
          said: `${this.name}, no rule translated it, and ${endText(passage.dst, passage.dstPort)} is the node's own`,
        };
      }
      case 'unknown':
        return this.nobodyKnows(passage.why ?? '');
      case 'forwarded':
        return null;
    }
  }

  /** A packet that was forwarded, and not to an endpoint. */
  private loops(packet: FirstPacket, passage: Passage, iif: string | null): Ruling {
    const untouched = sameAddress(passage.dst, packet.dst) && passage.dstPort === packet.dstPort;
    if (untouched && (passage.oif === iif || iif === null)) {
      const said = `${this.name}, no rule translated it, and its route leads back by ${passage.oif}`;
      return { outcome: Outcome.unreachable, reason: ReasonCode['not-a-service'], said };
    }
    return this.nobodyKnows(
      `it leaves by ${passage.oif} to ${endText(passage.dst, passage.dstPort)}, which no endpoint of the scenario is`,
    );
  }

  private nobodyKnows(why: string): Opening {
    return {
      outcome: UNDECIDED,
      reason: 0,
      said: `${this.name}, ${why}`,
      pod: -1,
      source: null,
      sourcePort: null,
      probability: 1,
      way: 0,
      connection: null,
      iif: null,
      oif: null,
      later: noRulings(),
    };
  }

  private laterRuling(
    opening: Opening,
    direction: typeof ORIGINAL | typeof REPLY,
    segment: Segment | -1,
    replied: boolean,
  ): Ruling {
    const { connection } = opening;
    // NOTRACK: nothing is translated back
    if (connection === null) return this.nobodyKnows('the connection is not tracked (NOTRACK)');
    const pod = this.cluster.pods[opening.pod]!;
    const isRemote = pod.node !== this.row;
    if (direction === REPLY && isRemote && opening.source === null) {
      if (pod.node < 0) {
        return this.nobodyKnows(
          `it keeps its source, and which way ${pod.name}, outside the cluster, answers is not known`,
        );
      }
      const said = `${this.name}, no rule masqueraded it, and the answer of ${pod.name} does not come back through here`;
      return { outcome: Outcome.silent, reason: ReasonCode['answer-astray'], said };
    }
    const original = { ...connection.original };
    const reply = { ...connection.reply };
    // a drawn port has no number here: the client's stands for it
    if (opening.sourcePort === null) reply.dstPort = original.srcPort;
    const there = confirmed({ ...connection, original, reply }, segment, direction, replied);
    const tuple = direction === ORIGINAL ? original : reply;
    const iif = direction === ORIGINAL ? opening.iif : opening.oif;
    const passages = this.walk(
      { ...tuple, iif: iif ?? this.arrivalOf(tuple), flags: flagsOf(tuple.proto, segment) },
      { kind: 'of', connection: there },
    );
    const own = this.rulingOn(passages, direction === ORIGINAL ? reply.src : original.src);
    if (own.outcome !== Outcome.answered) return own;
    return this.remotePlane(opening.pod)?.passesOn(opening, direction, segment, true) ?? own;
  }

  /**
   * What this node, the endpoint's, does with a packet that another one has translated.
   *
   * @param known the packet is not the connection's first
   */
  private passesOn(
    { connection, source, sourcePort }: Opening,
    direction: typeof ORIGINAL | typeof REPLY,
    segment: Segment | -1,
    known: boolean,
  ): Ruling {
    const { original, reply } = connection!;
    const inner = {
      proto: original.proto,
      src: source ?? original.src,
      srcPort: sourcePort ?? original.srcPort,
      dst: reply.src,
      dstPort: reply.srcPort,
    };
    const tuple = direction === ORIGINAL ? inner : invert(inner);
    const standing: Standing = known
      ? { kind: 'of', connection: confirmed(newConnection(inner, 0, null), segment, direction, true) }
      : { kind: 'first' };
    const fields = { ...tuple, iif: this.arrivalOf(tuple), flags: flagsOf(tuple.proto, segment) };
    return this.rulingOn(this.walk(fields, standing), tuple.dst);
  }

  private arrivalOf(
    packet: Pick<PacketFields, 'proto' | 'src' | 'srcPort' | 'dst' | 'dstPort'>,
  ): string | null {
    return arrivalInterface(this.node, { ...packet, iif: null });
  }

  private rulingOn({ all, unknown, why }: Passages, to: Address): Ruling {
    if (unknown > 0) return this.nobodyKnows(why);
    if (all.length !== 1)
      return this.nobodyKnows(`a draw decides each packet (${all.map(decidedBy).join(', or ')})`);
    const passage = all[0]!;
    switch (passage.verdict) {
      case 'forwarded':
      case 'local':
        if (sameAddress(passage.dst, to)) return PASSES;
        return this.nobodyKnows(`it is sent to ${endText(passage.dst, passage.dstPort)}`);
      case 'dropped':
      case 'rejected':
        return this.turnedAway(passage);
      case 'unknown':
        return this.nobodyKnows(passage.why ?? '');
    }
  }

  /** The real rules of the endpoint's node, where that is another one. */
  private remotePlane(pod: number): RealPlane | null {
    const { node } = this.cluster.pods[pod]!;
    return node < 0 || node === this.row ? null : this.cluster.realPlaneOf(node);
  }

  private podAt(proto: number, address: Address, port: number): number {
    const { pods, members, model } = this.cluster;
    if (this.podsKnown !== pods.length) {
      this.podsKnown = pods.length;
      this.listeners = new Map();
      for (const [service, rows] of members.entries()) {
        for (const row of rows) {
          for (const [at, { proto: own }] of model.services[service]!.ports.entries()) {
            const number = this.cluster.targetPort(service, at, row);
            for (const each of pods[row]!.addresses) {
              const key = `${own} ${endText(each, number)}`;
              if (!this.listeners.has(key)) this.listeners.set(key, row);
            }
          }
        }
      }
    }
    return this.listeners.get(`${proto} ${endText(address, port)}`) ?? -1;
  }
}

/** The entry as a later packet finds it. */
function confirmed(
  connection: Connection,
  segment: Segment | -1,
  direction: typeof ORIGINAL | typeof REPLY,
  replied: boolean,
): Connection {
  return {
    ...connection,
    confirmed: true,
    srcDone: true,
    dstDone: true,
    portDrawn: false,
    seenReply: replied,
    tcp: connection.original.proto === TCP ? stateBefore(segment, direction) : TcpState.none,
  };
}

function flagsOf(proto: number, segment: Segment | -1): number {
  return proto === TCP && segment >= 0 ? FLAGS[segment]! : 0;
}

const STATES = [
  TcpState.established,
  TcpState.synSent,
  TcpState.synRecv,
  TcpState.finWait,
  TcpState.lastAck,
  TcpState.timeWait,
];

/** A state of the entry in which conntrack lets such a segment through: that it does is known. */
function stateBefore(segment: Segment | -1, direction: typeof ORIGINAL | typeof REPLY): TcpState {
  const opens = segment === Segment.syn || (segment === Segment.synAck && direction === REPLY);
  if (opens) return TcpState.synSent;
  const fits = (state: TcpState): boolean => {
    const next = segment < 0 ? INVALID : nextTcpState(direction, segment as Segment, state);
    return next !== INVALID && next !== TcpState.synSent;
  };
  return STATES.find(fits) ?? TcpState.established;
}

/** Rules that kube-proxy writes say in their comment what they are for. */
function reasonOf({ by }: Passage, otherwise: 'rule-dropped' | 'rule-rejected'): number {
  const rule = by?.rule ?? '';
  if (/has no local endpoints/.test(rule)) return ReasonCode['no-local-endpoint'];
  if (/has no endpoints/.test(rule)) return ReasonCode['no-endpoint'];
  if (/ctstate INVALID|ct state invalid/.test(rule)) return ReasonCode['invalid-dropped'];
  return ReasonCode[otherwise];
}

function fieldsOf({ proto, src, srcPort, dst, dstPort, segment }: FirstPacket): PacketFields {
  return { iif: null, proto, src, srcPort, dst, dstPort, flags: flagsOf(proto, segment) };
}

function invert<T extends Pick<PacketFields, 'src' | 'srcPort' | 'dst' | 'dstPort'>>(t: T): T {
  return { ...t, src: t.dst, srcPort: t.dstPort, dst: t.src, dstPort: t.srcPort };
}

function endText(address: Address, port: number): string {
  const text = formatAddress(address);
  return address.family === 6 ? `[${text}]:${port}` : `${text}:${port}`;
}
