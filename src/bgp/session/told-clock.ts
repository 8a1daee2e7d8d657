/**
 * A clock that stands still until it is told the time: for sessions that are read from a capture or a dump, and for
 * tests. What was to happen until then happens in order, each at its own moment.
 */
import type { Clock } from './wire.js';

interface Due {
  readonly atMs: number;
  readonly run: () => void;
}

export class ToldClock implements Pick<Clock, 'nowMs' | 'after'> {
  private now: number;
  /** by time; of equal times the one that was asked for first */
  private due: Due[] = [];

  constructor(startMs: number) {
    this.now = startMs;
  }

  nowMs(): number {
    return this.now;
  }

  after(ms: number, run: () => void): () => void {
    const entry = { atMs: this.now + ms, run };
    const at = this.due.findIndex((other) => other.atMs > entry.atMs);
    this.due.splice(at < 0 ? this.due.length : at, 0, entry);
    return () => {
      const place = this.due.indexOf(entry);
      if (place >= 0) this.due.splice(place, 1);
    };
  }

  /** Everything that was due before `ms` has happened then. A time that is past changes nothing. */
  advanceTo(ms: number): void {
    while (this.due.length > 0 && this.due[0]!.atMs < ms) {
      const { atMs, run } = this.due.shift()!;
      this.now = Math.max(this.now, atMs);
      run();
    }
    this.now = Math.max(this.now, ms);
  }
}
