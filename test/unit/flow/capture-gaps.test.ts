import { describe, expect, test } from 'vitest';
import { captureGaps } from '../../../src/flow/capture-gaps.js';
import { captureLoss } from '../../../src/flow/capture-loss.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { type Conversation, closed, healthy, recordsOf } from '../../support/conversation.js';
import { pcapFile, withFile } from '../../support/frames.js';

function gapsOf(...conversations: Conversation[]) {
  return withFile(pcapFile(recordsOf(conversations)), (path) => {
    const { flows, bytes, headersCut, lastNs } = captureGaps(readCapture(path));
    return { flows, bytes, headersCut, ways: [...lastNs.keys()] };
  });
}

const NONE = { flows: 0, bytes: 0, headersCut: 0, ways: [] };
const HANDSHAKE = '0 c SYN\n0.001 s SYNACK\n0.002 c ack';

describe('octets that were acknowledged and are not in the capture', () => {
  test('are none in whole connections', () => {
    const whole = { script: `${healthy(4)}\n${closed(0.5)}` };
    expect(gapsOf(whole, whole, { script: healthy(2) })).toEqual(NONE);
  });

  test('are found where a segment is missing and others follow', () => {
    const script = `${HANDSHAKE}\n0.01 c data 100 lost=1\n0.011 c data 50\n0.02 s ack\n0.1 s data 10\n0.11 c ack`;
    expect(gapsOf({ script })).toEqual({ flows: 1, bytes: 100, headersCut: 0, ways: [0] });
  });

  test('are found where nothing follows but the acknowledgement', () => {
    const script = `${HANDSHAKE}\n0.01 c data 10\n0.02 s data 1400 lost=1\n0.03 c ack`;
    expect(gapsOf({ script })).toEqual({ flows: 1, bytes: 1400, headersCut: 0, ways: [1] });
  });

  test('count every hole of a connection', () => {
    const one = (at: number) =>
      `${at} c data 100 lost=1\n${at + 0.001} s ack\n${at + 0.002} c data 10\n${at + 0.003} s ack`;
    expect(gapsOf({ script: `${HANDSHAKE}\n${one(0.1)}\n${one(0.2)}` })).toMatchObject({
      flows: 1,
      bytes: 200,
    });
  });

  test('are none where a retransmission or a late segment fills the hole', () => {
    const again = `${HANDSHAKE}\n0.01 c data 100 lost=1\n0.02 c data 100 again\n0.03 s ack`;
    const late = `${HANDSHAKE}\n0.01 c data 100 lost=1\n0.011 s ack\n0.012 c data 100 again\n0.02 c data 5\n0.03 s ack`;
    expect([gapsOf({ script: again }), gapsOf({ script: late })]).toEqual([NONE, NONE]);
  });

  test('are none where they were lost on the way and never acknowledged', () => {
    const script = `${HANDSHAKE}\n0.01 c data 100 lost=1\n0.02 c data 50\n0.03 s ack ack=-150`;
    expect(gapsOf({ script })).toEqual(NONE);
  });

  test('are none in a capture of one direction, nor at the beginning of one in mid-stream', () => {
    const oneWay = healthy(4).replaceAll(/^(\S+ s .*)$/gm, '$1 lost=1');
    const midStream = healthy(4).split('\n').slice(5).join('\n');
    expect([gapsOf({ script: oneWay }), gapsOf({ script: midStream })]).toEqual([NONE, NONE]);
  });

  test('are none where a five-tuple is used again', () => {
    const tuple = { clientPort: 41000 };
    const first = { ...tuple, script: `${healthy(1)}\n0.2 c data 500\n0.3 c RST` };
    const second = { ...tuple, after: 5, isn: [9_000_000, 77] as const, script: healthy(2) };
    expect(gapsOf(first, second)).toEqual(NONE);
  });

  test('a cut header is counted and tells no gap', () => {
    const records = recordsOf([{ script: healthy(2) }]).map((record, i) =>
      i < 4 ? record : { ...record, capLen: 14 + 20 + 12 },
    );
    withFile(pcapFile(records), (path) => {
      const { summary, ...index } = readCapture(path);
      const gaps = captureGaps({ summary, ...index });
      expect(gaps).toMatchObject({ flows: 0, headersCut: records.length - 4 });
      expect(captureLoss(summary, gaps)).toEqual({
        dropped: null,
        gapFlows: 0,
        gapBytes: 0,
        headersCut: records.length - 4,
      });
    });
  });
});
