import { describe, expect, test } from 'vitest';
import { type Answer, DEFAULT_PROBE, type Probes, runProbes } from '../../../src/control/kubelet-probe.js';

const both: Probes = { readiness: DEFAULT_PROBE, liveness: DEFAULT_PROBE, startupS: 2 };
const never = Number.POSITIVE_INFINITY;

const between =
  (fromS: number, toS: number, latencyS: number): Answer =>
  (atS) =>
    atS >= fromS && atS < toS ? latencyS : 0;

function events(probes: Probes, answer: Answer, toS = 600): string[] {
  return runProbes(probes, answer, 0, toS, 0.5).map(({ atS, outcome }) => `${atS} ${outcome}`);
}

describe('kubelet', () => {
  test('does nothing about a container that answers, or answers just in time', () => {
    expect(events(both, () => 0)).toEqual([]);
    expect(events(both, () => 1)).toEqual([]);
  });

  test('takes a container out after three failures and back in after one success', () => {
    const readiness: Probes = { ...both, liveness: null };
    // probes at 5, 15, 25 …; each failure is known after the timeout of 1 s
    expect(events(readiness, between(10, 50, never))).toEqual(['36 unready', '55 ready']);
  });

  test('does not mind two failures in a row', () => {
    expect(events(both, between(10, 30, never))).toEqual([]);
  });

  test('kills what fails its liveness probe, at once the first time and after a back-off that doubles', () => {
    const liveness: Probes = { readiness: null, liveness: DEFAULT_PROBE, startupS: 0 };
    const seen = runProbes(liveness, () => never, 0, 300, 0.5);
    const restarts = seen.filter(({ outcome }) => outcome === 'restart').map(({ atS }) => atS);
    const starts = seen.filter(({ outcome }) => outcome === 'started').map(({ atS }) => atS);
    expect(starts.map((atS, i) => atS - restarts[i]!)).toEqual([0, 10, 20, 40, 80].slice(0, starts.length));
    expect(restarts[0]).toBe(26);
    expect(starts.length).toBeGreaterThanOrEqual(4);
  });

  test('counts a restarted container ready only after its process serves and its probe succeeds', () => {
    const seen = events(both, between(10, 40, never), 200);
    expect(seen).toEqual(['36 unready', '36 restart', '36 started', '41 ready']);
  });

  test('drops the ticks that fall into a probe that is still running', () => {
    const slow: Probes = {
      readiness: { ...DEFAULT_PROBE, periodS: 1, timeoutS: 5, failureThreshold: 1 },
      liveness: null,
      startupS: 0,
    };
    const sent: number[] = [];
    runProbes(
      slow,
      (atS) => {
        sent.push(atS);
        return 2.5;
      },
      0,
      10,
      0,
    );
    expect(sent).toEqual([0, 3, 6, 9]);
  });
});
