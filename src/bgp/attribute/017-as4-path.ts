/**
 * AS4_PATH: RFC 6793 section 3, the four-octet path that passes through two-octet speakers.
 *
 * Malformed, or from a four-octet speaker: discarded (section 6). Confederation segments in it are dropped
 * while merging, not an error.
 */
import { UPDATE_ERROR } from '../codec/notification-code.js';
import {
  type AsPathSegment,
  lowestAsn,
  readSegments,
  SEGMENT,
  segmentsAreValid,
  segmentsToJson,
  writeSegments,
} from './002-as-path.js';
import { type AttributeDescriptor, OPTIONAL_TRANSITIVE, OUTCOME } from './descriptor.js';

/** one segment with one AS number */
const SHORTEST = 6;

export const AS4_PATH: AttributeDescriptor<readonly AsPathSegment[]> = {
  code: 17,
  name: 'AS4_PATH',
  flags: OPTIONAL_TRANSITIVE,
  onMalformed: OUTCOME.attributeDiscard,
  check(view, at, end, context) {
    if (context.asn4 && context.peering !== 'unknown') return UPDATE_ERROR.optionalAttribute;
    if (end - at < SHORTEST) return UPDATE_ERROR.attributeLength;
    return segmentsAreValid(view, at, end, 4, lowestAsn(context)) ? 0 : UPDATE_ERROR.optionalAttribute;
  },
  decode: (view, at, end) => readSegments(view, at, end, 4),
  encode: (segments, out) => writeSegments(segments, out, 4),
  toJson: segmentsToJson,
};

/**
 * The path that a two-octet AS_PATH and its AS4_PATH mean together (RFC 6793 section 4.2.3): the leading AS
 * numbers that AS_PATH has and AS4_PATH has not, then AS4_PATH. AS4_PATH is ignored where it is the longer.
 */
export function mergeAs4Path(
  path: readonly AsPathSegment[],
  as4Path: readonly AsPathSegment[],
): readonly AsPathSegment[] {
  const tail = as4Path.filter((segment) => !isConfederation(segment));
  const surplus = countAsns(path) - countAsns(tail);
  if (surplus < 0) return path;
  const merged: AsPathSegment[] = [];
  let missing = surplus;
  for (const segment of path) {
    // confederation segments that lead, or stand beside what is kept, are kept: they count for nothing
    if (isConfederation(segment)) {
      merged.push(segment);
      continue;
    }
    if (missing === 0) break;
    const asns = segment.type === SEGMENT.set ? segment.asns : segment.asns.slice(0, missing);
    merged.push({ type: segment.type, asns });
    missing -= segment.type === SEGMENT.set ? 1 : asns.length;
    if (asns.length < segment.asns.length) break;
  }
  return joinSequences([...merged, ...tail]);
}

function isConfederation(segment: AsPathSegment): boolean {
  return segment.type === SEGMENT.confedSequence || segment.type === SEGMENT.confedSet;
}

/** as `asPathLength` counts, over values */
function countAsns(segments: readonly AsPathSegment[]): number {
  let count = 0;
  for (const { type, asns } of segments) {
    if (type === SEGMENT.sequence) count += asns.length;
    else if (type === SEGMENT.set) count += 1;
  }
  return count;
}

/** Neighbouring sequences become one where the result still fits a segment: the same path, one spelling. */
function joinSequences(segments: readonly AsPathSegment[]): AsPathSegment[] {
  const joined: AsPathSegment[] = [];
  for (const segment of segments) {
    const last = joined[joined.length - 1];
    if (
      last?.type === SEGMENT.sequence &&
      segment.type === SEGMENT.sequence &&
      last.asns.length + segment.asns.length <= 255
    ) {
      joined[joined.length - 1] = { type: SEGMENT.sequence, asns: [...last.asns, ...segment.asns] };
    } else joined.push(segment);
  }
  return joined;
}
