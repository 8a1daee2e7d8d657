/**
 * A running router: sessions on one side, RIB and FIB on the other, and events for those who watch.
 *
 *   transport ─► sessions ─► LiveRouter ─► RIB ─► RouteEvents ─► listeners (log, page, traffic)
 *       ▲                        │          │
 *       └──── writable ◄─────────┴── pump ──┘
 *
 * Whom it tells what is the RIB's business; when, the sessions'. This file only carries between them.
 */
import { type Address, parseAddress } from '../../addr/address.js';
import { OUTCOME } from '../../bgp/attribute/descriptor.js';
import { type FamilyKey, familyName } from '../../bgp/codec/address-family.js';
import { type CodecContext, OFFLINE } from '../../bgp/codec/codec-context.js';
import { MESSAGE_TYPE, REFRESH_SUBTYPE } from '../../bgp/codec/message.js';
import { encodeMessage } from '../../bgp/codec/message-codec.js';
import { UpdatePacker } from '../../bgp/codec/update-packer.js';
import type { UpdateView } from '../../bgp/codec/update-view.js';
import type { Policy } from '../../bgp/rib/policy.js';
import { familyOverLimit } from '../../bgp/rib/prefix-limit.js';
import { Rib } from '../../bgp/rib/rib.js';
import { RibFib } from '../../bgp/rib/rib-fib.js';
import { takesLongLivedStale } from '../../bgp/session/open-exchange.js';
import type { PeerSettings } from '../../bgp/session/peer-settings.js';
import type {
  PeerStateChange,
  Session,
  SessionEnd,
  SessionHandler,
} from '../../bgp/session/session-handler.js';
import type { Clock } from '../../bgp/session/wire.js';
import type { EcmpSettings } from '../../cluster/model.js';
import { createFlowHash } from '../../hash/flow-hash.js';
import type { GroupSettings } from '../../route/next-hop-group.js';
import type { RouteCause, RouterEvent } from '../router-view.js';
import { isWildcard } from './listen-address.js';
import { nextHop4, nextHop6, type OwnInterface, ownAddresses } from './own-addresses.js';
import { RouteEvents } from './route-events.js';
import { type PeerPolicy, policyOf, type RouterConfig } from './router-config.js';
import type { RouterLog } from './router-log.js';

/** What a slice of announcements may hold: sessions take turns. */
const SLICE_BYTES = 64 * 1024;
/** a turn that brings so many prefixes to choose anew is part of a bulk load, whose choices wait for so long at most */
const BULK_PREFIXES = 256;
const BULK_MS = 250;
/** a slice of choices */
const SETTLE_MS = 8;
const SETTLE_PREFIXES = 16;
const MANY_CAUSES = 4096;
/** zebra keeps the place of a next hop that nobody uses for so long */
const ARRIVAL_KEEP_S = 180;
/** what comes without growing any table: a seventh of the Internet's */
const ROOM_PREFIXES = 1 << 17;
/** how long a peer may take between beginning and end of a route refresh */
const REFRESH_LIMIT_MS = 360_000;

/** A session as the tables know it. */
interface Attached {
  readonly session: Session;
  readonly row: number;
  readonly packer: UpdatePacker;
  policy: PeerPolicy;
  /** families of which a refresh goes out: its end is owed */
  readonly refreshing: Set<FamilyKey>;
  /** families that ended their RIB */
  readonly ended: Set<FamilyKey>;
}

export class LiveRouter implements SessionHandler {
  readonly rib: Rib;
  readonly fib: RibFib;
  readonly startedMs: number;
  config: RouterConfig;
  private readonly attached = new Map<string, Attached>();
  /** rows of peers that have routes, stale ones among them */
  private readonly rows = new Map<string, number>();
  /** peers of {@link #rows} whose routes come from a dump: no policy of the configuration is for them */
  private readonly static = new Set<string>();
  /** peers that traffic is led away from, by id; holds over their sessions */
  private readonly draining = new Set<string>();
  private readonly listeners = new Set<(event: RouterEvent) => void>();
  private readonly events: RouteEvents;
  private isPumpDue = false;
  /** when choices were first deferred; -1 = none are */
  private settlesSince = -1;
  /** whose doing deferred choices are, by number; forgotten when none is left and they are many */
  private readonly causes: { readonly peer: string; readonly cause: RouteCause }[] = [];
  private readonly causeNumbers = new Map<string, number>();

