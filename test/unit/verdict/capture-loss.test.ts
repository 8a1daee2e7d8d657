import { describe, expect, test } from 'vitest';
import { readCapture } from '../../../src/flow/read-capture.js';
import { replay } from '../../../src/verdict/replay.js';
import { healthy, recordsOf } from '../../support/conversation.js';
import { pcapFile, withFile } from '../../support/frames.js';
import { smallCluster } from '../../support/small-cluster.js';

/** A client that sends while every node is down, and once more after; `last` is that last line of the script. */
function replayed(last: string) {
  const script = `${healthy(2)}\n5.2 c data 80\n${last}`;
  const nodes = [0, 1, 2, 3];
  const model = smallCluster({
    timeline: [
      ...nodes.map((node) => ({ at: 5, kind: 'nodeDown' as const, node })),
      ...nodes.map((node) => ({ at: 5.5, kind: 'nodeUp' as const, node })),
    ],
  });
  return withFile(pcapFile(recordsOf([{ script }])), (path) => {
    const result = replay(readCapture(path), model);
    const { fate, judged, unjudged } = result.flowVerdict(0);
    return { fate, judged, unjudged, result };
  });
}

describe('packets that were lost in capturing', () => {
  test('after a silence leave the connection unjudged: they may have healed it', () => {
    const { result, ...lost } = replayed('6 c data 40 lost=1\n6.01 s ack');
    expect(lost).toEqual({ fate: 'unknown', judged: false, unjudged: 'capture-loss' });
    expect(result.summary).toMatchObject({
      judged: 0,
      unjudged: { 'capture-loss': 1 },
      verdict: 'inconclusive',
    });
    expect(result.capture.captureLoss).toEqual({ dropped: null, gapFlows: 1, gapBytes: 40, headersCut: 0 });
    expect(result.summary.notes.join()).toContain(
      '40 octets were acknowledged that the capture does not hold',
    );
  });

  test('where none was lost, silence is a timeout', () => {
    const { result, ...silent } = replayed('6.01 s ack');
    expect(silent).toEqual({ fate: 'timeout', judged: true, unjudged: null });
    expect(result.capture.captureLoss).toBeNull();
  });
});
