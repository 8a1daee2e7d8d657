/**
 * The router of the lab, whichever makes its routes: BIRD, FRR, routes that the lab writes itself, or a resilient
 * next-hop group that it programs (no daemon does). It knows nodes as announcing or not; when and how the kernel's table
 * changed is read from the kernel (route-watch.ts), not from here.
 */
import type { KernelNextHop } from './host.js';
import type { Layout, NodePlan } from './layout.js';
import type { LabNetwork } from './network.js';
import { BirdRouter } from './router-bird.js';
import { FrrRouter } from './router-frr.js';
import { ResilientRouter } from './router-resilient.js';
import { StaticRouter } from './router-static.js';
import type { NextHop } from './setting.js';
import { Speakers } from './speakers.js';
import { until } from './wait.js';

export const ROUTER_KINDS = ['bird', 'frr', 'static', 'resilient'] as const;
export type RouterKind = (typeof ROUTER_KINDS)[number];

export interface LabRouter {
  /** Starts with these next hops. */
  start(nextHops: readonly NextHop[]): Promise<void>;
  /** A daemon that takes routes from speakers gives every node the weight 1. */
  announce(node: string, weight: number): Promise<void>;
  withdraw(node: string): Promise<void>;
}

export function makeRouter(network: LabNetwork): LabRouter {
  switch (network.setting.router) {
    case 'bird':
      return new BirdRouter(network, new Speakers(network));
    case 'frr':
      return new FrrRouter(network, new Speakers(network));
    case 'static':
      return new StaticRouter(network);
    case 'resilient':
      return new ResilientRouter(network);
  }
}

/** Who announces, in the order of the nodes' numbers. */
export class NextHopList {
  private readonly weights = new Map<string, number>();

  constructor(private readonly layout: Layout) {}

  add(node: string, weight: number): void {
    this.weights.set(node, weight);
  }

  remove(node: string): void {
    this.weights.delete(node);
  }

  list(): { readonly node: NodePlan; readonly weight: number }[] {
    return this.layout.nodes.flatMap((node) => {
      const weight = this.weights.get(node.name);
      return weight === undefined ? [] : [{ node, weight }];
    });
  }
}

export interface KernelRoute {
  readonly prefix: string;
  /** node names as a scenario writes them (`n4*2`: weight 2), in the order of the kernel's table */
  readonly nextHops: readonly string[];
}

/** The routes to every VIP, once each has that many next hops. */
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
    network.layout.vips.map(async ({ prefix }) => ({
      prefix,
      nextHops: nodesOf(network.layout, await network.router.kernelNextHops(prefix)),
    })),
  );
}

export function nodesOf(layout: Layout, hops: readonly KernelNextHop[]): string[] {
  return hops.map(({ gateway, weight }) => {
    const node = layout.nodes.find(({ ipv4, ipv6 }) => ipv4 === gateway || ipv6 === gateway);
    if (node === undefined)
      throw new Error(`the kernel has a next hop ${gateway} that is no node of the lab`);
    return weight > 1 ? `${node.name}*${weight}` : node.name;
  });
}
