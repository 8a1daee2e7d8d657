/**
 * What a walk cannot know by itself: draws, counters of rules, and answers that nobody has. A walk asks; whoever runs it
 * again and again answers with each possibility in turn (outcomes.ts).
 */
export interface Decisions {
  /** One of several, drawn by the kernel with these probabilities (their sum is 1). */
  draw(probabilities: readonly number[]): number;
  /** Does this hold? Nobody can say; `why` names the rule and what is not understood in it. */
  unknown(why: string): boolean;
  /** The value of a counter of a rule, 0 .. modulus-1; each asking counts it up. */
  counted(counter: object, modulus: number, first: number): number;
}
