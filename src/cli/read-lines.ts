/** The lines of a text file or of standard input, one at a time, without holding the file in memory. */
import { closeSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { FlowfateError } from '../errors.js';
import type { Io } from './io.js';

const CHUNK_BYTES = 1 << 18;
/** no line that means something is longer */
const MAX_LINE_CHARS = 1 << 20;

/** Line ends (LF or CRLF) are not part of what is yielded. `-` is standard input. */
export function* readLines(path: string, io: Io): Generator<string, void, undefined> {
  const descriptor = path === '-' ? io.stdin : openForReading(path);
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  const decoder = new StringDecoder('utf8');
  let rest = '';
  try {
    for (;;) {
      const lenBytes = readSome(descriptor, chunk, path);
      rest += lenBytes === 0 ? decoder.end() : decoder.write(chunk.subarray(0, lenBytes));
      let at = 0;
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', at)) {
        yield rest.charCodeAt(end - 1) === 13 && end > at ? rest.slice(at, end - 1) : rest.slice(at, end);
        at = end + 1;
      }
      rest = rest.slice(at);
      if (rest.length > MAX_LINE_CHARS) {
        throw new FlowfateError(
          'input',
          `${path} is no text: a line is longer than ${MAX_LINE_CHARS} characters`,
          {
            file: path,
          },
        );
      }
      if (lenBytes === 0) break;
    }
    if (rest !== '') yield rest;
  } finally {
    if (path !== '-') closeSync(descriptor);
  }
}

function openForReading(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw unreadable(path, error);
  }
}

function readSome(descriptor: number, chunk: Buffer, path: string): number {
  for (;;) {
    try {
      return readSync(descriptor, chunk, 0, chunk.length, null);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EOF') return 0;
      // Standard input that another program made non-blocking.
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
      else throw unreadable(path, error);
    }
  }
}

function unreadable(path: string, error: unknown): FlowfateError {
  const code = (error as NodeJS.ErrnoException).code;
  const why =
    code === 'ENOENT'
      ? 'does not exist'
      : code === 'EISDIR'
        ? 'is a directory; name a file'
        : code === 'EACCES'
          ? 'may not be read: permission is denied'
          : `cannot be read: ${code ?? String(error)}`;
  return new FlowfateError('input', `${path} ${why}`, { file: path });
}
