/**
 * The helper's side of graceful restart for one peer: which of its families are stale, and for how long.
 * RFC 4724 section 4.2; RFC 8538 changes only which ends of a session come here as retained.
 *
 *   fresh ── lost, something retained ──► away ── up again, F bit ──► returned ── End-of-RIB of each ──► fresh
 *                                          │ restart time over            │ stale time over
 *                                          └────────► sweep, fresh ◄──────┘
 *
 * Pure: timers are actions, their ends are events. What is swept no longer stands in the state.
 */
import type { FamilyKey } from '../address-family.js';
import type { PeerRestart } from './open-exchange.js';
import type { GracefulRestartSettings } from './peer-settings.js';

export type StaleState =
  | { readonly name: 'fresh' }
  /** the peer is gone; its restart time runs */
  | { readonly name: 'away'; readonly families: readonly FamilyKey[] }
  /** it is back, and these families have not ended their RIB yet */
  | { readonly name: 'returned'; readonly families: readonly FamilyKey[] };

export type StaleEvent =
  /** the session ended; `restartTimeS` is what the peer had announced */
  | { readonly kind: 'lost'; readonly retained: readonly FamilyKey[]; readonly restartTimeS: number }
  | {
      readonly kind: 'up';
      readonly restart: PeerRestart | null;
      readonly settings: GracefulRestartSettings | null;
    }
  | { readonly kind: 'endOfRib'; readonly family: FamilyKey }
  | { readonly kind: 'restartTimerExpired' }
  | { readonly kind: 'staleTimerExpired' }
  /** the peer is not wanted any more */
  | { readonly kind: 'forget' };

export type StaleAction =
  | { readonly do: 'sweep'; readonly families: readonly FamilyKey[] }
  | { readonly do: 'startRestartTimer'; readonly seconds: number }
  | { readonly do: 'stopRestartTimer' }
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
      return leave(event.retained, event.restartTimeS);
    case 'up':
    case 'endOfRib':
    case 'restartTimerExpired':
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
    case 'forget':
      return {
        state: FRESH,
        actions: [{ do: 'stopRestartTimer' }, { do: 'sweep', families: state.families }],
      };
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
    case 'endOfRib': {
      if (!families.includes(event.family)) return { state, actions: [] };
      const sweep: StaleAction = { do: 'sweep', families: [event.family] };
      const left = families.filter((family) => family !== event.family);
      if (left.length > 0) return { state: { name: 'returned', families: left }, actions: [sweep] };
      return { state: FRESH, actions: [{ do: 'stopStaleTimer' }, sweep] };
    }
    case 'lost': {
      // two restarts in a row: what was stale already is deleted (RFC 4724 section 4.2)
      const again = leave(event.retained, event.restartTimeS);
      return {
        state: again.state,
        actions: [{ do: 'stopStaleTimer' }, { do: 'sweep', families }, ...again.actions],
      };
    }
    case 'staleTimerExpired':
    case 'forget':
      return { state: FRESH, actions: [{ do: 'stopStaleTimer' }, { do: 'sweep', families }] };
    // a session that is up does not come up
    case 'up':
    case 'restartTimerExpired':
      return { state, actions: [] };
    default:
      return event satisfies never;
  }
}

function leave(retained: readonly FamilyKey[], restartTimeS: number): StaleStep {
  if (retained.length === 0) return { state: FRESH, actions: [] };
  return {
    state: { name: 'away', families: retained },
    actions: [{ do: 'startRestartTimer', seconds: restartTimeS }],
  };
}

/** Families without the F bit, or not named any more, are deleted at once (RFC 4724 section 4.2). */
function comeBack(
  stale: readonly FamilyKey[],
  restart: PeerRestart | null,
  settings: GracefulRestartSettings | null,
): StaleStep {
  const preserved = new Set(
    restart?.families.flatMap(({ family, forwardingPreserved }) => (forwardingPreserved ? [family] : [])),
  );
  const kept = stale.filter((family) => preserved.has(family) && settings !== null);
  const gone = stale.filter((family) => !kept.includes(family));
  const actions: StaleAction[] = [{ do: 'stopRestartTimer' }];
  if (gone.length > 0) actions.push({ do: 'sweep', families: gone });
  if (kept.length === 0 || settings === null) return { state: FRESH, actions };
  actions.push({ do: 'startStaleTimer', seconds: settings.staleTimeS });
  return { state: { name: 'returned', families: kept }, actions };
}
