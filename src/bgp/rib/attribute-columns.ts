/**
 * What the choice of paths and the export rules ask of an attribute set, worked out once a set: RFC 4271 section
 * 9.1.2.2, RFC 4456 section 9, RFC 1997, RFC 8326, RFC 9234, RFC 9494.
 */

import { asPathContains, asPathLength, firstAsn } from '../attribute/002-as-path.js';
import { COMMUNITY } from '../attribute/008-communities.js';
import { AFI } from '../codec/address-family.js';
import { AttributeSetCursor } from '../codec/attribute-set.js';
import { grownColumn } from './grown-column.js';
import type { NextHopTable } from './next-hop-table.js';

/** Bits of {@link AttributeColumns.marks}. */
export const MARK = {
  /** our own AS is in the path */
  ownAs: 1,
  noExport: 2,
  noAdvertise: 4,
  noExportSubconfed: 8,
  gracefulShutdown: 16,
  noLlgr: 32,
  hasLocalPref: 64,
  /** ONLY_TO_CUSTOMER is present: {@link AttributeColumns.onlyToCustomer} */
  hasOtc: 128,
  /** our router id is ORIGINATOR_ID or in CLUSTER_LIST */
  reflectedToUs: 256,
  hasNextHop: 512,
  llgrStale: 1024,
} as const;

export const DEFAULT_LOCAL_PREF = 100;

const MARK_OF_COMMUNITY: ReadonlyMap<number, number> = new Map([
  [COMMUNITY.noExport, MARK.noExport],
  [COMMUNITY.noAdvertise, MARK.noAdvertise],
  [COMMUNITY.noExportSubconfed, MARK.noExportSubconfed],
  [COMMUNITY.gracefulShutdown, MARK.gracefulShutdown],
  [COMMUNITY.noLlgr, MARK.noLlgr],
  [COMMUNITY.llgrStale, MARK.llgrStale],
]);
/** every well-known community is at or above */
const FIRST_WELL_KNOWN = 0xffff0000;

const CODE = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  onlyToCustomer: 35,
} as const;

export interface OwnIdentity {
  readonly localAsn: number;
  readonly routerId: number;
}

export class AttributeColumns {
  marks: Uint16Array<ArrayBuffer>;
  localPref: Uint32Array<ArrayBuffer>;
  pathLength: Uint16Array<ArrayBuffer>;
  /** first AS of the path; 0 where it begins with a set or is empty */
  neighbourAs: Uint32Array<ArrayBuffer>;
  origin: Uint8Array<ArrayBuffer>;
  /** 0 where missing: RFC 4271 section 9.1.2.2 c */
  med: Uint32Array<ArrayBuffer>;
  /** row in the next-hop table, where {@link MARK.hasNextHop} */
  nextHop: Uint32Array<ArrayBuffer>;
  /** ORIGINATOR_ID, or 0 */
  originatorId: Uint32Array<ArrayBuffer>;
  clusterLength: Uint16Array<ArrayBuffer>;
  onlyToCustomer: Uint32Array<ArrayBuffer>;
  /** AS_PATH value inside of the set: offset from its beginning, and octets */
  pathAt: Uint16Array<ArrayBuffer>;
  pathBytes: Uint16Array<ArrayBuffer>;

  private readonly cursor = new AttributeSetCursor();

  constructor(
    rows: number,
    private readonly own: OwnIdentity,
    private readonly nextHops: NextHopTable,
  ) {
    this.marks = new Uint16Array(rows);
    this.localPref = new Uint32Array(rows);
    this.pathLength = new Uint16Array(rows);
    this.neighbourAs = new Uint32Array(rows);
    this.origin = new Uint8Array(rows);
    this.med = new Uint32Array(rows);
    this.nextHop = new Uint32Array(rows);
    this.originatorId = new Uint32Array(rows);
    this.clusterLength = new Uint16Array(rows);
    this.onlyToCustomer = new Uint32Array(rows);
    this.pathAt = new Uint16Array(rows);
    this.pathBytes = new Uint16Array(rows);
  }

  grow(rows: number): void {
    this.marks = grownColumn(this.marks, rows);
    this.localPref = grownColumn(this.localPref, rows);
    this.pathLength = grownColumn(this.pathLength, rows);
    this.neighbourAs = grownColumn(this.neighbourAs, rows);
    this.origin = grownColumn(this.origin, rows);
    this.med = grownColumn(this.med, rows);
    this.nextHop = grownColumn(this.nextHop, rows);
    this.originatorId = grownColumn(this.originatorId, rows);
    this.clusterLength = grownColumn(this.clusterLength, rows);
    this.onlyToCustomer = grownColumn(this.onlyToCustomer, rows);
    this.pathAt = grownColumn(this.pathAt, rows);
    this.pathBytes = grownColumn(this.pathBytes, rows);
  }

