/**
 * The codec context of an UPDATE whose session nobody saw open: two or four octets an AS number, path
 * identifiers or none. A guess, as every offline decoder makes it; where OPENs are known they decide instead.
 *
 * Four octets are right unless only two make AS_PATH well-formed. Path identifiers are assumed where the
 * prefixes are not valid without them, or hold the default route more than once (the zero octets of a small
 * identifier read as 0.0.0.0/0 each) and no identifier would be 0, which nobody assigns.
 */

import { segmentsAreValid } from '../attribute/002-as-path.js';
import { OUTCOME } from '../attribute/descriptor.js';
import { AFI, type FamilyKey, familyKey, SAFI } from './address-family.js';
import { type CodecContext, OFFLINE } from './codec-context.js';
import { NlriCursor } from './nlri-cursor.js';
import { readUpdate } from './read-update.js';
import { UpdateView } from './update-view.js';

const AS_PATH = 2;

const ALL_ADD_PATH: ReadonlySet<FamilyKey> = new Set(
  [AFI.ipv4, AFI.ipv6].flatMap((afi) =>
    [SAFI.unicast, SAFI.multicast, SAFI.labelled, SAFI.vpn].map((safi) => familyKey(afi, safi)),
  ),
);

/** `OFFLINE` with path identifiers in every family that the codec takes apart. */
export const OFFLINE_ADD_PATH: CodecContext = {
  ...OFFLINE,
  addPathReceive: ALL_ADD_PATH,
  addPathSend: ALL_ADD_PATH,
};

const VIEW = new UpdateView();
const CURSOR = new NlriCursor();

/** The context in which the UPDATE body `bytes[at .. end)` makes most sense. */
export function guessContext(bytes: Uint8Array, view: DataView, at: number, end: number): CodecContext {
  readUpdate(bytes, view, at, end, OFFLINE, VIEW);
  let base = OFFLINE;
  const isUnreadable = VIEW.outcome === OUTCOME.sessionReset;
  if (isUnreadable || countPrefixes((cursor) => cursor.length === 0) > 1) {
    readUpdate(bytes, view, at, end, OFFLINE_ADD_PATH, VIEW);
    const isReadable = VIEW.outcome !== OUTCOME.sessionReset;
    if (isReadable && (isUnreadable || countPrefixes((cursor) => cursor.pathId === 0) === 0)) {
      base = OFFLINE_ADD_PATH;
    } else readUpdate(bytes, view, at, end, OFFLINE, VIEW);
  }
  const row = VIEW.rowOf[AS_PATH]!;
  if (row < 0) return base;
  const valueAt = VIEW.valueAt[row]!;
  const valueEnd = VIEW.valueEnd[row]!;
  if (segmentsAreValid(view, valueAt, valueEnd, 4, 1)) return base;
  return segmentsAreValid(view, valueAt, valueEnd, 2, 1) ? { ...base, asn4: false } : base;
}

/** How many prefixes in {@link VIEW}, of all its fields, are as `isSuch` says. */
function countPrefixes(isSuch: (cursor: NlriCursor) => boolean): number {
  let count = 0;
  const walk = (): void => {
    while (CURSOR.next()) if (isSuch(CURSOR)) count++;
  };
  VIEW.openNlri(CURSOR);
  walk();
  VIEW.openWithdrawn(CURSOR);
  walk();
  for (const section of [VIEW.reach, VIEW.unreach]) {
    if (!section.present || section.count < 1) continue;
    VIEW.openSection(CURSOR, section);
    walk();
  }
  return count;
}
