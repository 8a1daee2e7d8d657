/**
 * The RIB of a speaker: what every peer has announced, which paths are chosen, and what every peer is to be told.
 *
 * ```
 *   UPDATE ─► import rules ─► paths of the prefix ─► choice ─► next-hop set ─► listener (FIB)
 *             attribute store   (Adj-RIBs-In,          └─────► pending prefixes of each peer ─► pump ─► UPDATEs
 *             (each set once)    Loc-RIB)
 * ```
 *
 * RFC 4271 sections 3.2 and 9. Sessions, sockets and clocks are elsewhere: a session tells what it has received
 * and calls `pump` while its socket takes more. Time is what `setTime` last said.
 *
 * Invariants: a peer is never told of a path of its own; what a peer has is exactly what was packed for it; with
 * all paths withdrawn and all changes pumped nothing is left in the tables.
 */
import type { Address } from '../../addr/address.js';
import type { Prefix } from '../../addr/prefix.js';
import { OUTCOME, type PathAttribute } from '../attribute/descriptor.js';
import { type FamilyKey, IPV4_UNICAST, IPV6_UNICAST } from '../codec/address-family.js';
import { type NlriField, writeAttributeSet } from '../codec/attribute-set.js';
import { ByteWriter } from '../codec/byte-writer.js';
import { type CodecContext, OFFLINE } from '../codec/codec-context.js';
import { NlriCursor } from '../codec/nlri-cursor.js';
import { encodeAttribute } from '../codec/update-message.js';
import type { UpdatePacker } from '../codec/update-packer.js';
import type { UpdateView } from '../codec/update-view.js';
import { AddPathOut } from './add-path-out.js';
import type { AdjRibOut } from './adj-rib-out.js';
import { MARK } from './attribute-columns.js';
import { AttributeStore } from './attribute-store.js';
import { LOCAL_PEER, type MultipathSettings, PathChoice } from './best-path.js';
import { EgressWriter } from './egress-writer.js';
import { ExportRules, NOTHING } from './export-rules.js';
import { FamilyRib, type FamilyRibParts, type RouteListener } from './family-rib.js';
import { importAgain } from './import-again.js';
import { ImportRules } from './import-rules.js';
import { type HopOrder, NextHopSetTable } from './next-hop-set-table.js';
import { NextHopTable, type ReachabilitySettings } from './next-hop-table.js';
import { EXCLUDED, STALE } from './path-table.js';
import { type Policy, PolicyRunner } from './policy.js';
import { DEFAULT_ROOM } from './prefix-table.js';
import { RibPeer, type RibPeerSettings } from './rib-peer.js';
import { SinglePathOut } from './single-path-out.js';

export interface RibSettings extends ReachabilitySettings, MultipathSettings {
  readonly localAsn: number;
  readonly routerId: number;
  /** order of next hops in a set */
  readonly order: HopOrder;
  /** `order: arrival`: how long a next hop that nobody uses keeps its place; zebra: 180 s */
  readonly arrivalKeepS: number;
  /**
   * Prefixes that fit before tables grow, a power of two. Room for many costs address space alone, and saves the
   * JIT from compiling anew what has never grown before, which is a third of the time of a table of 10^5.
   */
  readonly room?: number;
}

export interface PeerCounts {
  /** paths that the peer has announced */
  readonly received: number;
  /** of these, what may be used */
  readonly accepted: number;
  /** of these, what was chosen as the best path */
  readonly best: number;
  /** prefixes (with ADD-PATH: paths) announced to the peer */
  readonly announced: number;
}

/** our own routes; `at` only those of a prefix */
const LOCAL_ADDRESS: Address = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 };
const ORIGIN_IGP: PathAttribute = { code: 1, flags: 0x40, value: 0 };
const EMPTY_PATH: PathAttribute = { code: 2, flags: 0x40, value: [] };
/** peers by row fit into a column of 16 bits, and row 0 is ourselves */
const MAX_PEERS = 0xfffe;

