import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../../src/addr/address.js';
import { defaultPolicy } from '../../../../src/bgp/rib/policy.js';
import { parsePrefixMatch, policySchema } from '../../../../src/bgp/rib/policy-schema.js';
import { Rib } from '../../../../src/bgp/rib/rib.js';
import { peerSettings, RibSession, type RouteText } from '../../../support/rib-session.js';

const LOCAL = 65000;
const ROUTE: RouteText = { origin: 0, path: [64601], nextHop: '10.0.0.1', communities: [0xfc590064] };

function makeRib(): Rib {
  return new Rib({
    localAsn: LOCAL,
    routerId: parseAddress('10.0.0.254')!.w0,
    maxPaths: 1,
    asPaths: 'relax',
    order: 'address',
    arrivalKeepS: 180,
    connected: null,
    ownAddresses: [],
  });
}

/** A feeder under `importPolicy` and an external peer under `exportPolicy`, as a configuration writes them. */
function through(importPolicy: unknown, exportPolicy: unknown) {
  const rib = makeRib();
  const feeder = new RibSession(
    rib,
    peerSettings({ asn: 64601, at: '10.0.0.1', localAsn: LOCAL, import: policySchema.parse(importPolicy) }),
  );
  const sink = new RibSession(
    rib,
    peerSettings({ asn: 64602, at: '10.0.0.2', localAsn: LOCAL, export: policySchema.parse(exportPolicy) }),
  );
  const inside = new RibSession(rib, peerSettings({ asn: LOCAL, at: '10.0.0.3', localAsn: LOCAL }));
  return { rib, feeder, sink, inside };
}

describe('policies', () => {
  test('import everything or nothing', () => {
    for (const [written, count] of [
      ['all', 1],
      ['none', 0],
    ] as const) {
      const { rib, feeder, sink } = through(written, 'all');
      feeder.announce(ROUTE, ['203.0.113.0/24']);
      sink.pumpAll();
      expect(sink.told.size).toBe(count);
      expect(rib.counts(feeder.row, 257)).toMatchObject({ received: 1, accepted: count, best: count });
    }
  });

  test('take prefixes by length, the first term that matches deciding', () => {
    const written = [
      { match: { prefixes: ['203.0.113.128/25 le 32'] }, action: 'reject' },
      { match: { prefixes: ['203.0.113.0/24 le 32', '10.0.0.0/8 ge 16 le 24'] } },
    ];
    const { feeder, sink } = through(written, 'all');
    feeder.announce(ROUTE, [
      '203.0.113.7/32',
      '203.0.113.200/32',
      '10.0.0.0/8',
      '10.1.0.0/16',
      '10.1.2.0/25',
    ]);
    sink.pumpAll();
    expect([...sink.told.keys()].sort()).toEqual(['10.1.0.0/16', '203.0.113.7/32']);
  });

  test('change preference and communities on the way in', () => {
    const set = { localPref: 250, addCommunities: ['64512:9'], removeCommunities: ['64601:100'] };
    const { feeder, inside } = through([{ match: { communities: ['64601:100'] }, set }], 'all');
    feeder.announce(ROUTE, ['203.0.113.0/24']);
    inside.pumpAll();
    expect(inside.told.get('203.0.113.0/24')).toEqual({
      ...ROUTE,
      localPref: 250,
      communities: [0xfc000009],
    });
  });

  test('set MED and lengthen the path on the way out', () => {
    const { feeder, sink } = through('all', [{ set: { med: 7, prepend: [65000, 65000] } }]);
    feeder.announce({ ...ROUTE, med: 500 }, ['203.0.113.0/24']);
    sink.pumpAll();
    expect(sink.told.get('203.0.113.0/24')).toMatchObject({ med: 7, path: [65000, 65000, 65000, 64601] });
  });

  test('keep the counts of what was refused and is withdrawn', () => {
    const { rib, feeder } = through('none', 'all');
    feeder.announce(ROUTE, ['203.0.113.0/24']);
    feeder.withdraw(['203.0.113.0/24']);
    expect(rib.counts(feeder.row, 257)).toMatchObject({ received: 0, accepted: 0 });
    expect(rib.store.count).toBe(0);
  });

  test('act at once when the import policy changes, on what was refused before as well', () => {
    const { rib, feeder, sink, inside } = through('none', 'all');
    const prefixes = ['203.0.113.0/24', '10.1.0.0/16', '2001:db8::/32'];
    feeder.announce(ROUTE, prefixes.slice(0, 2));
    feeder.announce({ ...ROUTE, nextHop: '2001:db8::1' }, prefixes.slice(2));
    const tells = (policy: unknown): string[] => {
      rib.setImportPolicy(feeder.row, policySchema.parse(policy));
      sink.pumpAll();
      inside.pumpAll();
      return [...sink.told.keys()].sort();
    };
    expect(tells('none')).toEqual([]);
    expect(tells('all')).toEqual([...prefixes].sort());
    expect(tells([{ match: { prefixes: ['10.0.0.0/8 le 32', '2001:db8::/32'] } }])).toEqual(
      prefixes.slice(1).sort(),
    );
    const hundred = { match: { communities: ['64601:100'] } };
    expect(tells([{ ...hundred, set: { localPref: 7, removeCommunities: ['64601:100'] } }])).toHaveLength(3);
    expect(inside.told.get('10.1.0.0/16')).toMatchObject({ localPref: 7 });
    expect(inside.told.get('10.1.0.0/16')).not.toHaveProperty('communities');
    // what the policy took off is still known: the policy starts from what was received
    expect(tells([hundred])).toHaveLength(3);
    expect(inside.told.get('10.1.0.0/16')).toMatchObject({ localPref: 100, communities: [0xfc590064] });
    expect(tells('none')).toEqual([]);
    expect(rib.counts(feeder.row, 257)).toMatchObject({ received: 2, accepted: 0, best: 0 });
    rib.peerDown(feeder.row);
    expect(rib.store.count).toBe(0);
  });

  test('act on the stale routes of a peer that is away, too, and leave them stale', () => {
    const { rib, feeder, inside } = through('all', 'all');
    feeder.announce(ROUTE, ['203.0.113.0/24', '10.1.0.0/16']);
    rib.peerDown(feeder.row, new Set([257]));
    rib.setImportPolicy(feeder.row, policySchema.parse([{ match: { prefixes: ['10.0.0.0/8 le 32'] } }]));
    inside.pumpAll();
    expect([...inside.told.keys()]).toEqual(['10.1.0.0/16']);
    rib.setImportPolicy(feeder.row, 'all');
    inside.pumpAll();
    expect(inside.told.size).toBe(2);
    rib.sweepStale(feeder.row, 257);
    inside.pumpAll();
    expect([inside.told.size, rib.store.count]).toEqual([0, 0]);
  });

  test('withdraw and announce what a new export policy says while the session goes on', () => {
    const { rib, feeder, sink } = through('all', 'all');
    feeder.announce(ROUTE, ['203.0.113.0/24', '203.0.113.7/32']);
    sink.pumpAll();
    expect(sink.told.size).toBe(2);
    rib.setExportPolicy(sink.row, policySchema.parse([{ match: { prefixes: ['203.0.113.7/32'] } }]));
    sink.pumpAll();
    expect([...sink.told.keys()]).toEqual(['203.0.113.7/32']);
    rib.setExportPolicy(sink.row, 'none');
    sink.pumpAll();
    expect(sink.told.size).toBe(0);
    rib.setExportPolicy(sink.row, 'all');
    sink.pumpAll();
    expect(sink.told.size).toBe(2);
  });

  test('export nothing but End-of-RIB under "none", and everything after a change to "all"', () => {
    const { rib, feeder, sink } = through('all', 'none');
    feeder.announce(ROUTE, ['203.0.113.0/24']);
    sink.pumpAll();
    expect([sink.told.size, sink.ended.length]).toEqual([0, 2]);
    rib.setExportPolicy(sink.row, 'all');
    sink.pumpAll();
    expect(sink.told.size).toBe(1);
  });

  test('are none for external peers without one, all inside of the AS: RFC 8212', () => {
    expect([defaultPolicy('external'), defaultPolicy('internal')]).toEqual(['none', 'all']);
  });

  test('say what is wrong with what was written', () => {
    expect(parsePrefixMatch('203.0.113.0/24 ge 16')).toBeNull();
    expect(parsePrefixMatch('203.0.113.0/24 le 33')).toBeNull();
    expect(parsePrefixMatch('203.0.113.0/24 ge 25')).toMatchObject({ ge: 25, le: 32 });
    for (const wrong of [
      'some',
      [{ match: { community: ['1:2'] } }],
      [{ match: { communities: ['1:2:3'] } }],
    ]) {
      expect(policySchema.safeParse(wrong).success).toBe(false);
    }
  });
});

