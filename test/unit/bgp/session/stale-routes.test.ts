import { describe, expect, test } from 'vitest';
import { IPV4_UNICAST as V4, IPV6_UNICAST as V6 } from '../../../../src/bgp/codec/address-family.js';
import type { PeerRestart } from '../../../../src/bgp/session/open-exchange.js';
import {
  FRESH,
  type StaleAction,
  type StaleEvent,
  type StaleFamily,
  type StaleState,
  stepStale,
} from '../../../../src/bgp/session/stale-routes.js';
import { GRACEFUL } from './machine-parts.js';

/** @param longLived long-lived times by family; absent = the family is not in that capability */
function restart(
  families: readonly number[],
  preserved = families,
  longLived: ReadonlyMap<number, number> = new Map(),
): PeerRestart {
  const withBit = (family: number) => ({ family, forwardingPreserved: preserved.includes(family) });
  return {
    restarted: true,
    coversNotification: true,
    restartTimeS: 77,
    families: families.map(withBit),
    longLived: [...longLived].map(([family, staleTimeS]) => ({ ...withBit(family), staleTimeS })),
  };
}

const name = (family: number): string => (family === V4 ? 'v4' : 'v6');

function text(actions: readonly StaleAction[]): string {
  return actions
    .map((action) => {
      if ('families' in action) return `${action.do}(${action.families.map(name).join()})`;
      const family = 'family' in action ? [name(action.family)] : [];
      const seconds = 'seconds' in action ? [action.seconds] : [];
      const more = [...family, ...seconds];
      return more.length === 0 ? action.do : `${action.do}(${more.join()})`;
    })
    .join(' ');
}

function outcome(state: StaleState, event: StaleEvent): string {
  const step = stepStale(state, event);
  return `${step.state.name} ${text(step.actions)}`.trim();
}

/** What a state's families are: `v4 graceful, v6 longLived`. */
function phases(state: StaleState): string {
  return state.name === 'fresh'
    ? ''
    : state.families.map(({ family, phase }) => `${name(family)} ${phase}`).join(', ');
}

const graceful = (family: number, longLivedS = 0): StaleFamily => ({ family, phase: 'graceful', longLivedS });
const longLived = (family: number, longLivedS = 600): StaleFamily => ({
  family,
  phase: 'longLived',
  longLivedS,
});

const BOTH_LONG = restart([V4, V6], [V4, V6], new Map([V4, V6].map((family) => [family, 600])));

const STATES: Readonly<Record<string, StaleState>> = {
  fresh: FRESH,
  away: { name: 'away', families: [graceful(V4), graceful(V6)] },
  returned: { name: 'returned', families: [graceful(V4), graceful(V6)] },
  /** IPv4 may live longer, IPv6 may not */
  awayBefore: { name: 'away', families: [graceful(V4, 600), graceful(V6)] },
  awayBeyond: { name: 'away', families: [longLived(V4), longLived(V6)] },
  returnedLate: { name: 'returned', families: [longLived(V4), longLived(V6)] },
};

const EVENTS = {
  lost: { kind: 'lost', retained: [V4, V6], restart: restart([V4, V6]) },
  lostLong: { kind: 'lost', retained: [V4, V6], restart: BOTH_LONG },
  lostForGood: { kind: 'lost', retained: [], restart: restart([V4, V6]) },
  up: { kind: 'up', restart: restart([V4, V6]), settings: GRACEFUL },
  upLong: { kind: 'up', restart: BOTH_LONG, settings: GRACEFUL },
  upWithout: { kind: 'up', restart: null, settings: GRACEFUL },
  endOfRib: { kind: 'endOfRib', family: V4 },
  restartTimerExpired: { kind: 'restartTimerExpired' },
  longLivedTimerExpired: { kind: 'longLivedTimerExpired', family: V4 },
  staleTimerExpired: { kind: 'staleTimerExpired' },
  forget: { kind: 'forget' },
} satisfies Readonly<Record<string, StaleEvent>>;

