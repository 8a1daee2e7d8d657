/**
 * The attributes of a dumped route. They differ from those of an UPDATE in one thing: TABLE_DUMP_V2 shortens
 * MP_REACH_NLRI to its next hop (RFC 6396 section 4.3.4), though some collectors wrote it in full. The first
 * octet tells: a next hop length, or the high octet of an AFI, which is 0.
 */

import type { AsPathSegment } from '../attribute/002-as-path.js';
import type { Aggregator } from '../attribute/007-aggregator.js';
import { bytesOf, type MpReach } from '../attribute/014-mp-reach-nlri.js';
import { mergeAs4Path } from '../attribute/017-as4-path.js';
import type { PathAttribute } from '../attribute/descriptor.js';
import type { FamilyKey } from '../codec/address-family.js';
import { ByteWriter } from '../codec/byte-writer.js';
import { type CodecContext, OFFLINE } from '../codec/codec-context.js';
import { decodeAttribute, decodeAttributeList, encodeAttribute } from '../codec/update-message.js';

const AS_TRANS = 23456;
const CODE = {
  asPath: 2,
  aggregator: 7,
  mpReach: 14,
  mpUnreach: 15,
  as4Path: 17,
  as4Aggregator: 18,
} as const;

export function decodeRibAttributes(
  view: DataView,
  at: number,
  end: number,
  context: CodecContext,
  family: FamilyKey,
): PathAttribute[] {
  return decodeAttributeList(view, at, end, context, (code, flags, _view, valueAt, valueEnd) => {
    const nextHopBytes = valueAt < valueEnd ? view.getUint8(valueAt) : 0;
    if (code !== CODE.mpReach || nextHopBytes === 0 || nextHopBytes !== valueEnd - valueAt - 1) {
      return decodeAttribute(code, flags, view, valueAt, valueEnd, context);
    }
    const reach: MpReach = { family, nextHop: copyOf(view, valueAt + 1, valueEnd), nlri: [] };
    return { code, flags: flags & 0xe0, value: reach };
  });
}

/**
 * The route's attribute set, as `writeAttributeSet` (attribute-set.ts) would have written it from an UPDATE:
 * canonical octets, AS4_PATH merged, what is malformed left out.
 */
export function ribAttributeSet(attributes: readonly PathAttribute[]): Uint8Array {
  const merged = mergeAs4Attributes(
    attributes.filter((a) => a.fault === undefined && a.code !== CODE.mpUnreach),
  );
  const out = new ByteWriter();
  for (const attribute of [...merged].sort((a, b) => a.code - b.code)) {
    if (attribute.code !== CODE.mpReach) encodeAttribute(attribute, out, OFFLINE);
    else {
      const { family, nextHop } = attribute.value as MpReach;
      encodeAttribute({ ...attribute, value: { family, nextHop, nlri: [] } }, out, OFFLINE);
    }
  }
  return out.bytes();
}

/** RFC 6793 section 4.2.3 over values: AS_PATH and AGGREGATOR in full width, the AS4 attributes gone. */
export function mergeAs4Attributes(attributes: readonly PathAttribute[]): readonly PathAttribute[] {
  const wellFormed = <V>(code: number): V | undefined =>
    attributes.find((a) => a.code === code && a.fault === undefined)?.value as V | undefined;
  const as4Path = wellFormed<readonly AsPathSegment[]>(CODE.as4Path);
  const as4Aggregator = wellFormed<Aggregator>(CODE.as4Aggregator);
  if (as4Path === undefined && as4Aggregator === undefined) return attributes;
  const aggregator = wellFormed<Aggregator>(CODE.aggregator);
  const isOutdated = as4Aggregator !== undefined && aggregator !== undefined && aggregator.asn !== AS_TRANS;
  return attributes.flatMap((attribute): PathAttribute[] => {
    const { code, fault } = attribute;
    if (code === CODE.as4Path || code === CODE.as4Aggregator) return [];
    if (isOutdated || fault !== undefined) return [attribute];
    if (code === CODE.asPath && as4Path !== undefined) {
      const path = attribute.value as readonly AsPathSegment[];
      return [{ ...attribute, value: mergeAs4Path(path, as4Path) }];
    }
    if (code === CODE.aggregator && as4Aggregator !== undefined)
      return [{ ...attribute, value: as4Aggregator }];
    return [attribute];
  });
}

/** A copy of octets that outlives the record. */
export function copyOf(view: DataView, at: number, end: number): Uint8Array {
  return bytesOf(view).slice(at, end);
}
