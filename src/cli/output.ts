/**
 * Where results go: standard output, or a file that appears under its name only when it is whole.
 */
import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { FlowfateError } from '../errors.js';
import type { Sink } from '../report/sink.js';
import type { Io } from './io.js';

export interface Output {
  readonly write: Sink;
  /** octets as they are; for pcapng */
  readonly writeBytes: (octets: Uint8Array) => void;
  /** everything was written: the file takes its name */
  finish(): void;
  /** nothing came of it: the partial file goes */
  abandon(): void;
}

/**
 * Opens `path` for writing, `-` or undefined being standard output. `inputs` are files that must not be
 * overwritten. Devices and pipes are written in place; a regular file is written beside and renamed.
 */
export function openOutput(path: string | undefined, io: Io, inputs: readonly string[]): Output {
  if (path === undefined || path === '-') {
    return {
      write: io.out,
      writeBytes: io.out,
      finish: () => {},
      abandon: () => {},
    };
  }
  for (const input of inputs) {
    if (sameFile(path, input)) {
      throw new FlowfateError('usage', `${path} is an input of this run; write the result to another file`);
    }
  }
  const existing = statSync(path, { throwIfNoEntry: false });
  if (existing?.isDirectory() === true) {
    throw new FlowfateError('usage', `${path} is a directory; name a file to write to`);
  }
  const inPlace = existing !== undefined && !existing.isFile();
  const written = inPlace ? path : `${path}.${process.pid}.partial`;
  const descriptor = attempt(path, () => openSync(written, 'w'));
  const writeBytes = (octets: Uint8Array): void =>
    attempt(path, () => {
      for (let at = 0; at < octets.length; ) at += writeSync(descriptor, octets, at);
    });
  return {
    write: (text) => writeBytes(Buffer.from(text)),
    writeBytes,
    finish: () => {
      closeSync(descriptor);
      if (!inPlace) attempt(path, () => renameSync(written, path));
    },
    abandon: () => {
      closeSync(descriptor);
      if (!inPlace) rmSync(written, { force: true });
    },
  };
}

/** Opens an output, lets `body` write to it, and leaves either the whole file or none. */
export function writeOutput(
  path: string | undefined,
  io: Io,
  inputs: readonly string[],
  body: (output: Output) => void,
): void {
  const output = openOutput(path, io, inputs);
  try {
    body(output);
  } catch (error) {
    output.abandon();
    throw error;
  }
  output.finish();
}

function sameFile(a: string, b: string): boolean {
  if (b === '-') return false;
  const one = statSync(a, { throwIfNoEntry: false });
  const other = statSync(b, { throwIfNoEntry: false });
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its directory does not exist',
  ENOTDIR: 'part of its path is not a directory',
  EACCES: 'permission is denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENAMETOOLONG: 'its name is too long',
};

function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new FlowfateError('usage', `${path} cannot be written: ${REASONS[code] ?? code}`, { file: path });
  }
}
