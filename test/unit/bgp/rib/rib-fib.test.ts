import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../../src/addr/address.js';
import { Rib } from '../../../../src/bgp/rib/rib.js';
import { RibFib } from '../../../../src/bgp/rib/rib-fib.js';
import type { GroupSettings } from '../../../../src/route/next-hop-group.js';
import { peerSettings, RibSession } from '../../../support/rib-session.js';

const HASH_THRESHOLD: GroupSettings = {
  select: 'hash-threshold',
  hashBits: 31,
  buckets: 8,
  idleTimerS: 120,
  unbalancedTimerS: 0,
  replace: 'in-place',
};

function world(settings: GroupSettings) {
  const rib = new Rib({
    localAsn: 65000,
    routerId: 1,
    maxPaths: 64,
    asPaths: 'relax',
    order: 'address',
    arrivalKeepS: 180,
    connected: null,
    ownAddresses: [],
  });
  const fib = new RibFib(rib, settings);
  rib.onRoute((family, prefix, _before, after) => fib.routeChanged(family, prefix, after));
  const peers = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(
    (at) => new RibSession(rib, peerSettings({ asn: 64601, at, localAsn: 65000 })),
  );
  const announce = (i: number, prefixes: readonly string[]): void =>
    peers[i]!.announce({ origin: 0, path: [64601], nextHop: `10.0.0.${i + 1}` }, prefixes);
  const lookup = (text: string) => {
    const { family, w0, w1, w2, w3 } = parseAddress(text)!;
    return fib.lookup(family, w0, w1, w2, w3);
  };
  const hops = (text: string): string =>
    (lookup(text)?.nextHops ?? []).map(({ id }) => rib.nextHops.addresses[id]!.w0 & 255).join();
  return { rib, fib, peers, announce, lookup, hops };
}

describe('RibFib', () => {
  test('finds the group of the longest prefix, and an outer one when that is withdrawn', () => {
    const { peers, announce, hops, fib } = world(HASH_THRESHOLD);
    announce(0, ['203.0.113.0/24']);
    announce(1, ['203.0.113.10/32']);
    announce(2, ['203.0.113.10/32']);
    expect([hops('203.0.113.10'), hops('203.0.113.11'), hops('198.51.100.1')]).toEqual(['2,3', '1', '']);
    const { version } = fib;
    peers[1]!.withdraw(['203.0.113.10/32']);
    expect(hops('203.0.113.10')).toBe('3');
    peers[2]!.withdraw(['203.0.113.10/32']);
    expect(hops('203.0.113.10')).toBe('1');
    expect(fib.version).toBeGreaterThan(version);
  });

  test('has one group for all prefixes with the same next hops', () => {
    const { announce, lookup } = world(HASH_THRESHOLD);
    for (const i of [0, 1]) announce(i, ['203.0.113.10/32', '203.0.113.11/32']);
    expect(lookup('203.0.113.10')).toBe(lookup('203.0.113.11'));
    announce(2, ['203.0.113.11/32']);
    expect(lookup('203.0.113.10')).not.toBe(lookup('203.0.113.11'));
  });

  test('migrates the buckets of a resilient group in place: only those of the lost next hop move', () => {
    const { peers, announce, lookup } = world({ ...HASH_THRESHOLD, select: 'resilient' });
    for (const i of [0, 1, 2]) announce(i, ['203.0.113.10/32']);
    const group = lookup('203.0.113.10')!;
    const before = [...group.table()!];
    const lost = before[0]!;
    peers[lost]!.withdraw(['203.0.113.10/32']);
    expect(lookup('203.0.113.10')).toBe(group);
    const after = [...group.table()!];
    expect(before.filter((hop, i) => hop !== lost && after[i] !== hop)).toEqual([]);
    expect(after).not.toContain(lost);
  });

  test('makes every group afresh for other settings', () => {
    const { fib, announce, lookup } = world(HASH_THRESHOLD);
    announce(0, ['203.0.113.10/32']);
    const before = lookup('203.0.113.10');
    fib.configure({ ...HASH_THRESHOLD, select: 'modulo' });
    expect([before!.select, lookup('203.0.113.10')!.select]).toEqual(['hash-threshold', 'modulo']);
  });
});
