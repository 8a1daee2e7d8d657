/**
 * The RIB of one family: prefixes, their paths, the chosen one of each, the next hops that follow, and what the
 * peers are to be told. Everything is a column beside the prefix table's rows.
 */
import { type FamilyKey, IPV4_UNICAST } from '../codec/address-family.js';
import type { AdjRibOut, OutFamily } from './adj-rib-out.js';
import { MARK } from './attribute-columns.js';
import type { AttributeStore } from './attribute-store.js';
import { LOCAL_PEER, type PathChoice } from './best-path.js';
import { grownColumn } from './grown-column.js';
import { type NextHopSetTable, NO_HOPS } from './next-hop-set-table.js';
import { EXCLUDED, PathTable, STALE } from './path-table.js';
import { PrefixTable } from './prefix-table.js';

/** The next hops of a prefix have changed: both are sets of the next-hop set table, valid during the call. */
export type RouteListener = (rib: FamilyRib, prefix: number, before: number, after: number) => void;

export interface FamilyRibParts {
  readonly store: AttributeStore;
  readonly hopSets: NextHopSetTable;
  readonly choice: PathChoice;
  readonly maxPaths: number;
  onRoute: RouteListener | null;
  nowS: number;
  /** prefixes with several paths are chosen later, by {@link FamilyRib.settle} */
  isDeferring: boolean;
  /** whose doing the changes in hand are: a number of the caller's, remembered for what is chosen later */
  cause: number;
  /** hears whose doing the changes are that follow, where they were deferred */
  onCause: ((cause: number) => void) | null;
}

/** {@link FamilyRib} has a choice to make */
const DUE = 1;
/** and its best path has other attributes, or went */
const TELL = 2;

const NOBODY = -1;

export class FamilyRib implements OutFamily {
  readonly table: PrefixTable;
  readonly paths: PathTable;
  /** first path of each prefix + 1 */
  first: Uint32Array<ArrayBuffer>;
  /** best path of each prefix + 1 */
  best: Uint32Array<ArrayBuffer>;
  /** next-hop set of each prefix */
  hops: Uint32Array<ArrayBuffer>;
  /** Adj-RIBs-Out that hold the row */
  private holds: Uint16Array<ArrayBuffer>;

  /** by peer: paths, paths that take part in the choice, best paths */
  received = new Uint32Array(8);
  accepted = new Uint32Array(8);
  chosen = new Uint32Array(8);
  /** prefixes with a best path */
  bestCount = 0;
  /** prefixes with a next hop: entries of the FIB */
  routedCount = 0;
  /** grows with every change of a best path, its attributes or its next hops */
  version = 0;
  /** {@link DUE} and {@link TELL} of each prefix whose choice is deferred */
  private dirty = new Uint8Array(0);
  private dirtyCause = new Uint32Array(0);
  private queue: number[] = [];
  private queueAt = 0;
  readonly outs: AdjRibOut[] = [];
  /** peer row of each of {@link outs} */
  readonly outPeers: number[] = [];
  /** Adj-RIBs-Out with ADD-PATH: each path counts, not the best one alone */
  allPathsOuts = 0;

  constructor(
    readonly family: FamilyKey,
    bits: 32 | 128,
    private readonly parts: FamilyRibParts,
    room: number,
  ) {
    this.table = new PrefixTable(bits, room);
    this.paths = new PathTable(room);
    this.first = new Uint32Array(room);
    this.best = new Uint32Array(room);
    this.hops = new Uint32Array(room);
    this.holds = new Uint16Array(room);
  }

  addPeer(row: number): void {
    if (row < this.received.length) return;
    const rows = 2 * row;
    this.received = grownColumn(this.received, rows);
    this.accepted = grownColumn(this.accepted, rows);
    this.chosen = grownColumn(this.chosen, rows);
  }

