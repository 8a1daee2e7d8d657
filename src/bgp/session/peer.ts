/**
 * One peer at work: performs what its machines say, and is the {@link Session} for the handler while one is up.
 */
import type { FamilyKey } from '../codec/address-family.js';
import { OFFLINE } from '../codec/codec-context.js';
import type { NotificationMessage, OpenMessage } from '../codec/message.js';
import { encodeMessage } from '../codec/message-codec.js';
import { CEASE, ERROR_CODE, notificationKey } from '../codec/notification-code.js';
import { makeNotification } from '../codec/notification-message.js';
import type { UpdateView } from '../codec/update-view.js';
import { Connection, type ConnectionOwner, type TrafficCounts } from './connection.js';
import { beginConnection, type ConnectionEnd } from './connection-machine.js';
import { type Agreement, keptFamilies, openFor } from './open-exchange.js';
import { type PeerAction, type PeerEvent, type PeerState, STOPPED, stepPeer } from './peer-machine.js';
import type { LocalSpeaker, PeerSettings } from './peer-settings.js';
import type {
  Session,
  SessionEnd,
  SessionHandler,
  SessionInfo,
  SessionStateName,
  StopCause,
} from './session-handler.js';
import { StaleKeeper } from './stale-keeper.js';
import type { CloseCause } from './stop-notification.js';
import { type Clock, type Dial, HIGH_WATER_BYTES, type Wire } from './wire.js';
import type { Writer, WriteTurns } from './write-turns.js';

/** What all peers of a speaker share. */
export interface PeerWorld {
  readonly local: LocalSpeaker;
  readonly clock: Clock;
  readonly dial: Dial;
  readonly handler: SessionHandler;
  readonly turns: WriteTurns;
  nextConnectionId(): number;
  /** a session is up, has ended one family's RIB, or is gone: for the selection deferral */
  sessionUp(peer: Peer, agreed: Agreement): void;
  sessionEndOfRib(peer: Peer, family: FamilyKey): void;
  /** nothing of the peer is left: no connection, no stale route */
  idle(peer: Peer): void;
}

/** The end of a session that was up. */
export interface LastReset {
  readonly atMs: number;
  /** a sentence without its full stop */
  readonly reason: string;
  readonly notification: NotificationMessage | null;
  readonly sentBy: SessionEnd['sentBy'];
}

export class Peer implements ConnectionOwner, Writer {
  readonly traffic: TrafficCounts = { messagesIn: 0, messagesOut: 0, updatesIn: 0, updatesOut: 0 };
  /** NOTIFICATIONs over all its connections, by {@link notificationKey} */
  readonly notificationsIn = new Map<string, number>();
  readonly notificationsOut = new Map<string, number>();
  flaps = 0;
  /** how the last session that was up ended */
  lastReset: LastReset | null = null;
  lastError: string | null = null;
  stateName: SessionStateName = 'Idle';
  sinceMs: number;
  establishedMs: number | null = null;
  session: EstablishedSession | null = null;
  /** of the last OPEN that was acceptable */
  remote: OpenMessage | null = null;

  private state: PeerState = STOPPED;
  private readonly stale: StaleKeeper;
  private hasBeenUp = false;
  private upSinceMs = 0;
  /** connections that the machine has not begun yet, by number */
  private readonly wires = new Map<number, Wire>();
  private readonly connections = new Map<number, Connection>();
  private cancelDial: (() => void) | null = null;
  private cancelRetry: (() => void) | null = null;
  private cancelPenalty: (() => void) | null = null;

  constructor(
    public settings: PeerSettings,
    private readonly world: PeerWorld,
  ) {
    this.sinceMs = world.clock.epochMs();
    this.stale = new StaleKeeper(world.clock, {
      sweep: (families) => world.handler.sweepStale(this.settings, families),
      keepLongLived: (families) => world.handler.keepLongLived(this.settings, families),
      timerRanOut: () => {
        if (this.isIdle) world.idle(this);
      },
    });
  }

  get staleFamilies(): readonly FamilyKey[] {
    return this.stale.families;
  }

  get isIdle(): boolean {
    return this.connections.size === 0 && this.stale.isFresh;
  }

  /** It was shut down, and lets nobody in until it is started again. */
  get isShutDown(): boolean {
    return this.state.phase === 'Stopped';
  }

  start(): void {
    this.dispatch({ kind: 'start' });
  }

