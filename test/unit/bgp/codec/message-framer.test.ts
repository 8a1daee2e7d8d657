import { describe, expect, test } from 'vitest';
import { fromHex } from '../../../../src/bgp/codec/hex.js';
import { KEEPALIVE_BYTES } from '../../../../src/bgp/codec/message-codec.js';
import { MessageFramer } from '../../../../src/bgp/codec/message-framer.js';

function update(bodyBytes: number): Uint8Array {
  const message = new Uint8Array(19 + bodyBytes).fill(0xff, 0, 16);
  new DataView(message.buffer).setUint16(16, message.length);
  message[18] = 2;
  return message;
}

function lengthsOf(framer: MessageFramer, chunks: Uint8Array[]): number[] {
  const lengths: number[] = [];
  for (const chunk of chunks) {
    framer.push(chunk, (_type, bytes, view, at, end) => {
      expect(view.getUint16(at - 3)).toBe(end - at + 19);
      expect(bytes[at - 1]).toBe(view.getUint8(at - 1));
      lengths.push(end - at + 19);
      return true;
    });
  }
  return lengths;
}

describe('MessageFramer.push()', () => {
  test('finds messages that share a chunk, and one that is split octet by octet', () => {
    const stream = Buffer.concat([KEEPALIVE_BYTES, update(40), KEEPALIVE_BYTES]);
    expect(lengthsOf(new MessageFramer(), [stream])).toEqual([19, 59, 19]);
    const octets = [...stream].map((octet) => Uint8Array.of(octet));
    expect(lengthsOf(new MessageFramer(), octets)).toEqual([19, 59, 19]);
  });

  test('reads messages of 65,535 octets once they are allowed, over any cut', () => {
    const framer = new MessageFramer();
    framer.maxBytes = 65535;
    const stream = Buffer.concat([update(65516), update(30)]);
    const halves = [stream.subarray(0, 5000), stream.subarray(5000)];
    expect(lengthsOf(framer, halves)).toEqual([65535, 49]);
    expect(framer.pendingBytes).toBe(0);
  });

  test('refuses 4,097 octets before that with the length field as data (RFC 4271 6.1)', () => {
    const fault = new MessageFramer().push(update(4078), () => true);
    expect(fault).toMatchObject({ code: 1, subcode: 2, messageType: 2 });
    expect(fault!.data).toEqual(Uint8Array.of(0x10, 0x01));
  });

  test('hands on what came before a fault, and nothing after it', () => {
    const framer = new MessageFramer();
    const bad = fromHex('fffffffffffffffffffffffffffffffe001304')!;
    let seen = 0;
    const visit = () => {
      seen++;
      return true;
    };
    expect(framer.push(Buffer.concat([KEEPALIVE_BYTES, bad]), visit)).toMatchObject({ code: 1, subcode: 1 });
    expect(framer.push(KEEPALIVE_BYTES, visit)).toMatchObject({ code: 1, subcode: 1 });
    expect(seen).toBe(1);
  });

  test('stops where the visitor says so', () => {
    const framer = new MessageFramer();
    let seen = 0;
    const stop = () => {
      seen++;
      return false;
    };
    expect(framer.push(Buffer.concat([KEEPALIVE_BYTES, KEEPALIVE_BYTES]), stop)).toBeNull();
    expect(framer.push(KEEPALIVE_BYTES, stop)).toBeNull();
    expect(seen).toBe(1);
  });

  test.each([
    ['0013', '00', '1/3'],
    ['0013', '06', '1/3'],
    ['0014', '04', '1/2'],
    ['0013', '02', '1/2'],
    ['0016', '05', '1/2'],
    ['0012', '04', '1/2'],
  ])('refuses length %s with type %s by %s', (length, type, expected) => {
    const bytes = fromHex(`${'ff'.repeat(16)}${length}${type}`)!;
    const fault = new MessageFramer().push(bytes, () => true)!;
    expect(`${fault.code}/${fault.subcode}`).toBe(expected);
  });
});
