/**
 * BGP4MP and BGP4MP_ET: RFC 6396 section 4.4, with path identifiers RFC 8050; and their deprecated forerunner,
 * type 5, as Zebra wrote it around 2000.
 *
 * ```
 *   | peer AS 2/4 | local AS 2/4 | interface 2 | AFI 2 | peer 4/16 | local 4/16 | old 2, new 2  or  message |
 *   type 5: | peer AS 2 | peer 4 | local AS 2 | local 4 | body of a message |
 * ```
 */
import { AFI } from '../codec/address-family.js';
import { type CodecContext, OFFLINE } from '../codec/codec-context.js';
import { OFFLINE_ADD_PATH } from '../codec/guess-context.js';
import { HEADER_BYTES, MESSAGE_TYPE } from '../codec/message.js';
import { checkHeader, MAX_EXTENDED_MESSAGE_BYTES } from '../codec/message-framer.js';
import type { MrtEntry, MrtPeer } from './mrt-entry.js';
import { MRT_TYPE, type MrtReader } from './mrt-reader.js';
import { OctetReader } from './octet-reader.js';

interface Layout {
  readonly holds: 'state' | 'message';
  readonly asnBytes: 2 | 4;
  readonly sender: 'peer' | 'local';
  readonly context: CodecContext;
}

function layout(
  holds: Layout['holds'],
  asnBytes: 2 | 4,
  sender: Layout['sender'],
  base: CodecContext,
): Layout {
  return { holds, asnBytes, sender, context: asnBytes === 4 ? base : { ...base, asn4: false } };
}

/** By subtype; 2 and 3 (ENTRY, SNAPSHOT) are deprecated and hold no messages. */
const LAYOUTS: ReadonlyMap<number, Layout> = new Map([
  [0, layout('state', 2, 'peer', OFFLINE)],
  [1, layout('message', 2, 'peer', OFFLINE)],
  [4, layout('message', 4, 'peer', OFFLINE)],
  [5, layout('state', 4, 'peer', OFFLINE)],
  [6, layout('message', 2, 'local', OFFLINE)],
  [7, layout('message', 4, 'local', OFFLINE)],
  [8, layout('message', 2, 'peer', OFFLINE_ADD_PATH)],
  [9, layout('message', 4, 'peer', OFFLINE_ADD_PATH)],
  [10, layout('message', 2, 'local', OFFLINE_ADD_PATH)],
  [11, layout('message', 4, 'local', OFFLINE_ADD_PATH)],
]);

export function decodeBgp4mp(record: MrtReader): MrtEntry {
  const { type, subtype, bytes, view } = record;
  const found = LAYOUTS.get(subtype);
  if (found === undefined) return { kind: 'other', type, subtype };
  const malformed = (reason: string): MrtEntry => ({ kind: 'malformed', type, subtype, reason });
  const reader = new OctetReader(view, record.at, record.end);
  const peerAsn = reader.asn(found.asnBytes);
  const localAsn = reader.asn(found.asnBytes);
  const interfaceIndex = reader.u16();
  const afi = reader.u16();
  if (afi !== AFI.ipv4 && afi !== AFI.ipv6) return malformed(`address family ${afi}`);
  const peerAddress = afi === AFI.ipv4 ? reader.ipv4() : reader.ipv6();
  const localAddress = afi === AFI.ipv4 ? reader.ipv4() : reader.ipv6();
  const peer: MrtPeer = { address: peerAddress, asn: peerAsn, bgpIdentifier: 0 };
  const local: MrtPeer = { address: localAddress, asn: localAsn, bgpIdentifier: 0 };
  if (found.holds === 'state') {
    const oldState = reader.u16();
    const newState = reader.u16();
    if (reader.isShort) return malformed('a state change is cut short');
    return { kind: 'state', peer, local, interfaceIndex, oldState, newState };
  }
  const at = reader.at;
  if (reader.skip(HEADER_BYTES) < 0) return malformed('a message is cut short');
  const fault = checkHeader(bytes, at, MAX_EXTENDED_MESSAGE_BYTES);
  if (fault !== null) return malformed(fault.reason);
  const end = at + view.getUint16(at + 16);
  if (end > record.end) return malformed('a message is cut short');
  const { sender, context } = found;
  const body = { type: bytes[at + 18]!, bytes, view, at: at + HEADER_BYTES, end };
  return { kind: 'message', peer, local, interfaceIndex, sender, ...body, context };
}

/** type 5 subtypes that hold a message, and which */
const LEGACY_MESSAGES: ReadonlyMap<number, number> = new Map([
  [1, MESSAGE_TYPE.update],
  [5, MESSAGE_TYPE.open],
  [6, MESSAGE_TYPE.notification],
  [7, MESSAGE_TYPE.keepalive],
]);
const LEGACY_STATE_CHANGE = 3;
/** body of the shortest message of each type */
const LEGACY_MIN_BYTES = [0, 10, 4, 2, 0];

export function decodeLegacyBgp(record: MrtReader): MrtEntry {
  const { subtype, bytes, view } = record;
  const type = MRT_TYPE.bgp;
  const reader = new OctetReader(view, record.at, record.end);
  const peer: MrtPeer = { asn: reader.u16(), address: reader.ipv4(), bgpIdentifier: 0 };
  const cutShort: MrtEntry = { kind: 'malformed', type, subtype, reason: 'the record is cut short' };
  if (subtype === LEGACY_STATE_CHANGE) {
    const oldState = reader.u16();
    const newState = reader.u16();
    if (reader.isShort) return cutShort;
    return { kind: 'state', peer, local: NOBODY, interfaceIndex: 0, oldState, newState };
  }
  const messageType = LEGACY_MESSAGES.get(subtype);
  if (messageType === undefined) return { kind: 'other', type, subtype };
  const local: MrtPeer = { asn: reader.u16(), address: reader.ipv4(), bgpIdentifier: 0 };
  if (reader.isShort || reader.left < LEGACY_MIN_BYTES[messageType]!) return cutShort;
  const body = { type: messageType, bytes, view, at: reader.at, end: record.end };
  const context: CodecContext = { ...OFFLINE, asn4: false };
  return { kind: 'message', peer, local, interfaceIndex: 0, sender: 'peer', ...body, context };
}

const NOBODY: MrtPeer = {
  address: { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 },
  asn: 0,
  bgpIdentifier: 0,
};
