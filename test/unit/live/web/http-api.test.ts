import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../../../src/addr/address.js';
import { parsePrefix } from '../../../../src/addr/prefix.js';
import { LiveService } from '../../../../src/live/live-service.js';
import type { Listing, LiveFlow, SummaryRecord } from '../../../../src/live/web/api-records.js';
import { liveApi } from '../../../../src/live/web/http-api.js';
import { type HttpServer, serveHttp } from '../../../../src/live/web/http-server.js';
import { pageAsset } from '../../../../src/live/web/page-asset.js';
import { MadeRouter } from '../../../support/made-router.js';
import { Dice, randomIndex } from '../../../support/random-world.js';
import { nodeAddress, smallCluster, VIP } from '../../../support/small-cluster.js';

const ROUTE = `${formatAddress(VIP)}/32`;
const PAGE = pageAsset('<!doctype html><style>p{}</style><script>let x</script>');
const hop = (node: number): string => formatAddress(nodeAddress(node + 1));

function made(traffic: 'traffic' | 'no traffic' = 'traffic') {
  const router = new MadeRouter();
  let nowMs = 2_000_000;
  const settings = {
    index: randomIndex(new Dice(7), 300),
    model: smallCluster({ service: { vips: [VIP] } }),
    made: false,
    speed: 1,
    loop: true,
  };
  const service = new LiveService(router, traffic === 'traffic' ? settings : null, '1.2.3', () => nowMs);
  service.start();
  const app = liveApi(service, PAGE);
  const wait = (s: number): void => {
    for (const endMs = nowMs + s * 1000; nowMs < endMs; ) {
      nowMs += 50;
      service.tick();
      if (nowMs % 1000 === 0) service.second();
    }
  };
  const get = async <T>(path: string, headers: Record<string, string> = {}) => {
    const response = await app.request(path, { headers: { host: '127.0.0.1:8179', ...headers } });
    return { status: response.status, headers: response.headers, body: (await response.json()) as T };
  };
  const change = (hops: readonly string[]): void => void router.route(ROUTE, hops, nowMs);
  return { router, service, app, wait, get, change, now: () => nowMs };
}

/** A route through three nodes, and a withdrawal of the second four seconds into the traffic. */
function withdrawn() {
  const world = made();
  world.router.peer('10.0.0.1', 64601, 'Established', world.now());
  world.change([hop(0), hop(1), hop(2)]);
  world.wait(4);
  world.change([hop(0), hop(2)]);
  world.wait(3);
  return world;
}

