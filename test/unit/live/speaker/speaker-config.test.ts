import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../../../src/addr/address.js';
import { speakerConfig } from '../../../../src/live/speaker/speaker-config.js';

const HEAD = 'apiVersion: flowfate.dev/v1\nkind: Speaker\nspec:\n  asn: 64512\n  routerId: 10.0.0.1\n';
const PEER = '  peers: [{ address: 10.0.0.254, asn: 64513, localAddress: 10.0.0.1 }]\n';

const read = (text: string, change: Partial<Parameters<typeof speakerConfig>[1]> = {}) =>
  speakerConfig(
    { name: 'speaker.yaml', text },
    { start: 'fresh', ownAddresses: [], usualTtl: 64, ...change },
  );

function faultOf(text: string, change: Partial<Parameters<typeof speakerConfig>[1]> = {}): string {
  try {
    read(text, change);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('a speaker’s configuration', () => {
  test('as the contract writes it is read whole', () => {
    const config = read(
      `${HEAD}${PEER}  vips:\n    - { prefix: 203.0.113.10/32, nextHop: self, med: 50, localPref: 100, communities: ["64512:100"], largeCommunities: ["64512:1:2"] }\n`,
    );
    expect(config.peers).toMatchObject([
      { id: '10.0.0.254', port: 179, asn: 64513, mode: 'active', holdTimeS: 90 },
    ]);
    expect(config.vips).toMatchObject([
      {
        ...{ nextHop: 'self', med: 50, localPref: 100, communities: [64512 * 65536 + 100] },
        ...{ largeCommunities: [[64512, 1, 2]], peers: null, announce: true, drain: false },
      },
    ]);
    expect(config.control).toMatch(/flowfate-speaker-[0-9a-f]{12}\.sock$/);
    expect(config.bfd.size).toBe(0);
  });

  test('may have several sessions with one router, one for each node address', () => {
    const { peers } = read(
      `${HEAD}  peers:\n    - { address: 10.0.0.254, asn: 64513, localAddress: 10.0.0.1 }\n    - { address: 10.0.0.254, asn: 64513, localAddress: 10.0.0.2 }\n`,
    );
    expect(peers.map(({ id, localAddress }) => [id, formatAddress(localAddress!)])).toEqual([
      ['10.0.0.254 from 10.0.0.1', '10.0.0.1'],
      ['10.0.0.254 from 10.0.0.2', '10.0.0.2'],
    ]);
  });

  test('reads BFD as on, or as interval and multiplier', () => {
    const bfdOf = (bfd: string) =>
      [...read(`${HEAD}  peers: [{ address: 10.0.0.254, asn: 64513, bfd: ${bfd} }]\n`).bfd.values()][0];
    expect(bfdOf('on')).toEqual({ intervalMs: 300, multiplier: 3 });
    expect(bfdOf('{ interval: 50ms, multiplier: 5 }')).toEqual({ intervalMs: 50, multiplier: 5 });
    expect(bfdOf('off')).toBeUndefined();
  });

  test.each([
    [`${HEAD}${PEER}  vips: [{ prefx: 203.0.113.10/32 }]\n`, /speaker\.yaml:7:\d+: .*"prefx".*"prefix"/],
    [
      `${HEAD}  peers: [{ address: 10.0.0.254, asn: 64513, passive: true }]\n`,
      /a passive peer needs "listen:"/,
    ],
    [`${HEAD}  peers: [{ address: 10.0.0.254 }]\n`, /the key "asn" is missing/],
    [`${HEAD}  peers: []\n`, /name one/],
    [`${HEAD}${PEER}  vips: [{ prefix: "2001:db8::1", nextHop: 10.0.0.1 }]\n`, /needs an IPv6 next hop/],
    [`${HEAD}${PEER}  vips: [{ prefix: 203.0.113.1 }, { prefix: 203.0.113.1/32 }]\n`, /stands twice/],
    [`${HEAD}${PEER}  vips: [{ prefix: 203.0.113.1, peers: 10.9.9.9 }]\n`, /there is no peer 10\.9\.9\.9/],
    [`${HEAD}${PEER}  control: /${'x'.repeat(120)}\n`, /shorter one/],
    [`${HEAD.replace('10.0.0.1', '0.0.0.0')}${PEER}`, /router id "0\.0\.0\.0"/],
    [
      `${HEAD}  dialect: metallb-native\n${PEER}  vips: [{ prefix: "2001:db8::1" }]\n`,
      /metallb-native has no IPv6/,
    ],
    [
      `${HEAD}  peers: [{ address: 10.0.0.254, asn: 64513, longLivedGracefulRestart: 1h }]\n`,
      /give "gracefulRestart: on" as well/,
    ],
    ['kind: Router\n', /no document of "kind: Speaker"/],
  ])('that is wrong is refused with a sentence: %#', (text, sentence) => {
    expect(faultOf(text)).toMatch(sentence);
  });

  test('with a password is refused where no launched socket is listened on, and says how', () => {
    const text = (keys: string): string =>
      `${HEAD}  peers: [{ address: 10.0.0.254, asn: 64513, password: s3cret${keys} }]\n`;
    expect(faultOf(text(''))).toMatch(
      /speaker\.yaml:6:\d+: peers\[0\]: a password .*launch-listener\.py.*fd:3/,
    );
    expect(faultOf(text(''), { listen: [{ fd: 3 }] })).toMatch(/passive: true/);
    expect(read(text(', passive: true'), { listen: [{ fd: 3 }] }).peers).toHaveLength(1);
  });

  test('with ttlSecurity is accepted on a launched socket, or where the kernel sends with TTL 255', () => {
    const text = (keys: string): string =>
      `${HEAD}  peers: [{ address: 10.0.0.254, asn: 64513, ttlSecurity: true${keys} }]\n`;
    expect(faultOf(text(''))).toMatch(/launch-listener\.py.*ip_default_ttl=255/);
    expect(faultOf(text(''), { listen: [{ fd: 3 }] })).toMatch(/passive: true/);
    expect(read(text(''), { usualTtl: 255 }).peers).toHaveLength(1);
    expect(read(text(', passive: true'), { listen: [{ fd: 3 }] }).peers).toHaveLength(1);
  });
});
