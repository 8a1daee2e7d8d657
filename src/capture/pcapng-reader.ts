/**
 * pcapng (draft-ietf-opsawg-pcapng): blocks one behind the other, in sections with a byte order and interfaces of
 * their own.
 *
 *     block:     type | total length | … | total length
 *     section:   0a0d0d0a | length | 1a2b3c4d | major(2) minor(2) | section length(8) | options
 *     interface: 1 | length | linktype(2) 0(2) | snaplen | options
 *     packet:    6 | length | interface | ticks high | ticks low | captured | wire | frame, padded to 4 | options
 *     packet:    2 | length | interface(2) drops(2) | …  the same, obsolete
 *     packet:    3 | length | wire | frame, padded to 4         no time, interface 0 of the section
 *
 *     statistics: 5 | length | interface | ticks high | ticks low | options
 *
 * All other blocks are passed over: names, secrets, custom and unknown ones. (tshark lists custom
 * blocks and journal entries among its frames, capinfos does not count them: they are not packets.) The section
 * length is not trusted. A total length that is no multiple of 4 is rounded up, as Wireshark does.
 */
import type { ByteWindow } from './byte-window.js';
import { DropCounters } from './drop-counters.js';
import { type InterfaceKind, InterfaceTable } from './interface-table.js';
import { forEachOption, OptionCode, optionText, padded } from './pcapng-options.js';
import type { ByteSource } from './raw-source.js';
import type { RecordBatch } from './record-batch.js';
import type { CaptureReaderOptions } from './record-reader.js';
import { WindowReader } from './window-reader.js';

/** reads the same in both byte orders */
const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const INTERFACE_STATISTICS = 5;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** octets from a block's start */
const TOTAL_LENGTH_AT = 4;
const BODY_AT = 8;
const VERSION_AT = 12;
const SECTION_OPTIONS_AT = 24;
const SNAPLEN_AT = 12;
const INTERFACE_OPTIONS_AT = 16;
const INTERFACE_AT = 8;
const TICKS_AT = 12;
const CAPLEN_AT = 20;
const WIRELEN_AT = 24;
const FRAME_AT = 28;
const SIMPLE_FRAME_AT = 12;
const STATISTICS_OPTIONS_AT = 20;
/** of an obsolete packet block */
const DROPS_AT = 10;
const DROPS_UNKNOWN = 0xffff;
const TRAILER_BYTES = 4;

const MIN_BLOCK_BYTES = 12;
const MIN_SECTION_BYTES = 28;
const MIN_INTERFACE_BYTES = 20;
const MIN_SIMPLE_BYTES = 16;
const MIN_PACKET_BYTES = 32;
const MIN_STATISTICS_BYTES = 24;
/** the longest frame that is believed, and room for its options */
const MAX_BLOCK_BYTES = 129 * 1024 * 1024;

const MIN_BYTES = new Map([
  [SECTION_HEADER, MIN_SECTION_BYTES],
  [INTERFACE_DESCRIPTION, MIN_INTERFACE_BYTES],
  [SIMPLE_PACKET, MIN_SIMPLE_BYTES],
  [OBSOLETE_PACKET, MIN_PACKET_BYTES],
  [ENHANCED_PACKET, MIN_PACKET_BYTES],
  [INTERFACE_STATISTICS, MIN_STATISTICS_BYTES],
]);

/** of `if_tsresol`: microseconds */
const DEFAULT_RESOLUTION = 6;
const MAX_COMMENTS = 64;

export const PCAPNG_HEADER_BYTES = MIN_SECTION_BYTES;
export const PCAPNG_MAJOR = 1;

/** Whether a Section Header Block begins at `at`; 12 octets are looked at. */
export function isPcapng(view: DataView, at: number): boolean {
  return view.getUint32(at, true) === SECTION_HEADER && byteOrderOf(view, at) !== undefined;
}

/** Major and minor version of the section that begins at `at`, as text. */
export function pcapngVersion(view: DataView, at: number): { major: number; minor: number } {
  const littleEndian = byteOrderOf(view, at) ?? true;
  return {
    major: view.getUint16(at + VERSION_AT, littleEndian),
    minor: view.getUint16(at + VERSION_AT + 2, littleEndian),
  };
}

