/**
 * The limit of a node's connection table, nf_conntrack_max.
 *
 * Where a limit is reached, entries that have expired go first; then a table that holds entries which are not
 * assured gives up the oldest of them for every newcomer (early drop), and one full of assured entries takes
 * nobody in (observed: silent, nothing reaches the client).
 *
 * Expiry is found through a heap of lower bounds: an entry's bound is brought up to date when it comes to the
 * top, and pushed again where a change of state shortens its life. While no limit can be reached (fewer flows
 * than the smallest limit) none of this is kept.
 */
import type { ClusterModel } from '../cluster/model.js';
import type { FlowPlan } from '../outcome/flow-plan.js';
import { DEAD, ENTRY_ASSURED, type EntryPool } from './entry-pool.js';

/** What the limits need of the entries' owner. */
export interface EntryLife {
  expiresS(e: number): number;
  remove(e: number): void;
}

export class TableLimits {
  private readonly max: number;
  private readonly near: boolean;
  private readonly living: number[];
  /** per node: entries of other nodes whose packets pass through its table on their way to a pod */
  private readonly guests: number[];
  private readonly expiry: ExpiryHeap[];
  /** per node: entries in order of making, and how many of the first are known to be dead or assured */
  private readonly made: { readonly rows: number[]; passed: number }[];

  constructor(
    model: ClusterModel,
    plan: FlowPlan,
    private readonly entries: EntryPool,
    private readonly life: EntryLife,
    private readonly nodeOfPod: (pod: number) => number,
  ) {
    this.max = model.dataplane.conntrack.max;
    // a flow has one living entry a node at most, or one a pod where a load balancer sends to pods itself
    const direct = model.edge?.pools.some(({ target }) => target === 'pod') === true;
    const pods = direct ? model.services.reduce((sum, { endpoints }) => sum + endpoints.length, 1) : 1;
    // and one more on the pod's node
    this.near = 2 * plan.count * pods >= this.max;
    this.living = model.nodes.map(() => 0);
    this.guests = model.nodes.map(() => 0);
    this.expiry = model.nodes.map(() => new ExpiryHeap());
    this.made = model.nodes.map(() => ({ rows: [], passed: 0 }));
  }

  addNode(): void {
    this.living.push(0);
    this.guests.push(0);
    this.expiry.push(new ExpiryHeap());
    this.made.push({ rows: [], passed: 0 });
  }

  added(e: number): void {
    if (!this.near) return;
    const node = this.entries.node[e]!;
    this.living[node]!++;
    this.countGuest(e, 1);
    this.made[node]!.rows.push(e);
    this.expiry[node]!.push(e, this.life.expiresS(e));
  }

  removed(e: number): void {
    if (!this.near) return;
    this.living[this.entries.node[e]!]!--;
    this.countGuest(e, -1);
  }

  /** The entry's state changed, and with it when it expires. */
  changed(e: number): void {
    if (!this.near) return;
    this.expiry[this.entries.node[e]!]!.push(e, this.life.expiresS(e));
  }

  /** Whether the node can take one more entry; makes room where it may. */
  makeRoom(node: number, nowS: number): boolean {
    if (!this.near || this.living[node]! < this.max) return true;
    this.expire(node, nowS);
    if (this.living[node]! < this.max) return true;
    const made = this.made[node]!;
    for (; made.passed < made.rows.length; made.passed++) {
      const e = made.rows[made.passed]!;
      if (this.entries.state[e] === DEAD || (this.entries.marks[e]! & ENTRY_ASSURED) !== 0) continue;
      this.life.remove(e);
      return true;
    }
    return false;
  }

  /**
   * Whether the entry was made where a table, counting what passes through on its way to pods, is as full as it may
   * get. Which of such connections a kernel lets in (early drop looks at eight buckets of its hash) is not modelled.
   */
  isDoubtful(e: number, nowS: number): boolean {
    if (!this.near) return false;
    const home = this.nodeOfPod(this.entries.pod[e]!);
    if (!this.isFull(this.entries.node[e]!) && !(home >= 0 && this.isFull(home))) return false;
    for (let node = 0; node < this.living.length; node++) this.expire(node, nowS);
    return this.isFull(this.entries.node[e]!) || (home >= 0 && this.isFull(home));
  }

  private isFull(node: number): boolean {
    return this.living[node]! + this.guests[node]! > this.max;
  }

  private countGuest(e: number, by: number): void {
    const home = this.nodeOfPod(this.entries.pod[e]!);
    if (home >= 0 && home !== this.entries.node[e]) this.guests[home]! += by;
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
