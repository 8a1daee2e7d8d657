/**
 * The router's HTTP side: API, stream, metrics and page, all of them read-only.
 *
 * It is meant for loopback. A page of another origin can read nothing (there are no CORS headers), and a name that was
 * rebound to this address is refused: the Host header must be an address or localhost.
 */
import { type Context, Hono } from 'hono';
import { parsePrefix } from '../../addr/prefix.js';
import { nearest } from '../../cluster/yaml/nearest.js';
import { FATES } from '../../verdict/fates.js';
import type { Fate } from '../../verdict/verdict.js';
import type { LiveService } from '../live-service.js';
import type { RouterView } from '../router-view.js';
import type { Listing } from './api-records.js';
import { MAX_READERS, streamBody } from './event-stream.js';
import { fibRecord, peerRecord, routeRecord, summaryRecord } from './live-status.js';
import { LiveMetrics } from './metrics.js';
import { DEFAULT_LIMIT, MAX_LIMIT, openApi, parametersOf } from './openapi.js';
import type { PageAsset } from './page-asset.js';

/** What is wrong with a request, as a sentence. */
class BadRequest extends Error {}

export function liveApi(service: LiveService, page: PageAsset): Hono {
  const app = new Hono({ strict: false });
  const { view, traffic, clockMs } = service;
  const metrics = new LiveMetrics(service, clockMs);

  app.use(async (c, next) => {
    if (!isOwnName(c.req.header('host'))) {
      return refuse(c, 421, 'this server answers to its address or to localhost only, not to another name');
    }
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      c.header('Allow', 'GET, HEAD');
      return refuse(c, 405, `${c.req.method} is not offered; everything here is read with GET`);
    }
    c.header('X-Content-Type-Options', 'nosniff');
    c.header('Referrer-Policy', 'no-referrer');
    c.header('Cross-Origin-Resource-Policy', 'same-origin');
    c.header('Cache-Control', 'no-store');
    refuseUnknownParameters(c);
    await next();
  });

  app.get('/', (c) => {
    c.header('Content-Security-Policy', page.contentSecurityPolicy);
    return c.html(page.html);
  });
  // alive: it answers at all; ready: it listens for BGP
  app.get('/healthz', (c) => c.text('ok\n'));
  app.get('/readyz', (c) =>
    view.listen.length > 0 ? c.text('ok\n') : c.text('not listening for BGP yet\n', 503),
  );
  app.get('/metrics', async (c) => {
    return c.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType });
  });
  app.get('/api/v1/openapi.json', (c) => c.json(openApi(service.version)));
  app.get('/api/v1/summary', (c) => c.json(summaryRecord(service, clockMs())));
  app.get('/api/v1/peers', (c) => c.json({ peers: view.peers().map((peer) => peerRecord(peer, clockMs())) }));
  app.get('/api/v1/rib', (c) => {
    const [offset, limit] = [numberQuery(c, 'offset', 0, Number.MAX_SAFE_INTEGER), limitOf(c)];
    const peer = c.req.query('peer') ?? null;
    const { total, rows } = view.routes({ ...prefixQuery(c), peer, offset, limit });
    if (peer !== null && total === 0) refuseUnknownPeer(peer, view);
    return c.json(listing(total, offset, limit, rows.map(routeRecord)));
  });
  app.get('/api/v1/fib', (c) => {
    const [offset, limit] = [numberQuery(c, 'offset', 0, Number.MAX_SAFE_INTEGER), limitOf(c)];
    const { total, rows } = view.fib(offset, limit);
    return c.json(
      listing(
        total,
        offset,
        limit,
        rows.map((entry) => fibRecord(entry, traffic)),
      ),
    );
  });
  app.get('/api/v1/flows', (c) => {
    const fate = c.req.query('fate') ?? null;
    if (fate !== null && !(FATES as readonly string[]).includes(fate)) {
      throw new BadRequest(`there is no fate "${fate}"; fates are ${FATES.join(', ')}`);
    }
    const [offset, limit] = [numberQuery(c, 'offset', 0, Number.MAX_SAFE_INTEGER), limitOf(c)];
    const event = c.req.query('event') ?? null;
    if (event !== null && !/^e\d+$/.test(event))
      throw new BadRequest('event must be the id of an event, like e3');
    if (traffic === null) return c.json(listing(0, offset, limit, []));
    return c.json(traffic.flows({ fate: fate as Fate | null, event, offset, limit }));
  });
  app.get('/api/v1/events', (c) => {
    if (service.stream.isFull) {
      c.header('Retry-After', '10');
      return refuse(c, 503, `${MAX_READERS} clients read the event stream already; try again later`);
    }
    const lastId = c.req.header('last-event-id') ?? c.req.query('lastEventId') ?? null;
    return c.body(
      streamBody((reader) => service.stream.add(reader, lastId)),
      200,
      { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' },
    );
  });

  app.notFound((c) =>
    refuse(
      c,
      404,
      `there is nothing at ${c.req.path}; see /, /healthz, /readyz, /metrics, /api/v1/summary, peers, rib, fib, flows, events and openapi.json`,
    ),
  );
  app.onError((error, c) => {
    if (error instanceof BadRequest) return refuse(c, 400, error.message);
    return refuse(c, 500, `this is a bug in flowfate: ${error.message}`);
  });
  return app;
}