  addOut(peer: number, out: AdjRibOut, paths: 'best' | 'all'): void {
    this.outs.push(out);
    this.outPeers.push(peer);
    if (paths === 'all') this.allPathsOuts++;
    for (let prefix = 0; prefix < this.table.rows; prefix++) {
      if (this.best[prefix] !== 0 && this.table.isUsed(prefix)) this.markFor(out, peer, prefix);
    }
  }

  removeOut(out: AdjRibOut, paths: 'best' | 'all'): void {
    const at = this.outs.indexOf(out);
    if (at >= 0) {
      this.outs.splice(at, 1);
      this.outPeers.splice(at, 1);
      if (paths === 'all') this.allPathsOuts--;
    }
    out.close();
  }

  hold(prefix: number): void {
    this.holds[prefix]!++;
  }

  unhold(prefix: number): void {
    this.holds[prefix]!--;
    this.freeIfUnused(prefix);
  }

  /** Whether a prefix that begins with `w0` can have a unicast route: not one inside multicast or link-local space. */
  isUnicast(w0: number, length: number): boolean {
    if (this.family === IPV4_UNICAST) return length < 4 || w0 >>> 28 !== 0xe;
    return (length < 8 || w0 >>> 24 !== 0xff) && (length < 10 || w0 >>> 22 !== 0xfe80 >>> 6);
  }

  /** Path of the prefix from that peer with that id, or -1. */
  pathOf(prefix: number, peer: number, pathId: number): number {
    const { next, owner, pathId: ids } = this.paths;
    let path = this.first[prefix]! - 1;
    while (path >= 0 && (owner[path] !== peer + 1 || ids[path] !== pathId)) path = next[path]!;
    return path;
  }

  /**
   * The peer announces a path with the attribute set `received`, of which the import rules make `set`; `excluded`
   * says why it may not be used.
   */
  announce(
    peer: number,
    pathId: number,
    received: number,
    set: number,
    excluded: number,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    length: number,
  ): void {
    const { paths } = this;
    const { store } = this.parts;
    const prefix = this.table.intern(w0, w1, w2, w3, length);
    if (prefix >= this.first.length) this.grow();
    let path = this.first[prefix] === 0 ? NOBODY : this.pathOf(prefix, peer, pathId);
    if (path < 0) {
      path = paths.add(prefix, peer, pathId);
      paths.next[path] = this.first[prefix]! - 1;
      this.first[prefix] = path + 1;
      this.received[peer]!++;
      store.retain(received);
      store.retain(set);
      paths.received[path] = received;
      paths.sinceS[path] = this.parts.nowS;
      paths.set[path] = set;
      paths.excluded[path] = excluded;
      if (excluded === EXCLUDED.no) this.accepted[peer]!++;
      this.decide(prefix, path);
      return;
    }
    const wasStale = paths.stale[path];
    const before = paths.received[path]!;
    paths.stale[path] = 0;
    if (before !== received) {
      store.retain(received);
      paths.received[path] = received;
      paths.sinceS[path] = this.parts.nowS;
    }
    const isChanged = paths.set[path] !== set || paths.excluded[path] !== excluded;
    if (isChanged) this.replace(path, set, excluded);
    // only now: `set` may be what was received before
    if (before !== received) store.release(before);
    if (isChanged || wasStale === STALE.longLived) this.decide(prefix, path);
  }

  /** The import rules now make `set` of what the peer announced. */
  importAgain(path: number, set: number, excluded: number): void {
    const { paths } = this;
    // no policy makes a unicast route of it
    if (paths.excluded[path] === EXCLUDED.notUnicast) return;
    if (paths.set[path] === set && paths.excluded[path] === excluded) return;
    this.replace(path, set, excluded);
    this.decide(paths.prefix[path]!, path);
  }

