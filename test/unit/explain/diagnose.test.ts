/**
 * Situation → finding, confidence, alternatives. A row for each finding, and on both sides of each threshold: moving a
 * threshold breaks a row.
 */
import { describe, expect, test } from 'vitest';
import { type ExplainOptions, Explanation } from '../../../src/explain/explain.js';
import type { Confidence, Diagnosis, FindingName } from '../../../src/explain/finding.js';
import { type Conversation, closed, healthy, readConversations } from '../../support/conversation.js';

/** Somebody else's connection so late that a silence before it is one. */
const until = (endS: number): Conversation => ({
  client: '198.51.100.200',
  clientPort: 50000,
  server: '203.0.113.99',
  script: `${healthy(1)}\n${closed(1)}`,
  after: endS - 1,
});

function findings(conversations: readonly Conversation[], options: ExplainOptions = {}): Diagnosis[] {
  const explanation = new Explanation(readConversations(conversations), options);
  return [...explanation.rows].map((row) => explanation.diagnosisOf(row));
}

/** The diagnosis of the first conversation, by its client's port. */
function first(conversations: readonly Conversation[], options: ExplainOptions = {}): Diagnosis {
  const explanation = new Explanation(readConversations(conversations), options);
  const port = conversations[0]!.clientPort ?? 40000;
  const row = explanation.rows.find((r) => explanation.connectionAt(r).clientPort === port);
  return explanation.diagnosisOf(row!);
}

interface Row {
  readonly situation: string;
  readonly script: string;
  readonly also?: readonly Conversation[];
  readonly finding: FindingName;
  readonly confidence?: Confidence;
  readonly alternatives?: readonly FindingName[];
  readonly evidence?: RegExp;
}

const many = (n: number, one: (i: number) => Conversation): Conversation[] =>
  Array.from({ length: n }, (_, i) => one(i));
const lines = (n: number, one: (i: number) => string): string[] =>
  Array.from({ length: n }, (_, i) => one(i));
const clean = (after = 0): Conversation => ({ script: `${healthy(2)}\n${closed(0.4)}`, after });

