import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MAX_CONNECTIONS,
  MAX_RETRY_S,
  type OpenedFacts,
  type PeerAction,
  type PeerEvent,
  type PeerPhase,
  type PeerState,
  STOPPED,
  stepPeer,
} from '../../../../src/bgp/session/peer-machine.js';
import type { PeerSettings } from '../../../../src/bgp/session/peer-settings.js';
import { peerWith } from './machine-parts.js';

const ACTIVE = peerWith({ mode: 'active', connectRetryS: 5 });
const PASSIVE = peerWith({ mode: 'passive' });

const FACTS: OpenedFacts = {
  localIdentifier: 1,
  localAsn: 65000,
  remoteIdentifier: 2,
  remoteAsn: 64512,
  establishedIs: 'ordinary',
};

/** A peer in that phase; connection 1 is there where the phase has one. */
function stateIn(phase: PeerPhase): PeerState {
  const empty: PeerState = { ...STOPPED, phase };
  if (phase === 'Engaged') {
    return { ...empty, connections: [{ id: 1, direction: 'passive', name: 'OpenSent' }] };
  }
  if (phase !== 'Up') return empty;
  return { ...empty, connections: [{ id: 1, direction: 'passive', name: 'Established' }] };
}

function text(actions: readonly PeerAction[]): string {
  return actions
    .map((action) => {
      if ('seconds' in action) return `${action.do}(${action.seconds})`;
      return 'cause' in action
        ? `close(${action.id},${action.cause.kind})`
        : 'id' in action
          ? `${action.do}(${action.id})`
          : action.do;
    })
    .join(' ');
}

function outcome(state: PeerState, event: PeerEvent, peer: PeerSettings = ACTIVE): string {
  const step = stepPeer(peer, state, event);
  const ids = step.state.connections.map(({ id }) => id).join();
  return `${step.state.phase}[${ids}] ${text(step.actions)}`.trim();
}

const EVENTS: Readonly<Record<string, PeerEvent>> = {
  start: { kind: 'start' },
  shutdown: { kind: 'stop', cause: { kind: 'shutdown', text: '' } },
  reset: { kind: 'stop', cause: { kind: 'reset', text: '' } },
  tooMany: { kind: 'stop', cause: { kind: 'max-prefixes', family: 257, limit: 1 } },
  accepted: { kind: 'accepted', id: 9 },
  dialed: { kind: 'dialed', id: 9 },
  dialFailed: { kind: 'dialFailed' },
  retryTimerExpired: { kind: 'retryTimerExpired' },
  penaltyExpired: { kind: 'penaltyExpired' },
  opened: { kind: 'opened', id: 1, facts: FACTS },
  established: { kind: 'established', id: 1 },
  ended: { kind: 'ended', id: 1, upForS: null },
};

