/**
 * The packets of a capture that belong to a flow, as columns in segments: what a replay walks.
 *
 * A row is one packet in capture order: its flow (row of the flow table), direction, TCP flags, length and time.
 * Fragments after the first, ICMP and everything without ports have no row. Segments keep growth from copying.
 */

/** Bits of the `meta` column; the upper 20 bits hold the wire length, saturated. */
export const META_TCP_FLAGS = 0xff;
/** the packet carries at least one octet of layer-4 payload (by the IP length, not by what was captured) */
export const META_PAYLOAD = 0x100;
/** a first fragment: ECMP hashes it without ports */
export const META_FRAGMENT = 0x200;
/** the TCP flags were not captured */
export const META_FLAGS_CUT = 0x400;
export const META_LENGTH_SHIFT = 12;
export const META_LENGTH_MAX = 0xfffff;

export const SEGMENT_PACKETS = 1 << 18;

export interface PacketSegment {
  /** rows in use */
  count: number;
  /** flow row << 1 | 1 where the packet runs from the flow's b side to its a side */
  readonly flowDir: Uint32Array;
  readonly meta: Uint32Array;
  /** nanoseconds since the capture's base */
  readonly timeNs: Float64Array;
}

export class PacketIndex {
  readonly segments: PacketSegment[] = [];
  count = 0;

  /** `shared` columns may be handed to other threads without copying. */
  constructor(private readonly columns: 'own' | 'shared' = 'own') {}

  push(flowDir: number, meta: number, timeNs: number): void {
    const segment = this.open();
    const row = segment.count++;
    segment.flowDir[row] = flowDir;
    segment.meta[row] = meta;
    segment.timeNs[row] = timeNs;
    this.count++;
  }

  /** Appends the first `count` rows of these columns. */
  append(count: number, flowDir: Uint32Array, meta: Uint32Array, timeNs: Float64Array): void {
    for (let from = 0; from < count; ) {
      const segment = this.open();
      const to = Math.min(count, from + SEGMENT_PACKETS - segment.count);
      segment.flowDir.set(flowDir.subarray(from, to), segment.count);
      segment.meta.set(meta.subarray(from, to), segment.count);
      segment.timeNs.set(timeNs.subarray(from, to), segment.count);
      segment.count += to - from;
      from = to;
    }
    this.count += count;
  }

  /** The last segment, if it has room, or a new one. */
  private open(): PacketSegment {
    let segment = this.segments[this.segments.length - 1];
    if (segment === undefined || segment.count === SEGMENT_PACKETS) {
      segment = {
        count: 0,
        flowDir: new Uint32Array(this.column(4)),
        meta: new Uint32Array(this.column(4)),
        timeNs: new Float64Array(this.column(8)),
      };
      this.segments.push(segment);
    }
    return segment;
  }

  private column(bytes: number): ArrayBufferLike {
    const length = bytes * SEGMENT_PACKETS;
    return this.columns === 'shared' ? new SharedArrayBuffer(length) : new ArrayBuffer(length);
  }
}
