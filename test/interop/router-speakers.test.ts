/**
 * `flowfate router` at the top of a rack of two speakers of each kind, waiting for them and connecting to them: sessions,
 * attributes, ECMP, changes, and the ways in which a speaker goes away without graceful restart.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DAEMONS, lacks } from '../support/daemons.js';
import { lacksBuild } from '../support/flowfate-process.js';
import {
  ATTRIBUTES,
  addressesOf,
  Rack,
  ROUTES,
  SPEAKER_ASN,
  TOR,
  VIP4,
  VIP6,
} from '../support/top-of-rack.js';
import { until } from '../support/wait.js';

const PAIRS = DAEMONS.flatMap((daemon) => [
  ['waiting for', daemon, 'passive'] as const,
  ['connecting to', daemon, 'active'] as const,
]);

describe.each(PAIRS)('the router, %s %s', (_, daemon, ours) => {
  const lack = lacksBuild ?? lacks('bird', daemon);
  let rack: Rack;

  beforeAll(async () => {
    if (lack !== null) return;
    rack = await Rack.create([daemon, daemon], { ours });
    await rack.sessionsUp();
  });
  afterAll(async () => {
    await rack?.close();
  });

  test('has both speakers as next hops of both VIPs, in the order of their addresses', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    await rack.fibIs(['s1', 's2']);
    const summary = await rack.router.summary();
    expect(
      summary.families.map(({ family, prefixes, routes, fib }) => [family, prefixes, routes, fib]),
    ).toEqual([
      ['ipv4-unicast', 1, 2, 1],
      ['ipv6-unicast', 1, 2, 1],
    ]);
  });

  test('shows every attribute that the speaker announced', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    for (const [family, prefix] of [VIP4, VIP6].entries()) {
      const routes = await rack.router.rib(prefix);
      expect(routes.map(({ nextHop }) => nextHop).toSorted()).toEqual([
        addressesOf('s1')[family],
        addressesOf('s2')[family],
      ]);
      for (const route of routes) {
        expect(route).toMatchObject({
          ...{ origin: 'igp', asPath: `${SPEAKER_ASN}`, med: ATTRIBUTES.med, stale: false, excluded: 'no' },
          ...{ communities: [...ATTRIBUTES.communities], largeCommunities: [...ATTRIBUTES.largeCommunities] },
        });
      }
    }
  });

  test('follows a withdrawal, and the announcement after it', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    const s1 = rack.daemon('s1');
    for (const { prefix } of ROUTES) await s1.withdraw(prefix);
    await rack.fibIs(['s2']);
    for (const route of ROUTES) await s1.announce(route);
    await rack.fibIs(['s1', 's2']);
  });

  test('sends traffic elsewhere when a speaker asks for it (GSHUT, RFC 8326), and keeps it as the last resort', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    const [s1, s2] = [rack.daemon('s1'), rack.daemon('s2')];
    const leaving = ROUTES.map((route) => ({
      ...route,
      communities: [...ATTRIBUTES.communities, '65535:0'],
    }));
    for (const route of leaving) await s1.announce(route);
    await rack.fibIs(['s2']);
    for (const { prefix } of ROUTES) await s2.withdraw(prefix);
    await rack.fibIs(['s1']);
    for (const route of ROUTES) {
      await s1.announce(route);
      await s2.announce(route);
    }
    await rack.fibIs(['s1', 's2']);
  });

  test('reads its configuration anew: a changed import policy holds at once, without a session falling (SIGHUP)', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    const { router } = rack;
    const before = await router.peers();
    const { spec } = router;
    const importing = (policy: unknown): void => {
      router.reload({ ...spec, peers: spec.peers.map((peer) => ({ ...peer, import: policy })) });
    };
    importing('none');
    await rack.fibIs([]);
    const kept = await router.peers();
    expect(kept.reduce((sum, { received }) => sum + received, 0)).toBe(4);
    expect(kept.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(0);
    importing([{ set: { localPref: 250, addCommunities: ['65000:1'] } }]);
    await rack.fibIs(['s1', 's2']);
    for (const { localPref, communities } of await router.rib(VIP4)) {
      expect([localPref, communities]).toEqual([250, [...ATTRIBUTES.communities, '65000:1']]);
    }
    router.reload(spec);
    await until('the communities as they were announced', async () => {
      const routes = await router.rib(VIP4);
      return routes.every(({ communities }) => communities.join() === ATTRIBUTES.communities.join());
    });
    await rack.fibIs(['s1', 's2']);
    const after = await router.peers();
    expect(after.map(({ flaps, state }) => [flaps, state])).toEqual(
      before.map(({ flaps }) => [flaps, 'Established']),
    );
  });

  test('outlives a reset of the session by the speaker', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    const before = await rack.router.peers();
    for (const address of TOR.addresses) await rack.daemon('s1').reset(address);
    await until('the sessions to fall', async () => {
      const flaps = (await rack.router.peers()).map((peer, i) => peer.flaps - before[i]!.flaps);
      return flaps.slice(0, 2).every((count) => count > 0);
    });
    if (daemon === 'gobgp') {
      // it then stays idle for 30 s, whatever its configuration says
      await rack.fibIs(['s2']);
      await rack.daemon('s1').stop();
      await rack.daemon('s1').start();
    }
    await rack.sessionsUp();
    await rack.fibIs(['s1', 's2']);
    const after = await rack.router.peers();
    expect(after.slice(2).map(({ flaps }) => flaps)).toEqual(before.slice(2).map(({ flaps }) => flaps));
  });

  test('loses a killed speaker at once, and has it back when it restarts', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    await rack.daemon('s1').kill();
    await rack.fibIs(['s2']);
    await rack.daemon('s1').start();
    await rack.sessionsUp();
    await rack.fibIs(['s1', 's2']);
  });

  test('loses a speaker that is stopped in order', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    await rack.daemon('s2').stop();
    await rack.fibIs(['s1']);
  });

  test('loses a silent speaker when the hold time has passed, not before', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    await rack.lan.cable('s1', 'down');
    const cut = performance.now();
    await rack.fibIs([], 12_000);
    // the last keepalive came up to a third of the hold time before the cut
    expect(performance.now() - cut).toBeGreaterThan(4_000);
    const lost = (await rack.router.peers()).find(({ address }) => address === addressesOf('s1')[0]);
    expect(lost?.lastError).toBe('nothing heard for 9 s');
  });
});
