/** A growing buffer with a write position, in network byte order. `bytes()` copies what was written so far. */
export class ByteWriter {
  private storage: Uint8Array;
  private storageView: DataView;
  private used = 0;

  constructor(initialBytes = 256) {
    this.storage = new Uint8Array(initialBytes);
    this.storageView = new DataView(this.storage.buffer);
  }

  /** octets written so far = offset of the next one */
  get at(): number {
    return this.used;
  }

  /** Forgets everything from `at` on. */
  rewind(at = 0): void {
    this.used = at;
  }

  /** The written octets, valid until the next write. */
  peek(): Uint8Array {
    return this.storage.subarray(0, this.used);
  }

  /** The whole buffer with its unused end, and a view of it: valid until the next write. */
  get buffer(): Uint8Array {
    return this.storage;
  }

  get view(): DataView {
    return this.storageView;
  }

  /** A copy of the written octets. */
  bytes(): Uint8Array {
    return this.storage.slice(0, this.used);
  }

  u8(value: number): void {
    this.room(1);
    this.storage[this.used++] = value;
  }

  u16(value: number): void {
    this.room(2);
    this.storageView.setUint16(this.used, value);
    this.used += 2;
  }

  /** the low 24 bits */
  u24(value: number): void {
    this.u8(value >>> 16);
    this.u16(value & 0xffff);
  }

  u32(value: number): void {
    this.room(4);
    this.storageView.setUint32(this.used, value);
    this.used += 4;
  }

  octets(source: Uint8Array): void {
    this.room(source.length);
    this.storage.set(source, this.used);
    this.used += source.length;
  }

  /** Copies `source[at .. end)`. */
  range(source: Uint8Array, at: number, end: number): void {
    const length = end - at;
    this.room(length);
    // below some 64 octets a plain loop beats subarray + set, which allocates a view
    if (length < 64) for (let i = 0; i < length; i++) this.storage[this.used + i] = source[at + i]!;
    else this.storage.set(source.subarray(at, end), this.used);
    this.used += length;
  }

  patch8(at: number, value: number): void {
    this.storage[at] = value;
  }

  patch16(at: number, value: number): void {
    this.storageView.setUint16(at, value);
  }

  private room(more: number): void {
    const need = this.used + more;
    if (need <= this.storage.length) return;
    const grown = new Uint8Array(Math.max(need, this.storage.length * 2));
    grown.set(this.storage.subarray(0, this.used));
    this.storage = grown;
    this.storageView = new DataView(grown.buffer);
  }
}
