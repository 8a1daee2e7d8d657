import { describe, expect, test } from 'vitest';
import { IPV4_UNICAST as V4, IPV6_UNICAST as V6 } from '../../../../src/bgp/address-family.js';
import type { PeerRestart } from '../../../../src/bgp/session/open-exchange.js';
import {
  FRESH,
  type StaleAction,
  type StaleEvent,
  type StaleState,
  stepStale,
} from '../../../../src/bgp/session/stale-routes.js';
import { GRACEFUL } from './machine-parts.js';

function restart(families: readonly number[], preserved = families): PeerRestart {
  return {
    restarted: true,
    coversNotification: true,
    restartTimeS: 77,
    families: families.map((family) => ({ family, forwardingPreserved: preserved.includes(family) })),
  };
}

function text(actions: readonly StaleAction[]): string {
  return actions
    .map((action) =>
      'families' in action
        ? `sweep(${action.families.map((f) => (f === V4 ? 'v4' : 'v6')).join()})`
        : 'seconds' in action
          ? `${action.do}(${action.seconds})`
          : action.do,
    )
    .join(' ');
}

function outcome(state: StaleState, event: StaleEvent): string {
  const step = stepStale(state, event);
  return `${step.state.name} ${text(step.actions)}`.trim();
}

const AWAY: StaleState = { name: 'away', families: [V4, V6] };
const RETURNED: StaleState = { name: 'returned', families: [V4, V6] };

const EVENTS: Readonly<Record<string, StaleEvent>> = {
  lost: { kind: 'lost', retained: [V4, V6], restartTimeS: 77 },
  lostForGood: { kind: 'lost', retained: [], restartTimeS: 77 },
  up: { kind: 'up', restart: restart([V4, V6]), settings: GRACEFUL },
  upWithout: { kind: 'up', restart: null, settings: GRACEFUL },
  endOfRib: { kind: 'endOfRib', family: V4 },
  restartTimerExpired: { kind: 'restartTimerExpired' },
  staleTimerExpired: { kind: 'staleTimerExpired' },
  forget: { kind: 'forget' },
};

const TABLE: Readonly<Record<StaleState['name'], Readonly<Record<keyof typeof EVENTS, string>>>> = {
  fresh: {
    lost: 'away startRestartTimer(77)',
    lostForGood: 'fresh',
    up: 'fresh',
    upWithout: 'fresh',
    endOfRib: 'fresh',
    restartTimerExpired: 'fresh',
    staleTimerExpired: 'fresh',
    forget: 'fresh',
  },
  away: {
    lost: 'away',
    lostForGood: 'away',
    up: 'returned stopRestartTimer startStaleTimer(360)',
    upWithout: 'fresh stopRestartTimer sweep(v4,v6)',
    endOfRib: 'away',
    restartTimerExpired: 'fresh stopRestartTimer sweep(v4,v6)',
    staleTimerExpired: 'away',
    forget: 'fresh stopRestartTimer sweep(v4,v6)',
  },
  returned: {
    lost: 'away stopStaleTimer sweep(v4,v6) startRestartTimer(77)',
    lostForGood: 'fresh stopStaleTimer sweep(v4,v6)',
    up: 'returned',
    upWithout: 'returned',
    endOfRib: 'returned sweep(v4)',
    restartTimerExpired: 'returned',
    staleTimerExpired: 'fresh stopStaleTimer sweep(v4,v6)',
    forget: 'fresh stopStaleTimer sweep(v4,v6)',
  },
};

const STATES: Readonly<Record<StaleState['name'], StaleState>> = {
  fresh: FRESH,
  away: AWAY,
  returned: RETURNED,
};

describe.each(Object.entries(TABLE))('in state %s', (name, row) => {
  test.each(Object.entries(row))('%s leads to: %s', (event, expected) => {
    expect(outcome(STATES[name as StaleState['name']], EVENTS[event]!)).toBe(expected);
  });
});

describe('a peer that comes back', () => {
  test('loses what it did not preserve at once (RFC 4724 section 4.2)', () => {
    const up: StaleEvent = { kind: 'up', restart: restart([V4, V6], [V4]), settings: GRACEFUL };
    expect(outcome(AWAY, up)).toBe('returned stopRestartTimer sweep(v6) startStaleTimer(360)');
    const fewer: StaleEvent = { kind: 'up', restart: restart([V6]), settings: GRACEFUL };
    expect(outcome(AWAY, fewer)).toBe('returned stopRestartTimer sweep(v4) startStaleTimer(360)');
  });

  test('is done when each family has ended its RIB', () => {
    const first = stepStale(RETURNED, { kind: 'endOfRib', family: V6 });
    expect(text(first.actions)).toBe('sweep(v6)');
    expect(outcome(first.state, { kind: 'endOfRib', family: V6 })).toBe('returned');
    expect(outcome(first.state, { kind: 'endOfRib', family: V4 })).toBe('fresh stopStaleTimer sweep(v4)');
  });
});
