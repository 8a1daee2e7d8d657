/** What stands beside a running router, where it is asked for: live traffic through it, and HTTP. */

import { LiveService } from './live-service.js';
import { runService, steadyClockMs } from './live-timers.js';
import type { RouterView } from './router-view.js';
import type { TrafficSettings } from './traffic/live-traffic.js';
import { liveApi } from './web/http-api.js';
import { type HttpServer, serveHttp } from './web/http-server.js';
import { loadPage } from './web/page-asset.js';

export interface LiveSideSettings {
  readonly traffic: TrafficSettings | null;
  readonly http: { readonly host: string; readonly port: number } | null;
  readonly version: string;
  /** gets a line now and then */
  readonly print: (line: string) => void;
}

export interface LiveSide {
  /** where the page is, or null */
  readonly url: string | null;
  readonly service: LiveService;
  /** the router has another configuration */
  reloaded(): void;
  stop(): Promise<void>;
}

/** Throws a FlowfateError of code `network` where HTTP cannot be served. */
export async function startLiveSide(view: RouterView, settings: LiveSideSettings): Promise<LiveSide> {
  const { traffic, http, version, print } = settings;
  const service = new LiveService(view, traffic, version, steadyClockMs, print);
  let server: HttpServer | null = null;
  if (http !== null) server = await serveHttp(liveApi(service, loadPage()), http.host, http.port);
  const stop = runService(service);
  return {
    url: server?.url ?? null,
    service,
    reloaded: () => service.reloaded(),
    async stop() {
      stop();
      await server?.close();
    },
  };
}
