/**
 * The helper's side of graceful restart for one peer: which of its families are stale, and for how long.
 * RFC 4724 section 4.2, RFC 9494 section 4.2; RFC 8538 changes only which ends of a session come here as retained.
 *
 *   fresh ── lost, something retained ──► away ── up again, F bit ──► returned ── End-of-RIB of each ──► fresh
 *                                          │ restart time over,          │ stale time over
 *                                          │ long-lived time over        │ (lost again: away)
 *                                          └────────► sweep, fresh ◄─────┘
 *
 * When the restart time is over, families with a long-lived time stay for that. Their timers go on while the peer is
 * back: only End-of-RIB stops them.
 *
 * Pure: timers are actions, their ends are events. What is swept no longer stands in the state.
 */
import type { FamilyKey } from '../codec/address-family.js';
import type { PeerRestart } from './open-exchange.js';
import type { GracefulRestartSettings } from './peer-settings.js';

/** A family with stale routes. */
export interface StaleFamily {
  readonly family: FamilyKey;
  /** `longLived`: its long-lived timer runs */
  readonly phase: 'graceful' | 'longLived';
  /** how long it stays beyond the restart time; 0 = not at all */
  readonly longLivedS: number;
}

export type StaleState =
  | { readonly name: 'fresh' }
  /** the peer is gone; its restart time runs, or long-lived timers */
  | { readonly name: 'away'; readonly families: readonly StaleFamily[] }
  /** it is back, and these families have not ended their RIB yet */
  | { readonly name: 'returned'; readonly families: readonly StaleFamily[] };

export type StaleEvent =
  /** the session ended; `restart` is what the peer had announced */
  | { readonly kind: 'lost'; readonly retained: readonly FamilyKey[]; readonly restart: PeerRestart | null }
  | {
      readonly kind: 'up';
      readonly restart: PeerRestart | null;
      readonly settings: GracefulRestartSettings | null;
    }
  | { readonly kind: 'endOfRib'; readonly family: FamilyKey }
  | { readonly kind: 'restartTimerExpired' }
  | { readonly kind: 'longLivedTimerExpired'; readonly family: FamilyKey }
  | { readonly kind: 'staleTimerExpired' }
  /** the peer is not wanted any more */
  | { readonly kind: 'forget' };

export type StaleAction =
  | { readonly do: 'sweep'; readonly families: readonly FamilyKey[] }
  /** what is stale of these families is long-lived stale from now on */
  | { readonly do: 'keepLongLived'; readonly families: readonly FamilyKey[] }
  | { readonly do: 'startRestartTimer'; readonly seconds: number }
  | { readonly do: 'stopRestartTimer' }
  | { readonly do: 'startLongLivedTimer'; readonly family: FamilyKey; readonly seconds: number }
  | { readonly do: 'stopLongLivedTimer'; readonly family: FamilyKey }
  | { readonly do: 'startStaleTimer'; readonly seconds: number }
  | { readonly do: 'stopStaleTimer' };

export interface StaleStep {
  readonly state: StaleState;
  readonly actions: readonly StaleAction[];
}

export const FRESH: StaleState = { name: 'fresh' };

export function stepStale(state: StaleState, event: StaleEvent): StaleStep {
  switch (state.name) {
    case 'fresh':
      return stepFresh(state, event);
    case 'away':
      return stepAway(state, event);
    case 'returned':
      return stepReturned(state, event);
    default:
      return state satisfies never;
  }
}

function stepFresh(state: StaleState, event: StaleEvent): StaleStep {
  switch (event.kind) {
    case 'lost':
      return leave([], event.retained, event.restart);
    case 'up':
    case 'endOfRib':
    case 'restartTimerExpired':
    case 'longLivedTimerExpired':
    case 'staleTimerExpired':
    case 'forget':
      return { state, actions: [] };
    default:
      return event satisfies never;
  }
}

function stepAway(state: Extract<StaleState, { name: 'away' }>, event: StaleEvent): StaleStep {
  switch (event.kind) {
    case 'up':
      return comeBack(state.families, event.restart, event.settings);
    case 'restartTimerExpired':
      return outlive(state.families);
    case 'longLivedTimerExpired':
      return without(state, event.family, { do: 'stopRestartTimer' });
    case 'forget':
      return { state: FRESH, actions: [{ do: 'stopRestartTimer' }, ...drop(state.families)] };
    // not while there is no session
    case 'lost':
    case 'endOfRib':
    case 'staleTimerExpired':
      return { state, actions: [] };
    default:
      return event satisfies never;
  }
}