  /** The peer withdraws a path; nothing happens where it has none. */
  withdraw(
    peer: number,
    pathId: number,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    length: number,
  ): void {
    const prefix = this.table.find(w0, w1, w2, w3, length);
    if (prefix < 0) return;
    const path = this.pathOf(prefix, peer, pathId);
    if (path >= 0) this.removePath(path);
  }

  removePath(path: number): void {
    const { paths } = this;
    const prefix = paths.prefix[path]!;
    const peer = paths.owner[path]! - 1;
    this.unlink(prefix, path);
    this.received[peer]!--;
    if (paths.excluded[path] === EXCLUDED.no) this.accepted[peer]!--;
    if (this.best[prefix] === path + 1) this.forgetBest(prefix, peer);
    this.parts.store.release(paths.set[path]!);
    this.parts.store.release(paths.received[path]!);
    paths.remove(path);
    this.decide(prefix, NOBODY);
    this.freeIfUnused(prefix);
  }

  /** The path has become stale, or is no longer. */
  setStale(path: number, stale: number): void {
    const { paths } = this;
    const before = paths.stale[path];
    paths.stale[path] = stale;
    // only long-lived stale paths are chosen differently
    if (before !== stale && (before === STALE.longLived || stale === STALE.longLived)) {
      this.decide(paths.prefix[path]!, path);
    }
  }

  private replace(path: number, set: number, excluded: number): void {
    const { paths } = this;
    const { store } = this.parts;
    const peer = paths.owner[path]! - 1;
    if (paths.excluded[path] === EXCLUDED.no) this.accepted[peer]!--;
    if (excluded === EXCLUDED.no) this.accepted[peer]!++;
    store.retain(set);
    store.release(paths.set[path]!);
    paths.set[path] = set;
    paths.excluded[path] = excluded;
  }

  /** Chooses again; `changed` is a path that is new, has other attributes or another state. */
  private decide(prefix: number, changed: number): void {
    const { paths, parts } = this;
    const first = this.first[prefix]! - 1;
    const before = this.best[prefix]! - 1;
    if (parts.isDeferring && first >= 0 && paths.next[first]! >= 0) {
      this.defer(prefix, changed >= 0 && changed === before ? DUE | TELL : DUE);
      return;
    }
    let best = NOBODY;
    let hops = NO_HOPS;
    if (first >= 0 && paths.next[first]! < 0) {
      if (paths.excluded[first] === EXCLUDED.no) {
        best = first;
        hops = this.soloHops(first);
      }
    } else if (first >= 0) {
      parts.choice.choose(paths, first);
      best = parts.choice.best;
      hops = this.sharedHops();
    }
    if (best !== before) this.setBest(prefix, before, best);
    if (hops !== this.hops[prefix]) this.setHops(prefix, hops);
    if (best !== before || (changed >= 0 && changed === best)) this.markBest(prefix);
    else if (this.allPathsOuts > 0) this.markAll(prefix);
  }

  /** Prefixes whose choice is due. */
  get deferredCount(): number {
    return this.queue.length - this.queueAt;
  }

  /** Makes the choice of up to `most` prefixes that it is due for; true where some are left. */
  settle(most: number): boolean {
    for (let n = 0; n < most && this.queueAt < this.queue.length; n++) {
      this.settlePrefix(this.queue[this.queueAt++]!);
    }
    if (this.queueAt < this.queue.length) return true;
    this.queue = [];
    this.queueAt = 0;
    return false;
  }

  /** The choice of one prefix, where it is due. */
  settlePrefix(prefix: number): void {
    const state = prefix < this.dirty.length ? this.dirty[prefix]! : 0;
    if (state === 0) return;
    const { parts } = this;
    this.dirty[prefix] = 0;
    const { isDeferring } = parts;
    parts.isDeferring = false;
    parts.onCause?.(this.dirtyCause[prefix]!);
    this.decide(prefix, (state & TELL) !== 0 ? this.best[prefix]! - 1 : NOBODY);
    parts.isDeferring = isDeferring;
    this.unhold(prefix);
  }

