/** MRT records made by hand: every subtype, and what damage does. */
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../../../src/bgp/codec/hex.js';
import { mrtToJson } from '../../../../src/bgp/mrt/mrt-json.js';
import { readMrt } from '../../../../src/bgp/mrt/read-mrt.js';
import { ribAttributeSet } from '../../../../src/bgp/mrt/rib-attributes.js';
import { sourceFromBytes } from '../../../../src/capture/byte-source.js';

function record(type: number, subtype: number, bodyHex: string, timeS = 1_700_000_000): Buffer {
  const body = fromHex(bodyHex)!;
  const head = Buffer.alloc(12);
  head.writeUInt32BE(timeS, 0);
  head.writeUInt16BE(type, 4);
  head.writeUInt16BE(subtype, 6);
  head.writeUInt32BE(body.length, 8);
  return Buffer.concat([head, body]);
}

function read(...records: Buffer[]) {
  const dump = readMrt(sourceFromBytes(Buffer.concat(records), 'test'));
  const json: Record<string, unknown>[] = [];
  for (let next = dump.next(); ; next = dump.next()) {
    if (next.done === true) return { json, fault: next.value };
    json.push(mrtToJson(next.value));
  }
}

const ATTRIBUTES = '40010100' + '40020602010000fc59' + '4003040a4d0002';
const PEERS = record(13, 1, '0a000001' + '0000' + '0001' + '02' + '0a4d0002' + '0a4d0002' + '0000fc59');
const ROUTE = `00006553f1000014${ATTRIBUTES}`;
const PATH_ROUTE = `00006553f100000000070014${ATTRIBUTES}`;
const UPDATE = `${'ff'.repeat(16)}002f0200000014${ATTRIBUTES}18cb0071`;
const PEERING4 = '0000fc59' + '0000fde8' + '0000' + '0001' + '0a4d0002' + '0a4d0001';
const PEERING2 = 'fc59' + 'fde8' + '0000' + '0001' + '0a4d0002' + '0a4d0001';

describe('TABLE_DUMP_V2', () => {
  test('puts the peers of the table to the routes', () => {
    const { json, fault } = read(PEERS, record(13, 2, `00000001${'18cb0071'}0001${ROUTE}`));
    expect(fault).toBeNull();
    expect(json[0]).toMatchObject({
      record: 'peer-index-table',
      peers: [{ address: '10.77.0.2', asn: 64601 }],
    });
    expect(json[1]).toMatchObject({
      record: 'rib',
      family: 'ipv4-unicast',
      sequence: 1,
      prefix: '203.0.113.0/24',
      routes: [{ peer: { asn: 64601 }, originated: 0x6553f100, attributes: { asPath: [64601] } }],
    });
  });

  test.each([
    [3, '18cb0071', 'ipv4-multicast'],
    [4, '3020010db80077', 'ipv6-unicast'],
    [5, '3020010db80077', 'ipv6-multicast'],
    [6, '000180' + '70' + '000641' + '0000fde800000001' + 'cb0071', 'ipv4-vpn'],
  ])('subtype %i', (subtype, nlri, family) => {
    const { json } = read(PEERS, record(13, subtype, `00000001${nlri}0001${ROUTE}`));
    expect(json[1]).toMatchObject({ record: 'rib', family, routes: [{ originated: 0x6553f100 }] });
  });

  test.each([8, 9, 10, 11])('subtype %i has path identifiers (RFC 8050)', (subtype) => {
    const prefix = subtype < 10 ? '18cb0071' : '3020010db80077';
    const { json } = read(PEERS, record(13, subtype, `00000001${prefix}0001${PATH_ROUTE}`));
    expect(json[1]).toMatchObject({ routes: [{ pathId: 7 }] });
  });

  test('carries a family it does not take apart (RIB_GENERIC)', () => {
    const { json } = read(PEERS, record(13, 6, `00000001${'000185'}${'10abcd'}0001${ROUTE}`));
    expect(json[1]).toMatchObject({ family: 'ipv4-flowspec', prefix: { hex: '10abcd' } });
  });

  test('reads MP_REACH_NLRI short (RFC 6396 4.3.4) and in full', () => {
    const hop = 'fd770000000000000000000000000002';
    for (const reach of [`800e1110${hop}`, `800e1500020110${hop}00`]) {
      const length = (reach.length / 2).toString(16).padStart(4, '0');
      const { json } = read(
        PEERS,
        record(13, 4, `00000001${'3020010db80077'}0001` + `00006553f100${length}${reach}`),
      );
      expect(json[1]).toMatchObject({ routes: [{ attributes: { mpReachNlri: { nextHop: ['fd77::2'] } } }] });
    }
  });

  test('says so where a route is cut short, and reads on', () => {
    const { json, fault } = read(PEERS, record(13, 2, `00000001${'18cb0071'}0002${ROUTE}`), PEERS);
    expect(json.map((j) => j.record)).toEqual(['peer-index-table', 'malformed', 'peer-index-table']);
    expect(fault).toBeNull();
  });
});

