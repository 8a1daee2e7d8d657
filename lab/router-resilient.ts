/**
 * A router with resilient next-hop groups, one a family, programmed with `ip nexthop` as a routing daemon would if there
 * were one that did. A changed membership replaces the group in place; the kernel then moves buckets as it sees fit.
 */
import { FAMILIES, type Family } from './layout.js';
import type { LabNetwork } from './network.js';
import { type LabRouter, NextHopList } from './router.js';
import type { NextHop } from './setting.js';

const GROUP_ID: Readonly<Record<Family, number>> = { ipv4: 1004, ipv6: 1006 };
const FIRST_ID: Readonly<Record<Family, number>> = { ipv4: 0, ipv6: 100 };

export class ResilientRouter implements LabRouter {
  private readonly hops: NextHopList;

  constructor(private readonly network: LabNetwork) {
    this.hops = new NextHopList(network.layout);
  }

  async start(nextHops: readonly NextHop[]): Promise<void> {
    for (const { node, weight } of nextHops) this.hops.add(node, weight);
    const { buckets, idleTimerS } = this.network.setting;
    const { nodes, vips } = this.network.layout;
    await this.network.router.batch([
      ...nodes.flatMap((node) =>
        FAMILIES.map(
          (family) => `nexthop add id ${FIRST_ID[family] + node.index} via ${node[family]} dev br0`,
        ),
      ),
      ...FAMILIES.map(
        (family) =>
          `nexthop add id ${GROUP_ID[family]} group ${this.members(family)} type resilient buckets ${buckets} idle_timer ${idleTimerS} unbalanced_timer 0`,
      ),
      ...vips.map(({ family, address }) => `route add ${address} nhid ${GROUP_ID[family]}`),
    ]);
  }

  async announce(node: string, weight: number): Promise<void> {
    this.hops.add(node, weight);
    await this.replace();
  }

  async withdraw(node: string): Promise<void> {
    this.hops.remove(node);
    await this.replace();
  }

  private async replace(): Promise<void> {
    await this.network.router.batch(
      FAMILIES.map(
        (family) => `nexthop replace id ${GROUP_ID[family]} group ${this.members(family)} type resilient`,
      ),
    );
  }

  private members(family: Family): string {
    return this.hops
      .list()
      .map(({ node, weight }) => `${FIRST_ID[family] + node.index}${weight > 1 ? `,${weight}` : ''}`)
      .join('/');
  }
}