export class Rib {
  readonly store: AttributeStore;
  readonly nextHops: NextHopTable;
  readonly hopSets: NextHopSetTable;
  readonly ipv4: FamilyRib;
  readonly ipv6: FamilyRib;
  readonly families: readonly FamilyRib[];
  /** by row; `null` = free */
  readonly peers: (RibPeer | null)[];

  private readonly parts: FamilyRibParts;
  private readonly imports: (ImportRules | null)[] = [null];
  /** Adj-RIBs-Out of each peer by family; none where nothing is exported */
  private readonly outs: Map<FamilyKey, AdjRibOut>[] = [new Map()];
  private readonly cursor = new NlriCursor();
  private readonly octets = new ByteWriter(4096);

  constructor(readonly settings: RibSettings) {
    this.nextHops = new NextHopTable(settings, settings.order === 'arrival' ? settings.arrivalKeepS : 0);
    const { room = DEFAULT_ROOM } = settings;
    this.store = new AttributeStore(settings, this.nextHops, room);
    this.hopSets = new NextHopSetTable(this.nextHops, settings.order);
    this.peers = [];
    this.parts = {
      store: this.store,
      hopSets: this.hopSets,
      choice: new PathChoice(this.store, this.nextHops, this.peers, settings),
      maxPaths: settings.maxPaths,
      onRoute: null,
      nowS: 0,
      isDeferring: false,
      cause: 0,
      onCause: null,
    };
    this.ipv4 = new FamilyRib(IPV4_UNICAST, 32, this.parts, room);
    this.ipv6 = new FamilyRib(IPV6_UNICAST, 128, this.parts, room);
    this.families = [this.ipv4, this.ipv6];
    this.peers.push(new RibPeer(LOCAL_PEER, localSettings(settings), this.store));
  }

  familyRib(family: FamilyKey): FamilyRib | null {
    return family === IPV4_UNICAST ? this.ipv4 : family === IPV6_UNICAST ? this.ipv6 : null;
  }

  setTime(nowS: number): void {
    this.parts.nowS = nowS;
  }

  get nowS(): number {
    return this.parts.nowS;
  }

  /** `listener` hears of every prefix whose next hops change; `null` = nobody does. */
  onRoute(listener: RouteListener | null): void {
    this.parts.onRoute = listener;
  }

  /**
   * A session is established. Gives the peer's row: that of `previousRow` where its stale paths wait there
   * (graceful restart), otherwise a free one. The whole table is pending for the peer then, and End-of-RIB.
   */
  peerUp(settings: RibPeerSettings, previousRow = -1): number {
    const known = previousRow > LOCAL_PEER ? this.peers[previousRow] : null;
    let row = previousRow;
    if (known === null || known === undefined) {
      row = this.peers.indexOf(null);
      if (row < 0) row = this.peers.length;
      if (row > MAX_PEERS) throw new RangeError(`Rib.peerUp: expected at most ${MAX_PEERS} peers`);
    } else if (known.state === 'up') this.peerDown(row, this.familiesOf(known));
    const peer = new RibPeer(row, settings, this.store);
    this.peers[row] = peer;
    this.imports[row] = new ImportRules(peer, this.store, this.nextHops);
    this.outs[row] = new Map();
    for (const rib of this.families) {
      rib.addPeer(row);
      if (this.familiesOf(peer).has(rib.family)) this.openOut(peer, rib);
    }
    return row;
  }

