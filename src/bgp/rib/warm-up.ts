/**
 * Has the hot path compiled before the first peer comes: a made-up table goes through a RIB that is thrown away,
 * from octets to octets, twice in and out.
 *
 * A table of 10^5 prefixes takes less time to hold than the JIT takes to find out what is hot, so without this the
 * first table after a start costs three times as much as the second (bench: `npm run bench -- rib`).
 */
import { type FamilyKey, IPV4_UNICAST, IPV6_UNICAST } from '../address-family.js';
import type { PathAttribute } from '../attribute/descriptor.js';
import { ByteWriter } from '../byte-writer.js';
import { type CodecContext, OFFLINE } from '../codec-context.js';
import { MessageFramer, type MessageVisitor } from '../message-framer.js';
import { readUpdate } from '../read-update.js';
import { encodeAttribute, makeAttribute } from '../update-message.js';
import { UpdatePacker } from '../update-packer.js';
import { UpdateView } from '../update-view.js';
import { Rib } from './rib.js';
import type { RibPeerSettings } from './rib-peer.js';

const SETS = 1500;
const PREFIXES_PER_SET = 8;
/** one more than the JIT takes to be done: what it compiled for one RIB has to do for another */
const RIBS = 2;
const ROUNDS = 3;
/** an IPv6 set for every so many of IPv4 */
const IPV6_EVERY = 8;
/** as sockets give it */
const CHUNK_BYTES = 65536;
const NEXT_HOP = 0xc6336401;
const NEXT_HOP6 = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const LOCAL_ASN = 64496;
const FEEDER_ASN = 64497;
const SINK_ASN = 64498;

/** Runs once, before sessions begin; takes some hundred milliseconds. */
export function warmUp(): void {
  const announcements = madeUpTable('announce');
  const withdrawals = madeUpTable('withdraw');
  for (let rib = 0; rib < RIBS; rib++) fillAndEmpty(announcements, withdrawals);
}

function fillAndEmpty(announcements: Buffer, withdrawals: Buffer): void {
  const rib = new Rib({
    localAsn: LOCAL_ASN,
    routerId: 1,
    maxPaths: 64,
    asPaths: 'relax',
    order: 'address',
    arrivalKeepS: 180,
    connected: null,
    ownAddresses: [],
  });
  rib.onRoute(() => {});
  const feeder = rib.peerUp(madeUpPeer(1, FEEDER_ASN));
  const sink = rib.peerUp(madeUpPeer(2, SINK_ASN));
  const packer = new UpdatePacker(contextOf(SINK_ASN), () => {});
  const pump = (): void => {
    while (rib.pump(sink, packer, CHUNK_BYTES)) packer.flush();
    packer.flush();
  };
  for (let round = 0; round < ROUNDS; round++) {
    feed(rib, feeder, announcements, pump);
    feedAgain(rib, feeder, announcements, pump);
    feed(rib, feeder, withdrawals, pump);
  }
}

function feed(rib: Rib, feeder: number, stream: Buffer, afterChunk: () => void): void {
  const update = new UpdateView();
  const context = contextOf(FEEDER_ASN);
  chop(stream, afterChunk, (_type, bytes, view, at, end) => {
    readUpdate(bytes, view, at, end, context, update);
    rib.update(feeder, update);
    return true;
  });
}

/** With another function to visit messages: after one alone, the framer would be compiled for that one. */
function feedAgain(rib: Rib, feeder: number, stream: Buffer, afterChunk: () => void): void {
  const update = new UpdateView();
  const context = contextOf(FEEDER_ASN);
  chop(stream, afterChunk, (_type, bytes, view, at, end) => {
    readUpdate(bytes, view, at, end, context, update);
    rib.update(feeder, update);
    return true;
  });
}

function chop(stream: Buffer, afterChunk: () => void, visit: MessageVisitor): void {
  const framer = new MessageFramer();
  for (let at = 0; at < stream.length; at += CHUNK_BYTES) {
    framer.push(stream.subarray(at, at + CHUNK_BYTES), visit);
    afterChunk();
  }
}

function madeUpTable(what: 'announce' | 'withdraw'): Buffer {
  const chunks: Uint8Array[] = [];
  const packer = new UpdatePacker(contextOf(FEEDER_ASN), (messages) => chunks.push(messages.slice()));
  const out = new ByteWriter(1024);
  for (let set = 0; set < SETS; set++) {
    const family: FamilyKey = set % IPV6_EVERY === 0 ? IPV6_UNICAST : IPV4_UNICAST;
    if (what === 'withdraw') packer.withdraw(family);
    else {
      out.rewind();
      for (const attribute of madeUpAttributes(set, family)) encodeAttribute(attribute, out, OFFLINE);
      packer.announce(family, out.bytes(), family === IPV4_UNICAST ? null : NEXT_HOP6);
    }
    for (let i = 0; i < PREFIXES_PER_SET; i++) addPrefix(packer, family, set * PREFIXES_PER_SET + i);
  }
  packer.flush();
  return Buffer.concat(chunks);
}

/** Lengths and places of a real table: /24 most often, in no order. */
function addPrefix(packer: UpdatePacker, family: FamilyKey, i: number): void {
  const scattered = Math.imul(i + 1, 0x9e3779b1);
  if (family === IPV4_UNICAST) packer.add((scattered & -256) >>> 0, 0, 0, 0, i % 3 === 0 ? 32 - 9 : 24, 0);
  else packer.add(0x20010db8, scattered >>> 0, 0, 0, 64, 0);
}

function madeUpAttributes(set: number, family: FamilyKey): PathAttribute[] {
  const asns = [FEEDER_ASN, 3356, 174 + (set % 5000), 400_000 + set].slice(0, 2 + (set % 3));
  const communities = Array.from({ length: 1 + (set % 19) }, (_, i) => (0x0d1c0000 + (i << 28) + set) >>> 0);
  return [
    makeAttribute({ code: 1 }, set % 3),
    makeAttribute({ code: 2 }, [{ type: 2, asns }]),
    ...(family === IPV4_UNICAST ? [makeAttribute({ code: 3 }, NEXT_HOP)] : []),
    ...(set % 3 === 0 ? [makeAttribute({ code: 4 }, set)] : []),
    ...(set % 33 === 0 ? [makeAttribute({ code: 6 }, null)] : []),
    ...(set % 20 === 0 ? [makeAttribute({ code: 7 }, { asn: FEEDER_ASN, address: NEXT_HOP })] : []),
    ...(set % 3 !== 1 ? [makeAttribute({ code: 8 }, communities)] : []),
    ...(set % 31 === 0 ? [makeAttribute({ code: 16 }, [{ hi: 0x00020001, lo: set }])] : []),
    ...(set % 7 === 0 ? [makeAttribute({ code: 32 }, [[FEEDER_ASN, set, 1]])] : []),
  ];
}

function contextOf(peerAsn: number): CodecContext {
  return {
    ...OFFLINE,
    extendedMessages: false,
    families: new Set([IPV4_UNICAST, IPV6_UNICAST]),
    peering: 'external',
    peerAsn,
    enforceFirstAs: true,
  };
}

function madeUpPeer(at: number, asn: number): RibPeerSettings {
  return {
    name: `made-up ${at}`,
    address: { family: 4, w0: NEXT_HOP + at, w1: 0, w2: 0, w3: 0 },
    bgpId: at,
    context: contextOf(asn),
    import: 'all',
    export: 'all',
    nextHop4: NEXT_HOP,
    nextHop6: NEXT_HOP6,
    nextHops: 'on-link',
    internalNextHop: 'unchanged',
    role: null,
  };
}
