/**
 * One peer over all its connections: whether we connect, whom we let in, which connection of several stays.
 * States Idle, Connect and Active of RFC 4271 section 8.2.2, collision detection of section 6.8 with the tie of
 * RFC 6286 section 2.3, damping of section 8.1.1 (DampPeerOscillations).
 *
 *   Stopped   Idle: nothing is opened and nothing let in, until `start`
 *   Penalty   Idle: the same for a while, after too many prefixes
 *   Waiting   Active: listening; where we are the active side, the retry timer runs
 *   Dialing   Connect: a connection is being opened; one may come in meanwhile
 *   Engaged   there is a connection, in OpenSent or OpenConfirm
 *   Up        one is Established; others may be in OpenSent until their OPEN shows that they collide
 *
 * Connections are numbered by whoever performs the actions; `close` removes one from the state at once, and its end
 * is then nobody's news. Pure, and bounded: {@link MAX_CONNECTIONS} a peer.
 */
import type { PeerSettings } from './peer-settings.js';
import type { CloseCause } from './stop-notification.js';

export type PeerPhase = 'Stopped' | 'Penalty' | 'Waiting' | 'Dialing' | 'Engaged' | 'Up';

interface PeerConnection {
  readonly id: number;
  /** who opened it */
  readonly direction: 'active' | 'passive';
  readonly name: 'OpenSent' | 'OpenConfirm' | 'Established';
}

export interface PeerState {
  readonly phase: PeerPhase;
  readonly connections: readonly PeerConnection[];
  /** attempts and sessions in a row that failed; the wait before we connect again grows with them */
  readonly failures: number;
  /** times in a row that too many prefixes came */
  readonly penalties: number;
}

export interface OpenedFacts {
  readonly localIdentifier: number;
  readonly localAsn: number;
  readonly remoteIdentifier: number;
  readonly remoteAsn: number;
  /** the session that is up restarts gracefully: a new connection means that it is dead (RFC 4724 section 5) */
  readonly establishedIs: 'graceful' | 'ordinary';
}

export type PeerEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'stop'; readonly cause: CloseCause }
  /** a connection that the peer opened */
  | { readonly kind: 'accepted'; readonly id: number }
  /** the one that we opened */
  | { readonly kind: 'dialed'; readonly id: number }
  | { readonly kind: 'dialFailed' }
  | { readonly kind: 'retryTimerExpired' }
  | { readonly kind: 'penaltyExpired' }
  | { readonly kind: 'opened'; readonly id: number; readonly facts: OpenedFacts }
  | { readonly kind: 'established'; readonly id: number }
  /** `upForS`: how long it was Established; `null` where it never was */
  | { readonly kind: 'ended'; readonly id: number; readonly upForS: number | null };

export type PeerAction =
  | { readonly do: 'dial' }
  | { readonly do: 'cancelDial' }
  | { readonly do: 'startRetryTimer'; readonly seconds: number }
  | { readonly do: 'stopRetryTimer' }
  | { readonly do: 'startPenaltyTimer'; readonly seconds: number }
  | { readonly do: 'stopPenaltyTimer' }
  /** the connection machine of `id` starts */
  | { readonly do: 'begin'; readonly id: number }
  /** the connection is not wanted: Cease, connection rejected */
  | { readonly do: 'reject'; readonly id: number }
  | { readonly do: 'close'; readonly id: number; readonly cause: CloseCause };

export interface PeerStep {
  readonly state: PeerState;
  readonly actions: readonly PeerAction[];
}

/** one established, and some that have not said who they are: of more, the oldest of these gives way */
export const MAX_CONNECTIONS = 8;
/** longest wait between two attempts to connect */
export const MAX_RETRY_S = 120;
/** a session that lasted so long makes up for all failures before it */
const STABLE_S = 60;
const MAX_PENALTY_FACTOR = 16;

export const STOPPED: PeerState = { phase: 'Stopped', connections: [], failures: 0, penalties: 0 };

export function stepPeer(peer: PeerSettings, state: PeerState, event: PeerEvent): PeerStep {
  switch (event.kind) {
    case 'start':
      return start(peer, state);
    case 'stop':
      return stop(peer, state, event.cause);
    case 'accepted':
      return accept(peer, state, event.id);
    case 'dialed':
      return dialed(state, event.id);
    case 'dialFailed':
      return dialFailed(peer, state);
    case 'retryTimerExpired':
      return retry(state);
    case 'penaltyExpired':
      return state.phase === 'Penalty' ? wait(peer, { ...state, phase: 'Waiting' }, 'at once') : stay(state);
    case 'opened':
      return opened(peer, state, event.id, event.facts);
    case 'established':
      return established(state, event.id);
    case 'ended':
      return ended(peer, state, event.id, event.upForS);
    default:
      return event satisfies never;
  }
}

