import { describe, expect, it } from 'vitest';
import { type Finding, FlowAutopsy, type SeenSegment } from '../../../src/explain/flow-autopsy.js';

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;

type Step = readonly [timeS: number, from: 'c' | 's', flags: number, fields?: Partial<SeenSegment>];

/** Sequence numbers near the wrap, so that every test crosses it. */
const C = 0xfffffff0;
const S = 0xffffff00;

const add = (base: number, n: number): number => (base + n) >>> 0;

const HANDSHAKE: readonly Step[] = [
  [0, 'c', SYN, { seq: C }],
  [0.01, 's', SYN | ACK, { seq: S, ack: add(C, 1) }],
  [0.0101, 'c', ACK, { seq: add(C, 1), ack: add(S, 1) }],
];

const EXCHANGE: readonly Step[] = [
  ...HANDSHAKE,
  [0.2, 'c', PSH | ACK, { seq: add(C, 1), ack: add(S, 1), payloadBytes: 100 }],
  [0.21, 's', PSH | ACK, { seq: add(S, 1), ack: add(C, 101), payloadBytes: 500 }],
  [0.2101, 'c', ACK, { seq: add(C, 101), ack: add(S, 501) }],
];

function autopsy(steps: readonly Step[], endS = 20): Finding {
  const flow = new FlowAutopsy();
  for (const [timeS, from, flags, fields] of steps) {
    flow.add({
      timeS,
      fromClient: from === 'c',
      flags,
      seq: 0,
      ack: 0,
      window: 500,
      ttl: from === 'c' ? 63 : 62,
      payloadBytes: 0,
      ...fields,
    });
  }
  return flow.conclude(endS);
}

