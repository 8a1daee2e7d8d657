/**
 * One BFD session, from RFC 5880 section 6.8: a pure `step`. Its variables carry the names of section 6.8.1 without
 * the prefix "bfd.".
 *
 *             Down ──────────── peer Down ───────────► Init
 *              ▲ │                                      │
 *              │ └── peer Init ──► Up ◄── peer Init, Up ┘
 *              └── detection time, peer Down or AdminDown
 *
 * Invariants:
 * - we take the active role (6.1): packets go out from the beginning, once a second at most while not Up (6.8.3);
 * - changed intervals are announced by a Poll Sequence, and until it ends the detection of neither side is cut short;
 * - a `notify` stands only for Up reached and Up left, so that flapping below Up is nobody's news.
 * Neither demand mode nor echo are offered; demand mode of the peer is honoured.
 */
import type { BfdEvent, BfdReport, BfdSettings } from './bfd.js';
import { type BfdStateName, type ControlPacket, DIAGNOSTIC, diagnosticName } from './control-packet.js';

/** Section 6.8.3: no faster than this while the session is not Up. */
const SLOW_INTERVAL_US = 1_000_000;

export interface BfdState {
  readonly sessionState: BfdStateName;
  readonly localDiag: number;
  readonly localDiscr: number;
  readonly settings: BfdSettings;
  /** what our packets say */
  readonly desiredMinTxUs: number;
  readonly requiredMinRxUs: number;
  /** what counts: the same, but for a slower pace that the peer has not confirmed yet */
  readonly pacedMinTxUs: number;
  readonly countedMinRxUs: number;
  /** `again`: values changed once more while a Poll Sequence was under way */
  readonly poll: 'none' | 'running' | 'again';
  readonly remoteSessionState: BfdStateName;
  readonly remoteDiag: number;
  /** 0 = not known, or nothing heard for a detection time */
  readonly remoteDiscr: number;
  readonly remoteMinRxUs: number;
  readonly remoteDesiredMinTxUs: number;
  readonly remoteDetectMult: number;
  readonly remoteDemandMode: boolean;
}

export type BfdInput =
  | { readonly kind: 'packet'; readonly packet: ControlPacket }
  | { readonly kind: 'transmitDue' }
  | { readonly kind: 'detectionExpired' }
  | { readonly kind: 'changeSettings'; readonly settings: BfdSettings }
  | { readonly kind: 'disable' }
  | { readonly kind: 'enable' };

export type BfdAction =
  | { readonly do: 'send'; readonly packet: ControlPacket }
  /** in place of the one that runs; the interval is before jitter, 0 = none runs */
  | { readonly do: 'startTransmitTimer'; readonly intervalUs: number }
  /** in place of the one that runs */
  | { readonly do: 'startDetectionTimer'; readonly timeUs: number }
  | { readonly do: 'notify'; readonly event: BfdEvent };

export interface BfdStep {
  readonly state: BfdState;
  readonly actions: readonly BfdAction[];
}

/** A new session: its first packet goes out at once. */
export function beginBfd(settings: BfdSettings, localDiscr: number): BfdStep {
  const state: BfdState = {
    sessionState: 'Down',
    localDiag: DIAGNOSTIC.none,
    localDiscr,
    settings,
    desiredMinTxUs: slowTx(settings),
    requiredMinRxUs: settings.intervalMs * 1000,
    pacedMinTxUs: slowTx(settings),
    countedMinRxUs: settings.intervalMs * 1000,
    poll: 'none',
    remoteSessionState: 'Down',
    remoteDiag: DIAGNOSTIC.none,
    remoteDiscr: 0,
    remoteMinRxUs: 1,
    remoteDesiredMinTxUs: 0,
    remoteDetectMult: 0,
    remoteDemandMode: false,
  };
  return { state, actions: [send(state, 'periodic'), paced(state)] };
}

export function stepBfd(state: BfdState, input: BfdInput): BfdStep {
  switch (input.kind) {
    case 'packet':
      return receive(state, input.packet);
    case 'transmitDue':
      return {
        state,
        actions: transmitIntervalUs(state) === 0 ? [] : [send(state, 'periodic'), paced(state)],
      };
    case 'detectionExpired':
      return expire(state);
    case 'changeSettings':
      return told(state, withPace({ ...state, settings: input.settings }));
    case 'disable':
      return told(state, enter(state, 'AdminDown', DIAGNOSTIC.administrativelyDown));
    case 'enable':
      return state.sessionState === 'AdminDown'
        ? told(state, enter(state, 'Down', DIAGNOSTIC.none))
        : stay(state);
    default:
      return input satisfies never;
  }
}

