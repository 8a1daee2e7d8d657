/**
 * TCP connection tracking: which segment takes a connection from which state to which.
 *
 * Source: behaviour of Linux nf_conntrack (net/netfilter/nf_conntrack_proto_tcp.c, 6.18), checked against a
 * running kernel. "Original" is the direction of the packet that made the entry, "reply" the other one. The
 * table below is [direction][segment][state]; a row lists the ten states in the order of {@link TcpState}, one
 * cell a line, with the reason. Compiled into one Uint8Array: `next = TRANSITIONS[index(direction, segment, state)]`.
 *
 * Two outcomes are no states: IGNORE passes the segment (translated as the entry says) and changes nothing;
 * INVALID makes the segment ctstate INVALID, for which no NAT happens.
 *
 * Of sequence-number windows, what two connections of one five-tuple do to each other is in stale-segment.ts. Within a
 * connection they are not kept: a client whose data were lost sends the same numbers again.
 */
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, TCP_URG } from '../wire/tcp.js';

export const TcpState = {
  none: 0,
  synSent: 1,
  synRecv: 2,
  established: 3,
  finWait: 4,
  closeWait: 5,
  lastAck: 6,
  timeWait: 7,
  close: 8,
  synSent2: 9,
} as const;
export type TcpState = (typeof TcpState)[keyof typeof TcpState];
export const TCP_STATES = 10;

/** the segment passes, the state stays */
export const IGNORE = 10;
/** ctstate INVALID: not translated */
export const INVALID = 11;

export const Segment = { syn: 0, synAck: 1, fin: 2, ack: 3, rst: 4, none: 5 } as const;
export type Segment = (typeof Segment)[keyof typeof Segment];

export const ORIGINAL = 0;
export const REPLY = 1;
export type Direction = typeof ORIGINAL | typeof REPLY;

type Cell = readonly [next: number, reason: string];
type Row = readonly [Cell, Cell, Cell, Cell, Cell, Cell, Cell, Cell, Cell, Cell];

const { synSent: SS, synRecv: SR, established: ES, finWait: FW } = TcpState;
const { closeWait: CW, lastAck: LA, timeWait: TW, close: CL, synSent2: S2 } = TcpState;

const SYN_ORIGINAL: Row = [
  /* NO */ [SS, 'a connection begins'],
  /* SS */ [SS, 'SYN sent again; the entry and its choice of endpoint stay'],
  /* SR */ [IGNORE, 'late copy of the SYN; the endpoint answers it'],
  /* ES */ [IGNORE, 'SYN on a live connection: the endpoint decides (challenge ACK)'],
  /* FW */ [IGNORE, 'as above, while closing'],
  /* CW */ [IGNORE, 'as above, while closing'],
  /* LA */ [IGNORE, 'as above, while closing'],
  /* TW */ [SS, 'the same ports again: a new connection'],
  /* CL */ [SS, 'the same ports again: a new connection'],
  /* S2 */ [S2, 'simultaneous open, SYN sent again'],
];
const SYN_ACK_ORIGINAL: Row = [
  /* NO */ [INVALID, 'answers a SYN that never passed'],
  /* SS */ [INVALID, 'the opener does not answer itself'],
  /* SR */ [SR, 'simultaneous open, sent again'],
  /* ES */ [INVALID, 'no SYN is open'],
  /* FW */ [INVALID, 'no SYN is open'],
  /* CW */ [INVALID, 'no SYN is open'],
  /* LA */ [INVALID, 'no SYN is open'],
  /* TW */ [INVALID, 'no SYN is open'],
  /* CL */ [INVALID, 'no SYN is open'],
  /* S2 */ [SR, 'answers the SYN of the reply side'],
];
const FIN_ORIGINAL: Row = [
  /* NO */ [INVALID, 'a FIN cannot begin an entry, not even loosely'],
  /* SS */ [INVALID, 'nothing is open yet'],
  /* SR */ [FW, 'closed at once'],
  /* ES */ [FW, 'first FIN'],
  /* FW */ [LA, 'second FIN, or the first again'],
  /* CW */ [LA, 'second FIN'],
  /* LA */ [LA, 'sent again'],
  /* TW */ [TW, 'sent again'],
  /* CL */ [CL, 'already closed'],
  /* S2 */ [INVALID, 'nothing is open yet'],
];
const ACK_ORIGINAL: Row = [
  /* NO */ [ES, 'picked up in the middle (only with tcp_loose)'],
  /* SS */ [INVALID, 'nothing to acknowledge yet'],
  /* SR */ [ES, 'the handshake is complete'],
  /* ES */ [ES, 'data'],
  /* FW */ [CW, 'the FIN is acknowledged'],
  /* CW */ [CW, 'half closed, data may still flow'],
  /* LA */ [TW, 'the last FIN is acknowledged'],
  /* TW */ [TW, 'sent again'],
  /* CL */ [CL, 'already closed'],
  /* S2 */ [INVALID, 'nothing to acknowledge yet'],
];
const RST_ORIGINAL: Row = [
  /* NO */ [INVALID, 'a RST cannot begin an entry'],
  /* SS */ [CL, 'given up'],
  /* SR */ [CL, 'given up'],
  /* ES */ [CL, 'aborted'],
  /* FW */ [CL, 'aborted'],
  /* CW */ [CL, 'aborted'],
  /* LA */ [CL, 'aborted'],
  /* TW */ [CL, 'aborted'],
  /* CL */ [CL, 'already closed'],
  /* S2 */ [CL, 'given up'],
];
const SYN_REPLY: Row = [
  /* NO */ [INVALID, 'there is no reply without an entry'],
  /* SS */ [S2, 'simultaneous open'],
  /* SR */ [INVALID, 'the reply side has already answered'],
  /* ES */ [INVALID, 'the reply side has already answered'],
  /* FW */ [INVALID, 'the reply side has already answered'],
  /* CW */ [INVALID, 'the reply side has already answered'],
  /* LA */ [INVALID, 'the reply side has already answered'],
  /* TW */ [SS, 'the same ports again, opened from the other side'],
  /* CL */ [INVALID, 'closed'],
  /* S2 */ [S2, 'sent again'],
];
const SYN_ACK_REPLY: Row = [
  /* NO */ [INVALID, 'there is no reply without an entry'],
  /* SS */ [SR, 'the endpoint accepts'],
  /* SR */ [IGNORE, 'sent again'],
  /* ES */ [IGNORE, 'sent again, late'],
  /* FW */ [IGNORE, 'sent again, late'],
  /* CW */ [IGNORE, 'sent again, late'],
  /* LA */ [IGNORE, 'sent again, late'],
  /* TW */ [IGNORE, 'sent again, late'],
  /* CL */ [IGNORE, 'sent again, late'],
  /* S2 */ [SR, 'simultaneous open'],
];
const FIN_REPLY: Row = [
  /* NO */ [INVALID, 'there is no reply without an entry'],
  /* SS */ [INVALID, 'nothing is open yet'],
  /* SR */ [FW, 'closed at once'],
  /* ES */ [FW, 'the endpoint closes first'],
  /* FW */ [LA, 'second FIN, or the first again'],
  /* CW */ [LA, 'second FIN'],
  /* LA */ [LA, 'sent again'],
  /* TW */ [TW, 'sent again'],
  /* CL */ [CL, 'already closed'],
  /* S2 */ [INVALID, 'nothing is open yet'],
];
const ACK_REPLY: Row = [
  /* NO */ [INVALID, 'there is no reply without an entry'],
  /* SS */ [IGNORE, 'a challenge ACK from an older connection'],
  /* SR */ [SR, 'the handshake is not complete without the opener'],
  /* ES */ [ES, 'data'],
  /* FW */ [CW, 'the FIN is acknowledged'],
  /* CW */ [CW, 'half closed, data may still flow'],
  /* LA */ [TW, 'the last FIN is acknowledged'],
  /* TW */ [TW, 'sent again'],
  /* CL */ [CL, 'already closed'],
  /* S2 */ [IGNORE, 'a challenge ACK'],
];
const RST_REPLY: Row = [
  /* NO */ [INVALID, 'there is no reply without an entry'],
  /* SS */ [CL, 'refused'],
  /* SR */ [CL, 'refused late'],
  /* ES */ [CL, 'aborted by the endpoint'],
  /* FW */ [CL, 'aborted by the endpoint'],
  /* CW */ [CL, 'aborted by the endpoint'],
  /* LA */ [CL, 'aborted by the endpoint'],
  /* TW */ [CL, 'aborted by the endpoint'],
  /* CL */ [CL, 'already closed'],
  /* S2 */ [CL, 'refused'],
];
const NO_FLAGS: Row = Array.from({ length: 10 }, () => [INVALID, 'no flag is set']) as unknown as Row;