/** true for little-endian, undefined where the magic is neither. */
function byteOrderOf(view: DataView, at: number): boolean | undefined {
  if (view.getUint32(at + BODY_AT, true) === BYTE_ORDER_MAGIC) return true;
  return view.getUint32(at + BODY_AT, false) === BYTE_ORDER_MAGIC ? false : undefined;
}

export class PcapngReader extends WindowReader {
  readonly format = 'pcapng';
  private readonly onComment: CaptureReaderOptions['onComment'];
  private readonly table = new InterfaceTable();
  private littleEndian = true;
  /** number of the section's interface 0 over all sections */
  private firstInterface = 0;
  private hasBase = false;
  /** time of the last record, which a packet without one is given */
  private lastTimeNs = 0;
  private readonly drops = new DropCounters();

  /** {@link isPcapng} has said yes to what is in the window. */
  constructor(source: ByteSource, window: ByteWindow, onComment: CaptureReaderOptions['onComment']) {
    super(source, window);
    this.onComment = onComment;
  }

  protected scan(batch: RecordBatch): void {
    const firstRow = batch.count;
    const capacity = batch.at.length;
    do {
      this.takeEnhancedPackets(batch, firstRow);
    } while (this.damage === null && batch.count < capacity && this.takeOtherBlock(batch, firstRow));
    if (batch.count > firstRow) this.lastTimeNs = batch.timeNs[batch.count - 1] as number;
    this.packets += batch.count - firstRow;
  }

  protected takeOversized(batch: RecordBatch): boolean {
    const { window } = this;
    const { view, at, end } = window;
    const littleEndian = this.littleEndian;
    const type = view.getUint32(at, littleEndian);
    const totalLength = view.getUint32(at + TOTAL_LENGTH_AT, littleEndian);
    const trailer = new Uint8Array(TRAILER_BYTES);
    if (!window.drop(padded(totalLength), trailer)) return false;
    const trailerLength = new DataView(trailer.buffer).getUint32(0, littleEndian);
    if (trailerLength !== totalLength) {
      // the window has moved on: `at` is before its first octet now
      this.failOnTrailer(totalLength, trailerLength, window.end - padded(totalLength));
      return true;
    }
    if (type === SECTION_HEADER) this.beginSection(at, end);
    else if (type === INTERFACE_DESCRIPTION) this.readInterface(at, end);
    else if (type === SIMPLE_PACKET) this.addSimplePacket(batch, at, totalLength);
    else if (type === ENHANCED_PACKET || type === OBSOLETE_PACKET) this.addPacket(batch, at, totalLength);
    if (batch.count > 0) {
      this.lastTimeNs = batch.timeNs[0] as number;
      batch.capLen[0] = Math.min(batch.capLen[0] as number, end - (batch.at[0] as number));
      this.packets++;
    }
    return true;
  }