describe('the API', () => {
  test('sums up peers, tables, VIPs, traffic and events', async () => {
    const { get } = withdrawn();
    const { status, body } = await get<SummaryRecord>('/api/v1/summary');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      schema: 'flowfate/live/1',
      version: '1.2.3',
      router: { asn: 64512, routerId: '10.0.0.254' },
      peers: [{ peer: '10.0.0.1', asn: 64601, state: 'Established', received: 2, accepted: 1, uptime: 7 }],
      families: [
        { family: 'ipv4-unicast', prefixes: 1, fib: 1 },
        { family: 'ipv6-unicast', fib: 0 },
      ],
      vips: [
        {
          vip: '203.0.113.10',
          service: 'web',
          route: {
            prefix: ROUTE,
            buckets: null,
            nextHops: [
              { nextHop: '10.0.0.1', node: 'n1', weight: 1, share: 0.5 },
              { nextHop: '10.0.0.3', node: 'n3', weight: 1, share: 0.5 },
            ],
          },
        },
      ],
      traffic: { state: 'running', round: 1, at: 7, speed: 1, madeFromCapture: false },
    });
    expect(body.events.map(({ id, kind, peer }) => [id, kind, peer])).toEqual([
      ['e3', 'withdraw', '10.0.0.1'],
      ['e2', 'announce', '10.0.0.1'],
      ['e1', 'session-up', '10.0.0.1'],
    ]);
    const [event] = body.events;
    expect(event!.detail).toBe(`10.0.0.1 withdrew ${ROUTE}: next hops became 10.0.0.1, 10.0.0.3`);
    expect(event!.changes).toEqual([
      {
        prefix: ROUTE,
        before: [1, 2, 3].map((n) => ({ nextHop: `10.0.0.${n}`, weight: 1 })),
        after: [1, 3].map((n) => ({ nextHop: `10.0.0.${n}`, weight: 1 })),
      },
    ]);
    expect(event!.flowsMoved).toBeGreaterThan(0);
    expect(event!.flowsBroken).toBeGreaterThan(0);
    expect(body.history).toHaveLength(7);
    expect(body.history.at(-1)!.flowsBroken).toBe(body.traffic!.flowsBroken);
    const [vip] = body.vips;
    expect(vip!.route!.nextHops.reduce((sum, { flowsActive }) => sum + flowsActive, 0)).toBe(
      vip!.flowsActive,
    );
  });

  test('lists the flows of a fate in pages, and those that an event broke', async () => {
    const { get } = withdrawn();
    const resets = await get<Listing<LiveFlow>>('/api/v1/flows?fate=reset&limit=1000');
    expect(resets.body.total).toBe(resets.body.rows.length);
    for (const flow of resets.body.rows) {
      expect(flow).toMatchObject({ fate: 'reset', dst: '203.0.113.10', round: 1 });
      expect(flow.cause?.reason).toBeDefined();
      expect(flow.chain.length).toBeGreaterThan(0);
    }
    const page = await get<Listing<LiveFlow>>('/api/v1/flows?fate=reset&limit=3&offset=2');
    expect(page.body).toEqual({ ...resets.body, offset: 2, limit: 3, rows: resets.body.rows.slice(2, 5) });
    const { body: summary } = await get<SummaryRecord>('/api/v1/summary');
    const { body } = await get<Listing<LiveFlow>>('/api/v1/flows?event=e3&limit=1000');
    expect(body.rows.filter(({ open }) => open !== true)).toHaveLength(summary.events[0]!.flowsBroken);
    for (const { cause } of body.rows) expect(cause?.event).toBe('e3');
    const { body: none } = await get<Listing<LiveFlow>>('/api/v1/flows?fate=misdelivered&event=e1');
    expect(none).toEqual({ total: 0, offset: 0, limit: 100, rows: [] });
  });

  test('looks routes up exactly and longer', async () => {
    const { router, get } = made('no traffic');
    for (const text of ['203.0.113.0/24', '203.0.113.10/32', '198.51.100.0/24']) {
      router.routeRows.push({
        prefix: parsePrefix(text)!,
        family: 'ipv4-unicast',
        peer: '10.0.0.1',
        nextHop: parseAddress('10.0.0.1'),
        best: true,
        multipath: false,
        stale: false,
        longLivedStale: false,
        excluded: 'no',
        decidedBy: null,
        why: 'best: the only one that may be used',
        pathId: 0,
        ageS: 1,
        origin: 'igp',
        asPath: '64601',
        localPref: null,
        med: 50,
        communities: ['64601:1'],
        largeCommunities: [],
        extendedCommunities: ['rt:64601:1'],
      });
    }
    const prefixes = async (query: string) =>
      (await get<Listing<{ prefix: string }>>(`/api/v1/rib?${query}`)).body.rows.map(({ prefix }) => prefix);
    expect(await prefixes('prefix=203.0.113.0/24')).toEqual(['203.0.113.0/24']);
    expect(await prefixes('prefix=203.0.113.0%2F24&longer')).toEqual(['203.0.113.0/24', '203.0.113.10/32']);
    expect(await prefixes('prefix=0.0.0.0/0&longer=true')).toHaveLength(3);
    const { body } = await get<Listing<object>>('/api/v1/rib?prefix=203.0.113.10');
    expect(body.rows).toEqual([
      expect.objectContaining({
        ...{ prefix: ROUTE, nextHop: '10.0.0.1', med: 50, age: 1, asPath: '64601', excluded: 'no' },
        extendedCommunities: ['rt:64601:1'],
      }),
    ]);
  });

  test('describes itself: every path of the document answers, and no parameter but its own is taken', async () => {
    const { app, get } = withdrawn();
    const { body } = await get<{ paths: Record<string, { get: { parameters: { name: string }[] } }> }>(
      '/api/v1/openapi.json',
    );
    expect(Object.keys(body.paths)).toContain('/api/v1/rib');
    const ask = async (path: string): Promise<number> => {
      const response = await app.request(path, { headers: { host: '127.0.0.1' } });
      await response.body?.cancel();
      return response.status;
    };
    for (const [path, { get: operation }] of Object.entries(body.paths)) {
      expect(await ask(path), path).toBe(200);
      if (path.startsWith('/api/')) expect(await ask(`${path}?colour=red`), path).toBe(400);
      for (const { name } of operation.parameters) {
        const example: Record<string, string> = { limit: '5', offset: '1', fate: 'reset', event: 'e1' };
        const value =
          name === 'prefix' ? '203.0.113.0/24' : name === 'peer' ? '10.0.0.1' : (example[name] ?? '');
        expect(await ask(`${path}?${name}=${value}`), `${path} ${name}`).toBe(200);
      }
    }
  });

  test('sends the 201st reader of the event stream away, and nobody else', async () => {
    const { app, service, get } = made();
    const open = () => app.request('/api/v1/events', { headers: { host: '127.0.0.1' } });
    const readers = await Promise.all(Array.from({ length: 200 }, open));
    expect(readers.every(({ status }) => status === 200)).toBe(true);
    expect((await open()).status).toBe(503);
    expect((await get('/api/v1/peers')).status).toBe(200);
    await readers[0]!.body!.cancel();
    expect((await open()).status).toBe(200);
    service.stop();
  });

  test('lists the FIB in pages', async () => {
    const { router, get } = made('no traffic');
    for (let i = 0; i < 5; i++) router.route(`198.51.100.${i}/32`, ['10.0.0.1', '10.0.0.2*3'], 0);
    const { body } = await get<Listing<{ prefix: string }>>('/api/v1/fib?offset=3&limit=10');
    expect(body).toMatchObject({ total: 5, offset: 3, limit: 10 });
    expect(body.rows).toEqual([3, 4].map((i) => expect.objectContaining({ prefix: `198.51.100.${i}/32` })));
    expect(body.rows[0]).toMatchObject({
      nextHops: [{ share: 0.25 }, { weight: 3, share: 0.75, node: null }],
    });
  });

  test.each([
    ['/api/v1/rib?peer=10.0.0.99', 400, 'there is no peer "10.0.0.99"'],
    ['/api/v1/rib?prefix=203.0.113.0/33', 400, '"203.0.113.0/33" is no prefix'],
    ['/api/v1/rib?prefix=hello', 400, '"hello" is no prefix'],
    ['/api/v1/rib?prefix=::/0&longer=maybe', 400, 'longer takes no value'],
    ['/api/v1/flows?fate=dead', 400, 'there is no fate "dead"'],
    ['/api/v1/flows?limit=1001', 400, 'limit must be a whole number up to 1000'],
    ['/api/v1/flows?offset=-1', 400, 'offset must be a whole number'],
    ['/api/v1/flows?event=3', 400, 'event must be the id of an event'],
    ['/api/v2/summary', 404, 'there is nothing at /api/v2/summary'],
    ['/favicon.ico', 404, 'there is nothing at /favicon.ico'],
  ])('answers %s with %i and a sentence', async (path, status, sentence) => {
    const answer = await made().get<{ error: string }>(path);
    expect(answer.status).toBe(status);
    expect(answer.body.error).toContain(sentence);
  });

  test('answers to addresses and localhost, and to no name that could be rebound', async () => {
    const { get } = made();
    for (const host of ['127.0.0.1:8179', '[::1]:8179', 'localhost', 'LOCALHOST:1', 'x.localhost'])
      expect((await get('/api/v1/peers', { host })).status).toBe(200);
    for (const host of ['evil.example', 'localhost.evil.example:8179', '127.0.0.1.evil.example', ''])
      expect((await get<{ error: string }>('/api/v1/peers', { host })).status).toBe(421);
  });

  test('offers nothing but reading, and nothing to other origins', async () => {
    const { app, get } = made();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const response = await app.request('/api/v1/summary', { method, headers: { host: 'localhost' } });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    }
    const { headers } = await get('/api/v1/summary', { origin: 'https://evil.example' });
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
  });

  test('serves the page with a policy that names its script and style, and allows nothing else', async () => {
    const response = await made().app.request('/', { headers: { host: 'localhost' } });
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    const policy = response.headers.get('content-security-policy')!;
    expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-\S+'; style-src 'sha256-\S+'; /);
    expect(policy).not.toContain('unsafe');
    expect(await response.text()).toBe(PAGE.html);
  });

  test('refuses a parameter that it does not know, by name', async () => {
    const { get } = withdrawn();
    for (const [path, says] of [
      ['/api/v1/summary?x=1', '/api/v1/summary has no parameter "x"; it takes none'],
      ['/api/v1/fib?ofset=5', '/api/v1/fib has no parameter "ofset"; parameters are offset, limit'],
    ] as const) {
      expect(await get(path)).toMatchObject({ status: 400, body: { error: says } });
    }
  });

  test('says that it lives and that it listens', async () => {
    const { app } = withdrawn();
    for (const path of ['/healthz', '/readyz']) {
      const response = await app.request(path, { headers: { host: 'localhost' } });
      expect([response.status, await response.text()]).toEqual([200, 'ok\n']);
    }
  });

  test('measures for Prometheus what the summary says', async () => {
    const { app, get } = withdrawn();
    const { body } = await get<SummaryRecord>('/api/v1/summary');
    const response = await app.request('/metrics', { headers: { host: 'localhost' } });
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    const lines = (await response.text()).split('\n');
    const resets = body.traffic!.byFate.reset;
    expect(lines).toEqual(
      expect.arrayContaining([
        'flowfate_bgp_peer_up{peer="10.0.0.1"} 1',
        'flowfate_bgp_peer_state{peer="10.0.0.1",state="Established"} 1',
        'flowfate_bgp_peer_state{peer="10.0.0.1",state="Idle"} 0',
        'flowfate_bgp_peer_updates_total{peer="10.0.0.1",direction="in"} 2',
        'flowfate_bgp_peer_prefixes_accepted{peer="10.0.0.1",family="ipv4-unicast"} 1',
        'flowfate_fib_prefixes{family="ipv4-unicast"} 1',
        `flowfate_flows_total{fate="reset"} ${resets}`,
        `flowfate_flows_active ${body.traffic!.flowsActive}`,
        'flowfate_vip_next_hop_share{vip="203.0.113.10",next_hop="10.0.0.3"} 0.5',
        'flowfate_events_total 3',
      ]),
    );
    expect(resets).toBeGreaterThan(0);
    for (const line of lines.filter((text) => /^flowfate_/.test(text)))
      expect(lines.some((text) => text.startsWith(`# HELP ${line.split(/[{ ]/)[0]} `))).toBe(true);
  });
});

