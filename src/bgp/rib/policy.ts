/**
 * Import and export policies: a list of terms, of which the first that matches a route decides. A route that no
 * term matches is refused, as RFC 8212 asks of external peers without any policy.
 *
 * A term matches where all of its conditions do; a condition that lists several things matches any of them.
 */
import { type Address, ipv4, ipv6 } from '../../addr/address.js';
import { type Prefix, prefixContains } from '../../addr/prefix.js';
import { type AsPathSegment, readSegments } from '../attribute/002-as-path.js';
import { readWords } from '../attribute/008-communities.js';
import type { LargeCommunity } from '../attribute/032-large-communities.js';
import { AttributeSetCursor } from '../codec/attribute-set.js';
import type { Peering } from '../codec/codec-context.js';
import type { AttributeStore } from './attribute-store.js';
import { changeSet, type SetChanges } from './set-changes.js';

/** A prefix and everything inside of it whose length is `ge` .. `le`. */
export interface PrefixMatch {
  readonly prefix: Prefix;
  readonly ge: number;
  readonly le: number;
}

export interface PolicyTerm {
  readonly prefixes?: readonly PrefixMatch[];
  readonly communities?: readonly number[];
  readonly largeCommunities?: readonly LargeCommunity[];
  /** AS numbers anywhere in the path */
  readonly pathHas?: readonly number[];
  /** AS number that the path begins with (the neighbour's) or ends with (where the route comes from) */
  readonly pathFirst?: readonly number[];
  readonly pathLast?: readonly number[];
  /** prefixes that hold the next hop */
  readonly nextHops?: readonly Prefix[];
  readonly verdict: 'accept' | 'reject';
  /** what is set on an accepted route */
  readonly changes?: SetChanges;
}

export type Policy = 'all' | 'none' | readonly PolicyTerm[];

/** What holds where the configuration names no policy: RFC 8212 for external peers. */
export function defaultPolicy(peering: Peering): Policy {
  return peering === 'internal' ? 'all' : 'none';
}

export const REJECTED = -1;

const CODE = { asPath: 2, nextHop: 3, communities: 8, mpReach: 14, large: 32 } as const;

/** A policy over the sets of one store. */
export class PolicyRunner {
  /** the outcome depends on the prefix, too */
  readonly asksPrefix: boolean;
  /** the term that decided last sets MED */
  setsMed = false;
  private readonly acceptsAll: boolean;
  private readonly terms: readonly PolicyTerm[];
  private readonly cursor = new AttributeSetCursor();
  /** of {@link #memoSet}: which terms' other conditions match, and the changed sets */
  private memoSet = -1;
  private matches: boolean[] = [];
  private changed: number[] = [];

  constructor(
    policy: Policy,
    private readonly store: AttributeStore,
  ) {
    this.acceptsAll = policy === 'all';
    this.terms = policy === 'all' ? [{ verdict: 'accept' }] : policy === 'none' ? [] : policy;
    this.asksPrefix = this.terms.some((term) => term.prefixes !== undefined);
  }

  /** Forgets what it worked out: set numbers are used again once a set has been released. */
  reset(): void {
    this.memoSet = -1;
  }

  /** Set that a route of `set` to this prefix gets, interned and not retained; {@link REJECTED} for none. */
  apply(set: number, w0: number, w1: number, w2: number, w3: number, length: number): number {
    if (this.acceptsAll) return set;
    if (set !== this.memoSet) this.examine(set);
    const terms = this.terms;
    for (let i = 0; i < terms.length; i++) {
      if (!this.matches[i]) continue;
      const term = terms[i]!;
      if (term.prefixes !== undefined && !inAny(term.prefixes, w0, w1, w2, w3, length)) continue;
      if (term.verdict === 'reject') return REJECTED;
      this.setsMed = term.changes?.med !== undefined;
      if (term.changes === undefined) return set;
      const changed = this.changed[i]!;
      if (changed >= 0) return changed;
      this.changed[i] = changeSet(this.store, set, term.changes);
      return this.changed[i]!;
    }
    return REJECTED;
  }