/** Section 6.8.7: time between our packets, before jitter; 0 = nothing is sent periodically. */
export function transmitIntervalUs(state: BfdState): number {
  const isAskedForSilence =
    state.remoteMinRxUs === 0 ||
    (state.remoteDemandMode &&
      state.sessionState === 'Up' &&
      state.remoteSessionState === 'Up' &&
      state.poll === 'none');
  return isAskedForSilence ? 0 : Math.max(state.pacedMinTxUs, state.remoteMinRxUs);
}

/** Section 6.8.4: the silence after which the peer is gone; 0 before it said anything. */
export function detectionTimeUs(state: BfdState): number {
  return state.remoteDetectMult * Math.max(state.countedMinRxUs, state.remoteDesiredMinTxUs);
}

/** The peer's detection time for us, as far as we know it: how long AdminDown has to be told. */
export function lingerTimeUs(state: BfdState): number {
  return state.settings.multiplier * Math.max(state.desiredMinTxUs, state.remoteMinRxUs);
}

/** Section 6.8.7: 75 to 100 % of the interval, and no more than 90 % where one lost packet means Down. */
export function jitteredUs(intervalUs: number, multiplier: number, draw: number): number {
  return intervalUs * (0.75 + draw * (multiplier === 1 ? 0.15 : 0.25));
}

export function reportOf(state: BfdState): BfdReport {
  return {
    state: state.sessionState,
    remoteState: state.remoteSessionState,
    transmitIntervalUs: transmitIntervalUs(state),
    detectionTimeUs: detectionTimeUs(state),
    localDiscriminator: state.localDiscr,
    remoteDiscriminator: state.remoteDiscr,
  };
}

/** Section 6.8.6 from "Set bfd.RemoteDiscr"; the packet is one of this session's. */
function receive(before: BfdState, packet: ControlPacket): BfdStep {
  const heard: BfdState = {
    ...before,
    remoteDiscr: packet.myDiscriminator,
    remoteSessionState: packet.state,
    remoteDiag: packet.diagnostic,
    remoteDemandMode: packet.demand,
    remoteMinRxUs: packet.requiredMinRxUs,
    remoteDesiredMinTxUs: packet.desiredMinTxUs,
    remoteDetectMult: packet.detectMultiplier,
  };
  const confirmed = packet.final ? endPoll(heard) : heard;
  const step = told(before, transition(confirmed));
  const answer: BfdAction[] =
    packet.poll && step.state.sessionState !== 'AdminDown' ? [send(step.state, 'final')] : [];
  const detection: BfdAction = { do: 'startDetectionTimer', timeUs: detectionTimeUs(step.state) };
  return { state: step.state, actions: [...answer, ...step.actions, detection] };
}

/** The state machine of section 6.2. */
function transition(state: BfdState): BfdState {
  const { sessionState } = state;
  if (sessionState === 'AdminDown') return state;
  switch (state.remoteSessionState) {
    case 'AdminDown':
      return sessionState === 'Down' ? state : enter(state, 'Down', DIAGNOSTIC.neighborSignaledDown);
    case 'Down':
      if (sessionState === 'Down') return enter(state, 'Init', state.localDiag);
      return sessionState === 'Up' ? enter(state, 'Down', DIAGNOSTIC.neighborSignaledDown) : state;
    case 'Init':
      return sessionState === 'Up' ? state : enter(state, 'Up', DIAGNOSTIC.none);
    case 'Up':
      return sessionState === 'Init' ? enter(state, 'Up', DIAGNOSTIC.none) : state;
    default:
      return state.remoteSessionState satisfies never;
  }
}

function expire(state: BfdState): BfdStep {
  const lost: BfdState = { ...state, remoteDiscr: 0, poll: 'none' };
  if (state.sessionState !== 'Init' && state.sessionState !== 'Up') return stay(lost);
  const down = enter(lost, 'Down', DIAGNOSTIC.detectionTimeExpired);
  // nothing has been heard of the peer's wishes either: section 6.8.1, initial values
  return told(state, { ...down, remoteSessionState: 'Down', remoteMinRxUs: 1, remoteDemandMode: false });
}

