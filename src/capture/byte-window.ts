/**
 * The part of a source that is in memory: one buffer, used again and again. What a reader has not finished with is
 * carried to the front, and the next read fills the rest.
 *
 *     bytes: | done | unread        | room |
 *            0      at            end      length
 */
import type { ByteSource } from './raw-source.js';

const DROP_BYTES = 64 * 1024;

export class ByteWindow {
  /** the next unread octet, and one past the last */
  at = 0;
  end = 0;
  bytes: Uint8Array;
  view: DataView;
  private readonly source: ByteSource;
  /** offset in the uncompressed input of `bytes[0]` */
  private base = 0;
  private scratch: Uint8Array | undefined;

  constructor(source: ByteSource, buffer: Uint8Array) {
    this.source = source;
    this.bytes = buffer;
    this.view = viewOf(buffer);
  }

  /** offset of `bytes[at]` in the uncompressed input */
  offsetOf(at: number): number {
    return this.base + at;
  }

  get unread(): number {
    return this.end - this.at;
  }

  /** Brings in more behind the unread octets; overwrites what was read. False if nothing came or fits. */
  fill(): boolean {
    if (this.at > 0) {
      this.bytes.copyWithin(0, this.at, this.end);
      this.base += this.at;
      this.end -= this.at;
      this.at = 0;
    }
    const count = this.source.read(this.bytes, this.end, this.bytes.length - this.end);
    this.end += count;
    return count > 0;
  }

  /** Fills until `length` octets are unread; false if the source ends before. */
  fillTo(length: number): boolean {
    while (this.unread < length) {
      if (!this.fill()) return false;
    }
    return true;
  }

  /**
   * Goes past `length` octets, more than are unread, and leaves the buffer as it is, so that a frame too large for
   * it can be handed on in part. The last octets passed are put in `tail`. False if the source ends before.
   */
  drop(length: number, tail: Uint8Array): boolean {
    this.scratch ??= new Uint8Array(DROP_BYTES);
    const buffered = this.unread;
    keepTail(tail, this.bytes, this.at, this.end);
    this.base += length - buffered;
    this.at = this.end;
    let left = length - buffered;
    while (left > 0) {
      const count = this.source.read(this.scratch, 0, Math.min(left, DROP_BYTES));
      if (count === 0) return false;
      keepTail(tail, this.scratch, 0, count);
      left -= count;
    }
    return true;
  }

  /** The same octets at another place, as after `memory.grow` of a WebAssembly memory. */
  rebind(buffer: Uint8Array): void {
    if (buffer.length !== this.bytes.length && this.bytes.length !== 0) {
      throw new RangeError(`ByteWindow.rebind: expected ${this.bytes.length} octets, got ${buffer.length}`);
    }
    this.bytes = buffer;
    this.view = viewOf(buffer);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Shifts `bytes[at…end]` into `tail` from behind. */
function keepTail(tail: Uint8Array, bytes: Uint8Array, at: number, end: number): void {
  const count = Math.min(tail.length, end - at);
  tail.copyWithin(0, count);
  tail.set(bytes.subarray(end - count, end), tail.length - count);
}
