/** Each flow hash over a five-tuple, and Linux's over a packet's bytes. */
import { createFlowHash, type FlowHashName } from '../src/hash/flow-hash.js';
import { linuxPacketHash } from '../src/hash/linux-dissect.js';
import type { BenchCase } from './bench-case.js';

const TUPLES = 10_000;
const NAMES: readonly FlowHashName[] = [
  'linux-l3',
  'linux-l4',
  'linux-custom',
  'crc32c',
  'crc16',
  'toeplitz',
  'jenkins',
  'murmur3',
  'xor',
];

export const hashCases: readonly BenchCase[] = [
  ...NAMES.flatMap((hash) => [tupleCase(hash, 4), tupleCase(hash, 6)]),
  {
    name: 'hash linux-l4 from bytes',
    batch: TUPLES,
    setup() {
      const view = new DataView(new ArrayBuffer(64));
      view.setUint8(0, 0x45);
      view.setUint8(9, 6);
      view.setUint32(16, 0xcb00710a);
      return () => {
        let sum = 0;
        for (let i = 0; i < TUPLES; i++) {
          view.setUint32(12, i);
          sum += linuxPacketHash({ hash: 'linux-l4', seed: 1, fields: 7 }, view, 0, 60);
        }
        return sum;
      };
    },
  },
];

function tupleCase(hash: FlowHashName, family: 4 | 6): BenchCase {
  return {
    name: `hash ${hash}, IPv${family}`,
    unit: 'hash',
    batch: TUPLES,
    setup() {
      const flowHash = createFlowHash({ hash, seed: 1, fields: 0x37 });
      const words = new Uint32Array(8).fill(0x20010db8);
      return () => {
        let sum = 0;
        for (let i = 0; i < TUPLES; i++) {
          words[3] = i;
          sum += flowHash.hashTuple(family, words, 0, 4, 6, 1024 + (i & 0xffff), 80, 0);
        }
        return sum;
      };
    },
  };
}
