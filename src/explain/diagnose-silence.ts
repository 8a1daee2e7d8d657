/** The hypotheses about a connection in which somebody waited in vain until the end of the capture. */
import { lossSign, transmissionsNeeded } from './capture-loss.js';
import * as t from './connection-table.js';
import { forgotten, moved } from './diagnose-reset.js';
import type { Hypothesis } from './finding.js';
import { PATIENCE_NS, type Situation } from './situation.js';
import { milliseconds, times } from './words.js';

/** A repeated segment is full-size from here on (RFC 1122 section 4.2.2.6: 536 always passes). */
const FULL_SIZE_BYTES = 537;
/** a full-size segment sent this often, while small ones arrive */
const PMTU_TRANSMISSIONS = 3;
/** a server falls silent for all: so many connections, and it said nothing to anybody since */
const SILENT_LEAST = 3;
const SILENT_TOGETHER_NS = 3e9;
/** fewer transmissions than this may be a lost packet or the end of the capture */
const SURE_TRANSMISSIONS = 2;

/** `since`: when the waiting began, -1 where nobody waits. */
export function diagnoseSilence(situation: Situation, since: number): Hypothesis[] {
  const { connection, endNs } = situation;
  if (connection.has(t.SAW_SYN) && !connection.has(t.SAW_SYNACK) && connection.server.packets === 0) {
    return unansweredSyn(situation);
  }
  if (
    connection.has(t.SAW_SYNACK) &&
    !connection.has(t.SAW_HANDSHAKE_ACK | t.SAW_DATA_OUT) &&
    connection.synAcks > 1
  ) {
    return [
      {
        finding: connection.syns > 1 ? 'unanswered-syn' : 'cannot-tell',
        score: connection.syns > 1 ? 70 : 60,
        evidence: [
          `the SYN was sent ${times(connection.syns)}, its SYN+ACK ${times(connection.synAcks)}, and the handshake never completed`,
          connection.syns > 1
            ? 'the way back to the client is broken'
            : 'the client went unanswered, or never existed: its address may be forged',
        ],
      },
    ];
  }
  if (since < 0 || connection.resetNs >= 0) return [];
  const { client, server } = connection;
  const clientWaits = client.openSinceNs >= 0;
  if (!clientWaits && server.openSinceNs < 0) return [];
  const pmtu = blackHole(situation);
  const waiting =
    clientWaits && (server.openSinceNs < 0 || client.openSinceNs <= server.openSinceNs) ? client : server;
  const who = waiting === client ? 'client' : 'server';
  const what = waiting.openIsFin ? 'FIN' : 'data';
  const tries = waiting.transmissions;
  if (tries < transmissionsNeeded(situation.loss, connection)) {
    const sign = lossSign(situation.loss, connection, tries);
    return [{ finding: 'cannot-tell', score: 62, evidence: [sign] }];
  }
  if (tries < SURE_TRANSMISSIONS && (client.missing || server.missing || situation.neighbours.withoutAcks)) {
    return [notSure(situation)];
  }
  const evidence = (): string[] => [
    `the ${who} sent its ${what} ${times(tries)} in ${milliseconds(waiting.lastNs - waiting.openSinceNs)}, without an answer until the end of the capture ${milliseconds(endNs - waiting.lastNs)} later`,
    ...icmpSigns(situation),
  ];
  const silence: Hypothesis = {
    finding: waiting.openIsFin ? 'unanswered-fin' : 'unanswered-data',
    score: tries >= SURE_TRANSMISSIONS ? 80 : 58,
    evidence,
    against: waiting.missing
      ? ['segments of this connection are not in the capture: the answer may be one of them']
      : [],
  };
  const found = [...pmtu, silence, ...moved(situation, 0)];
  if (!waiting.openIsFin && who === 'client')
    found.push(...forgotten(situation, null), deadServer(situation));
  if (waiting.openIsFin) found.push({ finding: 'idle-timeout', score: 16, evidence: [] });
  if (who === 'server' && pmtu.length === 0) found.push({ finding: 'client-abort', score: 20, evidence: [] });
  return found;
}

/** Sent once, in a capture that lacks what could have answered it. */
function notSure({ neighbours }: Situation): Hypothesis {
  const sign = neighbours.withoutAcks
    ? 'no segment in the capture merely acknowledges: it was filtered, and the answer may be among what is missing'
    : 'segments of this connection are not in the capture: the answer may be one of them';
  return { finding: 'cannot-tell', score: 62, evidence: [sign] };
}

