/**
 * Reads an UPDATE in place and says what RFC 7606 makes of it. The hot half of the codec.
 *
 * Order of judgement, the strongest outcome wins (RFC 7606 section 3 h):
 *
 * 1. the two length fields, then the withdrawn and NLRI fields: errors there reset the session (3/1, 3/10);
 * 2. every attribute: flags before value (section 3 c), repetitions (3 g), then what its descriptor checks;
 * 3. mandatory attributes missing: treat-as-withdraw (3 d);
 * 4. anything worse than attribute-discard in a message that announces nothing: session reset (5.2), because
 *    then the NLRI may be what was misread.
 *
 * Promises: never throws and never reads outside of `[at, end)`, whatever the octets; allocates only where
 * something is wrong.
 */

import { readReach } from '../attribute/014-mp-reach-nlri.js';
import { readUnreach } from '../attribute/015-mp-unreach-nlri.js';
import { FLAG, OUTCOME, type Outcome } from '../attribute/descriptor.js';
import { attributeName, CHECK_OF, DESCRIPTOR_OF, FLAGS_OF, IS_INTERNAL_ONLY } from '../attribute/registry.js';
import { type FamilyKey, IPV4_UNICAST } from './address-family.js';
import type { CodecContext } from './codec-context.js';
import { copyOctets } from './copy-octets.js';
import { checkNlri } from './nlri-cursor.js';
import { ERROR_CODE, UPDATE_ERROR } from './notification-code.js';
import type { UpdateView } from './update-view.js';

const CODE = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  localPref: 5,
  aggregator: 7,
  mpReach: 14,
  mpUnreach: 15,
} as const;
/** `code` of a fault of the attribute list as a whole */
const ATTRIBUTE_LIST = -1;
/** attributes that an attribute set holds in another form on some sessions: attribute-set.ts */
const IS_REWRITTEN = Uint8Array.from({ length: 256 }, (_, code) => ([2, 7, 17, 18].includes(code) ? 1 : 0));
const OPTIONAL_OR_TRANSITIVE = FLAG.optional | FLAG.transitive;

/** Fills `out` from the UPDATE whose body (after the 19-octet header) is `bytes[at .. end)`. */
export function readUpdate(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  context: CodecContext,
  out: UpdateView,
): void {
  clear(out, bytes, view, context);
  if (!readFields(at, end, out)) return;
  readAttributes(context, out);
  if (out.outcome === OUTCOME.sessionReset) return;
  checkMandatory(context, out);
  if (out.outcome === OUTCOME.treatAsWithdraw && announcesNothing(out)) {
    const worst = out.faults.find((f) => f.outcome === OUTCOME.treatAsWithdraw)!;
    const reason = `${worst.reason}, in an UPDATE that announces nothing`;
    raise(out, worst.code, worst.subcode, OUTCOME.sessionReset, reason);
  } else if (out.withdrawnCount === 0 && out.nlriCount === 0) out.endOfRib = endOfRibFamily(out);
}

function clear(out: UpdateView, bytes: Uint8Array, view: DataView, context: CodecContext): void {
  out.bytes = bytes;
  out.view = view;
  for (let row = 0; row < out.attributeCount; row++) out.rowOf[out.codes[row]!] = -1;
  out.attributeCount = 0;
  out.attributesAreCanonical = true;
  out.outcome = OUTCOME.accept;
  out.resetFault = null;
  if (out.faults.length > 0) out.faults.length = 0;
  out.reach.clear();
  out.unreach.clear();
  out.endOfRib = -1;
  out.withdrawnCount = 0;
  out.nlriCount = 0;
  out.pathIdBytes = context.addPathReceive.has(IPV4_UNICAST) ? 4 : 0;
}

