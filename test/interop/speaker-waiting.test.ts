/**
 * `flowfate speaker` that waits for its routers: each daemon connects to it, asks again for everything, keeps its VIPs
 * while it is away (graceful restart), and has them fresh when it is back.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { DAEMONS, lacks, makeDaemon } from '../support/daemons.js';
import { lacksBuild, startFlowfate } from '../support/flowfate-process.js';
import { Lan } from '../support/netns.js';
import { ATTRIBUTES, addressesOf, SPEAKER_ASN, TOR, VIP4, VIP6 } from '../support/top-of-rack.js';
import { until } from '../support/wait.js';

/** GoBGP's softresetin looks at what it holds and sends no ROUTE-REFRESH */
const ASKS_NOTHING: readonly string[] = ['gobgp'];
/** ExaBGP has no RIB in which anything could become stale */
const KEEPS_NOTHING: readonly string[] = ['exabgp'];

const OWN = addressesOf('s1');
const { med, communities, largeCommunities } = ATTRIBUTES;

const SPEAKER = stringify({
  apiVersion: 'flowfate.dev/v1',
  kind: 'Speaker',
  spec: {
    asn: SPEAKER_ASN,
    routerId: OWN[0],
    listen: [`${OWN[0]}:179`, `[${OWN[1]}]:179`],
    peers: TOR.addresses.map((address, i) => ({
      ...{ address, asn: TOR.asn, localAddress: OWN[i], passive: true, holdTime: '9s' },
      ...{ families: i === 0 ? 'ipv4-unicast' : 'ipv6-unicast', gracefulRestart: '60s' },
    })),
    vips: [VIP4, VIP6].map((prefix) => ({ prefix, med, communities, largeCommunities })),
  },
});

let lan: Lan | null = null;
afterEach(async () => {
  await lan?.close();
  lan = null;
});

describe.each(DAEMONS)('the speaker, waiting for %s', (daemon) => {
  test('announces both VIPs with all attributes, again when asked, and is waited for when it is killed', async (ctx) => {
    const lack = lacksBuild ?? lacks(daemon);
    if (lack !== null) ctx.skip(lack);
    lan = await Lan.create([
      { name: 'tor', addresses: TOR.addresses.map((address, i) => `${address}/${i === 0 ? 24 : 64}`) },
      { name: 's1', addresses: OWN.map((address, i) => `${address}/${i === 0 ? 24 : 64}`) },
    ]);
    const speaker = await startFlowfate(lan.host('s1'), 'speaker', SPEAKER);
    const router = makeDaemon(daemon, lan.host('tor'), {
      ...{ asn: TOR.asn, routerId: TOR.addresses[0] },
      peers: TOR.addresses.map((localAddress, i) => ({
        ...{ localAddress, address: OWN[i]!, asn: SPEAKER_ASN, gracefulRestartS: 60 },
      })),
    });
    await router.start();
    const states = async (): Promise<string> =>
      (await router.rib())
        .map(({ prefix, stale }) => `${prefix} ${stale ? 'stale' : 'fresh'}`)
        .toSorted()
        .join(', ');
    const fresh = `${VIP4} fresh, ${VIP6} fresh`;
    // FRR doubles the time between its attempts to connect, up to a minute
    const patience = { timeoutMs: 90_000, seen: states };
    await until('both VIPs', async () => (await states()) === fresh, patience);
    for (const [family, prefix] of [VIP4, VIP6].entries()) {
      expect((await router.rib()).find((route) => route.prefix === prefix)).toEqual({
        ...{ prefix, from: OWN[family], nextHop: OWN[family], origin: 'igp', asPath: [SPEAKER_ASN] },
        ...{ med, communities, largeCommunities, routeTargets: [], stale: false },
      });
    }

    if (!ASKS_NOTHING.includes(daemon)) {
      for (const address of OWN) await router.refresh(address);
      await until(
        'both requests',
        () => (speaker.log().match(/asks for all \S+ routes again/g) ?? []).length === 2,
      );
      await until('both VIPs still', async () => (await states()) === fresh, patience);
    }

    await speaker.kill();
    await until('the sessions to fall', async () => (await router.established()).size === 0, patience);
    const kept = (await router.rib()).map(({ prefix }) => prefix).toSorted();
    expect(kept).toEqual(KEEPS_NOTHING.includes(daemon) ? [] : [VIP4, VIP6]);
    const second = await startFlowfate(lan.host('s1'), 'speaker', SPEAKER, ['--restarted']);
    await until('both sessions', async () => (await router.established()).size === 2, patience);
    await until('both VIPs, fresh', async () => (await states()) === fresh, patience);

    expect(await second.stop()).toBe(0);
    await until('an empty table', async () => (await router.rib()).length === 0, patience);
  }, 240_000);
});
