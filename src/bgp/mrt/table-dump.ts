/**
 * TABLE_DUMP: RFC 6396 section 4.2. One route a record; two-octet AS numbers.
 *
 * ```
 *   | view 2 | sequence 2 | prefix 4/16 | length 1 | status 1 | originated 4 | peer 4/16 | AS 2 | length 2 | attributes |
 * ```
 *
 * The dumps of January 2000 put many routes behind one view and sequence.
 */
import type { Address } from '../../addr/address.js';
import { maskAddress } from '../../addr/prefix.js';
import { AFI, familyKey, SAFI } from '../codec/address-family.js';
import { type CodecContext, OFFLINE } from '../codec/codec-context.js';
import type { MrtEntry, RibEntry } from './mrt-entry.js';
import type { MrtReader } from './mrt-reader.js';
import { MRT_TYPE } from './mrt-reader.js';
import { OctetReader } from './octet-reader.js';
import { decodeRibAttributes } from './rib-attributes.js';

const TWO_OCTET: CodecContext = { ...OFFLINE, asn4: false };

export function* decodeTableDump(record: MrtReader): Generator<MrtEntry> {
  const afi = record.subtype;
  const malformed = (reason: string): MrtEntry => ({
    kind: 'malformed',
    type: MRT_TYPE.tableDump,
    subtype: afi,
    reason,
  });
  if (afi !== AFI.ipv4 && afi !== AFI.ipv6) {
    yield malformed(`address family ${afi}`);
    return;
  }
  const reader = new OctetReader(record.view, record.at, record.end);
  reader.u16();
  const sequence = reader.u16();
  do {
    const entry = readRoute(reader, afi, sequence);
    if (entry === null) {
      yield malformed('a route is cut short');
      return;
    }
    yield entry;
  } while (reader.left > 0);
}

function readRoute(reader: OctetReader, afi: number, sequence: number): RibEntry | null {
  const address = (): Address => (afi === AFI.ipv4 ? reader.ipv4() : reader.ipv6());
  const prefix = address();
  const length = reader.u8();
  reader.u8();
  const originatedS = reader.u32();
  const peer = { address: address(), asn: reader.u16(), bgpIdentifier: 0 };
  const attributeBytes = reader.u16();
  const attributesAt = reader.skip(attributeBytes);
  if (attributesAt < 0 || length > (afi === AFI.ipv4 ? 32 : 128)) return null;
  const family = familyKey(afi, SAFI.unicast);
  const attributes = decodeRibAttributes(reader.view, attributesAt, reader.at, TWO_OCTET, family);
  return {
    kind: 'rib',
    family,
    sequence,
    nlri: { prefix: { address: maskAddress(prefix, length), length } },
    routes: [{ peer, originatedS, attributes }],
  };
}
