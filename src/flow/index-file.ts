/**
 * What reading a capture yields, kept in a file beside it (`web.pcap.ffidx`), so that the next command need not read
 * the capture again. A large capture's columns stand there as they are in memory:
 *
 * ```
 * magic (16) | byte order mark (4) | length of the header (4) | header: JSON, filled up to 8 octets
 * columns of the flow table, one after the other, each from a multiple of 8 octets on
 * for each segment of the packet index its columns, likewise
 * ```
 *
 * The file counts only while everything holds: the capture has the size, the times of change (mtime and ctime), the
 * inode and, at {@link PIECES} places, the content that it had; the file was written by this very build of the reader,
 * at the same level, by this user or the capture's owner; and its length is what its header says. Otherwise the capture
 * is read as if there were none. Nothing depends on being able to write one: a read-only folder is no error.
 */
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  type CaptureIndex,
  type CaptureSummary,
  createFlowColumns,
  type FlowColumns,
} from './flow-columns.js';
import { KERNEL } from './kernel-module.js';
import { kernelPath } from './kernel-path.js';
import { PacketIndex, type PacketSegment } from './packet-index.js';

/** Below this many octets of a capture, reading it again is quick enough. */
export const INDEXED_BYTES = 32 << 20;

const SUFFIX = '.ffidx';
const MAGIC = 'flowfate index 1';
const BYTE_ORDER = 0x01020304;
const PREFIX_BYTES = 24;
const LONGEST_HEADER = 1 << 20;
/** places at which the content is looked at, and octets at each */
const PIECES = 18;
const PIECE_BYTES = 4096;
/** A capture that changed so short a time ago may change again within the same tick of its clock. */
const SETTLED_MS = 2000;

export type IndexContent = 'flows' | 'packets';

/** What the capture was like when it was read. */
interface Identity {
  readonly size: string;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
  readonly inode: string;
  readonly marks: string;
}

interface Header {
  readonly reader: string;
  readonly level: string;
  readonly content: IndexContent;
  readonly capture: Identity;
  readonly summary: Omit<CaptureSummary, 'file' | 'baseNs'> & { readonly baseNs: string };
  readonly flows: number;
  /** packets of each segment */
  readonly segments: readonly number[];
}

