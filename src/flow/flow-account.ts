/**
 * The second half of the flow kernel's work: decoded batches become flows and index entries. It runs in the thread
 * that decodes, or, for large captures, beside it in one of its own (account-thread.ts).
 */
import { FlowfateError } from '../errors.js';
import { createFlowColumns, type FlowColumns } from './flow-columns.js';
import type { KernelExports, KernelMemory } from './kernel-module.js';
import { type PacketColumns, PacketIndex } from './packet-index.js';

/** flows come in chunks: 1024 halves of 64 octets that are hot, then 1024 that are cold */
const CHUNK_FLOWS = 1024;
const CHUNK_BYTES = 131072;

/** What a capture's packets add up to. */
export interface Accounted {
  readonly flows: FlowColumns;
  readonly packets: PacketIndex;
}

export class FlowAccount {
  readonly index: PacketIndex;
  private readonly out: PacketColumns;

  constructor(
    private readonly memory: KernelMemory,
    private readonly kernel: KernelExports,
    private readonly content: 'flows' | 'packets',
    columns: 'own' | 'shared',
  ) {
    this.index = new PacketIndex(columns);
    const n = kernel.batchRows();
    const out = kernel.outAt();
    const { buffer } = memory;
    this.out = {
      flowDir: new Uint32Array(buffer, out, n),
      meta: new Uint32Array(buffer, out + 4 * n, n),
      timeNs: new Float64Array(buffer, out + 8 * n, n),
      seq: new Uint32Array(buffer, out + 16 * n, n),
      ack: new Uint32Array(buffer, out + 20 * n, n),
      size: new Uint32Array(buffer, out + 24 * n, n),
      label: new Uint32Array(buffer, out + 28 * n, n),
    };
  }

  /** Adds the batch at `place` of the ring to the flows. */
  add(count: number, firstNumber: number, place: number): void {
    const entries = this.kernel.account(count, firstNumber, this.content === 'packets' ? 1 : 0, place);
    if (entries < 0) throw tableFull(this.kernel.flowCount());
    if (entries > 0) this.index.append(entries, this.out);
  }

  /** The flows so far, copied out of the kernel. */
  finish(): Accounted {
    const at = this.kernel.flowRecordsAt() >>> 0;
    return { flows: readFlows(this.memory, this.kernel.flowCount(), at), packets: this.index };
  }
}

export function tableFull(flows: number): FlowfateError {
  return new FlowfateError(
    'input',
    `${flows} flows fill the memory of the flow table: cut the capture in time and read its parts`,
  );
}

/** Columns of the flow records that begin at octet `at`. */
export function readFlows({ buffer }: KernelMemory, count: number, at: number): FlowColumns {
  const bytes = Math.ceil(count / CHUNK_FLOWS) * CHUNK_BYTES;
  return extractFlows(
    count,
    new Uint32Array(buffer, at, bytes / 4),
    new Uint16Array(buffer, at, bytes / 2),
    new Float64Array(buffer, at, bytes / 8),
  );
}

/** From records (the flow record of kernel/flow-kernel.as.ts, seen through three widths) to columns. */
function extractFlows(count: number, u32: Uint32Array, u16: Uint16Array, f64: Float64Array): FlowColumns {
  const flows = createFlowColumns(count);
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
