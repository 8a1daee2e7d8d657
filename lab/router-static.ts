/**
 * A router whose multipath routes the lab writes itself: with weights, which no speaker here announces, and at the very
 * moment of the step.
 */
import type { LabNetwork } from './network.js';
import { type LabRouter, NextHopList } from './router.js';
import type { NextHop } from './setting.js';

export class StaticRouter implements LabRouter {
  private readonly hops: NextHopList;

  constructor(private readonly network: LabNetwork) {
    this.hops = new NextHopList(network.layout);
  }

  async start(nextHops: readonly NextHop[]): Promise<void> {
    for (const { node, weight } of nextHops) this.hops.add(node, weight);
    await this.write('add');
  }

  async announce(node: string, weight: number): Promise<void> {
    this.hops.add(node, weight);
    await this.write('replace');
  }

  async withdraw(node: string): Promise<void> {
    this.hops.remove(node);
    await this.write('replace');
  }

  private async write(verb: 'add' | 'replace'): Promise<void> {
    await this.network.router.batch(
      this.network.layout.vips.map(({ family, address }) => {
        const hops = this.hops
          .list()
          .map(({ node, weight }) => `nexthop via ${node[family]} dev br0 weight ${weight}`);
        return `route ${verb} ${address} ${hops.join(' ')}`;
      }),
    );
  }
}
