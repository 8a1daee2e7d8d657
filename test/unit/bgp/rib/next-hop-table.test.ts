import { describe, expect, test } from 'vitest';
import { formatAddress, ipv4, parseAddress } from '../../../../src/addr/address.js';
import { MAX_RESTING, NextHopTable } from '../../../../src/bgp/rib/next-hop-table.js';
import { Rib } from '../../../../src/bgp/rib/rib.js';
import { peerSettings, RibSession, type RouteText } from '../../../support/rib-session.js';

const REACHABLE = { connected: null, ownAddresses: [] };
const CHURN = 100_000;
const BASE4 = 0x64400000;

function makeRib(order: 'address' | 'arrival'): Rib {
  return new Rib({
    ...{ localAsn: 65000, routerId: 1, maxPaths: 64, asPaths: 'relax', order, arrivalKeepS: 180 },
    ...REACHABLE,
  });
}

function connect(rib: Rib, at: string): RibSession {
  return new RibSession(rib, peerSettings({ asn: 64601, at, localAsn: 65000 }));
}

function via(nextHop: string): RouteText {
  return { origin: 0, path: [64601], nextHop };
}

const hop4 = (i: number): string => formatAddress(ipv4(BASE4 + i));
const hop6 = (i: number): string => `2001:db8::${(i >>> 16).toString(16)}:${(i & 0xffff).toString(16)}`;

describe('the next-hop table', () => {
  test('has a row for a hop again as soon as nobody holds it, where places do not matter', () => {
    const table = new NextHopTable(REACHABLE, 0);
    for (let i = 0; i < CHURN; i++) table.release(table.holdIpv4(BASE4 + i));
    expect(table.addresses.length).toBe(1);
    const [a, b] = [table.holdIpv4(1), table.holdIpv4(2)];
    expect([table.holdIpv4(1), a === b]).toEqual([a, false]);
    table.release(a);
    expect([table.addresses[a]!.w0, table.holdIpv4(1)]).toEqual([1, a]);
  });

  test('keeps the place of a hop for as long as it says, then forgets hop and place', () => {
    const table = new NextHopTable(REACHABLE, 180);
    const [a, b] = [table.holdIpv4(1), table.holdIpv4(2)];
    for (const row of [a, b]) table.use(row, 0);
    table.leave(a, 10);
    table.release(a);
    table.use(table.holdIpv4(1), 190);
    expect(table.places.slice(0, 2)).toEqual([0, 1]);
    table.leave(a, 190);
    table.release(a);
    table.use(b, 371);
    const c = table.holdIpv4(3);
    expect([c, table.addresses[c]!.w0, table.places[c]]).toEqual([a, 3, -1]);
    table.use(table.holdIpv4(1), 371);
    expect(table.places[table.holdIpv4(1)]).toBe(2);
  });

  test('remembers no more places than it says, the newest', () => {
    const table = new NextHopTable(REACHABLE, 180);
    for (let i = 0; i < CHURN; i++) {
      const row = table.holdIpv4(BASE4 + i);
      table.use(row, 0);
      table.leave(row, 0);
      table.release(row);
    }
    expect(table.addresses.length).toBe(MAX_RESTING + 1);
    expect(table.places[table.holdIpv4(BASE4 + CHURN - 1)]).toBe(CHURN - 1);
    expect(table.places[table.holdIpv4(BASE4)]).toBe(-1);
  });
});

describe('a peer that names 100,000 next hops', () => {
  for (const order of ['address', 'arrival'] as const) {
    test(`costs the rows of those in use and of the remembered ones, in order of ${order}`, () => {
      const rib = makeRib(order);
      const [hostile, honest] = [connect(rib, '10.0.0.1'), connect(rib, '10.0.0.2')];
      honest.announce(via('10.0.0.2'), ['203.0.113.1/32', '203.0.113.2/32']);
      honest.announce(via('fd00::2'), ['2001:db8:113::1/128']);
      for (let i = 0; i < CHURN; i++) {
        rib.setTime(i);
        // shared, alone, and of the other family; now and then not the best
        if (i % 3 === 0) hostile.announce(via(hop6(i)), ['2001:db8:113::1/128']);
        else hostile.announce({ ...via(hop4(i)), origin: i % 2 }, [`203.0.113.${1 + (i % 3)}/32`]);
      }
      const { addresses } = rib.nextHops;
      expect(addresses.length).toBeLessThan(order === 'address' ? 10 : 200);
      const row = rib.ipv4.table.find(parseAddress('203.0.113.2')!.w0, 0, 0, 0, 32);
      const hops = rib.hopSets.hopsOf(rib.ipv4.hops[row]!);
      expect(hops.map((hop) => formatAddress(addresses[hop]!))).toContain('10.0.0.2');
      expect(rib.hopSets.rows).toBeLessThan(10);
      expect(rib.store.columns.marks.length).toBeLessThan(256);
      expect(rib.store.bytes.length).toBeLessThan(1 << 22);
      rib.peerDown(hostile.row);
      expect([rib.hopSets.count, rib.store.count]).toEqual([2, 2]);
    }, 30_000);
  }
});
