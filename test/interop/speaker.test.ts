/**
 * `flowfate speaker` before each real daemon as its router: both families with all attributes, commands over the
 * control socket, a configuration read anew, and an end that leaves nothing behind.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Daemon, DaemonPeer, RibEntry } from '../support/daemons/daemon.js';
import { DAEMONS, lacks, makeDaemon } from '../support/daemons.js';
import { flowfateProgram, lacksBuild, startFlowfate } from '../support/flowfate-process.js';
import { type HostProcess, Lan } from '../support/netns.js';
import { until } from '../support/wait.js';

const ROUTER = { asn: 4_200_000_001, addresses: ['10.88.0.1', 'fd88::1'] } as const;
const NODE = { asn: 64_512, addresses: ['10.88.0.2', 'fd88::2'] } as const;
const VIPS = ['198.51.100.10/32', '2001:db8:100::10/128'] as const;

interface SpeakerPlan {
  readonly asn?: number;
  readonly routerAsn?: number;
  readonly peerLines?: string;
  readonly vips?: readonly string[];
}

function speakerYaml({
  asn = NODE.asn,
  routerAsn = ROUTER.asn,
  peerLines = '',
  vips = VIPS,
}: SpeakerPlan): string {
  const peers = ROUTER.addresses.map(
    (address, i) =>
      `    - { address: "${address}", asn: ${routerAsn}, localAddress: "${NODE.addresses[i]}", families: ipv${i === 0 ? 4 : 6}-unicast, connectRetry: 1s, holdTime: 9s${peerLines} }`,
  );
  const announced = vips.map(
    (prefix) =>
      `    - { prefix: "${prefix}", med: 50, localPref: 200, communities: ["64512:100", "64512:7"], largeCommunities: ["4200000064:1:2"] }`,
  );
  return [
    'apiVersion: flowfate.dev/v1',
    'kind: Speaker',
    'spec:',
    `  asn: ${asn}`,
    '  routerId: 10.88.0.2',
    '  peers:',
    ...peers,
    `  vips:${announced.length === 0 ? ' []' : ''}`,
    ...announced,
    '',
  ].join('\n');
}

let lan: Lan | null = null;
afterEach(async () => {
  await lan?.close();
  lan = null;
});

async function newLan(): Promise<Lan> {
  return Lan.create([
    { name: 'left', addresses: ['10.88.0.1/24', 'fd88::1/64'] },
    { name: 'right', addresses: ['10.88.0.2/24', 'fd88::2/64'] },
  ]);
}

async function startRouter(
  name: (typeof DAEMONS)[number],
  speakerAsn: number,
  change: Partial<DaemonPeer> = {},
): Promise<Daemon> {
  const peers = NODE.addresses.map((address, i) => ({
    ...{ address, asn: speakerAsn, localAddress: ROUTER.addresses[i]!, passive: true },
    ...change,
  }));
  const router = makeDaemon(name, lan!.host('left'), {
    ...{ asn: ROUTER.asn, routerId: ROUTER.addresses[0], peers },
  });
  await router.start();
  return router;
}

const tell = (...words: readonly string[]): Promise<string> =>
  lan!
    .host('right')
    .exec(
      process.execPath,
      flowfateProgram,
      'speaker',
      ...words,
      '--config',
      join(lan!.dir, 'right-speaker.yaml'),
    );

/** FRR and OpenBGPD print a name */
const isDraining = ({ communities }: RibEntry): boolean =>
  communities.some((community) => /^(65535:0|graceful.?shutdown)$/i.test(community));
const prefixesOf = (rib: readonly RibEntry[]): string[] => rib.map(({ prefix }) => prefix).sort();
const byLength = (rib: readonly RibEntry[]): RibEntry[] =>
  rib.toSorted((a, b) => a.prefix.length - b.prefix.length);

describe.each(DAEMONS)('before %s as router', (name) => {
  test('the speaker’s VIPs stand there with all attributes; commands, SIGHUP and SIGTERM show at once', async (ctx) => {
    const lack = lacks(name) ?? lacksBuild;
    if (lack !== null) ctx.skip(lack);
    lan = await newLan();
    const router = await startRouter(name, NODE.asn);
    const speaker = await startFlowfate(lan.host('right'), 'speaker', speakerYaml({}));
    const table = await until(
      'both VIPs',
      async () => {
        const rib = await router.rib();
        return rib.length === 2 && rib;
      },
      { timeoutMs: 30_000, seen: () => `${speaker.log()}\n${router.log().slice(-2000)}` },
    );
    expect(byLength(table)).toEqual(
      VIPS.map((prefix, i) => ({
        ...{ prefix, from: NODE.addresses[i], nextHop: NODE.addresses[i], origin: 'igp', med: 50 },
        ...{ asPath: [NODE.asn], communities: ['64512:100', '64512:7'], stale: false },
        ...{ largeCommunities: ['4200000064:1:2'], routeTargets: [] },
      })),
    );
    await checkCommands(router);
    writeFileSync(
      join(lan.dir, 'right-speaker.yaml'),
      speakerYaml({ vips: [VIPS[1], '198.51.100.11/32', '198.51.100.12/32'] }),
    );
    speaker.signal('SIGHUP');
    await until('the VIPs of the new configuration', async () => {
      const prefixes = prefixesOf(await router.rib());
      return prefixes.join() === ['198.51.100.11/32', '198.51.100.12/32', VIPS[1]].join();
    });
    expect(await router.established()).toEqual(new Set(NODE.addresses));
    expect(await speaker.stop()).toBe(0);
    await until('an empty table', async () => (await router.rib()).length === 0);
  });
});

