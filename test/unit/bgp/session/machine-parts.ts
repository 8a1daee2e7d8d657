/** Peers, OPENs and agreements for tests of the session machines. */
import { parseAddress } from '../../../../src/addr/address.js';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import type { Capability } from '../../../../src/bgp/codec/capability.js';
import type { OpenMessage } from '../../../../src/bgp/codec/message.js';
import { makeOpen } from '../../../../src/bgp/codec/open-message.js';
import { type Agreement, judgeOpen, openFor } from '../../../../src/bgp/session/open-exchange.js';
import {
  DEFAULT_PEER,
  type LocalSpeaker,
  type PeerSettings,
} from '../../../../src/bgp/session/peer-settings.js';

export const LOCAL: LocalSpeaker = {
  asn: 65000,
  bgpIdentifier: 0x0a000001,
  hostName: null,
  start: 'fresh',
  selectionDeferralS: 30,
};

export const GRACEFUL = {
  restartTimeS: 120,
  staleTimeS: 360,
  forwardingPreserved: true,
  longLivedStaleS: 0,
} as const;

export function peerWith(changes: Partial<PeerSettings> = {}): PeerSettings {
  return {
    ...DEFAULT_PEER,
    id: '10.0.0.2',
    address: parseAddress('10.0.0.2')!,
    asn: 64512,
    families: [IPV4_UNICAST, IPV6_UNICAST],
    ...changes,
  };
}

export const MULTIPROTOCOL: readonly Capability[] = [
  { code: 1, kind: 'multiprotocol', family: IPV4_UNICAST },
  { code: 1, kind: 'multiprotocol', family: IPV6_UNICAST },
];

/** N bit, and the F bit for both families. */
export function restartCapability(changes: Partial<Capability & { restarted: boolean }> = {}): Capability {
  return {
    code: 64,
    kind: 'graceful-restart',
    restarted: false,
    notification: true,
    restartTimeS: 77,
    families: [IPV4_UNICAST, IPV6_UNICAST].map((family) => ({ family, forwardingPreserved: true })),
    ...changes,
  } as Capability;
}

/** RFC 9494, with the F bit. */
export function longLivedCapability(staleTimeS: number, families = [IPV4_UNICAST, IPV6_UNICAST]): Capability {
  const entries = families.map((family) => ({ family, forwardingPreserved: true, staleTimeS }));
  return { code: 71, kind: 'long-lived', families: entries };
}

export function remoteOpen(
  capabilities: readonly Capability[] = MULTIPROTOCOL,
  changes: Partial<OpenMessage> = {},
): OpenMessage {
  return { ...makeOpen(64512, 0x0a000002, 30, capabilities), ...changes };
}

/** What both sides agree on; graceful restart with N bit where `peer` has it configured. */
export function agreement(peer: PeerSettings = peerWith()): Agreement {
  const capabilities =
    peer.gracefulRestart === null ? MULTIPROTOCOL : [...MULTIPROTOCOL, restartCapability()];
  const { value } = judgeOpen(LOCAL, peer, openFor(LOCAL, peer, 'running'), remoteOpen(capabilities));
  if (value === undefined) throw new Error('the OPEN is acceptable');
  return value;
}
