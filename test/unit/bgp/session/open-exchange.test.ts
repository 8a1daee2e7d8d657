import { describe, expect, test } from 'vitest';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import { CAPABILITY, type Capability, ROLE } from '../../../../src/bgp/codec/capability.js';
import {
  hostNameOf,
  judgeOpen,
  keptFamilies,
  openFor,
  takesLongLivedStale,
} from '../../../../src/bgp/session/open-exchange.js';
import type { PeerSettings, SessionRole } from '../../../../src/bgp/session/peer-settings.js';
import {
  GRACEFUL,
  LOCAL,
  longLivedCapability,
  MULTIPROTOCOL,
  peerWith,
  remoteOpen,
  restartCapability,
} from './machine-parts.js';

function judge(peer: PeerSettings, remote = remoteOpen()) {
  return judgeOpen(LOCAL, peer, openFor(LOCAL, peer, 'running'), remote);
}

function refusal(peer: PeerSettings, remote = remoteOpen()): string {
  const { fault } = judge(peer, remote);
  return fault === undefined ? 'accepted' : `${fault.code}/${fault.subcode}`;
}

const flag = (code: 2 | 6 | 70): Capability => ({ code, kind: 'flag' });

describe('our OPEN', () => {
  const codes = (peer: PeerSettings, local = LOCAL) =>
    openFor(local, peer, 'running').capabilities.map(({ code }) => code);

  test('announces both families, refresh, enhanced refresh, extended messages and 4-octet AS numbers', () => {
    expect(codes(peerWith())).toEqual([1, 1, 2, 6, 70, 65]);
  });

  test('announces what is configured beside them', () => {
    const peer = peerWith({
      gracefulRestart: GRACEFUL,
      addPath: 'both',
      extendedNextHop: true,
      extendedMessages: false,
      role: 'provider',
    });
    expect(codes(peer, { ...LOCAL, hostName: 'tor' })).toEqual([1, 1, 2, 5, 9, 64, 69, 70, 73, 65]);
  });

  test('has the R bit after our restart only, and the N bit always', () => {
    const peer = peerWith({ gracefulRestart: GRACEFUL });
    const restartOf = (when: 'restarted' | 'running') =>
      openFor(LOCAL, peer, when).capabilities.find(({ code }) => code === CAPABILITY.gracefulRestart);
    expect(restartOf('running')).toMatchObject({ restarted: false, notification: true, restartTimeS: 120 });
    expect(restartOf('restarted')).toMatchObject({ restarted: true });
  });

  test('names no role to an internal peer (RFC 9234 section 4.1)', () => {
    expect(codes(peerWith({ asn: LOCAL.asn, role: 'peer' }))).not.toContain(CAPABILITY.role);
  });
});

describe('the peer’s OPEN', () => {
  test('may come from any AS where none is configured', () => {
    expect(refusal(peerWith({ asn: null }), remoteOpen(undefined, { asn: 4200000001 }))).toBe('accepted');
  });

  test('with our own BGP identifier is refused from an internal peer only (RFC 6286 section 2.2)', () => {
    const { bgpIdentifier } = LOCAL;
    const internal = remoteOpen(undefined, { asn: LOCAL.asn, bgpIdentifier });
    expect(refusal(peerWith({ asn: LOCAL.asn }), internal)).toBe('2/3');
    expect(refusal(peerWith(), remoteOpen(undefined, { bgpIdentifier }))).toBe('accepted');
  });

  test('without a family of ours is refused with the families that we need (RFC 5492 section 3)', () => {
    const vpn: Capability = { code: 1, kind: 'multiprotocol', family: 256 + 128 };
    const { fault } = judge(peerWith({ families: [IPV6_UNICAST] }), remoteOpen([vpn]));
    expect(fault).toMatchObject({ code: 2, subcode: 7 });
    expect([...fault!.data]).toEqual([1, 4, 0, 2, 0, 1]);
  });

  test('without any family means IPv4 unicast (RFC 4760 section 8)', () => {
    const { value } = judge(peerWith(), remoteOpen([]));
    expect([...value!.context.families!]).toEqual([IPV4_UNICAST]);
  });

  test('says which refresh the peer takes', () => {
    const refreshOf = (...more: Capability[]) =>
      judge(peerWith(), remoteOpen([...MULTIPROTOCOL, ...more])).value!.refresh;
    expect(refreshOf()).toBe('none');
    expect(refreshOf(flag(2))).toBe('plain');
    expect(refreshOf({ code: 128, kind: 'flag' })).toBe('plain');
    expect(refreshOf(flag(2), flag(70))).toBe('enhanced');
  });

  test('shows a host name without control characters', () => {
    const fqdn: Capability = { code: 73, kind: 'fqdn', host: 'to\u001br', domain: '' };
    expect(hostNameOf(remoteOpen([fqdn]))).toBe('to\ufffdr');
    expect(hostNameOf(remoteOpen([]))).toBeNull();
  });
});