  /**
   * The session is gone: nothing is pending for the peer any more. Its paths are removed, except that those of
   * the families in `retain` become stale and wait for `peerUp` with this row, or for `sweepStale`. With a
   * `laterCause` choices wait as they do in {@link updateLater}.
   */
  peerDown(row: number, retain: ReadonlySet<FamilyKey> = new Set(), laterCause = -1): void {
    if (laterCause < 0) this.settle();
    else {
      this.parts.cause = laterCause;
      this.parts.isDeferring = true;
    }
    const peer = this.peer(row);
    peer.state = 'down';
    for (const [family, out] of this.outs[row]!) {
      this.familyRib(family)!.removeOut(out, this.pathsFor(peer, family));
    }
    this.outs[row]!.clear();
    for (const rib of this.families) {
      if (retain.has(rib.family)) this.markStale(row, rib.family);
      else this.eachPath(rib, row, (path) => rib.removePath(path));
    }
    this.parts.isDeferring = false;
    this.freeIfUnused(peer);
  }

  /**
   * The peer has sent an UPDATE that was read into `update` with that context. `treatAsWithdraw` is obeyed; after
   * `sessionReset` nothing is changed.
   */
  update(row: number, update: UpdateView, context: CodecContext = this.peer(row).settings.context): void {
    if (update.outcome === OUTCOME.sessionReset) return;
    const { families } = context;
    const { reach, unreach } = update;
    const isAccepted = update.outcome < OUTCOME.treatAsWithdraw;
    if (families === null || families.has(IPV4_UNICAST)) {
      if (update.withdrawnCount > 0) {
        update.openWithdrawn(this.cursor);
        this.withdrawAll(row, this.ipv4);
      }
      if (update.nlriCount > 0) {
        update.openNlri(this.cursor);
        if (isAccepted) this.announceAll(row, this.ipv4, this.internNlri(update, context));
        else this.withdrawAll(row, this.ipv4);
      }
    }
    const unreachRib = unreach.present && unreach.count > 0 ? this.familyRib(unreach.family) : null;
    if (unreachRib !== null) {
      update.openSection(this.cursor, unreach);
      this.withdrawAll(row, unreachRib);
    }
    const reachRib = reach.present && reach.count > 0 ? this.familyRib(reach.family) : null;
    if (reachRib === null) return;
    update.openSection(this.cursor, reach);
    if (isAccepted) this.announceAll(row, reachRib, this.internNotCanonical(update, context, 'reach'));
    else this.withdrawAll(row, reachRib);
  }

  /**
   * The same, but where a prefix has several paths the choice waits for {@link settle}: of many peers that announce the
   * same prefixes each prefix is chosen once. `cause` comes back through {@link onCause} when it is.
   */
  updateLater(row: number, update: UpdateView, cause: number): void {
    this.parts.cause = cause;
    this.parts.isDeferring = true;
    this.update(row, update);
    this.parts.isDeferring = false;
  }

  /** `listener` hears before changes that were deferred, with what was said to {@link updateLater}. */
  onCause(listener: (cause: number) => void): void {
    this.parts.onCause = listener;
  }

  /** Prefixes whose choice is due. */
  get deferredCount(): number {
    return this.ipv4.deferredCount + this.ipv6.deferredCount;
  }

  /** Makes the choices that are due, up to `most` a family; true where some are left. */
  settle(most = Number.POSITIVE_INFINITY): boolean {
    let isLeft = false;
    for (const rib of this.families) isLeft = rib.settle(most) || isLeft;
    return isLeft;
  }

  /** RFC 4724 section 4.2: what the peer has not announced again is gone. */
  endOfRib(row: number, family: FamilyKey): void {
    this.sweepStale(row, family);
  }

  /** What the peer announces from now on replaces all that it had (RFC 7313: Beginning-of-RR). */
  markStale(row: number, family: FamilyKey): void {
    const rib = this.familyRib(family);
    if (rib === null) return;
    this.eachPath(rib, row, (path) => {
      // what is long-lived stale stays so until it is announced again
      if (rib.paths.stale[path] === 0) rib.setStale(path, STALE.graceful);
    });
  }

  /** Removes the peer's stale paths of the family; a peer that is down and has none left is forgotten. */
  sweepStale(row: number, family: FamilyKey): void {
    this.settle();
    const rib = this.familyRib(family);
    const peer = this.peer(row);
    if (rib === null) return;
    this.eachPath(rib, row, (path) => {
      if (rib.paths.stale[path] !== 0) rib.removePath(path);
    });
    this.freeIfUnused(peer);
  }

