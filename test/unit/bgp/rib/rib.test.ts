import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../../src/addr/address.js';
import { parsePrefix } from '../../../../src/addr/prefix.js';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import { makeAttribute } from '../../../../src/bgp/codec/update-message.js';
import { Rib, type RibSettings } from '../../../../src/bgp/rib/rib.js';
import { findPrefix, matchAddress, pathPage, routesOf } from '../../../../src/bgp/rib/rib-reader.js';
import { peerSettings, RibSession, type RouteText } from '../../../support/rib-session.js';

const LOCAL = 65000;
const VIP = '203.0.113.10/32';
const V4 = new Set([IPV4_UNICAST]);

function makeRib(over: Partial<RibSettings> = {}): Rib {
  return new Rib({
    localAsn: LOCAL,
    routerId: parseAddress('10.0.0.254')!.w0,
    maxPaths: 64,
    asPaths: 'relax',
    order: 'address',
    arrivalKeepS: 180,
    connected: null,
    ownAddresses: [],
    ...over,
  });
}

const external = (rib: Rib, at: string, asn = 64601, context = {}, over = {}) =>
  new RibSession(rib, peerSettings({ asn, at, localAsn: LOCAL, ...over }, context));

const via = (nextHop: string, over: Partial<RouteText> = {}): RouteText => ({
  origin: 0,
  path: [64601],
  nextHop,
  ...over,
});

/** Why each path of the VIP may not be used, by peer. */
const reasons = (rib: Rib) =>
  routesOf(rib, rib.ipv4, findPrefix(rib, parsePrefix(VIP)!)).map((r) => r.excluded);

describe('paths that may not be used', () => {
  test('a path with our own AS replaces what the peer announced before, which is withdrawn', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    const sink = external(rib, '10.0.0.2', 64602);
    feeder.announce(via('10.0.0.1'), [VIP]);
    sink.pumpAll();
    expect(sink.told.has(VIP)).toBe(true);
    feeder.announce(via('10.0.0.1', { path: [64601, LOCAL] }), [VIP]);
    sink.pumpAll();
    expect(sink.told.has(VIP)).toBe(false);
    expect(reasons(rib)).toEqual(['as-loop']);
    expect(rib.counts(feeder.row, IPV4_UNICAST)).toMatchObject({ received: 1, accepted: 0 });
  });

  test('a next hop of our own, and one that nobody on the link has', () => {
    const ownAddresses = [parseAddress('10.0.0.254')!];
    const rib = makeRib({ ownAddresses, connected: [parsePrefix('10.0.0.0/24')!] });
    const near = external(rib, '10.0.0.1');
    const far = external(rib, '10.9.9.9', 64601, {}, { nextHops: 'any' });
    const cases = [
      [near, '10.0.0.254', 'own-next-hop'],
      [near, '10.0.0.77', 'no'],
      [near, '172.16.0.1', 'unresolvable-next-hop'],
      [far, '172.16.0.1', 'no'],
    ] as const;
    for (const [peer, hop, reason] of cases) {
      peer.announce(via(hop), [VIP]);
      expect(reasons(rib), hop).toEqual([reason]);
      peer.withdraw([VIP]);
    }
  });

  test('a loopback address as next hop, unless the session itself is on loopback', () => {
    const rib = makeRib();
    external(rib, '10.0.0.1').announce(via('127.0.0.1'), [VIP]);
    external(rib, '127.0.0.2', 64602).announce(via('127.0.0.2', { path: [64602] }), [VIP]);
    expect(reasons(rib).sort()).toEqual(['no', 'own-next-hop']);
  });

  test('a multicast or link-local prefix, which no unicast route goes to; one that only covers them is a route', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    const v4 = [
      '224.0.0.0/4',
      '232.1.0.0/16',
      '239.255.255.255/32',
      '224.0.0.0/3',
      '240.0.0.0/4',
      '0.0.0.0/0',
    ];
    const v6 = ['ff00::/8', 'ff02::1/128', 'fe80::/10', 'fe80::/64', 'fec0::/10', 'fe00::/7', '::/0'];
    feeder.announce(via('10.0.0.1'), v4);
    feeder.announce(via('2001:db8::1'), v6);
    const usable = [...v4, ...v6].filter((text) => {
      const prefix = parsePrefix(text)!;
      const family = prefix.address.family === 4 ? rib.ipv4 : rib.ipv6;
      return routesOf(rib, family, findPrefix(rib, prefix))[0]!.excluded !== 'not-unicast';
    });
    expect(usable).toEqual([...v4.slice(3), ...v6.slice(4)]);
    expect(rib.counts(feeder.row, IPV4_UNICAST)).toMatchObject({ received: 6, accepted: 3 });
    rib.setImportPolicy(feeder.row, 'none');
    rib.setImportPolicy(feeder.row, 'all');
    expect(rib.counts(feeder.row, IPV4_UNICAST)).toMatchObject({ received: 6, accepted: 3 });
  });

  test('a connected next hop goes before a remote one', () => {
    const rib = makeRib({ connected: [parsePrefix('10.0.0.0/24')!] });
    const far = external(rib, '10.0.0.1', 64601, {}, { nextHops: 'any' });
    const near = external(rib, '10.0.0.2', 64601);
    far.announce(via('172.16.0.1'), [VIP]);
    near.announce(via('10.0.0.2'), [VIP]);
    const routes = routesOf(rib, rib.ipv4, findPrefix(rib, parsePrefix(VIP)!));
    expect(routes.map(({ peer, best, multipath }) => [peer === near.row, best, multipath])).toEqual([
      [true, true, true],
      [false, false, false],
    ]);
  });

  test('what RFC 7606 treats as withdrawn goes away', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    feeder.announce(via('10.0.0.1'), [VIP]);
    expect(rib.ipv4.bestCount).toBe(1);
    feeder.announce(via('10.0.0.1', { path: [64999] }), [VIP]);
    expect([rib.ipv4.bestCount, rib.ipv4.table.count, rib.store.count]).toEqual([0, 0, 0]);
  });
});

