/**
 * Nodes whose real rules were dumped, for the columnar engine: what their rules say of a flow's packets, by entry, and the
 * entries that the dumped tables held at t = 0 (real-plane.ts does the walking).
 */
import type { Address } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import { ORIGINAL, REPLY, Segment, TcpState } from '../conntrack/tcp-states.js';
import type { Connection, Tuple } from '../netfilter/connections.js';
import type { FlowPlan } from '../outcome/flow-plan.js';
import type { ClusterState } from '../state/cluster-state.js';
import { Outcome, ReasonCode } from '../state/disposition.js';
import { draw, Stream } from '../state/draw.js';
import { type FirstPacket, type Opening, type Ruling, UNDECIDED } from '../state/opening.js';
import type { RealPlane } from '../state/real-plane.js';
import { ENTRY_REPLIED, type EntryPool } from './entry-pool.js';

/** A dumped entry of a five-tuple, on a node. */
export interface DumpedEntry {
  readonly f: number;
  readonly node: number;
  readonly connection: Connection;
  /** null: it leads to no endpoint of the scenario */
  readonly opening: Opening | null;
}

export class RealWalk {
  /** 1: a packet of the flow met rules of which nobody can say what they do with it */
  readonly undecided: Uint8Array;
  /** 1: it began before the capture, and a dumped table knew it */
  readonly wasKnown: Uint8Array;
  /** by flow: the rule that its last unanswered packet met, in words */
  readonly said = new Map<number, string>();
  /** by entry */
  private readonly openings: (Opening | undefined)[] = [];
  /** by five-tuple and node: where an entry of the dump leads that is no endpoint's */
  private readonly astray = new Map<string, Connection>();
  /** by flow: probability of what was drawn for it, and which way each draw went */
  readonly likelihood: Float64Array;
  readonly ways: (string | undefined)[] = [];

  constructor(
    private readonly model: ClusterModel,
    private readonly cluster: ClusterState,
    private readonly plan: FlowPlan,
    private readonly entries: EntryPool,
  ) {
    this.undecided = new Uint8Array(plan.count);
    this.wasKnown = new Uint8Array(plan.count);
    this.likelihood = new Float64Array(plan.count).fill(1);
  }

  on(node: number): RealPlane | null {
    return this.cluster.realPlaneOf(node);
  }

  openingOf(e: number): Opening | undefined {
    return this.openings[e];
  }

  opened(e: number, opening: Opening): void {
    this.openings[e] = opening;
  }

  /** The rules' answer to the first packet of a connection. */
  open(f: number, plane: RealPlane, segment: Segment | -1, ordinal: number, nowS: number): Opening {
    const packet = this.packetOf(f, segment);
    const stale = this.astray.get(`${this.plan.tuple[f]} ${plane.row}`);
    if (stale !== undefined && !(segment === Segment.syn && stale.tcp >= TcpState.timeWait)) {
      return plane.leadsNowhere(stale);
    }
    const chance =
      draw(this.model.seed, plane.row, Stream.endpoint, this.plan.key[f]!, ordinal) / 0x1_0000_0000;
    const opening = plane.open(packet, chance, nowS);
    if (opening.probability < 1) {
      this.likelihood[f]! *= opening.probability;
      this.ways[f] = `${this.ways[f] ?? ''} ${plane.row}.${opening.way}`;
    }
    return opening;
  }

  invalid(f: number, plane: RealPlane, segment: Segment | -1): Ruling {
    return plane.invalid(this.packetOf(f, segment));
  }

  /** What the rules do with a later packet of the client's; null: they let it through. */
  forward(e: number, segment: Segment | -1): Ruling | null {
    return this.later(e, ORIGINAL, segment);
  }

  /** The same with an answer. */
  back(e: number, segment: Segment | -1): Ruling | null {
    return this.later(e, REPLY, segment);
  }

  /** Whether the rules of the entry's node are in the way of nothing that the client sends, nor of answers to it. */
  letsThrough(e: number, segment: Segment): boolean {
    if (this.openings[e] === undefined) return true;
    return this.forward(e, segment) === null && this.back(e, segment) === null;
  }

  /** Whether answers do not come through the node of the entry at all. */
  isAstray(e: number): boolean {
    return (
      this.openings[e] !== undefined && this.back(e, Segment.ack)?.reason === ReasonCode['answer-astray']
    );
  }

  /** The one pod that the flow's packets come to, unmasqueraded, if the node takes the flow up anew; -1 elsewhere. */
  onlyPod(f: number, plane: RealPlane): number {
    const choices = plane.choices(this.packetOf(f, Segment.ack));
    const first = choices?.[0];
    if (choices === null || first === undefined) return -1;
    return choices.every(({ pod, source }) => pod === first.pod && source === null) ? first.pod : -1;
  }

  /** How many pods a connection that nobody saw begin could have. */
  choices(f: number, plane: RealPlane): number {
    const choices = plane.choices(this.packetOf(f, Segment.ack));
    return choices === null ? 2 : new Set(choices.map(({ pod }) => pod)).size;
  }

  /** Notes the ruling for the flow's verdict. Returns the outcome that the packet has. */
  note(f: number, { outcome, said }: Ruling): Outcome {
    this.said.set(f, said);
    if (outcome !== UNDECIDED) return outcome;
    this.undecided[f] = 1;
    return Outcome.silent;
  }

  /** The entries of the dumped tables that belong to five-tuples of the capture. */
  *dumpedEntries(): Iterable<DumpedEntry> {
    for (const node of this.cluster.nodesWithRealRules()) {
      const plane = this.on(node)!;
      if (!plane.dumped.hasConnections) continue;
      for (let f = 0; f < this.plan.count; f++) {
        if (this.plan.connection[f] !== 0) continue;
        const found = plane.dumped.connections.find(this.tupleOf(f), 0);
        if (found === null || found.reply) continue;
        const opening = plane.known(found.connection);
        if (opening === null) this.astray.set(`${this.plan.tuple[f]} ${node}`, found.connection);
        yield { f, node, connection: found.connection, opening };
      }
    }
  }

  private later(e: number, direction: typeof ORIGINAL | typeof REPLY, segment: Segment | -1): Ruling | null {
    const opening = this.openings[e];
    const plane = opening && this.on(this.entries.node[e]!);
    if (opening === undefined || plane === null || plane === undefined) return null;
    const replied = direction === REPLY || (this.entries.marks[e]! & ENTRY_REPLIED) !== 0;
    const ruling = plane.later(opening, direction, segment, replied);
    return ruling.outcome === Outcome.answered ? null : ruling;
  }

  private packetOf(f: number, segment: Segment | -1): FirstPacket {
    return { ...this.tupleOf(f), segment };
  }

  private tupleOf(f: number): Tuple {
    const { plan } = this;
    return {
      proto: plan.proto[f]!,
      src: plan.clientAddress(f),
      srcPort: plan.clientPort[f]!,
      dst: this.destination(f),
      dstPort: plan.serverPort(f),
    };
  }

  private destination(f: number): Address {
    return this.plan.vips[this.plan.vip[f]!]!.address;
  }
}
