/**
 * What one peer has been told of one family, and what it is still to be told.
 *
 * A change marks its prefix as pending, once however often it changes; `pump` later compares what the peer has
 * with what it should have, and only a difference is sent. So a route that went and came back in between costs no
 * message, and a peer that reads slowly gets the newest state, never a backlog.
 *
 * Pending prefixes are taken in batches and each batch is grouped by attributes, so that what was announced in
 * one UPDATE leaves in one again. The order between prefixes has no meaning in BGP.
 */
import type { FamilyKey } from '../codec/address-family.js';
import type { UpdatePacker } from '../codec/update-packer.js';
import type { AttributeStore } from './attribute-store.js';
import type { EgressWriter } from './egress-writer.js';
import { NOTHING, setOfWant } from './export-rules.js';
import { grownColumn } from './grown-column.js';
import type { PrefixTable } from './prefix-table.js';

const BATCH_PREFIXES = 1024;

/** it stands in the queue */
const PENDING = 1;
/** its row in the prefix table is ours to keep: it is pending or announced */
const HELD = 2;

/** announced, but the peer is to get it again whatever it has */
export const AGAIN = 0xffffffff;

/** A route as a peer has it. */
export interface AnnouncedRoute {
  readonly pathId: number;
  /** as the peer got them, without NEXT_HOP where that is in MP_REACH_NLRI */
  readonly attributes: Uint8Array;
  readonly nextHop: Uint8Array | number;
}

/** What an Adj-RIB-Out needs to know of the family's RIB. */
export interface OutFamily {
  readonly family: FamilyKey;
  readonly table: PrefixTable;
  /** `prefix` is announced or pending somewhere: its row must not be used again */
  hold(prefix: number): void;
  unhold(prefix: number): void;
}

export interface OutChange {
  prefix: number;
  pathId: number;
  want: number;
}

export abstract class AdjRibOut {
  /** prefixes announced (with ADD-PATH: paths) */
  announcedCount = 0;
  /** batch in hand: changes found, linked by what they want */
  protected readonly changes: OutChange[] = [];
  protected changeCount = 0;

  private queue = new Uint32Array(1024);
  /** positions since the beginning; the queue is a ring of power-of-two size */
  private head = 0;
  private tail = 0;
  /** {@link PENDING} and {@link HELD} of each prefix */
  private state = new Uint8Array(0);
  private readonly batch = new Uint32Array(BATCH_PREFIXES);
  /** End-of-RIB is due once everything before this position has left; -1 = not */
  private endOfRibAt = -1;
  private readonly groupOf = new Map<number, number>();
  private readonly groupHead: number[] = [];
  private readonly groupTail: number[] = [];
  private readonly nextInGroup: number[] = [];

  constructor(
    protected readonly family: OutFamily,
    protected readonly store: AttributeStore,
    private readonly writer: EgressWriter,
  ) {}

  get hasPending(): boolean {
    return this.head < this.tail || this.endOfRibAt >= 0;
  }

  get pendingCount(): number {
    return this.tail - this.head;
  }

  /** Finds what the peer lacks of `prefix`: calls {@link change} for each difference. */
  protected abstract compare(prefix: number): void;
  /** The difference has been sent. */
  protected abstract commit(change: OutChange): void;
  /** Whether the peer has been told anything of `prefix`. */
  abstract hasAnnounced(prefix: number): boolean;
  /** What the peer has of `prefix`: its path ids and wants; {@link AGAIN} for what it is about to get once more. */
  protected abstract has(prefix: number): { readonly pathId: number; readonly want: number }[];
  /** Forgets which attributes the peer has, so that all goes out again. */
  protected abstract forgetAttributes(prefix: number): void;
  /** Every reference is given back; no prefix from `rows` on is announced. */
  protected abstract clear(rows: number): void;

  /** What the peer has of `prefix`, as copies; without what it is about to get once more. Not for the hot path. */
  announced(prefix: number): AnnouncedRoute[] {
    if (!this.hasAnnounced(prefix)) return [];
    return this.has(prefix).flatMap(({ pathId, want }) => {
      const sent = want === AGAIN ? null : this.writer.peek(want);
      return sent === null ? [] : [{ pathId, attributes: sent.attributes.slice(), nextHop: sent.nextHop }];
    });
  }

  /** `prefix` may have changed. */
  mark(prefix: number): void {
    if (this.state.length <= prefix) this.state = grownColumn(this.state, this.family.table.capacity);
    const state = this.state[prefix]!;
    if ((state & PENDING) !== 0) return;
    if (state === 0) this.family.hold(prefix);
    this.state[prefix] = PENDING | HELD;
    if (this.tail - this.head === this.queue.length) this.growQueue();
    this.queue[this.tail++ & (this.queue.length - 1)] = prefix;
  }

  /** Everything marked so far is the initial table: End-of-RIB follows it. */
  endOfRibAfterPending(): void {
    this.endOfRibAt = this.tail;
  }

