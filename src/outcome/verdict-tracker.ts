/**
 * The client's side of every flow: what each packet's outcome means to it, and the verdict that follows.
 *
 * Both engines (flow by flow, packet by packet) feed it. It knows what a client knows: it sent a SYN, data or a
 * FIN, and was answered, reset, told off or left waiting. A five-tuple that is used again is a new life of the
 * same row; the first life that breaks gives the row its fate.
 *
 * Silence breaks nothing by itself: a client sends again, and a later packet that gets through heals the flow.
 * What is still unanswered when the capture ends (or when the client gives up) is the fate `timeout`.
 */
import { Outcome } from '../state/disposition.js';

export const Life = { unborn: 0, connecting: 1, open: 2, closing: 3, over: 4 } as const;

export const FateCode = {
  none: 0,
  reset: 1,
  refused: 2,
  timeout: 3,
  endpointClosed: 4,
  misdelivered: 5,
} as const;

/** Linux's least retransmission timeout (TCP_RTO_MIN). */
const MIN_RETRANSMISSION_S = 0.2;

/** What a client sends, as far as it expects an answer; `serverData`: what it waits for without having asked. */
export const Asks = { nothing: 0, connection: 1, answer: 2, close: 3, abort: 4, serverData: 5 } as const;

/** What broke a flow, or what its client is waiting for and why. */
export interface Ending {
  readonly fate: number;
  readonly atS: number;
  readonly reason: number;
  /** number of the event, or -1 */
  readonly event: number;
  readonly hop: number;
  /** {@link Asks} */
  readonly unanswered: number;
}

export class VerdictTracker {
  readonly life: Uint8Array;
  readonly fate: Uint8Array;
  readonly brokenS: Float64Array;
  readonly reason: Uint8Array;
  readonly event: Int32Array;
  readonly hop: Int32Array;
  /** what is unanswered ({@link Asks}; 0 = nothing) since when and why */
  readonly waiting: Uint8Array;
  /** with fate timeout: what nobody answered ({@link Asks}) */
  readonly unanswered: Uint8Array;
  /** began before the capture (TCP without a SYN) */
  readonly midway: Uint8Array;
  /** told of every flow at the moment when it gets its fate */
  onBreak: ((f: number) => void) | null = null;
  private readonly waitingS: Float64Array;
  private readonly waitingReason: Uint8Array;
  private readonly waitingEvent: Int32Array;
  private readonly waitingHop: Int32Array;

  constructor(flows: number) {
    this.life = new Uint8Array(flows);
    this.fate = new Uint8Array(flows);
    this.brokenS = new Float64Array(flows);
    this.reason = new Uint8Array(flows);
    this.event = new Int32Array(flows).fill(-1);
    this.hop = new Int32Array(flows);
    this.waiting = new Uint8Array(flows);
    this.unanswered = new Uint8Array(flows);
    this.midway = new Uint8Array(flows);
    this.waitingS = new Float64Array(flows);
    this.waitingReason = new Uint8Array(flows);
    this.waitingEvent = new Int32Array(flows).fill(-1);
    this.waitingHop = new Int32Array(flows);
  }

  /** One client packet of a flow and what became of it. */
  packet(
    f: number,
    asks: number,
    outcome: Outcome,
    reason: number,
    event: number,
    hop: number,
    atS: number,
  ): void {
    if (asks === Asks.connection) this.reborn(f);
    else if (this.life[f] === Life.unborn) this.life[f] = Life.open;
    if (asks === Asks.abort) {
      this.settle(f);
      this.life[f] = Life.over;
      return;
    }
    if (asks === Asks.close && this.life[f] === Life.open) this.life[f] = Life.closing;
    switch (outcome) {
      case Outcome.answered:
        this.answered(f, asks);
        return;
      case Outcome.reset:
        this.break(
          f,
          this.life[f] === Life.connecting ? FateCode.refused : FateCode.reset,
          reason,
          event,
          hop,
          atS,
        );
        return;
      case Outcome.unreachable:
        // an ICMP error ends an attempt to connect; an established connection takes it as soft (RFC 1122 4.2.3.9)
        if (this.life[f] === Life.connecting) this.break(f, FateCode.refused, reason, event, hop, atS);
        else this.wait(f, asks, reason, event, hop, atS);
        return;
      case Outcome.silent:
        this.wait(f, asks, reason, event, hop, atS);
    }
  }

  /** A flow without connections (UDP): an ICMP error is told to the socket, and another endpoint may take over. */
  datagram(f: number, outcome: Outcome, reason: number, event: number, hop: number, atS: number): void {
    this.life[f] = Life.open;
    if (outcome === Outcome.answered) this.waiting[f] = Asks.nothing;
    else if (outcome === Outcome.unreachable) this.break(f, FateCode.refused, reason, event, hop, atS);
    else this.wait(f, Asks.answer, reason, event, hop, atS);
  }

  misdelivered(f: number, reason: number, event: number, hop: number, atS: number): void {
    this.break(f, FateCode.misdelivered, reason, event, hop, atS);
    this.life[f] = Life.open;
  }

  /** Data that the server sent no longer come; `atS` is when they stopped. */
  serverDataLost(f: number, reason: number, event: number, hop: number, atS: number): void {
    this.wait(f, Asks.serverData, reason, event, hop, atS);
  }

  /** The server's FIN reached a client that had closed: whatever comes now does no harm. */
  serverCloses(f: number): void {
    if (this.life[f] === Life.closing) this.life[f] = Life.over;
  }

