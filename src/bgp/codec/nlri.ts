/**
 * NLRI as values: a prefix, with what ADD-PATH, labels and VPNs put before it.
 *
 * ```
 *   [path identifier 4] | length in bits 1 | [label 3]* | [route distinguisher 8] | prefix, 0..16 octets
 *     RFC 7911            all that follows    RFC 8277      RFC 4364
 * ```
 *
 * Host bits are cleared on the way in (RFC 4271 section 4.3: "the value of trailing bits is irrelevant"), so
 * encoding what was decoded is the identity on prefixes whose trailing bits are zero.
 */
import { type Address, formatIpv4, ipv4, ipv6 } from '../../addr/address.js';
import { formatPrefix, type Prefix } from '../../addr/prefix.js';
import { addressBits, type FamilyKey } from './address-family.js';
import type { ByteWriter } from './byte-writer.js';
import { NlriCursor, type PathIdBytes } from './nlri-cursor.js';

export interface RouteDistinguisher {
  /** type (16 bits) and the first 16 bits of the value */
  readonly hi: number;
  readonly lo: number;
}

export interface PrefixNlri {
  readonly prefix: Prefix;
  /** RFC 7911; absent where the session has no ADD-PATH for the family */
  readonly pathId?: number;
  /** label stack entries as 24 bits: label (20), traffic class (3), bottom of stack (1) */
  readonly labels?: readonly number[];
  readonly distinguisher?: RouteDistinguisher;
}

/** All NLRI of `bytes[at .. end)`, a range that `checkNlri` has accepted. */
export function decodeNlri(
  bytes: Uint8Array,
  at: number,
  end: number,
  family: FamilyKey,
  pathIdBytes: PathIdBytes,
): PrefixNlri[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const cursor = new NlriCursor();
  cursor.reset(bytes, at, end, family, pathIdBytes);
  const found: PrefixNlri[] = [];
  while (cursor.next()) {
    found.push({
      prefix: { address: cursorAddress(cursor, family), length: cursor.length },
      ...(pathIdBytes === 4 && { pathId: cursor.pathId }),
      ...(cursor.labelCount > 0 && { labels: readLabels(view, cursor) }),
      ...(cursor.distinguisherAt >= 0 && {
        distinguisher: {
          hi: view.getUint32(cursor.distinguisherAt),
          lo: view.getUint32(cursor.distinguisherAt + 4),
        },
      }),
    });
  }
  return found;
}

function cursorAddress(cursor: NlriCursor, family: FamilyKey): Address {
  const [w0, w1, w2, w3] = cursor.words as unknown as [number, number, number, number];
  return addressBits(family) === 32 ? ipv4(w0) : ipv6(w0, w1, w2, w3);
}

function readLabels(view: DataView, cursor: NlriCursor): number[] {
  return Array.from({ length: cursor.labelCount }, (_, i) => {
    const at = cursor.labelsAt + i * 3;
    return (view.getUint8(at) << 16) | view.getUint16(at + 1);
  });
}

/** Writes one NLRI; the path identifier is written where `pathIdBytes` is 4 (0 where the NLRI has none). */
export function encodeNlri(nlri: PrefixNlri, out: ByteWriter, pathIdBytes: PathIdBytes): void {
  const { prefix, labels = [], distinguisher } = nlri;
  if (pathIdBytes === 4) out.u32(nlri.pathId ?? 0);
  out.u8(labels.length * 24 + (distinguisher === undefined ? 0 : 64) + prefix.length);
  for (const label of labels) out.u24(label);
  if (distinguisher !== undefined) {
    out.u32(distinguisher.hi);
    out.u32(distinguisher.lo);
  }
  const { w0, w1, w2, w3 } = prefix.address;
  const words = [w0, w1, w2, w3];
  for (let i = 0; i * 8 < prefix.length; i++) out.u8((words[i >> 2]! >>> (24 - (i & 3) * 8)) & 255);
}

/** RFC 4364 section 4.2: `64512:1` (types 0 and 2) or `10.0.0.1:1` (type 1); other types in hexadecimal. */
export function formatDistinguisher({ hi, lo }: RouteDistinguisher): string {
  const type = hi >>> 16;
  if (type === 0) return `${hi & 0xffff}:${lo}`;
  const first = (((hi & 0xffff) << 16) | (lo >>> 16)) >>> 0;
  if (type === 1) return `${formatIpv4(first)}:${lo & 0xffff}`;
  if (type === 2) return `${first}:${lo & 0xffff}`;
  return `0x${hi.toString(16).padStart(8, '0')}${lo.toString(16).padStart(8, '0')}`;
}

/** Plain JSON of one NLRI: the prefix as text where it has nothing else, otherwise an object. */
export function nlriToJson(nlri: PrefixNlri): unknown {
  const prefix = formatPrefix(nlri.prefix);
  if (nlri.pathId === undefined && nlri.labels === undefined && nlri.distinguisher === undefined)
    return prefix;
  return {
    prefix,
    ...(nlri.pathId !== undefined && { pathId: nlri.pathId }),
    ...(nlri.labels !== undefined && { labels: nlri.labels.map((entry) => entry >>> 4) }),
    ...(nlri.distinguisher !== undefined && { distinguisher: formatDistinguisher(nlri.distinguisher) }),
  };
}
