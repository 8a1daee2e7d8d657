/**
 * The top-of-rack router at one moment: who announces what, the routes that follow, and the next-hop groups of
 * its FIB. A timeline changes it; the router hop asks it.
 *
 * A VIP's route comes from one of three places, in this order: `route` entries of the timeline (then they alone
 * decide), the scenario's `routes` changed by who announces and withdraws, or the announcing nodes alone.
 * Next hops are known by their node's row. A router whose routes somebody else decides (a live one) begins without
 * any and takes them as they are stated.
 *
 * Next-hop health, as observed on Linux 6.18 (test/lab/next-hop-health):
 *
 * |                 | neighbour FAILED                       | carrier lost                              | carrier back |
 * |-----------------|----------------------------------------|-------------------------------------------|--------------|
 * | legacy route    | keeps its share: a black hole; passed over with useNeigh (IPv4) | keeps its share; with ignoreLinkdown out, bounds anew | as before |
 * | nexthop objects | passed over                            | out of the group, bounds anew             | stays out until the daemon programs it |
 * | resilient group | keeps its buckets: a black hole        | out of the group, its buckets refilled    | stays out, too |
 */
import { type Address, compareAddresses } from '../addr/address.js';
import { formatPrefix, hostPrefix, type Prefix, prefixContains } from '../addr/prefix.js';
import { USUAL_PREFERENCE } from '../cluster/defaults.js';
import type { ClusterModel, EcmpSettings, RouteNextHop } from '../cluster/model.js';
import { FlowfateError } from '../errors.js';
import { createFlowHash, type FlowHash } from '../hash/flow-hash.js';
import { createNextHopGroup } from '../route/create-group.js';
import { Fib } from '../route/fib.js';
import { HashThresholdGroup } from '../route/hash-threshold.js';
import type { NextHopGroup } from '../route/next-hop-group.js';
import { addressOf, type ClusterState } from './cluster-state.js';

/** How long zebra keeps the id of a vanished next hop, and with it its place in the group (FRR default). */
const ARRIVAL_KEEP_S = 180;

export interface Route {
  readonly prefix: Prefix;
  /** services whose VIPs the prefix covers */
  readonly services: readonly number[];
  nextHops: readonly RouteNextHop[];
  /** `route` entries of the timeline alone change it */
  readonly stated: boolean;
  readonly weights: ReadonlyMap<number, number>;
  /** nodes that the scenario's route lists (true) or leaves out (false) against the announcement rules */
  readonly pinned: Map<number, boolean>;
  /** order of first sight, for `order: arrival`, with the time a hop was last in use */
  readonly arrival: Map<number, { place: number; lastS: number }>;
  group: NextHopGroup | null;
}

export class RouterState {
  readonly fib = new Fib();
  readonly routes: Route[];
  ecmp: EcmpSettings;
  hash: FlowHash;
  /** per node: it has withdrawn its announcements */
  readonly withdrawn: boolean[];
  /** per node: the router holds a session with its speaker (or still believes so) */
  readonly session: boolean[];
  /** per node: marked node.kubernetes.io/exclude-from-external-load-balancers */
  readonly excluded: boolean[];
  /** nodes whose neighbour entry is FAILED; whose link has no carrier; whose next hop the kernel has taken out */
  private readonly failed = new Set<number>();
  private readonly linkDown = new Set<number>();
  private readonly removed = new Set<number>();

  constructor(
    private readonly model: ClusterModel,
    private readonly cluster: ClusterState,
    follows: 'model' | 'statements' = 'model',
  ) {
    this.ecmp = model.router.ecmp;
    this.hash = createFlowHash(this.ecmp);
    this.withdrawn = model.nodes.map((node) => node.announces === false);
    this.session = model.nodes.map(() => true);
    this.excluded = model.nodes.map(() => false);
    this.routes =
      follows === 'statements' ? [] : routePrefixes(model).map((prefix) => this.initialRoute(prefix));
  }

  /**
   * With what preference the router would list `node` for the VIPs of a service inside a prefix, by MetalLB's rules; -1:
   * not at all.
   */
  private preference(node: number, service: number, prefix: Prefix): number {
    if (this.withdrawn[node] || !this.session[node]) return -1;
    const { announces } = this.model.nodes[node]!;
    if (announces !== 'auto') return USUAL_PREFERENCE;
    if (this.excluded[node]) return -1;
    const { externalTrafficPolicy, announcers } = this.model.services[service]!;
    const own = announcers?.filter(
      (one) => one.node === node && (one.vips ?? [prefix.address]).some((vip) => prefixContains(prefix, vip)),
    );
    if (own?.length === 0) return -1;
    if (!this.cluster.hasEndpoint(service, externalTrafficPolicy === 'Local' ? node : null)) return -1;
    return own === undefined ? USUAL_PREFERENCE : Math.max(...own.map(({ preference }) => preference));
  }