/** [direction][segment], in the order of {@link Segment} */
const TABLE: readonly (readonly Row[])[] = [
  [SYN_ORIGINAL, SYN_ACK_ORIGINAL, FIN_ORIGINAL, ACK_ORIGINAL, RST_ORIGINAL, NO_FLAGS],
  [SYN_REPLY, SYN_ACK_REPLY, FIN_REPLY, ACK_REPLY, RST_REPLY, NO_FLAGS],
];

const TRANSITIONS = Uint8Array.from(
  TABLE.flatMap((rows) => rows.flatMap((row) => row.map(([next]) => next))),
);

/** Next state, {@link IGNORE} or {@link INVALID}. */
export function nextTcpState(direction: Direction, segment: Segment, state: TcpState): number {
  return TRANSITIONS[(direction * 6 + segment) * TCP_STATES + state]!;
}

export function transitionReason(direction: Direction, segment: Segment, state: TcpState): string {
  return TABLE[direction]![segment]![state]![1];
}

/** Segment kind by flags (low six bits of the flags octet), or -1 for a combination the kernel calls INVALID. */
const SEGMENT_OF_FLAGS = new Int8Array(64).fill(-1);
for (const psh of [0, TCP_PSH]) {
  for (const urg of [0, TCP_URG]) {
    SEGMENT_OF_FLAGS[TCP_SYN | urg | psh] = Segment.syn;
    SEGMENT_OF_FLAGS[TCP_ACK | urg | psh] = Segment.ack;
    SEGMENT_OF_FLAGS[TCP_FIN | TCP_ACK | urg | psh] = Segment.fin;
  }
  SEGMENT_OF_FLAGS[TCP_SYN | TCP_ACK | psh] = Segment.synAck;
  SEGMENT_OF_FLAGS[TCP_RST | psh] = Segment.rst;
  SEGMENT_OF_FLAGS[TCP_RST | TCP_ACK | psh] = Segment.rst;
}

/** {@link Segment} of a TCP flags octet; ECE, CWR and PSH play no part. -1: a combination that is INVALID anywhere. */
export function segmentOf(flags: number): Segment | -1 {
  return SEGMENT_OF_FLAGS[flags & 63] as Segment | -1;
}

/** Name of a state as `conntrack -L` prints it. */
export const TCP_STATE_NAMES: readonly string[] = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
];
