/**
 * Rendezvous or highest-random-weight hashing (Thaler, Ravishankar, 1998): every next hop gets a score for the hash,
 * the highest wins. A removal moves only the flows of the removed next hop; an addition only what the new one wins.
 * With weights the score is -w / ln(u), u uniform from hash and next hop (Schindelhauer, Schomaker).
 */
import { mixPair } from './mix.js';
import type { NextHopGroup, WeightedNextHop } from './next-hop-group.js';
import { checkNextHops } from './weighted-shares.js';

export class RendezvousGroup implements NextHopGroup {
  readonly select = 'rendezvous';
  readonly deadlineS = Number.POSITIVE_INFINITY;
  version = 0;
  nextHops: readonly WeightedNextHop[] = [];
  private equal = true;

  constructor(nextHops: readonly WeightedNextHop[]) {
    this.replace(nextHops);
  }

  choose(hash: number): number {
    return this.peek(hash);
  }

  peek(hash: number): number {
    const { nextHops, equal } = this;
    let best = -1;
    let highest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < nextHops.length; i++) {
      const { id, weight } = nextHops[i]!;
      const drawn = mixPair(hash, id);
      const score = equal ? drawn : -weight / Math.log((drawn + 1) / 0x1_0000_0001);
      if (score > highest) {
        highest = score;
        best = id;
      }
    }
    return best;
  }

  bucketOf(): number {
    return -1;
  }

  table(): null {
    return null;
  }

  replace(nextHops: readonly WeightedNextHop[]): void {
    checkNextHops(nextHops);
    this.nextHops = nextHops;
    this.equal = nextHops.every(({ weight }) => weight === nextHops[0]!.weight);
    this.version++;
  }

  advance(): boolean {
    return false;
  }
}
