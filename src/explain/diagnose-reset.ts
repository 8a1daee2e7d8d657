/**
 * The hypotheses about a connection that a reset ended.
 *
 * What a reset says of its sender (RFC 9293 3.10.7.1 and 3.5.2): a stack without the connection answers a segment with
 * ACK by a bare RST at the acknowledged number; a SYN by RST+ACK. A stack that has the connection and aborts it sends
 * RST+ACK at its own next number, with the options and the identification of all its segments.
 */
import type { Connection } from './connection.js';
import * as t from './connection-table.js';
import type { Hypothesis } from './finding.js';
import { checked } from './health-check.js';
import { knownTimer, namedAge } from './known-timers.js';
import { isDataless, isUnknowing, type MassEnd, type TtlCounts } from './neighbours.js';
import type { Situation } from './situation.js';
import { milliseconds, ttlRange } from './words.js';

const ACK = 0x10;

/** The client resets this long after the server's last segment: no response was on its way. */
const QUIET_NS = 50e6;
const QUIET_ROUND_TRIPS = 3;
/** a silence from which on tables are known to forget */
const LONG_SILENCE_NS = 30e9;
/** several idle times longer than what anybody survived */
const LONGER_BY = 2;

export function diagnoseReset(situation: Situation): Hypothesis[] {
  const { connection } = situation;
  if (!connection.resetIs(t.RST_BY_SERVER)) return byClient(situation);
  if (connection.resetIs(t.RST_OF_SYN)) return ofSyn(situation);
  return byServer(situation);
}

function ofSyn({ connection, server, figures }: Situation): Hypothesis[] {
  const away = distance(connection, server.ttls);
  const end = figures().massEnds.find(({ toNs }) => connection.firstNs > toNs);
  const evidence = ['the SYN was answered by a reset'];
  if (end !== undefined)
    evidence.push(`the server had ended ${end.connections} connections at ${seconds(end.fromNs)} s`);
  return [
    { finding: 'refused', score: 95, evidence },
    ...(away === null ? [] : [{ finding: 'middlebox' as const, score: 40, evidence: [away] }]),
  ];
}

function byClient(all: Situation): Hypothesis[] {
  const { connection } = all;
  const { client, server } = connection;
  if (connection.has(t.CHALLENGED) && !connection.has(t.SAW_SYNACK)) {
    return [
      {
        finding: 'unanswered-syn',
        score: 75,
        evidence: [
          'the SYN was answered by an ACK for an older connection (RFC 5961 section 4.2), which the client then reset',
          'two connections share address and port: a NAT gave one port to two clients, or a client reused it too early',
        ],
      },
      { finding: 'middlebox', score: 30, evidence: [] },
    ];
  }
  if (isDataless(connection) && !connection.has(t.BEGAN_MID)) {
    const series = checked(all, 'a reset of the client');
    const whole = connection.has(t.SAW_HANDSHAKE_ACK);
    const sign = whole
      ? 'handshake, then a reset of the client, no data'
      : 'SYN, SYN+ACK, then a reset of the client';
    return [
      ...series,
      { finding: 'health-check', score: whole ? 40 : 62, evidence: [sign] },
      { finding: 'client-abort', score: whole ? 58 : 35, evidence: [sign] },
      { finding: 'port-scan', score: whole ? 0 : 20, evidence: [] },
    ];
  }
  if (server.finNs >= 0) {
    return [
      {
        finding: 'ordinary',
        score: 88,
        evidence: ['the client ended by a reset what the server had closed'],
      },
    ];
  }
  if (client.finNs >= 0) {
    const sign = 'the client closed, and reset what the server still sent';
    return server.sawData && server.lastNs > client.finNs
      ? [
          { finding: 'client-abort', score: 65, evidence: [sign] },
          { finding: 'ordinary', score: 45, evidence: [] },
        ]
      : [{ finding: 'ordinary', score: 85, evidence: ['the client closed, then reset'] }];
  }
  const sinceServer = connection.resetNs - server.lastNs;
  if (connection.has(t.AWAITING)) {
    const sign = `the client reset it ${milliseconds(connection.resetNs - client.lastNs)} after its request, with no response yet`;
    return [{ finding: 'client-abort', score: 88, evidence: [sign] }, ...moved(all, 0)];
  }
  const quiet = Math.max(QUIET_NS, QUIET_ROUND_TRIPS * connection.roundTripNs);
  const stranger = (connection.resetFlags & ACK) === 0 && connection.resetIs(t.RST_SEQ_IS_ACK);
  if (sinceServer <= quiet) {
    const sign = `the client reset it ${milliseconds(sinceServer)} after a segment of the server: in the middle of what it was sent`;
    return [
      { finding: 'client-abort', score: stranger ? 62 : 82, evidence: [sign] },
      ...(stranger
        ? [
            {
              finding: 'unknown-connection' as const,
              score: 45,
              evidence: ["a bare RST at the number just acknowledged: the client's stack did not know it"],
            },
          ]
        : []),
      { finding: 'ordinary', score: 30, evidence: [] },
    ];
  }
  return [
    {
      finding: 'ordinary',
      score: 78,
      evidence: [
        `the client reset it ${milliseconds(sinceServer)} after the last segment of the server, with nothing unanswered: done with it`,
      ],
    },
    { finding: 'client-abort', score: 40, evidence: [] },
  ];
}

