/**
 * What became of one TCP flow in a capture, and by which signs: the opposite of a replay, for this one does look
 * at answers and resets.
 *
 * The signs are those of facts measured on Linux. A node that gets a segment of a connection it does not know
 * translates it to some pod, and that pod's stack answers with a segment whose flags are exactly RST, whose
 * sequence number is the acknowledgement number of the client's segment and whose window is 0, one round trip
 * after it (RFC 9293 3.10.7.1, "if the ACK bit is on"). A stack that knows the connection and aborts it sends
 * RST+ACK with its own next sequence number instead. A FIN of an unknown connection is INVALID and stays
 * unanswered.
 */

export const FINDINGS = {
  'ordinary-close': 'closed in order, both sides',
  open: 'still open and answered at the end of the capture',
  'looks-rehashed': 'reset by a stack that did not know the connection',
  'server-reset': 'reset by the server, which knew the connection',
  'client-reset': 'reset by the client',
  'reset-after-close': 'a reset at or after the close: an ordinary end',
  refused: 'the connection was refused',
  'no-answer-to-syn': 'nobody answered the SYN',
  'no-answer-to-data': 'data was never acknowledged',
  'no-answer-to-fin': 'the closing FIN was never acknowledged',
  'icmp-error': 'nobody answered but an ICMP error',
} as const;
export type FindingKind = keyof typeof FINDINGS;

export interface Finding {
  readonly kind: FindingKind;
  /** seconds since t = 0: the reset, the first unanswered transmission, or the end */
  readonly at: number;
  /** a sentence a sign */
  readonly evidence: readonly string[];
}

/** One TCP segment as seen. May be reused by the caller. */
export interface SeenSegment {
  timeS: number;
  fromClient: boolean;
  /** octet 13 of the TCP header */
  flags: number;
  seq: number;
  ack: number;
  window: number;
  /** TTL or hop limit */
  ttl: number;
  payloadBytes: number;
}

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

/** Unanswered for less than this at the end of the capture, an answer may still come. */
const PATIENCE_S = 1;
/** A reset that answers a segment comes within this, or within three round trips. */
const PROMPT_S = 0.05;

export function isBadFinding(kind: FindingKind): boolean {
  return kind !== 'ordinary-close' && kind !== 'open' && kind !== 'reset-after-close';
}

/** Follows one flow, segment by segment, in the order of the capture. */
export class FlowAutopsy {
  #sawSyn = false;
  #synS = 0;
  #syns = 0;
  #synSeq = 0;
  #roundTripS = Number.NaN;
  #serverSpoke = false;
  #serverTtlMin = 256;
  #serverTtlMax = -1;
  #serverNextSeq = 0;
  /** all before it is acknowledged; until the server says so, where the client began */
  #serverAcked = 0;
  #serverAckSeen = false;
  #serverFin = false;
  #clientSpoke = false;
  #clientS = 0;
  #clientAck = 0;
  #clientEnd = 0;
  #clientFin = false;
  /** when the oldest octet without acknowledgement was first sent, NaN = none */
  #openSinceS = Number.NaN;
  #openIsFin = false;
  #transmissions = 0;
  #lastS = 0;
  #icmpError: Finding | null = null;
  #finding: Finding | null = null;

