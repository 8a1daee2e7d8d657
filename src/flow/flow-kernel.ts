/**
 * The flow kernel from outside, as far as it decodes: typed views over its memory (kernel/flow-kernel.as.ts), the
 * batch that the capture reader fills, and the packet rows that come of it. One kernel reads one capture.
 */
import type { RecordBatch } from '../capture/record-batch.js';
import { type IpLayer, LAYER_DST, LAYER_SRC } from './ip-layer.js';
import {
  instantiateKernel,
  type KernelExports,
  type KernelMemory,
  newKernelMemory,
} from './kernel-module.js';
import { META_FLAGS_CUT, META_FRAGMENT, META_PAYLOAD } from './packet-index.js';

/** Packet row in words of four octets; see kernel/flow-kernel.as.ts. */
const ROW_WORDS = 16;
const ROW_SRC = 0;
const ROW_DST = 4;
const ROW_PORTS = 8;
const ROW_LABEL = 9;
const ROW_META = 10;
const ROW_KIND = 11;
const ROW_SEQ = 13;
const ROW_ACK = 14;
const ROW_SIZE = 15;

export class FlowKernel {
  /** Give this to the capture reader; its frames lie in the kernel's memory. */
  readonly batch: RecordBatch;
  /** The rows that the last `decode` left to do. */
  readonly slowRows: Uint32Array;
  readonly memory: KernelMemory;
  readonly kernel: KernelExports;
  /** where in the ring the next batch goes */
  place = 0;
  /** every batch of the ring */
  private readonly rows: Uint32Array;
  private readonly placeWords: number;

  /** `waryPorts`: UDP ports that may hide a tunnel that matters. */
  constructor(private readonly waryPorts: readonly number[]) {
    this.memory = newKernelMemory();
    this.kernel = instantiateKernel(this.memory);
    const { kernel } = this;
    const { buffer } = this.memory;
    const n = kernel.batchRows();
    const columns = kernel.columnsAt();
    const bytes = new Uint8Array(buffer, kernel.bufferAt(), kernel.bufferBytes());
    this.batch = {
      count: 0,
      bytes,
      view: new DataView(buffer, bytes.byteOffset, bytes.byteLength),
      at: new Uint32Array(buffer, columns, n),
      capLen: new Uint32Array(buffer, columns + 4 * n, n),
      wireLen: new Uint32Array(buffer, columns + 8 * n, n),
      iface: new Uint32Array(buffer, columns + 12 * n, n),
      timeNs: new Float64Array(buffer, columns + 16 * n, n),
      linkType: new Uint16Array(buffer, columns + 24 * n, n),
    };
    this.placeWords = kernel.ringBytes() / 4;
    this.rows = new Uint32Array(buffer, kernel.ringAt(), this.placeWords * kernel.ringBatches());
    this.slowRows = new Uint32Array(buffer, kernel.slowAt(), n);
    const ports = new Uint8Array(buffer, kernel.portsAt(), 8192);
    for (const port of waryPorts) ports[port >> 3]! |= 1 << (port & 7);
  }

  /** Decodes what is plain in the batch; returns how many `slowRows` are left to {@link setRow}. */
  decode(): number {
    return this.kernel.decode(this.batch.count, this.waryPorts.length > 0 ? 1 : 0, this.place);
  }

  /** Writes the packet row of a record: what `layer` says, or, where its ports are unknown, that it has no flow. */
  setRow(row: number, layer: IpLayer | null): void {
    const { rows } = this;
    const at = this.place * this.placeWords + row * ROW_WORDS;
    if (layer === null || !layer.hasPorts) {
      rows[at + ROW_KIND] = 0;
      return;
    }
    rows.set(layer.words.subarray(LAYER_SRC, LAYER_DST), at + ROW_SRC);
    rows.set(layer.words.subarray(LAYER_DST), at + ROW_DST);
    rows[at + ROW_PORTS] = (layer.srcPort << 16) | layer.dstPort;
    rows[at + ROW_LABEL] = layer.flowLabel | layer.tcpOptions;
    rows[at + ROW_SEQ] = layer.sequence;
    rows[at + ROW_ACK] = layer.acknowledgment;
    rows[at + ROW_SIZE] = (layer.window << 16) | Math.min(layer.payloadBytes, 0xffff);
    rows[at + ROW_META] = metaOf(layer);
    rows[at + ROW_KIND] = (layer.family << 8) | layer.proto;
  }
}

function metaOf(layer: IpLayer): number {
  let meta = layer.payloadBytes > 0 ? META_PAYLOAD : 0;
  if (layer.isFragment) meta |= META_FRAGMENT;
  if (layer.tcpFlags >= 0) return meta | layer.tcpFlags;
  return layer.proto === 6 ? meta | META_FLAGS_CUT : meta;
}
