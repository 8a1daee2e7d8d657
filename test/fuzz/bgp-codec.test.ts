/**
 * Damaged messages: nothing throws, nothing reads outside of the message, and what is refused is refused with a
 * NOTIFICATION that exists. Seeds are messages of our own encoder and, where present, of many other projects.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CodecContext, OFFLINE } from '../../src/bgp/codec/codec-context.js';
import { decodeBgpBytes, decodeBgpHex } from '../../src/bgp/codec/decode-input.js';
import { guessContext, OFFLINE_ADD_PATH } from '../../src/bgp/codec/guess-context.js';
import { fromHex, toHex } from '../../src/bgp/codec/hex.js';
import { decodeMessage, encodeMessage } from '../../src/bgp/codec/message-codec.js';
import { checkHeader } from '../../src/bgp/codec/message-framer.js';
import { mrtToJson } from '../../src/bgp/mrt/mrt-json.js';
import { readMrt } from '../../src/bgp/mrt/read-mrt.js';
import { sourceFromBytes } from '../../src/capture/byte-source.js';
import { arbMessage } from '../property/bgp-messages.js';
import { hasShared, sharedPath } from '../support/shared.js';

const EXTERNAL: CodecContext = {
  ...OFFLINE,
  families: new Set([257, 513]),
  peering: 'external',
  peerAsn: 64601,
  enforceFirstAs: true,
  aigp: false,
};
const CONTEXTS = [
  OFFLINE,
  OFFLINE_ADD_PATH,
  { ...OFFLINE, asn4: false },
  EXTERNAL,
  { ...EXTERNAL, asn4: false },
];

/** mulberry32: the same damage on every run */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const own = fc
  .sample(arbMessage(OFFLINE), { numRuns: 150, seed: 4271 })
  .map((m) => encodeMessage(m, OFFLINE));
const foreign = hasShared ? [...vectorFiles(), ...hexVectors()] : [];

describe('damaged messages', () => {
  test('decode to a value or a fault, the same whatever lies around them', () => {
    const random = randomFrom(7606);
    for (const seed of [...own, ...foreign]) {
      for (let round = 0; round < 12; round++) {
        const damaged = round === 0 ? seed.slice() : damage(seed, random);
        for (const context of CONTEXTS) checkOne(damaged, context);
      }
    }
  });

  test('leave a stream decoder with records and faults, never with an exception', () => {
    const random = randomFrom(4271);
    for (let round = 0; round < 300; round++) {
      const stream = Buffer.concat([own[random(own.length)]!, damage(own[random(own.length)]!, random)]);
      const records = [...decodeBgpBytes(stream), ...decodeBgpHex(toHex(stream))];
      for (const { json } of records) expect(JSON.stringify(json)).toContain('{');
    }
  });
});

describe('damaged MRT dumps', () => {
  test('end with a fault or read on, and every entry prints', () => {
    const random = randomFrom(6396);
    const good = Buffer.concat(own.filter((m) => m[18] === 2).map(mrtRecord));
    for (let round = 0; round < 150; round++) {
      const dump = damage(good, random);
      let entries = 0;
      for (const timed of readMrt(sourceFromBytes(dump, 'damaged'))) {
        JSON.stringify(mrtToJson(timed));
        entries++;
      }
      expect(entries).toBeLessThanOrEqual(own.length);
    }
  });

  test('reads any octets as records of any type', () => {
    const random = randomFrom(8050);
    const types = [5, 12, 13, 16, 17];
    for (let round = 0; round < 3000; round++) {
      const body = Uint8Array.from({ length: random(90) }, () => (random(3) === 0 ? random(256) : random(4)));
      const head = new DataView(new ArrayBuffer(12));
      head.setUint16(4, types[random(types.length)]!);
      head.setUint16(6, random(13));
      head.setUint32(8, body.length);
      const dump = Buffer.concat([new Uint8Array(head.buffer), body]);
      for (const timed of readMrt(sourceFromBytes(dump, 'noise'))) JSON.stringify(mrtToJson(timed));
    }
  });
});

function checkOne(body: Uint8Array, context: CodecContext): void {
  const results = [0x00, 0xff].map((fill) => {
    const around = new Uint8Array(body.length + 128).fill(fill);
    around.set(body, 64);
    const view = new DataView(around.buffer);
    const [at, end] = [64 + 19, 64 + body.length];
    if (checkHeader(around, 64, 65535) !== null) return null;
    // the frame is what the framer would hand on: the length field has been believed
    if (end - 64 !== view.getUint16(64 + 16)) return null;
    guessContext(around, view, at, end);
    return decodeMessage(around[64 + 18]!, around, view, at, end, context);
  });
  expect(results[0]).toEqual(results[1]);
  const fault = results[0]?.fault;
  if (fault !== undefined) {
    expect(fault.code).toBeGreaterThan(0);
    expect(fault.reason).not.toBe('');
    expect(fault.data.length).toBeLessThanOrEqual(body.length);
  }
}

/** Flips, overwrites, cuts or lengthens; most often keeps the header believable, so that the inside is reached. */
function damage(seed: Uint8Array, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(seed);
  for (let n = 1 + random(4); n > 0; n--) {
    const at = bytes.length > 20 ? 19 + random(bytes.length - 19) : random(bytes.length);
    const kind = random(5);
    if (kind === 0) bytes[at] = bytes[at]! ^ (1 << random(8));
    else if (kind === 1) bytes[at] = random(256);
    else if (kind === 2) bytes[at] = [0, 1, 127, 128, 255][random(5)]!;
    else if (kind === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(4))]);
    else
      bytes = Buffer.concat([
        bytes.subarray(0, at),
        Buffer.alloc(1 + random(4), random(256)),
        bytes.subarray(at),
      ]);
  }
  if (bytes.length >= 19 && random(8) > 0) bytes.writeUInt16BE(Math.min(bytes.length, 65535), 16);
  return bytes;
}

function mrtRecord(message: Uint8Array): Buffer {
  const head = Buffer.alloc(12 + 20);
  head.writeUInt16BE(16, 4);
  head.writeUInt16BE(4, 6);
  head.writeUInt32BE(20 + message.length, 8);
  head.writeUInt16BE(1, 12 + 10);
  return Buffer.concat([head, message]);
}

function vectorFiles(): Uint8Array[] {
  const folders = ['frr-fuzz-seeds', 'gobgp-bad-len', 'opendaylight'].map((f) =>
    sharedPath('bgp', 'data', f),
  );
  const files = folders.flatMap(filesUnder).filter((f) => statSync(f).size < 8192);
  return files.map((file) => framed(readFileSync(file)));
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}

function hexVectors(): Uint8Array[] {
  const list = JSON.parse(readFileSync(sharedPath('bgp', 'data', 'hex-vectors.json'), 'utf8'));
  return (list as { hex: string }[]).map(({ hex }) => framed(fromHex(hex) ?? new Uint8Array(0)));
}

/** Bodies without a header get one, as UPDATEs. */
function framed(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 19 && bytes.subarray(0, 16).every((octet) => octet === 0xff)) return bytes;
  const head = Buffer.alloc(19, 0xff);
  head.writeUInt16BE(19 + bytes.length, 16);
  head[18] = 2;
  return Buffer.concat([head, bytes]);
}
