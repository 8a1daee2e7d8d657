import { describe, expect, test } from 'vitest';
import {
  type BfdAction,
  type BfdInput,
  type BfdState,
  beginBfd,
  detectionTimeUs,
  jitteredUs,
  lingerTimeUs,
  stepBfd,
  transmitIntervalUs,
} from '../../../../src/bgp/bfd/bfd-machine.js';
import { BFD_STATES, type BfdStateName, type ControlPacket } from '../../../../src/bgp/bfd/control-packet.js';

const SETTINGS = { intervalMs: 100, multiplier: 3 };
const OURS = 77;
const THEIRS = 88;

function packet(state: BfdStateName, change: Partial<ControlPacket> = {}): ControlPacket {
  return {
    ...{ state, diagnostic: 0, poll: false, final: false, controlPlaneIndependent: false, demand: false },
    ...{ detectMultiplier: 5, myDiscriminator: THEIRS, yourDiscriminator: OURS },
    ...{ desiredMinTxUs: 50_000, requiredMinRxUs: 200_000, requiredMinEchoRxUs: 0 },
    ...change,
  };
}

const heard = (state: BfdStateName, change: Partial<ControlPacket> = {}): BfdInput => ({
  kind: 'packet',
  packet: packet(state, change),
});

/** The session after these inputs; actions are those of the last. */
function stepped(...inputs: readonly BfdInput[]): { state: BfdState; actions: readonly BfdAction[] } {
  let step = beginBfd(SETTINGS, OURS) as { state: BfdState; actions: readonly BfdAction[] };
  for (const input of inputs) step = stepBfd(step.state, input);
  return step;
}

const WAY_TO: Readonly<Record<BfdStateName, readonly BfdInput[]>> = {
  AdminDown: [{ kind: 'disable' }],
  Down: [],
  Init: [heard('Down')],
  Up: [heard('Init')],
};
const sentBy = (actions: readonly BfdAction[]): ControlPacket[] =>
  actions.flatMap((action) => (action.do === 'send' ? [action.packet] : []));
const newsIn = (actions: readonly BfdAction[]) =>
  actions.flatMap((action) => (action.do === 'notify' ? [action.event] : []));

