/**
 * Captures made for the benchmarks, always the same: TCP and UDP flows of many clients to one VIP with the sizes of
 * web traffic (heavy-tailed), a tenth of it IPv6, 96 octets a packet. Written once a process into the temporary folder.
 */
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ipv4, ipv6 } from '../src/addr/address.js';
import { PcapWriter } from '../src/capture/pcap-writer.js';
import { Tuple } from '../src/conntrack/tuple.js';
import { forgePacket } from '../src/state/forge.js';
import { Packet } from '../src/state/packet.js';
import { Dice } from '../src/what-if/dice.js';

export interface CaptureSize {
  readonly packets: number;
  readonly flows: number;
}

export interface MadeCapture {
  readonly path: string;
  readonly packets: number;
  readonly bytes: number;
}

export const MADE_PACKETS = 500_000;
const MADE_FLOWS = 20_000;
const DURATION_S = 18;

const made = new Map<string, MadeCapture>();

export function madeCapture(size: CaptureSize = { packets: MADE_PACKETS, flows: MADE_FLOWS }): MadeCapture {
  const name = `${size.packets}-${size.flows}`;
  const known = made.get(name);
  if (known !== undefined) return known;
  const capture = make(join(tmpdir(), `flowfate-bench-${process.pid}-${name}.pcap`), size);
  made.set(name, capture);
  return capture;
}

function make(path: string, size: CaptureSize): MadeCapture {
  const descriptor = openSync(path, 'w');
  process.once('exit', () => {
    for (const file of [path, `${path}.ffidx`]) rmSync(file, { force: true });
  });
  const writer = new PcapWriter((bytes) => writeSync(descriptor, bytes), {
    linkType: 1,
    resolution: 'microseconds',
    baseNs: 1_700_000_000_000_000_000n,
  });
  const dice = new Dice(1);
  const frame = new Uint8Array(14 + 2048);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
  const view = new DataView(frame.buffer, 14);
  const packet = new Packet();
  const tuple = new Tuple();
  const fields = { flags: 16, seq: 1, ack: 1, payloadBytes: 0, flowLabel: 0 };
  for (let n = 0; n < size.packets; n++) {
    const begins = n < size.flows;
    // a square makes few flows large
    const flow = begins ? n : Math.floor(size.flows * dice.next() ** 2);
    const family = flow % 10 === 0 ? 6 : 4;
    const proto = flow % 7 === 0 ? 17 : 6;
    tuple.setKind(family, proto);
    const client = (flow * 7919) >>> 3;
    const ports: [number, number] = [1024 + (flow % 60_000), proto === 17 ? 53 : 80];
    if (family === 4) {
      tuple.setSource(ipv4(0x0a000000 + (client & 0xffffff)), ports[0]);
      tuple.setDestination(ipv4(0xcb00710a), ports[1]);
    } else {
      tuple.setSource(ipv6(0x20010db8, 0, 0, client), ports[0]);
      tuple.setDestination(ipv6(0x20010db8, 0x01130000, 0, 0x10), ports[1]);
    }
    fields.flags = begins ? 2 : 16;
    fields.payloadBytes = begins ? 0 : dice.below(1400);
    forgePacket(tuple, fields, view, packet);
    frame[12] = family === 4 ? 0x08 : 0x86;
    frame[13] = family === 4 ? 0x00 : 0xdd;
    const wireLen = 14 + packet.end;
    writer.write((n * DURATION_S * 1e9) / size.packets, frame, 0, Math.min(96, wireLen), wireLen);
  }
  writer.flush();
  closeSync(descriptor);
  return { path, packets: size.packets, bytes: statSync(path).size };
}
