/**
 * What `flowfate router` passes on: two BIRD speakers announce, a collector of each kind hears all of it from our router,
 * once with the best route and once with all paths (ADD-PATH, RFC 7911).
 */
import { afterEach, describe, expect, test } from 'vitest';
import { DAEMONS, lacks } from '../support/daemons.js';
import { lacksBuild } from '../support/flowfate-process.js';
import { ATTRIBUTES, Rack, SPEAKER_ASN, TOR, VIP4, VIP6 } from '../support/top-of-rack.js';
import { until } from '../support/wait.js';

/** GoBGP's softresetin looks at what it holds and sends no ROUTE-REFRESH */
const ASKS_NOTHING: readonly string[] = ['gobgp'];

let rack: Rack | null = null;
afterEach(async () => {
  await rack?.close();
  rack = null;
});

describe.each(DAEMONS)('to %s the router passes on', (daemon) => {
  const lack = lacksBuild ?? lacks('bird', daemon);

  test('the best route with all transitive attributes, its own AS in front and itself as next hop', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    rack = await Rack.create(['bird', 'bird'], {
      ours: 'passive',
      collector: { daemon },
    });
    await rack.sessionsUp();
    await rack.fibIs(['s1', 's2']);
    const collector = rack.daemon('col');
    const table = await until(
      'two routes at the collector',
      async () => {
        const rib = await collector.rib();
        return rib.length === 2 && rib;
      },
      { seen: () => collector.rib() },
    );
    for (const [family, prefix] of [VIP4, VIP6].entries()) {
      expect(table.find((route) => route.prefix === prefix)).toMatchObject({
        ...{ prefix, from: TOR.addresses[family], nextHop: TOR.addresses[family], origin: 'igp' },
        asPath: [TOR.asn, SPEAKER_ASN],
        communities: [...ATTRIBUTES.communities],
        largeCommunities: [...ATTRIBUTES.largeCommunities],
        routeTargets: [...ATTRIBUTES.routeTargets],
      });
    }
    if (!ASKS_NOTHING.includes(daemon)) {
      const sent = async (): Promise<number[]> =>
        (await rack!.router.peers()).slice(-2).map(({ updates }) => updates.out);
      const before = await sent();
      for (const address of TOR.addresses) await collector.refresh(address);
      await until('both routes to be sent again', async () => (await sent()).every((n, i) => n > before[i]!));
    }
    for (const name of ['s1', 's2'] as const) {
      for (const prefix of [VIP4, VIP6]) await rack.daemon(name).withdraw(prefix);
    }
    await until('an empty table at the collector', async () => (await collector.rib()).length === 0);
  });

  test('every path where ADD-PATH is agreed, and takes back the one that goes', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    rack = await Rack.create(['bird', 'bird'], {
      ours: 'passive',
      collector: { daemon, peer: { addPath: 'receive' } },
      collectorPeer: { addPath: 'send' },
      routes: [
        { prefix: VIP4, communities: ['64512:1'] },
        { prefix: VIP6, communities: ['64512:1'] },
      ],
    });
    await rack.sessionsUp();
    await rack.daemon('s2').announce({ prefix: VIP4, communities: ['64512:2'] });
    await rack.daemon('s2').announce({ prefix: VIP6, communities: ['64512:2'] });
    const collector = rack.daemon('col');
    const pathsTo = async (prefix: string): Promise<string> =>
      (await collector.rib())
        .filter((route) => route.prefix === prefix)
        .map(({ communities }) => communities.join())
        .toSorted()
        .join(' ');
    for (const prefix of [VIP4, VIP6]) {
      await until(`two paths to ${prefix}`, async () => (await pathsTo(prefix)) === '64512:1 64512:2', {
        seen: () => collector.rib(),
      });
      await rack.daemon('s1').withdraw(prefix);
      await until(`one path to ${prefix}`, async () => (await pathsTo(prefix)) === '64512:2', {
        seen: () => collector.rib(),
      });
    }
  });
});
