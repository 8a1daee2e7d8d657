import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LiveService } from '../../src/live/live-service.js';
import { liveApi } from '../../src/live/web/http-api.js';
import { serveHttp } from '../../src/live/web/http-server.js';
import { loadPage } from '../../src/live/web/page-asset.js';
import { hop, type LiveWorldOnAir, liveWorldOnAir, ROUTE, ROUTE6 } from '../support/live-world.js';

const CHROMIUM = '/usr/bin/chromium';
const missing = existsSync(CHROMIUM) ? null : `this needs Chromium at ${CHROMIUM}`;

describe('the page in a real browser', () => {
  let browser: Browser;
  let world: LiveWorldOnAir;
  beforeEach((ctx) => {
    if (missing !== null) ctx.skip(missing);
  });
  beforeAll(async () => {
    if (missing !== null) return;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    world = await liveWorldOnAir({ select: 'resilient', buckets: 32, idleTimerS: 5 }, 800);
    for (let n = 1; n <= 3; n++) world.router.peer(`10.0.0.${n}`, 64600 + n, 'Established', world.nowMs());
    world.route(ROUTE, [0, 1, 2].map(hop));
    world.route(ROUTE6, [hop(0)]);
    world.wait(6);
  });
  afterAll(async () => {
    await browser?.close();
    await world?.close();
  });

  /** An open page, and everything that it complained of or asked another host for. */
  async function open(options: BrowserContextOptions = {}): Promise<{ page: Page; faults: string[] }> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(world.server.url) && !url.startsWith('data:')) faults.push(`request to ${url}`);
    });
    await page.goto(world.server.url);
    await page.locator('.vip').first().waitFor();
    return { page, faults };
  }

  test('shows peers, VIPs, buckets and events, with no fault and no request to anybody else', async () => {
    const { page, faults } = await open();
    expect(await page.locator('.peers tbody tr').allInnerTexts()).toEqual(
      [1, 2, 3].map((n) =>
        expect.stringMatching(new RegExp(`10\\.0\\.0\\.${n}[^]*AS 6460${n}[^]*Established`)),
      ),
    );
    expect(await page.locator('.vip h3').allInnerTexts()).toEqual(['203.0.113.10', '2001:db8:113::10']);
    const strip = page.locator('.vip').first().locator('svg.strip');
    expect(await strip.getAttribute('aria-label')).toMatch(
      /^203\.0\.113\.10: 32 buckets: n1 3\d %, n2 3\d %, n3 3\d %$/,
    );
    expect(
      new Set(
        await strip.locator('rect').evaluateAll((all) => all.map((r) => String(r.getAttribute('class')))),
      ).size,
    ).toBe(3);
    expect(await page.locator('.hops').first().locator('.mark').allInnerTexts()).toEqual(['A', 'B', 'C']);
    expect(await page.locator('.events > li').count()).toBe(5);
    expect(await page.locator('.chart canvas').count()).toBe(1);
    expect(await page.getByRole('status').first().textContent()).toContain('live');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('shows a changed route at once, with the flows that it broke, which can be looked at', async () => {
    const { page, faults } = await open();
    world.route(ROUTE, [0, 2].map(hop));
    const event = page.locator('.events > li').first();
    world.wait(0.1);
    await event.getByText(`10.0.0.1 withdrew ${ROUTE}: next hops became 10.0.0.1, 10.0.0.3`).waitFor();
    world.wait(3);
    const impact = event.locator('.impact .bad b');
    await impact.waitFor();
    const { flowsBroken } = world.service.book.newest(1)[0]!;
    expect(flowsBroken).toBeGreaterThan(0);
    await expect.poll(() => impact.textContent()).toBe(String(flowsBroken));
    await expect.poll(() => page.locator('.hops').first().locator('.who').allInnerTexts()).toHaveLength(2);
    // the live region says it to whoever cannot see it
    expect(await page.locator('[aria-live=polite]').textContent()).toMatch(
      /^e6: 10\.0\.0\.1 withdrew .*; \d+ flows? broke$/,
    );
    await event.locator('button').first().click();
    const victim = event.locator('.flows > li').first();
    await victim.locator('button').click();
    await victim.locator('ol').waitFor();
    expect(await victim.locator('ol').textContent()).toContain('(e6)');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('shows a session that ends, and a VIP that has no route left', async () => {
    const { page } = await open();
    world.router.peer('10.0.0.2', 64602, 'Idle', world.nowMs(), 'hold timer expired');
    world.route(ROUTE6, []);
    world.wait(0.2);
    await page.locator('.peers tr', { hasText: '10.0.0.2' }).getByText('hold timer expired').waitFor();
    await page.getByText('No route: whatever is sent to it is refused.').waitFor();
    await page.getByText('session with 10.0.0.2 (AS 64602) is down: hold timer expired').first().waitFor();
    expect(await page.locator('#peers-title').textContent()).toContain('2 of 3 up');
    await page.context().close();
  });

  test('lets the keyboard reach every control, in the order of the page', async () => {
    const { page } = await open();
    const controls = await page.locator('a[href], button, input').count();
    const reached = new Set<string>();
    let lastTop = Number.NEGATIVE_INFINITY;
    let backwards = 0;
    for (let i = 0; i < controls + 20 && reached.size < controls; i++) {
      await page.keyboard.press('Tab');
      const at = (await page.evaluate(`(() => {
        const all = [...document.querySelectorAll('a[href], button, input')];
        const box = document.activeElement.getBoundingClientRect();
        const column = document.activeElement.closest('.stack, .flows, .columns > *');
        return { index: all.indexOf(document.activeElement), top: box.top + scrollY, column: [...document.querySelectorAll('.columns > *')].indexOf(column) };
      })()`)) as { index: number; top: number; column: number };
      if (at.index < 0) continue;
      reached.add(String(at.index));
      if (at.column < 0 && at.top < lastTop) backwards++;
      lastTop = at.top;
    }
    expect(reached.size).toBe(controls);
    expect(backwards).toBe(0);
    // and work without a mouse: a range, a fate, an event, a prefix
    await page.getByRole('button', { name: '15 min' }).focus();
    await page.keyboard.press('Enter');
    expect(await page.getByRole('button', { name: '15 min' }).getAttribute('aria-pressed')).toBe('true');
    await page.locator('.events button').first().focus();
    await page.keyboard.press('Space');
    expect(await page.locator('.events button').first().getAttribute('aria-expanded')).toBe('true');
    await page.getByLabel('prefix').focus();
    await page.keyboard.type('203.0.113.0/33');
    await page.keyboard.press('Enter');
    await page.getByText('"203.0.113.0/33" is no prefix').waitFor();
    await page.context().close();
  });

  test.each(['light', 'dark'] as const)(
    'needs no sideways scrolling at 360 pixels (%s)',
    async (colorScheme) => {
      const { page, faults } = await open({ viewport: { width: 360, height: 740 }, colorScheme });
      await page.locator('.events button').first().click();
      const wider = (await page.evaluate(`[...document.querySelectorAll('main, main *')]
      .filter((e) => e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX) || e.getBoundingClientRect().right > 361)
      .map((e) => e.tagName + '.' + e.getAttribute('class'))`)) as string[];
      expect(wider).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      expect(faults).toEqual([]);
      await page.context().close();
    },
  );

  test('moves nothing for whoever wants less motion', async () => {
    const { page } = await open({ reducedMotion: 'reduce' });
    const moving = await page.evaluate(`[...document.querySelectorAll('*')]
      .filter((e) => getComputedStyle(e).animationName !== 'none' || getComputedStyle(e).transitionProperty !== 'none' && getComputedStyle(e).transitionDuration !== '0s').length`);
    expect(moving).toBe(0);
    await page.context().close();
  });

  test('shows the FIB of a router through which no traffic runs', async () => {
    const bare = new LiveService(world.router, null, '0.0.0', () => world.nowMs());
    bare.start();
    const server = await serveHttp(liveApi(bare, loadPage()), '127.0.0.1', 0);
    const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
    await page.goto(server.url);
    await page.getByRole('heading', { name: ROUTE }).waitFor();
    expect(await page.locator('.hops .mark').count()).toBeGreaterThan(1);
    expect(await page.locator('.totals, .chart').count()).toBe(0);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await page.close();
    bare.stop();
    await server.close();
  });

  test('says when it is disconnected, and catches up when the router is there again', async () => {
    const { page } = await open();
    const port = Number(new URL(world.server.url).port);
    await world.server.close();
    await page.getByText('disconnected').waitFor();
    world.route(ROUTE, [0, 1, 2, 3].map(hop));
    world.wait(1);
    const again = await serveHttp(liveApi(world.service, loadPage()), '127.0.0.1', port);
    await page.locator('.link.live').waitFor({ timeout: 20_000 });
    await expect.poll(() => page.locator('.hops').first().locator('.who').allInnerTexts()).toHaveLength(4);
    await page.context().close();
    await again.close();
  });
});