const TABLE: Readonly<Record<keyof typeof STATES, Readonly<Record<keyof typeof EVENTS, string>>>> = {
  fresh: {
    lost: 'away startRestartTimer(77)',
    lostLong: 'away startRestartTimer(77)',
    lostForGood: 'fresh',
    up: 'fresh',
    upLong: 'fresh',
    upWithout: 'fresh',
    endOfRib: 'fresh',
    restartTimerExpired: 'fresh',
    longLivedTimerExpired: 'fresh',
    staleTimerExpired: 'fresh',
    forget: 'fresh',
  },
  away: {
    lost: 'away',
    lostLong: 'away',
    lostForGood: 'away',
    up: 'returned stopRestartTimer startStaleTimer(360)',
    upLong: 'returned stopRestartTimer startStaleTimer(360)',
    upWithout: 'fresh stopRestartTimer sweep(v4,v6)',
    endOfRib: 'away',
    restartTimerExpired: 'fresh sweep(v4,v6)',
    longLivedTimerExpired: 'away sweep(v4)',
    staleTimerExpired: 'away',
    forget: 'fresh stopRestartTimer sweep(v4,v6)',
  },
  returned: {
    lost: 'away stopStaleTimer sweep(v4,v6) startRestartTimer(77)',
    lostLong: 'away stopStaleTimer startRestartTimer(77)',
    lostForGood: 'fresh stopStaleTimer sweep(v4,v6)',
    up: 'returned',
    upLong: 'returned',
    upWithout: 'returned',
    endOfRib: 'returned sweep(v4)',
    restartTimerExpired: 'returned',
    longLivedTimerExpired: 'returned sweep(v4)',
    staleTimerExpired: 'fresh stopStaleTimer sweep(v4,v6)',
    forget: 'fresh stopStaleTimer sweep(v4,v6)',
  },
  awayBefore: {
    lost: 'away',
    lostLong: 'away',
    lostForGood: 'away',
    up: 'returned stopRestartTimer startStaleTimer(360)',
    upLong: 'returned stopRestartTimer startStaleTimer(360)',
    upWithout: 'fresh stopRestartTimer sweep(v4,v6)',
    endOfRib: 'away',
    restartTimerExpired: 'away sweep(v6) keepLongLived(v4) startLongLivedTimer(v4,600)',
    longLivedTimerExpired: 'away sweep(v4)',
    staleTimerExpired: 'away',
    forget: 'fresh stopRestartTimer sweep(v4,v6)',
  },
  awayBeyond: {
    lost: 'away',
    lostLong: 'away',
    lostForGood: 'away',
    up: 'fresh stopRestartTimer stopLongLivedTimer(v4) stopLongLivedTimer(v6) sweep(v4,v6)',
    upLong: 'returned stopRestartTimer startStaleTimer(360)',
    upWithout: 'fresh stopRestartTimer stopLongLivedTimer(v4) stopLongLivedTimer(v6) sweep(v4,v6)',
    endOfRib: 'away',
    restartTimerExpired: 'away keepLongLived(v4,v6)',
    longLivedTimerExpired: 'away stopLongLivedTimer(v4) sweep(v4)',
    staleTimerExpired: 'away',
    forget: 'fresh stopRestartTimer stopLongLivedTimer(v4) stopLongLivedTimer(v6) sweep(v4,v6)',
  },
  returnedLate: {
    lost: 'away stopStaleTimer stopLongLivedTimer(v4) stopLongLivedTimer(v6) sweep(v4,v6) startRestartTimer(77)',
    lostLong: 'away stopStaleTimer startRestartTimer(77)',
    lostForGood: 'fresh stopStaleTimer stopLongLivedTimer(v4) stopLongLivedTimer(v6) sweep(v4,v6)',
    up: 'returned',
    upLong: 'returned',
    upWithout: 'returned',
    endOfRib: 'returned stopLongLivedTimer(v4) sweep(v4)',
    restartTimerExpired: 'returned',
    longLivedTimerExpired: 'returned stopLongLivedTimer(v4) sweep(v4)',
    staleTimerExpired: 'fresh stopStaleTimer stopLongLivedTimer(v4) stopLongLivedTimer(v6) sweep(v4,v6)',
    forget: 'fresh stopStaleTimer stopLongLivedTimer(v4) stopLongLivedTimer(v6) sweep(v4,v6)',
  },
};