const TABLE: readonly Row[] = [
  {
    situation: 'both sides close',
    script: `${healthy(2)}\n${closed(0.4)}`,
    finding: 'ordinary',
    confidence: 'certain',
  },
  { situation: 'open and answered at the end', script: healthy(2), also: [until(5)], finding: 'ordinary' },
  {
    situation: 'only the server closed',
    script: `${healthy(1)}\n0.4 s FIN\n0.401 c ack`,
    also: [until(5)],
    finding: 'ordinary',
    confidence: 'likely',
  },
  {
    situation: 'reset after both FINs',
    script: `${healthy(1)}\n0.4 c FIN\n0.401 s FIN\n0.402 s RST`,
    finding: 'ordinary',
  },
  {
    situation: 'the client resets long after the response',
    script: `${healthy(1)}\n0.2 c RSTACK`,
    finding: 'ordinary',
    confidence: 'likely',
    alternatives: ['client-abort'],
  },
  {
    situation: 'the client resets 54 ms after the response: just quiet',
    script: `${healthy(1)}\n0.059 c RSTACK`,
    finding: 'ordinary',
  },
  {
    situation: 'the client resets 45 ms after the response: not quiet yet',
    script: `${healthy(1)}\n0.05 c RSTACK`,
    finding: 'client-abort',
    confidence: 'likely',
    alternatives: ['ordinary'],
  },
  {
    situation: 'the client resets while it awaits the response',
    script: `${healthy(1)}\n0.2 c data 80\n0.201 s ack\n3 c RSTACK`,
    finding: 'client-abort',
    confidence: 'likely',
    evidence: /no response yet/,
  },
  {
    situation: 'the client resets what comes after its FIN',
    script: `${healthy(1)}\n0.2 c FIN\n0.201 s ack\n0.21 s data 900\n0.211 c RST`,
    finding: 'client-abort',
    alternatives: ['ordinary'],
  },
  {
    situation: 'the client resets what the server had closed',
    script: `${healthy(1)}\n0.2 s FIN\n0.201 c RSTACK`,
    finding: 'ordinary',
  },
  {
    situation: 'the server resets before its response',
    script: `${healthy(1)}\n0.2 c data 80\n0.21 s RSTACK`,
    finding: 'application-reset',
    confidence: 'likely',
  },
  {
    situation: 'RST+ACK without the options and the identification of the server',
    script: `${healthy(1)}\n0.2 c data 80\n0.21 s RSTACK bare=1 id=0`,
    finding: 'application-reset',
    confidence: 'possible',
    alternatives: ['middlebox'],
  },
  {
    situation: 'RST+ACK from nearer than the server',
    script: `${healthy(2)}\n0.4 c data 80\n0.41 s RSTACK ttl=64`,
    also: [clean()],
    finding: 'middlebox',
    confidence: 'likely',
    alternatives: ['application-reset'],
    evidence: /TTL 64, while every segment of the server came with 63: sent from nearer/,
  },
  {
    situation: 'a bare RST from farther than the server',
    script: `${healthy(2)}\n0.4 c data 80\n0.401 s RST ttl=50`,
    also: [clean()],
    finding: 'middlebox',
    evidence: /farther away/,
  },
  {
    situation: 'a TTL that another endpoint of the VIP has is no sign of a middlebox',
    script: `${healthy(2)}\n0.4 c data 80\n0.401 s RST ttl=62`,
    also: [{ script: `0 c SYN\n0.001 s SYNACK ttl=62\n0.002 c ack\n${closed(0.3)}` }, clean(), clean(1)],
    finding: 'unknown-connection',
    alternatives: ['rehash', 'endpoint-died'],
  },
  {
    situation: 'a bare RST at the acknowledged number',
    script: `${healthy(2)}\n0.4 c data 80\n0.4005 s RST`,
    also: [clean()],
    finding: 'unknown-connection',
    confidence: 'likely',
    alternatives: ['rehash', 'endpoint-died'],
    evidence: /a stack without this connection/,
  },
  {
    situation: 'a bare RST in mid-stream, with nothing before',
    script: '0 c data 80\n0.0005 s RST',
    also: [clean()],
    finding: 'unknown-connection',
    evidence: /began before the capture/,
  },
  {
    situation: 'a bare RST to a bare ACK, with nothing before',
    script: '0 c ack\n0.0005 s RST',
    also: [clean()],
    finding: 'cannot-tell',
    alternatives: ['unknown-connection'],
  },
  {
    situation: 'the server had closed before the client sent',
    script: `${healthy(1)}\n1 s FIN\n1.04 c ack\n1.5 c data 80\n1.501 s RST`,
    also: [clean()],
    finding: 'late-use',
    confidence: 'certain',
    evidence: /FIN 500\.0 ms before/,
  },
  {
    situation: 'the server answers the close of the client by a reset',
    script: `${healthy(1)}\n1 s FIN\n1.04 c ack\n1.5 c FIN\n1.501 s RST`,
    finding: 'ordinary',
  },
  {
    situation: 'a SYN answered by RST+ACK',
    script: '0 c SYN\n0.001 s RSTACK',
    also: [clean()],
    finding: 'refused',
    confidence: 'certain',
  },
  {
    situation: 'a SYN answered by ICMP port unreachable',
    script: '0 c SYN\n0.001 s icmp is=3/3\n1 c SYN again',
    also: [clean(), until(5)],
    finding: 'refused',
    evidence: /ICMP port unreachable, from 203\.0\.113\.1/,
  },
  {
    situation: 'SYNs that nobody answers',
    script: '0 c SYN\n1 c SYN again\n3 c SYN again',
    also: [clean(), until(5)],
    finding: 'unanswered-syn',
    confidence: 'certain',
    alternatives: ['rehash', 'endpoint-died'],
  },
  {
    situation: 'one SYN, 1.2 s before the end',
    script: '3 c SYN',
    also: [clean(), until(4.2)],
    finding: 'unanswered-syn',
    confidence: 'likely',
  },
  {
    situation: 'one SYN, 0.8 s before the end',
    script: '3 c SYN',
    also: [clean(), until(3.8)],
    finding: 'cannot-tell',
  },
  {
    situation: 'a SYN that an older connection answers',
    script: '0 c SYN\n0.001 s ack ack=5000\n0.002 c RST',
    also: [clean()],
    finding: 'unanswered-syn',
    evidence: /NAT/,
  },
  {
    situation: 'the SYN+ACK never reaches the client',
    script: '0 c SYN\n0.001 s SYNACK\n1 c SYN again\n1.001 s SYNACK again',
    also: [clean(), until(5)],
    finding: 'unanswered-syn',
    evidence: /way back/,
  },
  {
    situation: 'data sent twice in vain',
    script: `${healthy(2)}\n0.4 c data 80\n0.7 c data 80 again`,
    also: [clean(), clean(3), until(5)],
    finding: 'unanswered-data',
    confidence: 'likely',
    alternatives: ['rehash', 'endpoint-died'],
  },
  {
    situation: 'data sent once, 1.2 s before the end',
    script: `${healthy(2)}\n3 c data 80`,
    also: [clean(), clean(3), until(4.2)],
    finding: 'unanswered-data',
    confidence: 'possible',
  },
  {
    situation: 'data sent once, 0.8 s before the end',
    script: `${healthy(2)}\n3 c data 80`,
    also: [clean(), until(3.8)],
    finding: 'cannot-tell',
  },
  {
    situation: 'data into a window of 0',
    script: `${healthy(1)}\n0.4 s ack window=0\n0.5 c data 80`,
    also: [clean(), until(5)],
    finding: 'ordinary',
    evidence: /window was 0 to the end/,
  },
  {
    situation: 'a FIN that nobody acknowledges',
    script: `${healthy(2)}\n0.4 c FIN\n0.7 c FIN again\n1.3 c FIN again`,
    also: [clean(), until(5)],
    finding: 'unanswered-fin',
    confidence: 'likely',
    alternatives: ['rehash', 'idle-timeout'],
  },
  {
    situation: 'full segments repeated in vain, small ones get through',
    script: `${healthy(2)}\n0.4 c data 80\n0.401 s ack\n0.402 s data 1448\n0.7 s data 1448 again\n1.3 s data 1448 again`,
    also: [clean(), until(6)],
    finding: 'pmtu-black-hole',
    alternatives: ['unanswered-data', 'rehash'],
  },
  {
    situation: 'full segments sent twice only',
    script: `${healthy(2)}\n0.4 c data 80\n0.401 s ack\n0.402 s data 1448\n0.7 s data 1448 again`,
    also: [clean(), until(6)],
    finding: 'unanswered-data',
  },
  {
    situation: 'fragmentation needed, and the segment again',
    script: `${healthy(2)}\n0.4 c data 80\n0.401 s ack\n0.402 s data 1448\n0.403 c icmp is=3/4/1400\n0.7 s data 1448 again`,
    also: [clean(), until(6)],
    finding: 'pmtu-black-hole',
    confidence: 'certain',
    evidence: /next MTU 1400, from 203\.0\.113\.1/,
  },
  {
    situation: 'segments of 536 octets are small enough for any path',
    script: `${healthy(2)}\n0.4 c data 80\n0.401 s ack\n0.402 s data 536\n0.7 s data 536 again\n1.3 s data 536 again`,
    also: [clean(), until(6)],
    finding: 'unanswered-data',
  },
  {
    situation: 'handshake, reset, no data, once',
    script: '0 c SYN\n0.001 s SYNACK\n0.002 c ack\n0.003 c RSTACK',
    also: [clean()],
    finding: 'client-abort',
    confidence: 'possible',
    alternatives: ['health-check'],
  },
  {
    situation: 'SYN, SYN+ACK, reset, once',
    script: '0 c SYN\n0.001 s SYNACK\n0.002 c RST',
    also: [clean()],
    finding: 'health-check',
    alternatives: ['client-abort', 'port-scan'],
  },
  {
    situation: 'a reset 60 s after the last segment, out of nothing',
    script: `${healthy(2)}\n60.2 s RSTACK`,
    also: [clean()],
    finding: 'idle-timeout',
    evidence: /60 s is the default of AWS/,
  },
  {
    situation: 'data reset after 350 s of silence',
    script: `${healthy(2)}\n350.5 c data 80\n350.501 s RST`,
    also: [clean(), clean(350)],
    finding: 'idle-timeout',
    confidence: 'likely',
    alternatives: ['unknown-connection', 'rehash', 'endpoint-died'],
    evidence: /350 s is the default of AWS Network/,
  },
  {
    situation: 'data reset after 900 s of silence',
    script: `${healthy(2)}\n900.4 c data 80\n900.401 s RST`,
    also: [clean(), clean(900)],
    finding: 'idle-timeout',
    evidence: /900 s is the default of IPVS/,
  },
  {
    situation: 'data reset after 25 s of silence: too short to say',
    script: `${healthy(2)}\n25 c data 80\n25.001 s RST`,
    also: [clean(), clean(25)],
    finding: 'unknown-connection',
    alternatives: ['rehash', 'idle-timeout', 'endpoint-died'],
  },
  {
    situation: 'only the client is in the capture',
    script: healthy(3).replace(/ s (SYNACK|ack|data 240)/g, ' s $1 lost=1'),
    also: [clean()],
    finding: 'cannot-tell',
    confidence: 'certain',
  },
  {
    situation: 'only the server is in the capture',
    script: healthy(3).replace(/ c (SYN|ack|data 80)$/gm, ' c $1 lost=1'),
    also: [clean()],
    finding: 'cannot-tell',
  },
];

