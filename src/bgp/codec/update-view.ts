/**
 * An UPDATE read in place: offsets into the receive buffer, nothing copied, nothing allocated.
 *
 * ```
 *   | 2 | withdrawn routes | 2 | path attributes | NLRI |
 *        withdrawnAt..End       attributesAt..End  nlriAt..End
 * ```
 *
 * One view is made per session and refilled by `readUpdate` (read-update.ts) for each message. It is valid
 * until the receive buffer changes. Its {@link UpdateView.outcome} says what RFC 7606 makes of the message:
 *
 * - `accept`: apply withdrawals, then announcements with the attributes that are kept;
 * - `treatAsWithdraw`: apply the withdrawals, and withdraw what the message announces as well;
 * - `sessionReset`: apply nothing; the NOTIFICATION is in {@link UpdateView.resetFault}.
 *
 * Attributes to discard are marked one by one (`kept`). Rows of the attribute columns stand in order of
 * appearance, without the repetitions of a code (only the first counts, RFC 7606 section 3g).
 */

import { OUTCOME, type Outcome } from '../attribute/descriptor.js';
import { type FamilyKey, IPV4_UNICAST } from './address-family.js';
import type { MessageFault } from './message.js';
import { MultiprotocolSection } from './multiprotocol-section.js';
import type { NlriCursor, PathIdBytes } from './nlri-cursor.js';

/** What is wrong with one attribute, or with the list of them (`code` -1). */
export interface UpdateFault {
  readonly code: number;
  /** UPDATE error subcode, notification-code.ts */
  readonly subcode: number;
  readonly outcome: Outcome;
  readonly reason: string;
}

/** more than a message can hold: 255 codes, each once */
const ATTRIBUTE_ROWS = 256;

export class UpdateView {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);

  withdrawnAt = 0;
  withdrawnEnd = 0;
  attributesAt = 0;
  attributesEnd = 0;
  nlriAt = 0;
  nlriEnd = 0;
  /** prefixes in the withdrawn routes field and in the NLRI field, both IPv4 unicast */
  withdrawnCount = 0;
  nlriCount = 0;
  /** path identifiers in those two fields */
  pathIdBytes: PathIdBytes = 0;

  outcome: Outcome = OUTCOME.accept;
  /** the NOTIFICATION to send; set exactly when {@link outcome} is `sessionReset` */
  resetFault: MessageFault | null = null;
  /** everything that was found wrong, in order; empty for nearly every message */
  readonly faults: UpdateFault[] = [];

  readonly reach = new MultiprotocolSection();
  readonly unreach = new MultiprotocolSection();

  attributeCount = 0;
  readonly codes = new Uint8Array(ATTRIBUTE_ROWS);
  /** flags as received, but with Partial set on what is not recognized and passed on */
  readonly flags = new Uint8Array(ATTRIBUTE_ROWS);
  /** value range of each row */
  readonly valueAt = new Uint32Array(ATTRIBUTE_ROWS);
  readonly valueEnd = new Uint32Array(ATTRIBUTE_ROWS);
  /** 1 = to be used and passed on; 0 = discarded, or MP_REACH / MP_UNREACH */
  readonly kept = new Uint8Array(ATTRIBUTE_ROWS);
  /** row of each code; -1 where the message does not have it */
  readonly rowOf = new Int16Array(256).fill(-1);

  /**
   * The octets `bytes[attributesAt .. attributesEnd)` are already what `writeAttributeSet` would write
   * (attribute-set.ts): a caller may intern them as they stand.
   */
  attributesAreCanonical = true;

  /** The family that this UPDATE ends the RIB of (RFC 4724 section 2); -1 where it is no End-of-RIB. */
  endOfRib: FamilyKey | -1 = -1;

  /** Puts `cursor` before the prefixes of the withdrawn routes field. */
  openWithdrawn(cursor: NlriCursor): void {
    cursor.reset(this.bytes, this.withdrawnAt, this.withdrawnEnd, IPV4_UNICAST, this.pathIdBytes);
  }

  /** Puts `cursor` before the prefixes of the NLRI field. */
  openNlri(cursor: NlriCursor): void {
    cursor.reset(this.bytes, this.nlriAt, this.nlriEnd, IPV4_UNICAST, this.pathIdBytes);
  }

  /** Puts `cursor` before the prefixes of `section` ({@link reach} or {@link unreach}), count >= 0. */
  openSection(cursor: NlriCursor, section: MultiprotocolSection): void {
    cursor.reset(this.bytes, section.nlriAt, section.nlriEnd, section.family, section.pathIdBytes);
  }

  /** Row of attribute `code` where it is present and kept; -1 otherwise. */
  keptRow(code: number): number {
    const row = this.rowOf[code]!;
    return row >= 0 && this.kept[row] === 1 ? row : -1;
  }
}
