/**
 * Classic pcap (draft-ietf-opsawg-pcap), as libpcap and its relatives wrote it over the years.
 *
 *     file header, 24 octets:  magic | major(2) minor(2) | zone | accuracy | snaplen | FCS(4 bits) … linktype(16)
 *     record header, 16:       seconds | micro- or nanoseconds | captured length | wire length
 *     "modified" pcap, 24:     the same | interface | protocol(2) type(1) pad(1)
 *
 * The byte order of the magic is that of all numbers. Versions before 2.3 have the two lengths the other way
 * round, and 2.3 had them both ways: there the smaller one is the captured length, as in libpcap. A captured length
 * above the snapshot length or the wire length is odd but readable; one that no tool would write is damage.
 */
import type { ByteWindow } from './byte-window.js';
import { maxFrameBytes } from './link-types.js';
import type { ByteSource } from './raw-source.js';
import type { RecordBatch } from './record-batch.js';
import { WindowReader } from './window-reader.js';

export const PCAP_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MODIFIED_RECORD_HEADER_BYTES = 24;

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
/** Alexey Kuznetsov's, of early Red Hat */
const MAGIC_MODIFIED = 0xa1b2cd34;

const VERSION_AT = 4;
const SNAPLEN_AT = 16;
const LINKTYPE_AT = 20;
/** the upper half carries the length of the frame check sequence and reserved bits */
const LINKTYPE_MASK = 0xffff;

const LENGTH_A_AT = 8;
const LENGTH_B_AT = 12;

const NS_PER_S = 1e9;
const NO_TAIL = new Uint8Array(0);

/** Whether four octets are the magic of a pcap file. */
export function isPcap(view: DataView, at: number): boolean {
  return isMagic(view.getUint32(at, true)) || isMagic(view.getUint32(at, false));
}

function isMagic(value: number): boolean {
  return value === MAGIC_MICROSECONDS || value === MAGIC_NANOSECONDS || value === MAGIC_MODIFIED;
}

export class PcapReader extends WindowReader {
  readonly format = 'pcap';
  private readonly littleEndian: boolean;
  private readonly headerBytes: number;
  private readonly nsPerTick: number;
  private readonly linkType: number;
  private readonly maxFrameBytes: number;
  /** where in a record header the captured and the wire length stand */
  private readonly capLenAt: number;
  private readonly wireLenAt: number;
  private readonly eitherWay: boolean;
  private hasBase = false;
  private baseS = 0;
  /** nanoseconds of the first record behind its second */
  private baseRestNs = 0;
  /** the batch whose constant columns are filled in */
  private preparedBatch: RecordBatch | undefined;

  /** `window` holds the whole file header, and {@link isPcap} has said yes to it. */
  constructor(source: ByteSource, window: ByteWindow) {
    super(source, window);
    const { view, at } = window;
    const littleEndian = isMagic(view.getUint32(at, true));
    const magic = view.getUint32(at, littleEndian);
    this.littleEndian = littleEndian;
    this.nsPerTick = magic === MAGIC_NANOSECONDS ? 1 : 1000;
    this.headerBytes = magic === MAGIC_MODIFIED ? MODIFIED_RECORD_HEADER_BYTES : RECORD_HEADER_BYTES;
    const major = view.getUint16(at + VERSION_AT, littleEndian);
    const minor = view.getUint16(at + VERSION_AT + 2, littleEndian);
    const swapped = major === 2 && minor < 3;
    this.capLenAt = swapped ? LENGTH_B_AT : LENGTH_A_AT;
    this.wireLenAt = swapped ? LENGTH_A_AT : LENGTH_B_AT;
    this.eitherWay = major === 2 && minor === 3;
    this.linkType = view.getUint32(at + LINKTYPE_AT, littleEndian) & LINKTYPE_MASK;
    this.maxFrameBytes = maxFrameBytes(this.linkType);
    const snapLen = view.getUint32(at + SNAPLEN_AT, littleEndian);
    this.addInterface({ linkType: this.linkType, snapLen, ticksPerSecond: NS_PER_S / this.nsPerTick });
    window.at += PCAP_HEADER_BYTES;
  }