/** Every phase and event, for a peer that we connect to. */
const TABLE: Readonly<Record<PeerPhase, Readonly<Record<keyof typeof EVENTS, string>>>> = {
  Stopped: {
    start: 'Dialing[] dial',
    shutdown: 'Stopped[]',
    reset: 'Stopped[]',
    tooMany: 'Penalty[] startPenaltyTimer(60)',
    accepted: 'Stopped[] reject(9)',
    dialed: 'Stopped[] reject(9)',
    dialFailed: 'Stopped[]',
    retryTimerExpired: 'Stopped[]',
    penaltyExpired: 'Stopped[]',
    opened: 'Stopped[]',
    established: 'Stopped[]',
    ended: 'Stopped[]',
  },
  Penalty: {
    start: 'Dialing[] stopPenaltyTimer dial',
    shutdown: 'Stopped[] stopPenaltyTimer',
    reset: 'Penalty[]',
    tooMany: 'Penalty[] stopPenaltyTimer startPenaltyTimer(60)',
    accepted: 'Penalty[] reject(9)',
    dialed: 'Penalty[] reject(9)',
    dialFailed: 'Penalty[]',
    retryTimerExpired: 'Penalty[]',
    penaltyExpired: 'Dialing[] dial',
    opened: 'Penalty[]',
    established: 'Penalty[]',
    ended: 'Penalty[]',
  },
  Waiting: {
    start: 'Waiting[]',
    shutdown: 'Stopped[] stopRetryTimer',
    reset: 'Waiting[] stopRetryTimer startRetryTimer(5)',
    tooMany: 'Penalty[] stopRetryTimer startPenaltyTimer(60)',
    accepted: 'Engaged[9] stopRetryTimer begin(9)',
    dialed: 'Waiting[] reject(9)',
    dialFailed: 'Waiting[]',
    retryTimerExpired: 'Dialing[] dial',
    penaltyExpired: 'Waiting[]',
    opened: 'Waiting[]',
    established: 'Waiting[]',
    ended: 'Waiting[]',
  },
  Dialing: {
    start: 'Dialing[]',
    shutdown: 'Stopped[] cancelDial',
    reset: 'Waiting[] cancelDial startRetryTimer(5)',
    tooMany: 'Penalty[] cancelDial startPenaltyTimer(60)',
    accepted: 'Dialing[9] begin(9)',
    dialed: 'Engaged[9] begin(9)',
    dialFailed: 'Waiting[] startRetryTimer(5)',
    retryTimerExpired: 'Dialing[]',
    penaltyExpired: 'Dialing[]',
    opened: 'Dialing[]',
    established: 'Dialing[]',
    ended: 'Dialing[]',
  },
  Engaged: {
    start: 'Engaged[1]',
    shutdown: 'Stopped[] close(1,shutdown)',
    reset: 'Waiting[] close(1,reset) startRetryTimer(5)',
    tooMany: 'Penalty[] close(1,max-prefixes) startPenaltyTimer(60)',
    accepted: 'Engaged[1,9] begin(9)',
    dialed: 'Engaged[1] reject(9)',
    dialFailed: 'Engaged[1]',
    retryTimerExpired: 'Engaged[1]',
    penaltyExpired: 'Engaged[1]',
    opened: 'Engaged[1]',
    established: 'Up[1]',
    ended: 'Waiting[] startRetryTimer(5)',
  },
  Up: {
    start: 'Up[1]',
    shutdown: 'Stopped[] close(1,shutdown)',
    reset: 'Waiting[] close(1,reset) startRetryTimer(5)',
    tooMany: 'Penalty[] close(1,max-prefixes) startPenaltyTimer(60)',
    accepted: 'Up[1,9] begin(9)',
    dialed: 'Up[1] reject(9)',
    dialFailed: 'Up[1]',
    retryTimerExpired: 'Up[1]',
    penaltyExpired: 'Up[1]',
    opened: 'Up[1]',
    established: 'Up[1]',
    ended: 'Waiting[] startRetryTimer(5)',
  },
};

describe.each(Object.entries(TABLE))('in phase %s', (phase, row) => {
  test.each(Object.entries(row))('%s leads to: %s', (event, expected) => {
    expect(outcome(stateIn(phase as PeerPhase), EVENTS[event]!)).toBe(expected);
  });
});

describe('a passive peer', () => {
  test('is never connected to', () => {
    expect(outcome(STOPPED, EVENTS.start!, PASSIVE)).toBe('Waiting[]');
    expect(outcome(stateIn('Up'), EVENTS.ended!, PASSIVE)).toBe('Waiting[]');
    expect(outcome(stateIn('Engaged'), EVENTS.reset!, PASSIVE)).toBe('Waiting[] close(1,reset)');
    expect(outcome(stateIn('Penalty'), EVENTS.penaltyExpired!, PASSIVE)).toBe('Waiting[]');
  });
});

