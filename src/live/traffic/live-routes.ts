/**
 * The router of the model, kept in step with the living one: after every change of routes the VIPs are looked up in the
 * living FIB, and where the answer is another one the model's route becomes that. All that one change brings is one
 * event for the flows.
 */
import type { Address } from '../../addr/address.js';
import { formatPrefix, type Prefix } from '../../addr/prefix.js';
import type { RouteNextHop } from '../../cluster/model.js';
import type { Route } from '../../state/router-state.js';
import { GroupUpkeep } from '../../timeline/group-upkeep.js';
import type { EventSource, TimelineEntry, TimelineListener } from '../../timeline/timeline.js';
import { EVENTS_KEPT } from '../event-book.js';
import type { NextHopView, RouterView } from '../router-view.js';
import type { LiveWorld } from './live-world.js';

/** What the engine of the moment wants to know beyond a replay's listener. */
export interface LiveListener extends TimelineListener {
  nodeAdded(): void;
}

export class LiveRoutes implements EventSource {
  /** by number of the event; old ones are taken out, so that the array stays small however long it is */
  readonly entries: TimelineEntry[] = [];
  private readonly upkeep: GroupUpkeep;
  /** per VIP: the prefix that its packets follow in the model */
  private readonly followed: (Prefix | null)[];
  private lastEvent = -1;
  private settings: string;

  constructor(
    private readonly world: LiveWorld,
    private readonly vips: readonly Address[],
    /** by VIP: 1 until it has had a route */
    private readonly dormant: Uint8Array,
    private readonly engine: () => LiveListener | null,
  ) {
    this.upkeep = new GroupUpkeep(world.router);
    this.followed = vips.map(() => null);
    this.settings = JSON.stringify(world.router.ecmp);
  }

  get dueS(): number {
    return this.upkeep.dueS;
  }

  advance(nowS: number): void {
    while (this.upkeep.dueS <= nowS) {
      const atS = this.upkeep.dueS;
      const changed = this.upkeep.run(atS);
      if (changed.length > 0) this.engine()?.routesChanged(changed, this.lastEvent, atS);
      this.upkeep.note();
    }
  }

  /** Whether some VIP would now be sent another way than the model sends it. */
  differs(view: RouterView): boolean {
    if (JSON.stringify(view.ecmp) !== this.settings) return true;
    return this.vips.some((vip, row) => {
      const entry = view.lookup(vip);
      const followed = this.followed[row] ?? null;
      if (entry === null || followed === null) return entry !== followed;
      if (formatPrefix(entry.prefix) !== formatPrefix(followed)) return true;
      const hops = distinct(entry.nextHops, (address) => this.world.find(address) ?? UNMET);
      return !sameHops(hops, this.routeOf(followed)?.nextHops ?? []);
    });
  }

  /** Takes over what the living FIB says, because of event number `event`. */
  follow(view: RouterView, event: number, entry: TimelineEntry, atS: number): void {
    const settings = JSON.stringify(view.ecmp);
    const rehashes = settings !== this.settings;
    // engines hash afresh at events of this kind
    this.entries[event] = rehashes ? { ...entry, kind: 'ecmp' } : entry;
    delete this.entries[event - EVENTS_KEPT];
    this.lastEvent = event;
    const engine = this.engine();
    engine?.eventStarts(event, atS);
    let added = 0;
    const onAdded = (): void => {
      added++;
      engine?.nodeAdded();
    };
    const changed = new Set<Route>();
    for (const [prefix, hops] of this.wanted(view, onAdded)) {
      if (sameHops(hops, this.routeOf(prefix)?.nextHops ?? [])) continue;
      changed.add(this.world.router.state(prefix, hops, atS));
    }
    if (rehashes) {
      this.settings = settings;
      this.world.router.configure(view.ecmp, atS);
      for (const route of this.world.router.routes) changed.add(route);
    }
    if (added > 0) engine?.placesChanged(event);
    if (changed.size > 0) engine?.routesChanged([...changed], event, atS);
    this.upkeep.note();
  }

  /** What the model's routes have to become: what some VIP follows, and nothing else, which could hide it. */
  private wanted(view: RouterView, onAdded: () => void): [Prefix, RouteNextHop[]][] {
    const wanted = new Map<string, [Prefix, RouteNextHop[]]>();
    for (const { prefix, nextHops } of this.world.router.routes) {
      if (nextHops.length > 0) wanted.set(formatPrefix(prefix), [prefix, []]);
    }
    this.vips.forEach((vip, row) => {
      const entry = view.lookup(vip);
      this.followed[row] = entry?.prefix ?? null;
      if (entry === null) return;
      this.dormant[row] = 0;
      const hops = distinct(entry.nextHops, (address) => this.world.nodeOf(address, onAdded));
      wanted.set(formatPrefix(entry.prefix), [entry.prefix, hops]);
    });
    return [...wanted.values()];
  }

  private routeOf(prefix: Prefix): Route | undefined {
    const name = formatPrefix(prefix);
    return this.world.router.routes.find((route) => formatPrefix(route.prefix) === name);
  }
}

/** stands for a next hop that no node has yet */
const UNMET = -1;

/** Next hops as nodes: a node that stands in the list with two addresses is one with both weights. */
function distinct(hops: readonly NextHopView[], nodeOf: (address: Address) => number): RouteNextHop[] {
  const weights = new Map<number, number>();
  for (const { address, weight } of hops) {
    const node = nodeOf(address);
    weights.set(node, Math.min(65535, (weights.get(node) ?? 0) + weight));
  }
  return [...weights].map(([node, weight]) => ({ node, weight }));
}

function sameHops(a: readonly RouteNextHop[], b: readonly RouteNextHop[]): boolean {
  return (
    a.length === b.length && a.every(({ node, weight }, i) => node === b[i]!.node && weight === b[i]!.weight)
  );
}
