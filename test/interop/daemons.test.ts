/**
 * The partners themselves: each daemon announces to BIRD, and hears BIRD's announcements, as its driver says it does.
 * What our own router and speaker are tested against is thereby known to work without them.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { AnnouncedRoute, DaemonConfig, DaemonPeer } from '../support/daemons/daemon.js';
import { DAEMONS, lacks, makeDaemon } from '../support/daemons.js';
import { Lan } from '../support/netns.js';
import { until } from '../support/wait.js';

const LEFT = { asn: 4_200_000_001, addresses: ['10.88.0.1', 'fd88::1'] } as const;
const RIGHT = { asn: 64_512, addresses: ['10.88.0.2', 'fd88::2'] } as const;
const ROUTE = {
  med: 50,
  communities: ['64512:100'],
  largeCommunities: ['4200000064:1:2'],
  routeTargets: ['64512:100'],
};
const ROUTES: readonly AnnouncedRoute[] = [
  { prefix: '198.51.100.10/32', ...ROUTE },
  { prefix: '2001:db8:100::10/128', ...ROUTE },
];

type Side = typeof LEFT | typeof RIGHT;

function sideConfig(
  own: Side,
  other: Side,
  peer: Partial<DaemonPeer>,
  announces: DaemonConfig['announces'] = [],
) {
  const peers = own.addresses.map((localAddress, i) => ({
    ...{ localAddress, address: other.addresses[i]!, asn: other.asn },
    ...peer,
  }));
  return { asn: own.asn, routerId: own.addresses[0], peers, announces };
}

let lan: Lan | null = null;
afterEach(async () => {
  await lan?.close();
  lan = null;
});

describe.each(DAEMONS)('%s', (name) => {
  test('announces both families with all attributes, changes and withdraws them', async (ctx) => {
    const lack = lacks('bird', name);
    if (lack !== null) ctx.skip(lack);
    lan = await Lan.create([
      { name: 'left', addresses: ['10.88.0.1/24', 'fd88::1/64'] },
      { name: 'right', addresses: ['10.88.0.2/24', 'fd88::2/64'] },
    ]);
    const router = makeDaemon('bird', lan.host('left'), sideConfig(LEFT, RIGHT, { passive: true }));
    const speaker = makeDaemon(name, lan.host('right'), sideConfig(RIGHT, LEFT, {}, ROUTES));
    await router.start();
    await speaker.start();
    await until('two sessions', async () => (await router.established()).size === 2, { timeoutMs: 30_000 });
    const table = await until('both routes', async () => {
      const rib = await router.rib();
      return rib.length === 2 && rib;
    });
    expect(table.toSorted((a, b) => a.prefix.length - b.prefix.length)).toEqual(
      ROUTES.map(({ prefix, ...attributes }, i) => ({
        ...{ prefix, from: RIGHT.addresses[i], nextHop: RIGHT.addresses[i], ...attributes },
        ...{ origin: 'igp', asPath: [RIGHT.asn], stale: false },
      })),
    );
    await speaker.announce({ ...ROUTES[0]!, communities: ['64512:100', '65535:0'] });
    await until('the changed community', async () => {
      const rib = await router.rib();
      return rib.find(({ prefix }) => prefix === ROUTES[0]!.prefix)?.communities.includes('65535:0');
    });
    for (const { prefix } of ROUTES) await speaker.withdraw(prefix);
    await until('an empty table', async () => (await router.rib()).length === 0);
  });

  test('hears both families with all attributes', async (ctx) => {
    const lack = lacks('bird', name);
    if (lack !== null) ctx.skip(lack);
    lan = await Lan.create([
      { name: 'left', addresses: ['10.88.0.1/24', 'fd88::1/64'] },
      { name: 'right', addresses: ['10.88.0.2/24', 'fd88::2/64'] },
    ]);
    const router = makeDaemon(name, lan.host('left'), sideConfig(LEFT, RIGHT, { passive: true }));
    const speaker = makeDaemon('bird', lan.host('right'), sideConfig(RIGHT, LEFT, {}, ROUTES));
    await router.start();
    await speaker.start();
    await until('two sessions', async () => (await router.established()).size === 2, { timeoutMs: 30_000 });
    const table = await until('both routes', async () => {
      const rib = await router.rib();
      return rib.length === 2 && rib;
    });
    expect(table.toSorted((a, b) => a.prefix.length - b.prefix.length)).toEqual(
      ROUTES.map(({ prefix, ...attributes }, i) => ({
        ...{ prefix, from: RIGHT.addresses[i], nextHop: RIGHT.addresses[i], ...attributes },
        ...{ origin: 'igp', asPath: [RIGHT.asn], stale: false },
      })),
    );
    await speaker.stop();
    await until('an empty table', async () => (await router.rib()).length === 0);
  });
});
