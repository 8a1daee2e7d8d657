/**
 * One connection: octets into events for the connection machine, and its actions onto the wire and the clock.
 * What concerns the peer as a whole goes to the `owner`.
 */
import type { FamilyKey } from '../codec/address-family.js';
import { maxMessageBytes, OFFLINE } from '../codec/codec-context.js';
import { type BgpMessage, MESSAGE_TYPE } from '../codec/message.js';
import { encodeMessage, KEEPALIVE_BYTES } from '../codec/message-codec.js';
import { MessageFramer } from '../codec/message-framer.js';
import { decodeNotification } from '../codec/notification-message.js';
import { decodeOpen } from '../codec/open-message.js';
import { readUpdate } from '../codec/read-update.js';
import { decodeRouteRefresh } from '../codec/route-refresh-message.js';
import { UpdateView } from '../codec/update-view.js';
import {
  type ConnectionAction,
  type ConnectionEnd,
  type ConnectionEvent,
  type ConnectionState,
  type ConnectionStep,
  stepConnection,
} from './connection-machine.js';
import type { Agreement } from './open-exchange.js';
import type { PeerSettings } from './peer-settings.js';
import type { CloseCause } from './stop-notification.js';
import type { Clock, Wire, WireListener } from './wire.js';

export interface ConnectionOwner {
  readonly settings: PeerSettings;
  readonly traffic: TrafficCounts;
  opened(connection: Connection, agreed: Agreement): void;
  established(connection: Connection, agreed: Agreement): void;
  update(connection: Connection, update: UpdateView): void;
  endOfRib(connection: Connection, family: FamilyKey): void;
  routeRefresh(connection: Connection, family: FamilyKey, subtype: number): void;
  ended(connection: Connection, end: ConnectionEnd): void;
  drained(connection: Connection): void;
}

/** Messages of a peer over all its connections. */
export interface TrafficCounts {
  messagesIn: number;
  messagesOut: number;
  updatesIn: number;
  updatesOut: number;
}

const CLOSED: ConnectionState = { name: 'Closed' };
const UPDATE: ConnectionEvent = { kind: 'update' };
const KEEPALIVE: ConnectionEvent = { kind: 'keepalive' };
/** RFC 4271 section 4.4: not more than one KEEPALIVE a second */
const MIN_KEEPALIVE_MS = 1000;
/** until somebody whom we do not get to read is looked at again */
const HELD_BACK_MS = 10;
/** one for all: it is valid during a call only */
const VIEW = new UpdateView();

export class Connection implements WireListener {
  state: ConnectionState = CLOSED;
  private readonly framer = new MessageFramer();
  /** body of the message in hand */
  private bytes: Uint8Array = new Uint8Array(0);
  private view: DataView = new DataView(this.bytes.buffer);
  private at = 0;
  private end = 0;
  private heardMs = 0;
  private chunkMs = 0;
  private holdMs = 0;
  private takenBytes = 0;
  private cancelHold: (() => void) | null = null;
  private cancelKeepalive: (() => void) | null = null;
  private cancelSendHold: (() => void) | null = null;

  constructor(
    readonly id: number,
    readonly wire: Wire,
    private readonly owner: ConnectionOwner,
    private readonly clock: Clock,
  ) {}

  begin(step: ConnectionStep): void {
    this.heardMs = this.clock.nowMs();
    this.state = step.state;
    this.perform(step);
    if (this.state.name !== 'Closed') this.wire.start(this);
  }

  close(cause: CloseCause): void {
    this.dispatch({ kind: 'stop', cause });
  }

  chunk(bytes: Uint8Array): void {
    if (this.state.name === 'Closed') return;
    this.chunkMs = this.clock.nowMs();
    const fault = this.framer.push(bytes, this.visit);
    if (fault !== null) this.dispatch({ kind: 'fault', fault, messageType: fault.messageType });
  }

  drained(): void {
    if (this.state.name !== 'Closed') this.owner.drained(this);
  }

  lost(reason: string): void {
    this.dispatch({ kind: 'connectionLost', reason });
  }

  /** Whole messages, counted, copied and queued. */
  send(messages: Uint8Array): void {
    if (this.state.name === 'Closed') return;
    const { traffic } = this.owner;
    for (let at = 0; at + 19 <= messages.length; ) {
      traffic.messagesOut++;
      if (messages[at + 18] === MESSAGE_TYPE.update) traffic.updatesOut++;
      at += (messages[at + 16]! << 8) | messages[at + 17]!;
    }
    this.write(messages.slice());
  }

  private readonly visit = (
    type: number,
    bytes: Uint8Array,
    view: DataView,
    at: number,
    end: number,
  ): boolean => {
    this.bytes = bytes;
    this.view = view;
    this.at = at;
    this.end = end;
    this.owner.traffic.messagesIn++;
    this.receive(type);
    return this.state.name !== 'Closed';
  };

  private receive(type: number): void {
    switch (type) {
      case MESSAGE_TYPE.open: {
        const { value: open, fault } = decodeOpen(this.view, this.at, this.end);
        const messageType = type;
        this.dispatch(fault === undefined ? { kind: 'open', open } : { kind: 'fault', fault, messageType });
        break;
      }
      case MESSAGE_TYPE.update:
        this.owner.traffic.updatesIn++;
        this.dispatch(UPDATE);
        break;
      case MESSAGE_TYPE.notification:
        this.dispatch({
          kind: 'notification',
          message: decodeNotification(this.view, this.at, this.end),
        });
        break;
      case MESSAGE_TYPE.keepalive:
        this.dispatch(KEEPALIVE);
        break;
      case MESSAGE_TYPE.routeRefresh: {
        const decoded = decodeRouteRefresh(this.bytes, this.view, this.at, this.end);
        const { value, fault } = decoded;
        if (fault !== undefined) this.dispatch({ kind: 'fault', fault, messageType: type });
        else this.dispatch({ kind: 'routeRefresh', family: value.family, subtype: value.subtype });
        break;
      }
      default:
        throw new RangeError(`Connection: expected a type that the framer lets pass, got ${type}`);
    }
  }

