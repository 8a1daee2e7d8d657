/**
 * One line on standard error that says how far a long read has come: share, rate, time left. Only on a
 * terminal, not before half a second has passed, at most ten times a second, and wiped when it is done.
 */
import { bytes, count, duration } from '../report/figures.js';
import { bar, padEnd } from '../report/terminal.js';
import type { Io } from './io.js';

const QUIET_MS = 500;
const EVERY_MS = 100;
const WIPE = '\r\x1b[K';

export class Progress {
  private readonly startMs: number;
  private shownMs: number;
  private shown = false;

  constructor(
    private readonly io: Io,
    private readonly verb: string,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.startMs = nowMs();
    this.shownMs = this.startMs + QUIET_MS - EVERY_MS;
  }

  /** `totalBytes` is null where nobody knows how much is to come (standard input). */
  update(doneBytes: number, totalBytes: number | null, packets: number): void {
    this.show((elapsedS) => progressLine(this.verb, doneBytes, totalBytes, packets, elapsedS));
  }

  /** Progress of work that comes in pieces: `12 of 200 runs`. */
  updateCount(done: number, total: number, noun: string): void {
    this.show((elapsedS) => countLine(this.verb, done, total, noun, elapsedS));
  }

  /** Wipes the line. */
  done(): void {
    if (this.shown) this.io.err(WIPE);
    this.shown = false;
  }

  private show(line: (elapsedS: number) => string): void {
    if (!this.io.errIsTerminal) return;
    const now = this.nowMs();
    if (now - this.shownMs < EVERY_MS) return;
    this.shownMs = now;
    this.shown = true;
    this.io.err(`${WIPE}${line((now - this.startMs) / 1000)}`);
  }
}

export function progressLine(
  verb: string,
  doneBytes: number,
  totalBytes: number | null,
  packets: number,
  elapsedS: number,
): string {
  const rate = `${count(packets)} packets, ${(packets / elapsedS / 1e6).toFixed(1)} M/s`;
  if (totalBytes === null || totalBytes === 0) return `${verb}  ${bytes(doneBytes)}  ${rate}`;
  return `${shareText(verb, doneBytes / totalBytes)}  ${rate}${timeLeft(doneBytes / totalBytes, elapsedS)}`;
}

export function countLine(verb: string, done: number, total: number, noun: string, elapsedS: number): string {
  const share = total === 0 ? 1 : done / total;
  return `${shareText(verb, share)}  ${count(done)} of ${count(total)} ${noun}${timeLeft(share, elapsedS)}`;
}

function shareText(verb: string, share: number): string {
  const percent = String(Math.floor(Math.min(1, share) * 100)).padStart(3);
  return `${verb}  ${padEnd(bar(share, 20), 20)} ${percent} %`;
}

function timeLeft(share: number, elapsedS: number): string {
  return share <= 0 || share > 1 ? '' : `, ${duration((elapsedS * (1 - share)) / share)} left`;
}
