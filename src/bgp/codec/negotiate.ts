/** What two OPENs agree on, as the codec needs to know it: the {@link CodecContext} of the session. */
import { AFI, type FamilyKey, IPV4_UNICAST } from './address-family.js';
import { ADD_PATH_MODE, CAPABILITY, type Capability } from './capability.js';
import type { CodecContext } from './codec-context.js';
import type { OpenMessage } from './message.js';

export interface SessionPolicy {
  /** the peer is in our confederation (RFC 5065) */
  readonly isConfederationPeer: boolean;
  readonly enforceFirstAs: boolean;
  readonly aigp: boolean;
}

export const DEFAULT_POLICY: SessionPolicy = {
  isConfederationPeer: false,
  enforceFirstAs: true,
  aigp: false,
};

/** `local` is the OPEN that we sent, `remote` the one that came. */
export function negotiate(
  local: OpenMessage,
  remote: OpenMessage,
  policy: SessionPolicy = DEFAULT_POLICY,
): CodecContext {
  const both = (code: number): boolean => has(local, code) && has(remote, code);
  const isInternal = local.asn === remote.asn;
  const families = intersection(announcedFamilies(local), announcedFamilies(remote));
  return {
    asn4: both(CAPABILITY.asn4),
    extendedMessages: both(CAPABILITY.extendedMessage),
    addPathReceive: addPathFamilies(local, ADD_PATH_MODE.receive, remote, ADD_PATH_MODE.send),
    addPathSend: addPathFamilies(local, ADD_PATH_MODE.send, remote, ADD_PATH_MODE.receive),
    extendedNextHop: intersection(ipv6NextHopFamilies(local), ipv6NextHopFamilies(remote)),
    families,
    peering: isInternal ? 'internal' : policy.isConfederationPeer ? 'confederation' : 'external',
    peerAsn: remote.asn,
    enforceFirstAs: policy.enforceFirstAs,
    aigp: policy.aigp || isInternal,
  };
}

function has(open: OpenMessage, code: number): boolean {
  return open.capabilities.some((c) => c.code === code && c.kind !== 'raw');
}

function ofKind<K extends Capability['kind']>(
  open: OpenMessage,
  kind: K,
): Extract<Capability, { kind: K }>[] {
  return open.capabilities.filter((c): c is Extract<Capability, { kind: K }> => c.kind === kind);
}

/** RFC 4760 section 8: a speaker without the capability speaks IPv4 unicast. */
function announcedFamilies(open: OpenMessage): ReadonlySet<FamilyKey> {
  const families = ofKind(open, 'multiprotocol').map((c) => c.family);
  return new Set(families.length === 0 ? [IPV4_UNICAST] : families);
}

function ipv6NextHopFamilies(open: OpenMessage): ReadonlySet<FamilyKey> {
  const entries = ofKind(open, 'extended-next-hop').flatMap((c) => c.entries);
  return new Set(entries.filter((e) => e.nextHopAfi === AFI.ipv6).map((e) => e.family));
}

/** RFC 7911 section 4: only the last entry of a family counts, and only modes 1 to 3 mean anything. */
function addPathModes(open: OpenMessage): ReadonlyMap<FamilyKey, number> {
  const entries = ofKind(open, 'add-path').flatMap((c) => c.entries);
  return new Map(entries.map(({ family, mode }) => [family, mode > ADD_PATH_MODE.both ? 0 : mode]));
}

function addPathFamilies(
  local: OpenMessage,
  localBit: number,
  remote: OpenMessage,
  remoteBit: number,
): ReadonlySet<FamilyKey> {
  const remoteModes = addPathModes(remote);
  const agreed = [...addPathModes(local)].filter(
    ([family, mode]) => (mode & localBit) !== 0 && ((remoteModes.get(family) ?? 0) & remoteBit) !== 0,
  );
  return new Set(agreed.map(([family]) => family));
}

function intersection(a: ReadonlySet<FamilyKey>, b: ReadonlySet<FamilyKey>): ReadonlySet<FamilyKey> {
  return new Set([...a].filter((family) => b.has(family)));
}
