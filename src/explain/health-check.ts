/** Monitors that open connections and send nothing. */
import type { Hypothesis } from './finding.js';
import type { Situation } from './situation.js';
import { milliseconds } from './words.js';

/** A series of connections without an octet of data from one client to one port. `end`: what ended this one. */
export function checked({ connection, neighbours }: Situation, end: string): Hypothesis[] {
  const { count, regular, everyNs } = neighbours.seriesOf(connection);
  if (count === 0) return [];
  return [
    {
      finding: 'health-check',
      score: regular ? 97 : 80,
      evidence: [
        `a connection without an octet of data, ended by ${end}`,
        `its client opened ${count} such connections to this port${regular ? `, one every ${milliseconds(everyNs)}` : ''}`,
      ],
    },
  ];
}
