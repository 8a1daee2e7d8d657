/**
 * Where the router really sent each flow: the destination MAC addresses of the frames that leave its node side, read
 * from a classic little-endian pcap as tcpdump writes it here. Deliberately not the project's own reader and decoder:
 * this is what they are measured against.
 */
import { readFileSync } from 'node:fs';
import { type Layout, ROUTER } from './layout.js';

export interface PathStep {
  readonly atS: number;
  readonly node: string;
}

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const TCP = 6;

/** By `src srcPort dst dstPort`, addresses as hex: a step for every change of the node. Times in seconds since 1970. */
export function observedPaths(file: string, layout: Layout): Map<string, PathStep[]> {
  const bytes = readFileSync(file);
  if (bytes.readUInt32LE(0) !== MAGIC_MICROSECONDS) throw new Error(`${file} is not a capture of tcpdump's`);
  const nodes = new Map(layout.nodes.map(({ mac, name }) => [macHex(mac), name]));
  const routerMac = macHex(ROUTER.mac);
  const paths = new Map<string, PathStep[]>();
  let at = FILE_HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= bytes.length) {
    const atS = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) / 1e6;
    const end = at + RECORD_HEADER_BYTES + bytes.readUInt32LE(at + 8);
    const frame = bytes.subarray(at + RECORD_HEADER_BYTES, end);
    at = end;
    const key = flowKey(frame);
    // a node that has no use for a packet may send it back: that is not the router's choice
    if (key === null || frame.toString('hex', 6, 12) !== routerMac) continue;
    const node = nodes.get(frame.toString('hex', 0, 6));
    if (node === undefined)
      throw new Error('the router sent a packet for the service to nobody the lab knows');
    const steps = paths.get(key) ?? [];
    if (steps.at(-1)?.node !== node) steps.push({ atS, node });
    paths.set(key, steps);
  }
  return paths;
}

/** Ethernet, then IPv4 or IPv6 without extension headers, then TCP. */
function flowKey(frame: Buffer): string | null {
  const etherType = frame.readUInt16BE(12);
  const ip = 14;
  if (etherType === 0x0800 && frame[ip + 9] === TCP) {
    return keyAt(frame, ip + 12, 4, ip + (frame[ip]! & 15) * 4);
  }
  if (etherType === 0x86dd && frame[ip + 6] === TCP) return keyAt(frame, ip + 8, 16, ip + 40);
  return null;
}

function keyAt(frame: Buffer, addresses: number, size: number, ports: number): string {
  const src = frame.toString('hex', addresses, addresses + size);
  const dst = frame.toString('hex', addresses + size, addresses + 2 * size);
  return `${src} ${frame.readUInt16BE(ports)} ${dst} ${frame.readUInt16BE(ports + 2)}`;
}

const macHex = (mac: string): string => mac.replaceAll(':', '');
