/** What an nft expression is: a function that reads a value from the walk. */
import type { Value } from './nft-types.js';
import type { Unknown } from './packet.js';
import type { Walk } from './rule-set.js';

/** Null ends the rule. */
export type Read = Value | Unknown | null;

export interface Expression {
  readonly type: string;
  readonly read: (walk: Walk) => Read;
  /** of a concatenation */
  readonly parts?: readonly Expression[];
  /** a 32-bit random number: comparisons are draws */
  readonly random?: true;
  readonly constant?: true;
}
