/**
 * Reads a capture once, from end to end, into the index that any number of scenarios run over.
 *
 * Batch by batch: the reader puts frames into the kernel's memory, the kernel decodes what is plain, the TypeScript
 * decoder does the rest, and the kernel adds all of it, in order, to the flow table; of large captures in a second
 * thread, while this one reads on.
 */
import { availableParallelism } from 'node:os';
import { type ByteSource, openByteSource } from '../capture/byte-source.js';
import { openCapture } from '../capture/capture-reader.js';
import { linkTypeName } from '../capture/link-types.js';
import type { RecordBatch } from '../capture/record-batch.js';
import type { CaptureReader } from '../capture/record-reader.js';
import { AccountThread, accountProgram } from './account-thread.js';
import { FaultTally } from './decode-fault.js';
import { type Accounted, FlowAccount } from './flow-account.js';
import type { CaptureIndex, CaptureSummary } from './flow-columns.js';
import { FlowKernel } from './flow-kernel.js';
import { beforeReading, loadIndex, saveIndex } from './index-file.js';
import { type Level, PacketDecoder } from './packet-decoder.js';
import { UDP_TUNNEL_PORTS } from './tunnel-header.js';

export interface ReadProgress {
  /** of the file as it is stored */
  readonly doneBytes: number;
  /** null where nobody can know, as on standard input */
  readonly totalBytes: number | null;
  readonly packets: number;
}

export interface ReadCaptureOptions {
  /** the IP header that keys a packet; outermost by default */
  readonly level?: Level | undefined;
  /** `flows` leaves the packet index empty, which saves its time and 32 octets a packet; `packets` by default */
  readonly index?: 'flows' | 'packets' | undefined;
  /**
   * `beside`: use the index file beside a large capture, and write one where there is none that counts
   * (index-file.ts); `none` by default
   */
  readonly indexFile?: 'beside' | 'none' | undefined;
  /** an index file of so many octets was written */
  readonly onIndexed?: ((bytes: number) => void) | undefined;
  /** called every few thousand packets */
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
  /** which decoder does the plain packets; they agree, and only tests have a reason to choose */
  readonly decoder?: 'kernel' | 'typescript' | undefined;
  /** where packets are added to flows; by default in a thread of its own from {@link LARGE_BYTES} on */
  readonly accounting?: 'here' | 'thread' | undefined;
}

/** A thread is worth its start from here on (octets of the file). */
const LARGE_BYTES = 32 << 20;

const PROGRESS_BATCHES = 16;

/** Reads the capture at `path` (`-`: standard input). @throws FlowfateError if it cannot be read at all. */
export function readCapture(path: string, options: ReadCaptureOptions = {}): CaptureIndex {
  const level = options.level ?? 'outer';
  if (options.indexFile !== 'beside' || path === '-') return readPackets(path, level, options);
  const content = options.index ?? 'packets';
  const kept = loadIndex(path, level, content);
  if (kept !== null) return kept;
  const before = beforeReading(path);
  const index = readPackets(path, level, options);
  const written = before === null ? 0 : saveIndex(path, before, level, content, index);
  if (written > 0) options.onIndexed?.(written);
  return index;
}

function readPackets(path: string, level: Level, options: ReadCaptureOptions): CaptureIndex {
  const kernel = new FlowKernel(level === 'inner' ? UDP_TUNNEL_PORTS : []);
  const source = openByteSource(path);
  const reader = openCapture(source, { buffer: kernel.batch.bytes });
  try {
    const indexing = new CaptureIndexing(kernel, level, options, accountOf(kernel, source, options));
    for (let batches = 1; reader.next(kernel.batch); batches++) {
      indexing.add();
      if (batches % PROGRESS_BATCHES === 0) {
        options.onProgress?.({
          doneBytes: source.positionBytes,
          totalBytes: source.sizeBytes,
          packets: indexing.packets,
        });
      }
    }
    return { summary: indexing.summary(path, reader), ...indexing.finish() };
  } finally {
    reader.close();
  }
}

