/**
 * From one connection and its neighbours to a finding: every hypothesis that fits gets a score and its signs, the best
 * one wins, the others are alternatives.
 *
 * A score is a judgement, not a probability: 90 and more is what admits no other reading, 60 what a practitioner would
 * bet on, below that what is merely possible. `test/unit/explain/diagnose.test.ts` has a row for each threshold.
 */
import * as protocols from '../wire/ip-protocol.js';
import type { Connection } from './connection.js';
import * as t from './connection-table.js';
import { diagnoseReset } from './diagnose-reset.js';
import { diagnoseSilence } from './diagnose-silence.js';
import { diagnoseUdp } from './diagnose-udp.js';
import { concludeFrom, type Diagnosis, type Hypothesis } from './finding.js';
import { checked } from './health-check.js';
import { isDataless, silentSince } from './neighbours.js';
import { PATIENCE_NS, type Situation } from './situation.js';
import { milliseconds, times } from './words.js';

/** of the TCP connections, fewer than this share with both sides: the capture shows one direction */
const TWO_SIDED_SHARE = 0.02;

export function diagnose(situation: Situation): Diagnosis {
  const { connection } = situation;
  if (connection.proto === protocols.UDP) return diagnoseUdp(situation);
  if (connection.proto !== protocols.TCP) {
    return concludeFrom(
      [{ finding: 'cannot-tell', score: 90, evidence: ['neither TCP nor UDP: this protocol is not judged'] }],
      connection.endNs,
    );
  }
  const unseen = whatIsNotSeen(situation);
  if (unseen !== null) return concludeFrom([unseen, ...scanned(situation)], connection.endNs);
  if (connection.resetNs >= 0) {
    return concludeFrom([...diagnoseReset(situation), ...scanned(situation)], connection.resetNs);
  }
  const since = silentSince(connection, situation.endNs, PATIENCE_NS);
  const silence = diagnoseSilence(situation, since);
  if (silence.length > 0) {
    return concludeFrom([...silence, ...scanned(situation)], since >= 0 ? since : connection.endNs);
  }
  return concludeFrom([...wentWell(situation), ...scanned(situation)], connection.endNs);
}

/** One-sided, filtered: nothing can be missed where nothing could be seen. */
function whatIsNotSeen({ connection, neighbours }: Situation): Hypothesis | null {
  const { client, server } = connection;
  const oneDirection = neighbours.tcp > 1 && neighbours.twoSided < TWO_SIDED_SHARE * neighbours.tcp;
  if (client.packets === 0 || server.packets === 0) {
    if (
      connection.resetNs >= 0 &&
      client.packets + server.packets > 0 &&
      !connection.has(t.UNSEEN_PEER) &&
      !oneDirection
    ) {
      const answered = connection.resetIs(t.RST_BY_SERVER) ? client.packets > 0 : server.packets > 0;
      if (answered) return null;
    }
    const seen = server.packets === 0 ? 'client' : 'server';
    const missing = seen === 'client' ? 'server' : 'client';
    if (connection.has(t.UNSEEN_PEER)) {
      return cannotTell(97, [
        `the ${seen} acknowledges segments of the ${missing} that the capture does not show`,
      ]);
    }
    if (oneDirection) {
      return cannotTell(95, [
        `the capture shows one direction only: nothing of the ${missing} is in it, here or elsewhere`,
      ]);
    }
    if (seen === 'server') return cannotTell(80, ['only segments of the server are in the capture']);
    return null;
  }
  const hollow =
    connection.has(t.MISSING_IN | t.MISSING_OUT) && !connection.has(t.SAW_PLAIN) && !isDataless(connection);
  if (neighbours.filtered || hollow) return notSeenByFilter(connection);
  return null;
}

