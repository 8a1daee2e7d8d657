import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openByteSource } from '../../../src/capture/byte-source.js';
import { openCapture } from '../../../src/capture/capture-reader.js';
import { createRecordBatch } from '../../../src/capture/record-batch.js';
import { flowRow } from '../../../src/flow/flow-rows.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { annotateCapture } from '../../../src/report/annotate.js';
import type { FlowVerdict, ReplayResult } from '../../../src/verdict/verdict.js';
import { hasShared, sharedPath } from '../../support/shared.js';
import { inFolder } from '../cli/made-io.js';
import { madeResult } from './made-result.js';

const JUDGED = { judged: true, unjudged: null, chances: null, application: null } as const;

/** Flow 0 moves at its third packet from the client and is reset there; all others are delivered. */
function resultOver(path: string, breakAtS: number): ReplayResult {
  const index = readCapture(path);
  const row = flowRow(index.flows, 0, null);
  const verdict: FlowVerdict = {
    ...row,
    connection: 0,
    service: 'web',
    fate: 'reset',
    ...JUDGED,
    cause: { event: 'e1', hop: 'node n3', reason: 'ecmp-rehash' },
    chain: [],
    brokenAt: breakAtS,
    path: [
      { at: row.start, nextHop: null, node: 'n1', endpoint: 'p1', target: null },
      { at: breakAtS, nextHop: null, node: 'n3', endpoint: null, target: null },
    ],
    source: null,
  };
  const delivered = (f: number): FlowVerdict => ({
    ...flowRow(index.flows, f, null),
    connection: 0,
    service: 'web',
    fate: 'delivered',
    ...JUDGED,
    cause: null,
    chain: [],
    brokenAt: null,
    path: [],
    source: null,
  });
  return {
    ...madeResult([]),
    index,
    flowCount: index.flows.count,
    flowVerdict: (f) => (f === 0 ? verdict : delivered(f)),
    fateOf: (f) => (f === 0 ? 'reset' : 'delivered'),
  };
}

interface Read {
  readonly frames: string[];
  readonly timesNs: number[];
  readonly comments: [number, string][];
}

function readAll(path: string): Read {
  const comments: [number, string][] = [];
  const reader = openCapture(openByteSource(path), {
    onComment: (number, text) => comments.push([number, text]),
  });
  const batch = createRecordBatch(1024, new Uint8Array(0));
  const frames: string[] = [];
  const timesNs: number[] = [];
  while (reader.next(batch)) {
    for (let row = 0; row < batch.count; row++) {
      const at = batch.at[row]!;
      frames.push(Buffer.from(batch.bytes.subarray(at, at + batch.capLen[row]!)).toString('hex'));
      timesNs.push(batch.timeNs[row]!);
    }
  }
  reader.close();
  return { frames, timesNs, comments };
}

describe.skipIf(!hasShared)('annotateCapture()', () => {
  test('copies every packet and comments the one where the flow moved and broke', () =>
    inFolder((folder) => {
      const path = sharedPath('lab', 'runs', 'local-add', 'capture.pcap');
      const copy = join(folder, 'copy.pcapng');
      const result = resultOver(path, 2);
      const pieces: Buffer[] = [];
      const commented = annotateCapture(path, result, (octets) => pieces.push(Buffer.from(octets)));
      writeFileSync(copy, Buffer.concat(pieces));
      expect(readFileSync(copy).readUInt32LE(0)).toBe(0x0a0d0d0a);

      const before = readAll(path);
      const after = readAll(copy);
      expect(after.frames).toEqual(before.frames);
      expect(after.timesNs).toEqual(before.timesNs);
      expect(commented).toBe(1);
      expect(after.comments).toHaveLength(1);
      const [number, text] = after.comments[0]!;
      expect(text).toBe('flowfate: path changed from n1 to n3\nflowfate: reset: ecmp-rehash at node n3 (e1)');
      // The first packet of that client's flow at or after the moment of the verdict.
      expect(after.timesNs[number - 1]!).toBeGreaterThanOrEqual(2e9);
      expect(after.timesNs[number - 1]!).toBeLessThan(4e9);
    }));
});