describe('diagnose()', () => {
  for (const { situation, script, also = [], finding, confidence, alternatives, evidence } of TABLE) {
    test(`${situation}: ${finding}`, () => {
      const diagnosis = first([{ script }, ...also]);
      expect(diagnosis.finding).toBe(finding);
      if (confidence !== undefined) expect(diagnosis.confidence).toBe(confidence);
      if (alternatives !== undefined) expect(diagnosis.alternatives).toEqual(alternatives);
      if (evidence !== undefined) expect(diagnosis.evidence.join('\n')).toMatch(evidence);
    });
  }

  test('a DNS request without an answer is unanswered-data where others were answered', () => {
    const answered: Conversation = { serverPort: 53, script: '0 c udp 40\n0.01 s udp 90' };
    const silent: Conversation = { serverPort: 53, script: '0 c udp 40\n5 c udp 40' };
    expect(first([silent, answered, until(9)])).toMatchObject({
      finding: 'unanswered-data',
      confidence: 'likely',
    });
    expect(first([silent, until(9)]).finding).toBe('cannot-tell');
  });

  test('a QUIC handshake without an answer is unanswered-data, by its long header', () => {
    const quic: Conversation = { serverPort: 443, script: '0 c udp 1200 quic=1\n1 c udp 1200 quic=1' };
    const answered: Conversation = { serverPort: 443, script: '0 c udp 1200 quic=1\n0.01 s udp 1200' };
    expect(first([quic, answered, until(9)])).toMatchObject({
      finding: 'unanswered-data',
      confidence: 'likely',
    });
    const other: Conversation = { serverPort: 443, script: '0 c udp 1200\n1 c udp 1200' };
    expect(first([other, answered, until(9)]).finding).toBe('cannot-tell');
  });

  test('a datagram that ICMP refuses is refused', () => {
    const refused: Conversation = { serverPort: 5000, script: '0 c udp 40\n0.001 s icmp is=3/3 proto=udp' };
    expect(first([refused, clean()]).finding).toBe('refused');
  });

  test('a capture of SYN, FIN and RST only tells of ends in order and of nothing else', () => {
    const flagsOnly = (script: string): Conversation => ({
      script: script.replace(/ (c|s) (ack|data \d+)$/gm, ' $1 $2 lost=1'),
    });
    const all = [
      flagsOnly(`${healthy(2)}\n${closed(0.4)}`),
      flagsOnly(`${healthy(2)}\n0.4 c RSTACK`),
      flagsOnly(`${healthy(2)}\n0.4 s RST`),
    ];
    expect(findings(all).map(({ finding }) => finding)).toEqual(['ordinary', 'cannot-tell', 'cannot-tell']);
  });

  test('a five-tuple used again is another connection', () => {
    const again = { clientPort: 40000, isn: [500_000, 900_000] as const };
    const all = [
      { script: `${healthy(1)}\n0.3 c data 80\n0.301 s RST` },
      { ...again, after: 1, script: `${healthy(1)}\n${closed(0.4)}` },
      clean(),
    ];
    expect(findings(all).map(({ finding }) => finding)).toEqual([
      'unknown-connection',
      'ordinary',
      'ordinary',
    ]);
    const explanation = new Explanation(readConversations(all));
    expect([...explanation.rows].map((row) => explanation.connectionAt(row).connection)).toEqual([0, 0, 1]);
  });
});

