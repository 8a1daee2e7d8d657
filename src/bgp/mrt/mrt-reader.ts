/**
 * Cuts an MRT dump into records (RFC 6396 section 2), pulled from a source of octets.
 *
 * ```
 *   | timestamp 4 | type 2 | subtype 2 | length 4 | body |      the _ET types begin their body with
 *                                                             microseconds, counted in the length
 * ```
 *
 * The fields of {@link MrtReader} describe the record in hand; its octets are valid until the next one.
 */
import type { ByteSource } from '../../capture/byte-source.js';

export const MRT_TYPE = {
  /** deprecated by RFC 6396 section 5, written by Zebra around 2000 */
  bgp: 5,
  tableDump: 12,
  tableDumpV2: 13,
  bgp4mp: 16,
  bgp4mpEt: 17,
} as const;

/** OSPFv2 11, ISIS 32, 33, OSPFv3 48, 49, and the deprecated types 0 to 10: not BGP, passed over */
const KNOWN_TYPES = new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 32, 33, 48, 49]);

const HEADER_BYTES = 12;
/** a record of one prefix with all peers of a collector stays well below; more is damage */
const MAX_RECORD_BYTES = 1 << 24;

/** Why a dump ended early. */
export interface MrtFault {
  readonly kind: 'cut' | 'damaged';
  /** offset of the record in the uncompressed dump */
  readonly offset: number;
  readonly message: string;
}

export class MrtReader {
  timestampS = 0;
  /** 0 for types without */
  microseconds = 0;
  type = 0;
  subtype = 0;
  /** the record's body is `bytes[at .. end)` */
  bytes: Uint8Array = new Uint8Array(1 << 18);
  view: DataView = new DataView(this.bytes.buffer);
  at = 0;
  end = 0;
  /** offset of the record in the dump */
  offset = 0;
  /** set where {@link next} returned false for another reason than the end of the dump */
  fault: MrtFault | null = null;

  private readonly source: Pick<ByteSource, 'read'>;
  private filled = 0;
  private nextRecord = 0;
  private consumed = 0;

  constructor(source: Pick<ByteSource, 'read'>) {
    this.source = source;
  }

  /** Moves to the next record; false at the end of the dump, or with {@link fault} set. */
  next(): boolean {
    if (this.fault !== null) return false;
    this.offset = this.consumed + this.nextRecord;
    const rest = this.ensure(HEADER_BYTES);
    if (rest < HEADER_BYTES) return rest === 0 ? false : this.fail('cut', 'the dump ends inside a header');
    let at = this.nextRecord;
    const length = this.view.getUint32(at + 8);
    this.type = this.view.getUint16(at + 4);
    if (!KNOWN_TYPES.has(this.type) || length > MAX_RECORD_BYTES) {
      return this.fail('damaged', `no MRT record: type ${this.type}, length ${length}`);
    }
    if (this.ensure(HEADER_BYTES + length) < HEADER_BYTES + length) {
      return this.fail('cut', `the dump ends inside a record of ${length} octets`);
    }
    at = this.nextRecord;
    this.timestampS = this.view.getUint32(at);
    this.subtype = this.view.getUint16(at + 6);
    this.at = at + HEADER_BYTES;
    this.end = this.at + length;
    this.microseconds = 0;
    if (this.type === MRT_TYPE.bgp4mpEt && length >= 4) {
      this.microseconds = this.view.getUint32(this.at);
      this.at += 4;
    }
    if (this.type === MRT_TYPE.tableDump) this.mendLength(length);
    this.nextRecord = this.end;
    return true;
  }

  /**
   * The first RIS dumps (January 2000) declare a TABLE_DUMP four octets shorter than it is. Told by the header
   * that follows: none where the length says, a good one four octets on.
   */
  private mendLength(length: number): void {
    const have = this.ensure(HEADER_BYTES + length + 4 + HEADER_BYTES);
    const shift = this.nextRecord + HEADER_BYTES - this.at;
    this.at += shift;
    this.end += shift;
    if (have < HEADER_BYTES + length + 4) return;
    if (have === HEADER_BYTES + length + 4) this.end += 4;
    else if (!this.isHeader(this.end, have) && this.isHeader(this.end + 4, have)) this.end += 4;
  }

  private isHeader(at: number, have: number): boolean {
    if (at + HEADER_BYTES > this.nextRecord + have) return false;
    const isNear = Math.abs(this.view.getUint32(at) - this.timestampS) < 7 * 86400;
    return isNear && this.view.getUint16(at + 4) === this.type;
  }

  /** Makes sure of `count` octets from {@link #next}, moving what is there; how many there are. */
  private ensure(count: number): number {
    if (this.filled - this.nextRecord < count) {
      this.bytes.copyWithin(0, this.nextRecord, this.filled);
      this.consumed += this.nextRecord;
      this.filled -= this.nextRecord;
      this.nextRecord = 0;
      if (count > this.bytes.length) this.grow(count);
      while (this.filled < count) {
        const got = this.source.read(this.bytes, this.filled, this.bytes.length - this.filled);
        if (got <= 0) break;
        this.filled += got;
      }
    }
    return this.filled - this.nextRecord;
  }

  private grow(count: number): void {
    const grown = new Uint8Array(count * 2);
    grown.set(this.bytes.subarray(0, this.filled));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  private fail(kind: MrtFault['kind'], message: string): false {
    this.fault = { kind, offset: this.offset, message };
    return false;
  }
}
