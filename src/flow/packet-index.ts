/**
 * The packets of a capture that belong to a flow, as columns in segments: what a replay walks.
 *
 * A row is one packet in capture order: its flow (row of the flow table), direction, TCP flags, lengths, time, what
 * connection tracking looks at (sequence, acknowledgement, window), and the IPv6 flow label, which Linux hashes.
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

/** Bits of the `label` column above the IPv6 flow label: a SYN's window scale, whether it has one, SACK permitted. */
export const LABEL_MASK = 0xfffff;
export const LABEL_SCALE_SHIFT = 20;
export const LABEL_SCALED = 1 << 24;
export const LABEL_SACK = 1 << 25;
export const SIZE_PAYLOAD = 0xffff;

const SEGMENT_PACKETS = 1 << 18;

export interface PacketSegment {
  /** rows in use */
  count: number;
  /** flow row << 1 | 1 where the packet runs from the flow's b side to its a side */
  readonly flowDir: Uint32Array;
  readonly meta: Uint32Array;
  /** nanoseconds since the capture's base */
  readonly timeNs: Float64Array;
  /** TCP sequence and acknowledgement numbers; 0 where they were not captured. SCTP: `ack` is 1 + the first chunk's type */
  readonly seq: Uint32Array;
  readonly ack: Uint32Array;
  /** see SIZE_ */
  readonly size: Uint32Array;
  /** see LABEL_ */
  readonly label: Uint32Array;
}

/** What the kernel hands over, column by column. */
export type PacketColumns = Omit<PacketSegment, 'count'>;

export class PacketIndex {
  readonly segments: PacketSegment[] = [];
  count = 0;

  /** `shared` columns may be handed to other threads without copying. */
  constructor(private readonly columns: 'own' | 'shared' = 'own') {}

  push(flowDir: number, meta: number, timeNs: number, seq = 0, ack = 0, size = 0, label = 0): void {
    const segment = this.open();
    const row = segment.count++;
    segment.flowDir[row] = flowDir;
    segment.meta[row] = meta;
    segment.timeNs[row] = timeNs;
    segment.seq[row] = seq;
    segment.ack[row] = ack;
    segment.size[row] = size;
    segment.label[row] = label;
    this.count++;
  }

  /** Appends the first `count` rows of these columns. */
  append(count: number, from: PacketColumns): void {
    for (let at = 0; at < count; ) {
      const segment = this.open();
      const to = Math.min(count, at + SEGMENT_PACKETS - segment.count);
      segment.flowDir.set(from.flowDir.subarray(at, to), segment.count);
      segment.meta.set(from.meta.subarray(at, to), segment.count);
      segment.timeNs.set(from.timeNs.subarray(at, to), segment.count);
      segment.seq.set(from.seq.subarray(at, to), segment.count);
      segment.ack.set(from.ack.subarray(at, to), segment.count);
      segment.size.set(from.size.subarray(at, to), segment.count);
      segment.label.set(from.label.subarray(at, to), segment.count);
      segment.count += to - at;
      at = to;
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
        seq: new Uint32Array(this.column(4)),
        ack: new Uint32Array(this.column(4)),
        size: new Uint32Array(this.column(4)),
        label: new Uint32Array(this.column(4)),
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
