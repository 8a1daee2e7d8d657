/** RFC 7606 and its relatives, one row a rule: what an UPDATE with this attribute comes to. */
import { describe, expect, test } from 'vitest';
import { OUTCOME_NAMES } from '../../../../src/bgp/attribute/descriptor.js';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import { type CodecContext, OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import { fromHex } from '../../../../src/bgp/codec/hex.js';
import { NlriCursor } from '../../../../src/bgp/codec/nlri-cursor.js';
import { readUpdate } from '../../../../src/bgp/codec/read-update.js';
import { UpdateView } from '../../../../src/bgp/codec/update-view.js';

const EXTERNAL: CodecContext = {
  ...OFFLINE,
  extendedMessages: false,
  families: new Set([IPV4_UNICAST, IPV6_UNICAST]),
  peering: 'external',
  peerAsn: 64601,
  enforceFirstAs: true,
  aigp: false,
};
const INTERNAL: CodecContext = { ...EXTERNAL, peering: 'internal', peerAsn: 65000, aigp: true };
const TWO_OCTET: CodecContext = { ...EXTERNAL, asn4: false };

const ORIGIN = '40010100';
const PATH = '40020602010000fc59';
const HOP = '4003040a4d0002';
const NLRI = '18cb0071';
const HOP6 = 'fd770000000000000000000000000002';

function read(withdrawn: string, attributes: string, nlri: string, context = EXTERNAL): UpdateView {
  const parts = [withdrawn, attributes, nlri].map((hex) => fromHex(hex)!);
  const [w, a, n] = parts as [Uint8Array, Uint8Array, Uint8Array];
  const body = Buffer.concat([
    Buffer.of(w.length >> 8, w.length),
    w,
    Buffer.of(a.length >> 8, a.length),
    a,
    n,
  ]);
  const update = new UpdateView();
  readUpdate(body, new DataView(body.buffer, body.byteOffset, body.length), 0, body.length, context, update);
  return update;
}

/** `accept`, `attribute-discard`, `treat-as-withdraw`, or `code/subcode` of the NOTIFICATION */
function verdict(update: UpdateView, code: number): string {
  if (update.resetFault !== null) return `${update.resetFault.code}/${update.resetFault.subcode}`;
  if (update.outcome !== 0) return OUTCOME_NAMES[update.outcome];
  return update.rowOf[code]! >= 0 && update.keptRow(code) < 0 ? 'attribute-discard' : 'accept';
}

describe('an attribute beside a good route', () => {
  const base = ORIGIN + PATH + HOP;

  test.each([
    ['MED', '8004040000000a', 'accept'],
    ['MED that says transitive', 'c004040000000a', 'treat-as-withdraw'],
    ['MED of three octets', '800403000000', 'treat-as-withdraw'],
    ['MED with Partial set', 'a004040000000a', 'treat-as-withdraw'],
    ['MED with low flag bits set', '8f04040000000a', 'accept'],
    ['LOCAL_PREF from outside', '40050400000064', 'attribute-discard'],
    ['LOCAL_PREF from outside, malformed even', '400501ff', 'attribute-discard'],
    ['ATOMIC_AGGREGATE', '400600', 'accept'],
    ['ATOMIC_AGGREGATE with a value', '40060100', 'attribute-discard'],
    ['AGGREGATOR', 'c007080000fde90a000002', 'accept'],
    ['AGGREGATOR in two-octet form', 'c00706fde90a000002', 'attribute-discard'],
    ['AGGREGATOR of AS 0', 'c00708000000000a000002', 'attribute-discard'],
    ['AGGREGATOR that says non-transitive', '8007080000fde90a000002', 'treat-as-withdraw'],
    ['COMMUNITIES with Partial set', 'e00804fc5900aa', 'accept'],
    ['COMMUNITIES without any', 'c00800', 'treat-as-withdraw'],
    ['COMMUNITIES of five octets', 'c00805fc5900aa00', 'treat-as-withdraw'],
    ['ORIGINATOR_ID from outside', '8009040a000002', 'attribute-discard'],
    ['CLUSTER_LIST from outside', '800a050a00000200', 'attribute-discard'],
    ['EXTENDED_COMMUNITIES', 'c010080002fc5900000001', 'accept'],
    ['EXTENDED_COMMUNITIES of nine octets', 'c010090002fde90000000100', 'treat-as-withdraw'],
    ['AS4_PATH from a four-octet speaker', 'c0110602010000fc59', 'attribute-discard'],
    ['AS4_AGGREGATOR from a four-octet speaker', 'c012080000fde90a000002', 'attribute-discard'],
    ['PMSI_TUNNEL cut short', 'c0160400060000', 'treat-as-withdraw'],
    ['TUNNEL_ENCAPSULATION that does not add up', 'c01705000800ff00', 'treat-as-withdraw'],
    ['IPV6_EXTENDED_COMMUNITIES without any', 'c01900', 'treat-as-withdraw'],
    ['AIGP where it is not configured', '801a0b01000b0000000000000000', 'attribute-discard'],
    ['LARGE_COMMUNITIES', 'c0200c0000fde90000000100000002', 'accept'],
    ['LARGE_COMMUNITIES of thirteen octets', 'c0200d0000fde9000000010000000200', 'treat-as-withdraw'],
    ['ONLY_TO_CUSTOMER', 'c023040000fc59', 'accept'],
    ['ONLY_TO_CUSTOMER of three octets', 'c023030000fd', 'treat-as-withdraw'],
    ['PREFIX_SID that does not add up', 'c02803010007', 'attribute-discard'],
    ['an unknown transitive attribute', 'c0f104deadbeef', 'accept'],
    ['an unknown transitive attribute without value', 'c0f100', 'accept'],
    ['an unknown non-transitive attribute', '80f20155', 'attribute-discard'],
    ['an unknown well-known attribute', '40f00100', '3/2'],
    ['one octet of an attribute', '40', 'treat-as-withdraw'],
    ['two octets of an attribute', '4005', 'treat-as-withdraw'],
    ['an extended length cut in half', '901a00', 'treat-as-withdraw'],
    ['an attribute that exceeds the list', 'c00808fc5900aa', 'treat-as-withdraw'],
  ])('%s: %s is %s', (_, attribute, expected) => {
    const update = read('', base + attribute, NLRI);
    expect(verdict(update, fromHex(attribute)![1] ?? 0)).toBe(expected);
    if (expected !== '3/2') expect(update.nlriCount).toBe(1);
  });

  test.each([
    ['LOCAL_PREF of three octets', '400503000000', 'treat-as-withdraw'],
    ['ORIGINATOR_ID of three octets', '4005040000006480090300000a', 'treat-as-withdraw'],
    ['CLUSTER_LIST without any', '40050400000064800a00', 'treat-as-withdraw'],
    ['AIGP', '40050400000064801a0b01000b0000000000000000', 'accept'],
    ['AIGP whose metric is short', '40050400000064801a0401000400', 'attribute-discard'],
    ['no LOCAL_PREF', '', 'treat-as-withdraw'],
  ])('from inside, %s: %s is %s', (_, attributes, expected) => {
    const update = read('', ORIGIN + PATH + HOP + attributes, NLRI, INTERNAL);
    expect(verdict(update, attributes.includes('801a') ? 26 : 5)).toBe(expected);
  });
});

describe('a mandatory attribute', () => {
  test.each([
    ['ORIGIN optional', `c0010100${PATH}${HOP}`],
    ['ORIGIN with Partial set', `60010100${PATH}${HOP}`],
    ['ORIGIN without value', `400100${PATH}${HOP}`],
    ['ORIGIN 3', `40010103${PATH}${HOP}`],
    ['no ORIGIN', PATH + HOP],
    ['no AS_PATH', ORIGIN + HOP],
    ['no NEXT_HOP', ORIGIN + PATH],
    ['AS_PATH with an unknown segment', `${ORIGIN}40020605010000fc59${HOP}`],
    ['AS_PATH with an empty segment', `${ORIGIN}4002020200${HOP}`],
    ['AS_PATH that overruns', `${ORIGIN}40020602ff0000fc59${HOP}`],
    ['AS_PATH with one octet left over', `${ORIGIN}40020702010000fc5900${HOP}`],
    ['AS_PATH with AS 0', `${ORIGIN}40020a02020000fc5900000000${HOP}`],
    ['AS_PATH that begins with another AS', `${ORIGIN}40020602010000fd09${HOP}`],
    ['AS_PATH with a confederation', `${ORIGIN}40020c03010000fc0002010000fc59${HOP}`],
    ['NEXT_HOP of three octets', `${ORIGIN}${PATH}4003030a4d00`],
    ['NEXT_HOP 0.0.0.0', `${ORIGIN}${PATH}40030400000000`],
    ['NEXT_HOP multicast', `${ORIGIN}${PATH}400304e0000001`],
  ])('%s withdraws the route', (_, attributes) => {
    expect(verdict(read('', attributes, NLRI), 0)).toBe('treat-as-withdraw');
  });

  test('counts in its first appearance only (RFC 7606 3 g)', () => {
    const update = read('', `${ORIGIN}40010102${PATH}${HOP}`, NLRI);
    expect(verdict(update, 1)).toBe('accept');
    expect(update.view.getUint8(update.valueAt[update.keptRow(1)]!)).toBe(0);
    expect(update.faults).toMatchObject([{ outcome: 1 }]);
    expect(update.attributesAreCanonical).toBe(false);
  });

  test('may stand in any order (RFC 4271 5)', () => {
    const update = read('', HOP + PATH + ORIGIN, NLRI);
    expect(verdict(update, 1)).toBe('accept');
    expect(update.attributesAreCanonical).toBe(false);
    expect(read('', ORIGIN + PATH + HOP, NLRI).attributesAreCanonical).toBe(true);
  });

  test('is read in the AS width of the session', () => {
    const two = `${ORIGIN}4002040201fc59${HOP}`;
    expect(verdict(read('', two, NLRI, TWO_OCTET), 2)).toBe('accept');
    expect(verdict(read('', two, NLRI), 2)).toBe('treat-as-withdraw');
  });
});

describe('the fields of an UPDATE', () => {
  test.each([
    ['prefix of 33 bits withdrawn', '21cb00710000', '', '', '3/10'],
    ['NLRI cut short', '', ORIGIN + PATH + HOP, '18cb00', '3/10'],
    ['attributes wrong and nothing announced (RFC 7606 5.2)', '', '40010103', '', '3/6'],
    ['attributes discarded and nothing announced', '', `${ORIGIN}40060100`, '', 'accept'],
  ])('%s', (_, withdrawn, attributes, nlri, expected) => {
    expect(verdict(read(withdrawn, attributes, nlri), 0)).toBe(expected);
  });

  test('reset where a length exceeds the message', () => {
    for (const hex of ['01f40000', '00000fa040010100', '000000', '0000']) {
      const body = fromHex(hex)!;
      const update = new UpdateView();
      readUpdate(body, new DataView(body.buffer), 0, body.length, EXTERNAL, update);
      expect(verdict(update, 0)).toBe('3/1');
    }
  });

  test('end a RIB where nothing is in them (RFC 4724 2)', () => {
    expect(read('', '', '').endOfRib).toBe(IPV4_UNICAST);
    expect(read('', '800f03000201', '').endOfRib).toBe(IPV6_UNICAST);
    expect(read('', '800f0700020100', '').endOfRib).toBe(-1);
    expect(read('18cb0071', '', '').endOfRib).toBe(-1);
  });
});

describe('MP_REACH_NLRI and MP_UNREACH_NLRI', () => {
  const reach = (flags: string, value: string) =>
    `${flags}0e${(value.length / 2).toString(16).padStart(2, '0')}${value}`;
  const good = `00020110${HOP6}003020010db80077`;

  test.each([
    ['a global next hop', reach('80', good), 'accept'],
    [
      'a global and a link-local next hop',
      reach('80', `00020120${HOP6}fe80${'0'.repeat(27)}2003020010db80077`),
      'accept',
    ],
    ['wrong flags', reach('c0', good), 'treat-as-withdraw'],
    [
      'an unspecified next hop',
      reach('80', `00020110${'0'.repeat(32)}003020010db80077`),
      'treat-as-withdraw',
    ],
    ['a next hop of nine octets', reach('80', `00020109${'11'.repeat(9)}003020010db80077`), '3/9'],
    ['a next hop that overruns', reach('80', `00020110${'11'.repeat(8)}`), '3/9'],
    ['three octets', reach('80', '000201'), '3/9'],
    ['a prefix of 129 bits', reach('80', `00020110${HOP6}0081${'00'.repeat(17)}`), '3/9'],
    ['twice', reach('80', good) + reach('80', good), '3/1'],
    ['a family not in use, whatever is in it', reach('80', '4004470000'), 'accept'],
    ['an IPv6 next hop for IPv4 without RFC 8950', reach('80', `00010110${HOP6}0018cb0071`), '3/9'],
    ['withdrawals cut short', '800f080002014020010db8', '3/9'],
    ['withdrawals of two octets', '800f020002', '3/9'],
  ])('%s', (_, attribute, expected) => {
    expect(verdict(read('', attribute + ORIGIN + PATH, ''), 0)).toBe(expected);
  });

  test('may have an IPv6 next hop for IPv4 where RFC 8950 was agreed on', () => {
    const context = { ...EXTERNAL, extendedNextHop: new Set([IPV4_UNICAST]) };
    const update = read('', reach('80', `00010110${HOP6}0018cb0071`) + ORIGIN + PATH, '', context);
    expect(update.reach).toMatchObject({ present: true, family: IPV4_UNICAST, count: 1 });
    const cursor = new NlriCursor();
    update.openSection(cursor, update.reach);
    expect(cursor.next()).toBe(true);
    expect([cursor.words[0], cursor.length]).toEqual([0xcb007100, 24]);
    expect(cursor.next()).toBe(false);
  });

  test('withdraw the NLRI of a route whose next hop is wrong', () => {
    const update = read('', reach('80', `00020110${'0'.repeat(32)}003020010db80077`) + ORIGIN + PATH, '');
    expect(update.reach).toMatchObject({ present: true, count: 1 });
  });

  test('need no NEXT_HOP beside them', () => {
    expect(read('', reach('80', good) + ORIGIN + PATH, '').faults).toEqual([]);
  });
});

describe('NLRI', () => {
  test('come out with host bits cleared (RFC 4271 4.3)', () => {
    const update = read('', ORIGIN + PATH + HOP, '0dcbff' + '00' + '19c0000280');
    const cursor = new NlriCursor();
    update.openNlri(cursor);
    const found: string[] = [];
    while (cursor.next()) found.push(`${cursor.words[0]!.toString(16)}/${cursor.length}`);
    expect(found).toEqual(['cbf80000/13', '0/0', 'c0000280/25']);
  });

  test('have path identifiers where agreed on (RFC 7911 3)', () => {
    const context = { ...EXTERNAL, addPathReceive: new Set([IPV4_UNICAST]) };
    const update = read('0000000718cb0071', ORIGIN + PATH + HOP, 'fffffffe18cb0072', context);
    const cursor = new NlriCursor();
    update.openWithdrawn(cursor);
    cursor.next();
    expect(cursor.pathId).toBe(7);
    update.openNlri(cursor);
    cursor.next();
    expect(cursor.pathId).toBe(0xfffffffe);
    expect(verdict(read('', ORIGIN + PATH + HOP, '00000007', context), 0)).toBe('3/10');
  });
});

describe('the NOTIFICATION of a reset', () => {
  test('has the attribute at fault as its data (RFC 4271 6.3)', () => {
    const update = read('', `${ORIGIN}${PATH}${HOP}40f00177`, NLRI);
    expect(update.resetFault!.data).toEqual(fromHex('40f00177'));
    const long = read('', `${ORIGIN}50f0000177`, NLRI);
    expect(long.resetFault!.data).toEqual(fromHex('50f0000177'));
  });
});

describe('what is kept of a message', () => {
  test('survives the receive buffer, a Buffer of Node too', () => {
    const body = Buffer.from('0000000540f0020a0b', 'hex');
    const update = new UpdateView();
    readUpdate(
      body,
      new DataView(body.buffer, body.byteOffset, body.length),
      0,
      body.length,
      EXTERNAL,
      update,
    );
    body.fill(0);
    expect(update.resetFault!.data).toEqual(fromHex('40f0020a0b'));
  });
});
