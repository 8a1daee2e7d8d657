/**
 * What a speaker tells its peers of: its VIPs, and for each session what has been told so far.
 *
 * A change is never sent as such: whenever a session may write, what is wanted now is held against what was sent, and
 * the difference goes out. Ten commands in a row, or a configuration read anew, thereby cost what they change.
 */
import { addressBytes, sameAddress } from '../../addr/address.js';
import { formatPrefix } from '../../addr/prefix.js';
import { AS_PATH } from '../../bgp/attribute/002-as-path.js';
import { MULTI_EXIT_DISC } from '../../bgp/attribute/004-multi-exit-disc.js';
import { COMMUNITIES, COMMUNITY } from '../../bgp/attribute/008-communities.js';
import { LARGE_COMMUNITIES } from '../../bgp/attribute/032-large-communities.js';
import { type FamilyKey, IPV4_UNICAST, IPV6_UNICAST } from '../../bgp/codec/address-family.js';
import { ByteWriter } from '../../bgp/codec/byte-writer.js';
import { OFFLINE } from '../../bgp/codec/codec-context.js';
import { type EgressRewrite, writeEgressAttributes } from '../../bgp/codec/egress-attributes.js';
import { encodeAttribute, makeAttribute } from '../../bgp/codec/update-message.js';
import { UpdatePacker } from '../../bgp/codec/update-packer.js';
import type { Session } from '../../bgp/session/session-handler.js';
import { nextHop4, nextHop6, type OwnInterface } from '../router/own-addresses.js';
import type { Vip } from './speaker-config.js';

/** A VIP and how it is to stand with the peers. */
export interface Announcement {
  readonly vip: Vip;
  readonly isAnnounced: boolean;
  /** RFC 8326: less wanted than anything else, so that traffic leaves before the route does */
  readonly isDraining: boolean;
}

interface Route {
  readonly family: FamilyKey;
  readonly vip: Vip;
  readonly attributes: Uint8Array;
  /** `null`: IPv4 in the NLRI field */
  readonly nextHop: Uint8Array | null;
}

const NOTHING_DROPPED = new Uint8Array(256);
const ORIGIN_IGP = Uint8Array.of(0x40, 1, 1, 0);
const WRITER = new ByteWriter(4096);

/** One established session, and what its peer has been told. */
export class SessionAnnouncements {
  private readonly session: Session;
  private readonly interfaces: readonly OwnInterface[];
  private readonly packer: UpdatePacker;
  private readonly localAsn: number;
  /** by prefix: what distinguishes one version of the route from another */
  private readonly sent = new Map<
    string,
    { readonly family: FamilyKey; readonly key: string; readonly vip: Vip }
  >();
  /** families whose End-of-RIB is still owed (RFC 4724 section 2) */
  private readonly owesEndOfRib: Set<FamilyKey>;

  constructor(
    session: Session,
    localAsn: number,
    interfaces: readonly OwnInterface[],
    endOfRib: 'sent' | 'never',
  ) {
    this.session = session;
    this.localAsn = localAsn;
    this.interfaces = interfaces;
    this.packer = new UpdatePacker(session.info.context, (messages) => session.send(messages));
    this.owesEndOfRib = new Set(endOfRib === 'sent' ? (session.info.context.families ?? []) : []);
  }

  /** prefixes that the peer knows of */
  get count(): number {
    return this.sent.size;
  }

  has(prefix: string): boolean {
    return this.sent.has(prefix);
  }

  /** Everything of the family is to be told again. */
  forget(family: FamilyKey): void {
    // it still has what it has: a route that goes away meanwhile must be withdrawn
    for (const [prefix, known] of this.sent) {
      if (known.family === family) this.sent.set(prefix, { ...known, key: '' });
    }
  }

  /** Sends the difference; the prefixes whose routes changed, for the log. */
  update(announcements: Iterable<Announcement>): { readonly told: string[]; readonly withdrawn: string[] } {
    const wanted = new Map<string, Route>();
    for (const announcement of announcements) {
      const route = this.routeOf(announcement);
      if (route !== null) wanted.set(formatPrefix(route.vip.prefix), route);
    }
    const withdrawn = this.withdrawAllBut(wanted);
    const told: string[] = [];
    for (const [prefix, route] of wanted) if (this.announce(prefix, route)) told.push(prefix);
    for (const family of this.owesEndOfRib) this.packer.endOfRib(family);
    this.owesEndOfRib.clear();
    this.packer.flush();
    return { told, withdrawn };
  }

