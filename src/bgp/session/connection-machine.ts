/**
 * One connection to a peer, from the OPEN that we send to its end: states OpenSent, OpenConfirm and Established of
 * RFC 4271 section 8.2.2 (what comes before there is a connection is peer-machine.ts).
 *
 *   OpenSent ── OPEN ──► OpenConfirm ── KEEPALIVE ──► Established ──► Closed
 *
 * `step` is pure: a message or a timer goes in, the next state and what is to be done come out. Invariants:
 * - a NOTIFICATION is never answered (RFC 4271 section 6.4);
 * - `Closed` is final, and the step into it holds exactly one `ended`, the last action;
 * - actions are performed in order; where performing one leads to another state, the rest is dropped.
 *
 * An unexpected message is a finite state machine error with the subcode of its state (RFC 6608); a timer that does
 * not run in a state is ignored.
 */
import type { FamilyKey } from '../codec/address-family.js';
import {
  MESSAGE_TYPE,
  type MessageFault,
  type NotificationMessage,
  type OpenMessage,
  REFRESH_SUBTYPE,
} from '../codec/message.js';
import { CEASE, ERROR_CODE, FSM_ERROR } from '../codec/notification-code.js';
import { makeHardReset, makeNotification } from '../codec/notification-message.js';
import { type Agreement, judgeOpen, keptFamilies } from './open-exchange.js';
import type { LocalSpeaker, PeerSettings } from './peer-settings.js';
import { type CloseCause, notificationText, stopWords } from './stop-notification.js';

export type ConnectionState =
  | {
      readonly name: 'OpenSent';
      readonly local: LocalSpeaker;
      readonly peer: PeerSettings;
      readonly sent: OpenMessage;
    }
  | { readonly name: 'OpenConfirm'; readonly agreed: Agreement }
  | { readonly name: 'Established'; readonly agreed: Agreement }
  | { readonly name: 'Closed' };

export type ConnectionEvent =
  | { readonly kind: 'open'; readonly open: OpenMessage }
  | { readonly kind: 'keepalive' }
  | { readonly kind: 'update' }
  | { readonly kind: 'routeRefresh'; readonly family: FamilyKey; readonly subtype: number }
  | { readonly kind: 'notification'; readonly message: NotificationMessage }
  /** octets that are no acceptable message; `messageType` 0 where the type is not known */
  | { readonly kind: 'fault'; readonly fault: MessageFault; readonly messageType: number }
  | { readonly kind: 'holdTimerExpired' }
  | { readonly kind: 'keepaliveTimerExpired' }
  | { readonly kind: 'sendHoldTimerExpired' }
  | { readonly kind: 'connectionLost'; readonly reason: string }
  | { readonly kind: 'stop'; readonly cause: CloseCause };

export type ConnectionAction =
  | { readonly do: 'sendOpen'; readonly open: OpenMessage }
  | { readonly do: 'sendKeepalive' }
  | { readonly do: 'sendNotification'; readonly message: NotificationMessage }
  /** 0 = none runs from now on */
  | { readonly do: 'startHoldTimer'; readonly seconds: number }
  | { readonly do: 'restartHoldTimer' }
  /** one interval of a third of the hold time, with jitter; 0 = none runs */
  | { readonly do: 'startKeepaliveTimer'; readonly seconds: number }
  /** the peer's OPEN is acceptable: other connections to it are to be looked at (RFC 4271 section 6.8) */
  | { readonly do: 'opened'; readonly agreed: Agreement }
  | { readonly do: 'established'; readonly agreed: Agreement }
  | { readonly do: 'deliverUpdate' }
  | { readonly do: 'deliverRefresh'; readonly family: FamilyKey; readonly subtype: number }
  | { readonly do: 'ended'; readonly end: ConnectionEnd };

export interface ConnectionEnd {
  readonly reason: string;
  readonly notification: NotificationMessage | null;
  readonly sentBy: 'us' | 'peer' | null;
  /** families that may be kept as stale: graceful restart covers this end */
  readonly retained: readonly FamilyKey[];
}

export interface ConnectionStep {
  readonly state: ConnectionState;
  readonly actions: readonly ConnectionAction[];
}

/** RFC 4271 section 8.2.2: a large hold time until the OPEN has come. */
const OPEN_HOLD_TIME_S = 240;

/** The connection stands; `sent` is the OPEN for it. */
export function beginConnection(local: LocalSpeaker, peer: PeerSettings, sent: OpenMessage): ConnectionStep {
  return {
    state: { name: 'OpenSent', local, peer, sent },
    actions: [
      { do: 'sendOpen', open: sent },
      { do: 'startHoldTimer', seconds: OPEN_HOLD_TIME_S },
    ],
  };
}

