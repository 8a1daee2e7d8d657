/**
 * MP_REACH_NLRI: RFC 4760 section 3; next hops: RFC 2545, RFC 4364, RFC 4659, RFC 8950.
 *
 * ```
 *   | AFI 2 | SAFI 1 | next hop length 1 | next hop | reserved 1 | NLRI |
 * ```
 *
 * Malformed: RFC 7606 sections 5.3 and 7.11. NLRI that cannot be located reset the session; a next hop that
 * is no host's address only withdraws.
 */

import { formatIpv4, formatIpv6 } from '../../addr/address.js';
import {
  addressBits,
  afiOf,
  type FamilyKey,
  familyKey,
  familyName,
  NLRI_SHAPE,
  nlriShape,
  safiOf,
} from '../codec/address-family.js';
import type { ByteWriter } from '../codec/byte-writer.js';
import type { CodecContext } from '../codec/codec-context.js';
import { copyOctets } from '../codec/copy-octets.js';
import { toHex } from '../codec/hex.js';
import { MultiprotocolSection } from '../codec/multiprotocol-section.js';
import { decodeNlri, encodeNlri, nlriToJson, type PrefixNlri } from '../codec/nlri.js';
import { checkNlri, type PathIdBytes } from '../codec/nlri-cursor.js';
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { isHostIpv4 } from './003-next-hop.js';
import { type AttributeDescriptor, OPTIONAL_NON_TRANSITIVE, OUTCOME } from './descriptor.js';

/** NLRI taken apart, or the octets where the codec does not know the family. */
export type MultiprotocolNlri = readonly PrefixNlri[] | Uint8Array;

export interface MpReach {
  readonly family: FamilyKey;
  /** as on the wire: {@link nextHopTexts} reads it */
  readonly nextHop: Uint8Array;
  readonly nlri: MultiprotocolNlri;
}

export const MP_REACH_NLRI: AttributeDescriptor<MpReach> = {
  code: 14,
  name: 'MP_REACH_NLRI',
  flags: OPTIONAL_NON_TRANSITIVE,
  onMalformed: OUTCOME.sessionReset,
  check: (view, at, end, context) => readReach(bytesOf(view), view, at, end, context, SCRATCH),
  decode(view, at, end, context) {
    const bytes = bytesOf(view);
    readReach(bytes, view, at, end, { ...context, families: null }, SCRATCH);
    const nextHop = copyOctets(bytes, SCRATCH.nextHopAt, SCRATCH.nextHopEnd);
    return { family: SCRATCH.family, nextHop, nlri: sectionNlri(bytes, SCRATCH) };
  },
  encode({ family, nextHop, nlri }, out, context) {
    out.u16(afiOf(family));
    out.u8(safiOf(family));
    out.u8(nextHop.length);
    out.octets(nextHop);
    out.u8(0);
    writeSectionNlri(nlri, out, context.addPathSend.has(family) ? 4 : 0);
  },
  toJson: ({ family, nextHop, nlri }) => ({
    family: familyName(family),
    nextHop: nextHopTexts(nextHop),
    nlri: sectionToJson(nlri),
  }),
};

const SCRATCH = new MultiprotocolSection();

/**
 * Fills `section` from the attribute value at `view[at .. end)`. 0, or the UPDATE error subcode:
 * `optionalAttribute` where it cannot be taken apart, `invalidNextHop` where only the next hop is wrong.
 */
export function readReach(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  context: CodecContext,
  section: MultiprotocolSection,
): number {
  section.clear();
  if (end - at < 5) return UPDATE_ERROR.optionalAttribute;
  const family = familyKey(view.getUint16(at), bytes[at + 2]!);
  section.family = family;
  section.nextHopAt = at + 4;
  section.nextHopEnd = at + 4 + bytes[at + 3]!;
  section.nlriAt = section.nextHopEnd + 1;
  section.nlriEnd = end;
  if (section.nlriAt > end) return UPDATE_ERROR.optionalAttribute;
  if (!holdsPrefixes(section, context)) return 0;
  if (!nextHopLengthIsValid(section.nextHopEnd - section.nextHopAt, family, context)) {
    return UPDATE_ERROR.optionalAttribute;
  }
  section.count = checkNlri(bytes, section.nlriAt, end, family, section.pathIdBytes);
  if (section.count < 0) return UPDATE_ERROR.optionalAttribute;
  if (context.peering === 'unknown') return 0;
  return nextHopIsHost(view, section) ? 0 : UPDATE_ERROR.invalidNextHop;
}

