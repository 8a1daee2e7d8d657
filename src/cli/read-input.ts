/** Reads a capture for a command: progress while it lasts, warnings after, and what damage means in the end. */
import type { CaptureIndex } from '../flow/flow-columns.js';
import { type ReadCaptureOptions, readCapture } from '../flow/read-capture.js';
import { printable } from '../report/terminal.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { Progress } from './progress.js';

export function readWithProgress(path: string, io: Io, options: ReadCaptureOptions): CaptureIndex {
  const progress = new Progress(io, 'reading');
  try {
    const index = readCapture(path, {
      ...options,
      onProgress: ({ doneBytes, totalBytes, packets }) => progress.update(doneBytes, totalBytes, packets),
    });
    progress.done();
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