export function stepConnection(state: ConnectionState, event: ConnectionEvent): ConnectionStep {
  switch (state.name) {
    case 'OpenSent':
      return stepOpenSent(state, event);
    case 'OpenConfirm':
      return stepOpenConfirm(state, event);
    case 'Established':
      return stepEstablished(state, event);
    case 'Closed':
      return stay(state);
    default:
      return state satisfies never;
  }
}

function stepOpenSent(
  state: Extract<ConnectionState, { name: 'OpenSent' }>,
  event: ConnectionEvent,
): ConnectionStep {
  switch (event.kind) {
    case 'open':
      return receiveOpen(state, event.open);
    case 'keepalive':
    case 'update':
    case 'routeRefresh':
      return unexpected(FSM_ERROR.inOpenSent, event.kind, 'OpenSent', null);
    case 'notification':
      return receiveNotification(event.message, null);
    case 'fault':
      return receiveFault(event.fault, event.messageType, null);
    case 'holdTimerExpired':
      return fail(ERROR_CODE.holdTimer, 0, `no OPEN within ${OPEN_HOLD_TIME_S} s`, null);
    case 'keepaliveTimerExpired':
      return stay(state);
    case 'sendHoldTimerExpired':
      return sendHoldExpired(null);
    case 'connectionLost':
      return lost(event.reason, null);
    case 'stop':
      return stop(event.cause, null);
    default:
      return event satisfies never;
  }
}

function stepOpenConfirm(
  state: Extract<ConnectionState, { name: 'OpenConfirm' }>,
  event: ConnectionEvent,
): ConnectionStep {
  const { agreed } = state;
  switch (event.kind) {
    case 'open':
    case 'update':
    case 'routeRefresh':
      return unexpected(FSM_ERROR.inOpenConfirm, event.kind, 'OpenConfirm', null);
    case 'keepalive':
      return {
        state: { name: 'Established', agreed },
        actions: [{ do: 'restartHoldTimer' }, { do: 'established', agreed }],
      };
    case 'notification':
      return receiveNotification(event.message, null);
    case 'fault':
      return receiveFault(event.fault, event.messageType, null);
    case 'holdTimerExpired':
      return holdExpired(agreed, null);
    case 'keepaliveTimerExpired':
      return { state, actions: keepalive(agreed) };
    case 'sendHoldTimerExpired':
      return sendHoldExpired(null);
    case 'connectionLost':
      return lost(event.reason, null);
    case 'stop':
      return stop(event.cause, null);
    default:
      return event satisfies never;
  }
}

function stepEstablished(
  state: Extract<ConnectionState, { name: 'Established' }>,
  event: ConnectionEvent,
): ConnectionStep {
  const { agreed } = state;
  switch (event.kind) {
    case 'open':
      return unexpected(FSM_ERROR.inEstablished, event.kind, 'Established', agreed);
    case 'keepalive':
      return { state, actions: RESTART_HOLD };
    case 'update':
      return { state, actions: DELIVER_UPDATE };
    case 'routeRefresh':
      return { state, actions: receiveRefresh(event.family, event.subtype, agreed) };
    case 'notification':
      return receiveNotification(event.message, agreed);
    case 'fault':
      return receiveFault(event.fault, event.messageType, agreed);
    case 'holdTimerExpired':
      return holdExpired(agreed, agreed);
    case 'keepaliveTimerExpired':
      return { state, actions: keepalive(agreed) };
    case 'sendHoldTimerExpired':
      return sendHoldExpired(agreed);
    case 'connectionLost':
      return lost(event.reason, agreed);
    case 'stop':
      return stop(event.cause, agreed);
    default:
      return event satisfies never;
  }
}

const NOTHING: readonly ConnectionAction[] = [];
const RESTART_HOLD: readonly ConnectionAction[] = [{ do: 'restartHoldTimer' }];
const DELIVER_UPDATE: readonly ConnectionAction[] = [{ do: 'restartHoldTimer' }, { do: 'deliverUpdate' }];

function stay(state: ConnectionState): ConnectionStep {
  return { state, actions: NOTHING };
}

function receiveOpen(
  { local, peer, sent }: Extract<ConnectionState, { name: 'OpenSent' }>,
  open: OpenMessage,
): ConnectionStep {
  const { value: agreed, fault } = judgeOpen(local, peer, sent, open);
  if (fault !== undefined) return refuse(fault, null);
  return {
    state: { name: 'OpenConfirm', agreed },
    actions: [
      { do: 'opened', agreed },
      { do: 'startHoldTimer', seconds: agreed.holdTimeS },
      ...keepalive(agreed),
    ],
  };
}