describe('a series of connections without data from one client', () => {
  const probe =
    (everyS: number) =>
    (i: number): Conversation => ({
      client: '198.51.100.15',
      after: i * everyS,
      script: '0 c SYN\n0.001 s SYNACK\n0.002 c ack\n0.003 c RSTACK',
    });
  const checks = (all: readonly Conversation[]): number =>
    findings(all).filter(({ finding }) => finding === 'health-check').length;

  test('is health checks from three on', () => {
    expect(checks([...many(3, probe(5)), clean()])).toBe(3);
    expect(checks([...many(2, probe(5)), clean()])).toBe(0);
  });

  test('is certain where the interval is regular, likely where it is not', () => {
    const regular = first([...many(5, probe(5)), clean()]);
    expect(regular.confidence).toBe('certain');
    expect(regular.evidence.join()).toContain('one every 5.00 s');
    const irregular = [0, 0.2, 9, 9.5, 30].map((after) => ({ ...probe(1)(0), after }));
    expect(first([...irregular, clean()])).toMatchObject({ finding: 'health-check', confidence: 'likely' });
  });

  test('is none where its client sends data on one connection of four', () => {
    const real: Conversation = {
      client: '198.51.100.15',
      after: 90,
      script: `${healthy(1)}\n${closed(0.4)}`,
    };
    expect(first([...many(3, probe(5)), real]).finding).toBe('client-abort');
    expect(first([...many(4, probe(5)), real]).finding).toBe('health-check');
  });
});

