/**
 * Consistent hashing on a ring (Karger et al., 1997): every next hop stands on the ring at as many points (virtual
 * nodes) as its weight says; a hash belongs to the next point clockwise. `points` is the number for weight 1.
 */
import { mixPair } from './mix.js';
import type { NextHopGroup, WeightedNextHop } from './next-hop-group.js';
import { checkNextHops } from './weighted-shares.js';

export class RingGroup implements NextHopGroup {
  readonly select = 'ring';
  readonly deadlineS = Number.POSITIVE_INFINITY;
  version = 0;
  nextHops: readonly WeightedNextHop[] = [];
  private places = new Uint32Array(0);
  private owners = new Int32Array(0);

  constructor(
    private readonly points: number,
    nextHops: readonly WeightedNextHop[],
  ) {
    if (!Number.isInteger(points) || points < 1 || points > 1 << 20) {
      throw new RangeError(`ring: expected 1 to ${1 << 20} virtual nodes a next hop, got ${points}`);
    }
    this.replace(nextHops);
  }

  choose(hash: number): number {
    return this.peek(hash);
  }

  peek(hash: number): number {
    const { places, owners } = this;
    if (places.length === 0) return -1;
    // hashes of 16, 31 and 32 bits all land somewhere on the whole ring
    const place = mixPair(hash, 0);
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (places[middle]! < place) low = middle + 1;
      else high = middle;
    }
    return owners[low === places.length ? 0 : low]!;
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
    const all = nextHops.flatMap(({ id, weight }) =>
      Array.from({ length: this.points * weight }, (_, point) => ({ place: mixPair(id + 1, point + 1), id })),
    );
    all.sort((a, b) => a.place - b.place || a.id - b.id);
    this.places = Uint32Array.from(all, ({ place }) => place);
    this.owners = Int32Array.from(all, ({ id }) => id);
    this.version++;
  }

  advance(): boolean {
    return false;
  }
}