describe('the last steps of the choice', () => {
  test('go by originator, cluster list, and peer address', () => {
    const rib = makeRib({ maxPaths: 1 });
    const inside = ['10.0.0.3', '10.0.0.2', '10.0.0.1'].map((at) => external(rib, at, LOCAL));
    const announce = (i: number, over: Partial<RouteText>): void =>
      inside[i]!.announce(via('10.0.0.9', { localPref: 100, ...over }), [VIP]);
    const best = (): number =>
      inside.findIndex(
        ({ row }) => routesOf(rib, rib.ipv4, findPrefix(rib, parsePrefix(VIP)!))[0]!.peer === row,
      );
    announce(0, { originatorId: 5, clusterList: [1, 2] });
    announce(1, { originatorId: 5, clusterList: [1] });
    announce(2, { originatorId: 6, clusterList: [1] });
    expect(best()).toBe(1);
    announce(0, { originatorId: 4, clusterList: [1, 2] });
    expect(best()).toBe(0);
    for (const i of [0, 1, 2]) announce(i, { originatorId: 5, clusterList: [1] });
    expect(best()).toBe(2);
  });
});

describe('next hops', () => {
  test('stand by address, or in the order in which they were first seen and for 180 s remembered', () => {
    const orders = { address: [], arrival: [] } as Record<string, string[]>;
    for (const order of ['address', 'arrival'] as const) {
      const rib = makeRib({ order });
      const hops = (): string => {
        const row = findPrefix(rib, parsePrefix(VIP)!);
        const set = rib.hopSets.hopsOf(rib.ipv4.hops[row]!);
        return set.map((hop) => rib.nextHops.addresses[hop]!.w0 & 255).join();
      };
      const peers = ['10.0.0.3', '10.0.0.1', '10.0.0.2'].map((at) => external(rib, at));
      const announce = (i: number): void => peers[i]!.announce(via(`10.0.0.${[3, 1, 2][i]}`), [VIP]);
      for (const i of [0, 1, 2]) announce(i);
      orders[order]!.push(hops());
      peers[0]!.withdraw([VIP]);
      rib.setTime(100);
      announce(0);
      orders[order]!.push(hops());
      peers[0]!.withdraw([VIP]);
      rib.setTime(281);
      announce(0);
      orders[order]!.push(hops());
    }
    expect(orders).toEqual({ address: ['1,2,3', '1,2,3', '1,2,3'], arrival: ['3,1,2', '3,1,2', '1,2,3'] });
  });

  test('go to the listener once a change, as sets that many prefixes share', () => {
    const rib = makeRib();
    const heard: number[][] = [];
    rib.onRoute((_rib, _prefix, before, after) => {
      heard.push([rib.hopSets.hopsOf(before).length, rib.hopSets.hopsOf(after).length]);
    });
    const [a, b] = [external(rib, '10.0.0.1'), external(rib, '10.0.0.2')];
    const prefixes = Array.from({ length: 300 }, (_, i) => `198.51.${i >> 8}.${i & 255}/32`);
    a.announce(via('10.0.0.1'), prefixes);
    b.announce(via('10.0.0.2'), prefixes);
    b.announce(via('10.0.0.2', { communities: [1] }), prefixes);
    expect(rib.hopSets.count).toBe(1);
    rib.peerDown(a.row);
    rib.peerDown(b.row);
    expect(heard.map((one) => one.join('→')).filter((text, i, all) => text !== all[i - 1])).toEqual([
      '0→1',
      '1→2',
      '2→1',
      '1→0',
    ]);
    expect(heard.length).toBe(1200);
    expect([rib.hopSets.count, rib.ipv4.routedCount]).toEqual([0, 0]);
  });
});

