import { describe, expect, test } from 'vitest';
import { type CodecContext, OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import {
  decodeBgpBytes,
  decodeBgpChunks,
  decodeBgpHex,
  looksLikeHex,
} from '../../../../src/bgp/codec/decode-input.js';
import { toHex } from '../../../../src/bgp/codec/hex.js';
import { encodeMessage, KEEPALIVE_BYTES } from '../../../../src/bgp/codec/message-codec.js';
import { makeShutdown } from '../../../../src/bgp/codec/notification-message.js';
import { makeOpen } from '../../../../src/bgp/codec/open-message.js';
import { type CapturedMessage, CaptureSessions } from '../../../../src/bgp/watch/capture-sessions.js';

const MARKER = 'ff'.repeat(16);
const UPDATE = `${MARKER}0037020000001c4001010040020e02030000fc590000fc590000fde74003040a4d000218cb0071`;
const TWO_OCTET = `${MARKER}002d02000000124001010040020402015ba04003040a4d000218cb0071`;
const ADD_PATH = `${MARKER}003302000000144001010040020602010000fc594003040a4d00020000000718cb0071`;

const jsonOf = (text: string) => [...decodeBgpHex(text)].map((m) => m.json);

describe('decodeBgpHex()', () => {
  test('prints an UPDATE with readable names', () => {
    expect(jsonOf(UPDATE)).toEqual([
      {
        type: 'UPDATE',
        attributes: { origin: 'igp', asPath: [64601, 64601, 64999], nextHop: '10.77.0.2' },
        nlri: ['203.0.113.0/24'],
      },
    ]);
  });

  test('takes messages a line, comments, spaces, colons, and one dump over many lines', () => {
    const spaced = UPDATE.replace(/(..)/g, '$1 ').trim();
    expect(jsonOf(`# two\n${spaced}\n\n${toHex(KEEPALIVE_BYTES)} # the end\n`)).toHaveLength(2);
    const folded = UPDATE.replace(/(.{32})/g, '$1\n');
    expect(jsonOf(folded)).toEqual(jsonOf(UPDATE));
  });

  test('takes a line without marker for the body of an UPDATE', () => {
    expect(jsonOf(UPDATE.slice(38))).toEqual(jsonOf(UPDATE));
  });

  test('says what is no hexadecimal and what is cut short', () => {
    expect(jsonOf('hello')).toEqual([
      { fault: expect.objectContaining({ reason: 'the text is not hexadecimal' }) },
    ]);
    const [cut] = jsonOf(UPDATE.slice(0, 60));
    expect(cut).toEqual({
      fault: expect.objectContaining({ reason: expect.stringContaining('ends inside') }),
    });
  });
});

describe('a stream without OPENs', () => {
  test('is read with the AS width and the path identifiers that make sense', () => {
    expect(jsonOf(TWO_OCTET)[0]).toMatchObject({ attributes: { asPath: [23456] } });
    expect(jsonOf(ADD_PATH)[0]).toMatchObject({ nlri: [{ prefix: '203.0.113.0/24', pathId: 7 }] });
  });

  test('shows what RFC 7606 makes of a damaged message', () => {
    const [json] = jsonOf(UPDATE.replace('40010100', '40010105'));
    expect(json).toMatchObject({
      outcome: 'treat-as-withdraw',
      attributes: { origin: { fault: expect.stringContaining('invalid ORIGIN'), hex: '05' } },
    });
  });
});

describe('a stream with OPENs', () => {
  const asn4 = makeOpen(64601, 0x0a000001, 90, [
    { code: 69, kind: 'add-path', entries: [{ family: 257, mode: 3 }] },
  ]);
  const opens = [asn4, { ...asn4, bgpIdentifier: 7 }].map((open) => encodeMessage(open, OFFLINE));

  test('is read as they agree', () => {
    const context: CodecContext = { ...OFFLINE, addPathSend: new Set([257]) };
    const nlri = [
      { prefix: { address: { family: 4 as const, w0: 0, w1: 0, w2: 0, w3: 0 }, length: 0 }, pathId: 0 },
    ];
    const update = encodeMessage({ type: 2, withdrawn: nlri, attributes: [], nlri: [] }, context);
    const found = [...decodeBgpChunks([...opens, update])].map((m) => m.json);
    expect(found[2]).toMatchObject({ withdrawn: [{ prefix: '0.0.0.0/0', pathId: 0 }] });
    expect(found[0]).toMatchObject({ type: 'OPEN', asn: 64601, bgpIdentifier: '10.0.0.1', holdTime: 90 });
  });
});

describe('decodeBgpBytes()', () => {
  test('prints what a peer says when it leaves', () => {
    const bytes = encodeMessage(makeShutdown(2, 'maintenance'), OFFLINE);
    expect([...decodeBgpBytes(bytes)][0]?.json).toMatchObject({
      type: 'NOTIFICATION',
      name: 'cease: administrative shutdown',
      communication: 'maintenance',
    });
  });

  test('ends with the fault at octets that are no message', () => {
    const found = [...decodeBgpBytes(Buffer.concat([KEEPALIVE_BYTES, Buffer.alloc(19)]))];
    expect(found.map((m) => m.json)).toEqual([
      { type: 'KEEPALIVE' },
      { fault: expect.objectContaining({ code: 1, subcode: 1 }) },
    ]);
  });
});

describe('looksLikeHex()', () => {
  test('tells text from messages', () => {
    expect(looksLikeHex(Buffer.from(UPDATE))).toBe(true);
    expect(looksLikeHex(KEEPALIVE_BYTES)).toBe(false);
    expect(looksLikeHex(new Uint8Array(0))).toBe(false);
  });
});

describe('CaptureSessions', () => {
  const ends = { src: '10.0.0.1', srcPort: 40000, dst: '10.0.0.2', dstPort: 179 };
  const back = { src: '10.0.0.2', srcPort: 179, dst: '10.0.0.1', dstPort: 40000 };
  const open = encodeMessage(makeOpen(64601, 1, 90, []), OFFLINE);

  function run(feed: (sessions: CaptureSessions) => void): CapturedMessage[] {
    const found: CapturedMessage[] = [];
    const sessions = new CaptureSessions((message) => found.push(message));
    feed(sessions);
    sessions.end();
    return found;
  }

  test('decodes both directions at the time of the segment that completes a message', () => {
    const found = run((sessions) => {
      sessions.segment({ timeS: 0, ...ends, seq: 9, isSyn: true, isEnd: false, payload: new Uint8Array(0) });
      sessions.segment({ timeS: 0, ...back, seq: 99, isSyn: true, isEnd: false, payload: new Uint8Array(0) });
      sessions.segment({
        timeS: 1,
        ...ends,
        seq: 10,
        isSyn: false,
        isEnd: false,
        payload: open.subarray(0, 12),
      });
      sessions.segment({
        timeS: 2,
        ...ends,
        seq: 22,
        isSyn: false,
        isEnd: false,
        payload: open.subarray(12),
      });
      sessions.segment({ timeS: 3, ...back, seq: 100, isSyn: false, isEnd: false, payload: open });
    });
    expect(found.map((m) => [m.timeS, m.src, m.decoded?.json.type])).toEqual([
      [2, '10.0.0.1', 'OPEN'],
      [3, '10.0.0.2', 'OPEN'],
    ]);
  });

  test('finds its footing at the next marker where the capture begins or goes on in the middle', () => {
    const found = run((sessions) => {
      const payloads = [open.subarray(7), KEEPALIVE_BYTES, Buffer.alloc(19), KEEPALIVE_BYTES];
      let seq = 5;
      for (const payload of payloads) {
        sessions.segment({ timeS: seq, ...ends, seq, isSyn: false, isEnd: false, payload });
        seq += payload.length;
      }
    });
    expect(found.map((m) => m.decoded?.json.type ?? m.fault?.subcode)).toEqual(['KEEPALIVE', 1, 'KEEPALIVE']);
  });

  test('begins anew where a port is used again', () => {
    const found = run((sessions) => {
      for (const seq of [100, 500_000]) {
        sessions.segment({ timeS: 0, ...ends, seq, isSyn: true, isEnd: false, payload: new Uint8Array(0) });
        sessions.segment({ timeS: 0, ...ends, seq: seq + 1, isSyn: false, isEnd: false, payload: open });
      }
    });
    expect(found.map((m) => m.decoded?.json.type)).toEqual(['OPEN', 'OPEN']);
  });
});
