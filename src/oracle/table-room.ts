/**
 * The limit of a node's connection table on the byte path: its own entries, and those of connections that entered through
 * other nodes and pass on their way to a pod here (a guest costs an entry too). Whether a full table gives one up is
 * conntrack/early-drop.ts.
 */
import { findsVictim, tryOrdinal } from '../conntrack/early-drop.js';
import { draw, Stream } from '../state/draw.js';
import type { ConntrackTable } from './conntrack-table.js';

/** An entry of another node's table that this node's table knows as well. */
interface Guest {
  readonly from: TableRoom;
  readonly entry: number;
}

export class TableRoom {
  /** rooms of all nodes, this one's too: what has expired anywhere may be a guest here */
  all: readonly TableRoom[] = [this];
  /** it was full, and what it gave up was drawn */
  wasFull = false;
  private guests: Guest[] = [];
  /** by entry of this node's table: whose guest it is */
  private readonly hosts: (TableRoom | undefined)[] = [];

  constructor(
    private readonly node: number,
    private readonly table: ConntrackTable,
    private readonly max: number,
    private readonly seed: number,
    /** a node that has booted since forgets all */
    private readonly catchUp: () => void,
  ) {
    table.onRemove = (entry) => this.hosts[entry]?.dismiss(this, entry);
  }

  /** Whether one more entry fits, for a packet of the flow `key`. */
  make(key: number, nowS: number): boolean {
    if (!this.isFull()) return true;
    for (const room of this.all) {
      room.catchUp();
      room.table.expire(nowS);
    }
    if (!this.isFull()) return true;
    this.wasFull = true;
    const own = [...this.table.entries()].filter((entry) => !this.table.isAssured(entry));
    const guests = this.guests.filter(({ from, entry }) => !from.table.isAssured(entry));
    const u32 = draw(this.seed, this.node, Stream.earlyDrop, key, tryOrdinal(nowS));
    if (!findsVictim(own.length + guests.length, this.max, u32)) return false;
    if (own.length > 0) this.table.remove(own[0]!);
    else this.dismiss(guests[0]!.from, guests[0]!.entry);
    return true;
  }

  /** Whether this node's table, which is the pod's, has an entry for a packet of `from`'s `entry`, or takes one. */
  host(from: TableRoom, entry: number, key: number, nowS: number): boolean {
    if (from === this || from.hosts[entry] === this) return true;
    if (!this.make(key, nowS)) return false;
    from.hosts[entry] = this;
    this.guests.push({ from, entry });
    return true;
  }

  /** The node has booted. */
  forget(): void {
    for (const { from, entry } of [...this.guests]) this.dismiss(from, entry);
  }

  private dismiss(from: TableRoom, entry: number): void {
    from.hosts[entry] = undefined;
    this.guests = this.guests.filter((guest) => guest.from !== from || guest.entry !== entry);
  }

  private isFull(): boolean {
    return this.table.size + this.guests.length >= this.max;
  }
}
