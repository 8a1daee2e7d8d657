import { describe, expect, test } from 'vitest';
import { formatAddress, formatIpv4, parseAddress } from '../../../../src/addr/address.js';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import { parseListen, parseListenTarget } from '../../../../src/live/router/listen-address.js';
import { policyOf, type RouterOverrides, routerConfig } from '../../../../src/live/router/router-config.js';

const NOTHING: RouterOverrides = { start: 'fresh', usualTtl: 64, ownAddresses: [parseAddress('192.0.2.7')!] };

function load(spec: string, overrides: Partial<RouterOverrides> = {}) {
  const text = `apiVersion: flowfate.dev/v1\nkind: Router\nspec:\n${spec}`;
  return routerConfig({ name: 'r.yaml', text }, { ...NOTHING, ...overrides });
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}

/** The example of the contract. */
const CONTRACT = `
  asn: 65000
  routerId: 10.77.0.1
  listen: [127.0.0.1:1790]
  http: 127.0.0.1:8179
  maxPaths: 64
  ecmp: { hash: linux-l4, seed: 1, select: hash-threshold, order: address }
  acceptAny: false
  peers:
    - { address: 127.0.0.2, asn: 64601, passive: true, families: [ipv4-unicast, ipv6-unicast], import: all, export: all,
        holdTime: 90s, gracefulRestart: true, addPath: none, extendedMessages: true, maxPrefixes: 2000000, bfd: off }
    - { addresses: 10.77.1.0/24, asn: 64601, passive: true, import: all, export: none }
`;

describe('a Router document', () => {
  test('says what peers, ranges and their policies are', () => {
    const config = load(CONTRACT);
    expect(config.local.asn).toBe(65000);
    expect(formatIpv4(config.local.bgpIdentifier)).toBe('10.77.0.1');
    expect(config.listen).toEqual([{ host: '127.0.0.1', port: 1790 }]);
    expect(config.http).toEqual({ host: '127.0.0.1', port: 8179 });
    const [peer] = config.peers.peers;
    expect(peer).toMatchObject({
      id: '127.0.0.2',
      asn: 64601,
      mode: 'passive',
      families: [IPV4_UNICAST, IPV6_UNICAST],
      holdTimeS: 90,
      gracefulRestart: { restartTimeS: 120 },
    });
    expect(policyOf(config, peer!)).toMatchObject({ import: 'all', export: 'all', bfd: null });
    const ranged = { ...peer!, id: '10.77.1.9', address: parseAddress('10.77.1.9')! };
    expect(policyOf(config, ranged)).toMatchObject({ import: 'all', export: 'none' });
    expect(policyOf(config, { ...ranged, address: parseAddress('10.78.1.9')! })).toBeNull();
    expect(config.notes).toEqual([]);
  });

  test('says how long routes stay beyond the restart time of a peer: not at all, unless stated', () => {
    const timeOf = (more: string) =>
      load(`  asn: 1\n  peers: [{ address: 10.0.0.2, asn: 2${more} }]\n`).peers.peers[0]!.gracefulRestart;
    expect(timeOf(', gracefulRestart: 2m, longLivedGracefulRestart: 1h')).toMatchObject({
      restartTimeS: 120,
      longLivedStaleS: 3600,
    });
    expect(timeOf(', gracefulRestart: 2m, longLivedGracefulRestart: 0s')!.longLivedStaleS).toBe(0);
    expect(timeOf(', gracefulRestart: 2m')!.longLivedStaleS).toBe(0);
    expect(timeOf(', longLivedGracefulRestart: 0s')).toBeNull();
  });

  test('needs an AS number from somewhere, and takes the command line over the file', () => {
    expect(refusal(() => routerConfig(null, NOTHING))).toContain('has no AS number');
    const config = load(CONTRACT, { asn: 64999, listen: [{ fd: 3 }], acceptAny: true });
    expect(config.local.asn).toBe(64999);
    expect(config.listen).toEqual([{ fd: 3 }]);
    expect(config.peers.ranges).toHaveLength(3);
  });

  test('takes its router id from where it listens, else from an interface', () => {
    const id = (listen: string) =>
      formatIpv4(load(`  asn: 1\n  acceptAny: true\n  listen: ["${listen}"]\n`).local.bgpIdentifier);
    expect(id('10.1.2.3:179')).toBe('10.1.2.3');
    expect(id('0.0.0.0:179')).toBe('192.0.2.7');
    expect(id('[::1]:179')).toBe('192.0.2.7');
  });

  test('an external peer without policies imports and exports nothing, and is told of (RFC 8212)', () => {
    const config = load(
      '  asn: 65000\n  peers: [{ address: 10.0.0.2, asn: 64512 }, { address: 10.0.0.3, asn: 65000 }]\n',
    );
    const policies = config.peers.peers.map((peer) => policyOf(config, peer));
    expect(policies.map((policy) => [policy!.import, policy!.export])).toEqual([
      ['none', 'none'],
      ['all', 'all'],
    ]);
    expect(config.notes).toHaveLength(1);
    expect(config.notes[0]).toContain('10.0.0.2');
  });

  test('several sessions with one address are told apart', () => {
    const config = load(
      '  asn: 65000\n  peers:\n    - { address: 10.0.0.2, asn: 64512, localAddress: 10.0.0.1, import: all }\n    - { address: 10.0.0.2, asn: 64512, localAddress: 10.0.1.1, import: all }\n',
    );
    expect(config.peers.peers.map(({ id }) => id)).toEqual([
      '10.0.0.2:179 from 10.0.0.1',
      '10.0.0.2:179 from 10.0.1.1',
    ]);
    expect(formatAddress(config.peers.peers[1]!.localAddress!)).toBe('10.0.1.1');
  });
});

