/** Streams of a test: what the command line writes is kept. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClosedPipe, type Io } from '../../../src/cli/io.js';
import { run } from '../../../src/cli/run.js';

export interface RunResult {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

export interface MadeIo extends Io {
  readonly outText: () => string;
  readonly errText: () => string;
}

export interface IoWishes {
  readonly terminal?: boolean;
  readonly env?: Record<string, string>;
  /** standard output breaks after so many pieces */
  readonly readerLeavesAfter?: number;
  readonly stdin?: number;
}

export function madeIo(wishes: IoWishes = {}): MadeIo {
  const out: Buffer[] = [];
  let err = '';
  return {
    out: (data) => {
      if (out.length >= (wishes.readerLeavesAfter ?? Number.POSITIVE_INFINITY)) throw new ClosedPipe();
      out.push(Buffer.from(data));
    },
    err: (text) => {
      err += text;
    },
    outIsTerminal: wishes.terminal === true,
    errIsTerminal: wishes.terminal === true,
    columns: wishes.terminal === true ? 100 : null,
    stdin: wishes.stdin ?? 0,
    env: wishes.env ?? {},
    outText: () => Buffer.concat(out).toString(),
    errText: () => err,
  };
}

export async function runCommand(argv: readonly string[], wishes: IoWishes = {}): Promise<RunResult> {
  const io = madeIo(wishes);
  const status = await run(argv, io);
  return { status, out: io.outText(), err: io.errText() };
}

/** Runs `body` in a fresh folder that goes afterwards. */
export async function inFolder<T>(body: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'flowfate-cli-'));
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Hands `body` a descriptor to read `text` from, as standard input would be. */
export async function withStdin<T>(text: string, body: (descriptor: number) => T | Promise<T>): Promise<T> {
  return inFolder(async (folder) => {
    const file = join(folder, 'stdin');
    writeFileSync(file, text);
    const descriptor = openSync(file, 'r');
    try {
      return await body(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}
