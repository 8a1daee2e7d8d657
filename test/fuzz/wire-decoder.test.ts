/** The decoder on arbitrary octets: it never throws, never looks or points outside the captured ones. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IpLayer } from '../../src/flow/ip-layer.js';
import { PacketDecoder } from '../../src/flow/packet-decoder.js';
import { ethernetFrame, ipv4Packet, ipv6Packet, udpDatagram } from '../support/frames.js';

const LINK_TYPES = [0, 1, 9, 12, 14, 50, 101, 108, 113, 228, 229, 276, 147];
const octet = fc.integer({ min: 0, max: 255 });
const anything = fc.array(octet, { maxLength: 160 });

/** heads that lead the walk into a decoder's branches, with anything behind */
const led = fc
  .tuple(
    fc.constantFrom(0, 4, 41, 43, 44, 47, 51, 60, 97, 137, 143, 1, 58, 6, 33, 132),
    fc.constantFrom(4789, 4790, 6081, 2152, 3544, 1701, 4754, 6635),
    fc.constantFrom(0x0800, 0x86dd, 0x8100, 0x8847, 0x8864, 0x880b, 0x6558, 100),
    anything,
    fc.nat(4),
  )
  .map(([proto, port, type, rest, shape]) => {
    if (shape === 0) return ethernetFrame(0x0800, ipv4Packet(proto, rest));
    if (shape === 1) return ethernetFrame(0x86dd, ipv6Packet(proto, rest));
    if (shape === 2) return ethernetFrame(0x0800, ipv4Packet(17, udpDatagram(50000, port, rest)));
    if (shape === 3) return ethernetFrame(0x0800, ipv4Packet(47, [0x30, 0, type >> 8, type & 255, ...rest]));
    return ethernetFrame(type, rest);
  });

function expectInside(layer: IpLayer, at: number, end: number): void {
  expect(layer.l3).toBeGreaterThanOrEqual(at);
  expect(layer.l4).toBeGreaterThanOrEqual(layer.l3);
  expect(layer.end).toBeGreaterThanOrEqual(layer.l4);
  expect(layer.end).toBeLessThanOrEqual(end);
  if (layer.hasPorts) expect(layer.l4 + 4).toBeLessThanOrEqual(layer.end);
  expect(layer.payloadBytes).toBeGreaterThanOrEqual(0);
}

describe('the packet decoder', () => {
  test('stays inside the captured octets, whatever they are', () => {
    const decoder = new PacketDecoder();
    fc.assert(
      fc.property(
        fc.oneof(anything, led),
        fc.constantFrom(...LINK_TYPES),
        fc.nat(200),
        fc.nat(7),
        (made, type, cut, at) => {
          const capLen = Math.min(cut, made.length);
          // the view ends with the captured octets: reading on would throw
          const bytes = Uint8Array.from([...new Array<number>(at).fill(0x45), ...made.slice(0, capLen)]);
          decoder.decode(new DataView(bytes.buffer), at, capLen, made.length, type, 'inner');
          if (decoder.layers > 0) {
            expectInside(decoder.outer, at, at + capLen);
            expectInside(decoder.inner, at, at + capLen);
          }
          if (decoder.hasQuoted) expectInside(decoder.quoted, at, at + capLen);
        },
      ),
      { numRuns: 20_000 },
    );
  });

  test('gives up on a frame of nothing but headers', () => {
    const decoder = new PacketDecoder();
    const tags = Array.from({ length: 200 }, () => [0, 1, 0x81, 0]).flat();
    const frame = Uint8Array.from(ethernetFrame(0x8100, tags));
    decoder.decode(new DataView(frame.buffer), 0, frame.length, frame.length, 1, 'inner');
    expect([decoder.layers, decoder.fault]).toEqual([0, 13]);
  });
});
