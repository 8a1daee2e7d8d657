/**
 * The router of the lab, whichever makes its routes: BIRD, FRR, or a resilient next-hop group that the lab programs
 * itself (no daemon does). It knows nodes as announcing or not; when and how the kernel's table changed is read from the
 * kernel (route-watch.ts), not from here.
 */
import { type Layout, VIP } from './layout.js';
import type { LabNetwork } from './network.js';
import { BirdRouter } from './router-bird.js';
import { FrrRouter } from './router-frr.js';
import { ResilientRouter } from './router-resilient.js';
import { Speakers } from './speakers.js';
import { until } from './wait.js';

export const ROUTER_KINDS = ['bird', 'frr', 'resilient'] as const;
export type RouterKind = (typeof ROUTER_KINDS)[number];

export interface LabRouter {
  /** Starts with these nodes announcing. */
  start(announcing: readonly string[]): Promise<void>;
  announce(node: string): Promise<void>;
  withdraw(node: string): Promise<void>;
}

export interface ResilientSettings {
  readonly buckets: number;
  readonly idleTimerS: number;
}

export function makeRouter(kind: RouterKind, network: LabNetwork, resilient: ResilientSettings): LabRouter {
  switch (kind) {
    case 'bird':
      return new BirdRouter(network, new Speakers(network));
    case 'frr':
      return new FrrRouter(network, new Speakers(network));
    case 'resilient':
      return new ResilientRouter(network, resilient);
  }
}

export interface KernelRoute {
  readonly prefix: string;
  /** node names, in the order of the kernel's table */
  readonly nextHops: readonly string[];
}

/** Both routes to the service, once each has that many next hops. */
export function settledRoutes(network: LabNetwork, nextHops: number): Promise<KernelRoute[]> {
  return until(
    `routes with ${nextHops} next hops`,
    async () => {
      const routes = await kernelRoutes(network);
      return routes.every((route) => route.nextHops.length === nextHops) && routes;
    },
    { timeoutMs: 60_000, everyMs: 100, seen: () => kernelRoutes(network) },
  );
}

export async function kernelRoutes(network: LabNetwork): Promise<KernelRoute[]> {
  return Promise.all(
    [`${VIP.ipv4}/32`, `${VIP.ipv6}/128`].map(async (prefix) => ({
      prefix,
      nextHops: nodesOf(network.layout, await network.router.kernelNextHops(prefix)),
    })),
  );
}

export function nodesOf(layout: Layout, gateways: readonly string[]): string[] {
  return gateways.map((gateway) => {
    const node = layout.nodes.find(({ ipv4, ipv6 }) => ipv4 === gateway || ipv6 === gateway);
    if (node === undefined)
      throw new Error(`the kernel has a next hop ${gateway} that is no node of the lab`);
    return node.name;
  });
}