function enter(state: BfdState, sessionState: BfdStateName, localDiag: number): BfdState {
  return withPace({ ...state, sessionState, localDiag });
}

/** The intervals that settings and state ask for, and the Poll Sequence that announces them (6.8.3). */
function withPace(state: BfdState): BfdState {
  const isUp = state.sessionState === 'Up';
  const desiredMinTxUs = isUp ? state.settings.intervalMs * 1000 : slowTx(state.settings);
  const requiredMinRxUs = state.settings.intervalMs * 1000;
  const isSame = desiredMinTxUs === state.desiredMinTxUs && requiredMinRxUs === state.requiredMinRxUs;
  const isHeard = state.remoteDiscr !== 0 && state.sessionState !== 'AdminDown';
  const poll = !isHeard ? 'none' : isSame ? state.poll : state.poll === 'none' ? 'running' : 'again';
  return {
    ...state,
    desiredMinTxUs,
    requiredMinRxUs,
    poll,
    // slower packets, or silence counted sooner, have to wait for the peer's Final while Up
    pacedMinTxUs: isUp ? Math.min(desiredMinTxUs, state.pacedMinTxUs) : desiredMinTxUs,
    countedMinRxUs: isUp ? Math.max(requiredMinRxUs, state.countedMinRxUs) : requiredMinRxUs,
  };
}

function endPoll(state: BfdState): BfdState {
  switch (state.poll) {
    case 'none':
      return state;
    case 'again':
      return { ...state, poll: 'running' };
    case 'running':
      return {
        ...state,
        poll: 'none',
        pacedMinTxUs: state.desiredMinTxUs,
        countedMinRxUs: state.requiredMinRxUs,
      };
    default:
      return state.poll satisfies never;
  }
}

/** What follows from the difference: a packet at once where it would say something new, timers, the news. */
function told(before: BfdState, state: BfdState): BfdStep {
  const actions: BfdAction[] = [];
  const saysNew =
    before.sessionState !== state.sessionState ||
    before.desiredMinTxUs !== state.desiredMinTxUs ||
    before.requiredMinRxUs !== state.requiredMinRxUs ||
    before.settings.multiplier !== state.settings.multiplier;
  const interval = transmitIntervalUs(state);
  if (saysNew && interval > 0) actions.push(send(state, 'periodic'));
  if ((saysNew && interval > 0) || interval !== transmitIntervalUs(before)) actions.push(paced(state));
  const event = newsOf(before, state);
  if (event !== null) actions.push({ do: 'notify', event });
  return { state, actions };
}

function newsOf(before: BfdState, state: BfdState): BfdEvent | null {
  if (before.sessionState === state.sessionState) return null;
  if (state.sessionState === 'Up') return { kind: 'up' };
  if (before.sessionState !== 'Up') return null;
  const isAdmin = state.sessionState === 'AdminDown' || state.remoteSessionState === 'AdminDown';
  return {
    kind: 'down',
    reason: isAdmin ? 'administratively down' : failureText(state),
    why: isAdmin ? 'administratively' : 'failed',
  };
}

function failureText({ localDiag, remoteDiag }: BfdState): string {
  const itsReason =
    localDiag === DIAGNOSTIC.neighborSignaledDown && remoteDiag !== DIAGNOSTIC.none
      ? ` (${diagnosticName(remoteDiag)})`
      : '';
  return `${diagnosticName(localDiag)}${itsReason}`;
}

function send(state: BfdState, occasion: 'periodic' | 'final'): BfdAction {
  const isFinal = occasion === 'final';
  return {
    do: 'send',
    packet: {
      diagnostic: state.localDiag,
      state: state.sessionState,
      poll: !isFinal && state.poll !== 'none',
      final: isFinal,
      controlPlaneIndependent: false,
      demand: false,
      detectMultiplier: state.settings.multiplier,
      myDiscriminator: state.localDiscr,
      yourDiscriminator: state.remoteDiscr,
      desiredMinTxUs: state.desiredMinTxUs,
      requiredMinRxUs: state.requiredMinRxUs,
      requiredMinEchoRxUs: 0,
    },
  };
}

function paced(state: BfdState): BfdAction {
  return { do: 'startTransmitTimer', intervalUs: transmitIntervalUs(state) };
}

function slowTx(settings: BfdSettings): number {
  return Math.max(SLOW_INTERVAL_US, settings.intervalMs * 1000);
}

function stay(state: BfdState): BfdStep {
  return { state, actions: [] };
}