function stepReturned(state: Extract<StaleState, { name: 'returned' }>, event: StaleEvent): StaleStep {
  const { families } = state;
  switch (event.kind) {
    case 'endOfRib':
    case 'longLivedTimerExpired':
      return without(state, event.family, { do: 'stopStaleTimer' });
    case 'lost': {
      // two restarts in a row: what was stale already is deleted (RFC 4724 section 4.2), unless it may live longer
      // (RFC 9494 section 4.2)
      const { retained, restart } = event;
      const lives = ({ family }: StaleFamily): boolean =>
        retained.includes(family) && longLivedTimeS(restart, family) > 0;
      const again = leave(families.filter(lives), retained, restart);
      const gone = families.filter((one) => !lives(one));
      return {
        state: again.state,
        actions: [{ do: 'stopStaleTimer' }, ...drop(gone), ...again.actions],
      };
    }
    case 'staleTimerExpired':
    case 'forget':
      return { state: FRESH, actions: [{ do: 'stopStaleTimer' }, ...drop(families)] };
    // a session that is up does not come up
    case 'up':
    case 'restartTimerExpired':
      return { state, actions: [] };
    default:
      return event satisfies never;
  }
}

/** The session is gone. `stale` are families that were stale before and stay: a timer that runs is not touched. */
function leave(
  stale: readonly StaleFamily[],
  retained: readonly FamilyKey[],
  restart: PeerRestart | null,
): StaleStep {
  if (retained.length === 0) return { state: FRESH, actions: [] };
  const families = retained.map((family): StaleFamily => {
    const longLivedS = longLivedTimeS(restart, family);
    const running = stale.find((one) => one.family === family && one.phase === 'longLived');
    return running ?? { family, phase: 'graceful', longLivedS };
  });
  // a family without graceful restart has a restart time of 0 (RFC 9494 section 4.2)
  const waits = ({ family }: StaleFamily): boolean =>
    restart?.families.some((one) => one.family === family) === true;
  const waiting = families.filter(waits);
  const beyond = outlive(families.filter((one) => !waits(one)));
  const actions = [...beyond.actions];
  if (waiting.length > 0) actions.push({ do: 'startRestartTimer', seconds: restart?.restartTimeS ?? 0 });
  return away([...waiting, ...staleIn(beyond.state)], actions);
}

/** The restart time of these families is over: each lives longer, or is deleted. */
function outlive(families: readonly StaleFamily[]): StaleStep {
  const living = families.filter(({ longLivedS }) => longLivedS > 0);
  const actions: StaleAction[] = drop(families.filter(({ longLivedS }) => longLivedS === 0));
  if (living.length > 0) actions.push({ do: 'keepLongLived', families: living.map(({ family }) => family) });
  for (const { family, phase, longLivedS } of living) {
    if (phase === 'graceful') actions.push({ do: 'startLongLivedTimer', family, seconds: longLivedS });
  }
  return away(
    living.map((one) => ({ ...one, phase: 'longLived' })),
    actions,
  );
}

/**
 * Families without the F bit, or not named any more, are deleted at once: by the graceful restart capability within
 * the restart time (RFC 4724 section 4.2), after it by the long-lived one (RFC 9494 section 4.2).
 */
function comeBack(
  stale: readonly StaleFamily[],
  restart: PeerRestart | null,
  settings: GracefulRestartSettings | null,
): StaleStep {
  const isPreserved = ({ family, phase }: StaleFamily): boolean => {
    const said = phase === 'graceful' ? restart?.families : restart?.longLived;
    return said?.find((one) => one.family === family)?.forwardingPreserved === true;
  };
  const kept = settings === null ? [] : stale.filter(isPreserved);
  const gone = stale.filter((one) => !kept.includes(one));
  const actions: StaleAction[] = [{ do: 'stopRestartTimer' }, ...drop(gone)];
  if (kept.length === 0 || settings === null) return { state: FRESH, actions };
  actions.push({ do: 'startStaleTimer', seconds: settings.staleTimeS });
  return { state: { name: 'returned', families: kept }, actions };
}

/** One family less; `atLast` is done where no other is left. */
function without(
  state: Exclude<StaleState, { name: 'fresh' }>,
  family: FamilyKey,
  atLast: StaleAction,
): StaleStep {
  const gone = state.families.filter((one) => one.family === family);
  if (gone.length === 0) return { state, actions: [] };
  const families = state.families.filter((one) => one.family !== family);
  if (families.length > 0) return { state: { ...state, families }, actions: drop(gone) };
  return { state: FRESH, actions: [atLast, ...drop(gone)] };
}

/** Ends what runs for these families, and deletes what is stale of them. */
function drop(families: readonly StaleFamily[]): StaleAction[] {
  if (families.length === 0) return [];
  const longLived = families.filter(({ phase }) => phase === 'longLived');
  return [
    ...longLived.map(({ family }): StaleAction => ({ do: 'stopLongLivedTimer', family })),
    { do: 'sweep', families: families.map(({ family }) => family) },
  ];
}

function away(families: readonly StaleFamily[], actions: readonly StaleAction[]): StaleStep {
  return { state: families.length === 0 ? FRESH : { name: 'away', families }, actions };
}

function staleIn(state: StaleState): readonly StaleFamily[] {
  return state.name === 'fresh' ? [] : state.families;
}

function longLivedTimeS(restart: PeerRestart | null, family: FamilyKey): number {
  return restart?.longLived.find((one) => one.family === family)?.staleTimeS ?? 0;
}