  /** The peer asks for everything again (RFC 2918): what it has is sent even where nothing has changed. */
  refresh(): void {
    const { table } = this.family;
    for (let prefix = 0; prefix < table.rows; prefix++) {
      if (!table.isUsed(prefix) || !this.hasAnnounced(prefix)) continue;
      this.forgetAttributes(prefix);
      this.mark(prefix);
    }
  }

  /** The session is gone. */
  close(): void {
    this.head = this.tail;
    this.endOfRibAt = -1;
    // the table may shrink as rows are let go
    const rows = Math.min(this.state.length, this.family.table.rows);
    this.clear(rows);
    for (let prefix = 0; prefix < rows; prefix++) if (this.state[prefix] !== 0) this.family.unhold(prefix);
    this.state = new Uint8Array(0);
  }

  /** Packs pending changes until none is left or the packer has written `untilOctets` in all. */
  pump(packer: UpdatePacker, untilOctets: number): void {
    while (this.head < this.tail && packer.octets < untilOctets) this.pumpBatch(packer, untilOctets);
    if (this.endOfRibAt >= 0 && this.head >= this.endOfRibAt) {
      this.endOfRibAt = -1;
      packer.endOfRib(this.family.family);
    }
  }

  protected change(prefix: number, pathId: number, want: number): void {
    const i = this.changeCount++;
    const one = this.changes[i];
    if (one === undefined) this.changes.push({ prefix, pathId, want });
    else {
      one.prefix = prefix;
      one.pathId = pathId;
      one.want = want;
    }
    let group = this.groupOf.get(want);
    if (group === undefined) {
      group = this.groupOf.size;
      this.groupOf.set(want, group);
      this.groupHead[group] = i;
    } else this.nextInGroup[this.groupTail[group]!] = i;
    this.groupTail[group] = i;
    this.nextInGroup[i] = -1;
  }

  private pumpBatch(packer: UpdatePacker, untilOctets: number): void {
    this.changeCount = 0;
    this.groupOf.clear();
    this.writer.begin();
    const count = Math.min(BATCH_PREFIXES, this.tail - this.head);
    for (let i = 0; i < count; i++) {
      const prefix = this.queue[this.head++ & (this.queue.length - 1)]!;
      this.batch[i] = prefix;
      this.state[prefix] = HELD;
      this.compare(prefix);
    }
    let group = 0;
    for (const want of this.groupOf.keys()) {
      if (packer.octets >= untilOctets) break;
      this.sendGroup(packer, want, this.groupHead[group]!);
      group++;
    }
    // what is over the budget stands first in the queue again
    for (let rest = this.groupOf.size - 1; rest >= group; rest--) this.putBack(this.groupHead[rest]!);
    for (let i = 0; i < count; i++) this.letGo(this.batch[i]!);
    this.writer.end();
  }

  private sendGroup(packer: UpdatePacker, want: number, first: number): void {
    const { table, family } = this.family;
    const { words, lengths, width } = table;
    let isSent = true;
    if (want === NOTHING) packer.withdraw(family);
    else if (!this.writer.open(packer, want) && !this.writer.open(packer, want, this.longestOf(first))) {
      // attributes that no message can hold: the route cannot be announced (RFC 4271 section 9.2)
      packer.withdraw(family);
      isSent = false;
    }
    for (let i = first; i >= 0; i = this.nextInGroup[i]!) {
      const change = this.changes[i]!;
      if (!isSent) {
        if (!this.hasAnnounced(change.prefix)) continue;
        change.want = NOTHING;
      }
      const { prefix, pathId } = change;
      const length = lengths[prefix]!;
      const at = prefix * width;
      if (width === 1) packer.add(words[at]!, 0, 0, 0, length, pathId);
      else packer.add(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, length, pathId);
      if (change.want !== NOTHING) this.store.retain(setOfWant(change.want));
      this.commit(change);
    }
  }

  /** Length of the longest prefix of a group: how much room attributes leave is asked of the prefixes themselves. */
  private longestOf(first: number): number {
    let longest = 0;
    for (let i = first; i >= 0; i = this.nextInGroup[i]!) {
      longest = Math.max(longest, this.family.table.lengths[this.changes[i]!.prefix]!);
    }
    return longest;
  }

  /** The row may be used again where nothing is pending or announced. */
  private letGo(prefix: number): void {
    if (this.state[prefix] !== HELD || this.hasAnnounced(prefix)) return;
    this.state[prefix] = 0;
    this.family.unhold(prefix);
  }

  private putBack(first: number): void {
    for (let i = first; i >= 0; i = this.nextInGroup[i]!) {
      const { prefix } = this.changes[i]!;
      if (this.state[prefix] !== HELD) continue;
      this.state[prefix] = PENDING | HELD;
      this.head--;
      this.queue[this.head & (this.queue.length - 1)] = prefix;
    }
  }

  private growQueue(): void {
    const old = this.queue;
    const grown = new Uint32Array(2 * old.length);
    for (let at = this.head; at < this.tail; at++) {
      grown[at & (grown.length - 1)] = old[at & (old.length - 1)]!;
    }
    this.queue = grown;
  }
}
