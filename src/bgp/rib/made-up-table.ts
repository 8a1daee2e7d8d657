/**
 * A table that nobody has: prefixes and attributes in the mixture of a real one, for having the hot path compiled
 * before the first peer comes (src/live/warm-up.ts).
 */

import type { PathAttribute } from '../attribute/descriptor.js';
import { type FamilyKey, IPV4_UNICAST, IPV6_UNICAST } from '../codec/address-family.js';
import { ByteWriter } from '../codec/byte-writer.js';
import { type CodecContext, OFFLINE } from '../codec/codec-context.js';
import { encodeAttribute, makeAttribute } from '../codec/update-message.js';
import { UpdatePacker } from '../codec/update-packer.js';

export const FEEDER_ASN = 64497;

const SETS = 1500;
const PREFIXES_PER_SET = 8;
/** an IPv6 set for every so many of IPv4 */
const IPV6_EVERY = 8;
const NEXT_HOP = 0xc6336401;
const NEXT_HOP6 = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const SESSION: CodecContext = { ...OFFLINE, extendedMessages: false };

/** A table's UPDATEs as a peer of AS {@link FEEDER_ASN} sends them, or its withdrawal. */
export function madeUpTable(what: 'announce' | 'withdraw'): Buffer {
  const chunks: Uint8Array[] = [];
  const packer = new UpdatePacker(SESSION, (messages) => chunks.push(messages.slice()));
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