function refuseUnknownParameters(c: Context): void {
  const known = parametersOf(c.req.path.replace(/\/+$/, ''));
  const unknown = Object.keys(c.req.query()).find((name) => known?.includes(name) === false);
  if (unknown === undefined) return;
  const names = known!.length === 0 ? 'it takes none' : `parameters are ${known!.join(', ')}`;
  throw new BadRequest(`${c.req.path} has no parameter "${unknown}"; ${names}`);
}

function refuse(c: Context, status: 400 | 404 | 405 | 421 | 500 | 503, sentence: string): Response {
  return c.json({ error: sentence }, status);
}

function listing<Row>(total: number, offset: number, limit: number, rows: readonly Row[]): Listing<Row> {
  return { total, offset, limit, rows };
}

function prefixQuery(c: Context) {
  const text = c.req.query('prefix');
  const prefix = text === undefined ? null : parsePrefix(text);
  if (text !== undefined && prefix === null) {
    throw new BadRequest(`"${text}" is no prefix; write an address and a length, like 203.0.113.0/24`);
  }
  const longer = c.req.query('longer');
  if (longer !== undefined && !['', 'true', '1', 'false', '0'].includes(longer)) {
    throw new BadRequest('longer takes no value, or true or false');
  }
  const match = longer === undefined || longer === 'false' || longer === '0' ? 'exact' : 'longer';
  return { prefix, match } as const;
}

function refuseUnknownPeer(peer: string, view: RouterView): void {
  const known = view.peers().map(({ id }) => id);
  if (known.includes(peer)) return;
  const meant = nearest(peer, known);
  throw new BadRequest(
    `there is no peer "${peer}"${meant === null ? '; /api/v1/peers lists them' : `; did you mean ${meant}?`}`,
  );
}

function limitOf(c: Context): number {
  return numberQuery(c, 'limit', DEFAULT_LIMIT, MAX_LIMIT);
}

function numberQuery(c: Context, name: string, absent: number, most: number): number {
  const text = c.req.query(name);
  if (text === undefined) return absent;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > most) {
    throw new BadRequest(
      `${name} must be a whole number${most === MAX_LIMIT ? ` up to ${most}` : ''}, found "${text}"`,
    );
  }
  return number;
}

/** Addresses and localhost cannot be rebound; every other name can. */
function isOwnName(host: string | undefined): boolean {
  if (host === undefined) return false;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || /^\[[0-9a-f:.%]+\]$/.test(name);
}
