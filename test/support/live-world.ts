/** A live router without sockets: a made view, a capture's traffic, HTTP on a free port, and a real or a made clock. */

import { formatAddress } from '../../src/addr/address.js';
import type { EcmpSettings } from '../../src/cluster/model.js';
import { LiveService } from '../../src/live/live-service.js';
import { steadyClockMs } from '../../src/live/live-timers.js';
import { liveApi } from '../../src/live/web/http-api.js';
import { type HttpServer, serveHttp } from '../../src/live/web/http-server.js';
import { loadPage } from '../../src/live/web/page-asset.js';
import { MadeRouter } from './made-router.js';
import { Dice, randomIndex } from './random-world.js';
import { nodeAddress, smallCluster, VIP, VIP6 } from './small-cluster.js';

export const ROUTE = `${formatAddress(VIP)}/32`;
export const ROUTE6 = `${formatAddress(VIP6)}/128`;
export const hop = (node: number): string => formatAddress(nodeAddress(node + 1));

export interface LiveWorldOnAir {
  readonly router: MadeRouter;
  readonly service: LiveService;
  readonly server: HttpServer;
  /** moves the clock on, in steps of a tick */
  wait(s: number): void;
  route(text: string, hops: readonly string[]): void;
  nowMs(): number;
  close(): Promise<void>;
}

/** The clock begins at the real time, so that the page agrees about it, and moves only when it is told to. */
export async function liveWorldOnAir(ecmp: Partial<EcmpSettings>, flows: number): Promise<LiveWorldOnAir> {
  const router = new MadeRouter(ecmp);
  let nowMs = Math.floor(steadyClockMs() / 1000) * 1000;
  router.startedMs = nowMs;
  const service = new LiveService(
    router,
    {
      index: randomIndex(new Dice(11), flows),
      model: smallCluster({ service: { vips: [VIP, VIP6] } }),
      made: false,
      speed: 1,
      loop: true,
    },
    '0.0.0',
    () => nowMs,
  );
  service.start();
  const server = await serveHttp(liveApi(service, loadPage()), '127.0.0.1', 0);
  return {
    router,
    service,
    server,
    wait(s) {
      for (const endMs = nowMs + s * 1000; nowMs < endMs; ) {
        nowMs += 50;
        service.tick();
        if (Math.round(nowMs) % 1000 === 0) service.second();
      }
    },
    route: (text, hops) => void router.route(text, hops, nowMs),
    nowMs: () => nowMs,
    async close() {
      service.stop();
      await server.close();
    },
  };
}