function byServer(all: Situation): Hypothesis[] {
  const { connection } = all;
  const { client, server } = connection;
  if (client.finNs >= 0 && server.finNs >= 0) {
    return [{ finding: 'ordinary', score: 92, evidence: ['a reset after FINs from both sides'] }];
  }
  if (connection.resetIs(t.RST_AFTER_CLOSE)) return afterClose(all);
  if (client.finNs >= 0 && !isUnknowing(connection)) {
    return [
      {
        finding: 'ordinary',
        score: 80,
        evidence: ['the server answered the close of the client by a reset'],
      },
      { finding: 'application-reset', score: 50, evidence: [] },
    ];
  }
  if (isUnknowing(connection)) return unknowing(all);
  return knowing(all);
}

/** The server had sent its FIN before the client sent what the reset answers. */
function afterClose({ connection, figures }: Situation): Hypothesis[] {
  const { client, server } = connection;
  const sinceFin = milliseconds(client.lastNs - server.finNs);
  const closed = `the server sent its FIN ${sinceFin} before the client's last segment`;
  if (!connection.has(t.LAST_OUT_DATA)) {
    return [{ finding: 'ordinary', score: 85, evidence: [closed, 'the client sent no more data'] }];
  }
  const late: Hypothesis = {
    finding: 'late-use',
    score: 94,
    evidence: [closed, 'then the client sent data, and the closed socket answered by a reset'],
  };
  const end = figures().massEnds.find(({ fromNs, toNs }) => server.finNs >= fromNs && server.finNs <= toNs);
  if (end === undefined) return [late];
  return [ended(end, 92), { ...late, score: 78 }];
}

/** Everything that the server held ended in one moment. */
function ended(end: MassEnd, score: number): Hypothesis {
  const { connections, open, fromNs, toNs, refusedAfter, answeredAfter } = end;
  const evidence = [
    `the server ended ${connections} of ${open} open connections within ${milliseconds(toNs - fromNs)}, at ${seconds(fromNs)} s`,
  ];
  if (refusedAfter > 0)
    evidence.push(
      `afterwards it accepted ${answeredAfter} of ${answeredAfter + refusedAfter} new connections`,
    );
  const gone = refusedAfter > 0 || answeredAfter === 0;
  return {
    finding: end.atOnce ? 'endpoint-died' : 'endpoint-stopped',
    score: gone ? score : score - 30,
    evidence,
  };
}

/** A stack that did not know the connection. Why, is the question. */
function unknowing(all: Situation): Hypothesis[] {
  const { connection, server: group, figures } = all;
  const { client } = connection;
  const signs = [
    "flags exactly RST, at the acknowledgement number of the client's segment: a stack without this connection",
    `${milliseconds(connection.resetNs - client.lastNs)} after the client's segment${roundTrip(connection)}`,
  ];
  const whole = connection.has(t.SAW_SYNACK) || !connection.resetIs(t.RST_FIRST_WORD);
  if (!client.sawData && !whole) {
    return [
      {
        finding: 'cannot-tell',
        score: 60,
        evidence: ['a segment from before the capture, without data, was reset'],
      },
      { finding: 'unknown-connection', score: 40, evidence: [] },
    ];
  }
  if (!whole)
    signs.push('the connection began before the capture, and the server has said nothing else in it');
  const found: Hypothesis[] = [{ finding: 'unknown-connection', score: 66, evidence: signs }];
  const away = distance(connection, group.ttls);
  found.push(...forgotten(all, away));
  if (away !== null) found.push({ finding: 'middlebox', score: 76, evidence: [away] });
  found.push(...moved(all, away === null ? 0 : 1));
  if (group.resetHits.length >= RESTART_LEAST && figures().survivorsOfHits === 0) {
    found.push({
      finding: 'endpoint-died',
      score: 64,
      evidence: [
        'every connection of this server that was used afterwards was reset: it restarted, or lost its table',
      ],
    });
  } else found.push({ finding: 'endpoint-died', score: 18, evidence: [] });
  return found;
}

/** fewer resets say nothing of a server */
const RESTART_LEAST = 3;

