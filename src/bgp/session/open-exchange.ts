/**
 * The OPEN that we send a peer, and what becomes of the one that it sends: refused with a NOTIFICATION, or agreed.
 *
 * RFC 4271 section 6.2, RFC 5492 section 3, RFC 6286 section 2.2, RFC 4724 section 3, RFC 9234 section 4.2,
 * RFC 9494 section 3.
 */
import { AFI, type FamilyKey, familyName, IPV4_UNICAST } from '../codec/address-family.js';
import {
  ADD_PATH_MODE,
  CAPABILITY,
  type Capability,
  encodeCapabilityValue,
  type GracefulRestartFamily,
  type LongLivedFamily,
  ROLE,
} from '../codec/capability.js';
import type { CodecContext } from '../codec/codec-context.js';
import { type Decoded, fault, type OpenMessage } from '../codec/message.js';
import { DEFAULT_POLICY, negotiate } from '../codec/negotiate.js';
import { ERROR_CODE, OPEN_ERROR } from '../codec/notification-code.js';
import { checkOpen, makeOpen } from '../codec/open-message.js';
import type { AddPathSetting, LocalSpeaker, PeerSettings, SessionRole } from './peer-settings.js';

/** What two OPENs agree on, as far as the session itself lives by it. */
export interface Agreement {
  readonly context: CodecContext;
  readonly local: OpenMessage;
  readonly remote: OpenMessage;
  readonly holdTimeS: number;
  readonly refresh: 'none' | 'plain' | 'enhanced';
  /** what the peer said of its restarts; `null` where one side does not restart gracefully */
  readonly graceful: PeerRestart | null;
}

export interface PeerRestart {
  /** R bit */
  readonly restarted: boolean;
  /** NOTIFICATION and hold timer are covered as well: N bit of both (RFC 8538) */
  readonly coversNotification: boolean;
  readonly restartTimeS: number;
  /** families of the session whose routes may be kept, with the F bit */
  readonly families: readonly GracefulRestartFamily[];
  /**
   * Families of the session whose routes may be kept beyond the restart time, with the F bit of their own and the
   * smaller one of both sides' times; empty where one side does not do so
   */
  readonly longLived: readonly LongLivedFamily[];
}

const ADD_PATH_MODES: Readonly<Record<AddPathSetting, number>> = {
  none: 0,
  receive: ADD_PATH_MODE.receive,
  send: ADD_PATH_MODE.send,
  both: ADD_PATH_MODE.both,
};

const ROLE_VALUES: Readonly<Record<SessionRole, number>> = {
  provider: ROLE.provider,
  rs: ROLE.routeServer,
  'rs-client': ROLE.routeServerClient,
  customer: ROLE.customer,
  peer: ROLE.peer,
};

/** the role that must stand opposite of each */
const OPPOSITE: Readonly<Record<SessionRole, SessionRole>> = {
  provider: 'customer',
  customer: 'provider',
  rs: 'rs-client',
  'rs-client': 'rs',
  peer: 'peer',
};

/** @param restart whether this is one of the first sessions after our own restart (R bit) */
export function openFor(
  local: LocalSpeaker,
  peer: PeerSettings,
  restart: 'restarted' | 'running',
): OpenMessage {
  return makeOpen(local.asn, local.bgpIdentifier, peer.holdTimeS, capabilitiesFor(local, peer, restart));
}

