/** What a RIB interns and what a peer gets of it, with the AS number merging of RFC 6793. */
import { describe, expect, test } from 'vitest';
import { type AsPathSegment, SEGMENT } from '../../../../src/bgp/attribute/002-as-path.js';
import { mergeAs4Path } from '../../../../src/bgp/attribute/017-as4-path.js';
import { AttributeSetCursor, writeAttributeSet } from '../../../../src/bgp/codec/attribute-set.js';
import { ByteWriter } from '../../../../src/bgp/codec/byte-writer.js';
import { type CodecContext, OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import { type EgressRewrite, writeEgressAttributes } from '../../../../src/bgp/codec/egress-attributes.js';
import { fromHex, toHex } from '../../../../src/bgp/codec/hex.js';
import { readUpdate } from '../../../../src/bgp/codec/read-update.js';
import { UpdateView } from '../../../../src/bgp/codec/update-view.js';

const TWO_OCTET: CodecContext = { ...OFFLINE, asn4: false };
const seq = (...asns: number[]): AsPathSegment => ({ type: SEGMENT.sequence, asns });
const set = (...asns: number[]): AsPathSegment => ({ type: SEGMENT.set, asns });
const confed = (...asns: number[]): AsPathSegment => ({ type: SEGMENT.confedSequence, asns });

describe('mergeAs4Path() (RFC 6793 4.2.3)', () => {
  test('puts what only AS_PATH has before AS4_PATH', () => {
    expect(mergeAs4Path([seq(10, 23456, 23456)], [seq(70000, 80000)])).toEqual([seq(10, 70000, 80000)]);
    expect(mergeAs4Path([seq(10, 20), set(1, 2)], [set(70000)])).toEqual([seq(10, 20), set(70000)]);
  });

  test('ignores an AS4_PATH that is longer than AS_PATH', () => {
    expect(mergeAs4Path([seq(10)], [seq(70000, 80000)])).toEqual([seq(10)]);
  });

  test('takes all of AS4_PATH where both are as long', () => {
    expect(mergeAs4Path([seq(23456, 23456)], [seq(70000, 80000)])).toEqual([seq(70000, 80000)]);
  });

  test('keeps leading confederation segments and drops those of AS4_PATH', () => {
    const merged = mergeAs4Path([confed(65001), seq(10, 23456)], [confed(9), seq(70000)]);
    expect(merged).toEqual([confed(65001), seq(10, 70000)]);
  });
});

function setOf(attributesHex: string, context: CodecContext, field: 'nlri' | 'reach' = 'nlri'): string {
  const attributes = fromHex(attributesHex)!;
  const body = Buffer.concat([Buffer.of(0, 0, attributes.length >> 8, attributes.length & 255), attributes]);
  const update = new UpdateView();
  readUpdate(body, new DataView(body.buffer, body.byteOffset, body.length), 0, body.length, context, update);
  expect(update.resetFault).toBeNull();
  const out = new ByteWriter();
  writeAttributeSet(update, context, field, out);
  return toHex(out.bytes());
}

describe('writeAttributeSet()', () => {
  test('sorts by code, shortens lengths and clears stray flag bits', () => {
    const tidy = '400101004002004003040a000001';
    expect(setOf('4003040a0000015f01000100400200', OFFLINE)).toBe(tidy);
  });

  test('sets Partial on what it passes on unrecognized, and drops what is not transitive', () => {
    expect(setOf('c0f10155', OFFLINE)).toBe('e0f10155');
    expect(setOf('80f20155', OFFLINE)).toBe('');
  });

  test('widens two-octet AS numbers and merges the AS4 attributes in', () => {
    const two = '4002060202000a5ba0' + 'c007065ba00a000001' + 'c01106020100011170' + 'c01208000111700a000002';
    expect(setOf(two, TWO_OCTET)).toBe('40020a02020000000a00011170' + 'c00708000111700a000002');
  });

  test('ignores both AS4 attributes where AGGREGATOR was set by a two-octet speaker', () => {
    const two = '4002060202000a5ba0' + 'c007060bb80a000001' + 'c01106020100011170' + 'c01208000111700a000002';
    expect(setOf(two, TWO_OCTET)).toBe('40020a02020000000a00005ba0' + 'c0070800000bb80a000001');
  });

  test('keeps of MP_REACH_NLRI the family and the next hop, in the set of its own routes only', () => {
    const nextHop = 'fd770000000000000000000000000002';
    const reach = `800e1c00020110${nextHop}003020010db80077`;
    expect(setOf(`${reach}40010100`, OFFLINE, 'reach')).toBe(`40010100800e1500020110${nextHop}00`);
    expect(setOf(`${reach}40010100`, OFFLINE, 'nlri')).toBe('40010100');
  });
});

describe('AttributeSetCursor', () => {
  test('walks a set and finds a code in it', () => {
    const octets = fromHex('4001010040020602010000fc594003040a000001')!;
    const cursor = new AttributeSetCursor();
    cursor.reset(octets, 0, octets.length);
    const codes: number[] = [];
    while (cursor.next()) codes.push(cursor.code);
    expect(codes).toEqual([1, 2, 3]);
    cursor.reset(octets, 0, octets.length);
    expect(cursor.seek(3)).toBe(true);
    expect(octets[cursor.valueAt]).toBe(10);
    cursor.reset(octets, 0, octets.length);
    expect(cursor.seek(4)).toBe(false);
  });
});

describe('writeEgressAttributes()', () => {
  const PLAIN: EgressRewrite = { drop: new Uint8Array(256), prependAsn: 0, nextHop: null, localPref: null };
  const SET = '4001010040020602010000fc594003040a0000018004040000000540050400000064';

  function egress(setHex: string, rewrite: Partial<EgressRewrite>, context = OFFLINE): string {
    const bytes = fromHex(setHex)!;
    const out = new ByteWriter();
    writeEgressAttributes(bytes, 0, bytes.length, { ...PLAIN, ...rewrite }, context, out);
    return toHex(out.bytes());
  }

  test('changes nothing where nothing is asked for', () => {
    expect(egress(SET, {})).toBe(SET);
  });

  test('prepends our AS, replaces the next hop and drops what eBGP does not pass on', () => {
    const drop = new Uint8Array(256);
    drop[4] = 1;
    drop[5] = 1;
    expect(egress(SET, { drop, prependAsn: 65000, nextHop: 0x0a000009 })).toBe(
      '4001010040020a02020000fde80000fc594003040a000009',
    );
  });

  test('adds next hop and local preference in their places where the set has none', () => {
    expect(egress('40010100400200c00804fc5900aa', { nextHop: 0x0a000009, localPref: 100 })).toBe(
      '400101004002004003040a000009' + '40050400000064' + 'c00804fc5900aa',
    );
    expect(egress('', { localPref: 7 })).toBe('40050400000007');
  });

  test('begins a new segment where the first is full or no sequence (RFC 4271 5.1.2)', () => {
    expect(egress('40020601010000fc59', { prependAsn: 1 })).toBe('40020c' + '020100000001' + '01010000fc59');
    expect(egress('400200', { prependAsn: 1 })).toBe('400206020100000001');
    const full = `500203fe02ff${'0000fc59'.repeat(255)}`;
    expect(egress(full, { prependAsn: 1 }).slice(0, 22)).toBe('50020404' + '020100000001' + '02');
  });

  test('writes AS_TRANS and the AS4 attributes for a two-octet peer (RFC 6793 4.2.2)', () => {
    const wide = '40020a02020000000a00011170' + 'c00708000111700a000002';
    expect(egress(wide, { prependAsn: 65000 }, TWO_OCTET)).toBe(
      '4002080203fde8000a5ba0' +
        'c007065ba00a000002' +
        'c0110e02030000fde80000000a00011170' +
        'c01208000111700a000002',
    );
    expect(egress('40020602010000fc59', { prependAsn: 9 }, TWO_OCTET)).toBe('40020602020009fc59');
  });
});
