/** From file to flow table: reading alone, with decoding, with the flow table, with the packet index; pcap-parser beside. */
import { createReadStream, readFileSync } from 'node:fs';
import pcapParser from 'pcap-parser';
import { openByteSource } from '../src/capture/byte-source.js';
import { openCapture } from '../src/capture/capture-reader.js';
import { createRecordBatch } from '../src/capture/record-batch.js';
import { readCapture } from '../src/flow/read-capture.js';
import { sumWords } from '../src/wire/checksum.js';
import type { BenchCase } from './bench-case.js';
import { MADE_PACKETS, madeCapture } from './made-capture.js';

export const captureCases: readonly BenchCase[] = [
  {
    name: 'read (scan records)',
    batch: MADE_PACKETS,
    setup() {
      const { path } = madeCapture();
      return () => {
        const reader = openCapture(openByteSource(path));
        const batch = createRecordBatch(8192, new Uint8Array(0));
        let packets = 0;
        while (reader.next(batch)) packets += batch.count;
        reader.close();
        return packets;
      };
    },
  },
  {
    name: 'read, decode, flow table (typescript)',
    batch: MADE_PACKETS,
    setup() {
      const { path } = madeCapture();
      return () => readCapture(path, { index: 'flows', decoder: 'typescript' }).flows.count;
    },
  },
  {
    name: 'read, decode, flow table',
    batch: MADE_PACKETS,
    setup() {
      const { path } = madeCapture();
      return () => readCapture(path, { index: 'flows' }).flows.count;
    },
  },
  {
    name: 'read, decode, flow table, index',
    batch: MADE_PACKETS,
    setup() {
      const { path } = madeCapture();
      return () => readCapture(path).packets.count;
    },
  },
  {
    name: 'npm pcap-parser, counting only',
    batch: MADE_PACKETS,
    setup() {
      const { path } = madeCapture();
      return () =>
        new Promise<number>((resolve, reject) => {
          const parser = pcapParser.parse(createReadStream(path));
          let packets = 0;
          parser.on('packet', () => packets++);
          parser.on('end', () => resolve(packets));
          parser.on('error', reject);
        });
    },
  },
  {
    name: 'checksum',
    unit: 'octet',
    batch: 1 << 20,
    setup() {
      const bytes = readFileSync(madeCapture().path).subarray(0, 1 << 20);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      return () => sumWords(view, 0, bytes.length);
    },
  },
];
