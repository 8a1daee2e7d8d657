import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explainCapture } from '../../../src/explain/explain-capture.js';
import type { FindingKind } from '../../../src/explain/flow-autopsy.js';
import { flowRow } from '../../../src/flow/flow-rows.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { hasShared, sharedPath } from '../../support/shared.js';

/** What the clients' sockets saw, and the findings that say the same. */
const MEANS: Readonly<Record<string, readonly FindingKind[]>> = {
  rst: ['looks-rehashed'],
  'fin-unacked': ['no-answer-to-fin'],
  closed: ['ordinary-close', 'reset-after-close'],
  ok: ['open', 'ordinary-close', 'reset-after-close', 'client-reset'],
};

describe.skipIf(!hasShared)('explainCapture() on recorded runs of a real kernel', () => {
  it.each(['cluster-withdraw', 'local-add', 'cluster-resilient-withdraw-readd'])(
    'finds in %s for each flow what its client saw',
    (run) => {
      const capture = sharedPath('lab', 'runs', run, 'capture.pcap');
      const index = readCapture(capture);
      const explanation = explainCapture(capture, index);
      const findings = new Map<string, FindingKind | undefined>();
      for (let f = 0; f < index.flows.count; f++) {
        const row = flowRow(index.flows, f, null);
        findings.set(`${row.src} ${row.srcPort}`, explanation.findingOf(f)?.kind);
      }
      const [head = '', ...lines] = readFileSync(sharedPath('lab', 'runs', run, 'truth.tsv'), 'utf8')
        .trimEnd()
        .split('\n');
      const column = (name: string): number => head.split('\t').indexOf(name);
      const wrong: string[] = [];
      let judged = 0;
      for (const line of lines) {
        const cells = line.split('\t');
        const outcome = cells[column('outcome')]!;
        const found = findings.get(`${cells[column('src')]} ${cells[column('sport')]}`);
        const means = MEANS[outcome];
        if (means === undefined) continue;
        judged++;
        if (found === undefined || !means.includes(found)) wrong.push(`${cells[0]} ${outcome}: ${found}`);
      }
      expect(judged).toBeGreaterThan(500);
      expect(wrong).toEqual([]);
    },
  );

  it('finds the withdrawal of cluster-withdraw as one burst', () => {
    const capture = sharedPath('lab', 'runs', 'cluster-withdraw', 'capture.pcap');
    const { bursts } = explainCapture(capture, readCapture(capture));
    expect(bursts).toHaveLength(1);
    expect(bursts[0]?.flows).toBe(159);
    expect(bursts[0]?.reading).toContain('changed set of next hops');
  });
});