describe('the state machine of RFC 5880 section 6.2', () => {
  // every state, every input: what it becomes, what it says of itself, what its user hears
  const expiry: BfdInput = { kind: 'detectionExpired' };
  const table: readonly (readonly [
    BfdStateName,
    string,
    BfdInput,
    BfdStateName,
    number,
    'up' | 'failed' | 'administratively' | null,
  ])[] = [
    ['Down', 'hears AdminDown', heard('AdminDown'), 'Down', 0, null],
    ['Down', 'hears Down', heard('Down'), 'Init', 0, null],
    ['Down', 'hears Init', heard('Init'), 'Up', 0, 'up'],
    ['Down', 'hears Up', heard('Up'), 'Down', 0, null],
    ['Down', 'hears nothing', expiry, 'Down', 0, null],
    ['Down', 'is disabled', { kind: 'disable' }, 'AdminDown', 7, null],
    ['Down', 'is enabled', { kind: 'enable' }, 'Down', 0, null],
    ['Down', 'has to send', { kind: 'transmitDue' }, 'Down', 0, null],
    ['Init', 'hears AdminDown', heard('AdminDown'), 'Down', 3, null],
    ['Init', 'hears Down', heard('Down'), 'Init', 0, null],
    ['Init', 'hears Init', heard('Init'), 'Up', 0, 'up'],
    ['Init', 'hears Up', heard('Up'), 'Up', 0, 'up'],
    ['Init', 'hears nothing', expiry, 'Down', 1, null],
    ['Init', 'is disabled', { kind: 'disable' }, 'AdminDown', 7, null],
    ['Init', 'is enabled', { kind: 'enable' }, 'Init', 0, null],
    ['Init', 'has to send', { kind: 'transmitDue' }, 'Init', 0, null],
    ['Up', 'hears AdminDown', heard('AdminDown'), 'Down', 3, 'administratively'],
    ['Up', 'hears Down', heard('Down'), 'Down', 3, 'failed'],
    ['Up', 'hears Init', heard('Init'), 'Up', 0, null],
    ['Up', 'hears Up', heard('Up'), 'Up', 0, null],
    ['Up', 'hears nothing', expiry, 'Down', 1, 'failed'],
    ['Up', 'is disabled', { kind: 'disable' }, 'AdminDown', 7, 'administratively'],
    ['Up', 'is enabled', { kind: 'enable' }, 'Up', 0, null],
    ['Up', 'has to send', { kind: 'transmitDue' }, 'Up', 0, null],
    ['AdminDown', 'hears AdminDown', heard('AdminDown'), 'AdminDown', 7, null],
    ['AdminDown', 'hears Down', heard('Down'), 'AdminDown', 7, null],
    ['AdminDown', 'hears Init', heard('Init'), 'AdminDown', 7, null],
    ['AdminDown', 'hears Up', heard('Up'), 'AdminDown', 7, null],
    ['AdminDown', 'hears nothing', expiry, 'AdminDown', 7, null],
    ['AdminDown', 'is disabled', { kind: 'disable' }, 'AdminDown', 7, null],
    ['AdminDown', 'is enabled', { kind: 'enable' }, 'Down', 0, null],
    ['AdminDown', 'has to send', { kind: 'transmitDue' }, 'AdminDown', 7, null],
  ];

  test.each(table)('%s that %s', (from, _what, input, to, diagnostic, news) => {
    const { state, actions } = stepped(...WAY_TO[from], input);
    expect([state.sessionState, state.localDiag]).toEqual([to, diagnostic]);
    expect(newsIn(actions).map((event) => (event.kind === 'up' ? 'up' : event.why))).toEqual(
      news === null ? [] : [news],
    );
  });

  test('has a row for every state and every state of the peer', () => {
    for (const from of BFD_STATES) {
      for (const remote of BFD_STATES) {
        expect(table.filter((row) => row[0] === from && row[1] === `hears ${remote}`)).toHaveLength(1);
      }
    }
  });

  test('tells a change of state at once, without waiting for its next packet', () => {
    for (const [from, , input, to] of table) {
      const { actions } = stepped(...WAY_TO[from], input);
      if (from !== to) expect(sentBy(actions).at(-1)).toMatchObject({ state: to });
    }
  });

  test('comes up between two machines that hear each other, whoever starts', () => {
    for (const first of [0, 1]) {
      const sides = [beginBfd(SETTINGS, 1), beginBfd({ intervalMs: 300, multiplier: 2 }, 2)];
      const states = sides.map(({ state }) => state);
      const waiting = sides.map(({ actions }) => sentBy(actions));
      for (let turn = first; waiting[0]!.length + waiting[1]!.length > 0; turn = 1 - turn) {
        for (const sent of waiting[turn]!.splice(0)) {
          const step = stepBfd(states[1 - turn]!, { kind: 'packet', packet: sent });
          states[1 - turn] = step.state;
          waiting[1 - turn]!.push(...sentBy(step.actions));
        }
      }
      expect(states.map(({ sessionState, poll }) => [sessionState, poll])).toEqual([
        ['Up', 'none'],
        ['Up', 'none'],
      ]);
      expect(states.map(transmitIntervalUs)).toEqual([300_000, 300_000]);
      expect(states.map(detectionTimeUs)).toEqual([600_000, 900_000]);
      expect(states.map(({ remoteDiscr }) => remoteDiscr)).toEqual([2, 1]);
    }
  });
});

describe('timers of RFC 5880 section 6.8', () => {
  test('send once a second at most until the session is Up', () => {
    expect(transmitIntervalUs(stepped().state)).toBe(1_000_000);
    expect(transmitIntervalUs(stepped(heard('Down')).state)).toBe(1_000_000);
    expect(beginBfd(SETTINGS, OURS).actions).toMatchObject([
      { do: 'send', packet: { state: 'Down', desiredMinTxUs: 1_000_000, requiredMinRxUs: 100_000 } },
      { do: 'startTransmitTimer', intervalUs: 1_000_000 },
    ]);
  });

  test('take the slower of what we want and what the peer can take', () => {
    expect(transmitIntervalUs(stepped(heard('Init')).state)).toBe(200_000);
    expect(transmitIntervalUs(stepped(heard('Init', { requiredMinRxUs: 10_000 })).state)).toBe(100_000);
  });

  test('count silence by the peer’s multiplier and the slower of its pace and ours', () => {
    expect(detectionTimeUs(stepped(heard('Init')).state)).toBe(5 * 100_000);
    expect(detectionTimeUs(stepped(heard('Init', { desiredMinTxUs: 400_000 })).state)).toBe(5 * 400_000);
  });

  test('begin anew with every packet', () => {
    expect(stepped(heard('Init'), heard('Up')).actions).toContainEqual({
      do: 'startDetectionTimer',
      timeUs: 500_000,
    });
  });

  test('stop where the peer wants no packets, and start when it does', () => {
    const silent = stepped(heard('Init', { requiredMinRxUs: 0 }));
    expect(silent.actions).toContainEqual({ do: 'startTransmitTimer', intervalUs: 0 });
    expect(stepBfd(silent.state, { kind: 'transmitDue' }).actions).toEqual([]);
    expect(stepBfd(silent.state, heard('Up')).actions).toContainEqual({
      do: 'startTransmitTimer',
      intervalUs: 200_000,
    });
  });

  test('stop for a peer in demand mode once both are Up and no Poll Sequence runs', () => {
    const polling = stepped(heard('Init'), heard('Up', { demand: true }));
    expect(transmitIntervalUs(polling.state)).toBe(200_000);
    const { state } = stepBfd(polling.state, heard('Up', { demand: true, final: true }));
    expect(transmitIntervalUs(state)).toBe(0);
  });

  test('forget the peer’s discriminator when it has been silent', () => {
    for (const way of [WAY_TO.Init, WAY_TO.Up, WAY_TO.AdminDown]) {
      expect(stepped(...way, heard('Up'), { kind: 'detectionExpired' }).state.remoteDiscr).toBe(0);
    }
  });

  test('are jittered to 75 to 100 %, and to 90 % where one lost packet means Down', () => {
    expect([0, 0.5, 1].map((draw) => jitteredUs(1000, 3, draw))).toEqual([750, 875, 1000]);
    expect([0, 1].map((draw) => jitteredUs(1000, 1, draw))).toEqual([750, 900]);
  });

  test('let AdminDown be told for a detection time', () => {
    const { state } = stepped(...WAY_TO.Up, { kind: 'disable' });
    expect(lingerTimeUs(state)).toBe(3_000_000);
  });
});