function unansweredSyn({ connection, endNs, figures, icmp, loss }: Situation): Hypothesis[] {
  const waited = endNs - connection.firstNs;
  const refusal = icmp.find(
    ({ kind, quotes }) => quotes === 'client' && (kind === 'refused' || kind === 'prohibited'),
  );
  if (refusal !== undefined) {
    return [{ finding: 'refused', score: 90, evidence: [`${refusal.what}, from ${refusal.from}`] }];
  }
  if (waited < PATIENCE_NS && connection.syns < SURE_TRANSMISSIONS) {
    const sign = `the capture ends ${milliseconds(waited)} after the SYN: an answer may have come later`;
    return [{ finding: 'cannot-tell', score: 60, evidence: [sign] }];
  }
  if (connection.syns < transmissionsNeeded(loss, connection)) {
    return [{ finding: 'cannot-tell', score: 60, evidence: [lossSign(loss, connection, connection.syns)] }];
  }
  const { accepted, none } = figures().syns;
  const evidence = (): string[] => {
    const signs = [
      `SYN sent ${times(connection.syns)}, no answer until the end of the capture`,
      ...icmpText(icmp),
    ];
    if (accepted > 0) {
      signs.push(`${accepted} other SYNs to this address and port were answered, ${none} were not`);
    } else if (none > 1) {
      signs.push(
        `none of ${none} SYNs to this address and port was answered: nothing behind it, or everything to it is dropped`,
      );
    }
    return signs;
  };
  return [
    { finding: 'unanswered-syn', score: connection.syns >= SURE_TRANSMISSIONS ? 92 : 75, evidence },
    { finding: 'rehash', score: accepted > 0 ? 25 : 0, evidence: [] },
    { finding: 'endpoint-died', score: 22, evidence: [] },
  ];
}

/** Full-size segments are repeated in vain while small ones get through (RFC 2923 section 2.1). */
function blackHole({ connection, icmp }: Situation): Hypothesis[] {
  for (const [side, name] of [
    [connection.server, 'server'],
    [connection.client, 'client'],
  ] as const) {
    if (side.openSinceNs < 0 || side.openIsFin) continue;
    const tooBig = icmp.find(({ kind, quotes }) => kind === 'too-big' && quotes === name);
    const full = side.repeatedPayload >= FULL_SIZE_BYTES && side.repeatedPayload > side.biggestAcked;
    const evidence: string[] = [];
    if (tooBig !== undefined) {
      evidence.push(
        `${tooBig.what}${tooBig.mtu > 0 ? `, next MTU ${tooBig.mtu}` : ''}, from ${tooBig.from}, ${times(tooBig.count)}: the ${name} did not hear it, or sent on regardless`,
      );
    }
    if (full) {
      const passed =
        side.biggestAcked > 0
          ? `the biggest that got through has ${side.biggestAcked}`
          : 'no data got through';
      evidence.push(
        `the ${name} sent a segment of ${side.repeatedPayload} octets ${times(side.transmissions)} in vain; ${passed}`,
      );
    }
    if (tooBig !== undefined && side.transmissions >= 2)
      return [{ finding: 'pmtu-black-hole', score: 96, evidence }];
    if (
      full &&
      side.transmissions >= PMTU_TRANSMISSIONS &&
      (side.biggestAcked > 0 || side.payload > side.repeatedPayload)
    ) {
      return [{ finding: 'pmtu-black-hole', score: side.biggestAcked > 0 ? 84 : 50, evidence }];
    }
  }
  return [];
}

/** The server said nothing to anybody any more, from about the same moment on. */
function deadServer({ connection, server: group, figures }: Situation): Hypothesis {
  const { firstSilenceNs } = figures();
  const silent = group.silentHits.length;
  const together =
    silent >= SILENT_LEAST &&
    group.resetHits.length === 0 &&
    group.lastServerNs <= firstSilenceNs &&
    connection.client.openSinceNs - firstSilenceNs <= SILENT_TOGETHER_NS;
  if (!together) return { finding: 'endpoint-died', score: 25, evidence: [] };
  const sign = `all ${silent} connections of this server that were used went unanswered together, and it has said nothing since`;
  return { finding: 'endpoint-died', score: 86, evidence: [sign] };
}

function icmpSigns({ icmp }: Situation): string[] {
  return icmpText(icmp.filter(({ kind }) => kind !== 'too-big'));
}

function icmpText(icmp: Situation['icmp']): string[] {
  return icmp.map(({ what, from, count }) => `${what}, from ${from}, ${times(count)}`);
}
