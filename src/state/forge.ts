/** Packets of our own making: a client's packet from its tuple, and an endpoint's answer to one. Checksums are real. */
import { TUPLE_DST, TUPLE_SRC, Tuple } from '../conntrack/tuple.js';
import { foldChecksum, sumWords } from '../wire/checksum.js';
import { TCP, UDP } from '../wire/ip-protocol.js';
import type { Packet } from './packet.js';

const TTL = 64;
const TCP_HEADER = 20;
const UDP_HEADER = 8;
const WINDOW = 64240;
const FRAGMENT_HEADER = 44;
const FRAGMENT_HEADER_BYTES = 8;
const MORE_FRAGMENTS_V4 = 0x2000;
const MORE_FRAGMENTS_V6 = 1;

/** What a forged packet carries besides its tuple. */
export interface ForgedFields {
  /** TCP only */
  flags: number;
  seq: number;
  ack: number;
  payloadBytes: number;
  flowLabel: number;
  /** the first fragment of a packet: everything it carries, and more to follow */
  fragment?: true;
  /** at most `payloadBytes` octets; what they do not fill is zeros. Absent = zeros */
  payload?: Uint8Array | null;
}

/**
 * Builds a packet at the start of `view` (which must hold 68 bytes and the payload) and describes it in `out`.
 */
export function forgePacket(tuple: Tuple, fields: ForgedFields, view: DataView, out: Packet): void {
  const v6 = tuple.family === 6;
  const fragment = fields.fragment === true;
  const l4 = v6 ? 40 + (fragment ? FRAGMENT_HEADER_BYTES : 0) : 20;
  const header = tuple.proto === TCP ? TCP_HEADER : UDP_HEADER;
  const l4Bytes = header + fields.payloadBytes;
  const end = l4 + l4Bytes;
  for (let at = 0; at < end; at++) view.setUint8(at, 0);
  const { payload = null } = fields;
  if (payload !== null) for (let i = 0; i < payload.length; i++) view.setUint8(l4 + header + i, payload[i]!);
  if (v6) writeIpv6(view, tuple, l4Bytes, fields.flowLabel);
  else writeIpv4(view, tuple, l4Bytes);
  if (fragment) markFragment(view, tuple, l4Bytes);
  view.setUint16(l4, tuple.srcPort);
  view.setUint16(l4 + 2, tuple.dstPort);
  const pseudo = sumWords(view, v6 ? 8 : 12, v6 ? 32 : 8) + tuple.proto + l4Bytes;
  if (tuple.proto === TCP) {
    view.setUint32(l4 + 4, fields.seq);
    view.setUint32(l4 + 8, fields.ack);
    view.setUint16(l4 + 12, (5 << 12) | fields.flags);
    view.setUint16(l4 + 14, WINDOW);
    view.setUint16(l4 + 16, foldChecksum(pseudo + sumWords(view, l4, l4Bytes)));
  } else if (tuple.proto === UDP) {
    view.setUint16(l4 + 4, l4Bytes);
    view.setUint16(l4 + 6, foldChecksum(pseudo + sumWords(view, l4, l4Bytes)) || 0xffff);
  }
  out.set(view, tuple.family, tuple.proto, 0, l4, end, fields.payloadBytes);
}

function writeIpv4(view: DataView, tuple: Tuple, l4Bytes: number): void {
  view.setUint16(0, 0x4500);
  view.setUint16(2, 20 + l4Bytes);
  view.setUint16(6, 0x4000);
  view.setUint8(8, TTL);
  view.setUint8(9, tuple.proto);
  view.setUint32(12, tuple.words[TUPLE_SRC]!);
  view.setUint32(16, tuple.words[TUPLE_DST]!);
  view.setUint16(10, foldChecksum(sumWords(view, 0, 20)));
}

function writeIpv6(view: DataView, tuple: Tuple, l4Bytes: number, flowLabel: number): void {
  view.setUint32(0, (0x60000000 | (flowLabel & 0xfffff)) >>> 0);
  view.setUint16(4, l4Bytes);
  view.setUint8(6, tuple.proto);
  view.setUint8(7, TTL);
  for (let i = 0; i < 4; i++) {
    view.setUint32(8 + 4 * i, tuple.words[TUPLE_SRC + i]!);
    view.setUint32(24 + 4 * i, tuple.words[TUPLE_DST + i]!);
  }
}

/** Makes the packet the first fragment of one: RFC 791 3.1, RFC 8200 4.5. */
function markFragment(view: DataView, tuple: Tuple, l4Bytes: number): void {
  if (tuple.family === 6) {
    view.setUint16(4, l4Bytes + FRAGMENT_HEADER_BYTES);
    view.setUint8(6, FRAGMENT_HEADER);
    view.setUint8(40, tuple.proto);
    view.setUint16(42, MORE_FRAGMENTS_V6);
    return;
  }
  view.setUint16(6, MORE_FRAGMENTS_V4);
  view.setUint16(10, 0);
  view.setUint16(10, foldChecksum(sumWords(view, 0, 20)));
}

/** The TCP segment with which the receiver of `packet` answers: ends swapped, no payload. */
export function buildTcpAnswer(
  packet: Packet,
  flags: number,
  seq: number,
  ack: number,
  view: DataView,
  out: Packet,
): void {
  packet.readTuple(RECEIVED);
  ANSWER.invert(RECEIVED);
  ANSWER_FIELDS.flags = flags;
  ANSWER_FIELDS.seq = seq;
  ANSWER_FIELDS.ack = ack;
  forgePacket(ANSWER, ANSWER_FIELDS, view, out);
}

const RECEIVED = new Tuple();
const ANSWER = new Tuple();
const ANSWER_FIELDS: ForgedFields = { flags: 0, seq: 0, ack: 0, payloadBytes: 0, flowLabel: 0 };
