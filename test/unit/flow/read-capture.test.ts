import { describe, expect, test } from 'vitest';
import { flowRow } from '../../../src/flow/flow-rows.js';
import {
  META_FLAGS_CUT,
  META_FRAGMENT,
  META_LENGTH_SHIFT,
  META_PAYLOAD,
} from '../../../src/flow/packet-index.js';
import { type ReadCaptureOptions, readCapture } from '../../../src/flow/read-capture.js';
import {
  ethernetFrame,
  ipv4Packet,
  ipv6Packet,
  pcapFile,
  type Recorded,
  tcpSegment,
  udpDatagram,
  withFile,
} from '../../support/frames.js';

const SYN = 2;
const ACK = 16;
const A = 0x0a000001;
const B = 0x0a000002;

const ip = (packet: readonly number[]): number[] => ethernetFrame(0x0800, packet);
const read = (records: readonly Recorded[], options: ReadCaptureOptions = {}, linkType = 1) =>
  withFile(pcapFile(records, linkType), (path) => readCapture(path, options));

describe('readCapture', () => {
  test('puts both directions in one flow whose a side sent first', () => {
    const { flows, packets } = read([
      { frame: ip(ipv4Packet(6, tcpSegment(1000, 80, SYN))), timeUs: 0 },
      { frame: ip(ipv4Packet(6, tcpSegment(80, 1000, SYN | ACK), { src: B, dst: A })), timeUs: 1500 },
      { frame: ip(ipv4Packet(6, tcpSegment(1000, 80, ACK, [1, 2, 3]))), timeUs: 2_000_000 },
    ]);
    expect(flowRow(flows, 0, null)).toEqual({
      id: 0,
      proto: 'tcp',
      src: '10.0.0.1',
      srcPort: 1000,
      dst: '10.0.0.2',
      dstPort: 80,
      family: 4,
      start: 0,
      end: 2,
      packets: { out: 2, in: 1 },
      bytes: { out: 111, in: 54 },
      sawSyn: true,
    });
    const segment = packets.segments[0]!;
    expect([...segment.flowDir.subarray(0, packets.count)]).toEqual([0, 1, 0]);
    expect([...segment.timeNs.subarray(0, packets.count)]).toEqual([0, 1.5e6, 2e9]);
    expect([...segment.meta.subarray(0, packets.count)]).toEqual([
      (54 << META_LENGTH_SHIFT) | SYN,
      (54 << META_LENGTH_SHIFT) | SYN | ACK,
      (57 << META_LENGTH_SHIFT) | ACK | META_PAYLOAD,
    ]);
  });

  test('takes the answered side for the client where the capture begins with a SYN+ACK', () => {
    const { flows } = read([
      { frame: ip(ipv4Packet(6, tcpSegment(80, 1000, SYN | ACK), { src: B, dst: A })), timeUs: 0 },
      { frame: ip(ipv4Packet(6, tcpSegment(1000, 80, ACK))), timeUs: 1 },
    ]);
    expect(flowRow(flows, 0, null)).toMatchObject({ src: '10.0.0.1', srcPort: 1000, sawSyn: false });
    expect(flowRow(flows, 0, 'a')).toMatchObject({ src: '10.0.0.2', srcPort: 80 });
  });

  test('gives first fragments to their flow, marked, and later ones to none', () => {
    const datagram = udpDatagram(5000, 53, new Array(24).fill(7));
    const { flows, packets } = read([
      { frame: ip(ipv4Packet(17, datagram.slice(0, 16), { moreFragments: true })), timeUs: 0 },
      { frame: ip(ipv4Packet(17, datagram.slice(16), { fragmentOffset: 16 })), timeUs: 1 },
    ]);
    expect([flows.count, flows.packetsOut[0], packets.count]).toEqual([1, 1, 1]);
    expect(packets.segments[0]!.meta[0]! & META_FRAGMENT).toBe(META_FRAGMENT);
  });

  test('keeps a segment whose flags were not captured and says so', () => {
    const frame = ip(ipv4Packet(6, tcpSegment(1000, 80, SYN)));
    const { flows, packets, summary } = read([{ frame, capLen: 14 + 20 + 8, timeUs: 0 }]);
    expect([flows.count, flows.marks[0]]).toEqual([1, 0]);
    expect(packets.segments[0]!.meta[0]).toBe((54 << META_LENGTH_SHIFT) | META_FLAGS_CUT);
    expect(summary.decodeFaults).toEqual({});
  });

  test('counts what it does not understand by kind', () => {
    const whole = ip(ipv4Packet(17, udpDatagram(1, 2)));
    const { flows, summary } = read([
      { frame: whole, capLen: 10, timeUs: 0 },
      { frame: whole, capLen: 30, timeUs: 1 },
      { frame: whole, capLen: 36, timeUs: 2 },
      { frame: ethernetFrame(0x1234, [0]), timeUs: 3 },
      { frame: ethernetFrame(0x0806, [0]), timeUs: 4 },
    ]);
    expect(flows.count).toBe(0);
    expect(summary.decodeFaults).toEqual({
      'link-header-cut': 1,
      'ipv4-header-cut': 1,
      'l4-header-cut': 1,
      'unknown-ethertype': 1,
    });
  });

  test('counts frames of a link type that nobody reads by its number', () => {
    expect(read([{ frame: [1, 2, 3], timeUs: 0 }], {}, 147).summary.decodeFaults).toEqual({
      'link-type-147': 1,
    });
  });

  test('looks into a tunnel at level inner only', () => {
    const inside = ethernetFrame(0x86dd, ipv6Packet(6, tcpSegment(7, 8, SYN), 1, 2, 0x12345));
    const frame = ip(ipv4Packet(17, udpDatagram(60000, 4789, [8, 0, 0, 0, 0, 0, 42, 0, ...inside])));
    expect(flowRow(read([{ frame, timeUs: 0 }]).flows, 0, null)).toMatchObject({
      proto: 'udp',
      dstPort: 4789,
    });
    const { flows } = read([{ frame, timeUs: 0 }], { level: 'inner' });
    expect(flowRow(flows, 0, null)).toMatchObject({ proto: 'tcp', src: 'fd00::1', srcPort: 7, family: 6 });
    expect(flows.labelOut[0]).toBe(0x12345);
  });

  test('leaves the packet index empty on request', () => {
    const records = [{ frame: ip(ipv4Packet(17, udpDatagram(1, 2))), timeUs: 0 }];
    const { flows, packets } = read(records, { index: 'flows' });
    expect([flows.count, packets.count, packets.segments.length]).toEqual([1, 0, 0]);
  });
});
