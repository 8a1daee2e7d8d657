/** Reads a capture for a command: progress while it lasts, warnings after, and what damage means in the end. */
import type { Command } from 'commander';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { type ReadCaptureOptions, readCapture } from '../flow/read-capture.js';
import { printable } from '../report/terminal.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { Progress } from './progress.js';

export interface IndexOptions {
  /** false: --no-index */
  readonly index?: boolean;
}

export function addIndexOption(command: Command): Command {
  return command.option(
    '--no-index',
    'neither use nor write the index file that saves reading a large capture again (<capture>.ffidx)',
  );
}

export function indexFileOf({ index }: IndexOptions): 'beside' | 'none' {
  return index === false ? 'none' : 'beside';
}

export function readWithProgress(path: string, io: Io, options: ReadCaptureOptions): CaptureIndex {
  const progress = new Progress(io, 'reading');
  try {
    let written = 0;
    const index = readCapture(path, {
      ...options,
      onIndexed: (bytes) => {
        written = bytes;
      },
      onProgress: ({ doneBytes, totalBytes, packets }) => progress.update(doneBytes, totalBytes, packets),
    });
    progress.done();
    if (written > 0 && io.errIsTerminal) {
      const megabytes = (written / 1e6).toFixed(0);
      warn(io, `${path}.ffidx (${megabytes} MB) saves reading the capture again; --no-index does without`);
    }
    for (const warning of index.summary.warnings) warn(io, warning);
    return index;
  } finally {
    progress.done();
  }
}

/** To be called after the results are out: says where the capture is damaged, if it is. */
export function statusOfDamage({ summary }: Pick<CaptureIndex, 'summary'>, io: Io): ExitStatus {
  if (summary.damage === null) return ExitStatus.done;
  warn(io, `${summary.damage.message}; the result covers what was read before`);
  return ExitStatus.input;
}

export function warn(io: Io, sentence: string): void {
  io.err(`flowfate: ${printable(sentence)}\n`);
}
