/** Replays of recorded runs of a real kernel, given the client's packets and the scenario alone, flow by flow. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { scoreLabRun } from '../../lab/score.js';
import type { ClusterModel } from '../../src/cluster/model.js';
import { loadScenario } from '../../src/cluster/scenario/load-scenario.js';
import { FlowEngine } from '../../src/engine/flow-engine.js';
import type { CaptureIndex } from '../../src/flow/flow-columns.js';
import { PacketIndex } from '../../src/flow/packet-index.js';
import { readCapture } from '../../src/flow/read-capture.js';
import { PacketEngine } from '../../src/oracle/packet-engine.js';
import { replay } from '../../src/verdict/replay.js';

const root = new URL('../../', import.meta.url).pathname;
const RUNS = ['cluster-withdraw', 'local-add', 'cluster-resilient-withdraw-readd', 'local-rolling-frr'];

function load(name: string): { index: CaptureIndex; model: ClusterModel } {
  const file = `${root}captures/${name}.yaml`;
  const { model } = loadScenario([{ name: file, text: readFileSync(file, 'utf8') }]);
  return { index: readCapture(`${root}captures/${name}.pcap.gz`), model };
}

/** The index as a capture of the client's side alone would have given it. */
function clientSideOnly(index: CaptureIndex): CaptureIndex {
  const packets = new PacketIndex();
  for (const { count, flowDir, meta, timeNs, seq, ack, size, label } of index.packets.segments) {
    for (let i = 0; i < count; i++) {
      if ((flowDir[i]! & 1) === 0)
        packets.push(flowDir[i]!, meta[i]!, timeNs[i]!, seq[i]!, ack[i]!, size[i]!, label[i]!);
    }
  }
  return { ...index, packets };
}

describe.each(RUNS)('%s', (name) => {
  const { index, model } = load(name);

  test('fate, path, moment and source are right for every flow', () => {
    const result = replay(clientSideOnly(index), model);
    const score = scoreLabRun([result], model, `${root}test/golden/lab/${name}/truth.tsv`);
    expect(score.wrong).toEqual([]);
    expect(score.scored).toBeGreaterThan(0.95 * score.flows);
  });

  test('what the answers say changes nothing', () => {
    const whole = replay(index, model);
    const client = replay(clientSideOnly(index), model);
    for (let f = 0; f < whole.flowCount; f++) expect(whole.flowVerdict(f)).toEqual(client.flowVerdict(f));
  });

  test('the packet-by-packet engine gives the same verdicts', () => {
    const fast = new FlowEngine(index, model);
    fast.run();
    const slow = new PacketEngine(index, model);
    slow.run();
    for (let f = 0; f < fast.plan.count; f++) {
      const of = ({ tracker, paths }: Pick<FlowEngine, 'tracker' | 'paths'>) => [
        tracker.fate[f],
        tracker.brokenS[f],
        tracker.reason[f],
        tracker.event[f],
        paths.steps(f),
      ];
      expect(of(fast)).toEqual(of(slow));
    }
  });
});