/** Positive evidence of a re-hash, or the mere possibility. */
export function moved({ connection, rehash }: Situation, against: number): Hypothesis[] {
  const signs = rehash.of(connection);
  if (signs === null) return [{ finding: 'rehash', score: against > 0 ? 12 : 30, evidence: [] }];
  return [
    { finding: 'rehash', score: against > 0 ? signs.score - 45 : signs.score, evidence: signs.evidence },
  ];
}

/** A table on the way forgot it: by its age against the others', or by an age that tables are known for. */
export function forgotten(
  { connection, server: group, figures }: Situation,
  away: string | null,
): Hypothesis[] {
  const { gapNs } = connection;
  const timer = knownTimer(gapNs);
  const age = `it had been idle for ${namedAge(gapNs)}`;
  const nearer = away === null ? [] : [away];
  const { ages } = figures();
  if (ages !== null && gapNs >= ages.forgottenFromNs) {
    const { forgotten: n, survivedToNs, forgottenFromNs } = ages;
    return [
      {
        finding: 'idle-timeout',
        score: away === null ? 82 : 94,
        evidence: [
          age,
          `all ${n} that were lost had been idle for ${milliseconds(forgottenFromNs)} or more, while nobody who lived on had been for more than ${milliseconds(survivedToNs)}`,
          ...nearer,
        ],
      },
    ];
  }
  if (gapNs < LONG_SILENCE_NS || gapNs < LONGER_BY * group.survivedToNs)
    return [{ finding: 'idle-timeout', score: gapNs < 1e9 ? 5 : 20, evidence: [] }];
  const score = (timer === null ? 68 : 84) + (away === null ? 0 : 8);
  return [{ finding: 'idle-timeout', score, evidence: [age, ...(timer === null ? [] : [timer]), ...nearer] }];
}

/** A stack that had the connection, or pretends to. */
function knowing(all: Situation): Hypothesis[] {
  const { connection, server: group, figures } = all;
  const { client } = connection;
  const away = distance(connection, group.ttls);
  const own = connection.resetIs(t.RST_SEQ_IS_OWN);
  const end = figures().massEnds.find(
    ({ fromNs, toNs }) => connection.resetNs >= fromNs && connection.resetNs <= toNs,
  );
  const unlike =
    connection.resetIs(t.RST_NO_ID) &&
    connection.has(t.IDENTIFIED_IN) &&
    connection.has(t.OPTIONS_IN) &&
    !connection.resetIs(t.RST_OPTIONS);
  const found: Hypothesis[] = [];
  if (end !== undefined) found.push(ended(end, 90));
  if (connection.resetIs(t.RST_UNPROVOKED))
    found.push(...forgotten(all, away).filter(({ score }) => score > 60));
  const evidence = [
    `${(connection.resetFlags & ACK) !== 0 ? 'RST+ACK' : 'RST'} from the server with ${own ? 'its own next sequence number: it knew the connection' : 'a sequence number that is neither its own next one nor the one acknowledged'}`,
  ];
  if (connection.has(t.AWAITING))
    evidence.push(
      `${milliseconds(connection.resetNs - client.lastNs)} after the client's data, before any response`,
    );
  const against: string[] = [];
  if (away !== null) against.push(away);
  if (unlike)
    against.push('it has neither the TCP options nor the identification that the server’s segments have');
  const idle = connection.resetIs(t.RST_UNPROVOKED) && connection.gapNs >= LONG_SILENCE_NS;
  const score = away !== null ? 45 : !own ? 55 : unlike ? 64 : idle ? 70 : 88;
  found.push({ finding: 'application-reset', score, evidence, against });
  if (away !== null) found.push({ finding: 'middlebox', score: 78, evidence: [away] });
  else if (unlike) found.push({ finding: 'middlebox', score: 52, evidence: against });
  return found;
}

/** a server seen with fewer segments has no usual TTL */
const TTL_CONNECTIONS = 2;

/**
 * The reset's TTL as a sign of another sender, or null: where no segment of this server came with that TTL, in any of
 * its connections. (Endpoints behind one VIP stand at several distances; all of them answer SYNs.)
 */
function distance(connection: Connection, ttls: TtlCounts): string | null {
  const ttl = connection.resetTtl;
  if (ttls.has(ttl)) return null;
  const { connections, low, high } = ttls.range();
  if (connections < TTL_CONNECTIONS) return null;
  const where = ttl > high ? 'nearer' : ttl < low ? 'farther away' : 'elsewhere';
  return `TTL ${ttl}, while every segment of the server came with ${ttlRange(low, high)}: sent from ${where}`;
}

function roundTrip({ roundTripNs }: Connection): string {
  return roundTripNs < 0 ? '' : `; a round trip takes ${milliseconds(roundTripNs)}`;
}

function seconds(ns: number): string {
  return (ns / 1e9).toFixed(3);
}
