/**
 * What a client's own packets show of its fate, for `--as-recorded`: the timeline really happened while the capture was
 * taken, so a draw that contradicts what the client did is less likely to be the one that the real system made.
 *
 * - An acknowledgement that advances is data that the server really sent: the connection was alive then.
 * - The same octets sent again with no acknowledgement since are a client whom nobody answers.
 * - A client that stops without closing, for much longer than it ever paused before, has been reset or given up.
 *
 * TCP alone; answers in the capture are not looked at, so that one side of the traffic is enough.
 */
import { META_PAYLOAD, META_TCP_FLAGS } from '../flow/packet-index.js';
import type { ReplayOutcome } from '../outcome/outcome.js';
import { TCP } from '../wire/ip-protocol.js';
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.js';
import { isBroken } from './fates.js';
import type { Fate } from './verdict.js';

/** what was under way when a connection broke may still arrive */
const UNDER_WAY_S = 0.3;
/** a pause this many times the longest before it, and at least {@link LEAST_PAUSE_S}, is an end */
const PAUSE_FACTOR = 5;
const LEAST_PAUSE_S = 1;

/** How likely what the client did is under a fate, against a fate that it fits. */
const CONTRADICTED = 0.001;
const UNEXPECTED = 0.2;

const End = { open: 0, closed: 1, repeating: 2, silent: 3 } as const;

export class ClientEvidence {
  /** seconds since t = 0 at which the client's acknowledgement last advanced */
  private readonly progressS: Float64Array;
  private readonly end: Uint8Array;

  constructor(
    private readonly outcome: ReplayOutcome,
    endS: number,
  ) {
    const { plan } = outcome;
    const rows = plan.count;
    this.progressS = new Float64Array(rows).fill(Number.NEGATIVE_INFINITY);
    this.end = new Uint8Array(rows);
    const ack = new Uint32Array(rows);
    const hasAck = new Uint8Array(rows);
    const next = new Uint32Array(rows);
    const repeats = new Uint8Array(rows);
    const lastS = new Float64Array(rows).fill(Number.NaN);
    const pauseS = new Float64Array(rows);
    const { packets } = plan;
    for (let i = 0; i < packets.count; i++) {
      const f = packets.flow[i]!;
      if (plan.proto[f] !== TCP) continue;
      const atS = outcome.seconds(packets.timeNs[i]!);
      const flags = packets.meta[i]! & META_TCP_FLAGS;
      if (atS - lastS[f]! > pauseS[f]!) pauseS[f] = atS - lastS[f]!;
      lastS[f] = atS;
      const advance = (packets.ack[i]! - ack[f]!) | 0;
      if ((flags & TCP_ACK) !== 0 && (hasAck[f] === 0 || advance > 0)) {
        ack[f] = packets.ack[i]!;
        hasAck[f] = 1;
        repeats[f] = 0;
        this.progressS[f] = atS;
      }
      if ((flags & (TCP_FIN | TCP_RST)) !== 0) this.end[f] = End.closed;
      if ((packets.meta[i]! & META_PAYLOAD) === 0 && (flags & (TCP_SYN | TCP_FIN)) === 0) continue;
      const isNew = next[f] === 0 || ((packets.seq[i]! - next[f]!) | 0) > 0;
      if (isNew) next[f] = packets.seq[i]!;
      else if (repeats[f]! < 255) repeats[f]!++;
    }
    for (let f = 0; f < rows; f++) {
      const silentS = endS - lastS[f]!;
      if (repeats[f]! > 0) this.end[f] = End.repeating;
      else if (this.end[f] === End.open && silentS > Math.max(LEAST_PAUSE_S, PAUSE_FACTOR * pauseS[f]!)) {
        this.end[f] = End.silent;
      }
    }
  }

  /** Likelihood of what the client did, between 0 and 1, where a draw gives the row of the plan this fate. */
  weight(f: number, fate: Fate, brokenAtS: number | null): number {
    if (this.outcome.plan.proto[f] !== TCP || fate === 'unknown') return 1;
    const end = this.end[f]!;
    if (!isBroken(fate)) {
      return end === End.repeating ? CONTRADICTED : end === End.silent ? UNEXPECTED : 1;
    }
    return brokenAtS !== null && this.progressS[f]! > brokenAtS + UNDER_WAY_S ? CONTRADICTED : 1;
  }
}
