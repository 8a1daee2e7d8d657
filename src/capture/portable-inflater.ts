/** A raw inflater in JavaScript alone, for a Node whose own zlib cannot be fed step by step. */
import { createRequire } from 'node:module';
import type { RawInflater } from './raw-inflater.js';

type Pako = typeof import('pako');

/** zlib's "raw DEFLATE, largest window" */
const WINDOW_BITS = -15;

export class PortableInflater implements RawInflater {
  consumed = 0;
  produced = 0;
  ended = false;
  error: string | null = null;

  // loaded only where it is needed: it would cost every command its start
  private readonly pako = createRequire(import.meta.url)('pako') as Pako;
  private readonly stream = new this.pako.ZStream();

  constructor() {
    this.pako.zlibInflateInit2(this.stream, WINDOW_BITS);
  }

  inflate(
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array<ArrayBuffer>,
    outputAt: number,
    outputLength: number,
  ): void {
    const { pako, stream } = this;
    stream.input = input;
    stream.next_in = inputAt;
    stream.avail_in = inputLength;
    stream.output = output;
    stream.next_out = outputAt;
    stream.avail_out = outputLength;
    const status = pako.zlibInflate(stream, pako.Z_NO_FLUSH);
    this.consumed = inputLength - stream.avail_in;
    this.produced = outputLength - stream.avail_out;
    this.ended = status === pako.Z_STREAM_END;
    // no progress for want of input or room is no error
    if (status < pako.Z_OK && status !== pako.Z_BUF_ERROR) this.error = stream.msg;
  }

  reset(): void {
    this.error = null;
    this.ended = false;
    this.pako.zlibInflateReset(this.stream);
  }

  close(): void {
    this.pako.zlibInflateEnd(this.stream);
  }
}
