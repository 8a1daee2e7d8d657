/** A router view that a test holds in its hands: no sessions, a FIB that becomes what the test says. */
import { type Address, formatAddress, parseAddress } from '../../src/addr/address.js';
import { formatPrefix, type Prefix, parsePrefix, prefixContains } from '../../src/addr/prefix.js';
import type { EcmpSettings } from '../../src/cluster/model.js';
import type {
  FibEntryView,
  NextHopView,
  Page,
  PeerView,
  RouteCause,
  RouteQuery,
  RouterEvent,
  RouterView,
  RouteView,
  SessionState,
  TableView,
} from '../../src/live/router-view.js';
import { createNextHopGroup } from '../../src/route/create-group.js';

export const ECMP: EcmpSettings = {
  hash: 'linux-l4',
  fields: 0x37,
  seed: 1592639710,
  select: 'hash-threshold',
  order: 'address',
  buckets: 64,
  idleTimerS: 120,
  unbalancedTimerS: 0,
  replace: 'in-place',
};

export class MadeRouter implements RouterView {
  asn = 64512;
  routerId = '10.0.0.254';
  listen = ['127.0.0.1:1790'];
  startedMs = 1_000_000;
  ecmp: EcmpSettings;
  readonly peerRows: PeerView[] = [];
  readonly routeRows: RouteView[] = [];
  private readonly entries = new Map<string, { prefix: Prefix; nextHops: readonly NextHopView[] }>();
  private readonly listeners = new Set<(event: RouterEvent) => void>();

  constructor(ecmp: Partial<EcmpSettings> = {}) {
    this.ecmp = { ...ECMP, ...ecmp };
  }

  peers(): readonly PeerView[] {
    return this.peerRows;
  }

  tables(): readonly TableView[] {
    const count = (family: 4 | 6): number =>
      [...this.entries.values()].filter(({ prefix }) => prefix.address.family === family).length;
    return [
      { family: 'ipv4-unicast', prefixes: count(4), routes: count(4), fib: count(4) },
      { family: 'ipv6-unicast', prefixes: count(6), routes: count(6), fib: count(6) },
    ];
  }

  routes({ prefix, match, peer, offset, limit }: RouteQuery): Page<RouteView> {
    const rows = this.routeRows.filter(
      (route) =>
        (peer === null || route.peer === peer) &&
        (prefix === null ||
          (match === 'exact'
            ? formatPrefix(route.prefix) === formatPrefix(prefix)
            : route.prefix.length >= prefix.length && prefixContains(prefix, route.prefix.address))),
    );
    return { total: rows.length, rows: rows.slice(offset, offset + limit) };
  }

  fib(offset: number, limit: number): Page<FibEntryView> {
    const rows = [...this.entries.values()].slice(offset, offset + limit);
    return { total: this.entries.size, rows: rows.map((entry) => this.shown(entry)) };
  }

  lookup(address: Address): FibEntryView | null {
    let best: { prefix: Prefix; nextHops: readonly NextHopView[] } | null = null;
    for (const entry of this.entries.values()) {
      if (prefixContains(entry.prefix, address) && entry.prefix.length >= (best?.prefix.length ?? 0))
        best = entry;
    }
    return best === null ? null : this.shown(best);
  }

  subscribe(listener: (event: RouterEvent) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  get subscribers(): number {
    return this.listeners.size;
  }

  // -- what the test does

  /** The route to `text` becomes `hops` ("10.0.0.1", "10.0.0.2*3"); none = no route. Returns the event. */
  route(text: string, hops: readonly string[], atMs: number, cause?: RouteCause): RouterEvent {
    const prefix = parsePrefix(text)!;
    const name = formatPrefix(prefix);
    const before = this.entries.get(name)?.nextHops ?? [];
    const after = hops.map(nextHopOf);
    if (after.length === 0) this.entries.delete(name);
    else this.entries.set(name, { prefix, nextHops: after });
    const event: RouterEvent = {
      kind: 'routes',
      atMs,
      peer: '10.0.0.1',
      cause: cause ?? (after.length < before.length ? 'withdraw' : 'announce'),
      total: 1,
      changes: [{ prefix, before, after }],
    };
    this.tell(event);
    return event;
  }

  /** A peer comes into a state. */
  peer(address: string, asn: number, state: SessionState, atMs: number, reason: string | null = null): void {
    const at = this.peerRows.findIndex((row) => row.address === address);
    const before = this.peerRows[at];
    const up = state === 'Established';
    const row: PeerView = {
      id: address,
      address,
      port: 179,
      asn,
      routerId: up ? address : null,
      state,
      sinceMs: atMs,
      establishedMs: up ? atMs : null,
      families: [{ family: 'ipv4-unicast', received: up ? 2 : 0, accepted: up ? 1 : 0, sent: 0, stale: 0 }],
      holdTimeS: up ? 90 : null,
      messagesIn: 5,
      messagesOut: 4,
      updatesIn: 2,
      updatesOut: 0,
      flaps: (before?.flaps ?? 0) + (before?.state === 'Established' && !up ? 1 : 0),
      lastError: reason,
      lastReset:
        before?.state === 'Established' && !up
          ? { atMs, reason: reason ?? 'gone', notification: '6/2', sentBy: 'peer' }
          : (before?.lastReset ?? null),
      notificationsIn:
        before?.state === 'Established' && !up ? { '6/2': 1 } : (before?.notificationsIn ?? {}),
      notificationsOut: {},
      shutDown: false,
      draining: false,
    };
    if (at < 0) this.peerRows.push(row);
    else this.peerRows[at] = row;
    this.tell({
      kind: 'session',
      atMs,
      peer: address,
      asn,
      from: before?.state ?? 'Idle',
      to: state,
      reason,
    });
  }

  private tell(event: RouterEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  private shown({ prefix, nextHops }: { prefix: Prefix; nextHops: readonly NextHopView[] }): FibEntryView {
    const { select, buckets, idleTimerS, unbalancedTimerS, replace } = this.ecmp;
    const settings = { select, buckets, idleTimerS, unbalancedTimerS, replace, hashBits: 31 as const };
    const group = createNextHopGroup(
      settings,
      nextHops.map(({ weight }, id) => ({ id, weight })),
      0,
    );
    return { prefix, nextHops, buckets: group.table() };
  }
}

function nextHopOf(text: string): NextHopView {
  const [address, weight] = text.split('*');
  return { address: parseAddress(address!)!, weight: Number(weight ?? 1) };
}

export function hopTexts(hops: readonly NextHopView[]): string[] {
  return hops.map(({ address, weight }) => `${formatAddress(address)}${weight === 1 ? '' : `*${weight}`}`);
}