/**
 * Whether the located section is of a family in use here, and to be checked prefix by prefix; NLRI that are carried
 * raw are counted at once.
 */
export function holdsPrefixes(section: MultiprotocolSection, context: CodecContext): boolean {
  const { family } = section;
  if (context.families !== null && !context.families.has(family)) return false;
  section.present = true;
  section.pathIdBytes = context.addPathReceive.has(family) ? 4 : 0;
  if (nlriShape(family) !== NLRI_SHAPE.raw) return true;
  section.count = section.nlriAt === section.nlriEnd ? 0 : -1;
  return false;
}

/** VPN next hops carry a route distinguisher of 8 octets, all zero, before the address. */
function nextHopLengthIsValid(length: number, family: FamilyKey, context: CodecContext): boolean {
  const isVpn = nlriShape(family) === NLRI_SHAPE.vpn;
  if (addressBits(family) === 32) {
    if (length === (isVpn ? 12 : 4)) return true;
    const allowed = context.extendedNextHop.has(family) || context.peering === 'unknown';
    if (!allowed) return false;
  } else if (length === 4 && context.peering === 'unknown') return true;
  return isVpn ? length === 24 || length === 48 : length === 16 || length === 32;
}

function nextHopIsHost(view: DataView, section: MultiprotocolSection): boolean {
  const { nextHopAt, nextHopEnd } = section;
  const isVpn = nlriShape(section.family) === NLRI_SHAPE.vpn;
  const at = isVpn ? nextHopAt + 8 : nextHopAt;
  if (nextHopEnd - at === 4) return isHostIpv4(view.getUint32(at));
  if (view.getUint8(at) === 0xff) return false;
  // the link-local half may stand alone, with an unspecified global half
  for (let i = at; i < nextHopEnd; i += 4) if (view.getUint32(i) !== 0) return true;
  return false;
}

/** A DataView's octets, with the same offsets. */
export function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

export function sectionNlri(bytes: Uint8Array, section: MultiprotocolSection): MultiprotocolNlri {
  const { nlriAt, nlriEnd, family, pathIdBytes } = section;
  if (nlriShape(family) === NLRI_SHAPE.raw) return copyOctets(bytes, nlriAt, nlriEnd);
  return decodeNlri(bytes, nlriAt, nlriEnd, family, pathIdBytes);
}

export function writeSectionNlri(nlri: MultiprotocolNlri, out: ByteWriter, pathIdBytes: PathIdBytes): void {
  if (nlri instanceof Uint8Array) out.octets(nlri);
  else for (const one of nlri) encodeNlri(one, out, pathIdBytes);
}

export function sectionToJson(nlri: MultiprotocolNlri): unknown {
  return nlri instanceof Uint8Array ? { hex: toHex(nlri) } : nlri.map(nlriToJson);
}

/** The addresses in a next hop: one, or the global and the link-local one; hexadecimal for other lengths. */
export function nextHopTexts(nextHop: Uint8Array): string[] {
  const view = new DataView(nextHop.buffer, nextHop.byteOffset, nextHop.length);
  const v6 = (at: number): string =>
    formatIpv6(view.getUint32(at), view.getUint32(at + 4), view.getUint32(at + 8), view.getUint32(at + 12));
  switch (nextHop.length) {
    case 0:
      return [];
    case 4:
      return [formatIpv4(view.getUint32(0))];
    case 12:
      return [formatIpv4(view.getUint32(8))];
    case 16:
      return [v6(0)];
    case 24:
      return [v6(8)];
    case 32:
      return [v6(0), v6(16)];
    case 48:
      return [v6(8), v6(32)];
    default:
      return [`0x${toHex(nextHop)}`];
  }
}