  stop(cause: StopCause): void {
    this.dispatch({ kind: 'stop', cause });
    if (cause.kind === 'deconfigured' || cause.kind === 'shutdown') this.stale.step({ kind: 'forget' });
  }

  accept(wire: Wire): void {
    const id = this.world.nextConnectionId();
    this.wires.set(id, wire);
    this.dispatch({ kind: 'accepted', id });
  }

  opened(connection: Connection, agreed: Agreement): void {
    const { local, remote } = agreed;
    const establishedIs = (this.session?.info.gracefulFamilies.length ?? 0) > 0 ? 'graceful' : 'ordinary';
    this.dispatch({
      kind: 'opened',
      id: connection.id,
      facts: {
        localIdentifier: local.bgpIdentifier,
        localAsn: local.asn,
        remoteIdentifier: remote.bgpIdentifier,
        remoteAsn: remote.asn,
        establishedIs,
      },
    });
  }

  established(connection: Connection, agreed: Agreement): void {
    const { clock, handler } = this.world;
    this.hasBeenUp = true;
    this.upSinceMs = clock.nowMs();
    this.establishedMs = clock.epochMs();
    this.remote = agreed.remote;
    const session = new EstablishedSession(this, connection, infoOf(connection.wire, agreed));
    this.session = session;
    this.dispatchQuietly({ kind: 'established', id: connection.id });
    handler.established(session);
    const restart = agreed.graceful;
    this.stale.step({ kind: 'up', restart, settings: this.settings.gracefulRestart });
    this.world.sessionUp(this, agreed);
    this.noteState(null);
  }

  update(_connection: Connection, update: UpdateView): void {
    if (this.session !== null) this.world.handler.update(this.session, update);
  }

  endOfRib(_connection: Connection, family: FamilyKey): void {
    if (this.session === null) return;
    this.world.handler.endOfRib(this.session, family);
    this.stale.step({ kind: 'endOfRib', family });
    this.world.sessionEndOfRib(this, family);
  }

  routeRefresh(_connection: Connection, family: FamilyKey, subtype: number): void {
    if (this.session !== null) this.world.handler.routeRefresh(this.session, family, subtype);
  }

  ended(connection: Connection, end: ConnectionEnd): void {
    const { clock } = this.world;
    this.connections.delete(connection.id);
    const session = this.session?.connection === connection ? this.session : null;
    const upForS = session === null ? null : (clock.nowMs() - this.upSinceMs) / 1000;
    this.lastError = end.reason;
    this.countNotification(end);
    if (session !== null) this.sessionEnded(session, end);
    this.dispatch({ kind: 'ended', id: connection.id, upForS }, end.reason);
    if (this.isIdle) this.world.idle(this);
  }

  drained(connection: Connection): void {
    if (this.session?.connection === connection && this.session.wantsToWrite) this.world.turns.request(this);
  }

  get isBlocked(): boolean {
    return (this.session?.connection.wire.queuedBytes ?? 0) >= HIGH_WATER_BYTES;
  }

  writeSlice(): 'more' | 'done' {
    if (this.session === null) return 'done';
    const left = this.world.handler.writable(this.session);
    if (this.session !== null) this.session.wantsToWrite = left === 'more';
    return left;
  }

  requestWrite(session: EstablishedSession): void {
    if (this.session !== session) return;
    session.wantsToWrite = true;
    this.world.turns.request(this);
  }

  private countNotification({ notification, sentBy }: SessionEnd): void {
    if (notification === null || sentBy === null) return;
    const counts = sentBy === 'us' ? this.notificationsOut : this.notificationsIn;
    const key = notificationKey(notification.code, notification.subcode);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }

  private sessionEnded(session: EstablishedSession, end: SessionEnd): void {
    this.flaps++;
    const { reason, notification, sentBy } = end;
    this.lastReset = { atMs: this.world.clock.epochMs(), reason, notification, sentBy };
    this.establishedMs = null;
    this.world.turns.forget(this);
    const { retained } = end;
    this.stale.lost({ kind: 'lost', retained, restart: session.info.restart }, () => {
      this.session = null;
      this.world.handler.down(session, end);
    });
  }

  private dispatch(event: PeerEvent, reason: string | null = null): void {
    this.dispatchQuietly(event);
    this.noteState(reason);
  }

  private dispatchQuietly(event: PeerEvent): void {
    const { state, actions } = stepPeer(this.settings, this.state, event);
    this.state = state;
    for (const action of actions) this.perform(action);
  }

