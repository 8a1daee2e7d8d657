/** A growing buffer with a write position, in network byte order. `bytes()` copies what was written so far. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(initialBytes = 256) {
    this.#bytes = new Uint8Array(initialBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** octets written so far = offset of the next one */
  get at(): number {
    return this.#at;
  }

  /** Forgets everything from `at` on. */
  rewind(at = 0): void {
    this.#at = at;
  }

  /** The written octets, valid until the next write. */
  peek(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** The whole buffer with its unused end, and a view of it: valid until the next write. */
  get buffer(): Uint8Array {
    return this.#bytes;
  }

  get view(): DataView {
    return this.#view;
  }

  /** A copy of the written octets. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  u16(value: number): void {
    this.#room(2);
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
  }

  /** the low 24 bits */
  u24(value: number): void {
    this.u8(value >>> 16);
    this.u16(value & 0xffff);
  }

  u32(value: number): void {
    this.#room(4);
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  octets(source: Uint8Array): void {
    this.#room(source.length);
    this.#bytes.set(source, this.#at);
    this.#at += source.length;
  }

  /** Copies `source[at .. end)`. */
  range(source: Uint8Array, at: number, end: number): void {
    const length = end - at;
    this.#room(length);
    // below some 64 octets a plain loop beats subarray + set, which allocates a view
    if (length < 64) for (let i = 0; i < length; i++) this.#bytes[this.#at + i] = source[at + i]!;
    else this.#bytes.set(source.subarray(at, end), this.#at);
    this.#at += length;
  }

  patch8(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  patch16(at: number, value: number): void {
    this.#view.setUint16(at, value);
  }

  #room(more: number): void {
    const need = this.#at + more;
    if (need <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
