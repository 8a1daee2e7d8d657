import { describe, expect, test } from 'vitest';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import { makeNotification } from '../../../../src/bgp/codec/notification-message.js';
import {
  beginConnection,
  type ConnectionAction,
  type ConnectionEvent,
  type ConnectionState,
  stepConnection,
} from '../../../../src/bgp/session/connection-machine.js';
import { openFor } from '../../../../src/bgp/session/open-exchange.js';
import type { PeerSettings } from '../../../../src/bgp/session/peer-settings.js';
import { agreement, GRACEFUL, LOCAL, peerWith, remoteOpen } from './machine-parts.js';

function stateOf(name: ConnectionState['name'], peer: PeerSettings = peerWith()): ConnectionState {
  switch (name) {
    case 'OpenSent':
      return { name, local: LOCAL, peer, sent: openFor(LOCAL, peer, 'running') };
    case 'OpenConfirm':
    case 'Established':
      return { name, agreed: agreement(peer) };
    case 'Closed':
      return { name };
  }
}

const EVENTS: Readonly<Record<ConnectionEvent['kind'], ConnectionEvent>> = {
  open: { kind: 'open', open: remoteOpen() },
  keepalive: { kind: 'keepalive' },
  update: { kind: 'update' },
  routeRefresh: { kind: 'routeRefresh', family: IPV4_UNICAST, subtype: 0 },
  notification: { kind: 'notification', message: makeNotification(6, 4) },
  fault: {
    kind: 'fault',
    fault: { code: 1, subcode: 2, data: Uint8Array.of(0, 5), reason: 'too short' },
    messageType: 2,
  },
  holdTimerExpired: { kind: 'holdTimerExpired' },
  keepaliveTimerExpired: { kind: 'keepaliveTimerExpired' },
  sendHoldTimerExpired: { kind: 'sendHoldTimerExpired' },
  connectionLost: { kind: 'connectionLost', reason: 'reset' },
  stop: { kind: 'stop', cause: { kind: 'shutdown', text: '' } },
};

/** An outcome in one line: the next state, and what is done, NOTIFICATIONs with their codes. */
function outcome(state: ConnectionState, event: ConnectionEvent): string {
  const step = stepConnection(state, event);
  const actions = step.actions.map((action) =>
    action.do === 'sendNotification' ? `${action.message.code}/${action.message.subcode}` : action.do,
  );
  return [step.state.name, ...actions].join(' ');
}

function endOf(state: ConnectionState, event: ConnectionEvent) {
  const ended = stepConnection(state, event).actions.at(-1) as Extract<ConnectionAction, { do: 'ended' }>;
  expect(ended.do).toBe('ended');
  return ended.end;
}

/** Every state and event: RFC 4271 section 8.2.2, RFC 6608. */
const TABLE: Readonly<Record<ConnectionState['name'], Readonly<Record<ConnectionEvent['kind'], string>>>> = {
  OpenSent: {
    open: 'OpenConfirm opened startHoldTimer sendKeepalive startKeepaliveTimer',
    keepalive: 'Closed 5/1 ended',
    update: 'Closed 5/1 ended',
    routeRefresh: 'Closed 5/1 ended',
    notification: 'Closed ended',
    fault: 'Closed 1/2 ended',
    holdTimerExpired: 'Closed 4/0 ended',
    keepaliveTimerExpired: 'OpenSent',
    sendHoldTimerExpired: 'Closed 8/0 ended',
    connectionLost: 'Closed ended',
    stop: 'Closed 6/2 ended',
  },
  OpenConfirm: {
    open: 'Closed 5/2 ended',
    keepalive: 'Established restartHoldTimer established',
    update: 'Closed 5/2 ended',
    routeRefresh: 'Closed 5/2 ended',
    notification: 'Closed ended',
    fault: 'Closed 1/2 ended',
    holdTimerExpired: 'Closed 4/0 ended',
    keepaliveTimerExpired: 'OpenConfirm sendKeepalive startKeepaliveTimer',
    sendHoldTimerExpired: 'Closed 8/0 ended',
    connectionLost: 'Closed ended',
    stop: 'Closed 6/2 ended',
  },
  Established: {
    open: 'Closed 5/3 ended',
    keepalive: 'Established restartHoldTimer',
    update: 'Established restartHoldTimer deliverUpdate',
    routeRefresh: 'Established deliverRefresh',
    notification: 'Closed ended',
    fault: 'Closed 1/2 ended',
    holdTimerExpired: 'Closed 4/0 ended',
    keepaliveTimerExpired: 'Established sendKeepalive startKeepaliveTimer',
    sendHoldTimerExpired: 'Closed 8/0 ended',
    connectionLost: 'Closed ended',
    stop: 'Closed 6/2 ended',
  },
  Closed: {
    open: 'Closed',
    keepalive: 'Closed',
    update: 'Closed',
    routeRefresh: 'Closed',
    notification: 'Closed',
    fault: 'Closed',
    holdTimerExpired: 'Closed',
    keepaliveTimerExpired: 'Closed',
    sendHoldTimerExpired: 'Closed',
    connectionLost: 'Closed',
    stop: 'Closed',
  },
};

