/**
 * The restarting side of graceful restart (RFC 4724 section 4.1): nothing is announced before the peers that
 * restart gracefully have sent all they have, so that no peer sees a half-full table and drops its stale routes.
 *
 * A peer that itself has just restarted (R bit) is not waited for, nor is one without the capability: otherwise two
 * that restart together would wait for each other. Peers that do not come are given up with the timer.
 */
import type { FamilyKey } from '../codec/address-family.js';
import type { PeerRestart } from './open-exchange.js';

export type DeferralState =
  | { readonly name: 'released' }
  | {
      readonly name: 'deferring';
      /** peers that have not come yet */
      readonly absent: ReadonlySet<string>;
      /** `peer family` of those that are here and have not ended their RIB */
      readonly owed: ReadonlySet<string>;
    };

export type DeferralEvent =
  | { readonly kind: 'up'; readonly peer: string; readonly restart: PeerRestart | null }
  | { readonly kind: 'endOfRib'; readonly peer: string; readonly family: FamilyKey }
  /** its session ended, or it is no longer configured */
  | { readonly kind: 'gone'; readonly peer: string }
  | { readonly kind: 'timerExpired' };

export const RELEASED: DeferralState = { name: 'released' };

/** @param peers that the speaker expects: those with graceful restart configured */
export function beginDeferral(peers: Iterable<string>): DeferralState {
  return settle(new Set(peers), new Set());
}

/** The next state; whoever sees `released` for the first time begins to announce. */
export function stepDeferral(state: DeferralState, event: DeferralEvent): DeferralState {
  switch (state.name) {
    case 'released':
      return state;
    case 'deferring':
      return stepDeferring(state, event);
    default:
      return state satisfies never;
  }
}

function stepDeferring(
  { absent, owed }: Extract<DeferralState, { name: 'deferring' }>,
  event: DeferralEvent,
): DeferralState {
  switch (event.kind) {
    case 'up': {
      const { peer, restart } = event;
      const waitsFor = restart === null || restart.restarted ? [] : restart.families;
      const more = waitsFor.map(({ family }) => key(peer, family));
      return settle(without(absent, peer), new Set([...owed, ...more]));
    }
    case 'endOfRib':
      return settle(absent, without(owed, key(event.peer, event.family)));
    case 'gone': {
      const left = [...owed].filter((one) => !one.startsWith(key(event.peer, '')));
      return settle(without(absent, event.peer), new Set(left));
    }
    case 'timerExpired':
      return RELEASED;
    default:
      return event satisfies never;
  }
}

function settle(absent: ReadonlySet<string>, owed: ReadonlySet<string>): DeferralState {
  return absent.size === 0 && owed.size === 0 ? RELEASED : { name: 'deferring', absent, owed };
}

function key(peer: string, family: FamilyKey | ''): string {
  return `${peer} ${family}`;
}

function without(set: ReadonlySet<string>, item: string): ReadonlySet<string> {
  return new Set([...set].filter((one) => one !== item));
}
