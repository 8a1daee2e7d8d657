/**
 * The limit of a node's connection table, nf_conntrack_max. A connection costs an entry on the node that it enters and
 * another, as a guest, on the node of its pod, whose table sees the translated packets pass.
 *
 * Where the limit is reached, entries that have expired go first; then one that is not assured may have to go, if the
 * kernel finds it (conntrack/early-drop.ts); otherwise the packet is dropped, and nothing reaches the client.
 *
 * Expiry is found through a heap of lower bounds: an entry's bound is brought up to date when it comes to the
 * top, and pushed again where a change of state shortens its life. While no limit can be reached (fewer flows
 * than the smallest limit) none of this is kept.
 */
import type { ClusterModel } from '../cluster/model.js';
import { findsVictim, tryOrdinal } from '../conntrack/early-drop.js';
import type { FlowPlan } from '../outcome/flow-plan.js';
import { draw, Stream } from '../state/draw.js';
import { DEAD, ENTRY_ASSURED, ENTRY_HOSTED, type EntryPool } from './entry-pool.js';

/** What the limits need of the entries' owner. */
export interface EntryLife {
  expiresS(e: number): number;
  remove(e: number): void;
}

/** Rows in order of making, and how many of the first are known to be dead or assured. */
interface Made {
  readonly rows: number[];
  passed: number;
}

export class TableLimits {
  /** a table was full when somebody came */
  wasFull = false;
  private readonly max: number;
  private readonly seed: number;
  private readonly near: boolean;
  /** per node: entries of its own, entries of other nodes whose packets pass through, and how many of both may go */
  private readonly living: number[];
  private readonly guests: number[];
  private readonly unassured: number[];
  private readonly expiry: ExpiryHeap[];
  private readonly made: Made[];
  private readonly hosted: Made[];

  constructor(
    model: ClusterModel,
    plan: FlowPlan,
    private readonly entries: EntryPool,
    private readonly life: EntryLife,
    private readonly nodeOfPod: (pod: number) => number,
  ) {
    this.max = model.dataplane.conntrack.max;
    this.seed = model.seed;
    // a flow has one living entry a node at most, or one a pod where a load balancer sends to pods itself
    const direct = model.edge?.pools.some(({ target }) => target === 'pod') === true;
    const pods = direct ? model.services.reduce((sum, { endpoints }) => sum + endpoints.length, 1) : 1;
    // and one more on the pod's node
    this.near = 2 * plan.count * pods >= this.max;
    this.living = model.nodes.map(() => 0);
    this.guests = model.nodes.map(() => 0);
    this.unassured = model.nodes.map(() => 0);
    this.expiry = model.nodes.map(() => new ExpiryHeap());
    this.made = model.nodes.map(() => ({ rows: [], passed: 0 }));
    this.hosted = model.nodes.map(() => ({ rows: [], passed: 0 }));
  }

  addNode(): void {
    this.living.push(0);
    this.guests.push(0);
    this.unassured.push(0);
    this.expiry.push(new ExpiryHeap());
    this.made.push({ rows: [], passed: 0 });
    this.hosted.push({ rows: [], passed: 0 });
  }

  added(e: number): void {
    if (!this.near) return;
    const node = this.entries.node[e]!;
    this.living[node]!++;
    if (!this.isAssured(e)) this.unassured[node]!++;
    this.made[node]!.rows.push(e);
    this.expiry[node]!.push(e, this.life.expiresS(e));
  }

  removed(e: number): void {
    if (!this.near) return;
    const node = this.entries.node[e]!;
    this.living[node]!--;
    if (!this.isAssured(e)) this.unassured[node]!--;
    this.unhost(e);
  }

  /** The entry becomes assured: it may no longer be given up. */
  assured(e: number): void {
    if (!this.near || this.isAssured(e)) return;
    this.unassured[this.entries.node[e]!]!--;
    if ((this.entries.marks[e]! & ENTRY_HOSTED) !== 0) this.unassured[this.homeOf(e)]!--;
  }

  /** The entry's state changed, and with it when it expires. */
  changed(e: number): void {
    if (!this.near) return;
    this.expiry[this.entries.node[e]!]!.push(e, this.life.expiresS(e));
  }