  /** The Enhanced Packet Blocks that follow each other from `window.at`: nearly all of any file. */
  private takeEnhancedPackets(batch: RecordBatch, firstRow: number): void {
    const { window } = this;
    const { view, end } = window;
    const { at: frameAts, capLen: capLens, wireLen: wireLens, timeNs: times, linkType, iface } = batch;
    const capacity = frameAts.length;
    const littleEndian = this.littleEndian;
    const firstInterface = this.firstInterface;
    const interfaceCount = this.table.count - firstInterface;
    const lastHeaderAt = end - MIN_PACKET_BYTES;
    let { at } = window;
    let row = batch.count;
    let interfaceId = -1;
    let kind: InterfaceKind | undefined;
    while (row < capacity && at <= lastHeaderAt && view.getUint32(at, littleEndian) === ENHANCED_PACKET) {
      const totalLength = view.getUint32(at + TOTAL_LENGTH_AT, littleEndian);
      const blockEnd = at + padded(totalLength);
      const capLen = view.getUint32(at + CAPLEN_AT, littleEndian);
      const id = view.getUint32(at + INTERFACE_AT, littleEndian);
      if (id !== interfaceId && id < interfaceCount) {
        interfaceId = id;
        kind = this.table.kindOf(firstInterface + id);
      }
      if (id !== interfaceId || kind === undefined || !fitsFrame(capLen, totalLength, kind.maxFrameBytes)) {
        this.failOnPacket(ENHANCED_PACKET, at);
        break;
      }
      if (blockEnd > end) break;
      const trailer = view.getUint32(blockEnd - TRAILER_BYTES, littleEndian);
      if (trailer !== totalLength) {
        this.failOnTrailer(totalLength, trailer, at);
        break;
      }
      const ticksHi = view.getUint32(at + TICKS_AT, littleEndian);
      const ticksLo = view.getUint32(at + TICKS_AT + 4, littleEndian);
      if (!this.hasBase) this.setBase(kind.clock.absoluteNs(ticksHi, ticksLo));
      frameAts[row] = at + FRAME_AT;
      capLens[row] = capLen;
      wireLens[row] = view.getUint32(at + WIRELEN_AT, littleEndian);
      times[row] = kind.clock.timeNs(ticksHi, ticksLo);
      linkType[row] = kind.linkType;
      iface[row] = firstInterface + id;
      row++;
      if (at + FRAME_AT + padded(capLen) < blockEnd - TRAILER_BYTES) {
        this.readPacketOptions(at + FRAME_AT + padded(capLen), blockEnd, this.packets + row - firstRow);
      }
      at = blockEnd;
    }
    window.at = at;
    batch.count = row;
  }

  /** One block of another type; false if it is not complete in the window, or the file is damaged here. */
  private takeOtherBlock(batch: RecordBatch, firstRow: number): boolean {
    const { window } = this;
    const { view, at, end } = window;
    if (at + MIN_BLOCK_BYTES > end) return false;
    const type = view.getUint32(at, this.littleEndian);
    if (type === SECTION_HEADER && !this.readByteOrder(at)) return false;
    const totalLength = view.getUint32(at + TOTAL_LENGTH_AT, this.littleEndian);
    if (!this.isLengthSound(type, totalLength, at)) return false;
    const blockEnd = at + padded(totalLength);
    if (blockEnd > end) return false;
    const trailer = view.getUint32(blockEnd - TRAILER_BYTES, this.littleEndian);
    if (trailer !== totalLength) {
      this.failOnTrailer(totalLength, trailer, at);
      return false;
    }
    const bodyEnd = blockEnd - TRAILER_BYTES;
    if (type === SECTION_HEADER) this.beginSection(at, bodyEnd);
    else if (type === INTERFACE_DESCRIPTION) this.readInterface(at, bodyEnd);
    else if (type === SIMPLE_PACKET) this.addSimplePacket(batch, at, totalLength);
    else if (type === INTERFACE_STATISTICS) this.readStatistics(at, bodyEnd);
    else if (type === OBSOLETE_PACKET) {
      this.addPacket(batch, at, totalLength);
      const drops = view.getUint16(at + DROPS_AT, this.littleEndian);
      if (drops !== DROPS_UNKNOWN) this.dropped = this.drops.addSince(drops);
      const optionsAt = at + FRAME_AT + padded(view.getUint32(at + CAPLEN_AT, this.littleEndian));
      if (this.damage === null) this.readComments(optionsAt, blockEnd, this.packets + batch.count - firstRow);
    }
    if (this.damage !== null) return false;
    window.at = blockEnd;
    return true;
  }

  /** Takes on the byte order of the section that begins at `at`: its other numbers are read with it. */
  private readByteOrder(at: number): boolean {
    const littleEndian = byteOrderOf(this.window.view, at);
    if (littleEndian === undefined) {
      this.fail('a section of unknown byte order', at);
      return false;
    }
    this.littleEndian = littleEndian;
    return true;
  }

  private isLengthSound(type: number, totalLength: number, at: number): boolean {
    const least = MIN_BYTES.get(type) ?? MIN_BLOCK_BYTES;
    if (totalLength >= least && totalLength <= MAX_BLOCK_BYTES) return true;
    const hex = type.toString(16);
    this.fail(
      `a block of type 0x${hex} and ${totalLength} octets, where ${least} to ${MAX_BLOCK_BYTES} can be`,
      at,
    );
    return false;
  }