  constructor(
    config: RouterConfig,
    private readonly interfaces: readonly OwnInterface[],
    private readonly clock: Clock,
    private readonly log: RouterLog,
  ) {
    this.config = config;
    this.startedMs = clock.epochMs();
    this.rib = new Rib({
      localAsn: config.local.asn,
      routerId: config.local.bgpIdentifier,
      order: config.ecmp.order,
      arrivalKeepS: ARRIVAL_KEEP_S,
      connected: null,
      ownAddresses: ownHosts(config, interfaces),
      maxPaths: config.maxPaths,
      asPaths: config.asPaths,
      room: ROOM_PREFIXES,
    });
    this.rib.onCause((number) => {
      const { peer, cause } = this.causes[number]!;
      this.events.because(peer, cause);
    });
    this.fib = new RibFib(this.rib, groupSettings(config.ecmp));
    this.events = new RouteEvents(
      this.rib,
      clock,
      (event) => this.tell(event),
      (family, prefix, after) => this.fib.routeChanged(family, prefix, after),
    );
  }

  subscribe(listener: (event: RouterEvent) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  /** The RIB's time at this moment, in seconds. */
  get nowS(): number {
    return this.clock.nowMs() / 1000;
  }

  /** Row of a peer's routes in the RIB, or -1. */
  rowOf(id: string): number {
    return this.rows.get(id) ?? -1;
  }

  /** Peer whose routes stand in a row. */
  peerOfRow(row: number): string {
    return this.rib.peers[row]?.settings.name ?? 'router';
  }

  established(session: Session): void {
    const { peer, info } = session;
    const policy = policyOf(this.config, peer) ?? NO_POLICY;
    this.begin(peer.id, 'update');
    const row = this.rib.peerUp(
      {
        name: peer.id,
        address: peer.address,
        bgpId: info.remote.bgpIdentifier,
        context: info.context,
        import: policy.import,
        export: policy.export,
        nextHop4: nextHop4(info.localAddress, this.interfaces),
        nextHop6: nextHop6(info.localAddress, this.interfaces),
        nextHops: 'any',
        internalNextHop: policy.internalNextHop,
        role: peer.role,
        takesLongLivedStale: takesLongLivedStale(info.remote),
      },
      this.rowOf(peer.id),
    );
    this.rows.set(peer.id, row);
    if (this.draining.has(peer.id)) this.rib.setDraining(row, true);
    const packer = new UpdatePacker(info.context, (messages) => session.send(messages));
    this.attached.set(peer.id, {
      session,
      row,
      packer,
      policy,
      refreshing: new Set(),
      ended: new Set(),
    });
    this.log.sessionUp(session);
    this.pumpSoon();
  }

  update(session: Session, update: UpdateView): void {
    const attached = this.attached.get(session.peer.id);
    if (attached === undefined) return;
    const limit = attached.policy.maxPrefixes;
    const over = familyOverLimit(this.rib, attached.row, update, limit);
    if (over !== null) {
      session.stop({ kind: 'max-prefixes', family: over, limit });
      return;
    }
    const cause = causeOf(update);
    this.begin(session.peer.id, cause);
    this.rib.updateLater(attached.row, update, this.causeNumber(session.peer.id, cause));
    this.settleSoon();
    if (update.faults.length > 0) {
      this.log.line(`${session.peer.id}: an UPDATE with an error: ${update.faults[0]!.reason}`, 'warn');
    }
    this.pumpSoon();
  }

  endOfRib(session: Session, family: FamilyKey): void {
    const attached = this.attached.get(session.peer.id);
    if (attached === undefined || attached.ended.has(family)) return;
    attached.ended.add(family);
    const { received, accepted } = this.rib.counts(attached.row, family);
    const counts =
      received === accepted ? `${received} prefixes` : `${received} prefixes, ${accepted} accepted`;
    this.log.line(`${session.peer.id}: all ${familyName(family)} routes are here: ${counts}`);
  }

  routeRefresh(session: Session, family: FamilyKey, subtype: number): void {
    const attached = this.attached.get(session.peer.id);
    if (attached === undefined) return;
    switch (subtype) {
      case REFRESH_SUBTYPE.request:
        this.refresh(attached, family);
        break;
      case REFRESH_SUBTYPE.begin:
        this.rib.markStale(attached.row, family);
        this.clock.after(REFRESH_LIMIT_MS, () => this.endRefresh(attached, family));
        break;
      case REFRESH_SUBTYPE.end:
        this.endRefresh(attached, family);
        break;
    }
  }

  writable(session: Session): 'more' | 'done' {
    const attached = this.attached.get(session.peer.id);
    if (attached === undefined) return 'done';
    const { row, packer, refreshing } = attached;
    const isLeft = this.rib.pump(row, packer, SLICE_BYTES);
    packer.flush();
    if (isLeft) return 'more';
    for (const family of refreshing) session.send(refreshMessage(family, REFRESH_SUBTYPE.end));
    refreshing.clear();
    return 'done';
  }

  down(session: Session, end: SessionEnd): void {
    const { peer } = session;
    const attached = this.attached.get(peer.id);
    if (attached === undefined) return;
    this.attached.delete(peer.id);
    this.log.sessionDown(session, end);
    this.begin(peer.id, 'session-lost');
    const { row } = attached;
    const paths = this.rib.families.reduce((sum, { received }) => sum + (received[row] ?? 0), 0);
    const later = paths > BULK_PREFIXES ? this.causeNumber(peer.id, 'session-lost') : -1;
    this.rib.peerDown(row, new Set(end.retained), later);
    this.settleSoon();
    this.forgetIfGone(peer.id);
    this.events.flush();
    this.pumpSoon();
  }

  keepLongLived(peer: PeerSettings, families: readonly FamilyKey[]): void {
    const row = this.rowOf(peer.id);
    if (row < 0) return;
    this.begin(peer.id, 'long-lived-stale');
    for (const family of families) if (this.rowOf(peer.id) >= 0) this.keepAsLongLived(peer.id, row, family);
    this.pumpSoon();
  }

  sweepStale(peer: PeerSettings, families: readonly FamilyKey[]): void {
    const row = this.rowOf(peer.id);
    if (row < 0) return;
    this.begin(peer.id, 'stale-expired');
    for (const family of families) if (this.rowOf(peer.id) >= 0) this.sweep(peer.id, row, family);
    this.pumpSoon();
  }

  stateChanged(change: PeerStateChange): void {
    const { peer, asn, from, to, reason } = change;
    this.log.stateChanged(change);
    this.events.flush();
    this.tell({ kind: 'session', atMs: this.clock.epochMs(), peer: peer.id, asn, from, to, reason });
  }

  /** Another configuration for sessions that go on: their policies, hash and selection. */
  reconfigure(config: RouterConfig): void {
    this.config = config;
    this.fib.configure(groupSettings(config.ecmp));
    for (const [id, row] of this.rows) this.applyPolicy(id, row);
    this.pumpSoon();
  }

  isDraining(id: string): boolean {
    return this.draining.has(id);
  }

  /** Leads traffic away from a peer (RFC 8326), or no longer: now, and in sessions to come. */
  drain(id: string, isDraining: boolean): void {
    if (isDraining) this.draining.add(id);
    else this.draining.delete(id);
    const row = this.rowOf(id);
    if (row < 0) return;
    this.begin(id, 'drain');
    this.rib.setDraining(row, isDraining);
    this.events.flush();
    this.pumpSoon();
  }

  /** Asks an established peer for all its routes once more; false where it has no session, or cannot be asked. */
  askAgain(id: string): boolean {
    const session = this.attached.get(id)?.session;
    if (session === undefined || session.info.refresh === 'none') return false;
    for (const family of familiesOf(session)) {
      session.send(refreshMessage(family, REFRESH_SUBTYPE.request));
    }
    return true;
  }

  /** Tells an established peer everything once more; false where it has no session. */
  tellAgain(id: string): boolean {
    const attached = this.attached.get(id);
    if (attached === undefined) return false;
    for (const family of familiesOf(attached.session)) this.refresh(attached, family);
    return true;
  }

  /** Row of a peer without a session, whose routes come from a dump. */
  staticPeer(id: string, address: Address, bgpId: number, context: CodecContext): number {
    const row = this.rib.peerUp({
      name: id,
      address,
      bgpId,
      context,
      import: 'all',
      export: 'none',
      nextHop4: null,
      nextHop6: null,
      nextHops: 'any',
      internalNextHop: 'unchanged',
      role: null,
      takesLongLivedStale: false,
    });
    this.rows.set(id, row);
    this.static.add(id);
    return row;
  }

  /** Routes of a static peer. */
  load(row: number, update: UpdateView, context: CodecContext): void {
    this.begin(this.peerOfRow(row), 'loaded');
    this.rib.update(row, update, context);
  }

  /** A static peer has none any more. */
  unload(row: number): void {
    this.begin(this.peerOfRow(row), 'loaded');
    for (const { family } of this.rib.families) {
      this.rib.markStale(row, family);
      this.rib.sweepStale(row, family);
    }
  }

  /** Tells everything that has been gathered so far. */
  flush(): void {
    this.events.flush();
    this.pumpSoon();
  }

  private begin(peer: string, cause: RouteCause): void {
    this.rib.setTime(this.nowS);
    this.events.because(peer, cause);
  }

  /** The policy that a peer now has; routes that wait for a lost peer's return are under it, too. */
  private applyPolicy(id: string, row: number): void {
    const { settings } = this.rib.peers[row]!;
    const policy = this.static.has(id) ? null : policyOf(this.config, { id, address: settings.address });
    if (policy === null) return;
    const attached = this.attached.get(id);
    if (attached !== undefined) attached.policy = policy;
    if (!isSame(policy.import, settings.import)) {
      this.begin(id, 'policy');
      this.rib.setImportPolicy(row, policy.import);
    }
    if (!isSame(policy.export, settings.export)) this.rib.setExportPolicy(row, policy.export);
  }

  /** RFC 7313 section 4: a refresh has a beginning and an end where the peer knows them. */
  private refresh(attached: Attached, family: FamilyKey): void {
    const { session, row, refreshing } = attached;
    if (session.info.refresh === 'enhanced' && !this.rib.hasPending(row) && !refreshing.has(family)) {
      session.send(refreshMessage(family, REFRESH_SUBTYPE.begin));
      refreshing.add(family);
    }
    this.rib.routeRefresh(row, family);
    session.requestWrite();
  }

  private endRefresh({ session, row }: Attached, family: FamilyKey): void {
    if (this.attached.get(session.peer.id)?.session !== session) return;
    this.begin(session.peer.id, 'withdraw');
    this.rib.sweepStale(row, family);
    this.pumpSoon();
  }

  private sweep(id: string, row: number, family: FamilyKey): void {
    this.rib.sweepStale(row, family);
    this.forgetIfGone(id);
  }

  private keepAsLongLived(id: string, row: number, family: FamilyKey): void {
    this.rib.keepLongLived(row, family);
    this.forgetIfGone(id);
  }

  private forgetIfGone(id: string): void {
    const row = this.rowOf(id);
    if (row >= 0 && this.rib.peers[row] === null) this.rows.delete(id);
  }

  /**
   * Choices that are due are made when everything that waits to be read has had a turn. While many UPDATEs go on
   * coming they wait for more of them, for {@link BULK_MS} at most, and are made in slices.
   */
  private settleSoon(): void {
    if (this.settlesSince >= 0) return;
    if (this.rib.deferredCount === 0) {
      this.forgetCauses();
      return;
    }
    this.settlesSince = this.clock.nowMs();
    let before = 0;
    const turn = (): void => {
      const count = this.rib.deferredCount;
      const isBulk = count - before >= BULK_PREFIXES;
      before = count;
      if (isBulk && this.clock.nowMs() - this.settlesSince < BULK_MS) this.clock.soon(turn);
      else if (this.settleSlice()) this.clock.soon(finish);
    };
    const finish = (): void => {
      if (this.settleSlice()) this.clock.soon(finish);
    };
    this.clock.soon(turn);
  }

  private forgetCauses(): void {
    if (this.causes.length < MANY_CAUSES) return;
    this.causes.length = 0;
    this.causeNumbers.clear();
  }

  private causeNumber(peer: string, cause: RouteCause): number {
    const key = `${cause} ${peer}`;
    let number = this.causeNumbers.get(key);
    if (number === undefined) {
      number = this.causes.push({ peer, cause }) - 1;
      this.causeNumbers.set(key, number);
    }
    return number;
  }

  /** True where some are left. */
  private settleSlice(): boolean {
    const endMs = this.clock.nowMs() + SETTLE_MS;
    while (this.rib.settle(SETTLE_PREFIXES)) if (this.clock.nowMs() >= endMs) return true;
    this.settlesSince = -1;
    this.forgetCauses();
    this.pumpSoon();
    return false;
  }

  /** Once for all changes of this turn of the event loop. */
  private pumpSoon(): void {
    if (this.isPumpDue) return;
    this.isPumpDue = true;
    this.clock.soon(() => {
      this.isPumpDue = false;
      for (const { session, row } of this.attached.values()) {
        if (this.rib.hasPending(row)) session.requestWrite();
      }
    });
  }

  private tell(event: RouterEvent): void {
    if (event.kind === 'routes') this.log.routes(event);
    for (const listener of this.listeners) listener(event);
  }
}

function familiesOf({ info, peer }: Session): Iterable<FamilyKey> {
  return info.context.families ?? peer.families;
}

function isSame(a: Policy, b: Policy): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const NO_POLICY: PeerPolicy = {
  import: 'none',
  export: 'none',
  maxPrefixes: 0,
  internalNextHop: 'unchanged',
  bfd: null,
};

function refreshMessage(family: FamilyKey, subtype: number): Uint8Array {
  return encodeMessage(
    { type: MESSAGE_TYPE.routeRefresh, family, subtype, filters: new Uint8Array(0) },
    OFFLINE,
  );
}

function causeOf({ withdrawnCount, nlriCount, reach, unreach, outcome }: UpdateView): RouteCause {
  const withdraws = withdrawnCount > 0 || (unreach.present && unreach.count > 0);
  const announces = nlriCount > 0 || (reach.present && reach.count > 0);
  if (outcome >= OUTCOME.treatAsWithdraw) return 'withdraw';
  return announces ? (withdraws ? 'update' : 'announce') : 'withdraw';
}

/** How groups of the FIB are made. */
function groupSettings(ecmp: EcmpSettings): GroupSettings {
  return { ...ecmp, hashBits: createFlowHash(ecmp).bits };
}

/** A next hop that is one of these is ourselves. */
function ownHosts({ listen }: RouterConfig, interfaces: readonly OwnInterface[]): Address[] {
  const hosts = listen.flatMap((target) => ('fd' in target ? [] : [target.host]));
  const named = hosts.map(parseAddress).filter((address) => address !== null);
  return hosts.some(isWildcard) ? ownAddresses(interfaces) : named;
}