/** Finds the three fields and counts their prefixes; false where the session is to be reset. */
function readFields(at: number, end: number, out: UpdateView): boolean {
  const { bytes, view, pathIdBytes } = out;
  const withdrawnBytes = end - at >= 4 ? view.getUint16(at) : 0;
  const lengthAt = at + 2 + withdrawnBytes;
  if (end - at < 4 || lengthAt + 2 > end) {
    return refuse(out, UPDATE_ERROR.malformedAttributeList, 'the withdrawn routes exceed the message');
  }
  const attributeBytes = view.getUint16(lengthAt);
  out.withdrawnAt = at + 2;
  out.withdrawnEnd = lengthAt;
  out.attributesAt = lengthAt + 2;
  out.attributesEnd = lengthAt + 2 + attributeBytes;
  out.nlriAt = out.attributesEnd;
  out.nlriEnd = end;
  if (out.attributesEnd > end) {
    return refuse(out, UPDATE_ERROR.malformedAttributeList, 'the path attributes exceed the message');
  }
  const withdrawn = checkNlri(bytes, out.withdrawnAt, out.withdrawnEnd, IPV4_UNICAST, pathIdBytes);
  if (withdrawn < 0) {
    return refuse(out, UPDATE_ERROR.invalidNetworkField, 'the withdrawn routes are not valid prefixes');
  }
  const announced = checkNlri(bytes, out.nlriAt, end, IPV4_UNICAST, pathIdBytes);
  if (announced < 0) return refuse(out, UPDATE_ERROR.invalidNetworkField, 'the NLRI are not valid prefixes');
  out.withdrawnCount = withdrawn;
  out.nlriCount = announced;
  return true;
}

function refuse(out: UpdateView, subcode: number, reason: string): false {
  raise(out, ATTRIBUTE_LIST, subcode, OUTCOME.sessionReset, reason);
  return false;
}

function readAttributes(context: CodecContext, out: UpdateView): void {
  const { bytes, attributesEnd: listEnd } = out;
  let at = out.attributesAt;
  let lastCode = -1;
  while (at < listEnd) {
    const flags = bytes[at]!;
    const code = bytes[at + 1]!;
    const headBytes = (flags & FLAG.extendedLength) !== 0 ? 4 : 3;
    const valueAt = at + headBytes;
    const valueEnd = valueAt > listEnd ? -1 : valueAt + attributeLength(bytes, at, headBytes);
    if (valueEnd < 0 || valueEnd > listEnd) {
      raiseList(out, 'the last path attribute is cut short');
      return;
    }
    if (out.rowOf[code]! < 0) {
      const outcome = readAttribute(code, flags, valueAt, valueEnd, context, out);
      if (outcome === OUTCOME.sessionReset) return;
      // canonical: kept, ascending, shortest length field, no stray flag bits
      const tail = valueEnd - valueAt > 255 ? FLAG.extendedLength : 0;
      if (outcome !== OUTCOME.accept || code < lastCode || (flags & 0x1f) !== tail) {
        out.attributesAreCanonical = false;
      }
      lastCode = code;
    } else if (!readRepetition(code, out)) return;
    at = valueEnd;
  }
}

function attributeLength(bytes: Uint8Array, at: number, headBytes: number): number {
  return headBytes === 4 ? (bytes[at + 2]! << 8) | bytes[at + 3]! : bytes[at + 2]!;
}

function readAttribute(
  code: number,
  flags: number,
  valueAt: number,
  valueEnd: number,
  context: CodecContext,
  out: UpdateView,
): Outcome {
  const row = out.attributeCount++;
  out.codes[row] = code;
  out.flags[row] = flags;
  out.valueAt[row] = valueAt;
  out.valueEnd[row] = valueEnd;
  out.rowOf[code] = row;
  out.kept[row] = 0;
  if (code === CODE.mpReach || code === CODE.mpUnreach) {
    out.attributesAreCanonical = false;
    return judgeMultiprotocol(code, flags, valueAt, valueEnd, context, out);
  }
  const outcome = judge(row, code, flags, valueAt, valueEnd, context, out);
  if (outcome === OUTCOME.accept) out.kept[row] = 1;
  return outcome;
}

