/**
 * The handful of broken flows worth reading: one for every way in which flows broke, the busiest of each, the
 * most frequent way first. Looks at fates (cheap) for all flows and builds few verdicts (expensive).
 */

import { FATES, isBroken } from '../verdict/fates.js';
import type { Fate, FlowVerdict, ReplayResult } from '../verdict/verdict.js';

/** candidates per fate: the busiest flows */
const CANDIDATES = 32;
/** how many broken flows are opened in search of a cause that no candidate shows */
const SEARCH_LIMIT = 4000;

export function chooseExamples(result: ReplayResult, limit: number): FlowVerdict[] {
  const ways = new Map<string, FlowVerdict[]>();
  const add = (verdict: FlowVerdict): void => {
    const way = wayOf(verdict);
    const same = ways.get(way);
    if (same === undefined) ways.set(way, [verdict]);
    else same.push(verdict);
  };
  for (const rows of busiestBroken(result).values()) {
    for (const row of rows) add(result.flowVerdict(row));
  }
  searchMissing(result, ways, add);

  const ordered = [...ways.values()].sort((x, y) => frequency(result, y[0]!) - frequency(result, x[0]!));
  const chosen = ordered.map((way) => way[0]!).slice(0, limit);
  // One way only: a second flow, broken by another event if there is one.
  const [only] = ordered;
  if (ordered.length === 1 && only !== undefined && limit > 1) {
    const other = only.find(({ cause }) => cause?.event !== only[0]!.cause?.event) ?? only[1];
    if (other !== undefined) chosen.push(other);
  }
  return chosen;
}

/** Flows that broke in the same way have the same fate and reason. */
function wayOf({ fate, unanswered, cause }: FlowVerdict): string {
  return `${fate} ${unanswered ?? ''} ${cause?.reason ?? ''}`;
}

/** How many flows broke as this one did, as near as the summary tells. */
function frequency({ summary }: ReplayResult, verdict: FlowVerdict): number {
  const ofCause = verdict.cause === null ? 0 : (summary.byCause[verdict.cause.reason] ?? 0);
  return Math.min(summary.byFate[verdict.fate] ?? 0, ofCause || Number.POSITIVE_INFINITY);
}

/** Rows of the busiest broken flows of each fate, busiest first; ties go to the lower row. */
function busiestBroken(result: ReplayResult): Map<Fate, number[]> {
  const { packetsOut, packetsIn } = result.index.flows;
  const busyness = (record: number): number => {
    const row = result.flowTableRow(record);
    return packetsOut[row]! + packetsIn[row]!;
  };
  const best = new Map<Fate, number[]>();
  for (const fate of FATES) if (isBroken(fate)) best.set(fate, []);
  for (let row = 0; row < result.flowCount; row++) {
    const rows = best.get(result.fateOf(row));
    if (rows === undefined) continue;
    if (rows.length === CANDIDATES && busyness(rows[CANDIDATES - 1]!) >= busyness(row)) continue;
    let place = rows.length;
    while (place > 0 && busyness(rows[place - 1]!) < busyness(row)) place--;
    rows.splice(place, 0, row);
    if (rows.length > CANDIDATES) rows.pop();
  }
  return best;
}

/** Opens further broken flows until every cause of the summary has an example, within reason. */
function searchMissing(
  result: ReplayResult,
  ways: ReadonlyMap<string, readonly FlowVerdict[]>,
  add: (verdict: FlowVerdict) => void,
): void {
  const missing = new Set(Object.keys(result.summary.byCause).filter((r) => result.summary.byCause[r]! > 0));
  for (const [verdict] of ways.values()) missing.delete(verdict?.cause?.reason ?? '');
  let opened = 0;
  for (let row = 0; row < result.flowCount && missing.size > 0 && opened < SEARCH_LIMIT; row++) {
    if (!isBroken(result.fateOf(row))) continue;
    opened++;
    const verdict = result.flowVerdict(row);
    if (missing.delete(verdict.cause?.reason ?? '')) add(verdict);
  }
}