  protected scan(batch: RecordBatch): void {
    if (this.preparedBatch !== batch) this.prepare(batch);
    const window = this.window;
    const headerBytes = this.headerBytes;
    if (!this.hasBase && window.unread >= headerBytes) this.setBase();

    const { view, end } = window;
    const { at: frameAts, capLen: capLens, wireLen: wireLens, timeNs: times } = batch;
    const capacity = frameAts.length;
    const littleEndian = this.littleEndian;
    const capLenAt = this.capLenAt;
    const wireLenAt = this.wireLenAt;
    const eitherWay = this.eitherWay;
    const maxBytes = this.maxFrameBytes;
    const nsPerTick = this.nsPerTick;
    const baseS = this.baseS;
    const baseRestNs = this.baseRestNs;
    let at = window.at;
    let row = batch.count;
    const firstRow = row;
    const lastHeaderAt = end - headerBytes;
    while (row < capacity && at <= lastHeaderAt) {
      let capLen = view.getUint32(at + capLenAt, littleEndian);
      let wireLen = view.getUint32(at + wireLenAt, littleEndian);
      if (eitherWay && capLen > wireLen) {
        const smaller = wireLen;
        wireLen = capLen;
        capLen = smaller;
      }
      const frameAt = at + headerBytes;
      const frameEnd = frameAt + capLen;
      if (frameEnd > end || capLen > maxBytes) {
        if (capLen > maxBytes) this.failOnLength(capLen, at);
        break;
      }
      const ns = view.getUint32(at + 4, littleEndian) * nsPerTick - baseRestNs;
      frameAts[row] = frameAt;
      capLens[row] = capLen;
      wireLens[row] = wireLen;
      times[row] = (view.getUint32(at, littleEndian) - baseS) * NS_PER_S + ns;
      row++;
      at = frameEnd;
    }
    window.at = at;
    batch.count = row;
    this.packets += row - firstRow;
  }

  protected takeOversized(batch: RecordBatch): boolean {
    const { window } = this;
    const { view, at } = window;
    const littleEndian = this.littleEndian;
    const lengthA = view.getUint32(at + this.capLenAt, littleEndian);
    const lengthB = view.getUint32(at + this.wireLenAt, littleEndian);
    const capLen = this.eitherWay ? Math.min(lengthA, lengthB) : lengthA;
    const frameAt = at + this.headerBytes;
    const kept = window.end - frameAt;
    if (!window.drop(this.headerBytes + capLen, NO_TAIL)) return false;
    const row = batch.count++;
    batch.at[row] = frameAt;
    batch.capLen[row] = kept;
    batch.wireLen[row] = this.eitherWay ? Math.max(lengthA, lengthB) : lengthB;
    batch.timeNs[row] =
      (view.getUint32(at, littleEndian) - this.baseS) * NS_PER_S +
      (view.getUint32(at + 4, littleEndian) * this.nsPerTick - this.baseRestNs);
    this.packets++;
    return true;
  }

  private setBase(): void {
    const { view, at } = this.window;
    this.baseS = view.getUint32(at, this.littleEndian);
    this.baseRestNs = view.getUint32(at + 4, this.littleEndian) * this.nsPerTick;
    this.baseNs = BigInt(this.baseS) * 1_000_000_000n + BigInt(this.baseRestNs);
    this.hasBase = true;
  }

  /** All frames of the file have one link type and one interface: written once, not per record. */
  private prepare(batch: RecordBatch): void {
    batch.linkType.fill(this.linkType);
    batch.iface.fill(0);
    this.preparedBatch = batch;
  }

  private failOnLength(capLen: number, at: number): void {
    this.fail(`a packet of ${capLen} octets, where at most ${this.maxFrameBytes} are captured`, at);
  }
}