  /** RFC 9494 section 4.2: the peer's stale paths stay, least preferred; those that say NO_LLGR go. */
  keepLongLived(row: number, family: FamilyKey): void {
    this.settle();
    const rib = this.familyRib(family);
    const peer = this.peer(row);
    if (rib === null) return;
    this.eachPath(rib, row, (path) => {
      if (rib.paths.stale[path] === 0) return;
      const { marks } = this.store.columns;
      if ((marks[rib.paths.set[path]!]! & MARK.noLlgr) !== 0) rib.removePath(path);
      else rib.setStale(path, STALE.longLived);
    });
    this.freeIfUnused(peer);
  }

  /** RFC 2918: the peer wants everything again. */
  routeRefresh(row: number, family: FamilyKey): void {
    this.outs[row]?.get(family)?.refresh();
  }

  /** Another import policy: it holds at once for everything that the peer has announced, stale paths among it. */
  setImportPolicy(row: number, policy: Policy): void {
    this.settle();
    const peer = this.peer(row);
    peer.settings = { ...peer.settings, import: policy };
    peer.importPolicy = new PolicyRunner(policy, this.store);
    for (const rib of this.families) importAgain(rib, row, this.imports[row]!);
  }

  /**
   * Leads traffic away from a peer, or no longer: what it announces gets the lowest LOCAL_PREF, and what it is told the
   * community GRACEFUL_SHUTDOWN (RFC 8326), at once and until this is called again or the session ends.
   */
  setDraining(row: number, isDraining: boolean): void {
    this.settle();
    const peer = this.peer(row);
    if (peer.isDraining === isDraining) return;
    peer.isDraining = isDraining;
    for (const rib of this.families) importAgain(rib, row, this.imports[row]!);
    this.setExportPolicy(row, peer.settings.export);
  }

  /** Another export policy: what follows from it is pending at once. */
  setExportPolicy(row: number, exportPolicy: Policy): void {
    const peer = this.peer(row);
    const exportedNothing = peer.settings.export === 'none';
    peer.settings = { ...peer.settings, export: exportPolicy };
    peer.exportPolicy = new PolicyRunner(exportPolicy, this.store);
    for (const rib of this.families) {
      const out = this.outs[row]!.get(rib.family);
      if (out === undefined) continue;
      if (exportedNothing && exportPolicy !== 'none' && !rib.outs.includes(out)) {
        rib.addOut(row, out, this.pathsFor(peer, rib.family));
        continue;
      }
      for (let prefix = 0; prefix < rib.table.rows; prefix++) {
        if (rib.table.isUsed(prefix)) out.mark(prefix);
      }
    }
  }

  /** A route of our own. ORIGIN and AS_PATH are IGP and empty where `attributes` do not have them. */
  announceLocal(prefix: Prefix, attributes: readonly PathAttribute[]): void {
    const rib = prefix.address.family === 4 ? this.ipv4 : this.ipv6;
    const missing = [ORIGIN_IGP, EMPTY_PATH].filter(({ code }) => !attributes.some((a) => a.code === code));
    const out = this.octets;
    out.rewind();
    const sorted = [...missing, ...attributes].sort((a, b) => a.code - b.code);
    for (const attribute of sorted) encodeAttribute(attribute, out, OFFLINE);
    const set = this.internWritten();
    const { w0, w1, w2, w3 } = prefix.address;
    rib.announce(LOCAL_PEER, 0, set, set, EXCLUDED.no, w0, w1, w2, w3, prefix.length);
    this.store.discardUnused(set);
  }

  withdrawLocal(prefix: Prefix): void {
    const rib = prefix.address.family === 4 ? this.ipv4 : this.ipv6;
    const { w0, w1, w2, w3 } = prefix.address;
    rib.withdraw(LOCAL_PEER, 0, w0, w1, w2, w3, prefix.length);
  }

