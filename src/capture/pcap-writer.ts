/**
 * Writes classic pcap 2.4, little-endian, with nanoseconds or microseconds; the layout is in pcap-reader.ts.
 *
 * Times are given as the readers give them: nanoseconds since a base. The format counts seconds since 1970 in 32
 * unsigned bits; times outside 1970 to 2106 are moved to the nearer end.
 */
import { BufferedSink, type ByteSink } from './record-sink.js';

export interface PcapWriterOptions {
  readonly linkType: number;
  /** nanoseconds since 1970 that `timeNs` counts from */
  readonly baseNs?: bigint;
  readonly snapLen?: number;
  readonly resolution?: 'microseconds' | 'nanoseconds';
}

const HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const MAJOR = 2;
const MINOR = 4;
const DEFAULT_SNAPLEN = 262_144;
const NS_PER_S = 1e9;
const MAX_SECONDS = 0xffff_ffff;

export class PcapWriter {
  private readonly out: BufferedSink;
  private readonly nsPerTick: number;
  private readonly baseS: number;
  private readonly baseRestNs: number;

  /** Nothing reaches the sink before the buffer is full or `flush` is called. */
  constructor(sink: ByteSink, options: PcapWriterOptions) {
    this.out = new BufferedSink(sink);
    const nanoseconds = options.resolution !== 'microseconds';
    this.nsPerTick = nanoseconds ? 1 : 1000;
    const baseNs = options.baseNs ?? 0n;
    this.baseS = Number(baseNs / 1_000_000_000n);
    this.baseRestNs = Number(baseNs % 1_000_000_000n);
    const { view } = this.out;
    const at = this.out.reserve(HEADER_BYTES);
    view.setUint32(at, nanoseconds ? MAGIC_NANOSECONDS : MAGIC_MICROSECONDS, true);
    view.setUint16(at + 4, MAJOR, true);
    view.setUint16(at + 6, MINOR, true);
    view.setUint32(at + 8, 0, true);
    view.setUint32(at + 12, 0, true);
    view.setUint32(at + 16, options.snapLen ?? DEFAULT_SNAPLEN, true);
    view.setUint32(at + 20, options.linkType, true);
  }

  /** Adds the frame `bytes[at…at + capLen]`. */
  write(timeNs: number, bytes: Uint8Array, at: number, capLen: number, wireLen: number): void {
    const fromSecondNs = this.baseRestNs + timeNs;
    const wholeS = Math.floor(fromSecondNs / NS_PER_S);
    const second = this.baseS + wholeS;
    const ticks = Math.floor((fromSecondNs - wholeS * NS_PER_S) / this.nsPerTick);
    const header = this.out.reserve(RECORD_HEADER_BYTES);
    const { view } = this.out;
    view.setUint32(header, Math.min(Math.max(second, 0), MAX_SECONDS), true);
    view.setUint32(header + 4, ticks, true);
    view.setUint32(header + 8, capLen, true);
    view.setUint32(header + 12, wireLen, true);
    this.out.append(bytes, at, capLen);
  }

  /** Hands all that was written to the sink. */
  flush(): void {
    this.out.flush();
  }
}
