/** A look at the first octets of a source that cannot be rewound, such as a pipe. */
import type { ByteSource, SourceFault } from './byte-source.js';

/** The first `count` octets (fewer where there are no more), and a source that begins with them again. */
export function peekSource(source: ByteSource, count: number): { head: Uint8Array; whole: ByteSource } {
  const head = new Uint8Array(count);
  let have = 0;
  while (have < count) {
    const got = source.read(head, have, count - have);
    if (got <= 0) break;
    have += got;
  }
  const taken = head.slice(0, have);
  return { head: taken, whole: new ReplayedSource(source, taken) };
}

/** Gives back what was taken for a look. */
class ReplayedSource implements ByteSource {
  private readonly source: ByteSource;
  private head: Uint8Array;

  constructor(source: ByteSource, head: Uint8Array) {
    this.source = source;
    this.head = head;
  }

  get name(): string {
    return this.source.name;
  }

  get sizeBytes(): number | null {
    return this.source.sizeBytes;
  }

  get positionBytes(): number {
    return this.source.positionBytes;
  }

  get fault(): SourceFault | null {
    return this.source.fault;
  }

  read(into: Uint8Array, at: number, length: number): number {
    if (this.head.length === 0) return this.source.read(into, at, length);
    const part = this.head.subarray(0, length);
    into.set(part, at);
    this.head = this.head.subarray(part.length);
    return part.length;
  }

  close(): void {
    this.source.close();
  }
}