function stay(state: PeerState): PeerStep {
  return { state, actions: [] };
}

function start(peer: PeerSettings, state: PeerState): PeerStep {
  switch (state.phase) {
    case 'Stopped':
      return wait(peer, { ...state, phase: 'Waiting', failures: 0, penalties: 0 }, 'at once');
    case 'Penalty': {
      const next = wait(peer, { ...state, phase: 'Waiting', failures: 0, penalties: 0 }, 'at once');
      return { state: next.state, actions: [{ do: 'stopPenaltyTimer' }, ...next.actions] };
    }
    case 'Waiting':
    case 'Dialing':
    case 'Engaged':
    case 'Up':
      return stay(state);
    default:
      return state.phase satisfies never;
  }
}

/** No connection is left, and the peer may come again. */
function wait(peer: PeerSettings, state: PeerState, when: 'at once' | 'later'): PeerStep {
  if (peer.mode === 'passive') return stay({ ...state, phase: 'Waiting' });
  if (when === 'at once') return { state: { ...state, phase: 'Dialing' }, actions: [{ do: 'dial' }] };
  // one retry time after the first failure, longer ones from then on
  const doublings = Math.min(Math.max(state.failures - 1, 0), 16);
  const seconds = Math.max(peer.connectRetryS, Math.min(peer.connectRetryS * 2 ** doublings, MAX_RETRY_S));
  return { state: { ...state, phase: 'Waiting' }, actions: [{ do: 'startRetryTimer', seconds }] };
}

function stop(peer: PeerSettings, state: PeerState, cause: CloseCause): PeerStep {
  const closing: PeerAction[] = [
    ...leaving(state.phase),
    ...state.connections.map(({ id }): PeerAction => ({ do: 'close', id, cause })),
  ];
  const empty: PeerState = { ...state, connections: [] };
  switch (cause.kind) {
    case 'shutdown':
    case 'deconfigured':
    case 'restart':
      return { state: { ...empty, phase: 'Stopped' }, actions: closing };
    case 'max-prefixes': {
      const factor = Math.min(2 ** state.penalties, MAX_PENALTY_FACTOR);
      const penalties = state.penalties + 1;
      const timer: PeerAction = { do: 'startPenaltyTimer', seconds: peer.penaltyS * factor };
      return { state: { ...empty, phase: 'Penalty', penalties }, actions: [...closing, timer] };
    }
    case 'reset':
    case 'configuration-changed':
    case 'bfd-down':
    case 'out-of-resources':
    case 'collision':
    case 'superseded': {
      if (state.phase === 'Stopped' || state.phase === 'Penalty') return stay(state);
      const next = wait(peer, empty, 'later');
      return { state: next.state, actions: [...closing, ...next.actions] };
    }
    default:
      return cause satisfies never;
  }
}

/** What ends with a phase beside its connections. */
function leaving(phase: PeerPhase): PeerAction[] {
  switch (phase) {
    case 'Dialing':
      return [{ do: 'cancelDial' }];
    case 'Waiting':
      return [{ do: 'stopRetryTimer' }];
    case 'Penalty':
      return [{ do: 'stopPenaltyTimer' }];
    case 'Stopped':
    case 'Engaged':
    case 'Up':
      return [];
    default:
      return phase satisfies never;
  }
}

function accept(peer: PeerSettings, state: PeerState, id: number): PeerStep {
  const isRefused = state.phase === 'Stopped' || state.phase === 'Penalty';
  const isFull = state.connections.length >= MAX_CONNECTIONS;
  // who has not said who it is gives way: silent connections must not keep the peer itself out
  const silent = isFull ? state.connections.find(({ name }) => name === 'OpenSent') : undefined;
  if (isRefused || (isFull && silent === undefined)) return { state, actions: [{ do: 'reject', id }] };
  const connection: PeerConnection = { id, direction: 'passive', name: 'OpenSent' };
  const connections = [...state.connections.filter((one) => one !== silent), connection];
  const isIdle = state.phase === 'Waiting';
  const actions: PeerAction[] = [{ do: 'begin', id }];
  if (silent !== undefined) {
    actions.unshift({ do: 'close', id: silent.id, cause: { kind: 'out-of-resources' } });
  }
  if (isIdle && peer.mode === 'active') actions.unshift({ do: 'stopRetryTimer' });
  return { state: { ...state, phase: isIdle ? 'Engaged' : state.phase, connections }, actions };
}