  private perform(action: PeerAction): void {
    const { clock } = this.world;
    switch (action.do) {
      case 'dial':
        this.dial();
        break;
      case 'cancelDial':
        this.cancelDial?.();
        this.cancelDial = null;
        break;
      case 'startRetryTimer': {
        // RFC 4271 section 10: jitter
        const ms = action.seconds * 1000 * (0.75 + 0.25 * clock.draw());
        this.cancelRetry?.();
        this.cancelRetry = clock.after(ms, () => this.dispatch({ kind: 'retryTimerExpired' }));
        break;
      }
      case 'stopRetryTimer':
        this.cancelRetry?.();
        break;
      case 'startPenaltyTimer':
        this.cancelPenalty?.();
        this.cancelPenalty = clock.after(action.seconds * 1000, () =>
          this.dispatch({ kind: 'penaltyExpired' }),
        );
        break;
      case 'stopPenaltyTimer':
        this.cancelPenalty?.();
        break;
      case 'begin':
        this.begin(action.id);
        break;
      case 'reject':
        this.wires.get(action.id)?.end(REJECTED);
        this.wires.delete(action.id);
        break;
      case 'close':
        this.close(action.id, action.cause);
        break;
      default:
        action satisfies never;
    }
  }

  private dial(): void {
    this.cancelDial = this.world.dial(
      this.settings,
      (wire) => {
        this.cancelDial = null;
        const id = this.world.nextConnectionId();
        this.wires.set(id, wire);
        this.dispatch({ kind: 'dialed', id });
      },
      (reason) => {
        this.cancelDial = null;
        this.lastError = reason;
        this.dispatch({ kind: 'dialFailed' }, reason);
      },
    );
  }

  private begin(id: number): void {
    const wire = this.wires.get(id);
    if (wire === undefined) return;
    this.wires.delete(id);
    const { clock, local } = this.world;
    const connection = new Connection(id, wire, this, clock);
    this.connections.set(id, connection);
    const isRestart = local.start === 'restarted' && !this.hasBeenUp;
    const open = openFor(local, this.settings, isRestart ? 'restarted' : 'running');
    connection.begin(beginConnection(local, this.settings, open));
  }

  private close(id: number, cause: CloseCause): void {
    this.connections.get(id)?.close(cause);
  }

  private noteState(reason: string | null): void {
    const from = this.stateName;
    const to = nameOf(this.state);
    if (from === to) return;
    this.stateName = to;
    this.sinceMs = this.world.clock.epochMs();
    const asn = this.remote?.asn ?? this.settings.asn;
    this.world.handler.stateChanged({ peer: this.settings, from, to, asn, reason });
  }
}

const REJECTED = encodeMessage(makeNotification(ERROR_CODE.cease, CEASE.connectionRejected), OFFLINE);

/** RFC 4271 has one state a connection: the most advanced one speaks for the peer. */
function nameOf({ phase, connections }: PeerState): SessionStateName {
  const names = connections.map(({ name }) => name);
  if (names.includes('Established')) return 'Established';
  if (names.includes('OpenConfirm')) return 'OpenConfirm';
  if (names.includes('OpenSent')) return 'OpenSent';
  if (phase === 'Dialing') return 'Connect';
  return phase === 'Stopped' || phase === 'Penalty' ? 'Idle' : 'Active';
}

function infoOf(wire: Wire, agreed: Agreement): SessionInfo {
  const { direction, localAddress, localPort, remoteAddress, remotePort } = wire;
  const { context, local, remote, holdTimeS, refresh, graceful } = agreed;
  const gracefulFamilies = keptFamilies(graceful);
  const ends = { direction, localAddress, localPort, remoteAddress, remotePort };
  return { context, local, remote, holdTimeS, refresh, gracefulFamilies, restart: graceful, ...ends };
}

class EstablishedSession implements Session {
  wantsToWrite = false;

  constructor(
    private readonly owner: Peer,
    readonly connection: Connection,
    readonly info: SessionInfo,
  ) {}

  get peer(): PeerSettings {
    return this.owner.settings;
  }

  send(messages: Uint8Array): void {
    this.connection.send(messages);
  }

  requestWrite(): void {
    this.owner.requestWrite(this);
  }

  stop(cause: StopCause): void {
    if (this.owner.session === this) this.owner.stop(cause);
  }
}