describe.each(Object.entries(TABLE))('in state %s', (name, row) => {
  test.each(Object.entries(row))('%s leads to: %s', (kind, expected) => {
    const event = EVENTS[kind as ConnectionEvent['kind']];
    expect(outcome(stateOf(name as ConnectionState['name']), event)).toBe(expected);
  });
});

describe('an OPEN', () => {
  test('is sent with a hold timer of 240 s until the peer has sent its own', () => {
    const peer = peerWith();
    const { state, actions } = beginConnection(LOCAL, peer, openFor(LOCAL, peer, 'running'));
    expect(state.name).toBe('OpenSent');
    expect(actions.map((action) => action.do)).toEqual(['sendOpen', 'startHoldTimer']);
    expect(actions[1]).toMatchObject({ seconds: 240 });
  });

  test.each([
    ['the version', { version: 3 }, '2/1'],
    ['the AS', { asn: 64513 }, '2/2'],
    ['AS 0', { asn: 0 }, '2/2'],
    ['a BGP identifier of 0', { bgpIdentifier: 0 }, '2/3'],
    ['a hold time of 1 s', { holdTimeS: 1 }, '2/6'],
    ['a hold time of 2 s', { holdTimeS: 2 }, '2/6'],
  ])('is refused for %s', (_, changes, code) => {
    const event: ConnectionEvent = { kind: 'open', open: remoteOpen(undefined, changes) };
    expect(outcome(stateOf('OpenSent'), event)).toBe(`Closed ${code} ended`);
  });

  test.each([
    [90, 30, 30, 10],
    [30, 90, 30, 10],
    [3, 90, 3, 1],
    [0, 90, 0, 0],
    [90, 0, 0, 0],
  ])(
    'with hold times of %i and %i s means %i s, and KEEPALIVEs every %i s',
    (ours, theirs, hold, keepalive) => {
      const state = stateOf('OpenSent', peerWith({ holdTimeS: ours }));
      const { actions } = stepConnection(state, {
        kind: 'open',
        open: remoteOpen(undefined, { holdTimeS: theirs }),
      });
      expect(actions).toContainEqual({ do: 'startHoldTimer', seconds: hold });
      expect(actions).toContainEqual({ do: 'startKeepaliveTimer', seconds: keepalive });
    },
  );
});

describe('a NOTIFICATION', () => {
  test('that cannot be read is not answered', () => {
    const event: ConnectionEvent = {
      kind: 'fault',
      fault: { code: 1, subcode: 2, data: new Uint8Array(0), reason: 'too short' },
      messageType: 3,
    };
    for (const name of ['OpenSent', 'OpenConfirm', 'Established'] as const) {
      expect(outcome(stateOf(name), event)).toBe('Closed ended');
    }
  });

  test('tells of its shutdown communication', () => {
    const data = Uint8Array.of(3, 98, 121, 101);
    const end = endOf(stateOf('Established'), {
      kind: 'notification',
      message: makeNotification(6, 2, data),
    });
    expect(end.reason).toBe('the peer sent cease: administrative shutdown ("bye")');
    expect(end.sentBy).toBe('peer');
  });
});