  /** Fills row `set` from the attribute set `bytes[at .. end)`. */
  derive(set: number, bytes: Uint8Array, view: DataView, at: number, end: number): void {
    const cursor = this.cursor;
    let marks = 0;
    this.localPref[set] = DEFAULT_LOCAL_PREF;
    this.origin[set] = 0;
    this.med[set] = 0;
    this.originatorId[set] = 0;
    this.clusterLength[set] = 0;
    this.pathBytes[set] = 0;
    this.pathLength[set] = 0;
    this.neighbourAs[set] = 0;
    cursor.reset(bytes, at, end);
    while (cursor.next()) {
      const { valueAt, valueEnd } = cursor;
      switch (cursor.code) {
        case CODE.origin:
          this.origin[set] = bytes[valueAt]!;
          break;
        case CODE.asPath:
          if (this.derivePath(set, view, at, valueAt, valueEnd)) marks |= MARK.ownAs;
          break;
        case CODE.nextHop:
          marks = this.putNextHop(set, marks, this.nextHops.holdIpv4(view.getUint32(valueAt)));
          break;
        case CODE.med:
          this.med[set] = view.getUint32(valueAt);
          break;
        case CODE.localPref:
          this.localPref[set] = view.getUint32(valueAt);
          marks |= MARK.hasLocalPref;
          break;
        case CODE.communities:
          marks |= communityMarks(view, valueAt, valueEnd);
          break;
        case CODE.originatorId:
          this.originatorId[set] = view.getUint32(valueAt);
          if (view.getUint32(valueAt) === this.own.routerId) marks |= MARK.reflectedToUs;
          break;
        case CODE.clusterList:
          this.clusterLength[set] = (valueEnd - valueAt) >>> 2;
          for (let i = valueAt; i < valueEnd; i += 4) {
            if (view.getUint32(i) === this.own.routerId) marks |= MARK.reflectedToUs;
          }
          break;
        case CODE.mpReach:
          marks = this.deriveMpNextHop(set, marks, view, valueAt);
          break;
        case CODE.onlyToCustomer:
          this.onlyToCustomer[set] = view.getUint32(valueAt);
          marks |= MARK.hasOtc;
          break;
      }
    }
    this.marks[set] = marks;
  }

  /** The set is gone: its next hop is held by one less. */
  release(set: number): void {
    if ((this.marks[set]! & MARK.hasNextHop) !== 0) this.nextHops.release(this.nextHop[set]!);
  }

  /** Whether our own AS is in the path. */
  private derivePath(set: number, view: DataView, setAt: number, at: number, end: number): boolean {
    this.pathAt[set] = at - setAt;
    this.pathBytes[set] = end - at;
    this.pathLength[set] = asPathLength(view, at, end, 4);
    this.neighbourAs[set] = firstAsn(view, at, end, 4);
    return asPathContains(view, at, end, 4, this.own.localAsn);
  }

  /** A VPN next hop has a route distinguisher before the address (RFC 4364): such families are not held here. */
  private deriveMpNextHop(set: number, marks: number, view: DataView, at: number): number {
    const afi = view.getUint16(at);
    const bytes = view.getUint8(at + 3);
    if (afi !== AFI.ipv4 && afi !== AFI.ipv6) return marks;
    if (bytes === 4) return this.putNextHop(set, marks, this.nextHops.holdIpv4(view.getUint32(at + 4)));
    if (bytes !== 16 && bytes !== 32) return marks;
    return this.putNextHop(set, marks, this.nextHops.holdIpv6(view, at + 4, at + 4 + bytes));
  }

  /** The marks with {@link MARK.hasNextHop}; where a set has both attributes the later one counts. */
  private putNextHop(set: number, marks: number, hop: number): number {
    if ((marks & MARK.hasNextHop) !== 0) this.nextHops.release(this.nextHop[set]!);
    this.nextHop[set] = hop;
    return marks | MARK.hasNextHop;
  }
}

function communityMarks(view: DataView, at: number, end: number): number {
  let marks = 0;
  for (; at < end; at += 4) {
    const value = view.getUint32(at);
    if (value >= FIRST_WELL_KNOWN) marks |= MARK_OF_COMMUNITY.get(value) ?? 0;
  }
  return marks;
}
