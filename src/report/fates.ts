/** The order in which fates are shown, and which of them count as broken. */
import type { Fate, Summary } from '../verdict/verdict.js';

/** Best first, then from the loudest break to the quietest; `unknown` last. */
export const FATES: readonly Fate[] = [
  'delivered',
  'reset',
  'refused',
  'timeout',
  'endpoint-closed',
  'misdelivered',
  'unknown',
];

/** A broken flow did not get what its client asked for. `unknown` is not counted: nobody can tell. */
export function isBroken(fate: Fate): boolean {
  return fate !== 'delivered' && fate !== 'unknown';
}

export function brokenFlows(summary: Summary): number {
  let broken = 0;
  for (const fate of FATES) if (isBroken(fate)) broken += summary.byFate[fate] ?? 0;
  return broken;
}
