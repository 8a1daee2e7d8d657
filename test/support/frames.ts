/** Frames and capture files for tests, byte by byte. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { foldChecksum, sumWords } from '../../src/wire/checksum.js';

export type Bytes = readonly number[];

const u16 = (v: number): number[] => [(v >> 8) & 255, v & 255];
const u32 = (v: number): number[] => [...u16(v >>> 16), ...u16(v)];

export function ethernetFrame(etherType: number, payload: Bytes): number[] {
  return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...u16(etherType), ...payload];
}

export interface Ipv4Fields {
  readonly src?: number;
  readonly dst?: number;
  /** in octets, a multiple of 8 */
  readonly fragmentOffset?: number;
  readonly moreFragments?: true;
  /** a multiple of four octets */
  readonly options?: Bytes;
}

export function ipv4Packet(proto: number, payload: Bytes, fields: Ipv4Fields = {}): number[] {
  const { src = 0x0a000001, dst = 0x0a000002, fragmentOffset = 0, options = [] } = fields;
  const words = 5 + options.length / 4;
  const fragment = (fragmentOffset >> 3) | (fields.moreFragments === true ? 0x2000 : 0);
  const header = [
    ...[0x40 | words, 0, ...u16(4 * words + payload.length), 0, 1, ...u16(fragment), 64, proto, 0, 0],
    ...[...u32(src), ...u32(dst), ...options],
  ];
  const view = new DataView(Uint8Array.from(header).buffer);
  header.splice(10, 2, ...u16(foldChecksum(sumWords(view, 0, header.length))));
  return [...header, ...payload];
}

/** Addresses fd00::`src` and fd00::`dst`. */
export function ipv6Packet(nextHeader: number, payload: Bytes, src = 1, dst = 2, label = 0): number[] {
  const address = (last: number): number[] => [0xfd, 0, ...new Array(10).fill(0), ...u32(last)];
  return [
    ...[0x60, ...u32(label).slice(1), ...u16(payload.length), nextHeader, 64],
    ...[...address(src), ...address(dst), ...payload],
  ];
}

/** `options`: whole words, as on the wire. */
export function tcpSegment(
  srcPort: number,
  dstPort: number,
  flags: number,
  payload: Bytes = [],
  options: Bytes = [],
): number[] {
  const offset = (5 + options.length / 4) << 4;
  const fixed = [...u16(srcPort), ...u16(dstPort), ...u32(1), ...u32(2), offset, flags, 1, 0, 0, 0, 0, 0];
  return [...fixed, ...options, ...payload];
}

export function udpDatagram(srcPort: number, dstPort: number, payload: Bytes = []): number[] {
  return [...u16(srcPort), ...u16(dstPort), ...u16(8 + payload.length), 0, 0, ...payload];
}

export interface Recorded {
  readonly frame: Bytes;
  /** octets captured; all by default */
  readonly capLen?: number;
  readonly timeUs: number;
}

/** A classic pcap file, little-endian, microseconds. */
export function pcapFile(records: readonly Recorded[], linkType = 1): Uint8Array {
  const bodies = records.map(({ frame, capLen }) => frame.slice(0, capLen ?? frame.length));
  const bytes = new Uint8Array(24 + bodies.reduce((sum, body) => sum + 16 + body.length, 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xa1b2c3d4, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, 0x40000, true);
  view.setUint32(20, linkType, true);
  let at = 24;
  records.forEach(({ frame, timeUs }, i) => {
    const body = bodies[i]!;
    view.setUint32(at, 1_700_000_000 + Math.floor(timeUs / 1e6), true);
    view.setUint32(at + 4, timeUs % 1e6, true);
    view.setUint32(at + 8, body.length, true);
    view.setUint32(at + 12, frame.length, true);
    bytes.set(body, at + 16);
    at += 16 + body.length;
  });
  return bytes;
}

/** Calls `use` with the path of a file that holds `bytes` and is gone afterwards. */
export function withFile<T>(bytes: Uint8Array, use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'flowfate-'));
  try {
    const path = join(folder, 'made.pcap');
    writeFileSync(path, bytes);
    return use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
