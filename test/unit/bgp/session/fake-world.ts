/**
 * Time and connections for tests of whole sessions: a clock that only the test moves, and wires whose two ends are
 * two speakers, or a speaker and the test.
 */
import type { Address } from '../../../../src/addr/address.js';
import { parseAddress } from '../../../../src/addr/address.js';
import type { PeerSettings } from '../../../../src/bgp/session/peer-settings.js';
import type { Session, SessionEnd, SessionHandler } from '../../../../src/bgp/session/session-handler.js';
import type { Clock, Wire, WireListener } from '../../../../src/bgp/session/wire.js';

export class FakeClock implements Clock {
  private timeMs = 0;
  private pendingTimers: { atMs: number; order: number; run: () => void }[] = [];
  private soonTasks: (() => void)[] = [];
  private order = 0;

  nowMs(): number {
    return this.timeMs;
  }

  epochMs(): number {
    return 1_700_000_000_000 + this.timeMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.timeMs + ms, order: this.order++, run };
    this.pendingTimers.push(timer);
    return () => {
      this.pendingTimers = this.pendingTimers.filter((one) => one !== timer);
    };
  }

  soon(run: () => void): void {
    this.soonTasks.push(run);
  }

  draw(): number {
    return 1 - Number.EPSILON;
  }

  get timers(): number {
    return this.pendingTimers.length;
  }

  /** Runs what is due now, and what that brings. */
  settle(): void {
    for (let runs = 0; this.soonTasks.length > 0; runs++) {
      if (runs > 100_000) throw new Error('the world does not come to rest');
      this.soonTasks.shift()!();
    }
  }

  /** Lets `seconds` pass. */
  pass(seconds: number): void {
    const endMs = this.timeMs + seconds * 1000;
    this.settle();
    for (;;) {
      const next = this.pendingTimers
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (next === undefined) break;
      this.pendingTimers = this.pendingTimers.filter((one) => one !== next);
      this.timeMs = Math.max(this.timeMs, next.atMs);
      next.run();
      this.settle();
    }
    this.timeMs = endMs;
  }
}

/** One end of a connection. What is written arrives at the other end in the next turn. */
export class FakeWire implements Wire {
  readonly localPort = 179;
  readonly remotePort = 50_000;
  isHeldBack = false;
  queuedBytes = 0;
  takenBytes = 0;
  /** the peer's side takes nothing: what is written stays queued */
  isStuck = false;
  isEnded = false;
  /** whole of what was written and not delivered to a listener */
  received: number[] = [];
  other: FakeWire | null = null;
  private listener: WireListener | null = null;

  constructor(
    private readonly clock: FakeClock,
    readonly direction: 'active' | 'passive',
    readonly localAddress: Address,
    readonly remoteAddress: Address,
  ) {}

  start(listener: WireListener): void {
    this.listener = listener;
  }

  write(bytes: Uint8Array): void {
    if (this.isEnded) return;
    if (this.isStuck) {
      this.queuedBytes += bytes.length;
      return;
    }
    const copy = bytes.slice();
    this.clock.soon(() => this.other?.arrive(copy));
  }

  end(last: Uint8Array | null): void {
    if (this.isEnded) return;
    if (last !== null) this.write(last);
    this.isEnded = true;
    this.listener = null;
    this.clock.soon(() => this.other?.cut('the peer closed the connection'));
  }

  arrive(bytes: Uint8Array): void {
    this.received.push(...bytes);
    this.listener?.chunk(bytes);
  }

  cut(reason: string): void {
    const listener = this.listener;
    this.listener = null;
    this.isEnded = true;
    listener?.lost(reason);
  }

  /** NOTIFICATIONs that arrived, as code/subcode. */
  notifications(): string[] {
    const found: string[] = [];
    for (let at = 0; at + 19 <= this.received.length; ) {
      if (this.received[at + 18] === 3) found.push(`${this.received[at + 19]}/${this.received[at + 20]}`);
      at += this.received[at + 16]! * 256 + this.received[at + 17]!;
    }
    return found;
  }
}

/** Both ends of a connection that `from` opens to `to`. */
export function wirePair(clock: FakeClock, from: string, to: string): readonly [FakeWire, FakeWire] {
  const [a, b] = [parseAddress(from)!, parseAddress(to)!];
  const near = new FakeWire(clock, 'active', a, b);
  const far = new FakeWire(clock, 'passive', b, a);
  near.other = far;
  far.other = near;
  return [near, far];
}

/** Writes down what a session tells. */
export class Notebook implements SessionHandler {
  readonly lines: string[] = [];
  session: Session | null = null;
  lastEnd: SessionEnd | null = null;
  slices = 0;

  established(session: Session): void {
    this.session = session;
    this.lines.push(`up ${session.peer.id}`);
  }

  update(): void {
    this.lines.push('update');
  }

  endOfRib(_: Session, family: number): void {
    this.lines.push(`end of rib ${family}`);
  }

  routeRefresh(_: Session, family: number, subtype: number): void {
    this.lines.push(`refresh ${family} ${subtype}`);
  }

  writable(): 'more' | 'done' {
    this.slices++;
    return 'done';
  }

  down(session: Session, end: SessionEnd): void {
    this.session = null;
    this.lastEnd = end;
    this.lines.push(`down ${session.peer.id} keeps ${end.retained.join()}`);
  }

  keepLongLived(_: PeerSettings, families: readonly number[]): void {
    this.lines.push(`long-lived ${families.join()}`);
  }

  sweepStale(_: PeerSettings, families: readonly number[]): void {
    this.lines.push(`sweep ${families.join()}`);
  }

  stateChanged(): void {}
}
