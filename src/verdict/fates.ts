/** The order in which fates are shown, and which of them count as broken. */
import type { Fate, Summary } from './verdict.js';

/** Best first, then from the loudest break to the quietest; `unknown` last. */
export const FATES = [
  'delivered',
  'reset',
  'refused',
  'timeout',
  'endpoint-closed',
  'misdelivered',
  'unknown',
] as const satisfies readonly Fate[];

/** The bad ones, whose sum is "broke". */
export const BROKEN_FATES: readonly Fate[] = FATES.filter(isBroken);

/** A broken flow did not get what its client asked for. `unknown` is not counted: nobody can tell. */
export function isBroken(fate: Fate): boolean {
  return fate !== 'delivered' && fate !== 'unknown';
}

export function noFates(): Record<Fate, number> {
  return {
    delivered: 0,
    reset: 0,
    refused: 0,
    timeout: 0,
    'endpoint-closed': 0,
    misdelivered: 0,
    unknown: 0,
  };
}

export function brokenOf(byFate: Readonly<Record<Fate, number>>): number {
  return BROKEN_FATES.reduce((sum, fate) => sum + (byFate[fate] ?? 0), 0);
}

/** Part of the judged connections; null where nothing was judged. */
export function shareOf(part: number, { judged }: Pick<Summary, 'judged'>): number | null {
  return judged === 0 ? null : part / judged;
}
