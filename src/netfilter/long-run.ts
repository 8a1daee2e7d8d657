/** The share of time that a Markov chain spends in each of its states in the long run, begun in state 0. */

export function longRunShares(
  states: number,
  steps: readonly (readonly [from: number, to: number, probability: number])[],
): Float64Array {
  const chance = Array.from({ length: states }, () => new Float64Array(states));
  for (const [from, to, probability] of steps) chance[from]![to]! += probability;
  const recurrent = recurrentStates(chance);
  return solve(chance, recurrent);
}

/** States of the closed class that state 0 ends in. Counters make one class: from anywhere in it everything in it is reached. */
function recurrentStates(chance: readonly Float64Array[]): number[] {
  const reach = (from: number): Set<number> => {
    const seen = new Set([from]);
    for (const at of seen) {
      chance[at]!.forEach((probability, to) => {
        if (probability > 0) seen.add(to);
      });
    }
    return seen;
  };
  let smallest = reach(0);
  for (const state of smallest) {
    const own = reach(state);
    if (own.size < smallest.size) smallest = own;
  }
  return [...smallest];
}

/** Gauss: shares times chances are the shares, and their sum is 1. */
function solve(chance: readonly Float64Array[], members: readonly number[]): Float64Array {
  const size = members.length;
  const rows = members.map((to, row) => {
    const line = new Float64Array(size + 1);
    if (row === size - 1) line.fill(1);
    else {
      members.forEach((from, column) => {
        line[column] = chance[from]![to]! - (from === to ? 1 : 0);
      });
    }
    return line;
  });
  for (let pivot = 0; pivot < size; pivot++) {
    let best = pivot;
    for (let row = pivot; row < size; row++) {
      if (Math.abs(rows[row]![pivot]!) > Math.abs(rows[best]![pivot]!)) best = row;
    }
    [rows[pivot], rows[best]] = [rows[best]!, rows[pivot]!];
    const line = rows[pivot]!;
    if (Math.abs(line[pivot]!) < 1e-14) continue;
    for (let row = 0; row < size; row++) {
      if (row === pivot) continue;
      const factor = rows[row]![pivot]! / line[pivot]!;
      if (factor === 0) continue;
      for (let column = pivot; column <= size; column++) rows[row]![column]! -= factor * line[column]!;
    }
  }
  const shares = new Float64Array(chance.length);
  members.forEach((state, row) => {
    const value = rows[row]![size]! / rows[row]![row]!;
    shares[state] = Number.isFinite(value) ? Math.max(0, value) : 0;
  });
  return shares;
}