describe('TABLE_DUMP', () => {
  const two =
    'cb007100' +
    '18' +
    '01' +
    '6553f100' +
    '0a4d0002' +
    'fc59' +
    '0012' +
    '40010100' +
    '4002040201fc59' +
    '4003040a4d0002';

  test('holds a route, with two-octet AS numbers', () => {
    const { json } = read(record(12, 1, `00000005${two}`));
    expect(json[0]).toMatchObject({
      sequence: 5,
      prefix: '203.0.113.0/24',
      routes: [
        { peer: { address: '10.77.0.2', asn: 64601 }, attributes: { asPath: [64601], nextHop: '10.77.0.2' } },
      ],
    });
  });

  test('holds many in the dumps of January 2000, four octets longer than they say', () => {
    const good = record(12, 1, `00000005${two}${two}`);
    good.writeUInt32BE(good.length - 12 - 4, 8);
    expect(read(good, good).json.map((j) => j.prefix)).toEqual(Array(4).fill('203.0.113.0/24'));
  });
});

describe('BGP4MP', () => {
  test.each([
    [1, PEERING2],
    [4, PEERING4],
    [6, PEERING2],
    [7, PEERING4],
  ])('subtype %i holds a message', (subtype, peering) => {
    const { json } = read(record(16, subtype, peering + UPDATE));
    expect(json[0]).toMatchObject({
      record: 'message',
      peer: { asn: 64601 },
      type: 'UPDATE',
      nlri: ['203.0.113.0/24'],
    });
    expect(json[0]!.sender).toBe(subtype > 5 ? 'local' : undefined);
  });

  test.each([8, 9, 10, 11])('subtype %i holds a message with path identifiers', (subtype) => {
    const update = `${'ff'.repeat(16)}00330200000014${ATTRIBUTES}0000000718cb0071`;
    const { json } = read(record(16, subtype, (subtype % 2 === 0 ? PEERING2 : PEERING4) + update));
    expect(json[0]).toMatchObject({ nlri: [{ prefix: '203.0.113.0/24', pathId: 7 }] });
  });

  test('holds state changes, and times with microseconds in the _ET types', () => {
    const { json } = read(record(16, 0, `${PEERING2}00030006`), record(17, 5, `0007a120${PEERING4}00060001`));
    expect(json[0]).toMatchObject({ record: 'state-change', oldState: 'active', newState: 'established' });
    expect(json[1]).toMatchObject({ time: 1_700_000_000.5, newState: 'idle' });
  });

  test('says what is wrong with a message, and reads on', () => {
    const { json } = read(
      record(16, 4, PEERING4 + UPDATE.slice(0, 50)),
      record(16, 2, ''),
      record(16, 4, PEERING4 + UPDATE),
    );
    expect(json.map((j) => j.record)).toEqual(['malformed', 'other', 'message']);
  });
});

describe('a dump', () => {
  test('that is cut short ends with what was whole', () => {
    const whole = record(16, 4, PEERING4 + UPDATE);
    for (const cut of [1, 11, 12, 40]) {
      const { json, fault } = read(whole, whole.subarray(0, cut));
      expect(json).toHaveLength(1);
      expect(fault).toMatchObject({ kind: 'cut', offset: whole.length });
    }
  });

  test('that is no dump says so', () => {
    expect(read(Buffer.from('this is no MRT dump')).fault).toMatchObject({ kind: 'damaged', offset: 0 });
    expect(read(Buffer.alloc(0)).fault).toBeNull();
  });
});

describe('ribAttributeSet()', () => {
  test('is the canonical set of the route, AS4_PATH merged', () => {
    const set = ribAttributeSet([
      { code: 17, flags: 0xc0, value: [{ type: 2, asns: [70000] }] },
      { code: 2, flags: 0x40, value: [{ type: 2, asns: [10, 23456] }] },
      { code: 1, flags: 0x40, value: 0 },
    ]);
    expect(toHex(set)).toBe('40010100' + '40020a02020000000a00011170');
  });
});