  private defer(prefix: number, state: number): void {
    if (prefix >= this.dirty.length) {
      this.dirty = grownColumn(this.dirty, this.table.capacity);
      this.dirtyCause = grownColumn(this.dirtyCause, this.table.capacity);
    }
    if (this.dirty[prefix] === 0) {
      this.hold(prefix);
      this.queue.push(prefix);
    }
    this.dirty[prefix]! |= state;
    this.dirtyCause[prefix] = this.parts.cause;
  }

  private setBest(prefix: number, before: number, best: number): void {
    const { owner } = this.paths;
    if (before >= 0) {
      this.chosen[owner[before]! - 1]!--;
      this.bestCount--;
    }
    if (best >= 0) {
      this.chosen[owner[best]! - 1]!++;
      this.bestCount++;
    }
    this.best[prefix] = best + 1;
  }

  /** The best path is about to go: its row may soon be another path's. */
  private forgetBest(prefix: number, peer: number): void {
    this.best[prefix] = 0;
    this.bestCount--;
    this.chosen[peer]!--;
    this.markBest(prefix);
  }

  private soloHops(path: number): number {
    const { columns } = this.parts.store;
    const set = this.paths.set[path]!;
    if (this.paths.owner[path] === LOCAL_PEER + 1 || (columns.marks[set]! & MARK.hasNextHop) === 0) {
      return NO_HOPS;
    }
    return this.parts.hopSets.internOne(columns.nextHop[set]!, this.parts.nowS);
  }

  private sharedHops(): number {
    const { choice, hopSets, store, nowS } = this.parts;
    const { nextHop } = store.columns;
    if (choice.shared.length === 1)
      return hopSets.internOne(nextHop[this.paths.set[choice.shared[0]!]!]!, nowS);
    return hopSets.intern(
      choice.shared.map((path) => nextHop[this.paths.set[path]!]!),
      nowS,
    );
  }

  private setHops(prefix: number, hops: number): void {
    const { parts } = this;
    const before = this.hops[prefix]!;
    parts.hopSets.retain(hops);
    this.hops[prefix] = hops;
    this.routedCount += (hops === NO_HOPS ? 0 : 1) - (before === NO_HOPS ? 0 : 1);
    this.version++;
    if (parts.onRoute !== null) parts.onRoute(this, prefix, before, hops);
    parts.hopSets.release(before, parts.nowS);
  }

  private markBest(prefix: number): void {
    this.version++;
    const { outs, outPeers } = this;
    for (let i = 0; i < outs.length; i++) this.markFor(outs[i]!, outPeers[i]!, prefix);
  }

  private markAll(prefix: number): void {
    for (const out of this.outs) out.mark(prefix);
  }

  /** A peer that has nothing of the prefix and announced its only path itself has nothing to be told. */
  private markFor(out: AdjRibOut, peer: number, prefix: number): void {
    const best = this.best[prefix]! - 1;
    if (!out.hasAnnounced(prefix)) {
      if (best < 0) return;
      if (this.paths.owner[best] === peer + 1 && this.paths.next[this.first[prefix]! - 1]! < 0) return;
    }
    out.mark(prefix);
  }

  private unlink(prefix: number, path: number): void {
    const { next } = this.paths;
    let before = this.first[prefix]! - 1;
    if (before === path) {
      this.first[prefix] = next[path]! + 1;
      return;
    }
    while (next[before] !== path) before = next[before]!;
    next[before] = next[path]!;
  }

  private freeIfUnused(prefix: number): void {
    if (this.first[prefix] === 0 && this.holds[prefix] === 0) this.table.remove(prefix);
  }

  private grow(): void {
    const rows = this.table.capacity;
    this.first = grownColumn(this.first, rows);
    this.best = grownColumn(this.best, rows);
    this.hops = grownColumn(this.hops, rows);
    this.holds = grownColumn(this.holds, rows);
  }
}
