/**
 * ERSPAN header behind GRE (draft-foschiano-erspan); a mirrored Ethernet frame follows.
 *
 *     Type I: nothing (GRE without sequence number) · Type II: 8 octets · Type III: 12 octets, 8 more where the
 *     O bit (the last of the 12) is set
 */
import { hasSequence, PROTOCOL_ERSPAN_3 } from './gre.js';

const TYPE_2_BYTES = 8;
const TYPE_3_BYTES = 12;
const PLATFORM_BYTES = 8;

/** Octets of the ERSPAN header at `at` behind the GRE header at `greAt`; -1 where it is cut off. */
export function headerBytes(
  view: DataView,
  greAt: number,
  greProtocol: number,
  at: number,
  end: number,
): number {
  if (greProtocol !== PROTOCOL_ERSPAN_3) {
    const bytes = hasSequence(view, greAt) ? TYPE_2_BYTES : 0;
    return at + bytes <= end ? bytes : -1;
  }
  if (at + TYPE_3_BYTES > end) return -1;
  const bytes = TYPE_3_BYTES + ((view.getUint8(at + 11) & 1) === 1 ? PLATFORM_BYTES : 0);
  return at + bytes <= end ? bytes : -1;
}