describe('a client that tries many ports', () => {
  const tried =
    (script: string) =>
    (i: number): Conversation => ({
      client: '198.51.100.66',
      clientPort: 44321,
      serverPort: 1000 + i,
      script,
    });

  test.each([
    ['SYN, refused', '0 c SYN\n0.001 s RSTACK'],
    ['SYN, unanswered', '0 c SYN'],
    ['SYN, open', '0 c SYN\n0.001 s SYNACK\n0.002 c RST'],
    ['ACK', '0 c ack\n0.001 s RST'],
    ['NULL', '0 c NULL\n0.001 s RSTACK'],
    ['XMAS', '0 c XMAS\n0.001 s RSTACK'],
  ])('scans from ten on: %s', (_, script) => {
    const of = (n: number): number =>
      findings([...many(n, tried(script)), clean(), until(5)]).filter(
        ({ finding }) => finding === 'port-scan',
      ).length;
    expect(of(10)).toBe(10);
    expect(of(9)).toBe(0);
  });
});

describe('what neighbours did', () => {
  const refused: Conversation = { after: 2, script: '0 c SYN\n0.001 s RSTACK' };

  test('a server that closes everything at once and refuses what comes has died', () => {
    const held = (): Conversation => ({
      script: `${healthy(3)}\n1 s FIN\n1.04 c ack\n1.3 c data 80\n1.301 s RST`,
    });
    const all = findings([...many(5, held), refused]);
    expect(all.slice(0, 5).map(({ finding }) => finding)).toEqual(new Array(5).fill('endpoint-died'));
    expect(all[0]!.alternatives).toEqual(['late-use']);
    expect(all[0]!.evidence.join()).toContain('5 of 5 open connections');
  });

  test('a server that closes everything within a quarter of a second was stopped', () => {
    const held = (i: number): Conversation => ({
      script: `${healthy(3)}\n${1 + i * 0.05} s FIN\n${1.3} c data 80\n${1.301} s RST`,
    });
    expect(first([...many(5, held), refused]).finding).toBe('endpoint-stopped');
  });

  test('two of five closed at once are late uses', () => {
    const held = (): Conversation => ({
      script: `${healthy(3)}\n1 s FIN\n1.04 c ack\n1.3 c data 80\n1.301 s RST`,
    });
    const live = (): Conversation => ({ script: healthy(30) });
    expect(first([...many(2, held), ...many(3, live), until(6)]).finding).toBe('late-use');
    expect(first([...many(4, held), ...many(2, live), until(6)]).finding).toBe('late-use');
  });

  test('every used connection reset, none survives: the server may have restarted', () => {
    const reset = (i: number): Conversation => ({
      script: `${healthy(3)}\n${1 + i} c data 80\n${1.0005 + i} s RST`,
    });
    const alone = first(many(3, reset));
    expect(alone).toMatchObject({ finding: 'unknown-connection', confidence: 'possible' });
    expect(alone.alternatives[0]).toBe('endpoint-died');
    expect(first([...many(3, reset), { script: healthy(40) }])).toMatchObject({
      finding: 'unknown-connection',
      confidence: 'likely',
    });
  });

  test('ages tell forgotten connections from those that lived', () => {
    const lost = (i: number): Conversation => ({
      after: i,
      script: `${healthy(1)}\n3 c data 80\n3.001 s RST`,
    });
    const lives = (i: number): Conversation => ({ after: i, script: `${healthy(4, 0.8)}\n${closed(4)}` });
    const found = first([...many(3, lost), ...many(4, lives)]);
    expect(found).toMatchObject({ finding: 'idle-timeout', confidence: 'likely' });
    expect(found.evidence.join()).toMatch(/all 3 that were lost had been idle for 2\.99 s or more/);
    // two are too few, and so is a silence that others survived
    expect(first([...many(2, lost), ...many(4, lives)]).finding).toBe('unknown-connection');
    const longer = (i: number): Conversation => ({ after: i, script: `${healthy(2, 3)}\n${closed(8)}` });
    expect(first([...many(3, lost), ...many(4, longer)]).finding).toBe('unknown-connection');
    const nearly = (i: number): Conversation => ({ after: i, script: `${healthy(2, 2.8)}\n${closed(8)}` });
    expect(first([...many(3, lost), ...many(4, nearly)]).finding).toBe('unknown-connection');
  });

  test('a server that goes silent for all has died', () => {
    const silent = (i: number): Conversation => ({
      script: `${healthy(3)}\n${1 + i * 0.2} c data 80\n${1.3 + i * 0.2} c data 80 again`,
    });
    const other: Conversation = { server: '203.0.113.77', script: healthy(20) };
    expect(first([...many(3, silent), other, until(9)]).finding).toBe('endpoint-died');
    expect(first([...many(2, silent), other, until(9)]).finding).toBe('unanswered-data');
    expect(first([...many(3, silent), { script: healthy(50) }, until(9)]).finding).toBe('unanswered-data');
  });

  test('a silence in a capture that lost packets means something once chance cannot have taken every answer', () => {
    const lossy = (i: number): Conversation => ({
      script: `${healthy(2)}\n0.3 c data 50 lost=1\n0.301 s ack\n${closed(0.4)}`,
      after: i,
    });
    const waits = (times: number): Conversation => ({
      script: [healthy(1), '1 c data 80', ...lines(times - 1, (i) => `${1.3 + i} c data 80 again`)].join(
        '\n',
      ),
    });
    const whole = [{ script: `${healthy(2)}\n${closed(0.4)}` }, until(30)];
    const holed = [...many(3, lossy), until(30)];
    expect(first([waits(2), ...whole]).finding).toBe('unanswered-data');
    expect(first([waits(2), ...holed])).toMatchObject({
      finding: 'cannot-tell',
      evidence: [expect.stringMatching(/at least 4\.\d % of the packets were lost in capturing/)],
    });
    expect(first([waits(3), ...holed]).finding).toBe('unanswered-data');
    const syn = (times: number): Conversation => ({
      script: ['0 c SYN', ...lines(times - 1, (i) => `${i + 1} c SYN again`)].join('\n'),
    });
    expect(first([syn(2), ...whole]).finding).toBe('unanswered-syn');
    expect(first([syn(2), ...holed]).finding).toBe('cannot-tell');
    expect(first([syn(3), ...holed]).finding).toBe('unanswered-syn');
  });

  test('a capture that lost packets says so', () => {
    const script = `${healthy(2)}\n0.3 c data 50 lost=1\n0.301 s ack\n${closed(0.4)}`;
    const { summary, gaps } = new Explanation(readConversations([{ script }]));
    expect(gaps.flows).toBe(1);
    expect(summary.notes.join()).toContain(
      'In 1 TCP connection octets were acknowledged that the capture does not hold',
    );
  });
});