  add(segment: SeenSegment): void {
    this.#lastS = segment.timeS;
    const opens = (segment.flags & (SYN | ACK | RST)) === SYN;
    if (opens && segment.fromClient && this.#isOver(segment)) this.#reborn();
    if (this.#finding !== null) return;
    if ((segment.flags & RST) !== 0)
      this.#finding = segment.fromClient ? this.#clientReset(segment) : this.#serverReset(segment);
    else if (segment.fromClient) this.#client(segment);
    else this.#server(segment);
  }

  /** An ICMP error that quotes one of the client's packets: TCP takes it for a hint, and so do we. */
  addIcmpError(timeS: number, sentence: string): void {
    this.#icmpError ??= { kind: 'icmp-error', at: timeS, evidence: [sentence] };
  }

  /** `endS`: the last moment of the capture. */
  conclude(endS: number): Finding {
    if (this.#finding !== null) return this.#finding;
    const silence = this.#silent(endS);
    if (silence !== null) {
      if (this.#icmpError === null) return silence;
      return { ...this.#icmpError, evidence: [...this.#icmpError.evidence, ...silence.evidence] };
    }
    if (this.#clientFin && this.#serverFin)
      return { kind: 'ordinary-close', at: this.#lastS, evidence: ['FIN from both sides'] };
    return { kind: 'open', at: this.#lastS, evidence: [] };
  }

  #silent(endS: number): Finding | null {
    if (this.#syns > 0 && !this.#serverSpoke) {
      return this.#silence('no-answer-to-syn', this.#synS, this.#syns, 'SYN');
    }
    // NaN, nothing open, compares as false
    if (!(endS - this.#openSinceS >= PATIENCE_S)) return null;
    return this.#openIsFin
      ? this.#silence('no-answer-to-fin', this.#openSinceS, this.#transmissions, 'FIN')
      : this.#silence('no-answer-to-data', this.#openSinceS, this.#transmissions, 'data');
  }

  #isOver(segment: SeenSegment): boolean {
    return this.#finding !== null || (this.#sawSyn && segment.seq !== this.#synSeq && this.#serverSpoke);
  }

  /** The same five-tuple begins a new connection. What went wrong before stays the flow's finding. */
  #reborn(): void {
    if (this.#finding !== null && isBadFinding(this.#finding.kind)) return;
    this.#syns = 0;
    this.#serverSpoke = false;
    this.#serverAckSeen = false;
    this.#clientSpoke = false;
    this.#clientFin = false;
    this.#serverFin = false;
    this.#openSinceS = Number.NaN;
    this.#finding = null;
  }

  #client(segment: SeenSegment): void {
    const { flags, timeS, seq } = segment;
    if ((flags & SYN) !== 0) {
      if (this.#syns++ === 0) this.#synS = timeS;
      this.#sawSyn = true;
      this.#synSeq = seq;
    }
    const occupied = segment.payloadBytes + ((flags & FIN) !== 0 ? 1 : 0) + ((flags & SYN) !== 0 ? 1 : 0);
    const end = (seq + occupied) >>> 0;
    if (!this.#clientSpoke || after(end, this.#clientEnd)) this.#clientEnd = end;
    if (!this.#clientSpoke && !this.#serverAckSeen) this.#serverAcked = seq;
    this.#clientSpoke = true;
    this.#clientS = timeS;
    this.#clientAck = segment.ack;
    if ((flags & FIN) !== 0) this.#clientFin = true;
    if (occupied === 0 || (flags & SYN) !== 0 || !after(end, this.#serverAcked)) return;
    if (Number.isNaN(this.#openSinceS)) {
      this.#openSinceS = timeS;
      this.#transmissions = 0;
      this.#openIsFin = segment.payloadBytes === 0;
    }
    this.#transmissions++;
  }

  #server(segment: SeenSegment): void {
    const { flags, timeS } = segment;
    if ((flags & SYN) !== 0 && this.#syns > 0 && !this.#serverSpoke) this.#roundTripS = timeS - this.#clientS;
    this.#serverSpoke = true;
    this.#serverTtlMin = Math.min(this.#serverTtlMin, segment.ttl);
    this.#serverTtlMax = Math.max(this.#serverTtlMax, segment.ttl);
    this.#serverNextSeq = (segment.seq + segment.payloadBytes + ((flags & (FIN | SYN)) !== 0 ? 1 : 0)) >>> 0;
    if ((flags & FIN) !== 0) this.#serverFin = true;
    if ((flags & ACK) === 0) return;
    if (Number.isNaN(this.#roundTripS) && this.#clientSpoke) this.#roundTripS = timeS - this.#clientS;
    if (this.#serverAckSeen && !after(segment.ack, this.#serverAcked)) return;
    this.#serverAckSeen = true;
    this.#serverAcked = segment.ack;
    // Progress: what is still open has been waiting only since now.
    const open = this.#clientSpoke && after(this.#clientEnd, this.#serverAcked);
    this.#openSinceS = open ? timeS : Number.NaN;
    this.#openIsFin = this.#clientFin && (this.#serverAcked + 1) >>> 0 === this.#clientEnd;
    this.#transmissions = 1;
  }

  #clientReset(segment: SeenSegment): Finding {
    const closed = this.#clientFin || this.#serverFin;
    return {
      kind: closed ? 'reset-after-close' : 'client-reset',
      at: segment.timeS,
      evidence: [closed ? 'RST from the client after a FIN' : 'RST from the client'],
    };
  }

  #serverReset(segment: SeenSegment): Finding {
    const { timeS } = segment;
    if (!this.#serverSpoke && this.#syns > 0 && segment.ack === (this.#synSeq + 1) >>> 0) {
      return {
        kind: 'refused',
        at: timeS,
        evidence: [`the SYN was answered by ${flagsText(segment.flags)} with ack = seq + 1`],
      };
    }
    const unknowing = (segment.flags & ACK) === 0 && this.#clientSpoke && segment.seq === this.#clientAck;
    if (unknowing && !(this.#clientFin && this.#serverFin)) {
      return { kind: 'looks-rehashed', at: timeS, evidence: this.#unknowingSigns(segment) };
    }
    const closed = this.#clientFin || this.#serverFin;
    const own =
      segment.seq === this.#serverNextSeq
        ? "the server's own next sequence number"
        : 'another sequence number';
    return {
      kind: closed ? 'reset-after-close' : 'server-reset',
      at: timeS,
      evidence: [`${flagsText(segment.flags)} from the server with ${own}${closed ? ', after a FIN' : ''}`],
    };
  }

  #unknowingSigns(segment: SeenSegment): string[] {
    const gapS = segment.timeS - this.#clientS;
    const signs = [
      "flags exactly RST, sequence number = acknowledgement number of the client's segment: a stack without this connection",
    ];
    if (segment.window === 0) signs.push('window 0');
    const roundTrip = Number.isNaN(this.#roundTripS) ? '' : `, round trip ${milliseconds(this.#roundTripS)}`;
    const prompt = gapS <= Math.max(PROMPT_S, 3 * (this.#roundTripS || 0));
    signs.push(
      `${milliseconds(gapS)} after the client's segment${roundTrip}${prompt ? '' : ': late for an answer to it'}`,
    );
    if (this.#serverTtlMax >= 0 && (segment.ttl < this.#serverTtlMin || segment.ttl > this.#serverTtlMax)) {
      signs.push(
        `TTL ${segment.ttl}, while the server's segments had ${ttlRange(this.#serverTtlMin, this.#serverTtlMax)}: another way or another host`,
      );
    }
    if (!this.#serverSpoke) signs.push('the server has said nothing else in this capture');
    return signs;
  }

  #silence(kind: FindingKind, sinceS: number, transmissions: number, what: string): Finding {
    const lasted = this.#lastS - sinceS;
    const tries =
      transmissions > 1
        ? `${what} sent ${transmissions} times in ${lasted.toFixed(1)} s`
        : `${what} sent once`;
    return { kind, at: sinceS, evidence: [`${tries}, no answer until the end of the capture`] };
  }
}

/** `a` lies after `b` in sequence space (RFC 9293 3.4). */
function after(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

function flagsText(flags: number): string {
  return (flags & ACK) === 0 ? 'RST' : 'RST+ACK';
}

function milliseconds(seconds: number): string {
  return `${(seconds * 1000).toFixed(seconds < 0.01 ? 2 : 1)} ms`;
}

function ttlRange(min: number, max: number): string {
  return min === max ? String(min) : `${min} to ${max}`;
}