describe('graceful restart', () => {
  const announced = (sink: RibSession): string[] => {
    sink.pumpAll();
    return [...sink.told.keys()].sort();
  };

  test('keeps stale paths of the families that restart, until End-of-RIB takes what did not come back', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    const sink = external(rib, '10.0.0.2', 64602);
    feeder.announce(via('10.0.0.1'), [VIP, '203.0.113.11/32']);
    feeder.announce(via('fd00::1'), ['2001:db8::/32']);
    expect(announced(sink)).toHaveLength(3);
    rib.peerDown(feeder.row, V4);
    expect(announced(sink)).toEqual([VIP, '203.0.113.11/32']);
    const back = new RibSession(rib, feeder.settings, feeder.row);
    expect(back.row).toBe(feeder.row);
    back.announce(via('10.0.0.1'), [VIP]);
    rib.endOfRib(back.row, IPV4_UNICAST);
    expect(announced(sink)).toEqual([VIP]);
    expect(sink.repeats).toBe(0);
  });

  test('forgets a peer that does not come back', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    feeder.announce(via('10.0.0.1'), [VIP]);
    rib.peerDown(feeder.row, V4);
    expect(rib.peers[feeder.row]).not.toBeNull();
    rib.sweepStale(feeder.row, IPV4_UNICAST);
    expect([rib.peers[feeder.row], rib.store.count]).toEqual([null, 0]);
  });

  test('long-lived stale paths come last and stay inside, those with NO_LLGR go: RFC 9494', () => {
    const rib = makeRib();
    const [a, b] = [external(rib, '10.0.0.1'), external(rib, '10.0.0.3')];
    const sink = external(rib, '10.0.0.2', 64602);
    a.announce(via('10.0.0.1'), [VIP, '203.0.113.12/32']);
    a.announce(via('10.0.0.1', { communities: [0xffff0007] }), ['203.0.113.11/32']);
    b.announce(via('10.0.0.3', { path: [64601, 3356, 3356] }), [VIP]);
    expect(announced(sink)).toHaveLength(3);
    rib.peerDown(a.row, V4);
    rib.keepLongLived(a.row, IPV4_UNICAST);
    expect(announced(sink)).toEqual([VIP]);
    expect(sink.told.get(VIP)!.path).toEqual([LOCAL, 64601, 3356, 3356]);
    expect(rib.ipv4.bestCount).toBe(2);
    const back = new RibSession(rib, a.settings, a.row);
    back.announce(via('10.0.0.1'), [VIP]);
    expect(announced(sink)).toEqual([VIP]);
    expect(sink.told.get(VIP)!.path).toEqual([LOCAL, 64601]);
  });

  test('a long-lived stale path goes with LLGR_STALE to those that know it, and to nobody else: RFC 9494 section 4.3', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    const knowing = external(rib, '10.0.0.2', 64602, {}, { takesLongLivedStale: true });
    const other = external(rib, '10.0.0.3', 64603);
    const everyPath = external(
      rib,
      '10.0.0.4',
      64604,
      { addPathSend: V4, addPathReceive: new Set() },
      {
        takesLongLivedStale: true,
        export: [{ verdict: 'accept', changes: { removeCommunities: [0xffff0006] } }],
      },
    );
    feeder.announce(via('10.0.0.1', { communities: [7] }), [VIP]);
    expect([announced(knowing), announced(other)]).toEqual([[VIP], [VIP]]);
    rib.peerDown(feeder.row, V4);
    expect([announced(knowing), announced(other)]).toEqual([[VIP], [VIP]]);
    expect(knowing.told.get(VIP)!.communities).toEqual([7]);
    rib.keepLongLived(feeder.row, IPV4_UNICAST);
    expect([announced(knowing), announced(other)]).toEqual([[VIP], []]);
    expect(knowing.told.get(VIP)!.communities).toEqual([7, 0xffff0006]);
    // no policy takes it off
    everyPath.pumpAll();
    expect([...everyPath.told.values()].map(({ communities }) => communities)).toEqual([[7, 0xffff0006]]);
    const back = new RibSession(rib, feeder.settings, feeder.row);
    back.announce(via('10.0.0.1', { communities: [7] }), [VIP]);
    expect([announced(knowing), announced(other)]).toEqual([[VIP], [VIP]]);
    expect(knowing.told.get(VIP)!.communities).toEqual([7]);
    rib.endOfRib(back.row, IPV4_UNICAST);
    expect(rib.ipv4.bestCount).toBe(1);
    back.withdraw([VIP]);
    for (const peer of [knowing, other, everyPath]) peer.pumpAll();
    expect(rib.store.count).toBe(0);
  });

  test('a path that came with LLGR_STALE comes last, and goes on only to those that know it', () => {
    const rib = makeRib();
    const [a, b] = [external(rib, '10.0.0.1'), external(rib, '10.0.0.3')];
    const knowing = external(rib, '10.0.0.2', 64602, {}, { takesLongLivedStale: true });
    const other = external(rib, '10.0.0.4', 64604);
    a.announce(via('10.0.0.1', { communities: [0xffff0006] }), [VIP]);
    expect([announced(knowing), announced(other)]).toEqual([[VIP], []]);
    b.announce(via('10.0.0.3', { path: [64601, 3356, 3356] }), [VIP]);
    expect([announced(knowing), announced(other)]).toEqual([[VIP], [VIP]]);
    expect(knowing.told.get(VIP)!.path).toEqual([LOCAL, 64601, 3356, 3356]);
    expect(routesOf(rib, rib.ipv4, findPrefix(rib, parsePrefix(VIP)!)).map((r) => r.multipath)).toEqual([
      true,
      false,
    ]);
  });

  test('a second loss of the session leaves long-lived stale what was: nothing becomes a choice again', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    feeder.announce(via('10.0.0.1'), [VIP]);
    rib.peerDown(feeder.row, V4);
    rib.keepLongLived(feeder.row, IPV4_UNICAST);
    const back = new RibSession(rib, feeder.settings, feeder.row);
    rib.peerDown(back.row, V4);
    const stale = () => routesOf(rib, rib.ipv4, findPrefix(rib, parsePrefix(VIP)!)).map((r) => r.stale);
    expect(stale()).toEqual(['longLived']);
    const again = new RibSession(rib, feeder.settings, feeder.row);
    again.announce(via('10.0.0.1'), [VIP]);
    expect(stale()).toEqual(['no']);
  });

  test('an enhanced refresh removes what was not sent again', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    feeder.announce(via('10.0.0.1'), [VIP, '203.0.113.11/32']);
    rib.markStale(feeder.row, IPV4_UNICAST);
    feeder.announce(via('10.0.0.1'), [VIP]);
    rib.sweepStale(feeder.row, IPV4_UNICAST);
    expect(rib.ipv4.bestCount).toBe(1);
  });
});

