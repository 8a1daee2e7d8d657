import { expect, test } from 'vitest';
import { IPV4_UNICAST as V4, IPV6_UNICAST as V6 } from '../../../../src/bgp/codec/address-family.js';
import type { PeerRestart } from '../../../../src/bgp/session/open-exchange.js';
import {
  beginDeferral,
  type DeferralEvent,
  RELEASED,
  stepDeferral,
} from '../../../../src/bgp/session/selection-deferral.js';

function restart(restarted: boolean): PeerRestart {
  const families = [V4, V6].map((family) => ({ family, forwardingPreserved: true }));
  return { restarted, coversNotification: true, restartTimeS: 60, families, longLived: [] };
}

/** What the state is called after each event. */
function names(peers: readonly string[], events: readonly DeferralEvent[]): string[] {
  let state = beginDeferral(peers);
  return events.map((event) => {
    state = stepDeferral(state, event);
    return state.name;
  });
}

test('waits until every peer has ended the RIB of every family', () => {
  const events: DeferralEvent[] = [
    { kind: 'up', peer: 'a', restart: restart(false) },
    { kind: 'endOfRib', peer: 'a', family: V4 },
    { kind: 'endOfRib', peer: 'a', family: V6 },
    { kind: 'up', peer: 'b', restart: restart(false) },
    { kind: 'endOfRib', peer: 'b', family: V6 },
    { kind: 'endOfRib', peer: 'b', family: V4 },
  ];
  expect(names(['a', 'b'], events)).toEqual([...Array(5).fill('deferring'), 'released']);
});

test('does not wait for a peer that has restarted itself, nor for one without the capability', () => {
  expect(names(['a'], [{ kind: 'up', peer: 'a', restart: restart(true) }])).toEqual(['released']);
  expect(names(['a'], [{ kind: 'up', peer: 'a', restart: null }])).toEqual(['released']);
});

test('does not wait for a peer that went again', () => {
  const events: DeferralEvent[] = [
    { kind: 'up', peer: 'a', restart: restart(false) },
    { kind: 'gone', peer: 'a' },
  ];
  expect(names(['a'], events)).toEqual(['deferring', 'released']);
  expect(names(['a', 'ab'], [{ kind: 'gone', peer: 'a' }])).toEqual(['deferring']);
});

test('ends with the timer, and is released from the beginning where nobody is expected', () => {
  expect(names(['a'], [{ kind: 'timerExpired' }])).toEqual(['released']);
  expect(beginDeferral([])).toEqual(RELEASED);
  expect(stepDeferral(RELEASED, { kind: 'up', peer: 'a', restart: restart(false) })).toBe(RELEASED);
});