describe('collision (RFC 4271 section 6.8)', () => {
  /** Connection 1 opened by us, 2 by the peer; 1 is in OpenConfirm when the OPEN comes on 2. */
  function survivor(facts: Partial<OpenedFacts>, first: 'active' | 'passive', second: 'active' | 'passive') {
    const state: PeerState = {
      ...STOPPED,
      phase: 'Engaged',
      connections: [
        { id: 1, direction: first, name: 'OpenConfirm' },
        { id: 2, direction: second, name: 'OpenSent' },
      ],
    };
    const event: PeerEvent = { kind: 'opened', id: 2, facts: { ...FACTS, ...facts } };
    const step = stepPeer(ACTIVE, state, event);
    expect(text(step.actions)).toMatch(/^close\([12],collision\)$/);
    return step.state.connections.map(({ id }) => id);
  }

  test('keeps the connection that the speaker with the higher identifier opened', () => {
    expect(survivor({ localIdentifier: 1, remoteIdentifier: 2 }, 'active', 'passive')).toEqual([2]);
    expect(survivor({ localIdentifier: 2, remoteIdentifier: 1 }, 'active', 'passive')).toEqual([1]);
    expect(survivor({ localIdentifier: 1, remoteIdentifier: 2 }, 'passive', 'active')).toEqual([1]);
    expect(survivor({ localIdentifier: 2, remoteIdentifier: 1 }, 'passive', 'active')).toEqual([2]);
  });

  test('compares identifiers as unsigned numbers', () => {
    const facts = { localIdentifier: 0xc0000001, remoteIdentifier: 0x0a000001 };
    expect(survivor(facts, 'active', 'passive')).toEqual([1]);
  });

  test('with equal identifiers keeps that of the higher AS (RFC 6286 section 2.3)', () => {
    const same = { localIdentifier: 7, remoteIdentifier: 7 };
    expect(survivor({ ...same, localAsn: 65000, remoteAsn: 64512 }, 'active', 'passive')).toEqual([1]);
    expect(survivor({ ...same, localAsn: 64000, remoteAsn: 64512 }, 'active', 'passive')).toEqual([2]);
  });

  test('both sides keep the same one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        (a, b, aFirst) => {
          // connection x was opened by A, y by B; each side sees the OPENs in an order of its own
          const keeps = (mine: number, theirs: number, mineIs: 'x' | 'y', mineIsFirst: boolean) => {
            const kept = survivor(
              {
                localIdentifier: mine,
                remoteIdentifier: theirs,
                localAsn: mine + 10,
                remoteAsn: theirs + 10,
              },
              mineIsFirst ? 'active' : 'passive',
              mineIsFirst ? 'passive' : 'active',
            );
            const keptFirst = kept[0] === 1;
            const other = mineIs === 'x' ? 'y' : 'x';
            return keptFirst === mineIsFirst ? mineIs : other;
          };
          if (a === b) return;
          expect(keeps(a, b, 'x', aFirst)).toBe(keeps(b, a, 'y', !aFirst));
        },
      ),
    );
  });

  test('an established session stays, and the new connection goes', () => {
    const state: PeerState = {
      ...stateIn('Up'),
      connections: [
        { id: 1, direction: 'passive', name: 'Established' },
        { id: 2, direction: 'passive', name: 'OpenSent' },
      ],
    };
    const opened: PeerEvent = { kind: 'opened', id: 2, facts: { ...FACTS, remoteIdentifier: 99 } };
    expect(outcome(state, opened)).toBe('Up[1] close(2,collision)');
  });

  test('one that restarts gracefully is taken for dead when the peer comes anew (RFC 4724 section 5)', () => {
    const state: PeerState = {
      ...stateIn('Up'),
      connections: [
        { id: 1, direction: 'passive', name: 'Established' },
        { id: 2, direction: 'passive', name: 'OpenSent' },
      ],
    };
    const opened: PeerEvent = { kind: 'opened', id: 2, facts: { ...FACTS, establishedIs: 'graceful' } };
    expect(outcome(state, opened)).toBe('Engaged[2] close(1,superseded)');
  });

  test('when one is established the others go, and so does an attempt to connect', () => {
    const state: PeerState = {
      ...STOPPED,
      phase: 'Dialing',
      connections: [
        { id: 1, direction: 'passive', name: 'OpenConfirm' },
        { id: 2, direction: 'passive', name: 'OpenSent' },
      ],
    };
    expect(outcome(state, EVENTS.established!)).toBe('Up[1] cancelDial close(2,collision)');
  });
});

