/**
 * Capture files put together octet by octet, with every oddity that writers of captures have had; independent of
 * the writers in src/.
 */
import { createRecordBatch } from '../../src/capture/record-batch.js';
import type { CaptureReader } from '../../src/capture/record-reader.js';

export type ByteOrder = 'little' | 'big';

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Octets whose values tell where they stand. */
export function madeFrame(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff);
}

/** Integers of 2, 4 or 8 octets, given as [octets, value]. */
export function numbers(
  order: ByteOrder,
  ...fields: readonly (readonly [2 | 4 | 8, number | bigint])[]
): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, [octets]) => sum + octets, 0));
  const view = new DataView(bytes.buffer);
  const little = order === 'little';
  let at = 0;
  for (const [octets, value] of fields) {
    if (octets === 2) view.setUint16(at, Number(value), little);
    else if (octets === 4) view.setUint32(at, Number(value), little);
    else view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), little);
    at += octets;
  }
  return bytes;
}

export interface MadePcapHeader {
  readonly order?: ByteOrder;
  readonly magic?: number;
  readonly version?: readonly [number, number];
  readonly snapLen?: number;
  readonly linkType?: number;
}

export const PCAP_MAGIC = { microseconds: 0xa1b2c3d4, nanoseconds: 0xa1b23c4d, modified: 0xa1b2cd34 };

export function pcapHeader(header: MadePcapHeader = {}): Uint8Array {
  const { order = 'little', magic = PCAP_MAGIC.microseconds, version = [2, 4] } = header;
  return numbers(
    order,
    [4, magic],
    [2, version[0]],
    [2, version[1]],
    [4, 0],
    [4, 0],
    [4, header.snapLen ?? 262_144],
    [4, header.linkType ?? 1],
  );
}

export interface MadePacket {
  readonly order?: ByteOrder;
  readonly seconds?: number;
  /** micro- or nanoseconds */
  readonly rest?: number;
  readonly frame?: Uint8Array;
  /** what the header says, if not the frame's length */
  readonly capLen?: number;
  readonly wireLen?: number;
  /** octets between header and frame */
  readonly extra?: Uint8Array;
}

export function pcapRecord(packet: MadePacket = {}): Uint8Array {
  const { order = 'little', frame = madeFrame(60) } = packet;
  return concat(
    numbers(
      order,
      [4, packet.seconds ?? 1_600_000_000],
      [4, packet.rest ?? 5],
      [4, packet.capLen ?? frame.length],
      [4, packet.wireLen ?? frame.length],
    ),
    packet.extra ?? new Uint8Array(0),
    frame,
  );
}

function padded(bytes: Uint8Array): Uint8Array {
  return concat(bytes, new Uint8Array(-bytes.length & 3));
}

export function block(type: number, body: Uint8Array, order: ByteOrder = 'little'): Uint8Array {
  const whole = padded(body);
  const length = whole.length + 12;
  return concat(numbers(order, [4, type], [4, length]), whole, numbers(order, [4, length]));
}

export function option(code: number, value: Uint8Array | string, order: ByteOrder = 'little'): Uint8Array {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return concat(numbers(order, [2, code], [2, bytes.length]), padded(bytes));
}

export interface MadeSection {
  readonly order?: ByteOrder;
  readonly version?: readonly [number, number];
  readonly length?: bigint;
  readonly options?: Uint8Array;
}

export function section(made: MadeSection = {}): Uint8Array {
  const { order = 'little', version = [1, 0], length = -1n, options = new Uint8Array(0) } = made;
  const fixed = numbers(order, [4, 0x1a2b3c4d], [2, version[0]], [2, version[1]], [8, length]);
  return block(0x0a0d0d0a, concat(fixed, options), order);
}

export interface MadeInterface {
  readonly order?: ByteOrder;
  readonly linkType?: number;
  readonly snapLen?: number;
  /** `if_tsresol` as it stands in the file */
  readonly resolution?: number;
  readonly offsetS?: bigint;
  readonly name?: string;
}

export function interfaceBlock(made: MadeInterface = {}): Uint8Array {
  const { order = 'little' } = made;
  const options: Uint8Array[] = [];
  if (made.name !== undefined) options.push(option(2, made.name, order));
  if (made.resolution !== undefined) options.push(option(9, new Uint8Array([made.resolution]), order));
  if (made.offsetS !== undefined) options.push(option(14, numbers(order, [8, made.offsetS]), order));
  const fixed = numbers(order, [2, made.linkType ?? 1], [2, 0], [4, made.snapLen ?? 0]);
  return block(1, concat(fixed, ...options), order);
}

export interface MadeEnhancedPacket {
  readonly order?: ByteOrder;
  readonly iface?: number;
  readonly ticks?: bigint;
  readonly frame?: Uint8Array;
  readonly capLen?: number;
  readonly wireLen?: number;
  readonly options?: Uint8Array;
}

export function enhancedPacket(made: MadeEnhancedPacket = {}): Uint8Array {
  const { order = 'little', ticks = 1_600_000_000_000_000n, frame = madeFrame(60) } = made;
  const fixed = numbers(
    order,
    [4, made.iface ?? 0],
    [4, ticks >> 32n],
    [4, ticks & 0xffff_ffffn],
    [4, made.capLen ?? frame.length],
    [4, made.wireLen ?? frame.length],
  );
  return block(6, concat(fixed, padded(frame), made.options ?? new Uint8Array(0)), order);
}

export function obsoletePacket(made: MadeEnhancedPacket = {}): Uint8Array {
  const { order = 'little', ticks = 1_600_000_000_000_000n, frame = madeFrame(60) } = made;
  const fixed = numbers(
    order,
    [2, made.iface ?? 0],
    [2, 7],
    [4, ticks >> 32n],
    [4, ticks & 0xffff_ffffn],
    [4, made.capLen ?? frame.length],
    [4, made.wireLen ?? frame.length],
  );
  return block(2, concat(fixed, padded(frame), made.options ?? new Uint8Array(0)), order);
}

export function simplePacket(
  frame: Uint8Array,
  wireLen = frame.length,
  order: ByteOrder = 'little',
): Uint8Array {
  return block(3, concat(numbers(order, [4, wireLen]), frame), order);
}

export interface ReadPacket {
  readonly ns: bigint;
  readonly capLen: number;
  readonly wireLen: number;
  readonly linkType: number;
  readonly iface: number;
  readonly frame: Uint8Array;
}

/** All packets of a reader, copied out of its buffer. */
export function readAll(reader: CaptureReader, batchRows = 100): ReadPacket[] {
  const batch = createRecordBatch(batchRows, new Uint8Array(0));
  const packets: ReadPacket[] = [];
  while (reader.next(batch)) {
    for (let i = 0; i < batch.count; i++) {
      const at = batch.at[i] as number;
      const capLen = batch.capLen[i] as number;
      packets.push({
        ns: reader.baseNs + BigInt(batch.timeNs[i] as number),
        capLen,
        wireLen: batch.wireLen[i] as number,
        linkType: batch.linkType[i] as number,
        iface: batch.iface[i] as number,
        frame: batch.bytes.slice(at, at + capLen),
      });
    }
  }
  return packets;
}
