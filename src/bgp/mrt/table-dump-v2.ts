/**
 * TABLE_DUMP_V2: RFC 6396 section 4.3, with path identifiers RFC 8050. All routes of one prefix a record; the
 * peers stand in a table of their own, the first record. AS numbers have four octets.
 *
 * ```
 *   | sequence 4 | [AFI 2, SAFI 1] | NLRI | count 2 | route *
 *   route = | peer index 2 | originated 4 | [path identifier 4] | length 2 | attributes |
 * ```
 */
import { AFI, type FamilyKey, familyKey, NLRI_SHAPE, nlriShape, SAFI } from '../codec/address-family.js';
import { OFFLINE } from '../codec/codec-context.js';
import { decodeNlri, type PrefixNlri } from '../codec/nlri.js';
import { checkNlri } from '../codec/nlri-cursor.js';
import type { MrtEntry, MrtPeer, PeerIndexTable, RibRoute } from './mrt-entry.js';
import { MRT_TYPE, type MrtReader } from './mrt-reader.js';
import { OctetReader } from './octet-reader.js';
import { copyOf, decodeRibAttributes } from './rib-attributes.js';

const SUBTYPE = { peerIndexTable: 1, geoPeerTable: 7 } as const;

interface RibLayout {
  /** `null`: the record names its family (RIB_GENERIC) */
  readonly family: FamilyKey | null;
  readonly hasPathId: boolean;
}

const RIB_LAYOUTS: ReadonlyMap<number, RibLayout> = new Map(
  [0, 6].flatMap((shift): [number, RibLayout][] => {
    const hasPathId = shift > 0;
    return [
      [2 + shift, { family: familyKey(AFI.ipv4, SAFI.unicast), hasPathId }],
      [3 + shift, { family: familyKey(AFI.ipv4, SAFI.multicast), hasPathId }],
      [4 + shift, { family: familyKey(AFI.ipv6, SAFI.unicast), hasPathId }],
      [5 + shift, { family: familyKey(AFI.ipv6, SAFI.multicast), hasPathId }],
      [6 + shift, { family: null, hasPathId }],
    ];
  }),
);

/** `peers` is the table read last. */
export function decodeTableDumpV2(record: MrtReader, peers: readonly MrtPeer[]): MrtEntry {
  const { subtype } = record;
  const type = MRT_TYPE.tableDumpV2;
  const reader = new OctetReader(record.view, record.at, record.end);
  if (subtype === SUBTYPE.peerIndexTable) {
    return (
      readPeerIndexTable(reader) ?? { kind: 'malformed', type, subtype, reason: 'the peers are cut short' }
    );
  }
  if (subtype === SUBTYPE.geoPeerTable) return { kind: 'other', type, subtype };
  const layout = RIB_LAYOUTS.get(subtype);
  if (layout === undefined) return { kind: 'other', type, subtype };
  return (
    readRib(reader, record.bytes, layout, peers) ?? {
      kind: 'malformed',
      type,
      subtype,
      reason: 'a route is cut short',
    }
  );
}

/** Bit 0 of a peer's type: its address is IPv6; bit 1: its AS has four octets. */
function readPeerIndexTable(reader: OctetReader): PeerIndexTable | null {
  const collectorId = reader.u32();
  const nameBytes = reader.u16();
  const nameAt = reader.skip(nameBytes);
  if (nameAt < 0) return null;
  const viewName = new TextDecoder().decode(copyOf(reader.view, nameAt, reader.at));
  const count = reader.u16();
  const peers: MrtPeer[] = [];
  for (let i = 0; i < count && !reader.isShort; i++) {
    const peerType = reader.u8();
    const bgpIdentifier = reader.u32();
    const address = (peerType & 1) !== 0 ? reader.ipv6() : reader.ipv4();
    peers.push({ address, asn: reader.asn((peerType & 2) !== 0 ? 4 : 2), bgpIdentifier });
  }
  return reader.isShort ? null : { kind: 'peer-index', collectorId, viewName, peers };
}

function readRib(
  reader: OctetReader,
  bytes: Uint8Array,
  layout: RibLayout,
  peers: readonly MrtPeer[],
): MrtEntry | null {
  const sequence = reader.u32();
  const family = layout.family ?? familyKey(reader.u16(), reader.u8());
  const nlri = readNlri(reader, bytes, family);
  if (nlri === null) return null;
  const count = reader.u16();
  const routes: RibRoute[] = [];
  for (let i = 0; i < count; i++) {
    const peerIndex = reader.u16();
    const originatedS = reader.u32();
    const pathId = layout.hasPathId ? reader.u32() : undefined;
    const attributeBytes = reader.u16();
    const at = reader.skip(attributeBytes);
    if (at < 0) return null;
    const attributes = decodeRibAttributes(reader.view, at, reader.at, OFFLINE, family);
    const peer = peers[peerIndex] ?? null;
    routes.push({ peer, originatedS, attributes, ...(pathId !== undefined && { pathId }) });
  }
  return reader.isShort ? null : { kind: 'rib', family, sequence, nlri, routes };
}

/** One NLRI; of a family that is carried raw, the octets that its length in bits calls for. */
function readNlri(reader: OctetReader, bytes: Uint8Array, family: FamilyKey): PrefixNlri | Uint8Array | null {
  const at = reader.at;
  const bits = reader.u8();
  if (reader.skip((bits + 7) >>> 3) < 0) return null;
  if (nlriShape(family) === NLRI_SHAPE.raw) return bytes.slice(at, reader.at);
  if (checkNlri(bytes, at, reader.at, family, 0) !== 1) return null;
  return decodeNlri(bytes, at, reader.at, family, 0)[0]!;
}
