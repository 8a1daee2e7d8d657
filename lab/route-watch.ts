/**
 * What the router's kernel says of its routes to the service, while it changes them: the lines of `ip monitor`, whose
 * time stamps are taken when the kernel's message arrives (a few tenths of a millisecond late).
 *
 *     [2026-11-23T06:08:09.617633] 203.0.113.10 proto bird metric 32 \<tab>nexthop via 10.0.0.1 dev br0 weight 1 \…
 *     [2026-11-23T06:08:09.655149] Deleted 203.0.113.10 …
 */
import type { HostProcess } from './host.js';
import type { Layout } from './layout.js';
import type { LabNetwork } from './network.js';
import { nodesOf } from './router.js';

export interface RouteChange {
  /** seconds since 1970 */
  readonly atS: number;
  readonly prefix: string;
  /** node names in the order of the kernel's table; none where the route was deleted */
  readonly nextHops: readonly string[];
}

const VIA = /\bvia (?:inet6? )?(\S+)(?: dev \S+)?(?: weight (\d+))?/g;
const LINE = /^\[(\S+)\] (Deleted )?(\S+) /;

export class RouteWatch {
  private readonly process: HostProcess;

  constructor(readonly network: LabNetwork) {
    this.process = network.router.start('ip', ['-ts', '-o', 'monitor', 'route'], { TZ: 'UTC' });
  }

  async stop(): Promise<RouteChange[]> {
    await this.process.stop();
    return parseMonitor(this.process.log(), this.network.layout);
  }
}

export function parseMonitor(text: string, layout: Layout): RouteChange[] {
  const changes: RouteChange[] = [];
  for (const line of text.split('\n')) {
    const head = LINE.exec(line);
    const vip = layout.vips.find(({ address }) => address === head?.[3]);
    if (head === null || vip === undefined) continue;
    const hops = [...line.matchAll(VIA)].map(([, gateway, weight]) => ({
      gateway: gateway!,
      weight: Number(weight ?? 1),
    }));
    changes.push({
      atS: secondsOf(head[1]!),
      prefix: vip.prefix,
      nextHops: head[2] === undefined ? nodesOf(layout, hops) : [],
    });
  }
  return changes;
}

/** microseconds stay: Date keeps milliseconds only */
function secondsOf(stamp: string): number {
  const [whole, fraction = '0'] = stamp.split('.');
  return Date.parse(`${whole}Z`) / 1000 + Number(`0.${fraction}`);
}
