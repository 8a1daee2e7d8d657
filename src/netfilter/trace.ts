/** `trace`: what becomes of one packet on one node, and the walk that says why. */
import { formatAddress } from '../addr/address.js';
import type { Decisions } from './decisions.js';
import type { Node } from './node.js';
import { distribution, type Leaf } from './outcomes.js';
import type { PacketFields } from './packet.js';
import type { By, Final, FinalVerdict, TraceStep } from './rule-set.js';
import { PacketWalk } from './walk.js';

interface TraceTuple {
  readonly proto: number;
  readonly src: string;
  /** null where the kernel draws it */
  readonly srcPort: number | null;
  readonly dst: string;
  readonly dstPort: number;
}

export interface Outcome {
  readonly probability: number;
  readonly verdict: FinalVerdict;
  readonly with?: string;
  readonly by: By | null;
  readonly out: (TraceTuple & { readonly oif: string | null }) | null;
  readonly why?: string;
}

export interface Trace {
  readonly outcomes: readonly Outcome[];
  /** of the likeliest outcome */
  readonly steps: readonly TraceStep[];
  /** what nobody gave and the walk took for granted */
  readonly assumed: readonly string[];
  /** why something is unknown */
  readonly why: readonly string[];
}

interface Reached {
  readonly walk: PacketWalk;
  readonly final: Final;
}

/** The packet's interface where nobody gave it: the one that the way back to its source leaves by; null for the node's own. */
export function arrivalInterface(node: Node, fields: PacketFields): string | null {
  if (node.routes.isLocalAddress(fields.src)) return null;
  const answer = node.routes.lookup({
    src: fields.dst,
    dst: fields.src,
    iif: 'lo',
    mark: 0,
    tos: 0,
    proto: fields.proto,
    srcPort: fields.dstPort,
    dstPort: fields.srcPort,
  });
  return 'unread' in answer ? 'eth0' : (answer.route?.hops[0]?.dev ?? 'eth0');
}

/**
 * @param commit the packet really passes: its connection is there for those that follow
 */
export function tracePacket(node: Node, fields: PacketFields, commit: boolean): Trace {
  const assumed = new Set<string>();
  const run = (decisions: Decisions, recording: boolean): Reached => {
    const walk = new PacketWalk(node, fields, decisions, recording);
    const final = walk.run();
    for (const each of walk.assumed) assumed.add(each);
    return { walk, final };
  };
  const all = distribution<Reached>((decisions): Leaf<Reached> => {
    const reached = run(decisions, true);
    return { key: keyOf(reached), result: reached };
  });
  const outcomes: Outcome[] = all.shares.map(({ probability, result }) => outcomeOf(probability, result));
  const why = new Set(all.why);
  for (const { verdict, why: own } of outcomes) if (verdict === 'unknown' && own !== undefined) why.add(own);
  if (all.unknown > 0) {
    const reason = all.truncated ? 'draws can fall in more ways than were followed' : [...all.why].join('; ');
    const merged = outcomes.find(({ verdict }) => verdict === 'unknown');
    if (merged !== undefined) outcomes.splice(outcomes.indexOf(merged), 1);
    outcomes.push({
      probability: rounded(all.unknown + (merged?.probability ?? 0)),
      verdict: 'unknown',
      by: null,
      out: null,
      why: [reason, merged?.why].filter((text) => text !== undefined && text !== '').join('; '),
    });
    outcomes.sort((a, b) => b.probability - a.probability);
  }
  const likeliest = all.shares[0]?.result;
  if (commit && all.shares.length === 1 && all.unknown === 0 && likeliest !== undefined)
    keep(node, likeliest);
  return { outcomes, steps: likeliest?.walk.steps ?? [], assumed: [...assumed], why: [...why] };
}

function keyOf({ walk, final }: Reached): string {
  const out = outOf(walk, final);
  return JSON.stringify([
    final.verdict,
    final.with ?? null,
    out,
    final.verdict === 'unknown' ? final.why : null,
  ]);
}

function outcomeOf(probability: number, { walk, final }: Reached): Outcome {
  return {
    probability: rounded(probability),
    verdict: final.verdict,
    ...(final.with === undefined ? {} : { with: final.with }),
    by: final.by,
    out: outOf(walk, final),
    ...(final.why === undefined ? {} : { why: final.why }),
  };
}

/** Twelve digits: what remains of thirds and products is not noise. */
function rounded(probability: number): number {
  return Number(probability.toPrecision(12));
}

/** What leaves the node; for what is delivered here, what its process sees if that is not what came in. */
function outOf(walk: PacketWalk, { verdict }: Final): Outcome['out'] {
  if (verdict !== 'forwarded' && verdict !== 'local') return null;
  const { packet, portDrawn, oif } = walk;
  const { given } = packet;
  const tuple = {
    proto: packet.proto,
    src: formatAddress(packet.src),
    srcPort: portDrawn ? null : packet.srcPort,
    dst: formatAddress(packet.dst),
    dstPort: packet.dstPort,
  };
  if (verdict === 'forwarded') return { oif, ...tuple };
  const same =
    tuple.src === formatAddress(given.src) &&
    tuple.srcPort === given.srcPort &&
    tuple.dst === formatAddress(given.dst) &&
    tuple.dstPort === given.dstPort;
  return same ? null : { oif: null, ...tuple };
}

/** What the packet leaves behind in the table. */
function keep(node: Node, { walk, final }: Reached): void {
  const passed = final.verdict === 'forwarded' || final.verdict === 'local';
  const { made, joined, connection } = walk;
  if (made?.confirmed === true && passed) {
    if (walk.replaces !== null) node.connections.remove(walk.replaces);
    node.connections.add(made);
  }
  // what the look-up did to an entry stays, even where the packet was dropped later
  else if (joined !== null && connection !== null) Object.assign(joined, connection);
}