describe('what a peer is told', () => {
  test('nothing, where a route goes and comes back before the peer reads', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    const sink = external(rib, '10.0.0.2', 64602);
    feeder.announce(via('10.0.0.1'), [VIP]);
    sink.pumpAll();
    const before = sink.updates;
    feeder.withdraw([VIP]);
    feeder.announce(via('10.0.0.1'), [VIP]);
    sink.pumpAll();
    expect(sink.updates).toBe(before);
  });

  test('everything again after a refresh, and End-of-RIB once, after the whole table', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    const prefixes = Array.from({ length: 5000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
    feeder.announce(via('10.0.0.1'), prefixes);
    const sink = external(rib, '10.0.0.2', 64602);
    expect(sink.pump(100)).toBe(true);
    expect(sink.ended).not.toContain(IPV4_UNICAST);
    feeder.announce(via('10.0.0.1', { med: 1, communities: [5] }), [VIP]);
    sink.pumpAll();
    expect([...sink.ended].sort()).toEqual([IPV4_UNICAST, IPV6_UNICAST]);
    expect([sink.told.size, sink.repeats]).toEqual([5001, 0]);
    rib.routeRefresh(sink.row, IPV4_UNICAST);
    sink.pumpAll();
    expect([sink.told.size, sink.repeats, sink.ended.length]).toEqual([5001, 5001, 2]);
  });

  test('as few UPDATEs as came in, however small the socket takes them', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    const sink = external(rib, '10.0.0.2', 64602);
    for (let set = 0; set < 50; set++) {
      const prefixes = Array.from({ length: 8 }, (_, i) => `10.${set}.${i}.0/24`);
      feeder.announce(via('10.0.0.1', { communities: [set] }), prefixes);
    }
    while (sink.pump(10));
    expect([sink.told.size, sink.updates - sink.ended.length]).toEqual([400, 50]);
  });

  test('AS_TRANS and AS4_PATH on a session with two-octet AS numbers', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1', 64601, { asn4: false });
    const [old, young] = [
      external(rib, '10.0.0.2', 64602, { asn4: false }),
      external(rib, '10.0.0.3', 64603),
    ];
    feeder.announce(via('10.0.0.1', { path: [64601, 3356] }), [VIP]);
    const wide = external(rib, '10.0.0.4', 64604);
    wide.announce(via('10.0.0.4', { path: [64604, 400_000] }), ['203.0.113.11/32']);
    for (const sink of [old, young]) sink.pumpAll();
    expect(young.told.get(VIP)!.path).toEqual([LOCAL, 64601, 3356]);
    expect(young.told.get('203.0.113.11/32')!.path).toEqual([LOCAL, 64604, 400_000]);
    expect(old.told.get('203.0.113.11/32')!.path).toEqual([LOCAL, 64604, 23456]);
  });

  test('IPv4 routes with our IPv6 next hop where that was negotiated, and none where no next hop will do', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    feeder.announce(via('10.0.0.1'), [VIP]);
    const hops = { nextHop4: null };
    const able = external(rib, 'fd00::2', 64602, { extendedNextHop: V4 }, hops);
    const unable = external(rib, 'fd00::3', 64603, {}, hops);
    for (const sink of [able, unable]) sink.pumpAll();
    expect(able.told.get(VIP)).toEqual({ origin: 0, path: [LOCAL, 64601], nextHop: 'fd00:0:0:0:0:0:0:fe' });
    expect([unable.told.size, unable.ended.length]).toEqual([0, 2]);
  });

  test('routes of our own with their communities and MED, which an internal peer gets with a preference', () => {
    const rib = makeRib();
    const sinks = [external(rib, '10.0.0.1'), external(rib, '10.0.0.2', LOCAL)];
    const attributes = [makeAttribute({ code: 4 }, 50), makeAttribute({ code: 8 }, [0xffffff01])];
    rib.announceLocal(parsePrefix(VIP)!, attributes);
    for (const sink of sinks) sink.pumpAll();
    const common = { origin: 0, nextHop: '10.0.0.254', med: 50, communities: [0xffffff01] };
    expect(sinks[0]!.told.get(VIP)).toEqual({ ...common, path: [LOCAL] });
    expect(sinks[1]!.told.get(VIP)).toEqual({ ...common, path: [], localPref: 100 });
    rib.withdrawLocal(parsePrefix(VIP)!);
    for (const sink of sinks) sink.pumpAll();
    expect(sinks.map(({ told }) => told.size)).toEqual([0, 0]);
  });

  test('nothing of a path that no message can hold', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1', 64601, { extendedMessages: true });
    const sink = external(rib, '10.0.0.2', 64602);
    const route = via('10.0.0.1');
    feeder.announce(route, [VIP]);
    sink.pumpAll();
    expect(sink.told.size).toBe(1);
    feeder.announce({ ...route, communities: Array.from({ length: 2000 }, (_, i) => i) }, [VIP]);
    sink.pumpAll();
    expect([sink.told.size, rib.counts(sink.row, IPV4_UNICAST).announced]).toEqual([0, 0]);
    feeder.withdraw([VIP]);
    sink.pumpAll();
    expect([rib.ipv4.table.count, rib.store.count]).toEqual([0, 0]);
  });
});