describe('a Poll Sequence', () => {
  const up = stepped(heard('Init'));

  test('announces the faster pace of a session that came Up, until the peer’s Final', () => {
    expect(sentBy(up.actions)).toMatchObject([{ state: 'Up', poll: true, desiredMinTxUs: 100_000 }]);
    const again = stepBfd(up.state, { kind: 'transmitDue' });
    expect(sentBy(again.actions)).toMatchObject([{ poll: true }]);
    const ended = stepBfd(again.state, heard('Up', { final: true }));
    expect(sentBy(stepBfd(ended.state, { kind: 'transmitDue' }).actions)).toMatchObject([{ poll: false }]);
  });

  test('of the peer is answered at once by a Final that is no Poll', () => {
    const settled = stepBfd(up.state, heard('Up', { final: true })).state;
    expect(stepBfd(settled, heard('Up', { poll: true })).actions[0]).toMatchObject({
      do: 'send',
      packet: { final: true, poll: false, state: 'Up' },
    });
    expect(sentBy(stepped({ kind: 'disable' }, heard('Up', { poll: true })).actions)).toEqual([]);
  });

  test('holds back a slower pace and a shorter patience until the peer knows', () => {
    const settled = stepBfd(up.state, heard('Up', { final: true, requiredMinRxUs: 1000 })).state;
    const slower = stepBfd(settled, {
      kind: 'changeSettings',
      settings: { intervalMs: 500, multiplier: 3 },
    });
    expect(sentBy(slower.actions)).toMatchObject([
      { poll: true, desiredMinTxUs: 500_000, requiredMinRxUs: 500_000 },
    ]);
    expect([transmitIntervalUs(slower.state), detectionTimeUs(slower.state)]).toEqual([100_000, 2_500_000]);
    const agreed = stepBfd(slower.state, heard('Up', { final: true, requiredMinRxUs: 1000 })).state;
    expect([transmitIntervalUs(agreed), detectionTimeUs(agreed)]).toEqual([500_000, 2_500_000]);
    const faster = stepBfd(agreed, { kind: 'changeSettings', settings: SETTINGS }).state;
    expect([transmitIntervalUs(faster), detectionTimeUs(faster)]).toEqual([100_000, 2_500_000]);
    const both = stepBfd(faster, heard('Up', { final: true, requiredMinRxUs: 1000 })).state;
    expect([transmitIntervalUs(both), detectionTimeUs(both)]).toEqual([100_000, 500_000]);
  });

  test('is followed by another where values changed while it ran', () => {
    const changed = stepBfd(up.state, {
      kind: 'changeSettings',
      settings: { intervalMs: 50, multiplier: 3 },
    }).state;
    expect(changed.poll).toBe('again');
    const first = stepBfd(changed, heard('Up', { final: true })).state;
    expect(first.poll).toBe('running');
    expect(stepBfd(first, heard('Up', { final: true })).state.poll).toBe('none');
  });

  test('ends with the peer that was to answer it', () => {
    expect(stepBfd(up.state, { kind: 'detectionExpired' }).state.poll).toBe('none');
  });
});

test('the news of a session that the peer took down names the peer’s own reason', () => {
  const { actions } = stepped(heard('Init'), heard('Down', { diagnostic: 1 }));
  expect(newsIn(actions)).toEqual([
    {
      kind: 'down',
      why: 'failed',
      reason: 'neighbor signaled session down (control detection time expired)',
    },
  ]);
});
