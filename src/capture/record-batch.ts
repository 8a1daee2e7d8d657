/**
 * What a capture reader hands on: the records of one filled buffer, as columns. Row `i` is one captured frame.
 *
 * The batch and the bytes belong to the reader and are overwritten by its next call. `at[i]` is the byte offset
 * of frame `i` in `bytes`; `capLen[i]` octets of it were captured, `wireLen[i]` were on the wire.
 */
export interface RecordBatch {
  /** rows in use */
  count: number;
  /** the buffer the offsets point into; may be a view of WebAssembly memory */
  bytes: Uint8Array;
  /** the same memory */
  view: DataView;
  readonly at: Uint32Array;
  readonly capLen: Uint32Array;
  readonly wireLen: Uint32Array;
  /** nanoseconds since the capture's `baseNs` (its first record); negative where the clock ran backwards */
  readonly timeNs: Float64Array;
  /** LINKTYPE_ value of the frame */
  readonly linkType: Uint16Array;
  /** interface number in the capture (pcap: 0), over all sections */
  readonly iface: Uint32Array;
}

export function createRecordBatch(capacity: number, bytes: Uint8Array): RecordBatch {
  return {
    count: 0,
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    at: new Uint32Array(capacity),
    capLen: new Uint32Array(capacity),
    wireLen: new Uint32Array(capacity),
    timeNs: new Float64Array(capacity),
    linkType: new Uint16Array(capacity),
    iface: new Uint32Array(capacity),
  };
}
