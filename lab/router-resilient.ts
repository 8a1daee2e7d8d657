/**
 * A router with resilient next-hop groups, one a family, programmed with `ip nexthop` as a routing daemon would if there
 * were one that did. A changed membership replaces the group in place; the kernel then moves buckets as it sees fit.
 */
import { FAMILIES, type Family, VIP } from './layout.js';
import type { LabNetwork } from './network.js';
import type { LabRouter, ResilientSettings } from './router.js';

const GROUP_ID: Readonly<Record<Family, number>> = { ipv4: 1004, ipv6: 1006 };
const FIRST_ID: Readonly<Record<Family, number>> = { ipv4: 0, ipv6: 100 };

export class ResilientRouter implements LabRouter {
  readonly #announcing = new Set<string>();

  constructor(
    readonly network: LabNetwork,
    readonly settings: ResilientSettings,
  ) {}

  async start(announcing: readonly string[]): Promise<void> {
    for (const node of announcing) this.#announcing.add(node);
    const { buckets, idleTimerS } = this.settings;
    await this.network.router.batch([
      ...this.network.layout.nodes.flatMap((node) =>
        FAMILIES.map(
          (family) => `nexthop add id ${FIRST_ID[family] + node.index} via ${node[family]} dev br0`,
        ),
      ),
      ...FAMILIES.map(
        (family) =>
          `nexthop add id ${GROUP_ID[family]} group ${this.#members(family)} type resilient buckets ${buckets} idle_timer ${idleTimerS} unbalanced_timer 0`,
      ),
      ...FAMILIES.map((family) => `route add ${VIP[family]} nhid ${GROUP_ID[family]}`),
    ]);
  }

  async announce(node: string): Promise<void> {
    this.#announcing.add(node);
    await this.#replace();
  }

  async withdraw(node: string): Promise<void> {
    this.#announcing.delete(node);
    await this.#replace();
  }

  async #replace(): Promise<void> {
    await this.network.router.batch(
      FAMILIES.map(
        (family) => `nexthop replace id ${GROUP_ID[family]} group ${this.#members(family)} type resilient`,
      ),
    );
  }

  #members(family: Family): string {
    return this.network.layout.nodes
      .filter(({ name }) => this.#announcing.has(name))
      .map(({ index }) => FIRST_ID[family] + index)
      .join('/');
  }
}