function capabilitiesFor(
  local: LocalSpeaker,
  peer: PeerSettings,
  restart: 'restarted' | 'running',
): Capability[] {
  const { families, gracefulRestart } = peer;
  const list: Capability[] = families.map((family) => ({
    code: CAPABILITY.multiprotocol,
    kind: 'multiprotocol',
    family,
  }));
  list.push({ code: CAPABILITY.routeRefresh, kind: 'flag' });
  if (peer.extendedNextHop && families.includes(IPV4_UNICAST)) {
    const entries = [{ family: IPV4_UNICAST, nextHopAfi: AFI.ipv6 }];
    list.push({ code: CAPABILITY.extendedNextHop, kind: 'extended-next-hop', entries });
  }
  if (peer.extendedMessages) list.push({ code: CAPABILITY.extendedMessage, kind: 'flag' });
  if (peer.role !== null && peer.asn !== local.asn) {
    list.push({ code: CAPABILITY.role, kind: 'role', role: ROLE_VALUES[peer.role] });
  }
  if (gracefulRestart !== null) {
    const { restartTimeS, forwardingPreserved, longLivedStaleS: staleTimeS } = gracefulRestart;
    list.push({
      code: CAPABILITY.gracefulRestart,
      kind: 'graceful-restart',
      restarted: restart === 'restarted',
      notification: true,
      restartTimeS,
      families: families.map((family) => ({ family, forwardingPreserved })),
    });
    if (staleTimeS > 0) {
      list.push({
        code: CAPABILITY.longLivedGracefulRestart,
        kind: 'long-lived',
        families: families.map((family) => ({ family, forwardingPreserved, staleTimeS })),
      });
    }
  }
  const mode = ADD_PATH_MODES[peer.addPath];
  if (mode !== 0) {
    const entries = families.map((family) => ({ family, mode }));
    list.push({ code: CAPABILITY.addPath, kind: 'add-path', entries });
  }
  list.push({ code: CAPABILITY.enhancedRouteRefresh, kind: 'flag' });
  if (local.hostName !== null) {
    list.push({ code: CAPABILITY.fqdn, kind: 'fqdn', host: local.hostName.slice(0, 63), domain: '' });
  }
  return list;
}

/** What comes of the peer's OPEN `remote`, when `sent` was ours. */
export function judgeOpen(
  local: LocalSpeaker,
  peer: PeerSettings,
  sent: OpenMessage,
  remote: OpenMessage,
): Decoded<Agreement> {
  const refused = checkOpen(remote) ?? checkPeer(local, peer, remote);
  if (refused !== null) return { fault: refused };
  const context = negotiate(sent, remote, { ...DEFAULT_POLICY, enforceFirstAs: peer.enforceFirstAs });
  if (context.families !== null && context.families.size === 0) return { fault: noCommonFamily(peer) };
  const holdTimeS = Math.min(sent.holdTimeS, remote.holdTimeS);
  const refresh = has(remote, CAPABILITY.enhancedRouteRefresh) ? 'enhanced' : plainRefresh(remote);
  return {
    value: { context, local: sent, remote, holdTimeS, refresh, graceful: peerRestart(sent, remote, context) },
  };
}

function checkPeer(local: LocalSpeaker, peer: PeerSettings, remote: OpenMessage) {
  const refuse = (subcode: number, reason: string, data?: Uint8Array) =>
    fault(ERROR_CODE.open, subcode, reason, data).fault;
  if (peer.asn !== null && remote.asn !== peer.asn) {
    return refuse(OPEN_ERROR.badPeerAs, `the peer says AS ${remote.asn}, configured is AS ${peer.asn}`);
  }
  const isInternal = remote.asn === local.asn;
  if (isInternal && remote.bgpIdentifier === local.bgpIdentifier) {
    return refuse(OPEN_ERROR.badBgpIdentifier, 'the peer has our own BGP identifier');
  }
  return isInternal ? null : checkRole(peer, remote);
}

/** RFC 9234 section 4.2: only eBGP. */
function checkRole(peer: PeerSettings, remote: OpenMessage) {
  if (peer.role === null) return null;
  const mismatch = (reason: string) => fault(ERROR_CODE.open, OPEN_ERROR.roleMismatch, reason).fault;
  const roles = new Set(remote.capabilities.flatMap((c) => (c.kind === 'role' ? [c.role] : [])));
  if (roles.size > 1) return mismatch('the peer names several roles');
  const [role] = roles;
  if (role === undefined) return peer.strictRole ? mismatch('the peer names no role') : null;
  if (role === ROLE_VALUES[OPPOSITE[peer.role]]) return null;
  return mismatch(`our role is ${peer.role}, and the peer's is not ${OPPOSITE[peer.role]}`);
}

