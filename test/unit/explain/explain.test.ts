import { describe, expect, it } from 'vitest';
import { explain, suspectFlows } from '../../../src/explain/explain.js';
import type { Finding } from '../../../src/explain/flow-autopsy.js';
import { FLOW_FIN_IN, FLOW_FIN_OUT, FLOW_RST_IN } from '../../../src/flow/flow-columns.js';
import { madeResult } from '../report/made-result.js';

const rehashed = (at: number): Finding => ({ kind: 'looks-rehashed', at, evidence: [] });

/** 12 flows; each client sends one packet at 5 s. */
function madeIndex() {
  const { index } = madeResult();
  for (let f = 0; f < 12; f++) index.packets.push(f << 1, 0, 5e9);
  return index;
}

describe('suspectFlows()', () => {
  it('leaves out only what closed from both sides without a reset', () => {
    const { index } = madeResult();
    index.flows.marks[0] = FLOW_FIN_IN | FLOW_FIN_OUT;
    index.flows.marks[1] = FLOW_FIN_IN | FLOW_FIN_OUT | FLOW_RST_IN;
    index.flows.marks[2] = FLOW_FIN_OUT;
    index.flows.proto[3] = 17;
    expect([...suspectFlows(index)]).toEqual([0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
  });
});

describe('explain()', () => {
  it('takes a part of the active flows for a changed set of next hops, and names the event before', () => {
    const findings = new Map([0, 1, 2].map((f) => [f, rehashed(5 + f / 1000)] as const));
    const { bursts, summary } = explain(madeIndex(), findings, 0, [
      { at: 1, detail: 'too early' },
      { at: 4.5, detail: 'n2 withdraws' },
      { at: 6, detail: 'too late' },
    ]);
    expect(bursts).toHaveLength(1);
    expect(bursts[0]).toMatchObject({ id: 'b1', flows: 3, active: 12, event: 'n2 withdraws at 4.500 s' });
    expect(bursts[0]?.reading).toContain('changed set of next hops');
    expect(summary.byFinding).toEqual({ 'looks-rehashed': 3, 'ordinary-close': 9 });
  });

  it('takes all of them for a lost table or a restarted endpoint', () => {
    const findings = new Map(Array.from({ length: 12 }, (_, f) => [f, rehashed(5)] as const));
    const { bursts } = explain(madeIndex(), findings, 0, []);
    expect(bursts[0]?.reading).toContain('every flow that sent was reset');
    expect(bursts[0]?.event).toBeNull();
  });

  it('judges TCP only, and says so', () => {
    const index = madeIndex();
    index.flows.proto[0] = 17;
    const { findingOf, summary } = explain(index, new Map(), 0, []);
    expect(findingOf(0)).toBeNull();
    expect(summary.judged).toBe(11);
    expect(summary.notes.join()).toContain(
      'not TCP and without acknowledgements silence means nothing: 1 of the flows',
    );
  });

  it('says that a capture of one direction tells nothing of answers', () => {
    const index = madeIndex();
    index.flows.packetsIn.fill(0);
    expect(explain(index, new Map(), 0, []).summary.notes.join()).toContain('one direction only');
  });
});