describe('roles (RFC 9234 section 4.2)', () => {
  const VALUES: Readonly<Record<SessionRole, number>> = {
    provider: ROLE.provider,
    rs: ROLE.routeServer,
    'rs-client': ROLE.routeServerClient,
    customer: ROLE.customer,
    peer: ROLE.peer,
  };
  const roles = Object.keys(VALUES) as SessionRole[];
  const pairs = [
    ['provider', 'customer'],
    ['customer', 'provider'],
    ['rs', 'rs-client'],
    ['rs-client', 'rs'],
    ['peer', 'peer'],
  ];
  const saying = (...values: readonly number[]) =>
    remoteOpen([...MULTIPROTOCOL, ...values.map((role): Capability => ({ code: 9, kind: 'role', role }))]);

  test.each(roles)('%s goes with its opposite and with nothing else', (role) => {
    for (const other of roles) {
      const fits = pairs.some(([a, b]) => a === role && b === other);
      expect(refusal(peerWith({ role }), saying(VALUES[other]))).toBe(fits ? 'accepted' : '2/11');
    }
  });

  test('a peer without a role is refused in strict mode only', () => {
    expect(refusal(peerWith({ role: 'peer' }), saying())).toBe('accepted');
    expect(refusal(peerWith({ role: 'peer', strictRole: true }), saying())).toBe('2/11');
  });

  test('a peer with two roles is refused', () => {
    expect(refusal(peerWith({ role: 'peer' }), saying(ROLE.peer, ROLE.customer))).toBe('2/11');
    expect(refusal(peerWith({ role: 'peer' }), saying(ROLE.peer, ROLE.peer))).toBe('accepted');
  });
});

describe('graceful restart', () => {
  const graceful = peerWith({ gracefulRestart: GRACEFUL });

  test('is agreed on where both announce it, for negotiated families', () => {
    const peer = { ...graceful, families: [IPV4_UNICAST] };
    const { value } = judge(peer, remoteOpen([...MULTIPROTOCOL, restartCapability()]));
    expect(value!.graceful).toEqual({
      restarted: false,
      coversNotification: true,
      restartTimeS: 77,
      families: [{ family: IPV4_UNICAST, forwardingPreserved: true }],
      longLived: [],
    });
    expect(judge(graceful).value!.graceful).toBeNull();
    expect(judge(peerWith(), remoteOpen([...MULTIPROTOCOL, restartCapability()])).value!.graceful).toBeNull();
  });

  test('covers a NOTIFICATION where both have the N bit (RFC 8538)', () => {
    const without = restartCapability({ notification: false } as Partial<Capability>);
    const { value } = judge(graceful, remoteOpen([...MULTIPROTOCOL, without]));
    expect(value!.graceful!.coversNotification).toBe(false);
  });
});

describe('long-lived graceful restart (RFC 9494)', () => {
  const longLived = (longLivedStaleS: number) =>
    peerWith({ gracefulRestart: { ...GRACEFUL, longLivedStaleS } });
  const saying = (...more: Capability[]) => remoteOpen([...MULTIPROTOCOL, ...more]);

  test('is announced for each family, beside graceful restart, where it is configured', () => {
    const { capabilities } = openFor(LOCAL, longLived(3600), 'running');
    expect(capabilities.map(({ code }) => code)).toEqual([1, 1, 2, 6, 64, 71, 70, 65]);
    const entries = [IPV4_UNICAST, IPV6_UNICAST].map((family) => ({
      family,
      forwardingPreserved: true,
      staleTimeS: 3600,
    }));
    expect(capabilities.find((c) => c.kind === 'long-lived')?.families).toEqual(entries);
    const without = openFor(LOCAL, longLived(0), 'running').capabilities;
    expect(without.map(({ code }) => code)).not.toContain(CAPABILITY.longLivedGracefulRestart);
  });

  test('lasts as long as the peer says, up to what is configured here', () => {
    const timesOf = (ours: number, theirs: number) => {
      const remote = saying(restartCapability(), longLivedCapability(theirs));
      return judge(longLived(ours), remote).value!.graceful!.longLived.map(({ staleTimeS }) => staleTimeS);
    };
    expect(timesOf(3600, 60)).toEqual([60, 60]);
    expect(timesOf(60, 3600)).toEqual([60, 60]);
    expect(timesOf(60, 0xffffff)).toEqual([60, 60]);
    expect(timesOf(0, 3600)).toEqual([]);
  });

  test('means nothing without graceful restart on both sides', () => {
    const alone = saying(longLivedCapability(60));
    expect(judge(longLived(60), alone).value!.graceful).toBeNull();
    expect(takesLongLivedStale(alone)).toBe(false);
    expect(takesLongLivedStale(saying(restartCapability()))).toBe(false);
    expect(takesLongLivedStale(saying(restartCapability(), longLivedCapability(60)))).toBe(true);
    // a peer that only knows what the community means names no family
    expect(takesLongLivedStale(saying(restartCapability(), longLivedCapability(0, [])))).toBe(true);
  });

  test('keeps the families of either capability, but none for no time', () => {
    const noFamily = restartCapability({ families: [] } as Partial<Capability>);
    const kept = (...more: Capability[]) =>
      keptFamilies(judge(longLived(60), saying(...more)).value!.graceful).toSorted();
    expect(kept(noFamily, longLivedCapability(60, [IPV6_UNICAST]))).toEqual([IPV6_UNICAST]);
    expect(kept(noFamily, longLivedCapability(0))).toEqual([]);
    expect(kept(restartCapability(), longLivedCapability(60))).toEqual([IPV4_UNICAST, IPV6_UNICAST]);
  });
});
