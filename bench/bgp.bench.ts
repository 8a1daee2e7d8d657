/** Reading UPDATEs in place: framing, RFC 7606 checks and every prefix, over a table as a full feed sends it. */
import { IPV4_UNICAST } from '../src/bgp/codec/address-family.js';
import { ByteWriter } from '../src/bgp/codec/byte-writer.js';
import { type CodecContext, OFFLINE } from '../src/bgp/codec/codec-context.js';
import { MessageFramer } from '../src/bgp/codec/message-framer.js';
import { NlriCursor } from '../src/bgp/codec/nlri-cursor.js';
import { readUpdate } from '../src/bgp/codec/read-update.js';
import { encodeAttribute, makeAttribute } from '../src/bgp/codec/update-message.js';
import { UpdatePacker } from '../src/bgp/codec/update-packer.js';
import { UpdateView } from '../src/bgp/codec/update-view.js';
import type { BenchCase } from './bench-case.js';

export const PREFIXES = 100_000;
const PREFIXES_PER_SET = 8;
export const SOCKET_READ_BYTES = 1 << 16;

export const SESSION: CodecContext = {
  ...OFFLINE,
  extendedMessages: false,
  families: new Set([IPV4_UNICAST]),
  peering: 'external',
  peerAsn: 64601,
  enforceFirstAs: true,
};

/** 12,500 attribute sets of origin, a path of five, next hop, MED and four communities, eight /24 each. */
export function table(): Uint8Array {
  const chunks: Uint8Array[] = [];
  const packer = new UpdatePacker(SESSION, (messages) => chunks.push(messages.slice()));
  const out = new ByteWriter();
  for (let i = 0; i < PREFIXES; i++) {
    if (i % PREFIXES_PER_SET === 0) {
      out.rewind();
      for (const attribute of attributesOf(i)) encodeAttribute(attribute, out, SESSION);
      packer.announce(IPV4_UNICAST, out.bytes(), null);
    }
    packer.add(0x0b000000 + i * 256, 0, 0, 0, 24, 0);
  }
  packer.flush();
  return Buffer.concat(chunks);
}

function attributesOf(set: number) {
  const path = [{ type: 2, asns: [64601, 3356, 1299, 174 + (set % 5000), 400_000 + (set % 9000)] }];
  const communities = Array.from({ length: 4 }, (_, i) => 0x0d1c0000 + set + i);
  return [
    makeAttribute({ code: 1 }, 0),
    makeAttribute({ code: 2 }, path),
    makeAttribute({ code: 3 }, 0x0a4d0002),
    makeAttribute({ code: 4 }, set),
    makeAttribute({ code: 8 }, communities),
  ];
}

function readAll(stream: Uint8Array, update: UpdateView, cursor: NlriCursor): number {
  const framer = new MessageFramer();
  let sum = 0;
  for (let at = 0; at < stream.length; at += SOCKET_READ_BYTES) {
    framer.push(stream.subarray(at, at + SOCKET_READ_BYTES), (_type, bytes, view, bodyAt, end) => {
      readUpdate(bytes, view, bodyAt, end, SESSION, update);
      update.openNlri(cursor);
      while (cursor.next()) sum = (sum + cursor.words[0]! + cursor.length) | 0;
      return true;
    });
  }
  return sum;
}

export const bgpCases: readonly BenchCase[] = [
  {
    name: 'bgp read UPDATEs of 8 prefixes (100 k table)',
    unit: 'UPDATE',
    batch: PREFIXES / PREFIXES_PER_SET,
    setup() {
      const stream = table();
      const update = new UpdateView();
      const cursor = new NlriCursor();
      return () => readAll(stream, update, cursor);
    },
  },
  {
    name: 'bgp pack prefixes into UPDATEs, 8 a set',
    unit: 'prefix',
    batch: PREFIXES,
    setup() {
      const out = new ByteWriter();
      for (const attribute of attributesOf(7)) encodeAttribute(attribute, out, SESSION);
      const attributes = out.bytes();
      let bytes = 0;
      const packer = new UpdatePacker(SESSION, (messages) => {
        bytes += messages.length;
      });
      return () => {
        for (let i = 0; i < PREFIXES; i++) {
          if (i % PREFIXES_PER_SET === 0) packer.announce(IPV4_UNICAST, attributes, null);
          packer.add(0x0b000000 + i * 256, 0, 0, 0, 24, 0);
        }
        packer.flush();
        return bytes;
      };
    },
  },
];