describe('the stream of events', () => {
  let server: HttpServer | null = null;
  afterEach(async () => {
    await server?.close();
    server = null;
  });

  interface Message {
    readonly id: string | null;
    readonly event: string;
    readonly data: unknown;
  }

  /** Reads messages until one satisfies `last`. */
  async function listen(url: string, headers: Record<string, string>, last: (m: Message) => boolean) {
    const stop = new AbortController();
    const response = await fetch(`${url}api/v1/events`, { headers, signal: stop.signal });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const messages: Message[] = [];
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const parts = text.split('\n\n');
      text = parts.pop()!;
      for (const part of parts) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1] ?? null;
        const event = field('event');
        if (event !== null) messages.push({ id: field('id'), event, data: JSON.parse(field('data')!) });
      }
      if (messages.some(last)) break;
    }
    stop.abort();
    return messages;
  }

  test('tells events as they happen, and again after the one that a client saw last', async () => {
    const { app, router, wait, change } = made();
    server = await serveHttp(app, '127.0.0.1', 0);
    const first = listen(
      server.url,
      {},
      ({ event, data }) => event === 'event' && (data as { id: string }).id === 'e2',
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    router.peer('10.0.0.1', 64601, 'Established', 0);
    change([hop(0)]);
    wait(0.1);
    const told = await first;
    expect(told[0]).toMatchObject({ event: 'hello', id: null, data: { missed: false } });
    const events = told.filter(({ event }) => event === 'event');
    expect(events.map(({ data }) => (data as { kind: string }).kind)).toEqual(['session-up', 'announce']);
    change([hop(0), hop(1)]);
    wait(0.1);
    const id = events[0]!.id!;
    const again = await listen(
      server.url,
      { 'last-event-id': id },
      ({ data }) => (data as { id: string }).id === 'e3',
    );
    const ids = again.flatMap(({ event, data }) => (event === 'event' ? [(data as { id: string }).id] : []));
    expect(ids).toEqual(['e2', 'e3']);
    expect(again[0]!.data).toMatchObject({ missed: false });
  });

  test('says that something is missing to a client of an earlier run, or of long ago', async () => {
    const { app, service, wait, change } = made('no traffic');
    server = await serveHttp(app, '127.0.0.1', 0);
    change([hop(0)]);
    wait(0.1);
    const hello = async (lastId: string) =>
      (await listen(server!.url, { 'last-event-id': lastId }, () => true))[0]!.data;
    const run = Math.round(2_000_000).toString(36);
    expect(await hello('zzz-1')).toMatchObject({ missed: true });
    expect(await hello(`${run}-0`)).toMatchObject({ missed: false });
    expect(await hello(`${run}-999999`)).toMatchObject({ missed: true });
    for (let i = 0; i < 1100; i++) service.stream.tell('changed', { what: 'peers' });
    expect(await hello(`${run}-0`)).toMatchObject({ missed: true });
  });

  test('drops a reader that does not read, and goes on for the others', async () => {
    const { app, service } = made('no traffic');
    server = await serveHttp(app, '127.0.0.1', 0);
    const port = Number(new URL(server.url).port);
    const deaf = connect(port, '127.0.0.1');
    deaf.pause();
    deaf.on('error', () => {});
    deaf.write('GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const good = listen(server.url, {}, ({ data }) => (data as { what: string }).what === 'routes');
    while (service.stream.readerCount < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    const sample = { flowsActive: 0, flowsStalled: 0, flowsStarted: 0, flowsBroken: 0, time: 0 };
    const filler = 'x'.repeat(20_000);
    for (let i = 0; i < 4000 && service.stream.readerCount === 2; i++) {
      service.stream.tellNow('sample', { sample, traffic: { capture: filler } as never });
      // the others must have time to read
      if (i % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(service.stream.readerCount).toBe(1);
    service.stream.tell('changed', { what: 'routes' });
    expect((await good).at(-1)).toMatchObject({ event: 'changed' });
    deaf.destroy();
  });

  test('keeps no reader that has gone', async () => {
    const { app, service } = made('no traffic');
    server = await serveHttp(app, '127.0.0.1', 0);
    await listen(server.url, {}, ({ event }) => event === 'hello');
    for (let i = 0; i < 200 && service.stream.readerCount > 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(service.stream.readerCount).toBe(0);
  });
});

describe('serving', () => {
  test('refuses a port in use with a sentence', async () => {
    const { app } = made('no traffic');
    const first = await serveHttp(app, '127.0.0.1', 0);
    const port = Number(new URL(first.url).port);
    await expect(serveHttp(app, '127.0.0.1', port)).rejects.toThrow(/the port is in use; choose another one/);
    await first.close();
  });
});
