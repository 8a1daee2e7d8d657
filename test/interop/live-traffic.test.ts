/**
 * The whole of it: real daemons announce a VIP, `flowfate router` plays a capture through what they announce, and a
 * withdrawal in one of them shows which flows died, at the API and on the page.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterEach, describe, expect, test } from 'vitest';
import type { Listing, LiveFlow, SummaryRecord } from '../../src/live/web/api-records.js';
import type { Daemon } from '../support/daemons/daemon.js';
import { lacks, makeDaemon } from '../support/daemons.js';
import { askApi, lacksBuild, startFlowfate } from '../support/flowfate-process.js';
import { type HostProcess, Lan } from '../support/netns.js';
import { until } from '../support/wait.js';

const VIP = '203.0.113.10/32';
const CHROMIUM = '/usr/bin/chromium';
const CAPTURES = join(import.meta.dirname, '..', '..', 'captures');
/** the AS of the router, and the addresses of the scenario's nodes, which BIRD stands for */
const ROUTER = { address: '10.0.0.254', asn: 64500 };
const NODES = [1, 2, 3].map((n) => ({ name: `n${n}`, address: `10.0.0.${n}`, asn: 64600 + n }));

const CONFIG = `
apiVersion: flowfate.dev/v1
kind: Router
spec:
  asn: ${ROUTER.asn}
  routerId: ${ROUTER.address}
  listen: ${ROUTER.address}:179
  http: 127.0.0.1:8179
  acceptAny: true
  ecmp: { hash: linux-l4, seed: 1592639710, select: hash-threshold, order: address }
`;

let lan: Lan | null = null;
afterEach(async () => {
  await lan?.close();
  lan = null;
});

interface Scene {
  readonly lan: Lan;
  readonly router: HostProcess;
  readonly speakers: readonly Daemon[];
  summary(): Promise<SummaryRecord>;
}

/** Three BIRDs announce the VIP to our router, which plays the shipped capture over and over. */
async function scene(args: readonly string[]): Promise<Scene> {
  const hosts = [{ name: 'tor', address: ROUTER.address }, ...NODES];
  const made = await Lan.create(hosts.map(({ name, address }) => ({ name, addresses: [`${address}/24`] })));
  lan = made;
  const tor = made.host('tor');
  const capture = ['--capture', join(CAPTURES, 'cluster-withdraw.pcap.gz'), '--loop'];
  const router = await startFlowfate(tor, 'router', CONFIG, [...capture, ...args]);
  const speakers = NODES.map(({ name, address, asn }) => {
    const peers = [{ address: ROUTER.address, asn: ROUTER.asn, localAddress: address }];
    return makeDaemon('bird', made.host(name), {
      asn,
      routerId: address,
      peers,
      announces: [{ prefix: VIP }],
    });
  });
  for (const speaker of speakers) await speaker.start();
  const summary = (): Promise<SummaryRecord> => askApi(tor, '/api/v1/summary');
  await until('the VIP with three next hops', async () => {
    return (await summary()).vips.some(
      ({ vip, route }) => vip === '203.0.113.10' && route?.nextHops.length === 3,
    );
  });
  return { lan: made, router, speakers, summary };
}

describe('live traffic through real daemons', () => {
  const lack = lacks('bird') ?? lacksBuild;

  test('a withdrawal shows at once which flows it moved, and then which ones died of it', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    const {
      lan: net,
      router,
      speakers,
      summary,
    } = await scene(['--scenario', join(CAPTURES, 'cluster-withdraw.yaml')]);
    await until('flows', async () => (await summary()).traffic!.flowsActive > 20, { timeoutMs: 20_000 });
    const before = await summary();
    expect(before.peers.map(({ address, state, accepted }) => [address, state, accepted])).toEqual(
      expect.arrayContaining(NODES.map(({ address }) => [address, 'Established', 1])),
    );
    expect(before.vips[0]!.route!.nextHops.map(({ nextHop, node }) => [nextHop, node])).toEqual(
      NODES.map(({ address, name }) => [address, name]),
    );
    await speakers[1]!.withdraw(VIP);
    const event = await until('the event', async () => {
      return (await summary()).events.find(
        ({ kind, peer }) => kind === 'withdraw' && peer?.startsWith('10.0.0.2'),
      );
    });
    expect(event.detail).toContain(`withdrew ${VIP}: next hops became 10.0.0.1, 10.0.0.3`);
    expect(event.flowsActive).toBeGreaterThan(20);
    expect(event.flowsMoved).toBeGreaterThan(0);
    const broken = await until('broken flows', async () => {
      const now = (await summary()).events.find(({ id }) => id === event.id)!;
      return now.flowsBroken > 0 && now;
    });
    expect(broken.flowsBroken).toBeLessThanOrEqual(broken.flowsMoved);
    const flows = await askApi<Listing<LiveFlow>>(net.host('tor'), `/api/v1/flows?event=${event.id}`);
    for (const flow of flows.rows) {
      expect(flow).toMatchObject({
        dst: '203.0.113.10',
        dstPort: 80,
        cause: { event: event.id, reason: 'ecmp-rehash' },
      });
      const nodes = flow.path.map(({ node }) => node);
      expect(nodes.length).toBeGreaterThan(1);
    }
    await until('a line that tells it', () => router.log().includes(`${event.id}: flows `));
    // a daemon that dies is another event, and a new one
    await speakers[2]!.kill();
    await until('one next hop', async () => {
      return (await summary()).vips.find(({ vip }) => vip === '203.0.113.10')?.route?.nextHops.length === 1;
    });
    await until('both events of a lost session', async () => {
      const kinds = (await summary()).events.map(({ kind }) => kind);
      return kinds.includes('session-lost') && kinds.includes('session-down');
    });
    expect(await router.stop()).toBe(0);
  });

  test('without a scenario next hops are nodes; the page shows the withdrawal to whoever looks at it', async (ctx) => {
    if (lack !== null) ctx.skip(lack);
    if (!existsSync(CHROMIUM)) ctx.skip(`this needs Chromium at ${CHROMIUM}`);
    const { lan: net, speakers, summary } = await scene(['--speed', '3']);
    // a browser inside the router's namespace
    const inside = join(net.dir, 'chromium');
    writeFileSync(inside, `#!/bin/sh\nexec ip netns exec ${net.host('tor').namespace} ${CHROMIUM} "$@"\n`, {
      mode: 0o755,
    });
    const browser = await chromium.launch({ executablePath: inside, args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage();
      await page.goto('http://127.0.0.1:8179/');
      await page.locator('.hops .who').nth(2).waitFor();
      expect(await page.locator('.hops .who').allInnerTexts()).toEqual(NODES.map(({ address }) => address));
      await until('flows', async () => (await summary()).traffic!.flowsActive > 20, { timeoutMs: 20_000 });
      await speakers[0]!.withdraw(VIP);
      const event = page.locator('.events > li', { hasText: `withdrew ${VIP}` }).first();
      await event.waitFor({ timeout: 5000 });
      await expect.poll(() => page.locator('.hops .who').count()).toBe(2);
      await event.locator('.impact .bad').waitFor({ timeout: 20_000 });
    } finally {
      await browser.close();
    }
  });
});
