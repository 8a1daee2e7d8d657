/**
 * What a pcapng file says of packets that were lost in capturing: totals of interfaces (Interface Statistics Blocks,
 * cumulative, of which the last counts), and packets lost before a packet. A writer uses one or the other.
 */

/** interfaces whose totals are kept; a hostile file can name millions */
const MAX_INTERFACES = 1024;

export class DropCounters {
  private readonly totals = new Map<number, number>();
  private since = 0;

  /** A later total of the same interface takes the place of the one before. Returns what was lost in all. */
  setTotal(interfaceNumber: number, dropped: number): number {
    if (this.totals.size < MAX_INTERFACES || this.totals.has(interfaceNumber)) {
      this.totals.set(interfaceNumber, dropped);
    }
    return this.sum();
  }

  /** Packets lost since the packet before. Returns what was lost in all. */
  addSince(dropped: number): number {
    this.since += dropped;
    return this.sum();
  }

  private sum(): number {
    let totals = 0;
    for (const dropped of this.totals.values()) totals += dropped;
    return Math.max(totals, this.since);
  }
}