/** RFC 7606 section 3 g: only the first counts, but MP_* twice resets; false where the session is to be reset. */
function readRepetition(code: number, out: UpdateView): boolean {
  const isMultiprotocol = code === CODE.mpReach || code === CODE.mpUnreach;
  const outcome = isMultiprotocol ? OUTCOME.sessionReset : OUTCOME.attributeDiscard;
  out.attributesAreCanonical = false;
  const reason = `${attributeName(code)} appears twice`;
  raise(out, ATTRIBUTE_LIST, UPDATE_ERROR.malformedAttributeList, outcome, reason);
  return !isMultiprotocol;
}

/** What becomes of one attribute; faults are recorded in `out`. */
function judge(
  row: number,
  code: number,
  flags: number,
  at: number,
  end: number,
  context: CodecContext,
  out: UpdateView,
): Outcome {
  const check = CHECK_OF[code]!;
  if (check === null) return judgeUnrecognized(row, code, flags, out);
  if (IS_INTERNAL_ONLY[code] === 1 && context.peering === 'external') return OUTCOME.attributeDiscard;
  if (!flagsAreValid(flags, FLAGS_OF[code]!)) {
    return raiseAttribute(out, code, UPDATE_ERROR.attributeFlags, OUTCOME.treatAsWithdraw, 'has wrong flags');
  }
  const subcode = check(out.view, at, end, context);
  if (subcode !== 0) {
    return raiseAttribute(out, code, subcode, DESCRIPTOR_OF[code]!.onMalformed, 'is malformed');
  }
  if (IS_REWRITTEN[code] === 1 && !(context.asn4 && code <= CODE.aggregator))
    out.attributesAreCanonical = false;
  return OUTCOME.accept;
}

/**
 * Optional and Transitive must be as registered; Partial must be clear except on optional transitive
 * attributes (RFC 4271 section 4.3). The low four bits are ignored.
 */
function flagsAreValid(flags: number, registered: number): boolean {
  if ((flags & OPTIONAL_OR_TRANSITIVE) !== registered) return false;
  return (flags & FLAG.partial) === 0 || registered === OPTIONAL_OR_TRANSITIVE;
}

/** RFC 4271 section 5: pass on with Partial, drop, or (well-known) refuse. */
function judgeUnrecognized(row: number, code: number, flags: number, out: UpdateView): Outcome {
  if ((flags & FLAG.optional) === 0) {
    const { unrecognizedWellKnown } = UPDATE_ERROR;
    return raiseAttribute(
      out,
      code,
      unrecognizedWellKnown,
      OUTCOME.sessionReset,
      'is well-known, but not to us',
    );
  }
  if ((flags & FLAG.transitive) === 0) return OUTCOME.attributeDiscard;
  if ((flags & FLAG.partial) === 0) {
    out.flags[row] = flags | FLAG.partial;
    out.attributesAreCanonical = false;
  }
  return OUTCOME.accept;
}

/** With wrong flags the value is read all the same: what is to be withdrawn must be known (section 3 j). */
function judgeMultiprotocol(
  code: number,
  flags: number,
  at: number,
  end: number,
  context: CodecContext,
  out: UpdateView,
): Outcome {
  let outcome: Outcome = OUTCOME.accept;
  if (!flagsAreValid(flags, FLAGS_OF[code]!)) {
    outcome = OUTCOME.treatAsWithdraw;
    raiseAttribute(out, code, UPDATE_ERROR.attributeFlags, outcome, 'has wrong flags');
  }
  const subcode =
    code === CODE.mpReach
      ? readReach(out.bytes, out.view, at, end, context, out.reach)
      : readUnreach(out.bytes, out.view, at, end, context, out.unreach);
  if (subcode === 0) return outcome;
  if (subcode === UPDATE_ERROR.invalidNextHop) {
    return raiseAttribute(out, code, subcode, OUTCOME.treatAsWithdraw, 'has a next hop that is no host');
  }
  return raiseAttribute(out, code, subcode, OUTCOME.sessionReset, 'cannot be taken apart');
}

