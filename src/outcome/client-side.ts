/**
 * What the client does with its next captured packet, given what has become of its flow so far.
 *
 * A what-if parts from what was captured: a client that has been reset sends no more, one that never connected
 * sends no data. So each captured packet is first asked what it still means:
 * - after the end of a flow's life only a SYN counts (a new life); the rest is on the path, and no more;
 * - while the connection is not up, any packet stands for the client's next try to connect, but for a RST: a socket that
 *   is given up in SYN-SENT sends none (RFC 9293 3.10.5), so this one answered a challenge ACK, and the SYN comes again;
 * - after the endpoint was stopped, the client's bare ACK or FIN tells when the endpoint's FIN reached it.
 *
 * - an acknowledgement of what never came (the server's FIN after an unanswered one of the client's, an answer to
 *   data that were lost, data of a server that is gone) is not sent.
 *
 * What the server sent is known from the client's acknowledgements that advance.
 * All of it uses the client's own packets only. A pod goes out of the rules first and closes its sockets
 * when its process ends; up to {@link STOP_GRACE_S} later the capture may show the moment, otherwise the moment
 * of the event stands.
 */

import { Segment } from '../conntrack/tcp-states.js';
import { HopKind, hopCode, Outcome, ReasonCode } from '../state/disposition.js';
import type { Blame } from './blame.js';
import { Asks, Life, type VerdictTracker } from './verdict-tracker.js';

const STOP_GRACE_S = 2;

/** a FIN takes one sequence number */
const FIN_OCTETS = 1;

/** {@link ClientSide.prepare}: the packet is on the path, and no more */
export const SKIP = -2;

export class ClientSide {
  /** until when a stopped endpoint may still answer this flow; negative = it was not stopped */
  readonly lingerS: Float64Array;
  private readonly stoppedS: Float64Array;
  private readonly stoppedBy: Int32Array;
  private readonly stoppedPod: Int32Array;
  private readonly wroteSince: Uint8Array;

  /** the server's data that the client has, as it acknowledges them, and when it last got some; 0: none yet */
  readonly heard: Uint32Array;
  readonly heardS: Float64Array;

  /** connections whose bare acknowledgements of new data are lost, and why */
  readonly unheard = new Map<number, Blame>();

  /** what the packet asks for, see {@link Asks}; set by prepare */
  asks = 0;

  constructor(private readonly tracker: VerdictTracker) {
    const flows = tracker.life.length;
    this.lingerS = new Float64Array(flows).fill(-1);
    this.stoppedS = new Float64Array(flows);
    this.stoppedBy = new Int32Array(flows);
    this.stoppedPod = new Int32Array(flows);
    this.wroteSince = new Uint8Array(flows);
    this.heard = new Uint32Array(flows);
    this.heardS = new Float64Array(flows);
  }

  /** Octets that a packet with acknowledgement number `ack` has from the server beyond what the client had; FIN counts. */
  news(f: number, ack: number): number {
    if (ack === 0 || this.heard[f] === 0) return 0;
    return (ack - this.heard[f]!) | 0;
  }

  hears(f: number, ack: number, nowS: number): void {
    if (ack === 0) return;
    this.heard[f] = ack;
    this.heardS[f] = nowS;
  }

  /** Whether a bare acknowledgement of `news` octets answers what the server cannot have sent. */
  isImpossible(f: number, news: number): boolean {
    const waiting = this.tracker.waiting[f];
    return waiting === Asks.answer || (waiting === Asks.close && news === FIN_OCTETS);
  }

  /** An acknowledgement of new data was lost, or some packet of the connection came through. */
  acknowledged(f: number, news: number, outcome: Outcome, blamed: Blame): void {
    if (outcome === Outcome.answered) this.unheard.delete(f);
    else if (outcome === Outcome.silent && news > 0 && this.asks === Asks.nothing)
      this.unheard.set(f, { ...blamed });
  }

  /** Connections whose server's data may have stopped unnoticed: nothing is wrong with them so far. */
  *mayHaveStopped(): Generator<number> {
    const { life, fate, waiting, midway } = this.tracker;
    for (let f = 0; f < life.length; f++) {
      if (fate[f] !== 0 || waiting[f] !== Asks.nothing || midway[f] === 1 || this.heard[f] === 0) continue;
      if (life[f] === Life.open || life[f] === Life.closing) yield f;
    }
  }

  /** Whether `news` is the FIN of the server of a client that has closed. */
  isServerFin(f: number, news: number): boolean {
    return news === FIN_OCTETS && this.tracker.life[f] === Life.closing;
  }

  /** The endpoint of an open flow was stopped at `atS`; its FIN is on the way. */
  endpointStops(f: number, pod: number, event: number, atS: number): void {
    if (this.lingerS[f]! >= 0) return;
    this.lingerS[f] = atS + STOP_GRACE_S;
    this.stoppedS[f] = atS;
    this.stoppedBy[f] = event;
    this.stoppedPod[f] = pod;
    this.wroteSince[f] = 0;
  }

  /**
   * The segment that the client's packet stands for, or {@link SKIP}; {@link asks} says what it expects.
   *
   * @param segment what was captured; -1 for flags that no connection has
   */
  prepare(f: number, segment: Segment | -1, payload: number, nowS: number): Segment | -1 | typeof SKIP {
    if (this.lingerS[f]! >= 0) this.hearStop(f, segment, payload, nowS);
    const life = this.tracker.life[f]!;
    if (life === Life.over && segment !== Segment.syn) return SKIP;
    const unconnected = life === Life.connecting && this.tracker.waiting[f] === Asks.connection;
    if (unconnected && segment === Segment.rst) return SKIP;
    if (segment === Segment.syn || unconnected) {
      this.asks = Asks.connection;
      return Segment.syn;
    }
    if (segment === Segment.rst) this.asks = Asks.abort;
    else if (segment === Segment.fin) this.asks = Asks.close;
    else this.asks = payload !== 0 ? Asks.answer : Asks.nothing;
    return segment;
  }

  /** The client has begun another connection from the same port. */
  superseded(f: number, nowS: number): void {
    if (this.lingerS[f]! >= 0 && this.tracker.isOpen(f)) this.closed(f, this.stoppedS[f]!);
    this.tracker.superseded(f, nowS);
  }

  /** The capture is over: stops that no packet told of. */
  finish(): void {
    for (let f = 0; f < this.lingerS.length; f++) {
      if (this.lingerS[f]! >= 0 && this.tracker.isOpen(f)) this.closed(f, this.stoppedS[f]!);
    }
  }

  private hearStop(f: number, segment: Segment | -1, payload: number, nowS: number): void {
    if (this.tracker.life[f] === Life.over) {
      this.lingerS[f] = -1;
    } else if (nowS > this.lingerS[f]! || segment === Segment.syn) {
      this.closed(f, this.stoppedS[f]!);
    } else if (segment === Segment.fin || segment === Segment.rst) {
      this.closed(f, nowS);
    } else if (payload !== 0) {
      this.wroteSince[f] = 1;
    } else if (this.wroteSince[f] === 0) {
      this.closed(f, nowS);
    }
  }

  private closed(f: number, atS: number): void {
    this.lingerS[f] = -1;
    const hop = hopCode(HopKind.endpoint, this.stoppedPod[f]!);
    this.tracker.endpointClosed(f, ReasonCode['endpoint-stopped'], this.stoppedBy[f]!, hop, atS);
  }
}
