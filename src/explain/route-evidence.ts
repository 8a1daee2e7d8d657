/** What is known of the router's next hops from outside of the connections: a scenario, BGP, an MRT dump. */

/** A predicted change of a connection's next hop: the client's packet at `atNs` was the first on the new way. */
export interface PredictedMove {
  readonly atNs: number;
  readonly from: string;
  readonly to: string;
}

/** A change of the route towards a server's address. */
export interface RouteChange {
  readonly atNs: number;
  readonly detail: string;
  /** by address text, as `formatAddress` writes it */
  covers(server: string): boolean;
}

export interface RouteEvidence {
  /** moves of a five-tuple in order of time, or null where the source says nothing of it */
  movesOf(key: string): readonly PredictedMove[] | null;
  readonly changes: readonly RouteChange[];
  /** "the scenario", "BGP in the capture", … */
  readonly source: string;
}

/** How {@link RouteEvidence.movesOf} is asked. */
export function moveKey(client: string, clientPort: number, server: string, serverPort: number): string {
  return `${client} ${clientPort} ${server} ${serverPort}`;
}

/**
 * The chance that a draw of `hits` out of `all` connections holds `hitsMoved` or more of the `moved` ones
 * (hypergeometric upper tail).
 */
export function chanceOf(hitsMoved: number, hits: number, moved: number, all: number): number {
  let sum = 0;
  for (let k = hitsMoved; k <= Math.min(hits, moved); k++) {
    sum += Math.exp(logChoose(moved, k) + logChoose(all - moved, hits - k) - logChoose(all, hits));
  }
  return Math.min(1, sum);
}

function logChoose(n: number, k: number): number {
  if (k < 0 || k > n) return Number.NEGATIVE_INFINITY;
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

const FACTORIALS = [0, 0];

function logFactorial(n: number): number {
  for (let i = FACTORIALS.length; i <= n; i++) FACTORIALS.push(FACTORIALS[i - 1]! + Math.log(i));
  return FACTORIALS[n]!;
}
