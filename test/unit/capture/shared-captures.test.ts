/** Every capture with ground truth: each packet's time, interface and lengths as tshark read them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openByteSource } from '../../../src/capture/byte-source.js';
import { openCapture } from '../../../src/capture/capture-reader.js';
import { createRecordBatch } from '../../../src/capture/record-batch.js';
import { hasShared, sharedPath } from '../../support/shared.js';

const SETS = ['ours', 'third-party'];
const SMALL_BUFFER_BYTES = 3000;

interface Truth {
  readonly packets: number;
  readonly wire_bytes: number;
  readonly captured_bytes: number;
  readonly well_formed: boolean;
}

interface TruthRow {
  readonly ts: string;
  readonly iface: string;
  readonly wireLen: number;
  readonly capLen: number;
}

interface ReadRow {
  /** nanoseconds since the capture's base */
  readonly timeNs: number;
  readonly iface: string;
  readonly wireLen: number;
  readonly capLen: number;
}

function captures(): { name: string; path: string; truthPath: string }[] {
  return SETS.flatMap((set) =>
    readdirSync(sharedPath('captures', set))
      .filter((name) => /\.pcap(ng)?(\.gz)?$/.test(name))
      .map((name) => ({
        name,
        path: sharedPath('captures', set, name),
        truthPath: sharedPath('captures', set, 'truth', name),
      })),
  );
}

/** tshark lists custom blocks as frames, without interface and protocols: they are not packets */
function truthRows(truthPath: string, isPcapng: boolean): TruthRow[] {
  const [, ...lines] = gunzipSync(readFileSync(`${truthPath}.packets.tsv.gz`))
    .toString()
    .trimEnd()
    .split('\n');
  return lines
    .map((line) => line.split('\t'))
    .filter((cells) => !(isPcapng && cells[2] === '' && cells[5] === ''))
    .map((cells) => ({
      ts: cells[1] as string,
      iface: cells[2] as string,
      wireLen: Number(cells[3]),
      capLen: Number(cells[4]),
    }));
}

function read(path: string, bufferBytes: number) {
  const reader = openCapture(openByteSource(path), { buffer: new Uint8Array(bufferBytes) });
  const batch = createRecordBatch(1000, new Uint8Array(0));
  const rows: ReadRow[] = [];
  while (reader.next(batch)) {
    for (let i = 0; i < batch.count; i++) {
      rows.push({
        timeNs: batch.timeNs[i] as number,
        iface: reader.format === 'pcap' ? '' : String(batch.iface[i]),
        wireLen: batch.wireLen[i] as number,
        capLen: batch.capLen[i] as number,
      });
    }
  }
  reader.close();
  return { reader, rows };
}

/**
 * Exact within 104 days of the capture's start; beyond, to what a Float64 can hold. Where a microseconds field is
 * above two seconds, tshark's 32 bits of nanoseconds have overflown (and may be negative): equal modulo 2^32 then.
 */
function isTimeOf(ts: string, timeNs: number, baseNs: bigint): boolean {
  if (ts === '') return true;
  const [whole, rest] = ts.replace(/^-/, '').split('.');
  const startOfSecond = BigInt(whole as string) * 1_000_000_000n;
  const restNs = ts.startsWith('-') ? -BigInt(rest as string) : BigInt(rest as string);
  const ourRestNs = baseNs + BigInt(timeNs) - startOfSecond;
  if (ourRestNs >= 1n << 31n) return BigInt.asUintN(32, ourRestNs - restNs) === 0n;
  const expected = Number(startOfSecond + restNs - baseNs);
  const tolerance = Math.abs(expected) < Number.MAX_SAFE_INTEGER ? 0 : Math.abs(expected) * 2 ** -51;
  return Math.abs(timeNs - expected) <= tolerance;
}

describe.skipIf(!hasShared)('captures with ground truth (skipped where ../shared is absent)', () => {
  for (const { name, path, truthPath } of hasShared ? captures() : []) {
    if (!existsSync(`${truthPath}.json`)) continue;
    test(`${name}: packets, bytes, times and interfaces are those tshark read`, () => {
      const truth = JSON.parse(readFileSync(`${truthPath}.json`, 'utf8')) as Truth;
      const { reader, rows } = read(path, 1 << 20);
      const expected = truthRows(truthPath, reader.format === 'pcapng');
      const wrong = rows.filter((row, i) => {
        const truthRow = expected[i];
        return !isSame(row, truthRow) || !isTimeOf(truthRow?.ts ?? '', row.timeNs, reader.baseNs);
      });
      expect(rows.length).toBe(expected.length);
      expect(wrong).toEqual([]);
      expect(reader.packets).toBe(rows.length);
      expect(reader.damage).toBe(null);
      expect(reader.truncated).toBe(!truth.well_formed);
      if (expected.length === truth.packets) {
        expect(rows.reduce((sum, row) => sum + row.wireLen, 0)).toBe(truth.wire_bytes);
        expect(rows.reduce((sum, row) => sum + row.capLen, 0)).toBe(truth.captured_bytes);
      }
    });

    test(`${name}: a buffer smaller than some frames loses no packet`, () => {
      const whole = read(path, 1 << 20).rows;
      const { rows } = read(path, SMALL_BUFFER_BYTES);
      expect(rows.length).toBe(whole.length);
      const lost = rows.filter((row, i) => {
        const capLen = row.capLen > SMALL_BUFFER_BYTES - 100 ? (whole[i]?.capLen as number) : row.capLen;
        return row.timeNs !== whole[i]?.timeNs || !isSame({ ...row, capLen }, whole[i]);
      });
      expect(lost).toEqual([]);
    });
  }
});

type Lengths = Pick<TruthRow, 'iface' | 'wireLen' | 'capLen'>;

function isSame(row: Lengths, expected: Lengths | undefined): boolean {
  return row.iface === expected?.iface && row.wireLen === expected.wireLen && row.capLen === expected.capLen;
}