function notSeenByFilter(connection: Connection): Hypothesis | null {
  const { client, server } = connection;
  const sign = 'the capture holds SYN, FIN and RST only: neither data nor acknowledgements are in it';
  if (client.finNs >= 0 && server.finNs >= 0 && connection.resetNs < 0) {
    return { finding: 'ordinary', score: 70, evidence: ['FIN from both sides', sign] };
  }
  if (!connection.has(t.SAW_SYNACK) && connection.has(t.SAW_SYN)) return null;
  const reset =
    connection.resetNs >= 0
      ? [
          `RST from the ${connection.resetIs(t.RST_BY_SERVER) ? 'server' : 'client'}; what it answers is not in the capture`,
        ]
      : [];
  return cannotTell(90, [sign, ...reset]);
}

function cannotTell(score: number, evidence: readonly string[]): Hypothesis {
  return { finding: 'cannot-tell', score, evidence };
}

/** One of many targets of a client that sends no data. */
function scanned({ connection, neighbours }: Situation): Hypothesis[] {
  if (!isDataless(connection) && !connection.has(t.PROBE_FLAGS)) return [];
  const targets = neighbours.scanOf(connection);
  if (targets === 0) return [];
  const bare = connection.has(t.PROBE_FLAGS) ? ', with segments that open nothing' : '';
  return [
    {
      finding: 'port-scan',
      score: 98,
      evidence: [`its client tried ${targets} ports or hosts and sent no octet of data to any${bare}`],
    },
  ];
}

/** No reset, and nobody waits. */
function wentWell(situation: Situation): Hypothesis[] {
  const { connection, endNs } = situation;
  const { client, server } = connection;
  const notes = troubles(connection);
  const closed = client.finNs >= 0 && server.finNs >= 0;
  const found: Hypothesis[] = [];
  if (isDataless(connection) && connection.has(t.SAW_SYNACK)) found.push(...checked(situation, 'a FIN'));
  if (closed)
    return [...found, { finding: 'ordinary', score: 95, evidence: ['FIN from both sides', ...notes] }];
  const half = client.finNs >= 0 ? 'client' : server.finNs >= 0 ? 'server' : null;
  if (half !== null) {
    const sign = `FIN from the ${half}, acknowledged; the other side had not closed by the end of the capture`;
    return [...found, { finding: 'ordinary', score: 80, evidence: [sign, ...notes] }];
  }
  if (connection.has(t.SAW_SYNACK) && !connection.has(t.SAW_HANDSHAKE_ACK | t.SAW_DATA_OUT)) {
    return [...found, cannotTell(60, ['the capture ends, or has nothing more, after the SYN+ACK'])];
  }
  const waiting = client.openSinceNs >= 0 || server.openSinceNs >= 0;
  if (waiting && !server.windowShut && !client.windowShut) {
    const since = Math.max(client.openSinceNs, server.openSinceNs);
    return [
      cannotTell(60, [
        `the capture ends ${milliseconds(endNs - since)} after the last transmission: an answer may have come later`,
      ]),
    ];
  }
  return [
    ...found,
    {
      finding: 'ordinary',
      score: 90,
      evidence: ['still open, and everything answered, at the end of the capture', ...notes],
    },
  ];
}

/** From this many repeats on, and this share of its segments, a side that got through is worth a word. */
const STORM_REPEATS = 10;
const STORM_SHARE = 0.1;

/** What did not break the connection, and is worth a sentence all the same. */
function troubles({ client, server, marks }: Connection): string[] {
  const notes: string[] = [];
  if (server.zeroWindow)
    notes.push(
      `the server's window was 0${server.windowShut ? ' to the end' : ' for a time'}: its application did not read`,
    );
  if (client.zeroWindow)
    notes.push(
      `the client's window was 0${client.windowShut ? ' to the end' : ' for a time'}: its application did not read`,
    );
  if (client.repeats >= STORM_REPEATS && client.repeats >= STORM_SHARE * client.packets) {
    notes.push(
      `a storm of retransmissions: the client sent ${times(client.repeats)} what it had sent before`,
    );
  }
  if (server.repeats >= STORM_REPEATS && server.repeats >= STORM_SHARE * server.packets) {
    notes.push(
      `a storm of retransmissions: the server sent ${times(server.repeats)} what it had sent before`,
    );
  }
  if ((marks & (t.MISSING_IN | t.MISSING_OUT)) !== 0) notes.push('segments of it are not in the capture');
  return notes;
}