  /** The load balancer ended the connection with a RST. A client that had already closed loses nothing by it. */
  resetByEdge(f: number, reason: number, event: number, hop: number, atS: number): void {
    if (this.life[f] === Life.closing || this.waiting[f] === Asks.close) {
      this.waiting[f] = Asks.nothing;
      this.life[f] = Life.over;
      return;
    }
    const fate = this.life[f] === Life.connecting ? FateCode.refused : FateCode.reset;
    this.break(f, fate, reason, event, hop, atS);
  }

  /** The endpoint was stopped and closed the connection. A client that had already closed loses nothing by it. */
  endpointClosed(f: number, reason: number, event: number, hop: number, atS: number): void {
    if (this.life[f] === Life.closing || this.waiting[f] === Asks.close) {
      this.waiting[f] = Asks.nothing;
      this.life[f] = Life.over;
      return;
    }
    this.break(f, FateCode.endpointClosed, reason, event, hop, atS);
  }

  /** The client has begun another connection from the same port: this one is over for it. */
  superseded(f: number, atS: number): void {
    if (this.life[f] === Life.unborn || this.life[f] === Life.over) return;
    if (this.isTooEarly(f, atS)) this.waiting[f] = Asks.nothing;
    this.settle(f);
    this.life[f] = Life.over;
  }

  /** Silence since then says nothing yet: no retransmission was due. A SYN that is not answered is one at once. */
  private isTooEarly(f: number, endS: number): boolean {
    const waiting = this.waiting[f]!;
    const soon = endS - this.waitingS[f]! < MIN_RETRANSMISSION_S;
    return soon && waiting !== Asks.connection;
  }

  /** What was asked too shortly before the end for silence to mean anything was not asked. */
  forgiveLate(endS: number): void {
    for (let f = 0; f < this.life.length; f++) {
      if (this.waiting[f] === Asks.nothing || !this.isTooEarly(f, endS)) continue;
      this.waiting[f] = Asks.nothing;
      this.life[f] = Life.open;
    }
  }

  /**
   * The capture is over: what is still unanswered is a timeout, unless the capture ends before the first
   * retransmission was due. Then silence says nothing yet, and the flow stays what it was.
   */
  finish(endS: number): void {
    for (let f = 0; f < this.life.length; f++) {
      if (this.isTooEarly(f, endS)) this.waiting[f] = Asks.nothing;
      this.settle(f);
    }
  }

  /**
   * How the flow ended, or would end if its client gave up now; null where nothing is wrong with it. Before
   * {@link finish} a flow that waits for an answer may still heal.
   */
  ending(f: number): Ending | null {
    if (this.fate[f] !== FateCode.none) {
      return {
        fate: this.fate[f]!,
        atS: this.brokenS[f]!,
        reason: this.reason[f]!,
        event: this.event[f]!,
        hop: this.hop[f]!,
        unanswered: this.unanswered[f]!,
      };
    }
    if (this.waiting[f] === Asks.nothing) return null;
    return {
      fate: FateCode.timeout,
      atS: this.waitingS[f]!,
      reason: this.waitingReason[f]!,
      event: this.waitingEvent[f]!,
      hop: this.waitingHop[f]!,
      unanswered: this.waiting[f]!,
    };
  }

  /** Whether it is open, has no fate, and its client waits for nothing. */
  isCalm(f: number): boolean {
    return this.life[f] === Life.open && this.fate[f] === FateCode.none && this.waiting[f] === Asks.nothing;
  }

  isOpen(f: number): boolean {
    return this.life[f] !== Life.unborn && this.life[f] !== Life.over;
  }

  private reborn(f: number): void {
    const life = this.life[f];
    if (life === Life.over || life === Life.closing) {
      this.settle(f);
      this.life[f] = Life.unborn;
    }
    if (this.life[f] === Life.unborn) {
      this.waiting[f] = Asks.nothing;
      this.life[f] = Life.connecting;
    }
  }

  private answered(f: number, asks: number): void {
    if (asks === Asks.nothing) return;
    this.waiting[f] = Asks.nothing;
    if (asks === Asks.connection) this.life[f] = Life.open;
    // after its FIN the server may go on for as long as it likes: `serverCloses` ends it
  }

  private wait(f: number, asks: number, reason: number, event: number, hop: number, atS: number): void {
    if (asks === Asks.nothing) return;
    // a client that closes no longer waits for its answer, only for the acknowledgement of its FIN
    const closes =
      asks === Asks.close && (this.waiting[f] === Asks.answer || this.waiting[f] === Asks.serverData);
    if (this.waiting[f] !== Asks.nothing && !closes) return;
    this.waiting[f] = asks;
    this.waitingS[f] = atS;
    this.waitingReason[f] = reason;
    this.waitingEvent[f] = event;
    this.waitingHop[f] = hop;
  }

  private break(f: number, fate: number, reason: number, event: number, hop: number, atS: number): void {
    this.life[f] = Life.over;
    this.waiting[f] = Asks.nothing;
    if (this.fate[f] !== FateCode.none) return;
    this.fate[f] = fate;
    this.brokenS[f] = atS;
    this.reason[f] = reason;
    this.event[f] = event;
    this.hop[f] = hop;
    this.onBreak?.(f);
  }

  private settle(f: number): void {
    const asked = this.waiting[f]!;
    if (asked === Asks.nothing) return;
    if (this.fate[f] === FateCode.none) this.unanswered[f] = asked;
    this.break(
      f,
      FateCode.timeout,
      this.waitingReason[f]!,
      this.waitingEvent[f]!,
      this.waitingHop[f]!,
      this.waitingS[f]!,
    );
  }
}
