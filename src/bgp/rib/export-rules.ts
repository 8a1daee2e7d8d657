/**
 * What one peer may be told of a path, and with which attributes: RFC 4271 sections 9.1.3 and 9.2, communities of
 * RFC 1997, roles of RFC 9234, LLGR of RFC 9494, the export policy.
 *
 * The answer is one number, so that an Adj-RIB-Out can hold what was announced in a column:
 *
 * ```
 *   0                     not announced
 *   1 + 2 * set + keepMed the attribute set, and whether its MED goes out
 * ```
 *
 * MED of a learned route does not pass to another AS (RFC 4271 section 5.1.4); one of our own, or one that the
 * export policy sets, does.
 */
import { asPathContains } from '../attribute/002-as-path.js';
import { COMMUNITY } from '../attribute/008-communities.js';
import { MARK } from './attribute-columns.js';
import type { AttributeStore } from './attribute-store.js';
import { LOCAL_PEER } from './best-path.js';
import { STALE } from './path-table.js';
import { REJECTED } from './policy.js';
import type { RibPeer, Role } from './rib-peer.js';
import { changeSet } from './set-changes.js';

/** {@link ExportRules.want}: nothing is to be announced */
export const NOTHING = 0;

export function setOfWant(want: number): number {
  return (want - 1) >>> 1;
}

export function keepsMed(want: number): boolean {
  return ((want - 1) & 1) === 1;
}

/** roles of ours whose peer must not get a route that came down to us (RFC 9234 section 5, egress 2) */
const GOES_DOWN_ONLY: ReadonlySet<Role | null> = new Set<Role>(['customer', 'peer', 'rs-client']);
/** roles of ours that mark what goes out (egress 1) */
const MARKS_EGRESS: ReadonlySet<Role | null> = new Set<Role>(['provider', 'peer', 'rs']);

export class ExportRules {
  private memoKey = -1;
  private memo = NOTHING;
  private made: number[] = [];

  constructor(
    private readonly peer: RibPeer,
    private readonly store: AttributeStore,
    private readonly localAsn: number,
  ) {}

  /** A batch begins: set numbers may mean other sets than before. */
  begin(): void {
    this.memoKey = -1;
  }

  /** The batch is done: sets that were made for it and not retained are freed. */
  end(): void {
    this.peer.exportPolicy.discardUnused();
    if (this.made.length === 0) return;
    for (const set of this.made) this.store.discardUnused(set);
    this.made.length = 0;
  }

  /**
   * What the peer is to have of a path of `source` with attributes `set`, not counting who may not get it back.
   *
   * @param stale whether the path is stale: one of `STALE`, or 0
   */
  want(
    source: RibPeer,
    set: number,
    stale: number,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    length: number,
  ): number {
    const { exportPolicy } = this.peer;
    const isLongLived = stale === STALE.longLived;
    const key =
      8 * set + (isLongLived ? 4 : 0) + (source.row === LOCAL_PEER ? 2 : 0) + (source.isInternal ? 1 : 0);
    if (key === this.memoKey) return this.memo;
    const mayLeave = this.mayLeave(source, set) && (!isLongLived || this.peer.settings.takesLongLivedStale);
    let want = mayLeave ? this.accepted(source, set, w0, w1, w2, w3, length) : NOTHING;
    if (isLongLived && want !== NOTHING) want = this.marked(want);
    // a policy that looks at the prefix has to be asked for each
    this.memoKey = exportPolicy.asksPrefix ? -1 : key;
    this.memo = want;
    return want;
  }

  private mayLeave(source: RibPeer, set: number): boolean {
    const { columns, bytes, view } = this.store;
    const { context, role, takesLongLivedStale } = this.peer.settings;
    const marks = columns.marks[set]!;
    // our own routes carry communities for others to obey
    if (source.row === LOCAL_PEER) return true;
    // no route reflection: RFC 4271 section 9.2.1 as RFC 4456 puts it
    if (source.isInternal && this.peer.isInternal) return false;
    if ((marks & MARK.noAdvertise) !== 0) return false;
    if (context.peering !== 'internal' && (marks & MARK.noExportSubconfed) !== 0) return false;
    if (context.peering === 'external') {
      if ((marks & MARK.noExport) !== 0) return false;
      const at = this.store.startOf(set) + columns.pathAt[set]!;
      const end = at + columns.pathBytes[set]!;
      if (bytes.length >= end && asPathContains(view, at, end, 4, context.peerAsn)) return false;
    }
    // RFC 9494 section 4.3: who may not know what long-lived stale means does not get such a route
    if ((marks & MARK.llgrStale) !== 0 && !takesLongLivedStale) return false;
    return (marks & MARK.hasOtc) === 0 || !GOES_DOWN_ONLY.has(role);
  }

  /** With LLGR_STALE, whatever the policy made of the communities: RFC 9494 section 4.2. */
  private marked(want: number): number {
    const set = changeSet(this.store, setOfWant(want), { addCommunities: [COMMUNITY.llgrStale] });
    this.made.push(set);
    return 1 + 2 * set + (keepsMed(want) ? 1 : 0);
  }

  private accepted(
    source: RibPeer,
    set: number,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    length: number,
  ): number {
    const { exportPolicy, settings, isInternal } = this.peer;
    let out = exportPolicy.apply(set, w0, w1, w2, w3, length);
    if (out === REJECTED) return NOTHING;
    const { columns } = this.store;
    const { setsMed } = exportPolicy;
    if (MARKS_EGRESS.has(settings.role) && (columns.marks[out]! & MARK.hasOtc) === 0) {
      out = changeSet(this.store, out, { onlyToCustomer: this.localAsn });
      this.made.push(out);
    }
    if (this.peer.isDraining) {
      const changes = { addCommunities: [COMMUNITY.gracefulShutdown], ...(isInternal && { localPref: 0 }) };
      out = changeSet(this.store, out, changes);
      this.made.push(out);
    }
    return 1 + 2 * out + (isInternal || source.row === LOCAL_PEER || setsMed ? 1 : 0);
  }
}