  hasPending(row: number): boolean {
    for (const out of this.outs[row]?.values() ?? []) if (out.hasPending) return true;
    return false;
  }

  /**
   * Packs what is pending for the peer, until nothing is left or some `budgetOctets` have been written (one
   * attribute set more at most). True where something is left. The caller flushes the packer.
   */
  pump(row: number, packer: UpdatePacker, budgetOctets: number): boolean {
    const until = packer.octets + budgetOctets;
    let isLeft = false;
    for (const out of this.outs[row]?.values() ?? []) {
      out.pump(packer, until);
      isLeft ||= out.hasPending;
    }
    return isLeft;
  }

  /** What the peer has been told of a family; null where nothing is exported to it. */
  outOf(row: number, family: FamilyKey): AdjRibOut | null {
    return this.outs[row]?.get(family) ?? null;
  }

  counts(row: number, family: FamilyKey): PeerCounts {
    const rib = this.familyRib(family);
    if (rib === null) return { received: 0, accepted: 0, best: 0, announced: 0 };
    return {
      received: rib.received[row] ?? 0,
      accepted: rib.accepted[row] ?? 0,
      best: rib.chosen[row] ?? 0,
      announced: this.outs[row]?.get(family)?.announcedCount ?? 0,
    };
  }

  /** Paths of the prefix that share the traffic, best first. Not for the hot path. */
  sharedPaths(rib: FamilyRib, prefix: number): number[] {
    rib.settlePrefix(prefix);
    const { choice } = this.parts;
    choice.choose(rib.paths, rib.first[prefix]! - 1);
    return [...choice.shared];
  }

  private peer(row: number): RibPeer {
    const peer = this.peers[row];
    if (peer === null || peer === undefined) throw new RangeError(`Rib: no peer has row ${row}`);
    return peer;
  }

  private familiesOf(peer: RibPeer): ReadonlySet<FamilyKey> {
    return peer.settings.context.families ?? new Set([IPV4_UNICAST, IPV6_UNICAST]);
  }

  private pathsFor(peer: RibPeer, family: FamilyKey): 'best' | 'all' {
    return peer.settings.context.addPathSend.has(family) ? 'all' : 'best';
  }

  private openOut(peer: RibPeer, rib: FamilyRib): void {
    const { store } = this;
    const paths = this.pathsFor(peer, rib.family);
    const rules = new ExportRules(peer, store, this.settings.localAsn);
    const writer = new EgressWriter(peer, rib.family, store, rules, this.settings.localAsn);
    const out =
      paths === 'best'
        ? new SinglePathOut(rib, store, writer, (prefix) => this.wantOfBest(rib, peer, rules, prefix))
        : new AddPathOut(rib, store, writer, (prefix, ids, wants) =>
            this.wantedPaths(rib, peer, rules, prefix, ids, wants),
          );
    this.outs[peer.row]!.set(rib.family, out);
    // nothing leaves under "none", but End-of-RIB does
    if (peer.settings.export !== 'none') rib.addOut(peer.row, out, paths);
    out.endOfRibAfterPending();
  }

  private wantOfBest(rib: FamilyRib, peer: RibPeer, rules: ExportRules, prefix: number): number {
    rib.settlePrefix(prefix);
    const best = rib.best[prefix]! - 1;
    return best < 0 ? NOTHING : this.wantOfPath(rib, peer, rules, prefix, best);
  }

