/** What every capture reader offers, whatever the format. */
import type { RecordBatch } from './record-batch.js';

export interface CaptureInterface {
  /** LINKTYPE_ value of its frames */
  readonly linkType: number;
  /** most octets captured of a frame; 0 where the file sets no limit */
  readonly snapLen: number;
  /** as the capturing system called it; absent in pcap, optional in pcapng */
  readonly name?: string;
  /** ticks of its clock in a second */
  readonly ticksPerSecond: number;
}

export interface CaptureDamage {
  /** one sentence with the file's name and the offset */
  readonly message: string;
  /** in the uncompressed file */
  readonly offset: number;
}

/** How many interfaces are described in `interfaces`; further ones are read all the same, by number. */
export const MAX_DESCRIBED_INTERFACES = 1024;

export interface CaptureReader {
  readonly format: 'pcap' | 'pcapng';
  /**
   * Nanoseconds since 1970 of the first record, valid after the first `next()`; every `timeNs` counts from here.
   * (Simple Packet Blocks have no time: 0 until a record has one, and each then carries its predecessor's.)
   */
  readonly baseNs: bigint;
  /** in the order of their numbers; grows while a pcapng file is read, up to {@link MAX_DESCRIBED_INTERFACES} */
  readonly interfaces: readonly CaptureInterface[];
  /** distinct link types of the interfaces seen so far, in the order of appearance */
  readonly linkTypes: readonly number[];
  /** records handed on so far */
  readonly packets: number;
  /** the file ended inside a record; what came before is good */
  readonly truncated: boolean;
  /** the file is wrong from an offset on; what came before is good */
  readonly damage: CaptureDamage | null;
  /**
   * packets that the capturing system says it lost, as far as the file was read; null where the file does not say. Of
   * pcapng: the last statistics of each interface, or what packets say of those before them, whichever is more
   */
  readonly dropped: number | null;
  /** sentences a user should see; no more are added once `next()` returned false */
  readonly warnings: readonly string[];
  /** comments on the capture as a whole (pcapng sections), at most 64 */
  readonly comments: readonly string[];
  /**
   * Hands on the next records; false once there are none. `batch` and the buffer it points into are valid until the
   * next call. A frame larger than the buffer is cut to it (`capLen` says to what length); nothing else is lost.
   */
  next(batch: RecordBatch): boolean;
  /** Tells the reader that its buffer's memory moved (`memory.grow`) and now is this, of the same length. */
  rebind(buffer: Uint8Array): void;
  close(): void;
}

export interface CaptureReaderOptions {
  /** where frames are read to, e.g. a view of WebAssembly memory; at least {@link MIN_BUFFER_BYTES} */
  readonly buffer?: Uint8Array;
  /** called for each comment of a packet (pcapng), its number counted from 1, before the packet is handed on */
  readonly onComment?: (packetNumber: number, text: string) => void;
}

export const DEFAULT_BUFFER_BYTES = 1024 * 1024;
export const MIN_BUFFER_BYTES = 256;