  private beginSection(at: number, bodyEnd: number): void {
    const { major, minor } = pcapngVersion(this.window.view, at);
    if (major !== PCAPNG_MAJOR) {
      this.fail(`a section of pcapng version ${major}.${minor}; version ${PCAPNG_MAJOR} can be read`, at);
      return;
    }
    this.firstInterface = this.table.count;
    this.keepComments(at + SECTION_OPTIONS_AT, bodyEnd);
  }

  private readInterface(at: number, bodyEnd: number): void {
    const { view, bytes } = this.window;
    const littleEndian = this.littleEndian;
    const linkType = view.getUint16(at + BODY_AT, littleEndian);
    const snapLen = view.getUint32(at + SNAPLEN_AT, littleEndian);
    let resolution = DEFAULT_RESOLUTION;
    let offsetS = 0n;
    let name: string | undefined;
    forEachOption(view, at + INTERFACE_OPTIONS_AT, bodyEnd, littleEndian, (code, valueAt, length) => {
      if (code === OptionCode.ifTsResol && length >= 1) resolution = view.getUint8(valueAt);
      else if (code === OptionCode.ifTsOffset && length >= 8)
        offsetS = view.getBigInt64(valueAt, littleEndian);
      else if (code === OptionCode.ifName) name = optionText(bytes, valueAt, length);
    });
    const kind = this.table.add(linkType, snapLen, resolution, offsetS);
    if (kind === undefined) {
      this.fail('more kinds of interfaces than any capture has', at);
      return;
    }
    const described = { linkType, snapLen, ticksPerSecond: Number(kind.clock.ticksPerSecond) };
    this.addInterface(name === undefined ? described : { ...described, name });
  }

  /** A row for the packet block at `at`, of the enhanced or the obsolete form. */
  private addPacket(batch: RecordBatch, at: number, totalLength: number): void {
    const { view } = this.window;
    const littleEndian = this.littleEndian;
    const type = view.getUint32(at, littleEndian);
    const id = this.interfaceOf(type, at);
    const capLen = view.getUint32(at + CAPLEN_AT, littleEndian);
    const number = this.firstInterface + id;
    const kind = number < this.table.count ? this.table.kindOf(number) : undefined;
    if (kind === undefined || !fitsFrame(capLen, totalLength, kind.maxFrameBytes)) {
      this.failOnPacket(type, at);
      return;
    }
    const ticksHi = view.getUint32(at + TICKS_AT, littleEndian);
    const ticksLo = view.getUint32(at + TICKS_AT + 4, littleEndian);
    if (!this.hasBase) this.setBase(kind.clock.absoluteNs(ticksHi, ticksLo));
    const row = batch.count++;
    batch.at[row] = at + FRAME_AT;
    batch.capLen[row] = capLen;
    batch.wireLen[row] = view.getUint32(at + WIRELEN_AT, littleEndian);
    batch.timeNs[row] = kind.clock.timeNs(ticksHi, ticksLo);
    batch.linkType[row] = kind.linkType;
    batch.iface[row] = number;
  }

  private addSimplePacket(batch: RecordBatch, at: number, totalLength: number): void {
    const number = this.firstInterface;
    if (number >= this.table.count) {
      this.fail('a packet before any interface of its section', at);
      return;
    }
    const kind = this.table.kindOf(number);
    const wireLen = this.window.view.getUint32(at + BODY_AT, this.littleEndian);
    const capLen = kind.snapLen === 0 ? wireLen : Math.min(wireLen, kind.snapLen);
    if (capLen > kind.maxFrameBytes || capLen > totalLength - MIN_SIMPLE_BYTES) {
      this.fail(`a packet of ${capLen} octets in a block of ${totalLength}`, at);
      return;
    }
    const row = batch.count++;
    batch.at[row] = at + SIMPLE_FRAME_AT;
    batch.capLen[row] = capLen;
    batch.wireLen[row] = wireLen;
    batch.timeNs[row] = row === 0 ? this.lastTimeNs : (batch.timeNs[row - 1] as number);
    batch.linkType[row] = kind.linkType;
    batch.iface[row] = number;
  }