describe('a session that flaps', () => {
  test('leaves nothing behind after a thousand times', () => {
    const rib = makeRib();
    const stay = external(rib, '10.0.0.2', 64602);
    stay.announce(via('10.0.0.2', { path: [64602] }), [VIP]);
    for (let i = 0; i < 1000; i++) {
      const flapping = external(rib, '10.0.0.1');
      expect(flapping.row).toBe(2);
      flapping.announce(via('10.0.0.1', { communities: [i] }), [VIP, '203.0.113.11/32']);
      stay.pump(64);
      flapping.pump(64);
      rib.peerDown(flapping.row);
    }
    stay.pumpAll();
    expect([rib.peers.length, rib.store.count, rib.ipv4.table.count, stay.told.size]).toEqual([3, 1, 1, 0]);
  });
});

describe('reading the RIB', () => {
  test('finds a prefix, what covers an address, and what lies inside of a prefix', () => {
    const rib = makeRib();
    const feeder = external(rib, '10.0.0.1');
    feeder.announce(via('10.0.0.1'), ['0.0.0.0/0', '203.0.113.0/24', VIP]);
    expect(findPrefix(rib, parsePrefix('203.0.113.0/25')!)).toBe(-1);
    const row = matchAddress(rib, parseAddress('203.0.113.11')!);
    expect(rib.ipv4.table.lengths[row]).toBe(24);
    expect(pathPage(rib.ipv4, { prefix: parsePrefix('203.0.112.0/20')!, peer: null }, 0, 1)).toMatchObject({
      total: 2,
      rows: { length: 1 },
    });
    expect(routesOf(rib, rib.ipv4, row)).toMatchObject([{ peer: feeder.row, best: true, multipath: true }]);
  });
});