async function checkCommands(router: Daemon): Promise<void> {
  expect(await tell('withdraw', '198.51.100.10')).toBe('vip 198.51.100.10/32  withdrawn\n');
  await until('one VIP less', async () => prefixesOf(await router.rib()).join() === VIPS[1]);
  await tell('announce', '198.51.100.10/32');
  await until('the VIP again', async () => (await router.rib()).length === 2);
  await tell('drain', 'all');
  await until('GRACEFUL_SHUTDOWN on both', async () => {
    const rib = await router.rib();
    return rib.length === 2 && rib.every(isDraining);
  });
  await tell('undrain', VIPS[0]);
  await until('GRACEFUL_SHUTDOWN on one', async () => {
    const drained = (await router.rib()).filter(isDraining);
    return prefixesOf(drained).join() === VIPS[1];
  });
}

describe('before BIRD', () => {
  test('an iBGP speaker sends LOCAL_PREF and no AS of its own, and 0 while it drains', async (ctx) => {
    const lack = lacks('bird') ?? lacksBuild;
    if (lack !== null) ctx.skip(lack);
    lan = await newLan();
    const router = await startRouter('bird', ROUTER.asn);
    await startFlowfate(lan.host('right'), 'speaker', speakerYaml({ asn: ROUTER.asn }));
    const birdSays = (): Promise<string> =>
      lan!.host('left').exec('birdc', '-s', join(lan!.dir, 'left-bird.ctl'), 'show', 'route', 'all');
    await until('both VIPs', async () => (await router.rib()).length === 2, { timeoutMs: 30_000 });
    expect((await birdSays()).match(/BGP.local_pref: \d+/g)).toEqual(Array(2).fill('BGP.local_pref: 200'));
    expect((await router.rib()).map(({ asPath }) => asPath)).toEqual([[], []]);
    await tell('drain', 'all');
    await until(
      'the least preference',
      async () => (await birdSays()).match(/local_pref: 0\b/g)?.length === 2,
    );
  });

  test('nothing stays behind at a router with graceful restart when the speaker is told to end', async (ctx) => {
    const lack = lacks('bird') ?? lacksBuild;
    if (lack !== null) ctx.skip(lack);
    lan = await newLan();
    const router = await startRouter('bird', NODE.asn, { gracefulRestartS: 60 });
    const plan = speakerYaml({ peerLines: ', gracefulRestart: 60s' });
    const first = await startFlowfate(lan.host('right'), 'speaker', plan);
    const both = async (): Promise<boolean> =>
      (await router.rib()).filter(({ stale }) => !stale).length === 2;
    await until('both VIPs', both, { timeoutMs: 30_000 });
    // killed, it is waited for; ended, it has taken back what it said
    await first.kill();
    await until('the sessions’ end', async () => (await router.established()).size === 0);
    expect(prefixesOf(await router.rib())).toEqual([...VIPS]);
    const second: HostProcess = await startFlowfate(lan.host('right'), 'speaker', plan, ['--restarted']);
    await until('both VIPs, fresh', both, { timeoutMs: 30_000 });
    expect(await second.stop()).toBe(0);
    await until('an empty table', async () => (await router.rib()).length === 0);
  });

  test('a speaker that does not come back in its restart time stays the last choice (RFC 9494), until it is back', async (ctx) => {
    const lack = lacks('bird') ?? lacksBuild;
    if (lack !== null) ctx.skip(lack);
    lan = await newLan();
    const extra = 'long lived graceful restart yes; long lived stale time 3600;';
    const router = await startRouter('bird', NODE.asn, { gracefulRestartS: 60, extra });
    const plan = speakerYaml({ peerLines: ', gracefulRestart: 2s, longLivedGracefulRestart: 10m' });
    const first = await startFlowfate(lan.host('right'), 'speaker', plan);
    const isMarked = ({ communities }: RibEntry): boolean => communities.includes('65535:6');
    const marked = async (): Promise<boolean[]> => (await router.rib()).map(isMarked);
    await until('both VIPs', async () => (await marked()).join() === 'false,false', { timeoutMs: 30_000 });
    await first.kill();
    await until('both, marked with LLGR_STALE', async () => (await marked()).join() === 'true,true');
    await startFlowfate(lan.host('right'), 'speaker', plan, ['--restarted']);
    await until('both, fresh', async () => (await marked()).join() === 'false,false', { timeoutMs: 30_000 });
  });

  test('a route refresh brings everything again', async (ctx) => {
    const lack = lacks('bird') ?? lacksBuild;
    if (lack !== null) ctx.skip(lack);
    lan = await newLan();
    const router = await startRouter('bird', NODE.asn);
    const speaker = await startFlowfate(lan.host('right'), 'speaker', speakerYaml({}));
    await until('both VIPs', async () => (await router.rib()).length === 2, { timeoutMs: 30_000 });
    await router.refresh(NODE.addresses[0]);
    await until('the request', () => speaker.log().includes('asks for all ipv4-unicast routes again'));
    await until(
      'the second announcement',
      () => speaker.log().match(/198.51.100.10\/32 announced/g)?.length === 2,
    );
    expect(await router.rib()).toHaveLength(2);
  });
});
