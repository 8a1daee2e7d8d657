/** The records of the API, made from the view of the router and the traffic at the moment of the question. */
import { type Address, formatAddress } from '../../addr/address.js';
import { formatPrefix } from '../../addr/prefix.js';
import type { EventBook } from '../event-book.js';
import type { FibEntryView, PeerView, RouterView, RouteView } from '../router-view.js';
import type { LiveTraffic, VipLoad } from '../traffic/live-traffic.js';
import type {
  FibNextHop,
  FibRecord,
  PeerRecord,
  RouteRecord,
  SummaryRecord,
  VipRecord,
} from './api-records.js';

/** Tables beyond this (Maglev) are shown as shares only. */
const MAX_BUCKETS_SHOWN = 1024;
const EVENTS_SHOWN = 60;
const FIB_SHOWN = 24;

export interface LiveParts {
  readonly view: RouterView;
  readonly traffic: LiveTraffic | null;
  readonly book: EventBook;
  readonly version: string;
}

export function summaryRecord({ view, traffic, book, version }: LiveParts, nowMs: number): SummaryRecord {
  return {
    schema: 'flowfate/live/1',
    version,
    time: Math.round(nowMs),
    router: {
      asn: view.asn,
      routerId: view.routerId,
      listen: view.listen,
      uptime: seconds(nowMs - view.startedMs),
      ecmp: view.ecmp,
    },
    peers: view.peers().map((peer) => peerRecord(peer, nowMs)),
    families: view.tables(),
    vips: traffic === null ? [] : traffic.vipLoads().map((load) => vipRecord(load, view, traffic)),
    fib: traffic === null ? view.fib(0, FIB_SHOWN).rows.map((entry) => fibRecord(entry, null)) : [],
    traffic: traffic?.record() ?? null,
    events: book.newest(EVENTS_SHOWN),
    history: traffic === null ? [] : [...traffic.samples.from(0)],
  };
}

export function peerRecord(peer: PeerView, nowMs: number): PeerRecord {
  const sum = (field: 'received' | 'accepted' | 'sent'): number =>
    peer.families.reduce((total, family) => total + family[field], 0);
  return {
    peer: peer.id,
    address: peer.address,
    port: peer.port,
    asn: peer.asn,
    routerId: peer.routerId,
    state: peer.state,
    stateFor: seconds(nowMs - peer.sinceMs),
    uptime: peer.establishedMs === null ? null : seconds(nowMs - peer.establishedMs),
    received: sum('received'),
    accepted: sum('accepted'),
    sent: sum('sent'),
    families: peer.families,
    holdTime: peer.holdTimeS,
    messages: { in: peer.messagesIn, out: peer.messagesOut },
    updates: { in: peer.updatesIn, out: peer.updatesOut },
    flaps: peer.flaps,
    lastError: peer.lastError,
    lastReset: peer.lastReset === null ? null : resetRecord(peer.lastReset),
    notifications: { in: peer.notificationsIn, out: peer.notificationsOut },
    shutDown: peer.shutDown,
    draining: peer.draining,
  };
}

function resetRecord({ atMs, ...rest }: NonNullable<PeerView['lastReset']>): PeerRecord['lastReset'] {
  return { time: Math.round(atMs), ...rest };
}

export function routeRecord(route: RouteView): RouteRecord {
  const { prefix, nextHop, ageS, ...rest } = route;
  return {
    prefix: formatPrefix(prefix),
    ...rest,
    nextHop: nextHop === null ? null : formatAddress(nextHop),
    age: ageS,
  };
}

export function fibRecord(entry: FibEntryView, traffic: LiveTraffic | null): FibRecord {
  const { buckets } = entry;
  const share = shares(entry);
  return {
    prefix: formatPrefix(entry.prefix),
    nextHops: entry.nextHops.map(
      ({ address, weight }, i): FibNextHop => ({
        nextHop: formatAddress(address),
        weight,
        node: traffic?.nodeName(address) ?? null,
        share: share[i]!,
      }),
    ),
    buckets: buckets === null || buckets.length > MAX_BUCKETS_SHOWN ? null : [...buckets],
  };
}

function vipRecord(load: VipLoad, view: RouterView, traffic: LiveTraffic): VipRecord {
  const entry = view.lookup(load.address);
  // the flows' own group: a resilient one remembers what they used
  const record = entry === null ? null : fibRecord({ ...entry, buckets: load.buckets }, traffic);
  const onHop = (address: Address): number => load.onNode(address);
  return {
    vip: formatAddress(load.address),
    service: load.service,
    route:
      record === null
        ? null
        : {
            ...record,
            nextHops: record.nextHops.map((hop, i) => ({
              ...hop,
              flowsActive: onHop(entry!.nextHops[i]!.address),
            })),
          },
    flowsActive: load.active,
    flowsStalled: load.stalled,
    flowsBroken: load.broken,
  };
}

/** Each next hop's share of the hash space: of the buckets, or by weight. */
function shares({ nextHops, buckets }: FibEntryView): number[] {
  const counts = nextHops.map(({ weight }) => (buckets === null ? weight : 0));
  for (const owner of buckets ?? []) if (owner >= 0 && owner < counts.length) counts[owner]!++;
  const whole = buckets?.length ?? counts.reduce((sum, weight) => sum + weight, 0);
  return counts.map((count) => (whole === 0 ? 0 : Math.round((count / whole) * 1e4) / 1e4));
}

function seconds(ms: number): number {
  return Math.max(0, Math.round(ms) / 1000);
}
