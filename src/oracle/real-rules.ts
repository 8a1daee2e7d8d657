import { type ORIGINAL, REPLY, Segment, TcpState } from '../conntrack/tcp-states.js';
import { TUPLE_DST, TUPLE_SRC, Tuple } from '../conntrack/tuple.js';
import type { Connection, Tuple as WalkTuple } from '../netfilter/connections.js';
import type { ClusterState } from '../state/cluster-state.js';
import { Outcome, ReasonCode } from '../state/disposition.js';
import { draw, Stream } from '../state/draw.js';
import { BEFORE_CAPTURE_S, type FirstPacket, type Opening, type Ruling } from '../state/opening.js';
import type { Packet } from '../state/packet.js';
import type { RealPlane } from '../state/real-plane.js';
import { type ConntrackTable, CT_ASSURED, CT_REPLIED } from './conntrack-table.js';

const TCP = 6;

export class RealRules {
  /** by entry */
  private readonly openings: (Opening | null)[] = [];
  /** dumped entries that no packet has used yet */
  private readonly unused = new Set<number>();
  /** by tuple: where an entry of the dump leads that is no endpoint's */
  private readonly astray = new Map<string, Connection>();

  constructor(
    private readonly cluster: ClusterState,
    private readonly node: number,
    private readonly table: ConntrackTable,
  ) {}

  plane(): RealPlane | null {
    return this.cluster.realPlaneOf(this.node);
  }

  /** Makes the entries that the node had at t = 0. */
  *install(): Iterable<{ entry: number; pod: number; isMasked: boolean }> {
    const plane = this.plane();
    if (plane === null || !plane.dumped.hasConnections) return;
    for (const connection of plane.dumped.connections.entries()) {
      const opening = plane.known(connection);
      const original = tupleOf(connection.original);
      if (opening === null) {
        this.astray.set(nameOf(original), connection);
        continue;
      }
      const { tcp, seenReply, assured, expiresS } = connection;
      const state = connection.original.proto === TCP ? tcp : 0;
      const entry = this.table.insert(original, tupleOf(connection.reply), state, BEFORE_CAPTURE_S);
      this.table.mark(entry, (seenReply ? CT_REPLIED : 0) | (assured ? CT_ASSURED : 0));
      this.table.refresh(entry, 0);
      const whole = this.table.expiresS(entry);
      this.table.refresh(entry, (expiresS ?? whole) - whole);
      this.openings[entry] = opening;
      this.unused.add(entry);
      yield { entry, pod: opening.pod, isMasked: opening.source !== null };
    }
  }

  /** The first packet that meets a dumped entry: nobody said what its window is. */
  firstUse(entry: number, packet: Packet): void {
    if (this.unused.delete(entry)) this.table.setEnd(entry, packet.view.getUint32(packet.l4 + 4));
  }

  open(tuple: Tuple, segment: Segment | -1, key: number, ordinal: number, nowS: number): Opening {
    const plane = this.plane()!;
    const stale = this.astray.get(nameOf(tuple));
    if (stale !== undefined && !(segment === Segment.syn && stale.tcp >= TcpState.timeWait)) {
      return plane.leadsNowhere(stale);
    }
    const { seed } = this.cluster.model;
    return plane.open(
      packetOf(tuple, segment),
      draw(seed, this.node, Stream.endpoint, key, ordinal) / 0x1_0000_0000,
      nowS,
    );
  }

  opened(entry: number, opening: Opening | null): void {
    this.openings[entry] = opening;
    this.unused.delete(entry);
  }

  /** Null: the node has no real rules. */
  invalid(tuple: Tuple, segment: Segment | -1): Ruling | null {
    return this.plane()?.invalid(packetOf(tuple, segment)) ?? null;
  }

  choices(tuple: Tuple): number | null {
    const plane = this.plane();
    if (plane === null) return null;
    const choices = plane.choices(packetOf(tuple, Segment.ack));
    return choices === null ? 2 : new Set(choices.map(({ pod }) => pod)).size;
  }

  /** What the rules do with a later packet of the entry; null: they let it through. */
  later(entry: number, direction: typeof ORIGINAL | typeof REPLY, segment: Segment | -1): Ruling | null {
    const opening = this.openings[entry] ?? null;
    const plane = this.plane();
    if (opening === null || plane === null) return null;
    const ruling = plane.later(
      opening,
      direction,
      segment,
      direction === REPLY || this.table.hasReplied(entry),
    );
    return ruling.outcome === Outcome.answered ? null : ruling;
  }

  isAstray(entry: number): boolean {
    return this.later(entry, REPLY, Segment.ack)?.reason === ReasonCode['answer-astray'];
  }
}

function packetOf(tuple: Tuple, segment: Segment | -1): FirstPacket {
  return {
    proto: tuple.proto,
    src: tuple.address(TUPLE_SRC),
    srcPort: tuple.srcPort,
    dst: tuple.address(TUPLE_DST),
    dstPort: tuple.dstPort,
    segment,
  };
}

function tupleOf({ proto, src, srcPort, dst, dstPort }: WalkTuple): Tuple {
  const tuple = new Tuple();
  for (const [at, { w0, w1, w2, w3 }] of [
    [TUPLE_SRC, src],
    [TUPLE_DST, dst],
  ] as const) {
    tuple.words.set([w0, w1, w2, w3], at);
  }
  tuple.setKind(src.family, proto);
  tuple.setPorts(srcPort, dstPort);
  return tuple;
}

function nameOf({ words }: Tuple): string {
  return words.join(' ');
}
