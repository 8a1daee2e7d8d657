import { describe, expect, it } from 'vitest';
import type { FindingKind } from '../../../src/explain/flow-autopsy.js';
import { type DatedFinding, findBursts } from '../../../src/explain/reset-bursts.js';

const at = (kind: FindingKind, ...times: number[]): DatedFinding[] =>
  times.map((time, flow) => ({ flow, finding: { kind, at: time, evidence: [] } }));

describe('findBursts()', () => {
  it('finds none among scattered resets', () => {
    expect(findBursts(at('looks-rehashed', 1, 5, 9, 13))).toEqual([]);
  });

  it('joins resets less than a second apart, in whatever order they come', () => {
    expect(findBursts(at('looks-rehashed', 5.9, 5, 5.1, 20, 20.1, 20.2))).toEqual([
      { from: 5, to: 5.9, flows: 3, hangs: 0 },
      { from: 20, to: 20.2, flows: 3, hangs: 0 },
    ]);
  });

  it('counts the flows that fell silent meanwhile', () => {
    const findings = [
      ...at('looks-rehashed', 5, 5.1, 5.2),
      ...at('no-answer-to-fin', 5.5, 8),
      ...at('no-answer-to-data', 1, 30),
    ];
    expect(findBursts(findings)[0]?.hangs).toBe(2);
  });

  it('leaves ordinary ends out', () => {
    expect(findBursts(at('ordinary-close', 5, 5.1, 5.2))).toEqual([]);
  });
});
