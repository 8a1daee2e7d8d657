/**
 * Every path to every prefix of one family: a row a (prefix, peer, path id), in typed columns.
 *
 * The Adj-RIBs-In and the Loc-RIB are views of this one table (RFC 4271 section 3.2 leaves the storage open):
 * the paths of a prefix are a linked list, the Adj-RIB-In of a peer are the rows that carry its number. A path
 * that may not be used stays, with its reason in {@link PathTable.excluded}: it is what the peer announced, and
 * it takes the place of what the peer announced before.
 */
import { grownColumn } from './grown-column.js';
import { DEFAULT_ROOM } from './prefix-table.js';

/** Why a path takes no part in the choice; 0 = it does. The names are what the API shows. */
export const EXCLUDED = {
  no: 0,
  /** our AS is in the path: RFC 4271 section 9.1.2 */
  asLoop: 1,
  /** the import policy refuses it */
  policy: 2,
  /** the next hop is one of our own addresses: RFC 4271 section 5.1.3 */
  ownNextHop: 3,
  /** the next hop cannot be resolved: RFC 4271 section 9.1.2.1 */
  unresolvable: 4,
  /** we are its originator, or in its cluster list: RFC 4456 section 8 */
  reflectionLoop: 5,
  /** a route leak: RFC 9234 section 5 */
  routeLeak: 6,
  /** a multicast or link-local prefix, to which there is no unicast route: RFC 4271 section 6.3 */
  notUnicast: 7,
} as const;

export const EXCLUDED_NAMES = [
  'no',
  'as-loop',
  'policy',
  'own-next-hop',
  'unresolvable-next-hop',
  'reflection-loop',
  'route-leak',
  'not-unicast',
] as const;

export const STALE = {
  /** announced before the session went down: RFC 4724 */
  graceful: 1,
  /** kept beyond that: RFC 9494 */
  longLived: 2,
} as const;

export class PathTable {
  prefix: Uint32Array<ArrayBuffer>;
  /** next path of the same prefix, or -1 */
  next: Int32Array<ArrayBuffer>;
  /** peer's row + 1; 0 = no path in this row */
  owner: Uint16Array<ArrayBuffer>;
  /** as received; 0 without ADD-PATH */
  pathId: Uint32Array<ArrayBuffer>;
  /** attribute set as the peer announced it: what a changed import policy starts from */
  received: Uint32Array<ArrayBuffer>;
  /** attribute set after the import policy; often the same */
  set: Uint32Array<ArrayBuffer>;
  /** whole seconds of the RIB's time: when the peer first announced the path as it is */
  sinceS: Uint32Array<ArrayBuffer>;
  /** {@link EXCLUDED} */
  excluded: Uint8Array<ArrayBuffer>;
  /** {@link STALE} */
  stale: Uint8Array<ArrayBuffer>;

  /** every row in use is below */
  rows = 0;
  count = 0;
  private free = -1;

  constructor(room: number = DEFAULT_ROOM) {
    this.prefix = new Uint32Array(room);
    this.next = new Int32Array(room);
    this.owner = new Uint16Array(room);
    this.pathId = new Uint32Array(room);
    this.received = new Uint32Array(room);
    this.set = new Uint32Array(room);
    this.sinceS = new Uint32Array(room);
    this.excluded = new Uint8Array(room);
    this.stale = new Uint8Array(room);
  }

  add(prefix: number, peer: number, pathId: number): number {
    const row = this.newRow();
    this.prefix[row] = prefix;
    this.owner[row] = peer + 1;
    this.pathId[row] = pathId;
    this.stale[row] = 0;
    this.count++;
    return row;
  }

  remove(row: number): void {
    this.owner[row] = 0;
    this.next[row] = this.free;
    this.free = row;
    this.count--;
    if (this.count === 0) {
      this.rows = 0;
      this.free = -1;
    }
  }

  private newRow(): number {
    const free = this.free;
    if (free >= 0) {
      this.free = this.next[free]!;
      return free;
    }
    if (this.rows === this.set.length) this.grow(2 * this.rows);
    return this.rows++;
  }

  private grow(rows: number): void {
    this.prefix = grownColumn(this.prefix, rows);
    this.next = grownColumn(this.next, rows);
    this.owner = grownColumn(this.owner, rows);
    this.pathId = grownColumn(this.pathId, rows);
    this.received = grownColumn(this.received, rows);
    this.set = grownColumn(this.set, rows);
    this.sinceS = grownColumn(this.sinceS, rows);
    this.excluded = grownColumn(this.excluded, rows);
    this.stale = grownColumn(this.stale, rows);
  }
}