describe.each(Object.entries(TABLE))('in state %s', (state, row) => {
  test.each(Object.entries(row))('%s leads to: %s', (event, expected) => {
    expect(outcome(STATES[state]!, EVENTS[event as keyof typeof EVENTS])).toBe(expected);
  });
});

describe('a peer that comes back', () => {
  test('loses what it did not preserve at once (RFC 4724 section 4.2)', () => {
    const up: StaleEvent = { kind: 'up', restart: restart([V4, V6], [V4]), settings: GRACEFUL };
    expect(outcome(STATES.away!, up)).toBe('returned stopRestartTimer sweep(v6) startStaleTimer(360)');
    const fewer: StaleEvent = { kind: 'up', restart: restart([V6]), settings: GRACEFUL };
    expect(outcome(STATES.away!, fewer)).toBe('returned stopRestartTimer sweep(v4) startStaleTimer(360)');
  });

  test('beyond its restart time is asked for the F bit of the other capability (RFC 9494 section 4.2)', () => {
    const only = (families: readonly number[], preserved: readonly number[]): PeerRestart => ({
      ...restart([V4, V6]),
      longLived: restart([], preserved, new Map(families.map((family) => [family, 600]))).longLived,
    });
    const swept = (said: PeerRestart): string =>
      outcome(STATES.awayBeyond!, { kind: 'up', restart: said, settings: GRACEFUL });
    const v6Gone = 'returned stopRestartTimer stopLongLivedTimer(v6) sweep(v6) startStaleTimer(360)';
    expect(swept(only([V4, V6], [V4]))).toBe(v6Gone);
    expect(swept(only([V4], [V4]))).toBe(v6Gone);
  });

  test('is done when each family has ended its RIB', () => {
    const first = stepStale(STATES.returned!, { kind: 'endOfRib', family: V6 });
    expect(text(first.actions)).toBe('sweep(v6)');
    expect(outcome(first.state, { kind: 'endOfRib', family: V6 })).toBe('returned');
    expect(outcome(first.state, { kind: 'endOfRib', family: V4 })).toBe('fresh stopStaleTimer sweep(v4)');
  });
});

describe('a family beyond the restart time', () => {
  test('goes when its own time is over, the last one with all that runs', () => {
    const first = stepStale(STATES.awayBeyond!, EVENTS.longLivedTimerExpired);
    expect(phases(first.state)).toBe('v6 longLived');
    expect(outcome(first.state, { kind: 'longLivedTimerExpired', family: V6 })).toBe(
      'fresh stopRestartTimer stopLongLivedTimer(v6) sweep(v6)',
    );
  });

  test('keeps its timer over a second loss, whatever time the peer says now, and is fresh after End-of-RIB', () => {
    const again = stepStale(STATES.returnedLate!, EVENTS.lostLong);
    expect(phases(again.state)).toBe('v4 longLived, v6 longLived');
    // what the peer announced in between becomes long-lived stale as well; no timer begins again
    expect(outcome(again.state, EVENTS.restartTimerExpired)).toBe('away keepLongLived(v4,v6)');
    const synchronized = stepStale(STATES.returnedLate!, EVENTS.endOfRib);
    const lost = stepStale(synchronized.state, EVENTS.lostLong);
    expect(outcome(lost.state, EVENTS.restartTimerExpired)).toBe(
      'away keepLongLived(v4,v6) startLongLivedTimer(v4,600)',
    );
  });

  test('that does not restart gracefully has no restart time (RFC 9494 section 4.2)', () => {
    const said = restart([V6], [V6], new Map([[V4, 600]]));
    const step = stepStale(FRESH, { kind: 'lost', retained: [V6, V4], restart: said });
    expect(text(step.actions)).toBe('keepLongLived(v4) startLongLivedTimer(v4,600) startRestartTimer(77)');
    expect(phases(step.state)).toBe('v6 graceful, v4 longLived');
  });
});
