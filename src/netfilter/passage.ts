/**
 * What a node does with one packet, for whoever replays many: every outcome with its probability, and what the packet
 * leaves behind. Nothing is kept in the node; who replays says which connection the packet belongs to.
 */
import type { Connection } from './connections.js';
import type { Node } from './node.js';
import { distribution } from './outcomes.js';
import type { PacketFields } from './packet.js';
import type { By, FinalVerdict, RecentNote } from './rule-set.js';
import { PacketWalk } from './walk.js';

/** Where the packet stands: it begins something, belongs to a connection, or is INVALID whatever the table says. */
export type Standing =
  | { readonly kind: 'first' }
  | { readonly kind: 'of'; readonly connection: Connection }
  | { readonly kind: 'invalid' };

export interface Passage {
  readonly probability: number;
  readonly verdict: FinalVerdict;
  readonly with: string | null;
  readonly by: By | null;
  readonly why: string | null;
  readonly oif: string | null;
  /** as it leaves, or as the node's own process sees it */
  readonly src: PacketFields['src'];
  readonly srcPort: number;
  readonly dst: PacketFields['dst'];
  readonly dstPort: number;
  /** the kernel draws the source port */
  readonly portDrawn: boolean;
  /** as the packet leaves it; null where it is not tracked */
  readonly connection: Connection | null;
  readonly recent: readonly RecentNote[];
}

export interface Passages {
  readonly all: readonly Passage[];
  /** probability of what cannot be said, and why */
  readonly unknown: number;
  readonly why: string;
  readonly assumed: ReadonlySet<string>;
  /** the packets before it decide with it: not the same for the next packet like it */
  readonly remembers: boolean;
}

/**
 * Every way that the packet's walk can fall. The node's own connection table is not used.
 *
 * @param node one of {@link Node.withOwnTables}
 */
export function passagesOf(node: Node, fields: PacketFields, standing: Standing): Passages {
  const assumed = new Set<string>();
  let remembers = false;
  if (standing.kind === 'of') node.connections.add(standing.connection);
  const { shares, unknown, why, truncated } = distribution<Passage>((decisions) => {
    const walk = new PacketWalk(node, fields, decisions, false);
    walk.isInvalid = standing.kind === 'invalid';
    const final = walk.run();
    for (const each of walk.assumed) assumed.add(each);
    if (walk.recent.size > 0) remembers = true;
    const { packet, portDrawn, oif, connection } = walk;
    const result: Passage = {
      probability: 1,
      verdict: final.verdict,
      with: final.with ?? null,
      by: final.by,
      why: final.why ?? null,
      oif: final.verdict === 'forwarded' ? oif : null,
      src: packet.src,
      srcPort: packet.srcPort,
      dst: packet.dst,
      dstPort: packet.dstPort,
      portDrawn: portDrawn || connection?.portDrawn === true,
      connection,
      recent: [...walk.recent.values()],
    };
    return { key: keyOf(result), result };
  });
  if (standing.kind === 'of') node.connections.remove(standing.connection);
  let left = unknown;
  const reasons = new Set(why);
  if (truncated) reasons.add('draws can fall in more ways than were followed');
  const all: Passage[] = [];
  for (const { probability, result } of shares) {
    if (result.verdict !== 'unknown') all.push({ ...result, probability });
    else {
      left += probability;
      reasons.add(result.why ?? 'the walk ends without an answer');
    }
  }
  return { all, unknown: left, why: [...reasons].join('; '), assumed, remembers };
}

/** What tells two outcomes apart for the packets that follow. */
function keyOf(result: Passage): string {
  const { verdict, with: sent, oif, src, srcPort, dst, dstPort, portDrawn, connection, why, by } = result;
  const end = `${src.w0} ${src.w1} ${src.w2} ${src.w3} ${portDrawn ? '-' : srcPort} ${dst.w0} ${dst.w1} ${dst.w2} ${dst.w3} ${dstPort}`;
  const rule =
    verdict === 'dropped' || verdict === 'rejected'
      ? `${by?.chain ?? ''} ${by?.rule ?? ''} ${why ?? ''}`
      : '';
  return `${verdict} ${sent ?? ''} ${oif ?? ''} ${end} ${connection?.mark ?? 0} ${rule} ${verdict === 'unknown' ? why : ''}`;
}

/** The rule, or what else decided, to be read after "n1: ". */
export function decidedBy({ by, why }: Pick<Passage, 'by' | 'why'>): string {
  if (by === null) return why ?? 'the routing decision';
  const rule = by.rule === 'policy' ? 'the policy' : `"${by.rule}"`;
  return `${by.table} ${by.chain}: ${rule}${why === null ? '' : ` (${why})`}`;
}
