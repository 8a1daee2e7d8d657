/**
 * The flow kernel from outside: loads dist/flow-kernel.wasm and lays typed views over its memory.
 *
 * The memory is shared, which here only means that views stay valid when it grows. One kernel reads one capture.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RecordBatch } from '../capture/record-batch.js';
import { FlowfateError } from '../errors.js';
import type { FlowColumns } from './flow-columns.js';
import { type IpLayer, LAYER_DST, LAYER_SRC } from './ip-layer.js';
import { META_FLAGS_CUT, META_FRAGMENT, META_PAYLOAD } from './packet-index.js';

interface KernelExports {
  batchRows(): number;
  bufferAt(): number;
  bufferBytes(): number;
  columnsAt(): number;
  rowsAt(): number;
  slowAt(): number;
  outAt(): number;
  portsAt(): number;
  flowRecordsAt(): number;
  flowCount(): number;
  decode(count: number, wary: number): number;
  account(count: number, firstNumber: number, index: number): number;
}

/** The part of WebAssembly used here; TypeScript describes it in its DOM library only. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (limits: {
    initial: number;
    maximum: number;
    shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}
const wasm = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;

const INITIAL_PAGES = 64;
const MAX_PAGES = 65536;

/** Packet row and flow record in words of four octets; see kernel/flow-kernel.as.ts. */
const ROW_WORDS = 16;
const ROW_SRC = 0;
const ROW_DST = 4;
const ROW_PORTS = 8;
const ROW_LABEL = 9;
const ROW_META = 10;
const ROW_KIND = 11;
/** flows come in chunks: 1024 halves of 64 octets that are hot, then 1024 that are cold */
const CHUNK_FLOWS = 1024;
const CHUNK_BYTES = 131072;

let compiled: object | undefined;

/** dist/flow-kernel.wasm, whether this file runs from dist/src/flow or from src/flow. */
function kernelModule(): object {
  if (compiled !== undefined) return compiled;
  const paths = ['../../flow-kernel.wasm', '../../dist/flow-kernel.wasm'].map((relative) =>
    fileURLToPath(new URL(relative, import.meta.url)),
  );
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined) {
    throw new FlowfateError('input', `${paths[1]} is missing: run "npm run build" once`);
  }
  compiled = new wasm.Module(readFileSync(path));
  return compiled;
}

export class FlowKernel {
  /** Give this to the capture reader; its frames lie in the kernel's memory. */
  readonly batch: RecordBatch;
  /** The index columns of the last `account`. */
  readonly outFlowDir: Uint32Array;
  readonly outMeta: Uint32Array;
  readonly outTimeNs: Float64Array;
  /** The rows that the last `decode` left to do. */
  readonly slowRows: Uint32Array;
  private readonly memory: InstanceType<Wasm['Memory']>;
  private readonly kernel: KernelExports;
  private readonly rows: Uint32Array;

  /** `waryPorts`: UDP ports that may hide a tunnel that matters. */
  constructor(private readonly waryPorts: readonly number[]) {
    this.memory = new wasm.Memory({ initial: INITIAL_PAGES, maximum: MAX_PAGES, shared: true });
    const instance = new wasm.Instance(kernelModule(), {
      env: { memory: this.memory, abort: kernelAbort },
    });
    this.kernel = instance.exports as KernelExports;
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
    this.rows = new Uint32Array(buffer, kernel.rowsAt(), ROW_WORDS * n);
    this.slowRows = new Uint32Array(buffer, kernel.slowAt(), n);
    const out = kernel.outAt();
    this.outFlowDir = new Uint32Array(buffer, out, n);
    this.outMeta = new Uint32Array(buffer, out + 4 * n, n);
    this.outTimeNs = new Float64Array(buffer, out + 8 * n, n);
    const ports = new Uint8Array(buffer, kernel.portsAt(), 8192);
    for (const port of waryPorts) ports[port >> 3]! |= 1 << (port & 7);
  }

  /** Decodes what is plain in the batch; returns how many `slowRows` are left to {@link setRow}. */
  decode(): number {
    return this.kernel.decode(this.batch.count, this.waryPorts.length > 0 ? 1 : 0);
  }

