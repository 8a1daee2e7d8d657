/**
 * Who may write when: sessions with something to say take turns, a slice each, and one whose peer does not read
 * waits without being asked. Between two rounds everything else of the process gets its turn, so that a full table
 * for one peer delays nobody's KEEPALIVE.
 */
import type { Clock } from './wire.js';

export interface Writer {
  /** too much is queued: ask again after {@link WriteTurns.request} */
  readonly isBlocked: boolean;
  /** Writes one slice. */
  writeSlice(): 'more' | 'done';
}

/** longest time that writing takes before others have their turn */
const ROUND_MS = 8;

export class WriteTurns {
  private readonly waiting = new Set<Writer>();
  private isScheduled = false;
  private isHeld = false;

  constructor(private readonly clock: Clock) {}

  request(writer: Writer): void {
    this.waiting.add(writer);
    this.schedule();
  }

  forget(writer: Writer): void {
    this.waiting.delete(writer);
  }

  /** Nobody writes until `release`. */
  hold(): void {
    this.isHeld = true;
  }

  release(): void {
    this.isHeld = false;
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled || this.isHeld || this.waiting.size === 0) return;
    this.isScheduled = true;
    this.clock.soon(() => {
      this.isScheduled = false;
      if (!this.isHeld) this.round();
      this.schedule();
    });
  }

  /** A set keeps the order of insertion: who has had a slice goes to the end. */
  private round(): void {
    const endMs = this.clock.nowMs() + ROUND_MS;
    for (const writer of [...this.waiting]) {
      if (!this.waiting.delete(writer)) continue;
      if (!writer.isBlocked && writer.writeSlice() === 'more') this.waiting.add(writer);
      if (this.clock.nowMs() >= endMs) return;
    }
  }
}