/** Takes the decoded batch at the kernel's place of the ring. */
interface Account {
  add(count: number, firstNumber: number): void;
  finish(): Accounted;
}

function accountOf(kernel: FlowKernel, source: ByteSource, options: ReadCaptureOptions): Account {
  const content = options.index ?? 'packets';
  const large = (source.sizeBytes ?? 0) >= LARGE_BYTES && availableParallelism() > 1;
  const apart = options.accounting === undefined ? large : options.accounting === 'thread';
  const program = apart ? accountProgram() : null;
  if (program !== null) return new AccountThread(kernel, program, content);
  const account = new FlowAccount(kernel.memory, kernel.kernel, content, 'own');
  return {
    add: (count, firstNumber) => account.add(count, firstNumber, kernel.place),
    finish: () => account.finish(),
  };
}

/** The state of one reading. */
class CaptureIndexing {
  packets = 0;
  private readonly decoder = new PacketDecoder();
  private readonly faults = new FaultTally();
  private readonly useKernel: boolean;
  private bytes = 0;
  private minNs = Number.POSITIVE_INFINITY;
  private maxNs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly kernel: FlowKernel,
    private readonly level: Level,
    options: ReadCaptureOptions,
    private readonly account: Account,
  ) {
    this.useKernel = options.decoder !== 'typescript';
  }

  /** Adds the kernel's batch. */
  add(): void {
    const { kernel } = this;
    const { batch } = kernel;
    const slow = kernel.decode();
    if (this.useKernel) {
      for (let i = 0; i < slow; i++) this.decodeRow(batch, kernel.slowRows[i]!);
    } else {
      for (let row = 0; row < batch.count; row++) this.decodeRow(batch, row);
    }
    this.account.add(batch.count, this.packets + 1);
    this.packets += batch.count;
    this.measure(batch);
  }

  private decodeRow(batch: RecordBatch, row: number): void {
    const { decoder, level } = this;
    const linkType = batch.linkType[row]!;
    decoder.decode(batch.view, batch.at[row]!, batch.capLen[row]!, batch.wireLen[row]!, linkType, level);
    if (decoder.fault !== 0) this.faults.add(decoder.fault, linkType);
    this.kernel.setRow(row, decoder.layers > 0 ? decoder.inner : null);
  }

  private measure(batch: RecordBatch): void {
    const { count, wireLen, timeNs } = batch;
    let bytes = 0;
    let minNs = this.minNs;
    let maxNs = this.maxNs;
    for (let i = 0; i < count; i++) {
      bytes += wireLen[i]!;
      const t = timeNs[i]!;
      if (t < minNs) minNs = t;
      if (t > maxNs) maxNs = t;
    }
    this.bytes += bytes;
    this.minNs = minNs;
    this.maxNs = maxNs;
  }

  finish(): Accounted {
    return this.account.finish();
  }

  summary(file: string, reader: CaptureReader): CaptureSummary {
    return {
      file,
      format: reader.format,
      linkTypes: reader.linkTypes.map(linkTypeName),
      packets: this.packets,
      bytes: this.bytes,
      level: this.level,
      baseNs: reader.baseNs,
      duration: this.packets > 0 ? (this.maxNs - this.minNs) / 1e9 : 0,
      truncated: reader.truncated,
      decodeFaults: this.faults.toRecord(),
      dropped: reader.dropped,
      damage: reader.damage,
      warnings: [...reader.warnings, ...undecodedLinks(this.faults)],
    };
  }
}

function undecodedLinks({ undecoded }: FaultTally): string[] {
  return [...undecoded].map(([linkType, count]) => {
    const packets = `${count.toLocaleString('en')} packet${count === 1 ? '' : 's'}`;
    return `link type ${linkType} (${linkTypeName(linkType)}) is not decoded: ${packets} of the capture went unread`;
  });
}
