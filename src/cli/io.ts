/**
 * What the command line touches of its process: standard streams, the environment. Commands get it as an
 * argument, so that tests run them in the same process with streams of their own.
 *
 * Standard output is written with `writeSync` on the descriptor: a report can be larger than memory, so a slow
 * reader has to hold the writer up, and a reader that has gone has to be noticed at the very next write.
 */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';

export interface Io {
  /** standard output; throws {@link ClosedPipe} once nobody reads any more */
  readonly out: (data: string | Uint8Array) => void;
  /** standard error; never throws */
  readonly err: (text: string) => void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** columns of the terminal, or null where there is none */
  readonly columns: number | null;
  /** descriptor of standard input */
  readonly stdin: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The reader of standard output has gone (`| head`): no error of anybody's. */
export class ClosedPipe extends Error {
  override readonly name = 'ClosedPipe';
}

export function processIo(): Io {
  const outIsTerminal = isatty(1);
  return {
    out: (data) => writeFully(1, data),
    err: (text) => {
      try {
        writeFully(2, text);
      } catch {
        // There is nowhere left to say so.
      }
    },
    outIsTerminal,
    errIsTerminal: isatty(2),
    columns: outIsTerminal ? (process.stdout.columns ?? null) : null,
    stdin: 0,
    env: process.env,
  };
}

/** Writes all of `data`, waiting where the other side of a non-blocking pipe is slow. */
function writeFully(descriptor: number, data: string | Uint8Array): void {
  const octets = typeof data === 'string' ? Buffer.from(data) : data;
  let at = 0;
  while (at < octets.length) {
    try {
      at += writeSync(descriptor, octets, at);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EAGAIN') pauseMs(2);
      else if (code === 'EPIPE') throw new ClosedPipe();
      else throw error;
    }
  }
}

function pauseMs(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}
