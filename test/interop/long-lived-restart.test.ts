/**
 * Long-lived graceful restart (RFC 9494) between `flowfate router` and BIRD: routes of a speaker that crashed are stale
 * for its restart time, then the last choice for its long-lived time, then gone; and fresh again when it is back.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RouteRecord } from '../../src/live/web/api-records.js';
import { lacks } from '../support/daemons.js';
import { lacksBuild } from '../support/flowfate-process.js';
import { addressesOf, Rack, VIP4, VIP6 } from '../support/top-of-rack.js';
import { until } from '../support/wait.js';

const RESTART_S = 2;
const LONG_LIVED_S = 30;
const LLGR_STALE = '65535:6';
const TEST_MS = 150_000;

const lack = lacksBuild ?? lacks('bird');
const graceful = { gracefulRestart: `${RESTART_S}s` };
const longLived = { ...graceful, longLivedGracefulRestart: '1h' };
const extra = `long lived graceful restart yes; long lived stale time ${LONG_LIVED_S};`;
const speakerPeer = { gracefulRestartS: RESTART_S, extra };

function stateOf(route: RouteRecord | undefined): string {
  if (route === undefined) return 'gone';
  return route.longLivedStale ? 'long-lived stale' : route.stale ? 'stale' : 'fresh';
}

let rack: Rack;

/** Until the routes of `s1` to both VIPs are in this state. */
async function routesAre(state: string, timeoutMs = 40_000): Promise<void> {
  const states = async (): Promise<string[]> => {
    const ofPrefix = async (prefix: string, family: number) =>
      (await rack.router.rib(prefix)).find(({ nextHop }) => nextHop === addressesOf('s1')[family]);
    return [stateOf(await ofPrefix(VIP4, 0)), stateOf(await ofPrefix(VIP6, 1))];
  };
  await until(
    `the routes of s1 to be ${state}`,
    async () => (await states()).every((found) => found === state),
    { timeoutMs, seen: async () => ({ states: await states(), peers: await rack.router.peers() }) },
  );
}

/** What the collector has of both VIPs: `marked` with LLGR_STALE, or `plain`. */
async function collectorHas(wanted: 'marked' | 'plain' | 'nothing'): Promise<void> {
  const seen = () => rack.daemon('col').rib();
  await until(
    `the collector to have ${wanted}`,
    async () => {
      const entries = await seen();
      const marks = entries.map(({ communities }) => (communities.includes(LLGR_STALE) ? 'marked' : 'plain'));
      return wanted === 'nothing' ? marks.length === 0 : marks.join() === `${wanted},${wanted}`;
    },
    { timeoutMs: 20_000, seen },
  );
}

describe('long-lived graceful restart of BIRD, with another speaker and a collector that knows it', () => {
  beforeAll(async () => {
    if (lack !== null) return;
    rack = await Rack.create(['bird', 'bird'], {
      ours: 'passive',
      routerPeer: longLived,
      speakerPeer,
      collector: { daemon: 'bird', peer: speakerPeer },
    });
    await rack.sessionsUp();
    await rack.fibIs(['s1', 's2']);
  });
  afterAll(async () => {
    await rack?.close();
  });

  test(
    'its routes are stale, then give way to the other speaker’s, and are fresh when it is back',
    async (ctx) => {
      if (lack !== null) ctx.skip(lack);
      await rack.daemon('s1').kill();
      await routesAre('stale', 10_000);
      await routesAre('long-lived stale');
      await rack.fibIs(['s2']);
      await collectorHas('plain');
      await rack.daemon('s1').start();
      await rack.sessionsUp();
      await routesAre('fresh');
      await rack.fibIs(['s1', 's2']);
    },
    TEST_MS,
  );

  test(
    'they are used, and passed on as what they are, where there is nothing else; then they are gone',
    async (ctx) => {
      if (lack !== null) ctx.skip(lack);
      for (const prefix of [VIP4, VIP6]) await rack.daemon('s2').withdraw(prefix);
      await rack.fibIs(['s1']);
      const killed = performance.now();
      await rack.daemon('s1').kill();
      await routesAre('long-lived stale');
      await rack.fibIs(['s1']);
      await collectorHas('marked');
      await routesAre('gone', (RESTART_S + LONG_LIVED_S + 30) * 1000);
      expect(performance.now() - killed).toBeGreaterThan((RESTART_S + LONG_LIVED_S - 1) * 1000);
      await rack.fibIs([]);
      await collectorHas('nothing');
      await rack.daemon('s1').start();
      await rack.sessionsUp();
      await routesAre('fresh');
      await collectorHas('plain');
    },
    TEST_MS,
  );
});

describe('a collector that does not know long-lived graceful restart', () => {
  afterAll(async () => {
    await rack?.close();
  });

  test(
    'keeps stale routes, and loses those that are long-lived stale until they are fresh',
    async (ctx) => {
      if (lack !== null) ctx.skip(lack);
      rack = await Rack.create(['bird'], {
        ours: 'passive',
        routerPeer: longLived,
        speakerPeer,
        collector: {
          daemon: 'bird',
          peer: { gracefulRestartS: 60, extra: 'long lived graceful restart off;' },
        },
      });
      await rack.sessionsUp();
      await rack.fibIs(['s1']);
      await collectorHas('plain');
      await rack.daemon('s1').kill();
      await routesAre('long-lived stale');
      await rack.fibIs(['s1']);
      await collectorHas('nothing');
      await rack.daemon('s1').start();
      await rack.sessionsUp();
      await collectorHas('plain');
      await routesAre('fresh');
    },
    TEST_MS,
  );
});
