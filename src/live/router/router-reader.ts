/** A live router as page, API, metrics and live traffic read it: the tables and sessions as values of one moment. */
import { type Address, formatAddress, formatIpv4 } from '../../addr/address.js';
import type { Prefix } from '../../addr/prefix.js';
import { type FamilyKey, familyName } from '../../bgp/codec/address-family.js';
import { notificationKey } from '../../bgp/codec/notification-code.js';
import type { FamilyRib } from '../../bgp/rib/family-rib.js';
import { NO_HOPS } from '../../bgp/rib/next-hop-set-table.js';
import {
  findPrefix,
  pathPage,
  prefixOfRow,
  type RibRoute,
  ribOf,
  routedPrefixes,
  routesOf,
  stalePaths,
} from '../../bgp/rib/rib-reader.js';
import type { Peer } from '../../bgp/session/peer.js';
import type { Speaker } from '../../bgp/session/speaker.js';
import type {
  FibEntryView,
  Page,
  PeerView,
  RouteQuery,
  RouterEvent,
  RouterView,
  RouteView,
  TableView,
} from '../router-view.js';
import type { LiveRouter } from './live-router.js';
import { nextHopViews } from './route-events.js';
import { routeView } from './route-views.js';

export class RouterReader implements RouterView {
  constructor(
    private readonly router: LiveRouter,
    private readonly speaker: Speaker,
    /** where it listens */
    readonly listen: readonly string[],
  ) {}

  get asn(): number {
    return this.router.config.local.asn;
  }

  get routerId(): string {
    return formatIpv4(this.router.config.local.bgpIdentifier);
  }

  get startedMs(): number {
    return this.router.startedMs;
  }

  get ecmp(): RouterView['ecmp'] {
    return this.router.config.ecmp;
  }

  peers(): readonly PeerView[] {
    return this.speaker.peers().map((peer) => this.peer(peer));
  }

  tables(): readonly TableView[] {
    return this.router.rib.families.map((rib) => ({
      family: familyName(rib.family),
      prefixes: rib.bestCount,
      routes: rib.received.reduce((sum, count) => sum + count, 0),
      fib: rib.routedCount,
    }));
  }

  routes(query: RouteQuery): Page<RouteView> {
    return this.pageOf(query, ({ attributes }) => attributes);
  }

  /** The same as its peers announced them, before the import policies. */
  received(query: RouteQuery): Page<RouteView> {
    return this.pageOf(query, ({ received }) => received);
  }

  fib(offset: number, limit: number): Page<FibEntryView> {
    const { ipv4, ipv6 } = this.router.rib;
    const first = routedPrefixes(ipv4, offset, limit);
    const left = limit - first.rows.length;
    const second = routedPrefixes(ipv6, Math.max(0, offset - first.total), left);
    return {
      total: first.total + second.total,
      rows: [
        ...first.rows.map((row) => this.entry(ipv4, row)),
        ...second.rows.map((row) => this.entry(ipv6, row)),
      ],
    };
  }

  lookup(address: Address): FibEntryView | null {
    const { rib, fib } = this.router;
    const row = fib.match(address);
    return row < 0 ? null : this.entry(address.family === 4 ? rib.ipv4 : rib.ipv6, row);
  }

  /** The entry of exactly that prefix, or null. */
  entryOf(prefix: Prefix): FibEntryView | null {
    const { rib } = this.router;
    const of = ribOf(rib, prefix);
    const row = findPrefix(rib, prefix);
    return row < 0 || of.hops[row] === NO_HOPS ? null : this.entry(of, row);
  }

  subscribe(listener: (event: RouterEvent) => void): () => void {
    return this.router.subscribe(listener);
  }

