/**
 * What becomes of the attribute sets that one peer sends: which may not be used, and what is changed on the way
 * in (RFC 4271 section 9.1.2, RFC 4456 section 8, RFC 8326, RFC 9234, the import policy).
 */
import { type Address, sameAddress } from '../../addr/address.js';
import { MARK } from './attribute-columns.js';
import type { AttributeStore } from './attribute-store.js';
import { NEXT_HOP_KIND, type NextHopTable } from './next-hop-table.js';
import { EXCLUDED } from './path-table.js';
import { REJECTED } from './policy.js';
import type { RibPeer, Role } from './rib-peer.js';
import { changeSet } from './set-changes.js';

/** roles of ours that no route with ONLY_TO_CUSTOMER may come up to (RFC 9234 section 5, ingress 1) */
const REFUSES_OTC: ReadonlySet<Role | null> = new Set<Role>(['provider', 'rs']);
/** roles of ours that mark what comes in (ingress 3) */
const MARKS_INGRESS: ReadonlySet<Role | null> = new Set<Role>(['customer', 'peer', 'rs-client']);
/** RFC 8326 section 4: the lowest there is */
const GSHUT_LOCAL_PREF = 0;

/** 127.0.0.0/8 (RFC 1122 section 3.2.1.3) and ::1 */
function isLoopback({ family, w0, w1, w2, w3 }: Address): boolean {
  return family === 4 ? w0 >>> 24 === 127 : (w0 | w1 | w2) === 0 && w3 === 1;
}

export class ImportRules {
  /** result for the prefix last asked about: the set that the path gets, and {@link EXCLUDED} */
  set = 0;
  excluded = 0;

  private incoming = 0;
  /** {@link #incoming} after what does not depend on the prefix */
  private marked = 0;
  private isSettled = true;
  private lastAccepted = -1;
  private lastLowered = -1;
  private readonly made: number[] = [];

  constructor(
    private readonly peer: RibPeer,
    private readonly store: AttributeStore,
    private readonly nextHops: NextHopTable,
  ) {}

  /** The prefixes that follow have `set`. False = {@link set} and {@link excluded} hold for each of them. */
  begin(set: number): boolean {
    this.incoming = set;
    this.marked = set;
    this.set = set;
    this.excluded = this.reasonAgainst(set);
    this.isSettled = true;
    if (this.excluded !== EXCLUDED.no) return false;
    const { settings, importPolicy } = this.peer;
    const marks = this.store.columns.marks[set]!;
    if (MARKS_INGRESS.has(settings.role) && (marks & MARK.hasOtc) === 0) {
      this.marked = this.make(set, { onlyToCustomer: settings.context.peerAsn });
    }
    const isPlain =
      settings.import === 'all' && (marks & MARK.gracefulShutdown) === 0 && !this.peer.isDraining;
    if (isPlain) {
      this.set = this.marked;
      return false;
    }
    this.lastAccepted = -1;
    importPolicy.reset();
    this.isSettled = false;
    if (importPolicy.asksPrefix) return true;
    this.forPrefix(0, 0, 0, 0, 0);
    return false;
  }

  /** Fills {@link set} and {@link excluded} for one prefix. */
  forPrefix(w0: number, w1: number, w2: number, w3: number, length: number): void {
    const accepted = this.peer.importPolicy.apply(this.marked, w0, w1, w2, w3, length);
    this.excluded = accepted === REJECTED ? EXCLUDED.policy : EXCLUDED.no;
    this.set = accepted === REJECTED ? this.incoming : this.lowered(accepted);
  }

  /** The UPDATE is done: sets that no path took up are freed. */
  end(): void {
    if (!this.isSettled) this.peer.importPolicy.discardUnused();
    this.store.discardUnused(this.incoming);
    if (this.made.length === 0) return;
    for (const set of this.made) this.store.discardUnused(set);
    this.made.length = 0;
  }

  /** A route that is about to go gets the lowest preference, whatever the policy says (RFC 8326). */
  private lowered(set: number): number {
    const { columns } = this.store;
    const isAnnouncedSo = (columns.marks[set]! & MARK.gracefulShutdown) !== 0 && !this.peer.isInternal;
    if (!isAnnouncedSo && !this.peer.isDraining) return set;
    if (set !== this.lastAccepted) {
      this.lastAccepted = set;
      this.lastLowered = this.make(set, { localPref: GSHUT_LOCAL_PREF });
    }
    return this.lastLowered;
  }

  private make(set: number, changes: Parameters<typeof changeSet>[2]): number {
    const made = changeSet(this.store, set, changes);
    this.made.push(made);
    return made;
  }

  private reasonAgainst(set: number): number {
    const { columns } = this.store;
    const { role, context } = this.peer.settings;
    const marks = columns.marks[set]!;
    if ((marks & MARK.ownAs) !== 0) return EXCLUDED.asLoop;
    if ((marks & MARK.reflectedToUs) !== 0 && this.peer.isInternal) return EXCLUDED.reflectionLoop;
    if ((marks & MARK.hasOtc) !== 0) {
      if (REFUSES_OTC.has(role)) return EXCLUDED.routeLeak;
      if (role === 'peer' && columns.onlyToCustomer[set] !== context.peerAsn) return EXCLUDED.routeLeak;
    }
    if ((marks & MARK.hasNextHop) === 0) return EXCLUDED.unresolvable;
    return this.reasonAgainstHop(columns.nextHop[set]!);
  }

  private reasonAgainstHop(hop: number): number {
    const kind = this.nextHops.kinds[hop]!;
    if (kind === NEXT_HOP_KIND.own) return EXCLUDED.ownNextHop;
    // over loopback it is a neighbour's address; from anywhere else it can only mean ourselves
    if (isLoopback(this.nextHops.addresses[hop]!) && !isLoopback(this.peer.settings.address)) {
      return EXCLUDED.ownNextHop;
    }
    if (kind !== NEXT_HOP_KIND.remote) return EXCLUDED.no;
    const { settings, isInternal } = this.peer;
    if (isInternal || settings.nextHops === 'any') return EXCLUDED.no;
    return sameAddress(this.nextHops.addresses[hop]!, settings.address) ? EXCLUDED.no : EXCLUDED.unresolvable;
  }
}
