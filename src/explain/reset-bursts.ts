/**
 * Resets and hangs that fall together in time. One connection that breaks has many possible reasons; many that
 * break within a second, while others to the same server go on, have met a changed route.
 */
import type { Finding } from './flow-autopsy.js';

/** Breaks further apart belong to different bursts. */
const GAP_S = 1;
/** Fewer are coincidence. */
const LEAST = 3;
/** A moved flow that is closing hangs; it shows when the client closes, which may be a while after. */
const HANG_WITHIN_S = 5;

export interface DatedFinding {
  readonly flow: number;
  readonly finding: Finding;
}

export interface ResetBurst {
  readonly from: number;
  readonly to: number;
  /** flows reset by a stack that did not know them */
  readonly flows: number;
  /** flows that fell silent meanwhile or shortly after */
  readonly hangs: number;
}

/** Bursts in order of time. `findings` in any order. */
export function findBursts(findings: readonly DatedFinding[]): ResetBurst[] {
  const times = findings
    .filter(({ finding }) => finding.kind === 'looks-rehashed')
    .map(({ finding }) => finding.at)
    .sort((a, b) => a - b);
  const hangs = findings
    .filter(({ finding }) => finding.kind.startsWith('no-answer-'))
    .map(({ finding }) => finding.at);
  const bursts: ResetBurst[] = [];
  for (let first = 0; first < times.length; ) {
    let last = first;
    while (last + 1 < times.length && times[last + 1]! - times[last]! <= GAP_S) last++;
    if (last - first + 1 >= LEAST) {
      const from = times[first]!;
      const to = times[last]!;
      bursts.push({
        from,
        to,
        flows: last - first + 1,
        hangs: hangs.filter((at) => at >= from - GAP_S && at <= to + HANG_WITHIN_S).length,
      });
    }
    first = last + 1;
  }
  return bursts;
}