  /** Recomputes every route that follows from announcements. Returns the routes that changed. */
  refresh(nowS: number): Route[] {
    return this.routes.filter((route) => {
      if (route.stated) return false;
      const wanted = this.announcers(route);
      const present = new Set(route.nextHops.map((hop) => hop.node));
      if (wanted.length === present.size && wanted.every((node) => present.has(node))) return false;
      this.setNextHops(route, this.listed(route, wanted, nowS), nowS);
      return true;
    });
  }

  /** The bare effect: the route to `prefix` became this. */
  state(prefix: Prefix, nextHops: readonly RouteNextHop[], nowS: number): Route {
    const text = formatPrefix(prefix);
    let route = this.routes.find((r) => formatPrefix(r.prefix) === text);
    if (route === undefined) {
      route = this.emptyRoute(prefix, true, new Map());
      this.routes.push(route);
    }
    // a daemon that states a route programs its next hops
    for (const { node } of nextHops) if (!this.linkDown.has(node)) this.removed.delete(node);
    this.setNextHops(route, nextHops, nowS);
    return route;
  }

  /** From now on the announcement rules decide for `node`, whatever the scenario's routes said. */
  unpin(node: number): void {
    for (const route of this.routes) route.pinned.delete(node);
  }

  /** New settings of hash and selection: every group is made afresh. */
  configure(settings: EcmpSettings, nowS: number): void {
    this.ecmp = settings;
    this.hash = createFlowHash(settings);
    for (const route of this.routes) {
      route.group = null;
      this.setNextHops(route, route.nextHops, nowS);
    }
  }

  /** Packets that are sent to `node` now are lost on the way. */
  isDeadEnd(node: number): boolean {
    return this.failed.has(node) || this.linkDown.has(node);
  }

  /** The neighbour entry of a node changed. Returns the routes that choose otherwise now. */
  setNeighbour(node: number, state: 'reachable' | 'failed'): Route[] {
    this.needKernel(state === 'failed' ? 'neighborFailed' : 'neighborReachable');
    if (state === 'failed') this.failed.add(node);
    else this.failed.delete(node);
    const through = this.routes.filter(({ nextHops }) => nextHops.some((hop) => hop.node === node));
    return through.filter((route) => this.passOver(route));
  }

  /** The link to a node lost its carrier or got it back. Returns the routes that choose otherwise now. */
  setLink(node: number, state: 'up' | 'down', nowS: number): Route[] {
    this.needKernel(state === 'down' ? 'linkDown' : 'linkUp');
    const { select, nexthops, ignoreLinkdown } = this.ecmp;
    const asObjects = select === 'resilient' || nexthops === 'objects';
    if (state === 'up') {
      this.linkDown.delete(node);
      return asObjects ? [] : this.restore(node, nowS);
    }
    this.linkDown.add(node);
    if (!asObjects && ignoreLinkdown !== true) return [];
    this.removed.add(node);
    return this.reprogram(node, nowS);
  }

  /** The next hop of a node that the kernel has taken out is programmed again. Returns the changed routes. */
  restore(node: number, nowS: number): Route[] {
    if (this.linkDown.has(node) || !this.removed.delete(node)) return [];
    return this.reprogram(node, nowS);
  }

  private reprogram(node: number, nowS: number): Route[] {
    const through = this.routes.filter(({ nextHops }) => nextHops.some((hop) => hop.node === node));
    for (const route of through) this.setNextHops(route, route.nextHops, nowS);
    return through;
  }

  /** What a neighbour's or a link's state does to a next hop is known of Linux only. */
  private needKernel(verb: string): void {
    const { select } = this.ecmp;
    if (select === 'hash-threshold' || select === 'resilient') return;
    throw new FlowfateError(
      'config',
      `${verb} is known of the Linux kernel only: it goes with select hash-threshold or resilient, not ${select}`,
    );
  }

  /** Whether the group passes over failed neighbours; tells it which. */
  private passOver({ group, prefix }: Route): boolean {
    const { nexthops, useNeigh } = this.ecmp;
    // the sysctl is IPv4's alone
    const looks = nexthops === 'objects' || (useNeigh === true && prefix.address.family === 4);
    if (!looks || !(group instanceof HashThresholdGroup)) return false;
    group.passOver(this.failed);
    return true;
  }

  private setNextHops(route: Route, nextHops: readonly RouteNextHop[], nowS: number): void {
    for (const hop of route.nextHops) route.arrival.get(hop.node)!.lastS = nowS;
    for (const hop of nextHops) this.remember(route, hop.node, nowS);
    route.nextHops = nextHops;
    const weighted = nextHops
      .filter(({ node }) => !this.removed.has(node))
      .map(({ node, weight }) => ({ id: node, weight }));
    if (weighted.length === 0) {
      this.fib.remove(route.prefix);
      if (this.ecmp.replace === 'fresh-group') route.group = null;
      return;
    }
    if (route.group === null) route.group = this.makeGroup(weighted, nowS);
    else route.group.replace(weighted, nowS);
    this.passOver(route);
    this.fib.set(route.prefix, route.group);
  }