describe('damping', () => {
  function retryAfter(times: number, upForS: number | null): number[] {
    let state = stateIn('Waiting');
    const waits: number[] = [];
    for (let i = 0; i < times; i++) {
      for (const event of [
        { kind: 'retryTimerExpired' },
        { kind: 'dialed', id: 1 },
        ...(upForS === null ? [] : [{ kind: 'established', id: 1 } as const]),
        { kind: 'ended', id: 1, upForS },
      ] as const) {
        const step = stepPeer(ACTIVE, state, event);
        state = step.state;
        for (const action of step.actions) if (action.do === 'startRetryTimer') waits.push(action.seconds);
      }
    }
    return waits;
  }

  test('doubles the wait with each failure in a row, up to a bound', () => {
    expect(retryAfter(8, null)).toEqual([5, 10, 20, 40, 80, MAX_RETRY_S, MAX_RETRY_S, MAX_RETRY_S]);
    expect(retryAfter(3, 1)).toEqual([5, 10, 20]);
  });

  test('a session that was up for a minute makes up for them', () => {
    expect(retryAfter(3, 60)).toEqual([5, 5, 5]);
  });

  test('a peer that is not there is tried at the configured interval', () => {
    let state = stateIn('Dialing');
    for (let i = 0; i < 20; i++) {
      const failed = stepPeer(ACTIVE, state, { kind: 'dialFailed' });
      expect(text(failed.actions)).toBe('startRetryTimer(5)');
      state = stepPeer(ACTIVE, failed.state, { kind: 'retryTimerExpired' }).state;
    }
  });

  test('after too many prefixes the pause doubles up to sixteen times', () => {
    let state = stateIn('Up');
    const pauses: string[] = [];
    for (let i = 0; i < 6; i++) {
      const step = stepPeer(PASSIVE, state, EVENTS.tooMany!);
      pauses.push(text(step.actions.slice(-1)));
      state = { ...step.state, phase: 'Up' };
    }
    expect(pauses).toEqual([60, 120, 240, 480, 960, 960].map((s) => `startPenaltyTimer(${s})`));
  });
});

test('whatever happens, connections are bounded, known, and at most one is established', () => {
  const id = fc.integer({ min: 1, max: 6 });
  const event = fc.oneof(
    fc.constantFrom(...Object.values(EVENTS)),
    fc.record({ kind: fc.constant('accepted' as const), id }),
    fc.record({ kind: fc.constant('dialed' as const), id }),
    fc.record({
      kind: fc.constant('opened' as const),
      id,
      facts: fc.record({
        localIdentifier: fc.constantFrom(1, 2),
        remoteIdentifier: fc.constantFrom(1, 2),
        localAsn: fc.constantFrom(1, 2),
        remoteAsn: fc.constantFrom(1, 2),
        establishedIs: fc.constantFrom('graceful' as const, 'ordinary' as const),
      }),
    }),
    fc.record({ kind: fc.constant('established' as const), id }),
    fc.record({ kind: fc.constant('ended' as const), id, upForS: fc.constantFrom(null, 1, 100) }),
  );
  fc.assert(
    fc.property(fc.constantFrom(ACTIVE, PASSIVE), fc.array(event, { maxLength: 60 }), (peer, events) => {
      let state = STOPPED;
      for (const one of events) {
        const isNew = one.kind === 'accepted' || one.kind === 'dialed';
        if (isNew && state.connections.some((connection) => connection.id === one.id)) continue;
        const step = stepPeer(peer, state, one);
        const closed = step.actions.flatMap((action) => (action.do === 'close' ? [action.id] : []));
        for (const closedId of closed) {
          expect(step.state.connections.some((connection) => connection.id === closedId)).toBe(false);
        }
        state = step.state;
        const { phase, connections } = state;
        expect(connections.length).toBeLessThanOrEqual(MAX_CONNECTIONS + 1);
        expect(connections.filter(({ name }) => name === 'Established').length).toBe(phase === 'Up' ? 1 : 0);
        if (phase === 'Stopped' || phase === 'Penalty' || phase === 'Waiting')
          expect(connections).toEqual([]);
        if (phase === 'Engaged') expect(connections.length).toBeGreaterThan(0);
      }
    }),
  );
});
