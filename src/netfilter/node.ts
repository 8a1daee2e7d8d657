/**
 * One node as its dumps describe it: tables in the order in which their hooks run, routes, connections, sets, IPVS
 * services and sysctls.
 */
import type { Family } from '../addr/address.js';
import { ConnectionTable } from './connections.js';
import type { IpSet } from './ipset.js';
import type { IpvsService } from './ipvs.js';
import { NodeRoutes } from './node-routes.js';
import type { RecentLists } from './recent-lists.js';
import type { Chain, Hook, Rule, Table } from './rule-set.js';

/** A stop within a hook, in the order of priorities. */
export type HookItem =
  | { readonly kind: 'chain'; readonly chain: Chain }
  | { readonly kind: 'conntrack' }
  | { readonly kind: 'nat'; readonly chains: readonly Chain[] }
  | { readonly kind: 'ipvs' };

/** include/uapi/linux/netfilter_ipv4.h */
const CONNTRACK_PRIORITY = -200;
const NAT_DST_PRIORITY = -100;
const NAT_SRC_PRIORITY = 100;
/** ip_vs_remote_request at LOCAL_IN: NAT_SRC - 1; at LOCAL_OUT: NAT_DST + 2 */
const IPVS_IN_PRIORITY = NAT_SRC_PRIORITY - 1;
const IPVS_OUT_PRIORITY = NAT_DST_PRIORITY + 2;

export class Node {
  readonly tables: Table[] = [];
  readonly routes = new NodeRoutes();
  connections = new ConnectionTable();
  /** see NodeView */
  recentLists: RecentLists | null = null;
  readonly ipSets = new Map<string, IpSet>();
  readonly ipvs: IpvsService[] = [];
  readonly sysctls = new Map<string, string>();
  /** what of the dumps was not understood and decides nothing by itself: named in every answer */
  readonly unread: string[] = [];
  readonly rulesWithUnknown: Rule[] = [];
  hasConnections = false;
  hasAddresses = false;
  private hookItems: Map<string, readonly HookItem[]> | null = null;

  private orders = 0;

  constructor(readonly name: string) {}

  /** Counts registrations of hooks. */
  nextOrder(): number {
    return this.orders++;
  }

  /** The stops of a hook for packets of this family. */
  itemsOf(family: Family, hook: Hook): readonly HookItem[] {
    this.hookItems ??= this.orderHooks();
    return this.hookItems.get(`${family} ${hook}`) ?? [];
  }

  chainsOn(hook: 'ingress' | 'egress', device: string, family: 'netdev' | 'inet'): readonly Chain[] {
    return this.tables
      .filter((table) => table.family === family && !table.dormant)
      .flatMap((table) => [...table.chains.values()])
      .filter(({ base }) => base?.hook === hook && base.devices.includes(device))
      .sort((a, b) => a.base!.priority - b.base!.priority || b.base!.order - a.base!.order);
  }

  sysctl(name: string): number | null {
    const value = this.sysctls.get(name);
    return value === undefined ? null : Number(value);
  }

  /** The same rules and routes with a connection table of its own; nothing else is copied. */
  withOwnTables(recentLists: RecentLists): Node {
    this.hookItems ??= this.orderHooks();
    return Object.assign(Object.create(this) as Node, { connections: new ConnectionTable(), recentLists });
  }

  /** All rules of all tables. */
  countRules(): number {
    let rules = 0;
    for (const table of this.tables) for (const chain of table.chains.values()) rules += chain.rules.length;
    return rules;
  }

  /** Priorities ascend; of equal ones the kernel runs what was registered last first (nf_hook_entries_grow). */
  private orderHooks(): Map<string, readonly HookItem[]> {
    const out = new Map<string, readonly HookItem[]>();
    for (const family of [4, 6] as const) {
      const own = family === 4 ? 'ip' : 'ip6';
      const chains = this.tables
        .filter((table) => (table.family === own || table.family === 'inet') && !table.dormant)
        .flatMap((table) => [...table.chains.values()])
        .filter(({ base }) => base !== null);
      const hasNat = chains.some(({ base }) => base!.type === 'nat');
      const natOrder = Math.min(
        ...chains.filter(({ base }) => base!.type === 'nat').map(({ base }) => base!.order),
      );
      for (const hook of ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const) {
        const here = chains.filter(({ base }) => base!.hook === hook);
        const items: { priority: number; order: number; item: HookItem }[] = here
          .filter(({ base }) => base!.type !== 'nat')
          .map((chain) => ({
            priority: chain.base!.priority,
            order: chain.base!.order,
            item: { kind: 'chain', chain },
          }));
        if (hook === 'prerouting' || hook === 'output') {
          items.push({ priority: CONNTRACK_PRIORITY, order: 1e9, item: { kind: 'conntrack' } });
        }
        if (hasNat && hook !== 'forward') {
          const nat = here
            .filter(({ base }) => base!.type === 'nat')
            .sort((a, b) => a.base!.priority - b.base!.priority || b.base!.order - a.base!.order);
          const priority = hook === 'prerouting' || hook === 'output' ? NAT_DST_PRIORITY : NAT_SRC_PRIORITY;
          items.push({ priority, order: natOrder, item: { kind: 'nat', chains: nat } });
        }
        if (this.ipvs.length > 0 && (hook === 'input' || hook === 'output')) {
          const priority = hook === 'input' ? IPVS_IN_PRIORITY : IPVS_OUT_PRIORITY;
          items.push({ priority, order: 1e9, item: { kind: 'ipvs' } });
        }
        items.sort((a, b) => a.priority - b.priority || b.order - a.order);
        out.set(
          `${family} ${hook}`,
          items.map(({ item }) => item),
        );
      }
    }
    return out;
  }
}