/** The index of the capture at `path` as it was kept, or null: there is none that counts. */
export function loadIndex(path: string, level: string, content: IndexContent): CaptureIndex | null {
  try {
    const stats = statSync(path, { bigint: true });
    if (!isIndexed(stats)) return null;
    const descriptor = openSync(path + SUFFIX, 'r');
    try {
      return readIndex(descriptor, path, stats, level, content);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // not there, not readable, or no index: the capture is
    return null;
  }
}

/** The capture's state before it is read, to be handed to {@link saveIndex} after; null: none is to be kept of it. */
export function beforeReading(path: string): BigIntStats | null {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats !== undefined && isIndexed(stats) ? stats : null;
}

/** Keeps the index of a capture. Returns the octets of the file, or 0 where none was written. */
export function saveIndex(
  path: string,
  before: BigIntStats,
  level: string,
  content: IndexContent,
  index: CaptureIndex,
  nowMs = Date.now(),
): number {
  if (index.summary.damage !== null) return 0;
  const partial = `${path}${SUFFIX}.${process.pid}.partial`;
  try {
    const stats = statSync(path, { bigint: true });
    const settledMs = nowMs - SETTLED_MS;
    const isSame = stats.size === before.size && stats.mtimeNs === before.mtimeNs && stats.ino === before.ino;
    if (!isSame || Number(stats.mtimeMs) > settledMs || Number(stats.ctimeMs) > settledMs) return 0;
    const { file: _, baseNs, ...summary } = index.summary;
    const header = headerOctets({
      reader: readerName(),
      level,
      content,
      capture: identityOf(path, stats),
      summary: { ...summary, baseNs: String(baseNs) },
      flows: index.flows.count,
      segments: index.packets.segments.map(({ count }) => count),
    });
    const columns = [...flowArrays(index.flows), ...index.packets.segments.flatMap(segmentArrays)];
    const bytes = columns.reduce((sum, column) => sum + padded(column.byteLength), header.length);
    if (bytes > stats.size) return 0;
    const descriptor = openSync(partial, 'wx');
    try {
      writeAll(descriptor, header);
      for (const column of columns) {
        writeAll(descriptor, new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
        writeAll(descriptor, new Uint8Array(padded(column.byteLength) - column.byteLength));
      }
    } finally {
      closeSync(descriptor);
    }
    renameSync(partial, path + SUFFIX);
    return bytes;
  } catch {
    // a read-only folder, a full disk: nothing depends on it
    rmSync(partial, { force: true });
    return 0;
  }
}

function isIndexed(stats: BigIntStats): boolean {
  return stats.isFile() && stats.size >= BigInt(INDEXED_BYTES);
}

function readIndex(
  descriptor: number,
  path: string,
  capture: BigIntStats,
  level: string,
  content: IndexContent,
): CaptureIndex | null {
  const own = fstatSync(descriptor, { bigint: true });
  const user = process.getuid?.();
  if (!own.isFile() || (user !== undefined && own.uid !== BigInt(user) && own.uid !== capture.uid))
    return null;
  const prefix = new Uint8Array(PREFIX_BYTES);
  readAll(descriptor, prefix, 0);
  const [order, headerBytes] = new Uint32Array(prefix.buffer, MAGIC.length, 2) as unknown as [number, number];
  if (Buffer.from(prefix.subarray(0, MAGIC.length)).toString('latin1') !== MAGIC) return null;
  if (order !== BYTE_ORDER || headerBytes > LONGEST_HEADER) return null;
  const text = new Uint8Array(headerBytes);
  readAll(descriptor, text, PREFIX_BYTES);
  const header = JSON.parse(Buffer.from(text).toString()) as Header;
  if (header.reader !== readerName() || header.level !== level) return null;
  if (content === 'packets' && header.content !== 'packets') return null;
  if (!sameIdentity(header.capture, identityOf(path, capture))) return null;

  let at = PREFIX_BYTES + headerBytes;
  const next = (column: ArrayBufferView): void => {
    readAll(descriptor, new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += padded(column.byteLength);
  };
  const flows = createFlowColumns(header.flows);
  const columnBytes = flowArrays(flows).reduce((sum, column) => sum + padded(column.byteLength), 0);
  const packetBytes = header.segments.reduce((sum, count) => sum + segmentBytes(count), 0);
  if (own.size !== BigInt(at + columnBytes + packetBytes)) return null;
  for (const column of flowArrays(flows)) next(column);
  const packets = new PacketIndex('shared');
  if (content === 'packets') {
    for (const count of header.segments) {
      const segment = newSegment(count);
      for (const column of segmentArrays(segment)) next(column);
      packets.segments.push(segment);
      packets.count += count;
    }
  }
  const { baseNs, ...summary } = header.summary;
  return { summary: { file: path, ...summary, baseNs: BigInt(baseNs) }, flows, packets };
}

// -- what stands in the file

function headerOctets(header: Header): Uint8Array {
  const text = Buffer.from(JSON.stringify(header));
  const octets = new Uint8Array(padded(PREFIX_BYTES + text.length)).fill(0x20);
  octets.set(Buffer.from(MAGIC, 'latin1'));
  new Uint32Array(octets.buffer, MAGIC.length, 2).set([BYTE_ORDER, octets.length - PREFIX_BYTES]);
  octets.set(text, PREFIX_BYTES);
  return octets;
}

function flowArrays({ count: _, ...columns }: FlowColumns): ArrayBufferView[] {
  return Object.values(columns);
}

function segmentArrays({
  count,
  flowDir,
  meta,
  timeNs,
  seq,
  ack,
  size,
  label,
}: PacketSegment): ArrayBufferView[] {
  return [flowDir, meta, timeNs, seq, ack, size, label].map((column) => column.subarray(0, count));
}

/** Columns of just so many rows, which other threads may see. */
function newSegment(count: number): PacketSegment {
  const column = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes * count);
  return {
    count,
    flowDir: new Uint32Array(column(4)),
    meta: new Uint32Array(column(4)),
    timeNs: new Float64Array(column(8)),
    seq: new Uint32Array(column(4)),
    ack: new Uint32Array(column(4)),
    size: new Uint32Array(column(4)),
    label: new Uint32Array(column(4)),
  };
}

function segmentBytes(count: number): number {
  return 6 * padded(4 * count) + 8 * count;
}

function padded(bytes: number): number {
  return (bytes + 7) & ~7;
}

// -- what it belongs to

function identityOf(path: string, { size, mtimeNs, ctimeNs, ino }: BigIntStats): Identity {
  return {
    size: String(size),
    mtimeNs: String(mtimeNs),
    ctimeNs: String(ctimeNs),
    inode: String(ino),
    marks: marksOf(path, Number(size)),
  };
}

function sameIdentity(one: Identity, other: Identity): boolean {
  return (
    one.size === other.size &&
    one.mtimeNs === other.mtimeNs &&
    one.ctimeNs === other.ctimeNs &&
    one.inode === other.inode &&
    one.marks === other.marks
  );
}

/** Digest of pieces of the content, evenly spread from the first octets to the last. */
function marksOf(path: string, size: number): string {
  const hash = createHash('sha256');
  const piece = new Uint8Array(Math.min(PIECE_BYTES, size));
  const descriptor = openSync(path, 'r');
  try {
    for (let i = 0; i < PIECES; i++) {
      readAll(descriptor, piece, Math.floor(((size - piece.length) * i) / (PIECES - 1)));
      hash.update(piece);
    }
  } finally {
    closeSync(descriptor);
  }
  return hash.digest('hex');
}

let reader: string | undefined;

/** This build of the reader: another one may see other flows in the same capture. */
function readerName(): string {
  if (reader === undefined) {
    const hash = createHash('sha256').update(readFileSync(kernelPath(KERNEL)));
    const { mtimeNs, size } = statSync(fileURLToPath(import.meta.url), { bigint: true });
    reader = hash.update(`${mtimeNs} ${size}`).digest('hex');
  }
  return reader;
}

// -- octets

function readAll(descriptor: number, into: Uint8Array, position: number): void {
  for (let at = 0; at < into.length; ) {
    const got = readSync(descriptor, into, at, Math.min(into.length - at, 1 << 30), position + at);
    if (got === 0) throw new RangeError('the index file ends early');
    at += got;
  }
}

function writeAll(descriptor: number, octets: Uint8Array): void {
  for (let at = 0; at < octets.length; ) {
    at += writeSync(descriptor, octets, at, Math.min(octets.length - at, 1 << 30));
  }
}
