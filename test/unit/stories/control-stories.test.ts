/** The stories of what Kubernetes itself does wrong: probes, limits, rules that are late, placement. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../../src/flow/read-capture.js';
import { findStory, runStory } from '../../../src/stories/run-story.js';
import type { StoryFigures } from '../../../src/stories/story-figures.js';

const index = readCapture(
  fileURLToPath(new URL('../../../captures/stories/web-sessions.pcap.gz', import.meta.url)),
);

function told(name: string): (run: string) => StoryFigures {
  const { runs } = runStory(findStory(name), index, { seeds: 4 });
  return (run) => runs.find((one) => one.name === run)!.figures!;
}

describe('cpu-throttling', () => {
  const run = told('cpu-throttling');

  test('takes the pod out below its limit where slices expire, and resets flows of others', () => {
    const { broken, byFate, measures } = run('failure');
    expect(measures.leftEndpoints).toBeGreaterThanOrEqual(1);
    // the others closed first: their FIN is INVALID at a node that does not know them
    expect(byFate.reset / broken.mean).toBeGreaterThan(0.7);
  });

  test.each(['slices-kept', 'fewer-threads', 'higher-limit', 'patient-probe'])(
    'breaks nothing with %s',
    (name) => {
      expect([run(name).measures.leftEndpoints, run(name).broken.mean]).toEqual([0, 0]);
    },
  );

  test('closes connections that still worked where a liveness probe asks the same', () => {
    expect(run('failure').byFate['endpoint-closed']).toBe(0);
    expect(run('liveness-as-readiness').byFate['endpoint-closed']).toBeGreaterThan(0);
  });
});

describe('stale-rules', () => {
  const run = told('stale-rules');
  const stale = (name: string): number => run(name).measures.staleSyns!;

  test('breaks connections towards pods that are gone until the rules are written, more the longer that takes', () => {
    expect(stale('failure')).toBeGreaterThan(stale('no-crash-loop'));
    expect(stale('no-crash-loop')).toBeGreaterThan(stale('quick-rules'));
    expect(stale('quick-rules')).toBeLessThan(1);
  });

  test('breaks none where pods serve on for two rounds', () => {
    expect(stale('pre-stop-wait')).toBe(0);
  });

  test('drops at a node that announces before its rules know a pod', () => {
    expect(run('policy-local').byCause['no-local-endpoint']).toBeGreaterThan(0);
    expect(run('failure').byCause['no-local-endpoint']).toBeUndefined();
  });
});

describe('lost-rack', () => {
  const run = told('lost-rack');
  const broken = (name: string): number => run(name).broken.mean;

  test('loses the whole service with one rack, and its share where replicas are spread', () => {
    expect(broken('failure') / run('failure').judged).toBeGreaterThan(0.6);
    expect(broken('spread-over-racks')).toBeLessThan(broken('spread-over-rooms'));
    expect(broken('spread-over-rooms')).toBeLessThan(broken('failure') / 3);
  });

  test('times out for as long as detection takes: BFD before hold time, hold time before the node grace period', () => {
    const silent = (name: string): number => run(name).byFate.timeout;
    expect(silent('spread-and-bfd')).toBeLessThan(silent('spread-over-racks'));
    expect(silent('spread-over-racks')).toBeLessThan(silent('spread-under-cluster'));
    expect(silent('quick-node-grace')).toBeLessThan(silent('spread-under-cluster'));
  });
});

describe('probes', () => {
  const run = told('probes');

  test('breaks flows for a dependency’s sake only where the probe asks it', () => {
    expect(run('failure').broken.mean).toBeGreaterThan(50);
    expect(run('own-health-only').broken.mean).toBe(0);
    expect(run('patient-readiness').broken.mean).toBe(0);
  });

  test('kills every pod where the liveness probe asks too', () => {
    expect(run('failure').measures.restarts).toBe(0);
    expect(run('liveness-asks-too').measures.restarts).toBeGreaterThanOrEqual(4);
    expect(run('liveness-asks-too').broken.mean).toBeGreaterThan(run('failure').broken.mean);
  });

  test('takes out the one pod that is in trouble, and under Cluster nothing else notices', () => {
    expect(run('one-pod-in-trouble').broken.mean).toBeLessThan(run('failure').broken.mean);
    expect(run('one-pod-and-cluster').byFate.reset).toBe(0);
  });
});