describe('FlowAutopsy', () => {
  it('takes the reset of a stack without the connection for a rehash, with its signs', () => {
    const finding = autopsy([
      ...EXCHANGE,
      [5, 'c', PSH | ACK, { seq: add(C, 101), ack: add(S, 501), payloadBytes: 100 }],
      [5.0004, 's', RST, { seq: add(S, 501), window: 0, ttl: 61 }],
    ]);
    expect(finding.kind).toBe('looks-rehashed');
    expect(finding.at).toBe(5.0004);
    const signs = finding.evidence.join('; ');
    expect(signs).toContain('flags exactly RST');
    expect(signs).toContain('window 0');
    expect(signs).toContain('0.40 ms after');
    expect(signs).toContain("TTL 61, while the server's segments had 62");
  });

  it('does the same for a flow that began before the capture', () => {
    const finding = autopsy([
      [1, 'c', PSH | ACK, { seq: 1000, ack: 5000, payloadBytes: 10 }],
      [1.001, 's', RST, { seq: 5000, window: 0 }],
    ]);
    expect(finding.kind).toBe('looks-rehashed');
  });

  it('takes RST+ACK with its own sequence number for the server that knew the connection', () => {
    const finding = autopsy([...EXCHANGE, [3, 's', RST | ACK, { seq: add(S, 501), ack: add(C, 101) }]]);
    expect(finding.kind).toBe('server-reset');
  });

  it('tells a refused connection by RST+ACK with ack = seq + 1', () => {
    const finding = autopsy([
      [0, 'c', SYN, { seq: C }],
      [0.001, 's', RST | ACK, { seq: 0, ack: add(C, 1) }],
    ]);
    expect(finding.kind).toBe('refused');
  });

  it('tells a SYN that nobody answers, and how often it was sent', () => {
    const finding = autopsy([
      [0, 'c', SYN, { seq: C }],
      [1, 'c', SYN, { seq: C }],
      [3, 'c', SYN, { seq: C }],
    ]);
    expect(finding).toEqual({
      kind: 'no-answer-to-syn',
      at: 0,
      evidence: ['SYN sent 3 times in 3.0 s, no answer until the end of the capture'],
    });
  });

  it('tells data that is retransmitted and never acknowledged, from its first transmission', () => {
    const data = { seq: add(C, 101), ack: add(S, 501), payloadBytes: 100 };
    const finding = autopsy([
      ...EXCHANGE,
      [5, 'c', PSH | ACK, data],
      [5.2, 'c', PSH | ACK, data],
      [5.6, 'c', PSH | ACK, data],
    ]);
    expect(finding.kind).toBe('no-answer-to-data');
    expect(finding.at).toBe(5);
    expect(finding.evidence[0]).toContain('data sent 3 times in 0.6 s');
  });

  it('tells a FIN that is never acknowledged', () => {
    const fin = { seq: add(C, 101), ack: add(S, 501) };
    const finding = autopsy([...EXCHANGE, [5, 'c', FIN | ACK, fin], [5.2, 'c', FIN | ACK, fin]]);
    expect(finding.kind).toBe('no-answer-to-fin');
    expect(finding.at).toBe(5);
  });

  it('does not count as silence what the end of the capture cut short', () => {
    const data = { seq: add(C, 101), ack: add(S, 501), payloadBytes: 100 };
    expect(autopsy([...EXCHANGE, [5, 'c', PSH | ACK, data]], 5.5).kind).toBe('open');
  });

  it('does not count a long upload as silence while acknowledgements move on', () => {
    const steps: Step[] = [...EXCHANGE];
    for (let i = 0; i < 100; i++) {
      steps.push([
        1 + i / 10,
        'c',
        ACK,
        { seq: add(C, 101 + i * 1000), ack: add(S, 501), payloadBytes: 1000 },
      ]);
      if (i > 0) steps.push([1.01 + i / 10, 's', ACK, { seq: add(S, 501), ack: add(C, 101 + i * 1000) }]);
    }
    expect(autopsy(steps, 11).kind).toBe('open');
  });

  const CLOSE: readonly Step[] = [
    ...EXCHANGE,
    [5, 'c', FIN | ACK, { seq: add(C, 101), ack: add(S, 501) }],
    [5.01, 's', FIN | ACK, { seq: add(S, 501), ack: add(C, 102) }],
    [5.0101, 'c', ACK, { seq: add(C, 102), ack: add(S, 502) }],
  ];

  it('tells an ordinary close', () => {
    expect(autopsy(CLOSE).kind).toBe('ordinary-close');
  });

  it('takes a reset after the close for an ordinary end', () => {
    expect(autopsy([...CLOSE, [6, 's', RST, { seq: add(S, 502), window: 0 }]]).kind).toBe(
      'reset-after-close',
    );
  });

  it('tells the client that resets', () => {
    expect(autopsy([...EXCHANGE, [2, 'c', RST | ACK, { seq: add(C, 101) }]]).kind).toBe('client-reset');
  });

  it('keeps what broke the flow when the same five-tuple connects again', () => {
    const finding = autopsy([
      ...EXCHANGE,
      [5, 'c', PSH | ACK, { seq: add(C, 101), ack: add(S, 501), payloadBytes: 100 }],
      [5.0004, 's', RST, { seq: add(S, 501), window: 0 }],
      [6, 'c', SYN, { seq: 77 }],
      [6.01, 's', SYN | ACK, { seq: 99, ack: 78 }],
    ]);
    expect(finding.kind).toBe('looks-rehashed');
  });

  it('judges a second connection of a five-tuple that had closed in order', () => {
    const finding = autopsy([...CLOSE, [7, 'c', SYN, { seq: 77 }], [8, 'c', SYN, { seq: 77 }]]);
    expect(finding.kind).toBe('no-answer-to-syn');
    expect(finding.at).toBe(7);
  });

  it('gives an ICMP error as the reason of a silence, and ignores it where answers come', () => {
    const flow = new FlowAutopsy();
    const syn = { fromClient: true, flags: SYN, seq: 1, ack: 0, window: 1, ttl: 64, payloadBytes: 0 };
    flow.add({ ...syn, timeS: 1 });
    flow.addIcmpError(1.5, 'ICMP port unreachable, from 10.0.0.1');
    expect(flow.conclude(10)).toEqual({
      kind: 'icmp-error',
      at: 1.5,
      evidence: [
        'ICMP port unreachable, from 10.0.0.1',
        'SYN sent once, no answer until the end of the capture',
      ],
    });
    flow.add({ ...syn, fromClient: false, flags: SYN | ACK, seq: 7, ack: 2, timeS: 2 });
    expect(flow.conclude(10).kind).toBe('open');
  });
});
