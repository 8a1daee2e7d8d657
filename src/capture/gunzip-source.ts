/**
 * gzip (RFC 1952) taken off a source, in bounded memory: any number of members one behind the other, and whatever
 * was inflated before a cut or a fault is kept.
 *
 *     1f 8b 08 FLG MTIME(4) XFL OS [XLEN(2) extra] [name 0] [comment 0] [CRC16] | DEFLATE … | CRC32(4) ISIZE(4)
 *
 * Zeros and other octets behind the last member are padding or somebody's trailer; gzip and tshark ignore them too.
 */
import { crc32 } from 'node:zlib';
import { NativeInflater } from './native-inflater.js';
import { PortableInflater } from './portable-inflater.js';
import type { RawInflater } from './raw-inflater.js';
import type { ByteSource, SourceFault } from './raw-source.js';

export const GZIP_MAGIC = [0x1f, 0x8b] as const;

const INPUT_BYTES = 256 * 1024;
const METHOD_DEFLATE = 8;
const FIXED_HEADER_BYTES = 10;
const TRAILER_BYTES = 8;
const FLAG_HEADER_CRC = 0x02;
const FLAG_EXTRA = 0x04;
const FLAG_NAME = 0x08;
const FLAG_COMMENT = 0x10;

/** what the next octets of the compressed input are */
type Part = 'header' | 'deflate' | 'trailer' | 'end';

export class GunzipSource implements ByteSource {
  fault: SourceFault | null = null;
  private readonly compressed: ByteSource;
  // in JavaScript only where Node's zlib cannot be fed step by step: the same octets, more slowly
  private readonly inflater: RawInflater = NativeInflater.create() ?? new PortableInflater();
  private readonly input = new Uint8Array(INPUT_BYTES);
  private inputAt = 0;
  private inputEnd = 0;
  private part: Part = 'header';
  private members = 0;
  private crc = 0;
  /** octets inflated of this member, modulo 2^32 */
  private memberBytes = 0;
  private open = true;

  constructor(compressed: ByteSource) {
    this.compressed = compressed;
  }

  get name(): string {
    return this.compressed.name;
  }

  get sizeBytes(): number | null {
    return this.compressed.sizeBytes;
  }

  get positionBytes(): number {
    return this.compressed.positionBytes;
  }

  read(into: Uint8Array, at: number, length: number): number {
    if (!this.open) return 0;
    let count = 0;
    while (count < length && this.part !== 'end') {
      if (this.part === 'header') this.readHeader();
      else if (this.part === 'trailer') this.readTrailer();
      else count += this.inflateInto(into, at + count, length - count);
      // a slow pipe: hand on what there is rather than wait for a full buffer
      if (count > 0 && this.inputAt === this.inputEnd) break;
    }
    return count;
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.inflater.close();
    this.compressed.close();
  }

  private inflateInto(into: Uint8Array, at: number, length: number): number {
    if (this.inputAt === this.inputEnd && !this.refill()) {
      this.cut();
      return 0;
    }
    const inflater = this.inflater;
    inflater.inflate(this.input, this.inputAt, this.inputEnd - this.inputAt, into, at, length);
    this.inputAt += inflater.consumed;
    const made = inflater.produced;
    if (made > 0) {
      this.crc = crc32(into.subarray(at, at + made), this.crc);
      this.memberBytes = (this.memberBytes + made) >>> 0;
    }
    if (inflater.error !== null) this.damaged(inflater.error);
    else if (inflater.ended) this.part = 'trailer';
    return made;
  }

  private readHeader(): void {
    const padding = this.members > 0;
    if (!this.have(FIXED_HEADER_BYTES)) {
      const left = this.inputEnd - this.inputAt;
      const startsMember = left > 0 && this.input[this.inputAt] === GZIP_MAGIC[0];
      if (padding && !startsMember) this.part = 'end';
      else this.cut();
      return;
    }
    const input = this.input;
    const at = this.inputAt;
    if (input[at] !== GZIP_MAGIC[0] || input[at + 1] !== GZIP_MAGIC[1]) {
      this.part = 'end';
      return;
    }
    if (input[at + 2] !== METHOD_DEFLATE) {
      this.damaged(`unknown compression method ${input[at + 2]}`);
      return;
    }
    const flags = input[at + 3] as number;
    this.inputAt += FIXED_HEADER_BYTES;
    const complete =
      ((flags & FLAG_EXTRA) === 0 || this.skipExtra()) &&
      ((flags & FLAG_NAME) === 0 || this.skipText()) &&
      ((flags & FLAG_COMMENT) === 0 || this.skipText()) &&
      ((flags & FLAG_HEADER_CRC) === 0 || this.skip(2));
    if (!complete) {
      this.cut();
      return;
    }
    if (this.members > 0) this.inflater.reset();
    this.members++;
    this.crc = 0;
    this.memberBytes = 0;
    this.part = 'deflate';
  }

  private readTrailer(): void {
    if (!this.have(TRAILER_BYTES)) {
      this.cut();
      return;
    }
    const view = new DataView(this.input.buffer, this.inputAt, TRAILER_BYTES);
    this.inputAt += TRAILER_BYTES;
    if (view.getUint32(0, true) !== this.crc) this.damaged('its checksum is wrong');
    else if (view.getUint32(4, true) !== this.memberBytes) this.damaged('its length is wrong');
    else this.part = 'header';
  }

  private skipExtra(): boolean {
    if (!this.have(2)) return false;
    const length = (this.input[this.inputAt] as number) | ((this.input[this.inputAt + 1] as number) << 8);
    return this.skip(2 + length);
  }

  private skipText(): boolean {
    for (;;) {
      const nul = this.input.subarray(0, this.inputEnd).indexOf(0, this.inputAt);
      if (nul >= 0) {
        this.inputAt = nul + 1;
        return true;
      }
      this.inputAt = this.inputEnd;
      if (!this.refill()) return false;
    }
  }

  private skip(length: number): boolean {
    if (!this.have(length)) return false;
    this.inputAt += length;
    return true;
  }

  /** Makes sure of `length` (at most 64 KiB) unread octets. */
  private have(length: number): boolean {
    while (this.inputEnd - this.inputAt < length) {
      if (!this.refill()) return false;
    }
    return true;
  }

  private refill(): boolean {
    const input = this.input;
    input.copyWithin(0, this.inputAt, this.inputEnd);
    this.inputEnd -= this.inputAt;
    this.inputAt = 0;
    const count = this.compressed.read(input, this.inputEnd, input.length - this.inputEnd);
    this.inputEnd += count;
    return count > 0;
  }

  private cut(): void {
    this.part = 'end';
    this.fault = this.compressed.fault ?? {
      kind: 'cut',
      message: `${this.name} ends in the middle of its gzip data; what was inflated before is kept`,
    };
  }

  private damaged(why: string): void {
    this.part = 'end';
    const near = this.compressed.positionBytes - (this.inputEnd - this.inputAt);
    this.fault = {
      kind: 'damaged',
      message: `the gzip data of ${this.name} is damaged before compressed offset ${near} (${why})`,
    };
  }
}
