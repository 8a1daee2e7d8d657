import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../../src/addr/address.js';
import type { Bfd, BfdEvent, BfdPeer } from '../../../../src/bgp/bfd/bfd.js';
import { BfdGuard } from '../../../../src/bgp/bfd/bfd-guard.js';
import type { PeerSettings } from '../../../../src/bgp/session/peer-settings.js';
import type {
  Session,
  SessionEnd,
  SessionHandler,
  StopCause,
} from '../../../../src/bgp/session/session-handler.js';

const SETTINGS = { intervalMs: 100, multiplier: 3 };
const PEER = { id: '10.0.0.2' } as PeerSettings;
const END: SessionEnd = { reason: 'over', notification: null, sentBy: null, retained: [] };

function arrange(settings: typeof SETTINGS | null = SETTINGS) {
  const calls: string[] = [];
  const stops: StopCause[] = [];
  const watched: { peer: BfdPeer; listener: (event: BfdEvent) => void }[] = [];
  const inner = {
    established: () => calls.push('established'),
    down: () => calls.push('down'),
  } as unknown as SessionHandler;
  const bfd: Bfd = {
    watch: (peer, _settings, listener) => {
      watched.push({ peer, listener });
      return { report: () => ({ state: 'Up' }) as never, stop: () => calls.push('unwatched') };
    },
    close: async () => {},
  };
  const guard = new BfdGuard(inner, { bfd, settingsOf: () => settings });
  const info = { localAddress: parseAddress('10.0.0.1')!, remoteAddress: parseAddress('10.0.0.2')! };
  const session = {
    peer: PEER,
    info,
    stop: (cause: StopCause) => {
      stops.push(cause);
      guard.down(session, END);
    },
  } as unknown as Session;
  return { guard, session, calls, stops, watched };
}

describe('BFD for a BGP session', () => {
  test('watches the two ends of the session while it is up', () => {
    const { guard, session, calls, watched } = arrange();
    guard.established(session);
    expect(watched[0]!.peer).toEqual({
      address: session.info.remoteAddress,
      localAddress: session.info.localAddress,
    });
    expect(guard.report(PEER.id)).toEqual({ state: 'Up' });
    guard.down(session, END);
    expect(calls).toEqual(['established', 'unwatched', 'down']);
    expect(guard.report(PEER.id)).toBeNull();
  });

  test('ends the session when the peer is gone', () => {
    const { guard, session, calls, stops, watched } = arrange();
    guard.established(session);
    watched[0]!.listener({ kind: 'up' });
    watched[0]!.listener({ kind: 'down', why: 'failed', reason: 'control detection time expired' });
    expect(stops).toEqual([{ kind: 'bfd-down' }]);
    expect(calls).toEqual(['established', 'unwatched', 'down']);
  });

  test('lets the session be when BFD was switched off (RFC 5882 section 4.2)', () => {
    const { guard, session, stops, watched } = arrange();
    guard.established(session);
    watched[0]!.listener({ kind: 'down', why: 'administratively', reason: 'administratively down' });
    expect(stops).toEqual([]);
  });

  test('watches nobody whose configuration does not ask for it', () => {
    const { guard, session, calls, watched } = arrange(null);
    guard.established(session);
    guard.down(session, END);
    expect(watched).toEqual([]);
    expect(calls).toEqual(['established', 'down']);
  });
});
