/**
 * The next hops that routes name, each once: a row a next hop.
 *
 * Of an IPv6 next hop with a global and a link-local address (RFC 2545 section 3) the global one is the name,
 * unless it is unspecified. Whether a next hop can be reached is judged by the connected prefixes that the
 * settings give; without any, each host's address can be.
 *
 * `place` is the order of first sight: zebra gives each gateway an id when it first learns it, lists the hops of
 * a group by it, and forgets it some time after its last use (facts observed with FRR 8.4).
 *
 * A hop is held by the attribute sets that name it and by the next-hop sets that have it. One that nobody holds rests
 * while its place is remembered, then its row is another's: whoever names hops without end gets no more memory than
 * those in use and {@link MAX_RESTING} others need.
 */
import { type Address, compareAddresses, ipv4, ipv6 } from '../../addr/address.js';
import { type Prefix, prefixContains } from '../../addr/prefix.js';
import { RowQueue } from './row-queue.js';

/** hops whose places are remembered though nobody holds them; beyond, the one that rests longest is forgotten */
export const MAX_RESTING = 16_384;

export const NEXT_HOP_KIND = {
  /** on a connected prefix, or nothing is known about connected prefixes */
  connected: 0,
  /** a host's address behind somebody else */
  remote: 1,
  /** one of our own addresses */
  own: 2,
} as const;

export interface ReachabilitySettings {
  /** `null`: nobody knows; every host's address counts as connected */
  readonly connected: readonly Prefix[] | null;
  readonly ownAddresses: readonly Address[];
}

export class NextHopTable {
  readonly addresses: Address[] = [];
  /** {@link NEXT_HOP_KIND} */
  readonly kinds: number[] = [];
  /** next-hop sets in use that have the hop */
  readonly uses: number[] = [];
  /** order of first sight; -1 = not in use yet, or forgotten */
  readonly places: number[] = [];
  readonly lastUsedS: number[] = [];

  /** attribute sets that name the hop */
  private readonly references: number[] = [];
  private readonly keys: (number | string)[] = [];
  private readonly rowOf = new Map<number | string, number>();
  private readonly resting = new RowQueue();
  private readonly free: number[] = [];
  private lastKey: number | string = '';
  private lastRow = -1;
  private nextPlace = 0;
  private nowS = 0;

  /** `keepS`: how long the place of a hop without use is remembered; 0 where places do not matter */
  constructor(
    private readonly settings: ReachabilitySettings,
    private readonly keepS: number,
  ) {}

  /** Row of the hop, which one more attribute set holds until {@link release}. */
  holdIpv4(word: number): number {
    return this.hold(word, word, 0, 0, 0);
  }

  /** The same; `view[at ..]` holds 16 octets, or 32 of which the second half is link-local. */
  holdIpv6(view: DataView, at: number, end: number): number {
    const isUnspecified =
      end - at === 32 &&
      (view.getUint32(at) | view.getUint32(at + 4) | view.getUint32(at + 8) | view.getUint32(at + 12)) === 0;
    const from = isUnspecified ? at + 16 : at;
    const words = [0, 4, 8, 12].map((i) => view.getUint32(from + i));
    return this.hold(words.join(':'), words[0]!, words[1]!, words[2]!, words[3]!);
  }

  /** An attribute set that held the hop is gone. */
  release(row: number): void {
    this.references[row]!--;
    this.restIfUnused(row);
  }

  /** The hop is in one more set from now on. */
  use(row: number, nowS: number): void {
    const isForgotten = this.uses[row] === 0 && nowS - this.lastUsedS[row]! > this.keepS;
    if (this.places[row]! < 0 || isForgotten) this.places[row] = this.nextPlace++;
    this.uses[row]!++;
    this.nowS = nowS;
    this.resting.remove(row);
  }

  leave(row: number, nowS: number): void {
    this.uses[row]!--;
    this.lastUsedS[row] = nowS;
    this.nowS = nowS;
    this.restIfUnused(row);
  }

  compareByAddress(a: number, b: number): number {
    return compareAddresses(this.addresses[a]!, this.addresses[b]!);
  }

  private hold(key: number | string, w0: number, w1: number, w2: number, w3: number): number {
    if (key !== this.lastKey) {
      this.lastRow = this.rowOf.get(key) ?? this.add(key, w0, w1, w2, w3);
      this.lastKey = key;
    }
    const row = this.lastRow;
    this.references[row]!++;
    this.resting.remove(row);
    return row;
  }

  private add(key: number | string, w0: number, w1: number, w2: number, w3: number): number {
    this.forgetRested();
    const row = this.free.pop() ?? this.addresses.length;
    const address = typeof key === 'number' ? ipv4(w0) : ipv6(w0, w1, w2, w3);
    this.addresses[row] = address;
    this.kinds[row] = this.kindOf(address);
    this.uses[row] = 0;
    this.places[row] = -1;
    this.lastUsedS[row] = 0;
    this.references[row] = 0;
    this.keys[row] = key;
    this.rowOf.set(key, row);
    return row;
  }

  private restIfUnused(row: number): void {
    if (this.references[row] !== 0 || this.uses[row] !== 0) return;
    if (this.places[row]! < 0 || this.keepS === 0) this.forget(row);
    else {
      this.resting.append(row);
      if (this.resting.count > MAX_RESTING) this.forgetRested();
    }
  }

  private forgetRested(): void {
    const resting = this.resting;
    while (resting.count > 0) {
      const row = resting.first;
      if (resting.count <= MAX_RESTING && this.nowS - this.lastUsedS[row]! <= this.keepS) return;
      resting.remove(row);
      this.forget(row);
    }
  }

  private forget(row: number): void {
    const key = this.keys[row]!;
    this.rowOf.delete(key);
    if (key === this.lastKey) this.lastKey = '';
    this.free.push(row);
  }

  private kindOf(address: Address): number {
    const { connected, ownAddresses } = this.settings;
    if (ownAddresses.some((own) => compareAddresses(own, address) === 0)) return NEXT_HOP_KIND.own;
    if (connected === null || isLinkLocal(address)) return NEXT_HOP_KIND.connected;
    return connected.some((prefix) => prefixContains(prefix, address))
      ? NEXT_HOP_KIND.connected
      : NEXT_HOP_KIND.remote;
  }
}

function isLinkLocal({ family, w0 }: Address): boolean {
  return family === 6 && w0 >>> 22 === 0xfe80 >>> 6;
}