describe('what is wrong is told with its place', () => {
  test.each([
    ['  asn: 65000\n  per: []\n', 'r.yaml:5:3: unknown key "per" in spec; did you mean "peers"?'],
    ['  asn: 0\n', 'r.yaml:4:8: spec.asn: expected an AS number from 1 to 4294967295, found 0'],
    ['  asn: 1\n  routerId: 0.0.0.0\n', 'the router id "0.0.0.0" is no IPv4 address'],
    ['  asn: 1\n  listen: nowhere:x\n', 'expected an address with a port'],
    ['  asn: 1\n  peers: [{ asn: 2 }]\n', 'give either address (one peer) or addresses (a range'],
    ['  asn: 1\n  peers: [{ address: 10.0.0.2 }]\n', 'the key "asn" is missing'],
    ['  asn: 1\n  peers: [{ addresses: 10.0.0.0/8, passive: false }]\n', 'can only be passive'],
    ['  asn: 1\n  peers: [{ address: 10.0.0.2, asn: 2, holdTime: 2s }]\n', 'expected 0, or a hold time'],
    ['  asn: 1\n  peers: [{ address: 10.0.0.2, asn: 2, families: ipv4-vpn }]\n', 'expected ipv4-unicast'],
    [
      '  asn: 1\n  peers: [{ address: 10.0.0.2, asn: 2 }, { address: 10.0.0.2, asn: 2 }]\n',
      'is configured twice',
    ],
    ['  asn: 1\n  ecmp: { select: resilient, buckets: 100000 }\n', 'buckets'],
    [
      '  asn: 1\n  peers: [{ address: 10.0.0.2, asn: 2, longLivedGracefulRestart: 1h }]\n',
      'peers[0]: longLivedGracefulRestart goes on where gracefulRestart ends; give',
    ],
    [
      '  asn: 1\n  peers: [{ address: 10.0.0.2, asn: 2, gracefulRestart: on, longLivedGracefulRestart: 195d }]\n',
      'expected 0s (off), or a time from 1s to 16777215s',
    ],
  ])('%j', (spec, sentence) => {
    expect(refusal(() => load(spec))).toContain(sentence);
  });

  test('a file without a Router', () => {
    const input = { name: 'r.yaml', text: 'apiVersion: flowfate.dev/v1\nkind: Scenario\n' };
    expect(refusal(() => routerConfig(input, NOTHING))).toContain('has no document of "kind: Router"');
  });
});

test('places to listen are read as they are written', () => {
  expect(parseListen('1790')).toEqual({ host: '127.0.0.1', port: 1790 });
  expect(parseListen('10.0.0.1:179')).toEqual({ host: '10.0.0.1', port: 179 });
  expect(parseListen('[fd00::1]:179')).toEqual({ host: 'fd00::1', port: 179 });
  expect(parseListenTarget('fd:3')).toEqual({ fd: 3 });
  for (const text of ['', 'x:1', '10.0.0.1', '10.0.0.1:70000', '[::1]', 'fd:x']) {
    expect(parseListenTarget(text), text).toBeNull();
  }
});