/** RFC 5492 section 3: the data is the capabilities that we cannot do without. */
function noCommonFamily(peer: PeerSettings) {
  const wanted = peer.families.flatMap((family) => {
    const value = encodeCapabilityValue({ code: CAPABILITY.multiprotocol, kind: 'multiprotocol', family });
    return [CAPABILITY.multiprotocol, value.length, ...value];
  });
  const names = peer.families.map(familyName).join(', ');
  const reason = `the peer speaks none of ${names}`;
  return fault(ERROR_CODE.open, OPEN_ERROR.unsupportedCapability, reason, Uint8Array.from(wanted)).fault;
}

function plainRefresh(remote: OpenMessage): 'none' | 'plain' {
  return has(remote, CAPABILITY.routeRefresh) || has(remote, CAPABILITY.routeRefreshCisco) ? 'plain' : 'none';
}

function has(open: OpenMessage, code: number): boolean {
  return open.capabilities.some((c) => c.code === code && c.kind !== 'raw');
}

/** The last graceful restart capability of an OPEN counts (RFC 4724 section 3). */
function restartOf(open: OpenMessage) {
  return open.capabilities.findLast((c) => c.kind === 'graceful-restart') ?? null;
}

/** What the peer's OPEN says of its restarts, as far as ours agrees; `null` where one side has no graceful restart. */
export function peerRestart(
  sent: OpenMessage,
  remote: OpenMessage,
  context: CodecContext,
): PeerRestart | null {
  const ours = restartOf(sent);
  const theirs = restartOf(remote);
  if (ours === null || theirs === null) return null;
  const isNegotiated = (family: FamilyKey): boolean =>
    context.families === null || context.families.has(family);
  return {
    restarted: theirs.restarted,
    coversNotification: ours.notification && theirs.notification,
    restartTimeS: theirs.restartTimeS,
    families: theirs.families.filter(({ family }) => isNegotiated(family)),
    longLived: agreedLongLived(sent, remote).filter(({ family }) => isNegotiated(family)),
  };
}

function longLivedOf(open: OpenMessage): readonly LongLivedFamily[] | null {
  return open.capabilities.findLast((c) => c.kind === 'long-lived')?.families ?? null;
}

/** RFC 9494 section 4.2: the peer's times, with our own as their upper bound. */
function agreedLongLived(sent: OpenMessage, remote: OpenMessage): LongLivedFamily[] {
  const ours = longLivedOf(sent) ?? [];
  return (longLivedOf(remote) ?? []).flatMap((theirs) => {
    const own = ours.find(({ family }) => family === theirs.family);
    if (own === undefined) return [];
    return [{ ...theirs, staleTimeS: Math.min(own.staleTimeS, theirs.staleTimeS) }];
  });
}

/** Whether the peer may be told of long-lived stale routes. The capability means nothing without the other one. */
export function takesLongLivedStale(remote: OpenMessage): boolean {
  return longLivedOf(remote) !== null && restartOf(remote) !== null;
}

/** Families whose routes stay should the session fail. */
export function keptFamilies(restart: PeerRestart | null): FamilyKey[] {
  if (restart === null) return [];
  const longLived = restart.longLived.filter(({ staleTimeS }) => staleTimeS > 0);
  return [...new Set([...restart.families, ...longLived].map(({ family }) => family))];
}

/** Host name that the peer announces, for people; control characters replaced. */
export function hostNameOf(open: OpenMessage): string | null {
  const fqdn = open.capabilities.find((c) => c.kind === 'fqdn');
  if (fqdn === undefined || fqdn.host === '') return null;
  return fqdn.host.replace(/\p{Cc}/gu, '\ufffd');
}
