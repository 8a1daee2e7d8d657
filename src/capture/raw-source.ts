/**
 * Where the bytes of an input come from: a file, a pipe, or memory, pulled synchronously.
 *
 * Pull and not push: the reader asks for exactly the octets it has room for, so memory is bounded by the reader's
 * own buffer and no packet waits for the event loop. One large `readSync` into a buffer that is used again is also
 * the fastest way Node has (streams take over twice as long, reading the whole file likewise).
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isatty } from 'node:tty';
import { FlowfateError } from '../errors.js';

/** Why a source ended before it should have; what was read until then is good. */
export interface SourceFault {
  /** `cut`: the input merely ends too early; `damaged`: it is wrong or cannot be read further */
  readonly kind: 'cut' | 'damaged';
  /** one sentence, with the file's name */
  readonly message: string;
}

export interface ByteSource {
  /** the path, or `standard input` */
  readonly name: string;
  /** size of the file as it is stored; null where nobody can know */
  readonly sizeBytes: number | null;
  /** how much of the stored (for gzip: compressed) file was read: what progress is measured by */
  readonly positionBytes: number;
  /** set once a read came out short for a reason other than the end of the input */
  readonly fault: SourceFault | null;
  /** Reads up to `length` octets to `into[at…]`; returns how many came, 0 at the end. Never throws on bad input. */
  read(into: Uint8Array, at: number, length: number): number;
  /** May be called more than once. */
  close(): void;
}

const STDIN_FD = 0;
/** how long to sleep when a non-blocking standard input has nothing yet */
const RETRY_AFTER_MS = 2;

/** Opens a file, or standard input for `-`. @throws FlowfateError with code `input`. */
export function openRawSource(path: string): ByteSource {
  if (path === '-') {
    if (isatty(STDIN_FD)) {
      throw new FlowfateError(
        'input',
        'standard input is a terminal: name a capture file, or pipe one in, as in "tcpdump -w - | flowfate … -"',
      );
    }
    return new DescriptorSource(STDIN_FD, 'standard input', sizeOfFile(STDIN_FD));
  }
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw new FlowfateError('input', whyNotOpened(path, error), { file: path });
  }
  try {
    if (fstatSync(fd).isDirectory()) {
      throw new FlowfateError('input', `${path} is a directory: name a file in it`, { file: path });
    }
    return new DescriptorSource(fd, path, sizeOfFile(fd));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A source over bytes already in memory; they are not copied. */
export function sourceFromBytes(bytes: Uint8Array, name = 'memory'): ByteSource {
  return new MemorySource(bytes, name);
}

class DescriptorSource implements ByteSource {
  positionBytes = 0;
  fault: SourceFault | null = null;
  private open = true;

  constructor(
    private readonly fd: number,
    readonly name: string,
    readonly sizeBytes: number | null,
  ) {}

  read(into: Uint8Array, at: number, length: number): number {
    if (!this.open || this.fault !== null || length === 0) return 0;
    for (;;) {
      try {
        const count = readSync(this.fd, into, at, length, null);
        this.positionBytes += count;
        return count;
      } catch (error) {
        const code = errorCode(error);
        // Windows reports the end of a pipe as an error
        if (code === 'EOF') return 0;
        if (code !== 'EAGAIN') {
          this.fault = { kind: 'damaged', message: `${this.name} cannot be read any further (${code})` };
          return 0;
        }
        sleep(RETRY_AFTER_MS);
      }
    }
  }

  close(): void {
    if (this.open && this.fd !== STDIN_FD) closeSync(this.fd);
    this.open = false;
  }
}

class MemorySource implements ByteSource {
  positionBytes = 0;
  readonly fault = null;
  readonly sizeBytes: number;
  private bytes: Uint8Array;

  constructor(
    bytes: Uint8Array,
    readonly name: string,
  ) {
    this.bytes = bytes;
    this.sizeBytes = bytes.length;
  }

  read(into: Uint8Array, at: number, length: number): number {
    const from = this.positionBytes;
    const count = Math.min(length, this.bytes.length - from);
    if (count <= 0) return 0;
    into.set(this.bytes.subarray(from, from + count), at);
    this.positionBytes += count;
    return count;
  }

  close(): void {
    this.bytes = new Uint8Array(0);
  }
}

function sizeOfFile(fd: number): number | null {
  const stat = fstatSync(fd);
  return stat.isFile() ? stat.size : null;
}

function whyNotOpened(path: string, error: unknown): string {
  const code = errorCode(error);
  if (code === 'ENOENT') return `${path} does not exist: check the path, or use - for standard input`;
  if (code === 'EACCES' || code === 'EPERM')
    return `${path} may not be read by this user: check its permissions`;
  if (code === 'ENOTDIR') return `${path} does not exist: a part of the path is a file, not a directory`;
  return `${path} cannot be opened (${code}): check the path`;
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

let sleepCell: Int32Array | undefined;

/** Waits without spinning; the only synchronous way Node offers. */
function sleep(timeMs: number): void {
  sleepCell ??= new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(sleepCell, 0, 0, timeMs);
}