  private makeGroup(nextHops: readonly { id: number; weight: number }[], nowS: number): NextHopGroup {
    return createNextHopGroup({ ...this.ecmp, hashBits: this.hash.bits }, nextHops, nowS);
  }

  private initialRoute(prefix: Prefix): Route {
    const text = formatPrefix(prefix);
    const given = this.model.router.routes.find((r) => formatPrefix(r.prefix) === text);
    const stated = this.model.timeline.some((e) => e.kind === 'route' && formatPrefix(e.prefix) === text);
    const weights = new Map(given?.nextHops.map((hop) => [hop.node, hop.weight]));
    const route = this.emptyRoute(prefix, stated, weights);
    const byRule = this.announcers(route);
    if (given === undefined) {
      this.setNextHops(route, this.listed(route, byRule, 0), 0);
      return route;
    }
    this.setNextHops(route, given.nextHops, 0);
    for (let node = 0; node < this.model.nodes.length; node++) {
      const stated = given.nextHops.some((hop) => hop.node === node);
      if (stated !== byRule.includes(node)) route.pinned.set(node, stated);
    }
    return route;
  }

  private emptyRoute(prefix: Prefix, stated: boolean, weights: Map<number, number>): Route {
    const services = this.model.services.flatMap((service, row) =>
      service.vips.some((vip) => prefixContains(prefix, vip)) ? [row] : [],
    );
    return {
      prefix,
      services,
      nextHops: [],
      stated,
      weights,
      pinned: new Map(),
      arrival: new Map(),
      group: null,
    };
  }

  private announcers(route: Route): number[] {
    const { prefix, services, pinned } = route;
    const { family } = prefix.address;
    const preferences = this.model.nodes.map(({ addresses }, node) => {
      if (addressOf(addresses, family) === null) return -1;
      return Math.max(-1, ...services.map((service) => this.preference(node, service, prefix)));
    });
    // of paths with different LOCAL_PREF the highest alone share the traffic (RFC 4271, 9.1.2)
    const highest = Math.max(0, ...preferences.filter((_, node) => !pinned.has(node)));
    return preferences.flatMap((preference, node) => {
      const announced = pinned.get(node) ?? preference >= highest;
      return announced && addressOf(this.model.nodes[node]!.addresses, family) !== null ? [node] : [];
    });
  }

  /** `nodes` in the order of the router's table: the ones that stay keep their places. */
  private listed(route: Route, nodes: readonly number[], nowS: number): RouteNextHop[] {
    // a hop in use is not forgotten, however long ago it came
    for (const hop of route.nextHops) route.arrival.get(hop.node)!.lastS = nowS;
    for (const node of nodes) this.remember(route, node, nowS);
    const list = route.nextHops.filter((hop) => nodes.includes(hop.node));
    for (const node of nodes) {
      if (list.some((hop) => hop.node === node)) continue;
      const hop = { node, weight: route.weights.get(node) ?? 1 };
      const at = list.findIndex((other) => this.comesBefore(route, hop, other));
      list.splice(at < 0 ? list.length : at, 0, hop);
    }
    return list;
  }

  private comesBefore(route: Route, a: RouteNextHop, b: RouteNextHop): boolean {
    if (this.ecmp.order === 'arrival')
      return route.arrival.get(a.node)!.place < route.arrival.get(b.node)!.place;
    if (a.weight !== b.weight) return a.weight > b.weight;
    const family = route.prefix.address.family;
    const address = (hop: RouteNextHop): Address => addressOf(this.model.nodes[hop.node]!.addresses, family)!;
    return compareAddresses(address(a), address(b)) < 0;
  }

  private remember(route: Route, node: number, nowS: number): void {
    const known = route.arrival.get(node);
    if (known !== undefined && nowS - known.lastS <= ARRIVAL_KEEP_S) {
      known.lastS = nowS;
      return;
    }
    const place = 1 + Math.max(-1, ...[...route.arrival.values()].map((seen) => seen.place));
    route.arrival.set(node, { place, lastS: nowS });
  }
}

/** Every prefix the router may hold: stated ones, and a host route for each VIP that none of them covers. */
function routePrefixes(model: ClusterModel): Prefix[] {
  const prefixes = new Map<string, Prefix>();
  const add = (prefix: Prefix): void => void prefixes.set(formatPrefix(prefix), prefix);
  for (const route of model.router.routes) add(route.prefix);
  for (const prefix of model.router.aggregates ?? []) add(prefix);
  for (const event of model.timeline) if (event.kind === 'route') add(event.prefix);
  for (const service of model.services) {
    for (const vip of service.vips) {
      if (![...prefixes.values()].some((prefix) => prefixContains(prefix, vip))) add(hostPrefix(vip));
    }
  }
  return [...prefixes.values()];
}