  private wantOfPath(
    rib: FamilyRib,
    peer: RibPeer,
    rules: ExportRules,
    prefix: number,
    path: number,
  ): number {
    const { paths, table } = rib;
    const owner = paths.owner[path]! - 1;
    if (owner === peer.row) return NOTHING;
    const source = this.peers[owner]!;
    const stale = paths.stale[path]!;
    const length = table.lengths[prefix]!;
    const { words, width } = table;
    const at = prefix * width;
    if (width === 1) return rules.want(source, paths.set[path]!, stale, words[at]!, 0, 0, 0, length);
    return rules.want(
      source,
      paths.set[path]!,
      stale,
      words[at]!,
      words[at + 1]!,
      words[at + 2]!,
      words[at + 3]!,
      length,
    );
  }

  private wantedPaths(
    rib: FamilyRib,
    peer: RibPeer,
    rules: ExportRules,
    prefix: number,
    pathIds: number[],
    wants: number[],
  ): void {
    rib.settlePrefix(prefix);
    const { paths } = rib;
    for (let path = rib.first[prefix]! - 1; path >= 0; path = paths.next[path]!) {
      if (paths.excluded[path] !== EXCLUDED.no) continue;
      const want = this.wantOfPath(rib, peer, rules, prefix, path);
      if (want === NOTHING) continue;
      pathIds.push(path + 1);
      wants.push(want);
    }
  }

  private internNlri(update: UpdateView, context: CodecContext): number {
    if (update.attributesAreCanonical) {
      return this.store.intern(update.bytes, update.view, update.attributesAt, update.attributesEnd);
    }
    return this.internNotCanonical(update, context, 'nlri');
  }

  private internNotCanonical(update: UpdateView, context: CodecContext, field: NlriField): number {
    const out = this.octets;
    out.rewind();
    writeAttributeSet(update, context, field, out);
    return this.internWritten();
  }

  private internWritten(): number {
    return this.store.intern(this.octets.buffer, this.octets.view, 0, this.octets.at);
  }

  /** The prefixes before which the cursor stands have `set` from now on. */
  private announceAll(row: number, rib: FamilyRib, set: number): void {
    const cursor = this.cursor;
    const { words } = cursor;
    const rules = this.imports[row]!;
    const asksPrefix = rules.begin(set);
    while (cursor.next()) {
      const w0 = words[0]!;
      const w1 = words[1]!;
      const w2 = words[2]!;
      const w3 = words[3]!;
      if (asksPrefix) rules.forPrefix(w0, w1, w2, w3, cursor.length);
      const excluded = rib.isUnicast(w0, cursor.length) ? rules.excluded : EXCLUDED.notUnicast;
      rib.announce(row, cursor.pathId, set, rules.set, excluded, w0, w1, w2, w3, cursor.length);
    }
    rules.end();
  }

  private withdrawAll(row: number, rib: FamilyRib): void {
    const cursor = this.cursor;
    const { words } = cursor;
    while (cursor.next()) {
      rib.withdraw(row, cursor.pathId, words[0]!, words[1]!, words[2]!, words[3]!, cursor.length);
    }
  }

  /** Every path of the peer; the visitor may remove it. */
  private eachPath(rib: FamilyRib, row: number, visit: (path: number) => void): void {
    const { paths } = rib;
    const owner = row + 1;
    for (let path = 0; path < paths.rows && (rib.received[row] ?? 0) > 0; path++) {
      if (paths.owner[path] === owner) visit(path);
    }
  }

  private freeIfUnused(peer: RibPeer): void {
    const { row } = peer;
    if (peer.state === 'up' || this.families.some((rib) => (rib.received[row] ?? 0) > 0)) return;
    this.peers[row] = null;
    this.imports[row] = null;
    this.outs[row] = new Map();
  }
}

/** Ourselves as the source of local routes: nothing is imported from or exported to row 0. */
function localSettings({ routerId }: RibSettings): RibPeerSettings {
  return {
    name: 'local',
    address: LOCAL_ADDRESS,
    bgpId: routerId,
    context: OFFLINE,
    import: 'all',
    export: 'none',
    nextHop4: null,
    nextHop6: null,
    nextHops: 'any',
    internalNextHop: 'self',
    role: null,
    takesLongLivedStale: false,
  };
}
