import { describe, expect, test } from 'vitest';
import * as erspan from '../../../src/wire/erspan.js';
import * as geneve from '../../../src/wire/geneve.js';
import * as gre from '../../../src/wire/gre.js';
import * as gtpU from '../../../src/wire/gtp-u.js';
import * as ipv4 from '../../../src/wire/ipv4.js';
import * as ipv6 from '../../../src/wire/ipv6.js';
import * as extension from '../../../src/wire/ipv6-extension.js';
import * as l2tp from '../../../src/wire/l2tp.js';
import * as mpls from '../../../src/wire/mpls.js';
import * as nullLoop from '../../../src/wire/null-loop.js';
import * as ppp from '../../../src/wire/ppp.js';
import * as tcp from '../../../src/wire/tcp.js';
import * as teredo from '../../../src/wire/teredo.js';
import * as udp from '../../../src/wire/udp.js';
import { ipv4Packet, ipv6Packet, tcpSegment } from '../../support/frames.js';

const viewOf = (...octets: number[]): DataView => new DataView(Uint8Array.from(octets).buffer);

describe('checks', () => {
  test('accept a header that ends with the captured octets and reject one octet less', () => {
    for (const [header, bytes] of [
      [ipv4, 20],
      [ipv6, 40],
      [tcp, 20],
      [udp, 8],
      [gre, 4],
      [geneve, 8],
      [extension, 8],
    ] as const) {
      expect([header.check(3, 3 + bytes), header.check(3, 2 + bytes)]).toEqual([true, false]);
    }
    expect([tcp.checkFlags(0, 14), tcp.checkFlags(0, 13)]).toEqual([true, false]);
  });
});

describe('IPv4', () => {
  test('is read field by field', () => {
    const packet = ipv4Packet(17, [1, 2, 3, 4], {
      fragmentOffset: 1480,
      moreFragments: true,
      options: [1, 1, 1, 0],
    });
    const view = viewOf(...packet);
    expect([ipv4.version(view, 0), ipv4.headerBytes(view, 0), ipv4.totalBytes(view, 0)]).toEqual([4, 24, 28]);
    expect([ipv4.fragmentOffset(view, 0), ipv4.moreFragments(view, 0)]).toEqual([1480, true]);
    expect([ipv4.protocol(view, 0), ipv4.ttl(view, 0), ipv4.dontFragment(view, 0)]).toEqual([17, 64, false]);
    expect([ipv4.src(view, 0), ipv4.dst(view, 0)]).toEqual([0x0a000001, 0x0a000002]);
  });

  test('reads back what was written', () => {
    const view = viewOf(...ipv4Packet(6, []));
    ipv4.setSrc(view, 0, 0xc0000201);
    ipv4.setDst(view, 0, 0xfffffffe);
    ipv4.setTtl(view, 0, 3);
    expect([ipv4.src(view, 0), ipv4.dst(view, 0), ipv4.ttl(view, 0)]).toEqual([0xc0000201, 0xfffffffe, 3]);
  });
});

describe('IPv6 and TCP', () => {
  test('are read field by field', () => {
    const view = viewOf(...ipv6Packet(6, tcpSegment(50000, 443, tcp.TCP_SYN | tcp.TCP_ACK), 1, 2, 0xabcde));
    expect([ipv6.flowLabel(view, 0), ipv6.nextHeader(view, 0), ipv6.payloadBytes(view, 0)]).toEqual([
      0xabcde, 6, 20,
    ]);
    expect([ipv6.srcWord(view, 0, 0), ipv6.dstWord(view, 0, 3)]).toEqual([0xfd000000, 2]);
    expect([tcp.srcPort(view, 40), tcp.dstPort(view, 40), tcp.flags(view, 40)]).toEqual([50000, 443, 0x12]);
    expect([tcp.headerBytes(view, 40), tcp.sequence(view, 40), tcp.acknowledgment(view, 40)]).toEqual([
      20, 1, 2,
    ]);
  });

  test('knows the fragment header', () => {
    const view = viewOf(17, 0, 0x05, 0xa9, 0, 0, 0, 9);
    expect([extension.fragmentOffset(view, 0), extension.moreFragments(view, 0)]).toEqual([1448, true]);
    expect(extension.fragmentId(view, 0)).toBe(9);
  });
});

