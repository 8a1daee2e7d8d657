/** Figures in sentences of a diagnosis. Times come in nanoseconds. */

export function milliseconds(ns: number): string {
  const ms = ns / 1e6;
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${ms.toFixed(ms < 10 ? 2 : 1)} ms`;
}

export function times(n: number): string {
  return n === 1 ? 'once' : `${n} times`;
}

export function ttlRange(low: number, high: number): string {
  return low === high ? String(low) : `${low} to ${high}`;
}

/** A chance, without the pretence of digits. */
export function chance(p: number): string {
  return p < 1e-12 ? 'less than 1e-12' : p.toExponential(0);
}
