/**
 * The resilient next-hop group of Linux (type resilient, 5.12 and later): a table of buckets that keeps its flows
 * together when next hops come and go. Rules as observed on a running 6.18 kernel:
 *
 * - a next hop wants the difference of its rounded cumulative shares of the buckets: none, where there are too few;
 * - next hops with fewer than they want stand on a list, the last listed first; buckets are walked in ascending
 *   order, and each bucket to be moved goes to the head of the list until that has what it wants: a fresh table is
 *   therefore filled in reverse order of listing;
 * - buckets of a vanished next hop move at once; others only away from a next hop that has more than it wants, and
 *   only if they are idle: no packet for `idleTimerS`, or none at all since they last moved;
 * - a group that has been unbalanced for longer than `unbalancedTimerS` (if not 0) moves busy buckets too;
 * - while it is unbalanced the table is looked at again at the earliest moment something could move, but not within
 *   half a second of the last time.
 *
 * The kernel's timer wheel rounds a delay up, by an eighth of it at most, and by how much depends on when the machine was
 * started: `timerSeed` draws it. Without it the table is looked at exactly when it is due.
 *
 * All of this holds only if the group is replaced in place. A routing daemon that programs a changed set of next hops
 * as a new group id gets a fresh table (`replace: fresh-group`).
 */
import { mixPair } from './mix.js';
import type { NextHopGroup, WeightedNextHop } from './next-hop-group.js';
import { checkNextHops, cumulativeShares } from './weighted-shares.js';

/** least time between two passes of upkeep */
const UPKEEP_EVERY_S = 0.5;
/** levels of the timer wheel keep three bits of a delay (LVL_CLK_SHIFT of kernel/time/timer.c) */
const TIMER_LATENESS = 1 / 8;
/** what the kernel accepts (u16 number of buckets) */
const MAX_BUCKETS = 65535;
const UNOCCUPIED = -1;

export interface ResilientSettings {
  readonly buckets: number;
  readonly idleTimerS: number;
  readonly unbalancedTimerS: number;
  readonly replace: 'in-place' | 'fresh-group';
  readonly timerSeed?: number | undefined;
}

export class ResilientGroup implements NextHopGroup {
  readonly select = 'resilient';
  deadlineS = Number.POSITIVE_INFINITY;
  version = 0;
  nextHops: readonly WeightedNextHop[] = [];
  /** next-hop id of each bucket */
  private readonly owner: Int32Array;
  private readonly usedS: Float64Array;
  private readonly movedS: Float64Array;
  private readonly wants = new Map<number, number>();
  private readonly has = new Map<number, number>();
  /** ids of next hops with fewer buckets than they want; the head is served first */
  private underweight: number[] = [];
  private unbalancedSinceS = 0;
  private timersSet = 0;

  constructor(
    private readonly settings: ResilientSettings,
    nextHops: readonly WeightedNextHop[],
    nowS: number,
  ) {
    const { buckets } = settings;
    if (!Number.isInteger(buckets) || buckets < 1 || buckets > MAX_BUCKETS) {
      throw new RangeError(`resilient group: expected 1 to ${MAX_BUCKETS} buckets, got ${buckets}`);
    }
    this.owner = new Int32Array(buckets).fill(UNOCCUPIED);
    this.usedS = new Float64Array(buckets);
    this.movedS = new Float64Array(buckets);
    this.replace(nextHops, nowS);
  }

  choose(hash: number, nowS: number): number {
    const bucket = hash % this.owner.length;
    this.usedS[bucket] = nowS;
    return this.owner[bucket]!;
  }

  peek(hash: number): number {
    return this.owner[hash % this.owner.length]!;
  }

  bucketOf(hash: number): number {
    return hash % this.owner.length;
  }

  table(): Int32Array {
    return this.owner;
  }

  replace(nextHops: readonly WeightedNextHop[], nowS: number): void {
    checkNextHops(nextHops);
    if (this.settings.replace === 'fresh-group' && this.nextHops.length > 0) {
      this.owner.fill(UNOCCUPIED);
      this.underweight = [];
    }
    this.nextHops = nextHops;
    this.reckon(nowS);
    this.version++;
    this.upkeep(nowS);
    this.setTimer(nowS);
  }

  advance(nowS: number): boolean {
    if (nowS < this.deadlineS) return false;
    const before = this.version;
    const atS = this.deadlineS;
    this.upkeep(atS);
    this.setTimer(atS);
    return this.version !== before;
  }

  /** After a pass at `nowS`, which counts: the next one is at least half a second away. */
  private setTimer(nowS: number): void {
    this.deadlineS = Math.max(this.deadlineS, nowS + UPKEEP_EVERY_S);
    const { timerSeed } = this.settings;
    if (timerSeed === undefined || this.deadlineS === Number.POSITIVE_INFINITY) return;
    const part = mixPair(timerSeed, this.timersSet++) / 2 ** 32;
    this.deadlineS += (this.deadlineS - nowS) * TIMER_LATENESS * part;
  }

  /** What every next hop wants and has; who is short; since when. Buckets of vanished next hops fall vacant. */
  private reckon(nowS: number): void {
    const { owner, wants, has, nextHops } = this;
    const wasUnbalanced = this.underweight.length > 0;
    wants.clear();
    has.clear();
    for (const { id } of nextHops) has.set(id, 0);
    for (let bucket = 0; bucket < owner.length; bucket++) {
      const count = has.get(owner[bucket]!);
      if (count === undefined) owner[bucket] = UNOCCUPIED;
      else has.set(owner[bucket]!, count + 1);
    }
    const shares = cumulativeShares(nextHops, owner.length);
    this.underweight = [];
    nextHops.forEach(({ id }, i) => {
      wants.set(id, shares[i]! - (shares[i - 1] ?? 0));
      if (has.get(id)! < wants.get(id)!) this.underweight.unshift(id);
    });
    if (this.underweight.length > 0 && !wasUnbalanced) this.unbalancedSinceS = nowS;
  }

  /** One pass over the table; sets {@link deadlineS} to the earliest moment at which another could move something. */
  private upkeep(nowS: number): void {
    const { owner, usedS, movedS, wants, has } = this;
    const { idleTimerS, unbalancedTimerS } = this.settings;
    let deadlineS = nowS + (unbalancedTimerS || idleTimerS);
    for (let bucket = 0; bucket < owner.length; bucket++) {
      const from = owner[bucket]!;
      let moves = from === UNOCCUPIED;
      if (!moves && has.get(from)! > wants.get(from)!) {
        const idleAtS = usedS[bucket] === movedS[bucket] ? nowS : usedS[bucket]! + idleTimerS;
        moves = nowS >= idleAtS;
        if (!moves && unbalancedTimerS > 0) {
          const forcedAtS = this.unbalancedSinceS + unbalancedTimerS;
          moves = nowS > forcedAtS;
          if (!moves) deadlineS = Math.min(deadlineS, forcedAtS);
        }
        if (!moves) deadlineS = Math.min(deadlineS, idleAtS);
      }
      const to = this.underweight[0];
      if (!moves || to === undefined) continue;
      if (from !== UNOCCUPIED) has.set(from, has.get(from)! - 1);
      owner[bucket] = to;
      usedS[bucket] = nowS;
      movedS[bucket] = nowS;
      has.set(to, has.get(to)! + 1);
      if (has.get(to) === wants.get(to)) this.underweight.shift();
      this.version++;
    }
    this.deadlineS = this.underweight.length > 0 ? deadlineS : Number.POSITIVE_INFINITY;
  }
}
