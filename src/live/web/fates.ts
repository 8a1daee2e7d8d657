/** Every fate by its name, for those who ask for one. */
import type { Fate } from '../../verdict/verdict.js';

export const FATES = [
  'delivered',
  'reset',
  'refused',
  'timeout',
  'endpoint-closed',
  'misdelivered',
  'unknown',
] as const satisfies readonly Fate[];
