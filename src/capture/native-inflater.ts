/**
 * DEFLATE (RFC 1951) undone synchronously and in pieces of any size, into memory of the caller's.
 *
 * Node's public zlib is either whole (`inflateRawSync` needs all input and makes all output) or asynchronous
 * (streams). What lies between, feeding a running inflater and getting its output at once, is what Node's own
 * streams call beneath: `handle.writeSync(flush, in, inAt, inLength, out, outAt, outLength)`, with the octets left
 * over reported in a `Uint32Array` [output, input]. That surface has been the same since Node 10 and the npm client
 * itself unpacks through it; still it is not documented, so this file is the only one that knows it, and a Node
 * without it has `PortableInflater`.
 */
import { constants, createInflateRaw } from 'node:zlib';
import type { RawInflater } from './raw-inflater.js';

interface ZlibHandle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
  reset(): void;
  close(): void;
  onerror: (message: string, errno: number, code: string) => void;
}

const OUTPUT_LEFT = 0;
const INPUT_LEFT = 1;
/** an octet that the unwritten rest of an output is filled with, to see how far a failing call came */
const UNWRITTEN = 0xa5;
/** output of one call; small, because only the length of a failing call's output is uncertain */
const CALL_BYTES = 64 * 1024;

export class NativeInflater implements RawInflater {
  consumed = 0;
  produced = 0;
  ended = false;
  error: string | null = null;

  private readonly handle: ZlibHandle;
  private readonly left: Uint32Array;

  private constructor(handle: ZlibHandle, left: Uint32Array) {
    this.handle = handle;
    this.left = left;
    this.handle.onerror = (message) => {
      this.error = message;
    };
  }

  /** Null where Node's streams have another inside than the one described above. */
  static create(stream: unknown = createInflateRaw()): NativeInflater | null {
    const { _handle: handle, _writeState: left } = stream as {
      readonly _handle?: Partial<ZlibHandle>;
      readonly _writeState?: unknown;
    };
    if (
      typeof handle?.writeSync !== 'function' ||
      typeof handle.reset !== 'function' ||
      typeof handle.close !== 'function' ||
      !(left instanceof Uint32Array)
    ) {
      return null;
    }
    return new NativeInflater(handle as ZlibHandle, left);
  }

  inflate(
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void {
    const room = Math.min(outputLength, CALL_BYTES);
    output.fill(UNWRITTEN, outputAt, outputAt + room);
    this.handle.writeSync(constants.Z_NO_FLUSH, input, inputAt, inputLength, output, outputAt, room);
    if (this.error !== null) {
      // zlib does not tell how much a failing call wrote; it never writes beyond its output, so the last octet
      // that changed is the end of it (octets that equal the filling are lost with the damage)
      let end = outputAt + room;
      while (end > outputAt && output[end - 1] === UNWRITTEN) end--;
      this.consumed = inputLength;
      this.produced = end - outputAt;
      return;
    }
    const inputLeft = this.left[INPUT_LEFT] as number;
    const outputLeft = this.left[OUTPUT_LEFT] as number;
    this.consumed = inputLength - inputLeft;
    this.produced = room - outputLeft;
    // zlib stops with both input and room left only behind the last block
    this.ended = inputLeft > 0 && outputLeft > 0;
  }

  reset(): void {
    this.error = null;
    this.ended = false;
    this.handle.reset();
  }

  close(): void {
    this.handle.close();
  }
}