function keepalive({ holdTimeS }: Agreement): ConnectionAction[] {
  return [{ do: 'sendKeepalive' }, { do: 'startKeepaliveTimer', seconds: holdTimeS / 3 }];
}

/**
 * RFC 2918 section 4: a family that was not announced is ignored. RFC 7313 section 5: so is an unknown subtype;
 * beginning and end mean something only where both have announced them, which we always do.
 */
function receiveRefresh(family: FamilyKey, subtype: number, agreed: Agreement): readonly ConnectionAction[] {
  const { families } = agreed.context;
  if (families !== null && !families.has(family)) return NOTHING;
  const isMarker = subtype === REFRESH_SUBTYPE.begin || subtype === REFRESH_SUBTYPE.end;
  if (isMarker ? agreed.refresh !== 'enhanced' : subtype !== REFRESH_SUBTYPE.request) return NOTHING;
  return [{ do: 'deliverRefresh', family, subtype }];
}

/** Ends the connection. `established` is the agreement where it was up: only then there are routes to keep. */
function close(
  notification: NotificationMessage | null,
  sentBy: 'us' | 'peer' | null,
  reason: string,
  keeps: 'routes' | 'nothing',
  established: Agreement | null,
): ConnectionStep {
  const retained = keeps === 'routes' ? keptFamilies(established?.graceful ?? null) : [];
  const ended: ConnectionAction = { do: 'ended', end: { reason, notification, sentBy, retained } };
  const isOurs = notification !== null && sentBy === 'us';
  return {
    state: { name: 'Closed' },
    actions: isOurs ? [{ do: 'sendNotification', message: notification }, ended] : [ended],
  };
}

/** Whether routes survive an ordinary NOTIFICATION or the hold timer: RFC 8538 section 4. */
function keptOverNotification(established: Agreement | null): 'routes' | 'nothing' {
  return established?.graceful?.coversNotification === true ? 'routes' : 'nothing';
}

function fail(code: number, subcode: number, reason: string, established: Agreement | null): ConnectionStep {
  return refuse({ code, subcode, reason, data: new Uint8Array(0) }, established);
}

function refuse(
  { code, subcode, data, reason }: MessageFault,
  established: Agreement | null,
): ConnectionStep {
  const message = makeNotification(code, subcode, data);
  return close(message, 'us', reason, keptOverNotification(established), established);
}

function unexpected(
  subcode: number,
  what: 'open' | 'keepalive' | 'update' | 'routeRefresh',
  where: string,
  established: Agreement | null,
): ConnectionStep {
  return fail(ERROR_CODE.fsm, subcode, `${MESSAGE_WORDS[what]} in state ${where}`, established);
}

const MESSAGE_WORDS = {
  open: 'an OPEN',
  keepalive: 'a KEEPALIVE',
  update: 'an UPDATE',
  routeRefresh: 'a ROUTE-REFRESH',
} as const;

function receiveFault(
  fault: MessageFault,
  messageType: number,
  established: Agreement | null,
): ConnectionStep {
  if (messageType !== MESSAGE_TYPE.notification) return refuse(fault, established);
  const reason = `a NOTIFICATION that cannot be read: ${fault.reason}`;
  return close(null, null, reason, keptOverNotification(established), established);
}

function receiveNotification(message: NotificationMessage, established: Agreement | null): ConnectionStep {
  const isHard = message.code === ERROR_CODE.cease && message.subcode === CEASE.hardReset;
  const keeps = isHard ? 'nothing' : keptOverNotification(established);
  return close(message, 'peer', `the peer sent ${notificationText(message)}`, keeps, established);
}

function holdExpired({ holdTimeS }: Agreement, established: Agreement | null): ConnectionStep {
  return fail(ERROR_CODE.holdTimer, 0, `nothing heard for ${holdTimeS} s`, established);
}

/** RFC 9687 section 3.2: the NOTIFICATION is tried, but it will hardly get through. */
function sendHoldExpired(established: Agreement | null): ConnectionStep {
  return fail(ERROR_CODE.sendHoldTimer, 0, 'the peer takes nothing from us any more', established);
}

function lost(reason: string, established: Agreement | null): ConnectionStep {
  return close(null, null, reason, 'routes', established);
}

function stop(cause: CloseCause, established: Agreement | null): ConnectionStep {
  const { notification, reason, reset } = stopWords(cause);
  if (notification === null) return close(null, null, reason, 'routes', established);
  const covers = keptOverNotification(established);
  if (reset === 'graceful') return close(notification, 'us', reason, covers, established);
  const message = covers === 'routes' ? makeHardReset(notification) : notification;
  return close(message, 'us', reason, 'nothing', established);
}
