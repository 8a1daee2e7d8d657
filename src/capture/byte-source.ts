/**
 * Opens what a user names: a file or standard input, plain or gzipped (told by content, never by name), as one
 * synchronous source of uncompressed bytes.
 */
import { FlowfateError } from '../errors.js';
import { GunzipSource, GZIP_MAGIC } from './gunzip-source.js';
import { type ByteSource, openRawSource, type SourceFault } from './raw-source.js';

export { type ByteSource, type SourceFault, sourceFromBytes } from './raw-source.js';

/** Opens a path, or standard input for `-`. @throws FlowfateError with code `input`, also for an empty file. */
export function openByteSource(path: string): ByteSource {
  return inflateIfGzip(openRawSource(path));
}

/** The source itself, or what it holds if that is gzip. @throws FlowfateError if there is nothing in it. */
export function inflateIfGzip(stored: ByteSource): ByteSource {
  const head = new Uint8Array(GZIP_MAGIC.length);
  let count = 0;
  while (count < head.length) {
    const got = stored.read(head, count, head.length - count);
    if (got === 0) break;
    count += got;
  }
  if (count === 0) {
    stored.close();
    const message = stored.fault?.message ?? `${stored.name} is empty: there is nothing in it to read`;
    throw new FlowfateError('input', message, { file: stored.name });
  }
  const whole = new PeekedSource(stored, head.subarray(0, count));
  return head[0] === GZIP_MAGIC[0] && head[1] === GZIP_MAGIC[1] ? new GunzipSource(whole) : whole;
}

/** A source whose first octets were already looked at. */
class PeekedSource implements ByteSource {
  constructor(
    private readonly source: ByteSource,
    private head: Uint8Array,
  ) {}

  get name(): string {
    return this.source.name;
  }

  get sizeBytes(): number | null {
    return this.source.sizeBytes;
  }

  get positionBytes(): number {
    return this.source.positionBytes - this.head.length;
  }

  get fault(): SourceFault | null {
    return this.source.fault;
  }

  read(into: Uint8Array, at: number, length: number): number {
    const headLength = Math.min(this.head.length, length);
    if (headLength === 0) return this.source.read(into, at, length);
    into.set(this.head.subarray(0, headLength), at);
    this.head = this.head.subarray(headLength);
    return headLength + this.source.read(into, at + headLength, length - headLength);
  }

  close(): void {
    this.source.close();
  }
}
