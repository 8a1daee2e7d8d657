/** Where writers put their octets. */

/** Takes octets that are valid only during the call. */
export type ByteSink = (bytes: Uint8Array) => void;

const BUFFER_BYTES = 256 * 1024;
const FEW_BYTES = 128;

/** Collects small pieces into large ones; `reserve` then write through `view`, or `append` octets of any length. */
export class BufferedSink {
  readonly view: DataView;
  private readonly bytes = new Uint8Array(BUFFER_BYTES);
  private readonly sink: ByteSink;
  private end = 0;

  constructor(sink: ByteSink) {
    this.sink = sink;
    this.view = new DataView(this.bytes.buffer);
  }

  /** Offset in `view` of the next `length` octets, to be written by the caller; few enough for the buffer. */
  reserve(length: number): number {
    if (this.end + length > BUFFER_BYTES) this.flush();
    const at = this.end;
    this.end += length;
    return at;
  }

  append(bytes: Uint8Array, at: number, length: number): void {
    if (length > BUFFER_BYTES - this.end) this.flush();
    if (length <= FEW_BYTES) {
      // a view of a few octets takes longer than copying them
      for (let i = 0; i < length; i++) this.bytes[this.end++] = bytes[at + i]!;
      return;
    }
    const piece = bytes.subarray(at, at + length);
    if (length > BUFFER_BYTES) {
      this.sink(piece);
      return;
    }
    this.bytes.set(piece, this.end);
    this.end += length;
  }

  /** Hands on what is held. */
  flush(): void {
    if (this.end === 0) return;
    this.sink(this.bytes.subarray(0, this.end));
    this.end = 0;
  }
}