  /** Writes the packet row of a record: what `layer` says, or, where its ports are unknown, that it has no flow. */
  setRow(row: number, layer: IpLayer | null): void {
    const { rows } = this;
    const at = row * ROW_WORDS;
    if (layer === null || !layer.hasPorts) {
      rows[at + ROW_KIND] = 0;
      return;
    }
    rows.set(layer.words.subarray(LAYER_SRC, LAYER_DST), at + ROW_SRC);
    rows.set(layer.words.subarray(LAYER_DST), at + ROW_DST);
    rows[at + ROW_PORTS] = (layer.srcPort << 16) | layer.dstPort;
    rows[at + ROW_LABEL] = layer.flowLabel;
    rows[at + ROW_META] = metaOf(layer);
    rows[at + ROW_KIND] = (layer.family << 8) | layer.proto;
  }

  /** Adds the batch to the flows; returns how many entries the out columns hold. */
  account(firstNumber: number, index: 'flows' | 'packets'): number {
    const entries = this.kernel.account(this.batch.count, firstNumber, index === 'packets' ? 1 : 0);
    if (entries < 0) {
      throw new FlowfateError(
        'input',
        `${this.kernel.flowCount()} flows fill the memory of the flow table: cut the capture in time and read its parts`,
      );
    }
    return entries;
  }

  /** The flows so far, copied out of the kernel. */
  flows(): FlowColumns {
    const count = this.kernel.flowCount();
    const at = this.kernel.flowRecordsAt() >>> 0;
    const bytes = Math.ceil(count / CHUNK_FLOWS) * CHUNK_BYTES;
    const { buffer } = this.memory;
    return extractFlows(
      count,
      new Uint32Array(buffer, at, bytes / 4),
      new Uint16Array(buffer, at, bytes / 2),
      new Float64Array(buffer, at, bytes / 8),
    );
  }
}

function metaOf(layer: IpLayer): number {
  let meta = layer.payloadBytes > 0 ? META_PAYLOAD : 0;
  if (layer.isFragment) meta |= META_FRAGMENT;
  if (layer.tcpFlags >= 0) return meta | layer.tcpFlags;
  return layer.proto === 6 ? meta | META_FLAGS_CUT : meta;
}

function kernelAbort(): never {
  throw new Error('the flow kernel stopped at an assertion: this is a bug');
}

/** From records (the flow record of kernel/flow-kernel.as.ts, seen through three widths) to columns. */
function extractFlows(count: number, u32: Uint32Array, u16: Uint16Array, f64: Float64Array): FlowColumns {
  const flows = {
    count,
    family: new Uint8Array(count),
    proto: new Uint8Array(count),
    addresses: new Uint32Array(8 * count),
    aPort: new Uint16Array(count),
    bPort: new Uint16Array(count),
    firstNs: new Float64Array(count),
    lastNs: new Float64Array(count),
    packetsOut: new Uint32Array(count),
    packetsIn: new Uint32Array(count),
    bytesOut: new Float64Array(count),
    bytesIn: new Float64Array(count),
    labelOut: new Uint32Array(count),
    labelIn: new Uint32Array(count),
    marks: new Uint16Array(count),
    firstPacket: new Float64Array(count),
  };
  const { addresses } = flows;
  for (let f = 0; f < count; f++) {
    const hot = (Math.floor(f / CHUNK_FLOWS) * CHUNK_BYTES + (f % CHUNK_FLOWS) * 64) / 4;
    const cold = hot + 16384;
    const kind = u16[2 * hot + 22]!;
    flows.family[f] = kind >> 8;
    flows.proto[f] = kind;
    flows.marks[f] = u16[2 * hot + 23]!;
    addresses[8 * f] = u32[hot + 8]!;
    addresses[8 * f + 4] = u32[hot + 9]!;
    for (let i = 0; i < 3; i++) {
      addresses[8 * f + 1 + i] = u32[cold + 8 + i]!;
      addresses[8 * f + 5 + i] = u32[cold + 12 + i]!;
    }
    flows.bPort[f] = u16[2 * hot + 20]!;
    flows.aPort[f] = u16[2 * hot + 21]!;
    flows.lastNs[f] = f64[hot / 2]!;
    flows.bytesOut[f] = f64[hot / 2 + 1]!;
    flows.bytesIn[f] = f64[hot / 2 + 2]!;
    flows.packetsOut[f] = u32[hot + 6]!;
    flows.packetsIn[f] = u32[hot + 7]!;
    flows.firstNs[f] = f64[cold / 2]!;
    flows.firstPacket[f] = f64[cold / 2 + 1]!;
    flows.labelOut[f] = u32[cold + 4]!;
    flows.labelIn[f] = u32[cold + 5]!;
  }
  return flows;
}