  peer(peer: Peer): PeerView {
    const { settings, session, traffic, stateName, sinceMs, establishedMs } = peer;
    const { flaps, lastError, lastReset, remote } = peer;
    const info = session?.info ?? null;
    const families = info?.context.families ?? new Set(settings.families);
    return {
      id: settings.id,
      address: formatAddress(settings.address),
      port: info?.remotePort ?? null,
      asn: settings.asn ?? remote?.asn ?? null,
      routerId: remote === null ? null : formatIpv4(remote.bgpIdentifier),
      state: stateName,
      sinceMs,
      establishedMs,
      families: [...families].map((family) => this.family(settings.id, family)),
      holdTimeS: info?.holdTimeS ?? null,
      ...traffic,
      flaps,
      lastError,
      lastReset:
        lastReset === null
          ? null
          : {
              ...lastReset,
              notification:
                lastReset.notification === null
                  ? null
                  : notificationKey(lastReset.notification.code, lastReset.notification.subcode),
            },
      notificationsIn: Object.fromEntries(peer.notificationsIn),
      notificationsOut: Object.fromEntries(peer.notificationsOut),
      shutDown: peer.isShutDown,
      draining: this.router.isDraining(settings.id),
    };
  }

  private family(id: string, family: FamilyKey): PeerView['families'][number] {
    const { rib } = this.router;
    const row = this.router.rowOf(id);
    const name = familyName(family);
    if (row < 0) return { family: name, received: 0, accepted: 0, sent: 0, stale: 0 };
    const { received, accepted, announced } = rib.counts(row, family);
    const of = rib.familyRib(family);
    const hasStale = of !== null && this.speaker.peer(id)?.staleFamilies.includes(family) === true;
    return { family: name, received, accepted, sent: announced, stale: hasStale ? stalePaths(of, row) : 0 };
  }

  private pageOf(query: RouteQuery, pick: (route: RibRoute) => RibRoute['attributes']): Page<RouteView> {
    const { rib } = this.router;
    const row = query.peer === null ? null : this.router.rowOf(query.peer);
    if (row === -1) return { total: 0, rows: [] };
    if (query.prefix !== null) return this.pageOfFamily(ribOf(rib, query.prefix), query, row, pick);
    const first = this.pageOfFamily(rib.ipv4, query, row, pick);
    const offset = Math.max(0, query.offset - first.total);
    const limit = query.limit - first.rows.length;
    const second = this.pageOfFamily(rib.ipv6, { ...query, offset, limit }, row, pick);
    return { total: first.total + second.total, rows: [...first.rows, ...second.rows] };
  }

  private pageOfFamily(
    of: FamilyRib,
    { prefix, match, offset, limit }: RouteQuery,
    peer: number | null,
    pick: (route: RibRoute) => RibRoute['attributes'],
  ): Page<RouteView> {
    const routesOfRow = (row: number): RouteView[] =>
      this.routesOfRow(of, row, pick, (route) => peer === null || route.peer === peer);
    if (prefix !== null && match === 'exact') {
      const exact = findPrefix(this.router.rib, prefix);
      const routes = exact < 0 ? [] : routesOfRow(exact);
      return { total: routes.length, rows: routes.slice(offset, offset + limit) };
    }
    const { total, rows, skip } = pathPage(of, { prefix, peer }, offset, limit);
    return { total, rows: rows.flatMap(routesOfRow).slice(skip, skip + limit) };
  }

  private routesOfRow(
    of: FamilyRib,
    row: number,
    pick: (route: RibRoute) => RibRoute['attributes'],
    wants: (route: RibRoute) => boolean,
  ): RouteView[] {
    const prefix = prefixOfRow(of, row);
    const family = familyName(of.family);
    return routesOf(this.router.rib, of, row, this.router.nowS)
      .filter(wants)
      .map((route) => {
        const peer = this.router.peerOfRow(route.peer);
        return routeView(route, { prefix, family, peer, nextHop: route.nextHop, attributes: pick(route) });
      });
  }

  /** The entry of a prefix row that has a next hop. */
  entry(of: FamilyRib, row: number): FibEntryView {
    const { rib, fib } = this.router;
    const nextHops = nextHopViews(rib, of.hops[row]!);
    const hops = rib.hopSets.hopsOf(of.hops[row]!);
    const owners = fib.groupOf(of, row)?.table() ?? null;
    const buckets = owners === null ? null : owners.map((id) => hops.indexOf(id));
    return { prefix: prefixOfRow(of, row), nextHops, buckets };
  }
}