  /** The changed sets that nobody took up are freed; ends with {@link reset}. */
  discardUnused(): void {
    this.reset();
    if (this.changed.length === 0) return;
    for (const set of this.changed) if (set >= 0) this.store.discardUnused(set);
    this.changed.length = 0;
  }

  private examine(set: number): void {
    this.discardUnused();
    this.memoSet = set;
    this.matches = this.terms.map((term) => this.matchesSet(term, set));
    this.changed = this.terms.map(() => -1);
  }

  private matchesSet(term: PolicyTerm, set: number): boolean {
    const { communities, largeCommunities, pathHas } = term;
    if (communities !== undefined && !this.hasCommunity(set, communities)) return false;
    if (largeCommunities !== undefined && !this.hasLarge(set, largeCommunities)) return false;
    if (pathHas !== undefined && !this.pathHas(set, pathHas)) return false;
    const { pathFirst, pathLast, nextHops } = term;
    if (pathFirst !== undefined && !isIn(pathFirst, this.path(set).at(0)?.asns.at(0))) return false;
    if (pathLast !== undefined && !isIn(pathLast, this.path(set).at(-1)?.asns.at(-1))) return false;
    return nextHops === undefined || this.hopIsIn(set, nextHops);
  }

  private hopIsIn(set: number, nextHops: readonly Prefix[]): boolean {
    const hop = this.nextHop(set);
    return hop !== null && nextHops.some((prefix) => prefixContains(prefix, hop));
  }

  /** NEXT_HOP, or the global address of MP_REACH_NLRI; null where the set has neither. */
  private nextHop(set: number): Address | null {
    const { view } = this.store;
    if (this.seek(set, CODE.nextHop)) return ipv4(view.getUint32(this.cursor.valueAt));
    if (!this.seek(set, CODE.mpReach)) return null;
    const at = this.cursor.valueAt + 4;
    if (view.getUint8(at - 1) === 4) return ipv4(view.getUint32(at));
    return ipv6(view.getUint32(at), view.getUint32(at + 4), view.getUint32(at + 8), view.getUint32(at + 12));
  }

  private path(set: number): AsPathSegment[] {
    if (!this.seek(set, CODE.asPath)) return [];
    return readSegments(this.store.view, this.cursor.valueAt, this.cursor.valueEnd, 4);
  }

  private seek(set: number, code: number): boolean {
    this.cursor.reset(this.store.bytes, this.store.startOf(set), this.store.endOf(set));
    return this.cursor.seek(code);
  }

  private hasCommunity(set: number, wanted: readonly number[]): boolean {
    if (!this.seek(set, CODE.communities)) return false;
    const { valueAt, valueEnd } = this.cursor;
    return readWords(this.store.view, valueAt, valueEnd).some((one) => wanted.includes(one));
  }

  private hasLarge(set: number, wanted: readonly LargeCommunity[]): boolean {
    if (!this.seek(set, CODE.large)) return false;
    const words = readWords(this.store.view, this.cursor.valueAt, this.cursor.valueEnd);
    return wanted.some(([a, b, c]) =>
      words.some((word, i) => i % 3 === 0 && word === a && words[i + 1] === b && words[i + 2] === c),
    );
  }

  private pathHas(set: number, wanted: readonly number[]): boolean {
    return this.path(set).some(({ asns }) => asns.some((asn) => wanted.includes(asn)));
  }
}

function isIn(list: readonly number[], asn: number | undefined): boolean {
  return asn !== undefined && list.includes(asn);
}

function inAny(
  list: readonly PrefixMatch[],
  w0: number,
  w1: number,
  w2: number,
  w3: number,
  length: number,
): boolean {
  return list.some(({ prefix, ge, le }) => {
    if (length < ge || length > le) return false;
    const { address } = prefix;
    return (
      differ(w0, address.w0, prefix.length) === 0 &&
      differ(w1, address.w1, prefix.length - 32) === 0 &&
      differ(w2, address.w2, prefix.length - 64) === 0 &&
      differ(w3, address.w3, prefix.length - 96) === 0
    );
  });
}

/** The first `bits` bits of the words that differ. */
function differ(a: number, b: number, bits: number): number {
  return bits <= 0 ? 0 : (a ^ b) & (bits >= 32 ? -1 : -1 << (32 - bits));
}
