import { describe, expect, test } from 'vitest';
import {
  type ControlPacket,
  readControlPacket,
  writeControlPacket,
} from '../../../../src/bgp/bfd/control-packet.js';

/** Octets written out by hand from the drawing in RFC 5880 section 4.1. */
const UP = '20c80318' + '00000001' + '0000abcd' + '000186a0' + '000493e0' + '00000000';
const UP_PACKET: ControlPacket = {
  ...{ diagnostic: 0, state: 'Up', poll: false, final: false, controlPlaneIndependent: true, demand: false },
  ...{ detectMultiplier: 3, myDiscriminator: 1, yourDiscriminator: 0xabcd },
  ...{ desiredMinTxUs: 100_000, requiredMinRxUs: 300_000, requiredMinEchoRxUs: 0 },
};

const octets = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
/** the packet above with one octet changed */
const changed = (at: number, value: number): Uint8Array => octets(UP).with(at, value);

describe('a BFD control packet', () => {
  test('is read as RFC 5880 draws it', () => {
    expect(readControlPacket(octets(UP))).toEqual(UP_PACKET);
  });

  test('is written as RFC 5880 draws it', () => {
    expect(Buffer.from(writeControlPacket(UP_PACKET)).toString('hex')).toBe(UP);
  });

  test('keeps every field on the way out and in', () => {
    for (const state of ['AdminDown', 'Down', 'Init', 'Up'] as const) {
      for (const bits of Array.from({ length: 16 }, (_, i) => i)) {
        const packet: ControlPacket = {
          ...{ state, diagnostic: bits, poll: (bits & 1) > 0, final: (bits & 2) > 0 },
          ...{
            controlPlaneIndependent: (bits & 4) > 0,
            demand: (bits & 8) > 0,
            detectMultiplier: 255 - bits,
          },
          ...{ myDiscriminator: 0xffffffff - bits, yourDiscriminator: 0x80000000 + bits },
          ...{ desiredMinTxUs: 0xfffffff0 + bits, requiredMinRxUs: bits, requiredMinEchoRxUs: 7 },
        };
        expect(readControlPacket(writeControlPacket(packet))).toEqual(packet);
      }
    }
  });

  test('may be followed by other octets in its datagram', () => {
    expect(readControlPacket(octets(`${UP}ffff`))).toEqual(UP_PACKET);
  });

  test.each([
    ['too short', octets(UP).subarray(0, 23)],
    ['version is not 1', changed(0, 0x40)],
    ['length field is wrong', changed(3, 23)],
    ['length field is wrong', changed(3, 25)],
    ['detect multiplier is 0', changed(2, 0)],
    ['multipoint bit is set', changed(1, 0xc9)],
    ['my discriminator is 0', changed(7, 0)],
    ['your discriminator is 0 in a state that knows it', changed(10, 0).with(11, 0)],
    ['your discriminator is 0 in a state that knows it', changed(10, 0).with(11, 0).with(1, 0x80)],
    ['authentication is not in use', changed(1, 0xcc)],
  ])('is discarded where its %s', (fault, payload) => {
    expect(readControlPacket(payload)).toBe(fault);
  });

  test('without the peer’s discriminator is good in Down and AdminDown', () => {
    for (const flags of [0x00, 0x40]) {
      expect(readControlPacket(changed(10, 0).with(11, 0).with(1, flags))).toMatchObject({
        yourDiscriminator: 0,
      });
    }
  });
});