function dialed(state: PeerState, id: number): PeerStep {
  if (state.phase !== 'Dialing') return { state, actions: [{ do: 'reject', id }] };
  const connection: PeerConnection = { id, direction: 'active', name: 'OpenSent' };
  return {
    state: { ...state, phase: 'Engaged', connections: [...state.connections, connection] },
    actions: [{ do: 'begin', id }],
  };
}

function dialFailed(peer: PeerSettings, state: PeerState): PeerStep {
  if (state.phase !== 'Dialing') return stay(state);
  const failed = { ...state, failures: state.failures + 1 };
  if (state.connections.length > 0) return stay({ ...failed, phase: 'Engaged' });
  // a peer that is not there is no oscillation: the wait does not grow beyond the configured one
  return wait(peer, { ...failed, failures: 0 }, 'later');
}

function retry(state: PeerState): PeerStep {
  return state.phase === 'Waiting'
    ? { state: { ...state, phase: 'Dialing' }, actions: [{ do: 'dial' }] }
    : stay(state);
}

/** An acceptable OPEN came on `id`: RFC 4271 section 6.8. */
function opened(peer: PeerSettings, state: PeerState, id: number, facts: OpenedFacts): PeerStep {
  const mine = state.connections.find((one) => one.id === id);
  if (mine?.name !== 'OpenSent') return stay(state);
  const confirmed: PeerState = {
    ...state,
    connections: state.connections.map((one) => (one.id === id ? { ...one, name: 'OpenConfirm' } : one)),
  };
  const up = state.connections.find((one) => one.name === 'Established');
  if (up !== undefined) {
    if (facts.establishedIs === 'ordinary') return drop(peer, confirmed, id, { kind: 'collision' });
    const without = drop(peer, confirmed, up.id, { kind: 'superseded' });
    return { state: { ...without.state, phase: 'Engaged' }, actions: without.actions };
  }
  const other = state.connections.find((one) => one.name === 'OpenConfirm' && one.id !== id);
  if (other === undefined) return stay(confirmed);
  return drop(peer, confirmed, loser(mine, other, facts), { kind: 'collision' });
}

/**
 * The connection opened by the speaker with the higher identifier stays (with equal ones: the higher AS). Two that
 * were opened by the same side: where ours is lower the new one stays, otherwise the old one.
 */
function loser(fresh: PeerConnection, old: PeerConnection, facts: OpenedFacts): number {
  const { localIdentifier, remoteIdentifier, localAsn, remoteAsn } = facts;
  const localIsHigher =
    localIdentifier === remoteIdentifier ? localAsn > remoteAsn : localIdentifier > remoteIdentifier;
  if (fresh.direction === old.direction) return localIsHigher ? fresh.id : old.id;
  const wanted = localIsHigher ? 'active' : 'passive';
  return fresh.direction === wanted ? old.id : fresh.id;
}

function drop(peer: PeerSettings, state: PeerState, id: number, cause: CloseCause): PeerStep {
  const connections = state.connections.filter((one) => one.id !== id);
  const actions: PeerAction[] = [{ do: 'close', id, cause }];
  if (connections.length > 0 || state.phase === 'Dialing') {
    return { state: { ...state, connections }, actions };
  }
  const next = wait(peer, { ...state, connections }, 'later');
  return { state: next.state, actions: [...actions, ...next.actions] };
}

/** The others have not said who they are: they are the same peer, and too late. */
function established(state: PeerState, id: number): PeerStep {
  const mine = state.connections.find((one) => one.id === id);
  if (mine === undefined) return stay(state);
  const actions: PeerAction[] = [
    ...leaving(state.phase),
    ...state.connections.flatMap((one): PeerAction[] =>
      one.id === id ? [] : [{ do: 'close', id: one.id, cause: { kind: 'collision' } }],
    ),
  ];
  return { state: { ...state, phase: 'Up', connections: [{ ...mine, name: 'Established' }] }, actions };
}

function ended(peer: PeerSettings, state: PeerState, id: number, upForS: number | null): PeerStep {
  const mine = state.connections.find((one) => one.id === id);
  if (mine === undefined) return stay(state);
  const connections = state.connections.filter((one) => one.id !== id);
  const wasStable = upForS !== null && upForS >= STABLE_S;
  const failures = wasStable ? 0 : state.failures + 1;
  const penalties = wasStable ? 0 : state.penalties;
  const next: PeerState = { ...state, connections, failures, penalties };
  const wasUp = mine.name === 'Established';
  if (connections.length > 0) return stay({ ...next, phase: wasUp ? 'Engaged' : state.phase });
  switch (state.phase) {
    case 'Dialing':
    case 'Stopped':
    case 'Penalty':
    case 'Waiting':
      return stay(next);
    case 'Engaged':
    case 'Up':
      return wait(peer, next, 'later');
    default:
      return state.phase satisfies never;
  }
}
