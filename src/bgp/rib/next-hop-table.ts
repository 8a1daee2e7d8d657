/**
 * The next hops that routes name, each once: a row a next hop.
 *
 * Of an IPv6 next hop with a global and a link-local address (RFC 2545 section 3) the global one is the name,
 * unless it is unspecified. Whether a next hop can be reached is judged by the connected prefixes that the
 * settings give; without any, each host's address can be. Rows are never used again: next hops are few.
 *
 * `place` is the order of first sight: zebra gives each gateway an id when it first learns it, lists the hops of
 * a group by it, and forgets it some time after its last use (facts observed with FRR 8.4).
 */
import { type Address, compareAddresses, ipv4, ipv6 } from '../../addr/address.js';
import { type Prefix, prefixContains } from '../../addr/prefix.js';

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

  readonly #rowOf = new Map<number | string, number>();
  #lastKey: number | string = '';
  #lastRow = -1;
  #nextPlace = 0;

  constructor(
    private readonly settings: ReachabilitySettings,
    private readonly keepS: number,
  ) {}

  internIpv4(word: number): number {
    return this.#intern(word, word, 0, 0, 0);
  }

  /** `view[at ..]` holds 16 octets, or 32 of which the second half is link-local. */
  internIpv6(view: DataView, at: number, end: number): number {
    const isUnspecified =
      end - at === 32 &&
      (view.getUint32(at) | view.getUint32(at + 4) | view.getUint32(at + 8) | view.getUint32(at + 12)) === 0;
    const from = isUnspecified ? at + 16 : at;
    const words = [0, 4, 8, 12].map((i) => view.getUint32(from + i));
    return this.#intern(words.join(':'), words[0]!, words[1]!, words[2]!, words[3]!);
  }

  intern(address: Address): number {
    const { family, w0, w1, w2, w3 } = address;
    return this.#intern(family === 4 ? w0 : [w0, w1, w2, w3].join(':'), w0, w1, w2, w3);
  }

  /** The hop is in one more set from now on. */
  use(row: number, nowS: number): void {
    const isForgotten = this.uses[row] === 0 && nowS - this.lastUsedS[row]! > this.keepS;
    if (this.places[row]! < 0 || isForgotten) this.places[row] = this.#nextPlace++;
    this.uses[row]!++;
  }

  leave(row: number, nowS: number): void {
    this.uses[row]!--;
    this.lastUsedS[row] = nowS;
  }

  compareByAddress(a: number, b: number): number {
    return compareAddresses(this.addresses[a]!, this.addresses[b]!);
  }

  #intern(key: number | string, w0: number, w1: number, w2: number, w3: number): number {
    if (key === this.#lastKey) return this.#lastRow;
    let row = this.#rowOf.get(key);
    if (row === undefined) {
      row = this.addresses.length;
      const address = typeof key === 'number' ? ipv4(w0) : ipv6(w0, w1, w2, w3);
      this.addresses.push(address);
      this.kinds.push(this.#kindOf(address));
      this.uses.push(0);
      this.places.push(-1);
      this.lastUsedS.push(0);
      this.#rowOf.set(key, row);
    }
    this.#lastKey = key;
    this.#lastRow = row;
    return row;
  }

  #kindOf(address: Address): number {
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
