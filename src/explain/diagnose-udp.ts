/** UDP has no acknowledgements: only a protocol that answers every request says something by its silence. */
import { lossSign, transmissionsNeeded } from './capture-loss.js';
import * as t from './connection-table.js';
import { concludeFrom, type Diagnosis, type Hypothesis } from './finding.js';
import { PATIENCE_NS, type Situation } from './situation.js';
import { milliseconds, times } from './words.js';

/** Services whose every request is answered, by well-known port. */
const ANSWERING: Readonly<Record<number, string>> = {
  53: 'DNS',
  123: 'NTP',
  161: 'SNMP',
  3478: 'STUN',
  853: 'DNS over QUIC',
};

export function diagnoseUdp(situation: Situation): Diagnosis {
  const { connection, icmp, endNs } = situation;
  const { client, server } = connection;
  const refusal = icmp.find(
    ({ kind, quotes }) => quotes === 'client' && (kind === 'refused' || kind === 'prohibited'),
  );
  const service = ANSWERING[connection.serverPort] ?? (connection.has(t.QUIC) ? 'QUIC' : null);
  const found: Hypothesis[] = [];
  if (refusal !== undefined && server.packets === 0) {
    found.push({ finding: 'refused', score: 92, evidence: [`${refusal.what}, from ${refusal.from}`] });
  }
  if (connection.toMany)
    found.push({ finding: 'ordinary', score: 70, evidence: ['sent to many: nobody need answer'] });
  else if (server.packets > 0 && client.packets > 0) found.push(...answered(situation, service));
  else if (server.packets > 0)
    found.push({
      finding: 'cannot-tell',
      score: 80,
      evidence: ['only datagrams of the server are in the capture'],
    });
  else if (service === null) {
    found.push({
      finding: 'cannot-tell',
      score: 80,
      evidence: [
        'UDP has no acknowledgements, and nothing says that this protocol answers: silence means nothing',
      ],
    });
  } else {
    const waited = endNs - client.lastNs;
    const sign = `${service}: sent ${times(client.packets)}, no answer in ${milliseconds(endNs - connection.firstNs)}`;
    if (waited < PATIENCE_NS && client.packets === 1) {
      found.push({
        finding: 'cannot-tell',
        score: 60,
        evidence: [`${sign}: it may have come after the capture`],
      });
    } else if (client.packets < transmissionsNeeded(situation.loss, connection)) {
      const lost = lossSign(situation.loss, connection, client.packets);
      found.push({ finding: 'cannot-tell', score: 66, evidence: [sign, lost] });
    } else if (situation.neighbours.udpTwoSided === 0) {
      found.push({
        finding: 'cannot-tell',
        score: 70,
        evidence: [sign, 'no datagram of any server is in the capture: it may show one direction only'],
      });
    } else {
      found.push({ finding: 'unanswered-data', score: client.packets > 1 ? 82 : 64, evidence: [sign] });
    }
  }
  return concludeFrom(found, connection.endNs);
}

function answered({ connection, endNs, loss }: Situation, service: string | null): Hypothesis[] {
  const { client } = connection;
  const open = client.openSinceNs;
  const isSure = client.transmissions >= transmissionsNeeded(loss, connection);
  if (isSure && service !== null && service !== 'QUIC' && open >= 0 && endNs - open >= PATIENCE_NS) {
    return [
      {
        finding: 'unanswered-data',
        score: client.transmissions > 1 ? 66 : 50,
        evidence: [
          `${service}: earlier requests were answered, the last ${times(client.transmissions)} not in ${milliseconds(endNs - open)}`,
        ],
      },
    ];
  }
  return [{ finding: 'ordinary', score: 85, evidence: ['both sides spoke'] }];
}
