/** Link types that only the TypeScript decoder reads, and those that nobody reads. */
import { expect, test } from 'vitest';
import { DecodeFault } from '../../../src/flow/decode-fault.js';
import { PacketDecoder } from '../../../src/flow/packet-decoder.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { ipv4Packet, pcapFile, tcpSegment, withFile } from '../../support/frames.js';

const [C_HDLC, CAN, NFLOG] = [104, 227, 239];
const PACKET = Uint8Array.from(ipv4Packet(6, tcpSegment(40000, 80, 2)));

function decoded(frame: Uint8Array, linkType: number): PacketDecoder {
  const decoder = new PacketDecoder();
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  decoder.decode(view, 0, frame.length, frame.length, linkType, 'outer');
  return decoder;
}

/** A header, a prefix of four octets, the packet: as the kernel orders them, in either byte order. */
function nflogFrame(littleEndian: boolean, packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + 12 + 4 + packet.length);
  const view = new DataView(frame.buffer);
  frame[0] = 2;
  view.setUint16(4, 9, littleEndian);
  view.setUint16(6, 10, littleEndian);
  view.setUint16(16, 4 + packet.length, littleEndian);
  view.setUint16(18, 9, littleEndian);
  frame.set(packet, 20);
  return frame;
}

test('what tcpdump wrote of a netfilter log group has its flows', () => {
  const { flows, summary } = readCapture('test/golden/link-types/nflog.pcap');
  expect([summary.linkTypes, summary.decodeFaults, summary.warnings]).toEqual([['nflog'], {}, []]);
  expect([flows.count, ...flows.family.subarray(0, 2), ...flows.packetsOut.subarray(0, 2)]).toEqual([
    2, 4, 6, 5, 5,
  ]);
  expect([...flows.bPort.subarray(0, 2)]).toEqual([8080, 8080]);
});

test.each([true, false])('a netfilter log of either byte order (low octet first: %s)', (littleEndian) => {
  const decoder = decoded(nflogFrame(littleEndian, PACKET), NFLOG);
  expect([decoder.fault, decoder.layers]).toEqual([DecodeFault.none, 1]);
});

test('a netfilter log without a packet, or with an attribute of no length, is cut', () => {
  expect(decoded(nflogFrame(true, PACKET).subarray(0, 16), NFLOG).fault).toBe(DecodeFault.linkHeaderCut);
  const endless = nflogFrame(true, PACKET);
  endless[4] = 0;
  expect(decoded(endless, NFLOG).fault).toBe(DecodeFault.linkHeaderCut);
});

test('Cisco HDLC', () => {
  const frame = Uint8Array.of(0x0f, 0, 8, 0, ...PACKET);
  expect([decoded(frame, C_HDLC).fault, decoded(frame, C_HDLC).layers]).toEqual([DecodeFault.none, 1]);
  expect(decoded(frame.subarray(0, 3), C_HDLC).fault).toBe(DecodeFault.linkHeaderCut);
});

test('a link type that nobody reads is named, with its packets', () => {
  withFile(pcapFile([{ frame: [...PACKET], timeUs: 0 }], CAN), (path) => {
    expect(readCapture(path).summary.warnings).toEqual([
      'link type 227 (can-socketcan) is not decoded: 1 packet of the capture went unread',
    ]);
  });
});
