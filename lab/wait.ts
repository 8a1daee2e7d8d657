/** Waiting for the world: a probe is asked again until it answers, or the wait fails with a sentence. */

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** what to show when the wait fails: the last look at what was waited for */
  readonly seen?: () => unknown;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Thrown by a probe that knows that what is waited for will never come. */
export class Hopeless extends Error {}

/** The first answer of `probe` that is neither undefined, null nor false; a probe that throws has not answered yet. */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  { timeoutMs = 30_000, everyMs = 50, seen }: WaitOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const start = performance.now();
  let complaint = '';
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== null && answer !== false) {
        return answer as NonNullable<Exclude<T, false>>;
      }
      complaint = '';
    } catch (error) {
      if (error instanceof Hopeless) throw new Error(`${what}: ${error.message}`);
      complaint = ` (${(error as Error).message})`;
    }
    if (performance.now() - start > timeoutMs) break;
    await sleep(everyMs);
  }
  const last = seen === undefined ? '' : `; last seen: ${JSON.stringify(await seen())}`;
  throw new Error(`waited ${timeoutMs / 1000} s for ${what}${complaint}${last}`);
}
