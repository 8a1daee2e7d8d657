/**
 * Packets that were lost in capturing, and what a silence is worth then: an answer may be among them. A capture loses
 * packets in bursts and by share; a silence counts where it is improbable that every answer to it was lost.
 */
import type { Connection } from './connection.js';
import * as t from './connection-table.js';

/** the chance that all answers were lost in capturing must be below this */
const MOST_DOUBT = 0.001;
/** more transmissions than this are never asked for: a stack gives up */
const MOST_TRANSMISSIONS = 8;
/** with a connection's own octets missing, chance is not all */
const LEAST_WITH_LOSS = 3;
const LEAST_WITH_ANY = 2;

export interface LossSigns {
  /** connections whose acknowledged octets are not in the capture */
  readonly connections: number;
  /** of all packets, how many were lost at least; 0: no sign of any */
  readonly rate: number;
}

export const NO_LOSS: LossSigns = { connections: 0, rate: 0 };

/** `dropped`: what the file's counters say; null where it has none. */
export function surveyLoss(
  connection: Connection,
  rows: Int32Array,
  packets: number,
  dropped: number | null,
): LossSigns {
  let connections = 0;
  for (const row of rows) if (connection.moveTo(row).has(t.LOST_IN | t.LOST_OUT)) connections++;
  const lost = Math.max(dropped ?? 0, connections);
  return { connections, rate: lost === 0 ? 0 : lost / (packets + lost) };
}

/** How often something must have been sent for its silence to mean anything; 1 where nothing was lost. */
export function transmissionsNeeded({ rate }: LossSigns, connection: Connection): number {
  const own = connection.has(t.LOST_IN | t.LOST_OUT) ? LEAST_WITH_LOSS : 1;
  if (rate === 0) return own;
  const byChance = Math.ceil(Math.log(MOST_DOUBT) / Math.log(rate));
  return Math.max(own, LEAST_WITH_ANY, Math.min(MOST_TRANSMISSIONS, byChance));
}

/** Why a silence is not judged, as a sentence. */
export function lossSign({ rate }: LossSigns, connection: Connection, sent: number): string {
  const own = connection.has(t.LOST_IN | t.LOST_OUT)
    ? 'octets of this connection were acknowledged that the capture does not hold'
    : `at least ${(100 * rate).toPrecision(2)} % of the packets were lost in capturing`;
  return `${own}: that ${sent === 1 ? 'the answer is' : `the answers to ${sent} transmissions are`} not in it may be the capture's fault`;
}