/** RFC 7606 section 3 d. An UPDATE without NLRI needs no attributes. */
function checkMandatory(context: CodecContext, out: UpdateView): void {
  const announces = out.nlriCount > 0 || (out.reach.present && out.reach.count !== 0);
  if (!announces || out.outcome === OUTCOME.treatAsWithdraw) return;
  requireAttribute(CODE.origin, out);
  requireAttribute(CODE.asPath, out);
  if (out.nlriCount > 0) requireAttribute(CODE.nextHop, out);
  if (context.peering === 'internal') requireAttribute(CODE.localPref, out);
}

function requireAttribute(code: number, out: UpdateView): void {
  if (out.rowOf[code]! >= 0) return;
  raiseAttribute(out, code, UPDATE_ERROR.missingWellKnown, OUTCOME.treatAsWithdraw, 'is missing');
}

/** Path attributes other than MP_UNREACH_NLRI, and no NLRI that they could belong to (RFC 7606 section 5.2). */
function announcesNothing(out: UpdateView): boolean {
  if (out.nlriCount > 0) return false;
  if (out.rowOf[CODE.mpReach]! >= 0 && out.reach.nlriAt < out.reach.nlriEnd) return false;
  const { rowOf, attributeCount, faults } = out;
  const isUnreachAlone = attributeCount === 1 && rowOf[CODE.mpUnreach]! >= 0;
  return !isUnreachAlone || faults.some((f) => f.code === ATTRIBUTE_LIST);
}

/** RFC 4724 section 2: an empty UPDATE, or one whose only attribute is an MP_UNREACH_NLRI without NLRI. */
function endOfRibFamily(out: UpdateView): FamilyKey | -1 {
  if (out.attributeCount === 0) return out.attributesAt === out.attributesEnd ? IPV4_UNICAST : -1;
  const { unreach } = out;
  if (out.attributeCount !== 1 || !unreach.present || unreach.nlriAt !== unreach.nlriEnd) return -1;
  return unreach.family;
}

function raiseList(out: UpdateView, reason: string): void {
  out.attributesAreCanonical = false;
  raise(out, ATTRIBUTE_LIST, UPDATE_ERROR.malformedAttributeList, OUTCOME.treatAsWithdraw, reason);
}

function raiseAttribute(
  out: UpdateView,
  code: number,
  subcode: number,
  outcome: Outcome,
  what: string,
): Outcome {
  raise(out, code, subcode, outcome, `${attributeName(code)} ${what}`);
  return outcome;
}

/** Records a fault; the message's outcome becomes the strongest of all. */
function raise(out: UpdateView, code: number, subcode: number, outcome: Outcome, reason: string): void {
  out.faults.push({ code, subcode, outcome, reason });
  if (outcome > out.outcome && outcome >= OUTCOME.treatAsWithdraw) out.outcome = outcome;
  if (outcome !== OUTCOME.sessionReset) return;
  const data = code === ATTRIBUTE_LIST ? EMPTY : wholeAttribute(out, code);
  out.resetFault = { code: ERROR_CODE.update, subcode, data, reason };
}

/** RFC 4271 section 6.3: the data of the NOTIFICATION is the attribute with its flags, code and length. */
function wholeAttribute(out: UpdateView, code: number): Uint8Array {
  const row = out.rowOf[code]!;
  if (row < 0) return Uint8Array.of(code);
  const headBytes = (out.flags[row]! & FLAG.extendedLength) !== 0 ? 4 : 3;
  return copyOctets(out.bytes, out.valueAt[row]! - headBytes, out.valueEnd[row]!);
}

const EMPTY = new Uint8Array(0);
