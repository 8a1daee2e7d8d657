/**
 * AS_PATH: RFC 4271 section 5.1.2, with four-octet AS numbers (RFC 6793) and confederations (RFC 5065).
 *
 * ```
 *   segment = | type 1 | count 1 | count AS numbers of 2 or 4 octets |
 * ```
 *
 * Malformed: RFC 7606 section 7.2 (segment type, overrun, underrun, empty segment); AS 0: RFC 7607 section 2;
 * confederation segments from outside of the confederation: RFC 5065 section 5.
 */
import type { ByteWriter } from '../codec/byte-writer.js';
import type { CodecContext } from '../codec/codec-context.js';
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { type AttributeDescriptor, OUTCOME, WELL_KNOWN } from './descriptor.js';

export const SEGMENT = { set: 1, sequence: 2, confedSequence: 3, confedSet: 4 } as const;

/** what stands for a four-octet AS number in a two-octet field */
export const AS_TRANS = 23456;

export interface AsPathSegment {
  /** {@link SEGMENT} */
  readonly type: number;
  /** 1 .. 255 of them */
  readonly asns: readonly number[];
}

export type AsnBytes = 2 | 4;

export function asnBytes(context: CodecContext): AsnBytes {
  return context.asn4 ? 4 : 2;
}

/** RFC 7607 section 2 refuses AS 0; dumps are older, and show what was. */
export function lowestAsn(context: CodecContext): 0 | 1 {
  return context.peering === 'unknown' ? 0 : 1;
}

export const AS_PATH: AttributeDescriptor<readonly AsPathSegment[]> = {
  code: 2,
  name: 'AS_PATH',
  flags: WELL_KNOWN,
  onMalformed: OUTCOME.treatAsWithdraw,
  check(view, at, end, context) {
    const width = asnBytes(context);
    if (!segmentsAreValid(view, at, end, width, lowestAsn(context))) return UPDATE_ERROR.malformedAsPath;
    if (context.peering !== 'external') return 0;
    if (hasConfederation(view, at, end, width)) return UPDATE_ERROR.malformedAsPath;
    if (!context.enforceFirstAs || context.peerAsn === 0) return 0;
    return firstAsn(view, at, end, width) === asnOnWire(context.peerAsn, width)
      ? 0
      : UPDATE_ERROR.malformedAsPath;
  },
  decode: (view, at, end, context) => readSegments(view, at, end, asnBytes(context)),
  encode: (segments, out, context) => writeSegments(segments, out, asnBytes(context)),
  toJson: segmentsToJson,
};

/** `view[at .. end)` is whole segments of known type, none empty, without an AS number below `lowestAsn`. */
export function segmentsAreValid(
  view: DataView,
  at: number,
  end: number,
  width: AsnBytes,
  lowestAsn: 0 | 1,
): boolean {
  while (at < end) {
    if (at + 2 > end) return false;
    const type = view.getUint8(at);
    const count = view.getUint8(at + 1);
    at += 2;
    if (type < SEGMENT.set || type > SEGMENT.confedSet || count === 0) return false;
    const next = at + count * width;
    if (next > end) return false;
    for (; at < next; at += width) {
      if ((width === 4 ? view.getUint32(at) : view.getUint16(at)) < lowestAsn) return false;
    }
  }
  return true;
}

function hasConfederation(view: DataView, at: number, end: number, width: AsnBytes): boolean {
  for (; at < end; at += 2 + view.getUint8(at + 1) * width) {
    if (view.getUint8(at) >= SEGMENT.confedSequence) return true;
  }
  return false;
}

/** The neighbouring AS: the first of a leading AS_SEQUENCE; 0 where the path begins otherwise or is empty. */
export function firstAsn(view: DataView, at: number, end: number, width: AsnBytes): number {
  if (at >= end || view.getUint8(at) !== SEGMENT.sequence) return 0;
  return width === 4 ? view.getUint32(at + 2) : view.getUint16(at + 2);
}

/** AS_PATH octets that {@link AS_PATH} accepts contain `asn`: the loop check of RFC 4271 section 9. */
export function asPathContains(
  view: DataView,
  at: number,
  end: number,
  width: AsnBytes,
  asn: number,
): boolean {
  while (at < end) {
    const next = at + 2 + view.getUint8(at + 1) * width;
    for (at += 2; at < next; at += width) {
      if ((width === 4 ? view.getUint32(at) : view.getUint16(at)) === asn) return true;
    }
  }
  return false;
}

/**
 * AS numbers that count for best path and for merging: each of an AS_SEQUENCE, one for an AS_SET, none for
 * confederation segments (RFC 4271 section 9.1.2.2 a, RFC 5065 section 5.3, RFC 6793 section 4.2.3).
 */
export function asPathLength(view: DataView, at: number, end: number, width: AsnBytes): number {
  let length = 0;
  while (at < end) {
    const type = view.getUint8(at);
    const count = view.getUint8(at + 1);
    if (type === SEGMENT.sequence) length += count;
    else if (type === SEGMENT.set) length += 1;
    at += 2 + count * width;
  }
  return length;
}

export function readSegments(view: DataView, at: number, end: number, width: AsnBytes): AsPathSegment[] {
  const segments: AsPathSegment[] = [];
  while (at < end) {
    const type = view.getUint8(at);
    const count = view.getUint8(at + 1);
    at += 2;
    const asns: number[] = [];
    for (const next = at + count * width; at < next; at += width) {
      asns.push(width === 4 ? view.getUint32(at) : view.getUint16(at));
    }
    segments.push({ type, asns });
  }
  return segments;
}

export function writeSegments(segments: readonly AsPathSegment[], out: ByteWriter, width: AsnBytes): void {
  for (const { type, asns } of segments) {
    out.u8(type);
    out.u8(asns.length);
    for (const asn of asns) {
      if (width === 4) out.u32(asn);
      else out.u16(asnOnWire(asn, 2));
    }
  }
}

/** `asn` as it stands in a field of `width` octets. */
export function asnOnWire(asn: number, width: AsnBytes): number {
  return width === 2 && asn > 0xffff ? AS_TRANS : asn;
}

const SEGMENT_NAMES = ['', 'set', 'sequence', 'confed-sequence', 'confed-set'];

/** A sequence is a list of numbers in the path; every other segment an object in it. */
export function segmentsToJson(segments: readonly AsPathSegment[]): unknown {
  return segments.flatMap(({ type, asns }): unknown[] =>
    type === SEGMENT.sequence ? [...asns] : [{ [SEGMENT_NAMES[type] ?? `segment-${type}`]: asns }],
  );
}