  /** Whether the node can take one more entry, for a packet of the flow `key`; makes room where it may. */
  makeRoom(node: number, key: number, nowS: number): boolean {
    if (!this.near || !this.isFull(node)) return true;
    for (let other = 0; other < this.living.length; other++) this.expire(other, nowS);
    if (!this.isFull(node)) return true;
    this.wasFull = true;
    const u32 = draw(this.seed, node, Stream.earlyDrop, key, tryOrdinal(nowS));
    if (!findsVictim(this.unassured[node]!, this.max, u32)) return false;
    const own = this.oldest(this.made[node]!);
    if (own >= 0) this.life.remove(own);
    else {
      const hosted = this.hosted[node]!;
      this.unhost(this.oldest(hosted));
      hosted.passed++;
    }
    return true;
  }

  /** Whether the table of the pod's node has an entry for the translated packet of `e`, or takes one. */
  host(e: number, key: number, nowS: number): boolean {
    if (!this.near || (this.entries.marks[e]! & ENTRY_HOSTED) !== 0) return true;
    const home = this.homeOf(e);
    if (home < 0 || home === this.entries.node[e]) return true;
    if (!this.makeRoom(home, key, nowS)) return false;
    this.entries.marks[e]! |= ENTRY_HOSTED;
    this.guests[home]!++;
    if (!this.isAssured(e)) this.unassured[home]!++;
    this.hosted[home]!.rows.push(e);
    return true;
  }

  /** A node has booted: it knows no guests. Its own entries are removed one by one. */
  forget(node: number): void {
    if (!this.near) return;
    const { rows } = this.hosted[node]!;
    for (const e of rows) if (this.entries.state[e] !== DEAD) this.unhost(e);
    this.hosted[node] = { rows: [], passed: 0 };
  }

  private unhost(e: number): void {
    if ((this.entries.marks[e]! & ENTRY_HOSTED) === 0) return;
    const home = this.homeOf(e);
    this.entries.marks[e]! &= ~ENTRY_HOSTED;
    this.guests[home]!--;
    if (!this.isAssured(e)) this.unassured[home]!--;
  }

  /** The oldest of these that is not assured, or -1. */
  private oldest(made: Made): number {
    const { state } = this.entries;
    for (; made.passed < made.rows.length; made.passed++) {
      const e = made.rows[made.passed]!;
      const isGuestNoMore =
        made !== this.made[this.entries.node[e]!] && (this.entries.marks[e]! & ENTRY_HOSTED) === 0;
      if (state[e] !== DEAD && !this.isAssured(e) && !isGuestNoMore) return e;
    }
    return -1;
  }

  private isAssured(e: number): boolean {
    return (this.entries.marks[e]! & ENTRY_ASSURED) !== 0;
  }

  private homeOf(e: number): number {
    return this.nodeOfPod(this.entries.pod[e]!);
  }

  private isFull(node: number): boolean {
    return this.living[node]! + this.guests[node]! >= this.max;
  }

  private expire(node: number, nowS: number): void {
    const heap = this.expiry[node]!;
    while (heap.size > 0 && heap.firstS < nowS) {
      const e = heap.pop();
      if (this.entries.state[e] === DEAD) continue;
      const expiresS = this.life.expiresS(e);
      if (expiresS < nowS) this.life.remove(e);
      else heap.push(e, expiresS);
    }
  }
}

/** A binary heap of (time, entry); the earliest time is on top. */
class ExpiryHeap {
  private readonly times: number[] = [];
  private readonly rows: number[] = [];

  get size(): number {
    return this.times.length;
  }

  get firstS(): number {
    return this.times[0]!;
  }

  push(row: number, timeS: number): void {
    const { times, rows } = this;
    let at = times.length;
    times.push(timeS);
    rows.push(row);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (times[parent]! <= timeS) break;
      times[at] = times[parent]!;
      rows[at] = rows[parent]!;
      at = parent;
    }
    times[at] = timeS;
    rows[at] = row;
  }

  pop(): number {
    const { times, rows } = this;
    const top = rows[0]!;
    const timeS = times.pop()!;
    const row = rows.pop()!;
    const size = times.length;
    if (size === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && times[child + 1]! < times[child]!) child++;
      if (times[child]! >= timeS) break;
      times[at] = times[child]!;
      rows[at] = rows[child]!;
      at = child;
    }
    times[at] = timeS;
    rows[at] = row;
    return top;
  }
}