  private dispatch(event: ConnectionEvent): void {
    const step = stepConnection(this.state, event);
    this.state = step.state;
    this.perform(step);
  }

  /** Performing an action may lead into another state: then the rest is void. */
  private perform({ state, actions }: ConnectionStep): void {
    for (const action of actions) {
      if (this.state !== state) return;
      this.performOne(action);
    }
  }

  private performOne(action: ConnectionAction): void {
    switch (action.do) {
      case 'sendOpen':
        this.sendMessage(action.open);
        break;
      case 'sendKeepalive':
        this.owner.traffic.messagesOut++;
        this.write(KEEPALIVE_BYTES);
        break;
      case 'sendNotification':
        this.owner.traffic.messagesOut++;
        this.stopTimers();
        this.wire.end(encodeMessage(action.message, OFFLINE));
        break;
      case 'startHoldTimer':
        this.startHold(action.seconds);
        break;
      case 'restartHoldTimer':
        this.heardMs = this.chunkMs;
        break;
      case 'startKeepaliveTimer':
        this.startKeepalive(action.seconds);
        break;
      case 'opened':
        this.framer.maxBytes = maxMessageBytes(action.agreed.context);
        this.owner.opened(this, action.agreed);
        break;
      case 'established':
        this.owner.established(this, action.agreed);
        break;
      case 'deliverUpdate':
        this.deliverUpdate();
        break;
      case 'deliverRefresh':
        this.owner.routeRefresh(this, action.family, action.subtype);
        break;
      case 'ended':
        this.stopTimers();
        if (action.end.sentBy !== 'us') this.wire.end(null);
        this.owner.ended(this, action.end);
        break;
      default:
        action satisfies never;
    }
  }

  private deliverUpdate(): void {
    if (this.state.name !== 'Established') return;
    const { context } = this.state.agreed;
    readUpdate(this.bytes, this.view, this.at, this.end, context, VIEW);
    if (VIEW.resetFault !== null) {
      this.dispatch({ kind: 'fault', fault: VIEW.resetFault, messageType: MESSAGE_TYPE.update });
    } else if (VIEW.endOfRib < 0) this.owner.update(this, VIEW);
    else if (context.families === null || context.families.has(VIEW.endOfRib)) {
      this.owner.endOfRib(this, VIEW.endOfRib);
    }
  }

  private sendMessage(message: BgpMessage): void {
    this.owner.traffic.messagesOut++;
    this.write(encodeMessage(message, OFFLINE));
  }

  private write(bytes: Uint8Array): void {
    this.wire.write(bytes);
    if (this.cancelSendHold === null && this.wire.queuedBytes > 0) this.watchSending();
  }

  /** RFC 9687: runs while something is queued; a peer that takes anything at all starts it anew. */
  private watchSending(): void {
    const { sendHoldTimeS } = this.owner.settings;
    if (sendHoldTimeS === 0) return;
    this.takenBytes = this.wire.takenBytes;
    this.cancelSendHold = this.clock.after(sendHoldTimeS * 1000, () => {
      this.cancelSendHold = null;
      if (this.wire.queuedBytes === 0) return;
      if (this.wire.takenBytes !== this.takenBytes) this.watchSending();
      else this.dispatch({ kind: 'sendHoldTimerExpired' });
    });
  }

  private startHold(seconds: number): void {
    this.cancelHold?.();
    this.cancelHold = null;
    this.holdMs = seconds * 1000;
    if (seconds > 0) this.awaitHold(this.heardMs + this.holdMs - this.clock.nowMs());
  }

  private awaitHold(ms: number): void {
    this.cancelHold = this.clock.after(Math.max(ms, 1), () => {
      if (this.leftOfHold() > 0) this.awaitHold(this.leftOfHold());
      // what arrived while we were busy is still to be read: it counts
      else this.clock.soon(() => this.expireHold());
    });
  }

  private expireHold(): void {
    if (this.state.name === 'Closed' || this.holdMs === 0) return;
    const left = this.leftOfHold();
    if (left > 0) this.awaitHold(left);
    else if (this.wire.isHeldBack) this.awaitHold(HELD_BACK_MS);
    else this.dispatch({ kind: 'holdTimerExpired' });
  }

  private leftOfHold(): number {
    return this.heardMs + this.holdMs - this.clock.nowMs();
  }

  /** RFC 4271 section 10: between 75 and 100 per cent of the interval. */
  private startKeepalive(seconds: number): void {
    this.cancelKeepalive?.();
    this.cancelKeepalive = null;
    if (seconds === 0) return;
    const ms = Math.max(seconds * 1000 * (0.75 + 0.25 * this.clock.draw()), MIN_KEEPALIVE_MS);
    this.cancelKeepalive = this.clock.after(ms, () => this.dispatch({ kind: 'keepaliveTimerExpired' }));
  }

  private stopTimers(): void {
    this.cancelHold?.();
    this.cancelKeepalive?.();
    this.cancelSendHold?.();
  }
}
