import { describe, expect, test } from 'vitest';
import {
  IGNORE,
  INVALID,
  nextTcpState,
  ORIGINAL,
  REPLY,
  Segment,
  segmentOf,
  TcpState,
  transitionReason,
} from '../../../src/conntrack/tcp-states.js';

const { none, synSent, synRecv, established, finWait, closeWait, lastAck, timeWait, close } = TcpState;

/** Walks segments from a state; [direction, segment] each. */
function walk(from: TcpState, ...steps: [0 | 1, Segment][]): number[] {
  const states: number[] = [];
  let state: number = from;
  for (const [direction, segment] of steps) {
    const next = nextTcpState(direction, segment, state as TcpState);
    if (next < IGNORE) state = next;
    states.push(next);
  }
  return states;
}

describe('a connection', () => {
  test('is SYN_SENT, SYN_RECV, ESTABLISHED over its handshake', () => {
    expect(walk(none, [ORIGINAL, Segment.syn], [REPLY, Segment.synAck], [ORIGINAL, Segment.ack])).toEqual([
      synSent,
      synRecv,
      established,
    ]);
  });

  test('closes by FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT whoever closes first', () => {
    for (const [first, second] of [
      [ORIGINAL, REPLY],
      [REPLY, ORIGINAL],
    ] as const) {
      expect(
        walk(
          established,
          [first, Segment.fin],
          [second, Segment.ack],
          [second, Segment.fin],
          [first, Segment.ack],
        ),
      ).toEqual([finWait, closeWait, lastAck, timeWait]);
    }
  });

  test('is CLOSE after a RST from either side', () => {
    expect(walk(established, [ORIGINAL, Segment.rst])).toEqual([close]);
    expect(walk(synSent, [REPLY, Segment.rst])).toEqual([close]);
  });

  test('keeps its state when its SYN comes again, and starts anew out of TIME_WAIT and CLOSE', () => {
    expect(walk(synSent, [ORIGINAL, Segment.syn])).toEqual([synSent]);
    expect(walk(established, [ORIGINAL, Segment.syn])).toEqual([IGNORE]);
    expect(walk(timeWait, [ORIGINAL, Segment.syn])).toEqual([synSent]);
    expect(walk(close, [ORIGINAL, Segment.syn])).toEqual([synSent]);
  });
});

describe('the first segment of an unknown connection', () => {
  test('is taken up loosely if it is an ACK, and INVALID if it is FIN, RST, SYN+ACK or bare', () => {
    expect(nextTcpState(ORIGINAL, Segment.syn, none)).toBe(synSent);
    expect(nextTcpState(ORIGINAL, Segment.ack, none)).toBe(established);
    for (const segment of [Segment.fin, Segment.rst, Segment.synAck, Segment.none] as const) {
      expect(nextTcpState(ORIGINAL, segment, none)).toBe(INVALID);
    }
  });

  test('is always INVALID in the reply direction', () => {
    for (const segment of Object.values(Segment)) expect(nextTcpState(REPLY, segment, none)).toBe(INVALID);
  });
});

test('every cell of the table names a state or an outcome, and a reason', () => {
  for (const direction of [ORIGINAL, REPLY] as const) {
    for (const segment of Object.values(Segment)) {
      for (const state of Object.values(TcpState)) {
        expect(nextTcpState(direction, segment, state)).toBeLessThanOrEqual(INVALID);
        expect(transitionReason(direction, segment, state)).toMatch(/^[a-z]/i);
      }
    }
  }
});

test('segmentOf() knows the flag combinations that connections have and no others', () => {
  const flags = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32, ECE: 64, CWR: 128 };
  expect(segmentOf(flags.SYN)).toBe(Segment.syn);
  expect(segmentOf(flags.SYN | flags.ECE | flags.CWR)).toBe(Segment.syn);
  expect(segmentOf(flags.SYN | flags.ACK)).toBe(Segment.synAck);
  expect(segmentOf(flags.ACK | flags.PSH)).toBe(Segment.ack);
  expect(segmentOf(flags.ACK | flags.URG)).toBe(Segment.ack);
  expect(segmentOf(flags.FIN | flags.ACK | flags.PSH)).toBe(Segment.fin);
  expect(segmentOf(flags.RST)).toBe(Segment.rst);
  expect(segmentOf(flags.RST | flags.ACK)).toBe(Segment.rst);
  for (const strange of [
    0,
    flags.FIN,
    flags.URG,
    flags.PSH,
    flags.SYN | flags.FIN,
    flags.SYN | flags.RST,
    63,
  ]) {
    expect(segmentOf(strange)).toBe(-1);
  }
});