describe('routes are kept (RFC 4724, RFC 8538)', () => {
  const graceful = peerWith({ gracefulRestart: GRACEFUL });
  const both = [IPV4_UNICAST, IPV6_UNICAST];
  const kept = (event: ConnectionEvent, peer = graceful) =>
    endOf(stateOf('Established', peer), event).retained;

  test('when the connection is lost, a NOTIFICATION comes, or the hold time is over', () => {
    expect(kept(EVENTS.connectionLost)).toEqual(both);
    expect(kept(EVENTS.notification)).toEqual(both);
    expect(kept(EVENTS.holdTimerExpired)).toEqual(both);
    expect(kept(EVENTS.fault)).toEqual(both);
  });

  test('not after a hard reset, nor when we shut the session down', () => {
    expect(kept({ kind: 'notification', message: makeNotification(6, 9, Uint8Array.of(6, 2)) })).toEqual([]);
    expect(kept(EVENTS.stop)).toEqual([]);
  });

  test('not without graceful restart on both sides, nor before the session is up', () => {
    expect(kept(EVENTS.connectionLost, peerWith())).toEqual([]);
    expect(endOf(stateOf('OpenConfirm', graceful), EVENTS.connectionLost).retained).toEqual([]);
  });

  test('what the peer is to forget goes out as a hard reset, what it may keep does not', () => {
    const state = stateOf('Established', graceful);
    const stop = (kind: 'bfd-down' | 'deconfigured' | 'configuration-changed' | 'out-of-resources') =>
      outcome(state, { kind: 'stop', cause: { kind } });
    expect(outcome(state, EVENTS.stop)).toBe('Closed 6/9 ended');
    expect(stop('bfd-down')).toBe('Closed 6/9 ended');
    expect(stop('deconfigured')).toBe('Closed 6/9 ended');
    expect(stop('configuration-changed')).toBe('Closed 6/6 ended');
    expect(stop('out-of-resources')).toBe('Closed 6/8 ended');
  });

  test('our own restart closes without a word', () => {
    expect(outcome(stateOf('Established', graceful), { kind: 'stop', cause: { kind: 'restart' } })).toBe(
      'Closed ended',
    );
  });
});

describe('stopping', () => {
  test.each([
    [{ kind: 'shutdown', text: 'maintenance' }, '6/2'],
    [{ kind: 'reset', text: '' }, '6/4'],
    [{ kind: 'configuration-changed' }, '6/6'],
    [{ kind: 'deconfigured' }, '6/3'],
    [{ kind: 'max-prefixes', family: IPV6_UNICAST, limit: 5 }, '6/1'],
    [{ kind: 'bfd-down' }, '6/10'],
    [{ kind: 'out-of-resources' }, '6/8'],
    [{ kind: 'collision' }, '6/7'],
  ] as const)('for %o sends Cease %s', (cause, code) => {
    expect(outcome(stateOf('Established'), { kind: 'stop', cause })).toBe(`Closed ${code} ended`);
  });

  test('for too many prefixes names family and limit (RFC 4486 section 4)', () => {
    const cause = { kind: 'max-prefixes', family: IPV6_UNICAST, limit: 70000 } as const;
    const { notification } = endOf(stateOf('Established'), { kind: 'stop', cause });
    expect([...notification!.data]).toEqual([0, 2, 1, 0, 1, 0x11, 0x70]);
  });

  test('with a text carries it (RFC 9003)', () => {
    const { notification } = endOf(stateOf('Established'), {
      kind: 'stop',
      cause: { kind: 'shutdown', text: 'später' },
    });
    expect(new TextDecoder().decode(notification!.data.subarray(1))).toBe('später');
  });
});

describe('a ROUTE-REFRESH', () => {
  const refresh = (family: number, subtype: number) =>
    outcome(stateOf('Established'), { kind: 'routeRefresh', family, subtype });

  test('for a family that is not negotiated, or of an unknown subtype, is ignored (RFC 2918, RFC 7313)', () => {
    expect(refresh(0x4004 * 256 + 71, 0)).toBe('Established');
    expect(refresh(IPV4_UNICAST, 3)).toBe('Established');
  });

  test('with beginning or end is ignored where the peer has not announced the enhanced one', () => {
    expect(refresh(IPV4_UNICAST, 1)).toBe('Established');
    expect(refresh(IPV4_UNICAST, 2)).toBe('Established');
  });
});