describe('a term about path or next hop', () => {
  test.each<[string, object, boolean]>([
    ['the neighbour’s AS', { asPathFirst: [64601] }, true],
    ['another neighbour’s AS', { asPathFirst: [3356] }, false],
    ['the AS that the route comes from', { asPathLast: [3356] }, true],
    ['an AS in the middle', { asPathLast: [174] }, false],
    ['a prefix that holds the next hop', { nextHops: ['10.0.0.0/24'] }, true],
    ['the next hop itself', { nextHops: ['10.0.0.1'] }, true],
    ['prefixes that do not', { nextHops: ['10.0.1.0/24', '::/0'] }, false],
    ['both, of which one does not match', { asPathLast: [3356], nextHops: ['10.0.1.0/24'] }, false],
  ])('%s', (_, match, isTaken) => {
    const { rib, feeder } = through([{ match }], 'all');
    feeder.announce({ ...ROUTE, path: [64601, 174, 3356] }, ['203.0.113.0/24']);
    expect(rib.counts(feeder.row, 257)).toMatchObject({ received: 1, accepted: isTaken ? 1 : 0 });
  });

  test('an IPv6 next hop', () => {
    const { rib, feeder } = through([{ match: { nextHops: ['fd00:a::/64'] } }], 'all');
    feeder.announce({ ...ROUTE, nextHop: 'fd00:a::1' }, ['2001:db8:1::/48']);
    feeder.announce({ ...ROUTE, nextHop: 'fd00:b::1' }, ['2001:db8:2::/48']);
    expect(rib.counts(feeder.row, rib.ipv6.family)).toMatchObject({ received: 2, accepted: 1 });
  });
});
