/**
 * The attributes of a route as one canonical run of octets: what a RIB interns and what goes out again.
 *
 * Canonical means: attributes in ascending order, the shortest length fields, no stray flag bits; AS numbers
 * of four octets with AS4_PATH and AS4_AGGREGATOR merged in (RFC 6793 section 4.2.3); nothing that was
 * discarded; Partial set on what is passed on unrecognized. Two routes have equal attributes exactly when
 * their sets are equal octet for octet.
 *
 * Routes of MP_REACH_NLRI keep it in the set with its next hop and no NLRI, and have no NEXT_HOP.
 */

import { AS_TRANS, readSegments, writeSegments } from '../attribute/002-as-path.js';
import { mergeAs4Path } from '../attribute/017-as4-path.js';
import { FLAG } from '../attribute/descriptor.js';
import { FLAGS_OF } from '../attribute/registry.js';
import { afiOf, safiOf } from './address-family.js';
import { ByteWriter } from './byte-writer.js';
import type { CodecContext } from './codec-context.js';
import { writeAttributeHead } from './update-message.js';
import type { UpdateView } from './update-view.js';

/** Which of the prefixes of the UPDATE the set is for. */
export type NlriField = 'nlri' | 'reach';

const CODE = { asPath: 2, nextHop: 3, aggregator: 7, mpReach: 14, as4Path: 17, as4Aggregator: 18 } as const;

const ORDER = new Uint8Array(256);
const VALUE = new ByteWriter(1024);

/**
 * Appends the attribute set of `update` to `out`. Where `update.attributesAreCanonical` and the field is
 * `nlri`, the octets are those of the message itself and need not be written.
 */
export function writeAttributeSet(
  update: UpdateView,
  context: CodecContext,
  field: NlriField,
  out: ByteWriter,
): void {
  const count = sortedRows(update);
  const usesAs4 = !context.asn4 && as4AttributesCount(update);
  for (let i = 0; i < count; i++) {
    const row = ORDER[i]!;
    const code = update.codes[row]!;
    if (code === CODE.mpReach && field === 'reach') {
      writeNextHopOnly(update, out);
      continue;
    }
    if (update.kept[row] === 0 || code === CODE.as4Path || code === CODE.as4Aggregator) continue;
    if (code === CODE.nextHop && field === 'reach') continue;
    const at = update.valueAt[row]!;
    const end = update.valueEnd[row]!;
    const flags = update.flags[row]!;
    if (!context.asn4 && code === CODE.asPath) writeMergedPath(update, row, usesAs4, out);
    else if (!context.asn4 && code === CODE.aggregator) writeMergedAggregator(update, row, usesAs4, out);
    else {
      writeAttributeHead(out, flags, code, end - at);
      out.range(update.bytes, at, end);
    }
  }
}

/** Rows by ascending code in {@link ORDER}; messages are nearly always in order already. */
function sortedRows(update: UpdateView): number {
  const { codes, attributeCount } = update;
  for (let row = 0; row < attributeCount; row++) {
    let i = row;
    for (; i > 0 && codes[ORDER[i - 1]!]! > codes[row]!; i--) ORDER[i] = ORDER[i - 1]!;
    ORDER[i] = row;
  }
  return attributeCount;
}

/** RFC 6793 section 4.2.3: an AGGREGATOR that a two-octet speaker has set outdates both AS4 attributes. */
function as4AttributesCount(update: UpdateView): boolean {
  const aggregator = update.keptRow(CODE.aggregator);
  if (aggregator < 0 || update.keptRow(CODE.as4Aggregator) < 0) return true;
  return update.view.getUint16(update.valueAt[aggregator]!) === AS_TRANS;
}

function writeMergedPath(update: UpdateView, row: number, usesAs4: boolean, out: ByteWriter): void {
  const { view, valueAt, valueEnd } = update;
  const path = readSegments(view, valueAt[row]!, valueEnd[row]!, 2);
  const as4 = usesAs4 ? update.keptRow(CODE.as4Path) : -1;
  const merged = as4 < 0 ? path : mergeAs4Path(path, readSegments(view, valueAt[as4]!, valueEnd[as4]!, 4));
  VALUE.rewind();
  writeSegments(merged, VALUE, 4);
  writeAttributeHead(out, update.flags[row]!, CODE.asPath, VALUE.at);
  out.octets(VALUE.peek());
}

function writeMergedAggregator(update: UpdateView, row: number, usesAs4: boolean, out: ByteWriter): void {
  const { view, valueAt } = update;
  const at = valueAt[row]!;
  const as4 = usesAs4 ? update.keptRow(CODE.as4Aggregator) : -1;
  writeAttributeHead(out, update.flags[row]!, CODE.aggregator, 8);
  if (as4 >= 0) out.range(update.bytes, valueAt[as4]!, valueAt[as4]! + 8);
  else {
    out.u32(view.getUint16(at));
    out.u32(view.getUint32(at + 2));
  }
}

function writeNextHopOnly(update: UpdateView, out: ByteWriter): void {
  const { family, nextHopAt, nextHopEnd } = update.reach;
  writeAttributeHead(out, FLAGS_OF[CODE.mpReach]!, CODE.mpReach, 5 + nextHopEnd - nextHopAt);
  out.u16(afiOf(family));
  out.u8(safiOf(family));
  out.u8(nextHopEnd - nextHopAt);
  out.range(update.bytes, nextHopAt, nextHopEnd);
  out.u8(0);
}

/** Walks the attributes of a set in place. */
export class AttributeSetCursor {
  code = 0;
  flags = 0;
  valueAt = 0;
  valueEnd = 0;
  /** offset of the attribute's flags */
  at = 0;

  private bytes: Uint8Array = new Uint8Array(0);
  private end = 0;

  /** Stands before the first attribute of the set `bytes[at .. end)`. */
  reset(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.valueEnd = at;
    this.end = end;
  }

  next(): boolean {
    const at = this.valueEnd;
    if (at >= this.end) return false;
    const bytes = this.bytes;
    this.at = at;
    this.flags = bytes[at]!;
    this.code = bytes[at + 1]!;
    if ((this.flags & FLAG.extendedLength) === 0) {
      this.valueAt = at + 3;
      this.valueEnd = at + 3 + bytes[at + 2]!;
    } else {
      this.valueAt = at + 4;
      this.valueEnd = at + 4 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
    }
    return true;
  }

  /** Moves to attribute `code`; false where the set does not have it (then every attribute was passed). */
  seek(code: number): boolean {
    while (this.next()) if (this.code === code) return true;
    return false;
  }
}
