import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ipv4 } from '../../../src/addr/address.js';
import type { TimelineEvent } from '../../../src/cluster/model.js';
import { loadScenario } from '../../../src/cluster/scenario/load-scenario.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { isBroken } from '../../../src/verdict/fates.js';
import { replay } from '../../../src/verdict/replay.js';
import { Dice, randomIndex } from '../../support/random-world.js';
import { smallCluster } from '../../support/small-cluster.js';

const index = randomIndex(new Dice(3), 60);
const CAPTURES = join(import.meta.dirname, '..', '..', '..', 'captures');
const recorded = readCapture(join(CAPTURES, 'cluster-withdraw.pcap.gz'));
const scenario = join(CAPTURES, 'cluster-withdraw.yaml');
const { model } = loadScenario([{ name: scenario, text: readFileSync(scenario, 'utf8') }]);
const summaryOf = (timeline: readonly TimelineEvent[]) => replay(recorded, { ...model, timeline }).summary;

describe('what can be concluded', () => {
  test('is nothing where no packet goes to a VIP', () => {
    const { summary } = replay(index, smallCluster({ service: { vips: [ipv4(0x01020304)] } }));
    expect(summary.verdict).toBe('inconclusive');
    expect(summary.judged).toBe(0);
    expect(summary.unjudged).toEqual({ 'no-vip': 60 });
    expect(summary.brokenShare).toBeNull();
  });

  test('is nothing where every event lies outside the capture', () => {
    expect(summaryOf([{ at: 1e6, kind: 'withdraw', node: 1 }]).verdict).toBe('inconclusive');
  });

  test('is that none broke where an event meets connections and changes nothing, or where there is no event', () => {
    expect(summaryOf([{ at: 4, kind: 'announce', node: 1 }]).verdict).toBe('none-broken');
    expect(summaryOf([]).verdict).toBe('none-broken');
  });

  test('is that connections broke as soon as one did', () => {
    const { verdict, broken, judged, brokenShare } = summaryOf([{ at: 4, kind: 'withdraw', node: 1 }]);
    expect(verdict).toBe('broken');
    expect(broken).toBeGreaterThan(0);
    expect(brokenShare).toBeCloseTo(broken / judged);
  });
});

describe('the counts of a summary', () => {
  test('are those of the verdicts, of the whole, by service and by whom it hit', () => {
    const result = replay(index, smallCluster({ timeline: [{ at: 4, kind: 'withdraw', node: 1 }] }));
    const { summary } = result;
    const verdicts = Array.from({ length: result.flowCount }, (_, row) => result.flowVerdict(row));
    const judged = verdicts.filter((verdict) => verdict.judged);
    const broken = verdicts.filter(({ fate }) => isBroken(fate));
    expect(summary.judged).toBe(judged.length);
    expect(summary.broken).toBe(broken.length);
    for (const { fate, judged: isJudged, unjudged } of verdicts) {
      expect(isJudged).toBe(fate !== 'unknown');
      expect(unjudged === null).toBe(isJudged);
    }
    for (const service of summary.byService) {
      const own = verdicts.filter((verdict) => verdict.service === service.service);
      expect(service.flows).toBe(own.length);
      expect(service.broken).toBe(own.filter(({ fate }) => isBroken(fate)).length);
    }
    const sum = (rows: readonly { readonly broken: number }[]): number =>
      rows.reduce((total, row) => total + row.broken, 0);
    expect(sum(summary.hits.minutes)).toBe(broken.length);
    expect(sum(summary.hits.nodes)).toBeLessThanOrEqual(broken.length);
    expect(summary.hits.clientsBroken).toBe(new Set(broken.map(({ src }) => src)).size);
  });
});
