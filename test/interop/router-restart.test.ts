/**
 * Graceful restart (RFC 4724, 8538) between `flowfate router` and each daemon: routes of a speaker that crashed stay, as
 * stale, until it is back or its time is over; a hard reset keeps nothing; our own restart keeps the speakers' view.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DAEMONS, lacks } from '../support/daemons.js';
import { lacksBuild } from '../support/flowfate-process.js';
import { addressesOf, Rack, TOR, VIP4, VIP6 } from '../support/top-of-rack.js';
import { until } from '../support/wait.js';

const RESTART_S = 8;
/** GR of these daemons in these versions covers only the receiving side: they announce no forwarding state of their own */
const HELPERS_ONLY: readonly string[] = ['openbgpd'];

describe.each(DAEMONS)('graceful restart of %s', (daemon) => {
  const lack = lacksBuild ?? lacks('bird', daemon);
  let rack: Rack;

  beforeAll(async () => {
    if (lack !== null) return;
    rack = await Rack.create([daemon, daemon], {
      ours: 'passive',
      routerPeer: { gracefulRestart: `${RESTART_S}s` },
      speakerPeer: { gracefulRestartS: RESTART_S },
    });
    await rack.sessionsUp();
    await rack.fibIs(['s1', 's2']);
  });
  afterAll(async () => {
    await rack?.close();
  });

  const staleOf = async (prefix: string, family: 0 | 1): Promise<boolean | undefined> =>
    (await rack.router.rib(prefix)).find(({ nextHop }) => nextHop === addressesOf('s1')[family])?.stale;

  test('a crashed speaker’s routes stay in use as stale, and are fresh again when it is back', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    await rack.daemon('s1').kill();
    if (HELPERS_ONLY.includes(daemon)) {
      await rack.fibIs(['s2']);
    } else {
      await until('stale routes', async () => (await staleOf(VIP4, 0)) && (await staleOf(VIP6, 1)));
      await rack.fibIs(['s1', 's2']);
    }
    await rack.daemon('s1').start();
    await rack.sessionsUp();
    await until(
      'fresh routes',
      async () => {
        return (await staleOf(VIP4, 0)) === false && (await staleOf(VIP6, 1)) === false;
      },
      { timeoutMs: 30_000 },
    );
    await rack.fibIs(['s1', 's2']);
  });

  test('a speaker that does not come back is forgotten when its restart time is over', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    const killed = performance.now();
    await rack.daemon('s1').kill();
    await rack.fibIs(['s2'], (RESTART_S + 5) * 1000);
    if (!HELPERS_ONLY.includes(daemon)) {
      expect(performance.now() - killed).toBeGreaterThan((RESTART_S - 1) * 1000);
    }
  });
});

describe('a hard reset (RFC 8538)', () => {
  const lack = lacksBuild ?? lacks('frr');
  let rack: Rack;

  afterAll(async () => {
    await rack?.close();
  });

  test('by FRR keeps nothing, though both restart gracefully and an ordinary NOTIFICATION would keep all', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    rack = await Rack.create(['frr', 'frr'], {
      ours: 'passive',
      routerPeer: { gracefulRestart: '60s' },
      speakerPeer: { gracefulRestartS: 60 },
    });
    await rack.sessionsUp();
    await rack.fibIs(['s1', 's2']);
    const speaker = rack.daemon('s1');
    for (const address of TOR.addresses) await speaker.reset(address);
    await until('both sessions to fall', async () =>
      (await rack.router.peers()).slice(0, 2).every(({ flaps }) => flaps === 1),
    );
    const why = (await rack.router.peers()).slice(0, 2).map(({ lastError }) => lastError);
    expect(why).toEqual(Array(2).fill(expect.stringMatching(/hard reset/)));
    await until('the loss of both VIPs', async () => {
      const events = (await rack.router.summary()).events.filter(({ kind }) => kind === 'session-lost');
      const lost = events.flatMap(({ changes }) => changes.map(({ prefix }) => prefix));
      return lost.toSorted().join() === [VIP4, VIP6].join();
    });
    await rack.sessionsUp();
    await rack.fibIs(['s1', 's2']);
  });
});

/** ExaBGP has no RIB in which anything could become stale. */
const KEEPERS = DAEMONS.filter((daemon) => daemon !== 'exabgp');

describe.each(KEEPERS)('restart of the router before %s', (daemon) => {
  const lack = lacksBuild ?? lacks('bird', daemon);
  let rack: Rack;

  afterAll(async () => {
    await rack?.close();
  });

  test('its routes stay as stale while it is away, and are fresh when it is back and has heard its speakers', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    const graceful = { gracefulRestart: '30s' };
    rack = await Rack.create(['bird'], {
      ours: 'passive',
      routerPeer: graceful,
      speakerPeer: { gracefulRestartS: 30 },
      collector: { daemon, peer: { gracefulRestartS: 30 } },
    });
    await rack.sessionsUp();
    const collector = rack.daemon('col');
    const states = async (): Promise<string> =>
      (await collector.rib())
        .map(({ prefix, stale }) => `${prefix} ${stale ? 'stale' : 'fresh'}`)
        .toSorted()
        .join(', ');
    const seen = { timeoutMs: 40_000, seen: states };
    const fresh = `${VIP4} fresh, ${VIP6} fresh`;
    await until('both routes', async () => (await states()) === fresh, seen);
    await rack.router.kill();
    await until('the sessions to fall', async () => (await collector.established()).size === 0, seen);
    expect((await collector.rib()).map(({ prefix }) => prefix).toSorted()).toEqual([VIP4, VIP6]);
    await rack.router.start('--restarted');
    await rack.sessionsUp();
    await until('both routes, fresh', async () => (await states()) === fresh, seen);
  });
});
