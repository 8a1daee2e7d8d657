/** Encoding and decoding are each other's inverse on everything valid, however the stream is cut. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writeAttributeSet } from '../../src/bgp/codec/attribute-set.js';
import { ByteWriter } from '../../src/bgp/codec/byte-writer.js';
import { type CodecContext, OFFLINE } from '../../src/bgp/codec/codec-context.js';
import { type BgpMessage, MESSAGE_TYPE } from '../../src/bgp/codec/message.js';
import { decodeMessage, encodeMessage } from '../../src/bgp/codec/message-codec.js';
import { MessageFramer } from '../../src/bgp/codec/message-framer.js';
import { decodeNlri } from '../../src/bgp/codec/nlri.js';
import { NlriCursor } from '../../src/bgp/codec/nlri-cursor.js';
import { readUpdate } from '../../src/bgp/codec/read-update.js';
import { UpdatePacker } from '../../src/bgp/codec/update-packer.js';
import { UpdateView } from '../../src/bgp/codec/update-view.js';
import { arbContext, arbMessage, arbNlri, arbUpdate } from './bgp-messages.js';

function decodeStream(chunks: Iterable<Uint8Array>, context: CodecContext): BgpMessage[] {
  const framer = new MessageFramer();
  framer.maxBytes = 65535;
  const found: BgpMessage[] = [];
  for (const chunk of chunks) {
    const fault = framer.push(chunk, (type, bytes, view, at, end) => {
      const decoded = decodeMessage(type, bytes, view, at, end, context);
      expect(decoded.fault).toBeUndefined();
      found.push(decoded.value!);
      return true;
    });
    expect(fault).toBeNull();
  }
  expect(framer.pendingBytes).toBe(0);
  return found;
}

const arbSession = arbContext.chain((context) =>
  fc.record({ context: fc.constant(context), messages: fc.array(arbMessage(context), { maxLength: 6 }) }),
);

describe('the codec', () => {
  test('decodes what it encodes, and encodes that to the same octets', () => {
    fc.assert(
      fc.property(arbSession, ({ context, messages }) => {
        const encoded = messages.map((m) => encodeMessage(m, context));
        const decoded = decodeStream(encoded, context);
        expect(decoded).toEqual(messages);
        expect(decoded.map((m) => encodeMessage(m, context))).toEqual(encoded);
      }),
      { numRuns: 150 },
    );
  });

  test('finds the same messages however the stream is cut', () => {
    fc.assert(
      fc.property(
        arbSession,
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
        (session, sizes) => {
          const { context, messages } = session;
          const stream = Buffer.concat(messages.map((m) => encodeMessage(m, context)));
          const chunks: Uint8Array[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = sizes[i % sizes.length]!;
            // a copy each: the framer must not rely on a chunk once push returned
            chunks.push(Uint8Array.from(stream.subarray(at, at + size)));
            at += size;
          }
          expect(decodeStream(chunks, context)).toEqual(messages);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('writes an attribute set that reads back as itself', () => {
    fc.assert(
      fc.property(
        arbContext.chain((c) => fc.tuple(fc.constant(c), arbUpdate(c))),
        ([context, update]) => {
          const first = attributeSet(encodeMessage(update, context), context);
          const again = new ByteWriter();
          for (let i = 0; i < 4; i++) again.u32(0xffffffff);
          again.u16(23 + first.length);
          again.u8(MESSAGE_TYPE.update);
          again.u16(0);
          again.u16(first.length);
          again.octets(first);
          expect(attributeSet(again.bytes(), OFFLINE)).toEqual(first);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('packs prefixes into messages that hold exactly them, none longer than allowed', () => {
    const arb = arbContext.chain((context) =>
      fc.record({
        context: fc.constant({ ...context, extendedMessages: false }),
        family: fc.constantFrom(257, 258, 513),
        field: fc.constantFrom('announce', 'withdraw'),
        count: fc.integer({ min: 1, max: 2500 }),
        seed: fc.nat(),
      }),
    );
    fc.assert(
      fc.property(arb, ({ context, family, field, count, seed }) => {
        const one = fc.sample(arbNlri(family, context), { numRuns: 40, seed });
        const sent = Array.from({ length: count }, (_, i) => one[i % one.length]!);
        const chunks: Uint8Array[] = [];
        const packer = new UpdatePacker(context, (messages) => chunks.push(messages.slice()));
        const isClassic = family === 257;
        const attributes = isClassic ? Uint8Array.of(0x40, 3, 4, 10, 0, 0, 1) : new Uint8Array(0);
        if (field === 'withdraw') packer.withdraw(family);
        else
          packer.announce(
            family,
            attributes,
            isClassic ? null : new Uint8Array(family > 512 ? 16 : 4).fill(1),
          );
        for (const { prefix, pathId } of sent) {
          const { w0, w1, w2, w3 } = prefix.address;
          packer.add(w0, w1, w2, w3, prefix.length, pathId ?? 0);
        }
        packer.flush();
        const got = readBack(chunks, context);
        expect(got.prefixes).toEqual(sent);
        expect(got.longest).toBeLessThanOrEqual(4096);
        expect(got.messages).toBe(packer.messages);
        // no message but the last could have held one prefix more
        for (const bytes of got.sizes.slice(0, -1)) expect(bytes).toBeGreaterThan(4096 - 22);
      }),
      { numRuns: 40 },
    );
  });

  test('moves the cursor over the same prefixes that it decodes', () => {
    fc.assert(
      fc.property(
        arbContext.chain((c) => fc.tuple(fc.constant(c), arbUpdate(c))),
        ([context, update]) => {
          const bytes = encodeMessage({ ...update, attributes: [] }, context);
          const view = new UpdateView();
          readUpdate(bytes, new DataView(bytes.buffer), 19, bytes.length, context, view);
          const cursor = new NlriCursor();
          view.openNlri(cursor);
          const walked: unknown[] = [];
          while (cursor.next()) walked.push([cursor.words[0], cursor.length, cursor.pathId]);
          const decoded = decodeNlri(bytes, view.nlriAt, view.nlriEnd, 257, view.pathIdBytes);
          expect(walked).toEqual(decoded.map((n) => [n.prefix.address.w0, n.prefix.length, n.pathId ?? 0]));
        },
      ),
      { numRuns: 60 },
    );
  });
});

function attributeSet(message: Uint8Array, context: CodecContext): Uint8Array {
  const update = new UpdateView();
  readUpdate(message, new DataView(message.buffer), 19, message.length, context, update);
  const out = new ByteWriter();
  writeAttributeSet(update, context, 'nlri', out);
  const set = out.bytes();
  if (update.attributesAreCanonical) {
    expect(set).toEqual(message.slice(update.attributesAt, update.attributesEnd));
  }
  return set;
}

function readBack(chunks: readonly Uint8Array[], context: CodecContext) {
  const framer = new MessageFramer();
  const update = new UpdateView();
  const receiving = { ...context, addPathReceive: context.addPathSend };
  const prefixes: unknown[] = [];
  const sizes: number[] = [];
  for (const chunk of chunks) {
    const fault = framer.push(chunk, (_type, bytes, view, at, end) => {
      readUpdate(bytes, view, at, end, receiving, update);
      expect(update.resetFault).toBeNull();
      sizes.push(end - at + 19);
      const { reach, unreach } = update;
      prefixes.push(
        ...decodeNlri(bytes, update.nlriAt, update.nlriEnd, 257, update.pathIdBytes),
        ...decodeNlri(bytes, update.withdrawnAt, update.withdrawnEnd, 257, update.pathIdBytes),
      );
      for (const section of [reach, unreach]) {
        if (!section.present) continue;
        const { nlriAt, nlriEnd, family, pathIdBytes } = section;
        prefixes.push(...decodeNlri(bytes, nlriAt, nlriEnd, family, pathIdBytes));
      }
      return true;
    });
    expect(fault).toBeNull();
  }
  return { prefixes, sizes, longest: Math.max(...sizes), messages: sizes.length };
}
