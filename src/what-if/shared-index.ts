/**
 * A capture's index in memory that worker threads share: one copy for all of them, read by everybody, written by
 * nobody. What does not fit a column (the summary) travels as a message.
 */
import type { CaptureIndex, CaptureSummary, FlowColumns } from '../flow/flow-columns.js';
import { PacketIndex, type PacketSegment } from '../flow/packet-index.js';

/** A message that any number of workers may receive. */
export interface SharedIndex {
  readonly summary: CaptureSummary;
  readonly flows: FlowColumns;
  readonly segments: readonly PacketSegment[];
}

export function shareIndex(index: CaptureIndex): SharedIndex {
  const { flows } = index;
  const columns = Object.fromEntries(
    Object.entries(flows)
      .filter(([, column]) => ArrayBuffer.isView(column))
      .map(([name, column]) => [name, shared(column as TypedColumn)]),
  );
  return {
    summary: index.summary,
    flows: { ...columns, count: flows.count } as unknown as FlowColumns,
    segments: index.packets.segments.map(({ count, flowDir, meta, timeNs, seq, ack, size, label }) => ({
      count,
      flowDir: shared(flowDir.subarray(0, count)),
      meta: shared(meta.subarray(0, count)),
      timeNs: shared(timeNs.subarray(0, count)),
      seq: shared(seq.subarray(0, count)),
      ack: shared(ack.subarray(0, count)),
      size: shared(size.subarray(0, count)),
      label: shared(label.subarray(0, count)),
    })),
  };
}

export function indexOf({ summary, flows, segments }: SharedIndex): CaptureIndex {
  const packets = new PacketIndex();
  for (const segment of segments) {
    packets.segments.push(segment);
    packets.count += segment.count;
  }
  return { summary, flows, packets };
}

type TypedColumn = Uint8Array | Uint16Array | Uint32Array | Float64Array;

function shared<T extends TypedColumn>(column: T): T {
  const make = column.constructor as new (buffer: SharedArrayBuffer) => T;
  const copy = new make(new SharedArrayBuffer(column.byteLength));
  copy.set(column as never);
  return copy;
}