describe('what stands between link layer and IP', () => {
  test('MPLS: label, bottom of stack and TTL', () => {
    const view = viewOf(0x00, 0x01, 0x31, 0xff);
    expect([mpls.label(view, 0), mpls.isBottom(view, 0), mpls.ttl(view, 0)]).toEqual([19, true, 255]);
  });

  test('BSD loopback: the family in either byte order', () => {
    expect(nullLoop.family(viewOf(2, 0, 0, 0), 0)).toBe(2);
    expect(nullLoop.family(viewOf(0, 0, 0, 30), 0)).toBe(30);
  });

  test('PPP: with and without address and control, protocol compressed or not', () => {
    expect(ppp.addressControlBytes(viewOf(0xff, 3, 0, 0x21), 0, 4)).toBe(2);
    expect(ppp.protocolBytes(viewOf(0x21), 0, 1)).toBe(1);
    expect(ppp.protocolBytes(viewOf(0x00, 0x57), 0, 2)).toBe(2);
    expect(ppp.protocolBytes(viewOf(0x00), 0, 1)).toBe(0);
  });
});

describe('tunnel headers', () => {
  test('GRE grows by what its flags announce', () => {
    expect(gre.headerBytes(viewOf(0x00, 0, 8, 0), 0)).toBe(4);
    expect(gre.headerBytes(viewOf(0xb0, 0, 8, 0), 0)).toBe(16);
    expect(gre.headerBytes(viewOf(0x30, 0x81, 0x88, 0x0b), 0)).toBe(16);
  });

  test('ERSPAN has no header in type I, 8 octets in II, 12 or 20 in III', () => {
    const type3 = (last: number): DataView =>
      viewOf(0x10, 0, 0x22, 0xeb, ...new Array(11).fill(0), last, ...new Array(8).fill(0));
    expect(erspan.headerBytes(viewOf(0, 0, 0x88, 0xbe), 0, 0x88be, 4, 4)).toBe(0);
    expect(erspan.headerBytes(viewOf(0x10, 0, 0x88, 0xbe), 0, 0x88be, 4, 12)).toBe(8);
    expect(erspan.headerBytes(type3(0), 0, 0x22eb, 4, 24)).toBe(12);
    expect(erspan.headerBytes(type3(1), 0, 0x22eb, 4, 24)).toBe(20);
    expect(erspan.headerBytes(type3(1), 0, 0x22eb, 4, 20)).toBe(-1);
  });

  test('GTP-U passes its extension headers and refuses an empty one', () => {
    const head = [0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0];
    expect(gtpU.headerBytes(viewOf(...head, 0x85, 1, 0, 0, 0), 0, 16)).toBe(16);
    expect(gtpU.headerBytes(viewOf(...head, 0x85, 0, 0, 0, 0), 0, 16)).toBe(-1);
    expect(gtpU.headerBytes(viewOf(...head, 0x85, 9, 0, 0, 0), 0, 16)).toBe(-1);
  });

  test('Teredo passes authentication and origin', () => {
    const authentication = [0, 1, 0, 0, ...new Array(9).fill(0)];
    const origin = [0, 0, ...new Array(6).fill(0)];
    expect(teredo.payloadAt(viewOf(0x60, 0), 0, 2)).toBe(0);
    expect(teredo.payloadAt(viewOf(...authentication, ...origin, 0x60), 0, 22)).toBe(21);
    expect(teredo.payloadAt(viewOf(...origin), 0, 8)).toBe(-1);
  });

  test('L2TP passes length, sequence and padding', () => {
    expect(l2tp.headerBytes(viewOf(0, 2, 0, 1, 0, 1), 0, 6)).toBe(6);
    expect(l2tp.headerBytes(viewOf(0x4a, 2, 0, 20, 0, 1, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0), 0, 16)).toBe(16);
    expect(l2tp.headerBytes(viewOf(0x02, 2, 0, 1, 0, 1, 0, 9), 0, 8)).toBe(-1);
  });

  test('Geneve counts its options in words', () => {
    expect(geneve.headerBytes(viewOf(0x02, 0, 0x65, 0x58, 0, 0, 7, 0), 0)).toBe(16);
  });
});
