/**
 * Frames of a classic little-endian pcap as tcpdump writes it here, with their five-tuple. Deliberately not the
 * project's own reader and decoder: this is what they are measured against.
 */
import { readFileSync, writeFileSync } from 'node:fs';

export interface Frame {
  /** seconds since 1970 */
  readonly atS: number;
  /** as hex */
  readonly srcMac: string;
  readonly dstMac: string;
  /** `src srcPort dst dstPort`, addresses as hex */
  readonly key: string;
  /** the same from the other end */
  readonly reverseKey: string;
  /** 0 where it is not TCP */
  readonly tcpFlags: number;
}

export const RST = 0x04;

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const ETHERNET_BYTES = 14;
const TCP = 6;
const UDP = 17;
const IPV6_FRAGMENT = 44;

/** TCP and UDP frames in order of the file; of a fragmented datagram the first fragment, which has the ports. */
export function* framesOf(file: string): Generator<Frame> {
  const bytes = readFileSync(file);
  for (const { atS, from, to } of recordsOf(file, bytes)) {
    const frame = readFrame(bytes.subarray(from + RECORD_HEADER_BYTES, to), atS);
    if (frame !== null) yield frame;
  }
}

/** Writes a capture that holds what is addressed to one of `vips` (as hex), and no answers. */
export function keepClientSide(file: string, out: string, vips: ReadonlySet<string>): void {
  const bytes = readFileSync(file);
  const kept = [bytes.subarray(0, FILE_HEADER_BYTES)];
  for (const { from, to } of recordsOf(file, bytes)) {
    const frame = bytes.subarray(from + RECORD_HEADER_BYTES, to);
    const ipv4 = frame.readUInt16BE(12) === 0x0800;
    const dst = ETHERNET_BYTES + (ipv4 ? 16 : 24);
    if (vips.has(frame.toString('hex', dst, dst + (ipv4 ? 4 : 16)))) kept.push(bytes.subarray(from, to));
  }
  writeFileSync(out, Buffer.concat(kept));
}

function* recordsOf(file: string, bytes: Buffer): Generator<{ atS: number; from: number; to: number }> {
  if (bytes.readUInt32LE(0) !== MAGIC_MICROSECONDS) throw new Error(`${file} is not a capture of tcpdump's`);
  let from = FILE_HEADER_BYTES;
  while (from + RECORD_HEADER_BYTES <= bytes.length) {
    const to = from + RECORD_HEADER_BYTES + bytes.readUInt32LE(from + 8);
    yield { atS: bytes.readUInt32LE(from) + bytes.readUInt32LE(from + 4) / 1e6, from, to };
    from = to;
  }
}

function readFrame(frame: Buffer, atS: number): Frame | null {
  const ip = ETHERNET_BYTES;
  switch (frame.readUInt16BE(12)) {
    case 0x0800:
      if ((frame.readUInt16BE(ip + 6) & 0x1fff) !== 0) return null;
      return transport(frame, atS, frame[ip + 9]!, ip + 12, 4, ip + (frame[ip]! & 15) * 4);
    case 0x86dd: {
      if (frame[ip + 6] !== IPV6_FRAGMENT) return transport(frame, atS, frame[ip + 6]!, ip + 8, 16, ip + 40);
      if ((frame.readUInt16BE(ip + 42) & 0xfff8) !== 0) return null;
      return transport(frame, atS, frame[ip + 40]!, ip + 8, 16, ip + 48);
    }
    default:
      return null;
  }
}

function transport(
  frame: Buffer,
  atS: number,
  protocol: number,
  addresses: number,
  size: number,
  ports: number,
): Frame | null {
  if (protocol !== TCP && protocol !== UDP) return null;
  const src = frame.toString('hex', addresses, addresses + size);
  const dst = frame.toString('hex', addresses + size, addresses + 2 * size);
  const [srcPort, dstPort] = [frame.readUInt16BE(ports), frame.readUInt16BE(ports + 2)];
  return {
    atS,
    dstMac: frame.toString('hex', 0, 6),
    srcMac: frame.toString('hex', 6, 12),
    key: `${src} ${srcPort} ${dst} ${dstPort}`,
    reverseKey: `${dst} ${dstPort} ${src} ${srcPort}`,
    tcpFlags: protocol === TCP ? frame[ports + 13]! : 0,
  };
}

/** As the bytes stand in a packet. The lab's own addresses only: one `::` at most, no embedded IPv4. */
export function addressHex(address: string): string {
  if (!address.includes(':')) {
    return address
      .split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join('');
  }
  const [head = '', tail = ''] = address
    .split('::')
    .map((half) => half.split(':').filter(Boolean)) as unknown as [string[], string[]];
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].map((part) => part.padStart(4, '0')).join('');
}