  private interfaceOf(type: number, at: number): number {
    const { view } = this.window;
    return type === ENHANCED_PACKET
      ? view.getUint32(at + INTERFACE_AT, this.littleEndian)
      : view.getUint16(at + INTERFACE_AT, this.littleEndian);
  }

  private setBase(baseNs: bigint): void {
    this.baseNs = baseNs;
    this.table.setBase(baseNs);
    this.hasBase = true;
  }

  /** Counters of an interface, from the beginning of the capture to this block. */
  private readStatistics(at: number, bodyEnd: number): void {
    const { view } = this.window;
    const littleEndian = this.littleEndian;
    let dropped: number | null = null;
    forEachOption(view, at + STATISTICS_OPTIONS_AT, bodyEnd, littleEndian, (code, valueAt, length) => {
      if ((code !== OptionCode.isbIfDrop && code !== OptionCode.isbOsDrop) || length < 8) return;
      const value = Number(view.getBigUint64(valueAt, littleEndian));
      // all bits set: a writer's word for "not known"
      if (value <= Number.MAX_SAFE_INTEGER) dropped = (dropped ?? 0) + value;
    });
    if (dropped === null) return;
    const number = this.firstInterface + view.getUint32(at + INTERFACE_AT, littleEndian);
    this.dropped = this.drops.setTotal(number, dropped);
  }

  private readPacketOptions(at: number, blockEnd: number, packetNumber: number): void {
    const { view } = this.window;
    const littleEndian = this.littleEndian;
    forEachOption(view, at, blockEnd - TRAILER_BYTES, littleEndian, (code, valueAt, length) => {
      if (code !== OptionCode.epbDropCount || length < 8) return;
      const value = Number(view.getBigUint64(valueAt, littleEndian));
      if (value <= Number.MAX_SAFE_INTEGER) this.dropped = this.drops.addSince(value);
    });
    this.readComments(at, blockEnd, packetNumber);
  }

  private readComments(at: number, blockEnd: number, packetNumber: number): void {
    const onComment = this.onComment;
    if (onComment === undefined) return;
    const { view, bytes } = this.window;
    forEachOption(view, at, blockEnd - TRAILER_BYTES, this.littleEndian, (code, valueAt, length) => {
      if (code === OptionCode.comment) onComment(packetNumber, optionText(bytes, valueAt, length));
    });
  }

  private keepComments(at: number, bodyEnd: number): void {
    const { view, bytes } = this.window;
    forEachOption(view, at, bodyEnd, this.littleEndian, (code, valueAt, length) => {
      if (code === OptionCode.comment && this.comments.length < MAX_COMMENTS) {
        this.comments.push(optionText(bytes, valueAt, length));
      }
    });
  }

  private failOnPacket(type: number, at: number): void {
    const { view } = this.window;
    const totalLength = view.getUint32(at + TOTAL_LENGTH_AT, this.littleEndian);
    if (!this.isLengthSound(type, totalLength, at)) return;
    const id = this.interfaceOf(type, at);
    const known = this.table.count - this.firstInterface;
    if (id >= known) {
      this.fail(`a packet of interface ${id}, where the section has described ${known}`, at);
      return;
    }
    const capLen = view.getUint32(at + CAPLEN_AT, this.littleEndian);
    this.fail(`a packet of ${capLen} octets in a block of ${totalLength}`, at);
  }

  private failOnTrailer(totalLength: number, trailer: number, at: number): void {
    this.fail(`a block of ${totalLength} octets that ends with the length ${trailer}`, at);
  }
}

/** Whether a packet block can hold the frame it says it holds. */
function fitsFrame(capLen: number, totalLength: number, maxFrameBytes: number): boolean {
  return (
    capLen <= maxFrameBytes &&
    totalLength <= MAX_BLOCK_BYTES &&
    padded(capLen) <= totalLength - MIN_PACKET_BYTES
  );
}
