/** A live router as page, API, metrics and live traffic read it: the tables and sessions as values of one moment. */
import { type Address, formatAddress, formatIpv4 } from '../../addr/address.js';
import type { Prefix } from '../../addr/prefix.js';
import type { AsPathSegment } from '../../bgp/attribute/002-as-path.js';
import { SEGMENT } from '../../bgp/attribute/002-as-path.js';
import { formatCommunity } from '../../bgp/attribute/008-communities.js';
import type { LargeCommunity } from '../../bgp/attribute/032-large-communities.js';
import type { PathAttribute } from '../../bgp/attribute/descriptor.js';
import { DESCRIPTOR_OF } from '../../bgp/attribute/registry.js';
import { type FamilyKey, familyName } from '../../bgp/codec/address-family.js';
import type { FamilyRib } from '../../bgp/rib/family-rib.js';
import {
  findPrefix,
  prefixesInside,
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
  RouterEvent,
  RouterView,
  RouteView,
  TableView,
} from '../router-view.js';
import type { LiveRouter } from './live-router.js';
import { nextHopViews } from './route-events.js';

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

  routes(prefix: Prefix, match: 'exact' | 'longer', limit: number): Page<RouteView> {
    const { rib } = this.router;
    const of = ribOf(rib, prefix);
    const exact = findPrefix(rib, prefix);
    const found =
      match === 'longer'
        ? prefixesInside(rib, prefix, limit)
        : { total: exact < 0 ? 0 : 1, rows: exact < 0 ? [] : [exact] };
    const rows = found.rows.flatMap((row) => this.routeRows(of, row));
    return { total: Math.max(found.total, rows.length), rows: rows.slice(0, limit) };
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

  subscribe(listener: (event: RouterEvent) => void): () => void {
    return this.router.subscribe(listener);
  }

  private peer(peer: Peer): PeerView {
    const { settings, session, traffic, stateName, sinceMs, establishedMs, flaps, lastError, remote } = peer;
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

  private routeRows(of: FamilyRib, row: number): RouteView[] {
    const prefix = prefixOfRow(of, row);
    return routesOf(this.router.rib, of, row, this.router.nowS).map((route) => this.route(of, prefix, route));
  }

  private route(of: FamilyRib, prefix: Prefix, route: RibRoute): RouteView {
    const value = (code: number): unknown => attributeValue(route.attributes, code);
    return {
      prefix,
      family: familyName(of.family),
      peer: this.router.peerOfRow(route.peer),
      nextHop: route.nextHop,
      best: route.best,
      multipath: route.multipath && !route.best,
      excluded: route.excluded,
      stale: route.stale !== 'no',
      longLivedStale: route.stale === 'longLived',
      ageS: route.ageS,
      origin: ORIGINS[(value(1) as number | undefined) ?? 2] ?? 'incomplete',
      asPath: pathText((value(2) as readonly AsPathSegment[] | undefined) ?? []),
      localPref: (value(5) as number | undefined) ?? null,
      med: (value(4) as number | undefined) ?? null,
      communities: ((value(8) as readonly number[] | undefined) ?? []).map(formatCommunity),
      largeCommunities: ((value(32) as readonly LargeCommunity[] | undefined) ?? []).map((c) => c.join(':')),
      extendedCommunities: [16, 25].flatMap((code) => attributeTexts(route.attributes, code)),
    };
  }

  private entry(of: FamilyRib, row: number): FibEntryView {
    const { rib, fib } = this.router;
    const nextHops = nextHopViews(rib, of.hops[row]!);
    const hops = rib.hopSets.hopsOf(of.hops[row]!);
    const owners = fib.groupOf(of, row)?.table() ?? null;
    const buckets = owners === null ? null : owners.map((id) => hops.indexOf(id));
    return { prefix: prefixOfRow(of, row), nextHops, buckets };
  }
}

const ORIGINS = ['igp', 'egp', 'incomplete'];

/** A malformed attribute has octets where a value is expected: it counts as absent. */
function attributeValue(attributes: readonly PathAttribute[], code: number): unknown {
  const found = attributes.find((attribute) => attribute.code === code && attribute.fault === undefined);
  return found?.value;
}

/** Each value of an attribute that is a list, as its descriptor writes it. */
function attributeTexts(attributes: readonly PathAttribute[], code: number): string[] {
  const value = attributeValue(attributes, code);
  return value === undefined ? [] : (DESCRIPTOR_OF[code]!.toJson(value) as string[]);
}

/** `64512 {64513,64514} (65001 65002)` */
function pathText(segments: readonly AsPathSegment[]): string {
  return segments
    .map(({ type, asns }) => {
      switch (type) {
        case SEGMENT.set:
          return `{${asns.join(',')}}`;
        case SEGMENT.confedSequence:
          return `(${asns.join(' ')})`;
        case SEGMENT.confedSet:
          return `[${asns.join(',')}]`;
        default:
          return asns.join(' ');
      }
    })
    .join(' ');
}
