/** The records of `flowfate/report/1`, one at a time and in their order, as json and ndjson write them. */
import type { ReplayResult, Summary } from '../verdict/verdict.js';

export const REPORT_SCHEMA = 'flowfate/report/1';

/** How long a run took; in the summary only where asked for, because it differs from run to run. */
export interface Timing {
  readonly wallS: number;
  readonly packetsPerS: number;
}

export function summaryRecord(result: ReplayResult, timing: Timing | null): Summary & { timing?: Timing } {
  return timing === null ? result.summary : { ...result.summary, timing };
}