  private withdrawAllBut(wanted: ReadonlyMap<string, Route>): string[] {
    const gone = [...this.sent].filter(([prefix]) => !wanted.has(prefix));
    for (const [prefix, { family, vip }] of gone) {
      this.packer.withdraw(family);
      this.add(vip);
      this.sent.delete(prefix);
    }
    return gone.map(([prefix]) => prefix);
  }

  private announce(prefix: string, route: Route): boolean {
    const { family, attributes, nextHop, vip } = route;
    const key = `${Buffer.from(attributes).toString('latin1')} ${nextHop ?? ''}`;
    if (this.sent.get(prefix)?.key === key) return false;
    if (!this.packer.announce(family, attributes, nextHop)) return false;
    this.add(vip);
    this.sent.set(prefix, { family, key, vip });
    return true;
  }

  private add({ prefix: { address, length } }: Vip): void {
    // a single path a prefix: with ADD-PATH it has a name, too
    this.packer.add(address.w0, address.w1, address.w2, address.w3, length, 1);
  }

  private routeOf({ vip, isAnnounced, isDraining }: Announcement): Route | null {
    const { context, localAddress } = this.session.info;
    const peerAddress = this.session.peer.address;
    const isHeard = vip.peers === null || vip.peers.some((one) => sameAddress(one, peerAddress));
    const family = vip.prefix.address.family === 4 ? IPV4_UNICAST : IPV6_UNICAST;
    if (!isAnnounced || !isHeard || context.families?.has(family) === false) return null;
    if (family === IPV6_UNICAST) {
      const hop =
        vip.nextHop === 'self' ? nextHop6(localAddress, this.interfaces) : addressBytes(vip.nextHop);
      return { family, vip, nextHop: hop, attributes: this.attributes(vip, isDraining, null) };
    }
    const own = vip.nextHop === 'self' ? nextHop4(localAddress, this.interfaces) : vip.nextHop;
    if (typeof own === 'number') return this.plainIpv4(vip, isDraining, own);
    if (own?.family === 4) return this.plainIpv4(vip, isDraining, own.w0);
    // RFC 8950: an IPv4 route by an IPv6 next hop, where the peer takes it
    if (!context.extendedNextHop.has(family)) return null;
    const hop = addressBytes(own ?? localAddress);
    return { family, vip, nextHop: hop, attributes: this.attributes(vip, isDraining, null) };
  }

  private plainIpv4(vip: Vip, isDraining: boolean, nextHop: number): Route {
    const attributes = this.attributes(vip, isDraining, nextHop);
    return { family: IPV4_UNICAST, vip, nextHop: null, attributes };
  }

  private attributes(vip: Vip, isDraining: boolean, nextHop: number | null): Uint8Array {
    const { context } = this.session.info;
    const isInternal = context.peering === 'internal';
    const rewrite: EgressRewrite = {
      drop: NOTHING_DROPPED,
      prependAsn: isInternal ? 0 : this.localAsn,
      nextHop,
      localPref: isInternal ? (isDraining ? 0 : vip.localPref) : null,
    };
    const set = attributeSet(vip, isDraining);
    const out = new ByteWriter(set.length + 64);
    writeEgressAttributes(set, 0, set.length, rewrite, context, out);
    return out.bytes();
  }
}

/** The route's attributes in canonical form (attribute-set.ts), before any peer's view of them. */
function attributeSet(vip: Vip, isDraining: boolean): Uint8Array {
  const communities = isDraining
    ? [...new Set([...vip.communities, COMMUNITY.gracefulShutdown])]
    : vip.communities;
  WRITER.rewind();
  WRITER.octets(ORIGIN_IGP);
  encodeAttribute(makeAttribute(AS_PATH, []), WRITER, OFFLINE);
  if (vip.med !== null) encodeAttribute(makeAttribute(MULTI_EXIT_DISC, vip.med), WRITER, OFFLINE);
  if (communities.length > 0) encodeAttribute(makeAttribute(COMMUNITIES, communities), WRITER, OFFLINE);
  if (vip.largeCommunities.length > 0) {
    encodeAttribute(makeAttribute(LARGE_COMMUNITIES, vip.largeCommunities), WRITER, OFFLINE);
  }
  return WRITER.bytes();
}
