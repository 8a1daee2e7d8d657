/** A file or standard input as a stream of octets, unpacked where it is gzipped, and whether an archive is inside. */
import { closeSync, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { FlowfateError } from '../errors.js';

const CHUNK_BYTES = 1 << 18;
/** A tar header; its magic stands at the end. */
const TAR_HEAD_BYTES = 512;

export interface OpenFile {
  readonly name: string;
  readonly form: 'tar' | 'plain';
  readonly content: Readable;
}

const FOREIGN: readonly (readonly [magic: string, name: string, remedy: string])[] = [
  ['fd377a585a00', 'xz', 'tar -xJf'],
  ['425a68', 'bzip2', 'tar -xjf'],
  ['28b52ffd', 'Zstandard', 'tar --zstd -xf'],
  ['504b0304', 'zip', 'unzip'],
];

export function openFile(path: string): Promise<OpenFile> {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw unreadable(path, error);
  }
  return open(path, chunksOf(descriptor, path, 'close'));
}

export function openStandardInput(descriptor: number): Promise<OpenFile> {
  return open('standard input', chunksOf(descriptor, 'standard input', 'keep'));
}

async function open(name: string, chunks: Iterator<Buffer>): Promise<OpenFile> {
  const stored = await peek(Readable.from(iterable(chunks)), 6);
  const foreign = FOREIGN.find(([magic]) => stored.head.toString('hex').startsWith(magic));
  if (foreign !== undefined) {
    stored.rest.destroy();
    throw new FlowfateError(
      'input',
      `${name} is compressed with ${foreign[1]}, which is not read; unpack it (${foreign[2]}) and give the folder`,
      { file: name },
    );
  }
  const isGzip = stored.head[0] === 0x1f && stored.head[1] === 0x8b;
  const unpacked = await peek(isGzip ? gunzipped(stored.rest, name) : stored.rest, TAR_HEAD_BYTES);
  const isTar = unpacked.head.subarray(257, 262).toString('latin1') === 'ustar';
  return { name, form: isTar ? 'tar' : 'plain', content: unpacked.rest };
}

/** An entry of an archive that is gzipped by itself: held compressed, unpacked as it is read. */
export async function inflated(name: string, entry: Readable): Promise<Readable> {
  const octets: Buffer[] = [];
  for await (const chunk of entry) octets.push(chunk as Buffer);
  const stored = Readable.from(octets);
  return octets[0]?.[0] === 0x1f ? gunzipped(stored, name) : stored;
}

function gunzipped(source: Readable, name: string): Readable {
  const gunzip = createGunzip();
  const whole = Readable.from(
    (async function* () {
      try {
        for await (const chunk of source.pipe(gunzip)) yield chunk as Buffer;
      } catch (error) {
        if (error instanceof FlowfateError) throw error;
        throw new FlowfateError('input', `${name} is damaged: its gzip data ends or breaks; fetch it again`, {
          file: name,
        });
      }
    })(),
  );
  source.on('error', (error) => gunzip.destroy(error));
  return whole;
}

interface Peeked {
  readonly head: Buffer;
  /** everything, the head included */
  readonly rest: Readable;
}

async function peek(source: Readable, bytes: number): Promise<Peeked> {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first: Buffer[] = [];
  for (let length = 0; length < bytes; length += first.at(-1)!.length) {
    const { done, value } = await chunks.next();
    if (done === true) break;
    first.push(value);
  }
  const head = Buffer.concat(first);
  return { head, rest: Readable.from(following(head, chunks), { objectMode: true }) };
}

async function* following(
  head: Buffer,
  chunks: AsyncIterator<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  if (head.length > 0) yield head;
  try {
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  } finally {
    await chunks.return?.();
  }
}

function* chunksOf(
  descriptor: number,
  name: string,
  after: 'close' | 'keep',
): Generator<Buffer, void, undefined> {
  try {
    for (;;) {
      // each chunk is memory of its own: readers keep parts of it
      const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      const length = readSome(descriptor, chunk, name);
      if (length === 0) return;
      yield chunk.subarray(0, length);
    }
  } finally {
    if (after === 'close') closeSync(descriptor);
  }
}

function iterable<T>(iterator: Iterator<T>): Iterable<T> {
  return { [Symbol.iterator]: () => iterator };
}

function readSome(descriptor: number, chunk: Buffer, name: string): number {
  for (;;) {
    try {
      return readSync(descriptor, chunk, 0, chunk.length, null);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EOF') return 0;
      // Standard input that another program made non-blocking.
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
      else throw unreadable(name, error);
    }
  }
}

function unreadable(file: string, error: unknown): FlowfateError {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const why =
    code === 'ENOENT'
      ? 'does not exist: check the path'
      : code === 'EISDIR'
        ? 'is a directory: name a file in it'
        : `cannot be read (${code})`;
  return new FlowfateError('config', `${file} ${why}`, { file });
}
