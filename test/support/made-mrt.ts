/** MRT dumps (RFC 6396) made by a test: tables, updates and lost sessions, record by record. */
import { parseAddress } from '../../src/addr/address.js';
import { parsePrefix } from '../../src/addr/prefix.js';
import { ByteWriter } from '../../src/bgp/codec/byte-writer.js';
import { OFFLINE } from '../../src/bgp/codec/codec-context.js';
import { MESSAGE_TYPE } from '../../src/bgp/codec/message.js';
import { encodeMessage } from '../../src/bgp/codec/message-codec.js';
import { encodeAttribute, makeAttribute } from '../../src/bgp/codec/update-message.js';

export interface DumpedPeer {
  readonly address: string;
  readonly asn: number;
}

export interface DumpedRoute {
  /** position in the peer index table */
  readonly peer: number;
  readonly prefix: string;
  readonly nextHop: string;
  readonly path: readonly number[];
  readonly med?: number;
}

const TIME_S = 1_700_000_000;
const TYPE = { tableDumpV2: 13, bgp4mp: 16 } as const;
const TABLE = { peerIndex: 1, ipv4: 2, ipv6: 4 } as const;
const COLLECTOR: DumpedPeer = { address: '10.0.0.253', asn: 64999 };

/** TABLE_DUMP_V2: the peer index table, then a record a route. */
export function tableDump(peers: readonly DumpedPeer[], routes: readonly DumpedRoute[]): Buffer {
  const index = record(TYPE.tableDumpV2, TABLE.peerIndex, (out) => {
    out.u32(parseAddress(COLLECTOR.address)!.w0);
    out.u16(0);
    out.u16(peers.length);
    for (const { address, asn } of peers) {
      out.u8(address.includes(':') ? 3 : 2);
      out.u32(asn);
      out.octets(octetsOf(address));
      out.u32(asn);
    }
  });
  return Buffer.concat([index, ...routes.map(tableRecord)]);
}

function tableRecord(route: DumpedRoute, sequence: number): Buffer {
  const isIpv6 = route.prefix.includes(':');
  const attributes = attributesOf(route);
  return record(TYPE.tableDumpV2, isIpv6 ? TABLE.ipv6 : TABLE.ipv4, (out) => {
    out.u32(sequence);
    writePrefix(out, route.prefix);
    out.u16(1);
    out.u16(route.peer);
    out.u32(TIME_S);
    out.u16(attributes.length);
    out.octets(attributes);
  });
}

/** MP_REACH_NLRI of a table is the next hop alone (section 4.3.4). */
function attributesOf({ nextHop, path, med }: Omit<DumpedRoute, 'peer' | 'prefix'>): Uint8Array {
  const out = new ByteWriter();
  encodeAttribute(makeAttribute({ code: 1 }, 0), out, OFFLINE);
  encodeAttribute(makeAttribute({ code: 2 }, [{ type: 2, asns: path }]), out, OFFLINE);
  const hop = octetsOf(nextHop);
  if (hop.length === 4) encodeAttribute(makeAttribute({ code: 3 }, parseAddress(nextHop)!.w0), out, OFFLINE);
  if (med !== undefined) encodeAttribute(makeAttribute({ code: 4 }, med), out, OFFLINE);
  if (hop.length === 16) out.octets(Uint8Array.of(0x80, 14, 17, 16, ...hop));
  return out.bytes().slice();
}

/** BGP4MP: what an IPv4 peer announced and withdrew in one UPDATE, as a session of `asnBytes` writes AS numbers. */
export function updateRecord(
  peer: DumpedPeer,
  said: { readonly route?: Omit<DumpedRoute, 'peer'>; readonly withdrawn?: readonly string[] },
  asnBytes: 2 | 4 = 4,
): Buffer {
  const { route, withdrawn = [] } = said;
  const message = encodeMessage(
    {
      type: MESSAGE_TYPE.update,
      withdrawn: withdrawn.map((text) => ({ prefix: parsePrefix(text)! })),
      attributes:
        route === undefined
          ? []
          : [
              makeAttribute({ code: 1 }, 0),
              makeAttribute({ code: 2 }, [{ type: 2, asns: route.path }]),
              makeAttribute({ code: 3 }, parseAddress(route.nextHop)!.w0),
              ...(route.med === undefined ? [] : [makeAttribute({ code: 4 }, route.med)]),
            ],
      nlri: route === undefined ? [] : [{ prefix: parsePrefix(route.prefix)! }],
    },
    { ...OFFLINE, asn4: asnBytes === 4 },
  );
  return record(TYPE.bgp4mp, asnBytes === 4 ? 4 : 1, (out) => {
    writeSession(out, peer, asnBytes);
    out.octets(message);
  });
}

/** BGP4MP: the session of an IPv4 peer was lost. */
export function lostRecord(peer: DumpedPeer): Buffer {
  return record(TYPE.bgp4mp, 5, (out) => {
    writeSession(out, peer, 4);
    out.u16(6);
    out.u16(1);
  });
}

function writeSession(out: ByteWriter, { address, asn }: DumpedPeer, asnBytes: 2 | 4): void {
  for (const one of [asn, COLLECTOR.asn]) {
    if (asnBytes === 4) out.u32(one);
    else out.u16(one);
  }
  out.u16(0);
  out.u16(1);
  out.octets(octetsOf(address));
  out.octets(octetsOf(COLLECTOR.address));
}

function record(type: number, subtype: number, write: (out: ByteWriter) => void): Buffer {
  const body = new ByteWriter();
  write(body);
  const octets = body.bytes();
  const head = Buffer.alloc(12);
  head.writeUInt32BE(TIME_S, 0);
  head.writeUInt16BE(type, 4);
  head.writeUInt16BE(subtype, 6);
  head.writeUInt32BE(octets.length, 8);
  return Buffer.concat([head, octets]);
}

function writePrefix(out: ByteWriter, text: string): void {
  const { length } = parsePrefix(text)!;
  out.u8(length);
  out.octets(octetsOf(text.split('/')[0]!).subarray(0, (length + 7) >>> 3));
}

function octetsOf(text: string): Uint8Array {
  const { family, w0, w1, w2, w3 } = parseAddress(text)!;
  const octets = Buffer.alloc(family === 4 ? 4 : 16);
  const words = family === 4 ? [w0] : [w0, w1, w2, w3];
  for (const [i, word] of words.entries()) octets.writeUInt32BE(word, 4 * i);
  return octets;
}
