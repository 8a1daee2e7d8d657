/**
 * MP_UNREACH_NLRI: RFC 4760 section 4. Without NLRI it ends the RIB of its family (RFC 4724 section 2).
 *
 * ```
 *   | AFI 2 | SAFI 1 | withdrawn NLRI |
 * ```
 *
 * Malformed: RFC 7606 sections 5.3 and 7.12.
 */
import { afiOf, type FamilyKey, familyKey, familyName, safiOf } from '../codec/address-family.js';
import type { CodecContext } from '../codec/codec-context.js';
import { MultiprotocolSection } from '../codec/multiprotocol-section.js';
import { checkNlri } from '../codec/nlri-cursor.js';
import { UPDATE_ERROR } from '../codec/notification-code.js';
import type { MultiprotocolNlri } from './014-mp-reach-nlri.js';
import { bytesOf, holdsPrefixes, sectionNlri, sectionToJson, writeSectionNlri } from './014-mp-reach-nlri.js';
import { type AttributeDescriptor, OPTIONAL_NON_TRANSITIVE, OUTCOME } from './descriptor.js';

export interface MpUnreach {
  readonly family: FamilyKey;
  readonly nlri: MultiprotocolNlri;
}

export const MP_UNREACH_NLRI: AttributeDescriptor<MpUnreach> = {
  code: 15,
  name: 'MP_UNREACH_NLRI',
  flags: OPTIONAL_NON_TRANSITIVE,
  onMalformed: OUTCOME.sessionReset,
  check: (view, at, end, context) => readUnreach(bytesOf(view), view, at, end, context, SCRATCH),
  decode(view, at, end, context) {
    const bytes = bytesOf(view);
    readUnreach(bytes, view, at, end, { ...context, families: null }, SCRATCH);
    return { family: SCRATCH.family, nlri: sectionNlri(bytes, SCRATCH) };
  },
  encode({ family, nlri }, out, context) {
    out.u16(afiOf(family));
    out.u8(safiOf(family));
    writeSectionNlri(nlri, out, context.addPathSend.has(family) ? 4 : 0);
  },
  toJson: ({ family, nlri }) => ({ family: familyName(family), nlri: sectionToJson(nlri) }),
};

const SCRATCH = new MultiprotocolSection();

/** Fills `section` from the attribute value; 0, or `optionalAttribute` where it cannot be taken apart. */
export function readUnreach(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  context: CodecContext,
  section: MultiprotocolSection,
): number {
  section.clear();
  if (end - at < 3) return UPDATE_ERROR.optionalAttribute;
  const family = familyKey(view.getUint16(at), bytes[at + 2]!);
  section.family = family;
  section.nlriAt = at + 3;
  section.nlriEnd = end;
  if (!holdsPrefixes(section, context)) return 0;
  section.count = checkNlri(bytes, at + 3, end, family, section.pathIdBytes);
  return section.count < 0 ? UPDATE_ERROR.optionalAttribute : 0;
}
