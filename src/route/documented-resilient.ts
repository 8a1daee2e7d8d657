/**
 * Resilient hashing of switches, as their makers document it. None of them publishes its hash or the exact order in
 * which buckets are refilled, so a result stands for "a table that obeys the documentation" and is marked so.
 *
 * | select            | table                                      | a next hop goes            | one comes           |
 * |-------------------|--------------------------------------------|----------------------------|---------------------|
 * | resilient-cumulus | 64 buckets by default, 64 to 4096 by powers of two; dealt in turn | its buckets alone are dealt in turn | some buckets of others become its own: their flows move |
 * | resilient-arista  | capacity x redundancy entries, dealt in turn | its entries alone          | some entries of others become its own |
 * | resilient-juniper | consistent-hash, single-hop eBGP           | its flows alone            | not covered         |
 *
 * Sources: Cumulus Linux "Equal Cost Multipath Load Sharing - Hardware ECMP"; EOS `ip hardware fib ecmp … capacity N
 * redundancy M`; Junos `load-balance consistent-hash`. What they leave open is taken at its worst for the flows:
 *
 * - Cumulus and Arista do not say which buckets a new next hop takes. Here it takes its whole share at once, in use or
 *   not, spread over the table; nothing else moves.
 * - Junos before 22.4 does not protect flows where a path is added; here the table is then dealt afresh.
 * - Weights: a next hop is dealt as many turns as its weight says.
 *
 * Whether a changed set arrives at the switch as a changed group or as a new one is `replace`, as in resilient.ts:
 * with `fresh-group` every change deals afresh.
 */
import type { NextHopGroup, WeightedNextHop } from './next-hop-group.js';
import { checkNextHops, cumulativeShares } from './weighted-shares.js';

export const DOCUMENTED_SELECTS = ['resilient-cumulus', 'resilient-arista', 'resilient-juniper'] as const;
export type DocumentedSelect = (typeof DOCUMENTED_SELECTS)[number];

/** What the documentation leaves open, in a sentence for whoever reads a result. */
const REMARKS: Record<DocumentedSelect, string> = {
  'resilient-cumulus':
    'as documented by Cumulus Linux: removing a next hop moves its flows only, adding one moves a share of the others',
  'resilient-arista':
    'as documented by Arista EOS: removing a next hop moves its flows only, adding one moves a share of the others',
  'resilient-juniper':
    'as documented by Junos before 22.4: removing a next hop moves its flows only, adding one is not covered and deals all flows afresh',
};

const CUMULUS_LEAST = 64;
const CUMULUS_MOST = 4096;
const FREE = -1;

/** `name` where its rules come from a maker's documentation; null where they were held against the real thing. */
export function documentedRemark(name: string): string | null {
  return isDocumented(name) ? REMARKS[name] : null;
}

export function isDocumented(name: string): name is DocumentedSelect {
  return (DOCUMENTED_SELECTS as readonly string[]).includes(name);
}

/** Why the switch cannot have a table of so many buckets, or null. */
export function refuseDocumentedBuckets(select: DocumentedSelect, buckets: number): string | null {
  const isPowerOfTwo = (buckets & (buckets - 1)) === 0;
  if (
    select === 'resilient-cumulus' &&
    (!isPowerOfTwo || buckets < CUMULUS_LEAST || buckets > CUMULUS_MOST)
  ) {
    return `Cumulus Linux takes 64, 128, 256, 512, 1024, 2048 or 4096 buckets, not ${buckets}`;
  }
  return null;
}

export class DocumentedResilientGroup implements NextHopGroup {
  readonly deadlineS = Number.POSITIVE_INFINITY;
  version = 0;
  nextHops: readonly WeightedNextHop[] = [];
  /** next-hop id of each bucket */
  private readonly owner: Int32Array;

  constructor(
    readonly select: DocumentedSelect,
    private readonly settings: { readonly buckets: number; readonly replace: 'in-place' | 'fresh-group' },
    nextHops: readonly WeightedNextHop[],
  ) {
    const { buckets } = settings;
    const refusal = refuseDocumentedBuckets(select, buckets);
    if (refusal !== null) throw new RangeError(`${select}: ${refusal}`);
    this.owner = new Int32Array(buckets).fill(FREE);
    this.replace(nextHops);
  }

  choose(hash: number): number {
    return this.owner[hash % this.owner.length]!;
  }

  peek(hash: number): number {
    return this.owner[hash % this.owner.length]!;
  }

  bucketOf(hash: number): number {
    return hash % this.owner.length;
  }

  table(): Int32Array {
    return this.owner;
  }

  replace(nextHops: readonly WeightedNextHop[]): void {
    checkNextHops(nextHops);
    if (nextHops.length > this.owner.length) {
      throw new RangeError(
        `${this.select}: a table of ${this.owner.length} cannot hold ${nextHops.length} next hops`,
      );
    }
    const before = new Set(this.nextHops.map(({ id }) => id));
    const comes = nextHops.filter(({ id }) => !before.has(id));
    const isNew = before.size === 0 || this.settings.replace === 'fresh-group';
    this.nextHops = nextHops;
    this.version++;
    if (isNew || (this.select === 'resilient-juniper' && comes.length > 0)) this.owner.fill(FREE);
    else this.vacate(new Set(nextHops.map(({ id }) => id)));
    this.deal(this.turns(nextHops.filter(({ id }) => !comes.some((hop) => hop.id === id) || this.isEmpty())));
    if (!isNew) this.admit(comes);
  }

  advance(): boolean {
    return false;
  }

  private isEmpty(): boolean {
    return this.owner.every((id) => id === FREE);
  }

  /** Buckets of next hops that are gone fall free. */
  private vacate(stay: ReadonlySet<number>): void {
    for (let bucket = 0; bucket < this.owner.length; bucket++) {
      if (!stay.has(this.owner[bucket]!)) this.owner[bucket] = FREE;
    }
  }

  private turns(nextHops: readonly WeightedNextHop[]): number[] {
    return nextHops.flatMap(({ id, weight }) => new Array<number>(weight).fill(id));
  }

  /** Free buckets in ascending order, to each turn in its turn. */
  private deal(turns: readonly number[]): void {
    if (turns.length === 0) return;
    let turn = 0;
    for (let bucket = 0; bucket < this.owner.length; bucket++) {
      if (this.owner[bucket] === FREE) this.owner[bucket] = turns[turn++ % turns.length]!;
    }
  }

  /** Each next hop that comes takes its share, always from the one that is furthest above its own. */
  private admit(comes: readonly WeightedNextHop[]): void {
    const { owner, nextHops } = this;
    const shares = cumulativeShares(nextHops, owner.length);
    const spare = new Map(nextHops.map(({ id }, i) => [id, (shares[i - 1] ?? 0) - shares[i]!]));
    for (const id of owner) if (id !== FREE) spare.set(id, spare.get(id)! + 1);
    for (const { id } of comes) {
      while (spare.get(id)! < 0) {
        const richest = [...spare].reduce((most, hop) => (hop[1] > most[1] ? hop : most));
        if (richest[1] <= 0) break;
        owner[owner.indexOf(richest[0])] = id;
        spare.set(richest[0], richest[1] - 1);
        spare.set(id, spare.get(id)! + 1);
      }
    }
  }
}
