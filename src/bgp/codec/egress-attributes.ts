/**
 * An attribute set (attribute-set.ts) as one peer is to see it: with our AS in the path, our next hop, and in
 * the AS number width of the session (RFC 4271 sections 5.1 and 9.2, RFC 6793 section 4.2.2).
 */
import { type AsPathSegment, SEGMENT } from '../attribute/002-as-path.js';
import type { Aggregator } from '../attribute/007-aggregator.js';
import type { PathAttribute } from '../attribute/descriptor.js';
import { FLAGS_OF } from '../attribute/registry.js';
import { AttributeSetCursor } from './attribute-set.js';
import type { ByteWriter } from './byte-writer.js';
import { type CodecContext, OFFLINE } from './codec-context.js';
import { decodeAttributeList, encodeAttribute, writeAttributeHead } from './update-message.js';

export interface EgressRewrite {
  /** 256 rows: 1 = leave the attribute out */
  readonly drop: Uint8Array;
  /** AS put at the front of AS_PATH; 0 = none (iBGP) */
  readonly prependAsn: number;
  /** IPv4 NEXT_HOP to write; `null` = as in the set, none where the set has none */
  readonly nextHop: number | null;
  /** LOCAL_PREF to write; `null` = as in the set */
  readonly localPref: number | null;
}

const CODE = {
  asPath: 2,
  nextHop: 3,
  localPref: 5,
  aggregator: 7,
  mpReach: 14,
  as4Path: 17,
  as4Aggregator: 18,
} as const;

const CURSOR = new AttributeSetCursor();

/**
 * Appends the attributes of the set `bytes[at .. end)` for a peer to `out`: everything but MP_REACH_NLRI,
 * whose next hop `UpdatePacker` takes apart from them.
 */
export function writeEgressAttributes(
  bytes: Uint8Array,
  at: number,
  end: number,
  rewrite: EgressRewrite,
  context: CodecContext,
  out: ByteWriter,
): void {
  if (!context.asn4) {
    writeForTwoOctetPeer(bytes, at, end, rewrite, context, out);
    return;
  }
  let needsNextHop = rewrite.nextHop !== null;
  let needsLocalPref = rewrite.localPref !== null;
  CURSOR.reset(bytes, at, end);
  let more = CURSOR.next();
  while (more || needsNextHop || needsLocalPref) {
    const code = more ? CURSOR.code : 256;
    if (needsNextHop && code >= CODE.nextHop) {
      writeWord(out, CODE.nextHop, rewrite.nextHop!);
      needsNextHop = false;
    }
    if (needsLocalPref && code >= CODE.localPref) {
      writeWord(out, CODE.localPref, rewrite.localPref!);
      needsLocalPref = false;
    }
    if (!more) break;
    if (code === CODE.asPath && rewrite.prependAsn !== 0) {
      writePrependedPath(bytes, CURSOR.valueAt, CURSOR.valueEnd, rewrite.prependAsn, out);
    } else if (!isReplaced(code, rewrite)) out.range(bytes, CURSOR.at, CURSOR.valueEnd);
    more = CURSOR.next();
  }
}

function isReplaced(code: number, rewrite: EgressRewrite): boolean {
  if (code === CODE.mpReach || rewrite.drop[code] === 1) return true;
  if (code === CODE.nextHop) return rewrite.nextHop !== null;
  return code === CODE.localPref && rewrite.localPref !== null;
}

function writeWord(out: ByteWriter, code: number, value: number): void {
  writeAttributeHead(out, FLAGS_OF[code]!, code, 4);
  out.u32(value);
}

/** RFC 4271 section 5.1.2 b: into the leading AS_SEQUENCE where it has room, otherwise as a new one. */
function writePrependedPath(bytes: Uint8Array, at: number, end: number, asn: number, out: ByteWriter): void {
  const hasRoom = at < end && bytes[at] === SEGMENT.sequence && bytes[at + 1]! < 255;
  writeAttributeHead(out, FLAGS_OF[CODE.asPath]!, CODE.asPath, end - at + (hasRoom ? 4 : 6));
  out.u8(SEGMENT.sequence);
  out.u8(hasRoom ? bytes[at + 1]! + 1 : 1);
  out.u32(asn);
  out.range(bytes, hasRoom ? at + 2 : at, end);
}

/** The rare case goes the readable way. */
function writeForTwoOctetPeer(
  bytes: Uint8Array,
  at: number,
  end: number,
  rewrite: EgressRewrite,
  context: CodecContext,
  out: ByteWriter,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const kept = decodeAttributeList(view, at, end, OFFLINE).filter(({ code }) => !isReplaced(code, rewrite));
  const attributes = kept.flatMap((attribute): PathAttribute[] => {
    if (attribute.code === CODE.asPath) return twoOctetPath(attribute, rewrite.prependAsn);
    if (attribute.code === CODE.aggregator) return twoOctetAggregator(attribute);
    return [attribute];
  });
  if (rewrite.nextHop !== null) attributes.push(word(CODE.nextHop, rewrite.nextHop));
  if (rewrite.localPref !== null) attributes.push(word(CODE.localPref, rewrite.localPref));
  attributes.sort((a, b) => a.code - b.code);
  for (const attribute of attributes) encodeAttribute(attribute, out, context);
}

function word(code: number, value: number): PathAttribute {
  return { code, flags: FLAGS_OF[code]!, value };
}

/** AS_PATH, and AS4_PATH beside it where an AS number does not fit (RFC 6793 section 4.2.2). */
function twoOctetPath(attribute: PathAttribute, prependAsn: number): PathAttribute[] {
  const path = attribute.value as readonly AsPathSegment[];
  const prepended = prependAsn === 0 ? path : prepend(path, prependAsn);
  const result = { ...attribute, value: prepended };
  const outside = prepended.filter(({ type }) => type === SEGMENT.sequence || type === SEGMENT.set);
  if (!outside.some(({ asns }) => asns.some((asn) => asn > 0xffff))) return [result];
  return [result, { code: CODE.as4Path, flags: FLAGS_OF[CODE.as4Path]!, value: outside }];
}

function prepend(path: readonly AsPathSegment[], asn: number): readonly AsPathSegment[] {
  const [first, ...rest] = path;
  if (first === undefined || first.type !== SEGMENT.sequence || first.asns.length === 255) {
    return [{ type: SEGMENT.sequence, asns: [asn] }, ...path];
  }
  return [{ type: SEGMENT.sequence, asns: [asn, ...first.asns] }, ...rest];
}

function twoOctetAggregator(attribute: PathAttribute): PathAttribute[] {
  const { asn } = attribute.value as Aggregator;
  if (asn <= 0xffff) return [attribute];
  return [
    attribute,
    { code: CODE.as4Aggregator, flags: FLAGS_OF[CODE.as4Aggregator]!, value: attribute.value },
  ];
}
