/** Where MP_REACH_NLRI or MP_UNREACH_NLRI (RFC 4760) of a message lie: offsets, nothing copied. */
import type { FamilyKey } from './address-family.js';
import type { PathIdBytes } from './nlri-cursor.js';

export class MultiprotocolSection {
  /** the message has the attribute, for a family in use on this session */
  present = false;
  family: FamilyKey = 0;
  /** next hop as received, of 0, 4, 12, 16, 24, 32 or 48 octets; MP_REACH only */
  nextHopAt = 0;
  nextHopEnd = 0;
  nlriAt = 0;
  nlriEnd = 0;
  /** NLRI in the section; -1 where there are some, but of a family that is carried raw */
  count = 0;
  pathIdBytes: PathIdBytes = 0;

  clear(): void {
    this.present = false;
    this.count = 0;
  }
}
