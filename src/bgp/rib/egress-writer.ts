/**
 * The attributes of a set as one peer gets them (egress-attributes.ts), with the next hop that it gets: ours
 * towards another AS, the received one inside of our own (RFC 4271 section 5.1.3, RFC 2545, RFC 8950).
 */
import { AFI, afiOf, type FamilyKey, IPV4_UNICAST } from '../codec/address-family.js';
import { AttributeSetCursor } from '../codec/attribute-set.js';
import { ByteWriter } from '../codec/byte-writer.js';
import { type EgressRewrite, writeEgressAttributes } from '../codec/egress-attributes.js';
import type { UpdatePacker } from '../codec/update-packer.js';
import { DEFAULT_LOCAL_PREF, MARK } from './attribute-columns.js';
import type { AttributeStore } from './attribute-store.js';
import { type ExportRules, keepsMed, setOfWant } from './export-rules.js';
import type { RibPeer } from './rib-peer.js';

const CODE = {
  nextHop: 3,
  med: 4,
  localPref: 5,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  aigp: 26,
} as const;
/** what another AS is not told (RFC 4271 section 5.1.5, RFC 4456 section 8, RFC 7311 section 3.4) */
const INTERNAL_ONLY = [CODE.localPref, CODE.originatorId, CODE.clusterList, CODE.aigp];

/** next hops that a set's octets or the session give */
type HopSource = 'self' | 'set';

export class EgressWriter {
  /** two in turn: the packer writes the attributes of MP_REACH_NLRI only when it closes the message */
  private out = new ByteWriter(4096);
  private lastOut = new ByteWriter(4096);
  private readonly cursor = new AttributeSetCursor();
  private readonly hopSource: HopSource;
  private readonly drop = new Uint8Array(256);
  private hop4: number | null = null;
  private hopMp: Uint8Array | null = null;

  constructor(
    private readonly peer: RibPeer,
    private readonly family: FamilyKey,
    private readonly store: AttributeStore,
    private readonly rules: ExportRules,
    private readonly localAsn: number,
  ) {
    const { internalNextHop } = peer.settings;
    this.hopSource = peer.isInternal && internalNextHop === 'unchanged' ? 'set' : 'self';
    if (!peer.isInternal) for (const code of INTERNAL_ONLY) this.drop[code] = 1;
  }

  begin(): void {
    this.rules.begin();
  }

  end(): void {
    this.rules.end();
  }

  /**
   * The packer's next prefixes, none longer than `longest`, have the attributes of `want`; false where they cannot be
   * announced.
   */
  open(packer: UpdatePacker, want: number, longest?: number): boolean {
    return this.write(want) && packer.announce(this.family, this.out.peek(), this.hopMp, longest);
  }

  /** What the peer gets with `want`: valid until the next call; null where it cannot be announced. */
  peek(want: number): { readonly attributes: Uint8Array; readonly nextHop: Uint8Array | number } | null {
    if (!this.write(want)) return null;
    return { attributes: this.out.peek(), nextHop: this.hopMp ?? this.hop4! };
  }

  private write(want: number): boolean {
    const { store, peer } = this;
    const set = setOfWant(want);
    const { context } = peer.settings;
    if (!this.findNextHop(set)) return false;
    const isInternal = peer.isInternal;
    const hasLocalPref = (store.columns.marks[set]! & MARK.hasLocalPref) !== 0;
    this.drop[CODE.med] = keepsMed(want) ? 0 : 1;
    this.drop[CODE.nextHop] = this.hop4 === null ? 1 : 0;
    const rewrite: EgressRewrite = {
      drop: this.drop,
      prependAsn: isInternal ? 0 : this.localAsn,
      nextHop: this.hop4,
      localPref: isInternal && !hasLocalPref ? DEFAULT_LOCAL_PREF : null,
    };
    const out = this.lastOut;
    this.lastOut = this.out;
    this.out = out;
    out.rewind();
    writeEgressAttributes(store.bytes, store.startOf(set), store.endOf(set), rewrite, context, out);
    return true;
  }

  /** Fills {@link #hop4} or {@link #hopMp}, whichever the route goes out with; false where there is none. */
  private findNextHop(set: number): boolean {
    this.hop4 = null;
    this.hopMp = null;
    const isReceived = this.hopSource === 'set' && (this.store.columns.marks[set]! & MARK.hasNextHop) !== 0;
    if (isReceived) this.receivedNextHop(set);
    else this.ownNextHop();
    const hopMp = this.hopMp as Uint8Array | null;
    if (hopMp === null) return this.hop4 !== null;
    if (hopMp.length === 4) return true;
    const { extendedNextHop } = this.peer.settings.context;
    return afiOf(this.family) === AFI.ipv6 || extendedNextHop.has(this.family);
  }

  private ownNextHop(): void {
    const { nextHop4, nextHop6 } = this.peer.settings;
    if (this.family === IPV4_UNICAST && nextHop4 !== null) this.hop4 = nextHop4;
    else this.hopMp = nextHop6;
  }

  private receivedNextHop(set: number): void {
    const { bytes, view } = this.store;
    const cursor = this.cursor;
    cursor.reset(bytes, this.store.startOf(set), this.store.endOf(set));
    while (cursor.next()) {
      if (cursor.code === CODE.nextHop) this.hop4 = view.getUint32(cursor.valueAt);
      if (cursor.code !== CODE.mpReach) continue;
      const at = cursor.valueAt + 4;
      const end = at + bytes[cursor.valueAt + 3]!;
      if (this.family === IPV4_UNICAST && end - at === 4) this.hop4 = view.getUint32(at);
      else this.hopMp = bytes.subarray(at, end);
    }
  }
}
