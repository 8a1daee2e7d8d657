/**
 * A peer of a RIB without a socket: what it says becomes the octets of UPDATEs and is read back as a session would
 * read it; what it is told is packed, framed and decoded, and kept as the table that a real peer would have.
 */
import { parseAddress } from '../../src/addr/address.js';
import { formatPrefix, parsePrefix } from '../../src/addr/prefix.js';
import type { AsPathSegment } from '../../src/bgp/attribute/002-as-path.js';
import type { MpReach } from '../../src/bgp/attribute/014-mp-reach-nlri.js';
import type { MpUnreach } from '../../src/bgp/attribute/015-mp-unreach-nlri.js';
import type { LargeCommunity } from '../../src/bgp/attribute/032-large-communities.js';
import type { PathAttribute } from '../../src/bgp/attribute/descriptor.js';
import { type FamilyKey, IPV4_UNICAST, IPV6_UNICAST } from '../../src/bgp/codec/address-family.js';
import { ByteWriter } from '../../src/bgp/codec/byte-writer.js';
import { type CodecContext, maxMessageBytes, OFFLINE } from '../../src/bgp/codec/codec-context.js';
import { MESSAGE_TYPE } from '../../src/bgp/codec/message.js';
import { MessageFramer } from '../../src/bgp/codec/message-framer.js';
import type { PrefixNlri } from '../../src/bgp/codec/nlri.js';
import { readUpdate } from '../../src/bgp/codec/read-update.js';
import { encodeAttribute, makeAttribute, updateMessage } from '../../src/bgp/codec/update-message.js';
import { UpdatePacker } from '../../src/bgp/codec/update-packer.js';
import { UpdateView } from '../../src/bgp/codec/update-view.js';
import type { Rib } from '../../src/bgp/rib/rib.js';
import type { RibPeerSettings } from '../../src/bgp/rib/rib-peer.js';

/** The attributes of a route as a test writes and reads them. */
export interface RouteText {
  readonly origin: number;
  readonly path: readonly number[];
  readonly nextHop: string;
  readonly med?: number;
  readonly localPref?: number;
  readonly communities?: readonly number[];
  readonly large?: readonly LargeCommunity[];
  readonly originatorId?: number;
  readonly clusterList?: readonly number[];
  readonly otc?: number;
}

const ORDINARY = {
  med: 4,
  localPref: 5,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  large: 32,
  otc: 35,
};

export class RibSession {
  row: number;
  /** whether the choice of paths waits for `Rib.settle` */
  choice: 'now' | 'later' = 'now';
  /** `prefix` or `prefix#pathId` → what the peer has been told */
  readonly told = new Map<string, RouteText>();
  /** families whose End-of-RIB has come */
  readonly ended: FamilyKey[] = [];
  updates = 0;
  /** announcements of what the peer had with the same attributes */
  repeats = 0;
  private readonly packer: UpdatePacker;
  private readonly view = new UpdateView();
  private readonly receiving: CodecContext;

  constructor(
    readonly rib: Rib,
    readonly settings: RibPeerSettings,
    previousRow = -1,
  ) {
    this.row = rib.peerUp(settings, previousRow);
    const { context } = settings;
    this.receiving = {
      ...context,
      addPathReceive: context.addPathSend,
      addPathSend: context.addPathReceive,
      peerAsn: rib.settings.localAsn,
    };
    const framer = new MessageFramer();
    this.packer = new UpdatePacker(context, (messages) => {
      const fault = framer.push(messages.slice(), (type, bytes, view, at, end) => {
        if (type !== MESSAGE_TYPE.update) throw new Error(`message of type ${type}`);
        this.hear(bytes, view, at, end);
        return true;
      });
      if (fault !== null) throw new Error(fault.reason);
    });
  }

  announce(route: RouteText, prefixes: readonly string[], pathId = 0): void {
    const isIpv4 = prefixes[0]!.includes('.');
    const attributes = attributesOf(route, isIpv4);
    this.say((packer, out) => {
      for (const attribute of attributes) encodeAttribute(attribute, out, this.receiving);
      const hop = isIpv4 ? null : addressOctets(route.nextHop);
      packer.announce(isIpv4 ? IPV4_UNICAST : IPV6_UNICAST, out.bytes(), hop);
      for (const prefix of prefixes) add(packer, prefix, pathId);
    });
  }

  withdraw(prefixes: readonly string[], pathId = 0): void {
    this.say((packer) => {
      packer.withdraw(prefixes[0]!.includes('.') ? IPV4_UNICAST : IPV6_UNICAST);
      for (const prefix of prefixes) add(packer, prefix, pathId);
    });
  }

  /** Takes `octets` or so of what is pending; true where more is left. */
  pump(octets: number): boolean {
    const isLeft = this.rib.pump(this.row, this.packer, octets);
    this.packer.flush();
    return isLeft;
  }

  pumpAll(): void {
    while (this.pump(4096));
  }

  private say(write: (packer: UpdatePacker, out: ByteWriter) => void): void {
    const framer = new MessageFramer();
    framer.maxBytes = maxMessageBytes(this.receiving);
    const packer = new UpdatePacker(this.receiving, (messages) => {
      framer.push(messages.slice(), (_type, bytes, view, at, end) => {
        readUpdate(bytes, view, at, end, this.settings.context, this.view);
        if (this.choice === 'now') this.rib.update(this.row, this.view);
        else this.rib.updateLater(this.row, this.view, this.row);
        return true;
      });
    });
    write(packer, new ByteWriter());
    packer.flush();
  }

  private hear(bytes: Uint8Array, view: DataView, at: number, end: number): void {
    this.updates++;
    const update = new UpdateView();
    readUpdate(bytes, view, at, end, { ...this.receiving, enforceFirstAs: false }, update);
    if (update.faults.length > 0) throw new Error(update.faults[0]!.reason);
    if (update.endOfRib >= 0) {
      this.ended.push(update.endOfRib);
      return;
    }
    const message = updateMessage(update, this.receiving);
    const reach = valueOfCode<MpReach>(message.attributes, 14);
    const unreach = valueOfCode<MpUnreach>(message.attributes, 15);
    for (const nlri of [...message.withdrawn, ...(unreach === undefined ? [] : listOf(unreach.nlri))]) {
      if (!this.told.delete(keyOf(nlri))) throw new Error(`withdrew ${keyOf(nlri)}, which was not announced`);
    }
    const announced = [...message.nlri, ...(reach === undefined ? [] : listOf(reach.nlri))];
    if (announced.length === 0) return;
    const route = routeOf(message.attributes);
    for (const nlri of announced) {
      if (JSON.stringify(this.told.get(keyOf(nlri))) === JSON.stringify(route)) this.repeats++;
      this.told.set(keyOf(nlri), route);
    }
  }
}

/** Settings of a peer that exchanges everything, with what a test wants otherwise. */
export function peerSettings(
  over: Partial<RibPeerSettings> & { readonly asn: number; readonly at: string; readonly localAsn: number },
  context: Partial<CodecContext> = {},
): RibPeerSettings {
  const address = parseAddress(over.at)!;
  const { asn, at: _at, localAsn, ...rest } = over;
  return {
    name: over.at,
    address,
    bgpId: address.w0,
    context: {
      ...OFFLINE,
      extendedMessages: false,
      families: new Set([IPV4_UNICAST, IPV6_UNICAST]),
      peering: asn === localAsn ? 'internal' : 'external',
      peerAsn: asn,
      enforceFirstAs: true,
      ...context,
    },
    import: 'all',
    export: 'all',
    nextHop4: parseAddress('10.0.0.254')!.w0,
    nextHop6: addressOctets('fd00::fe'),
    nextHops: 'on-link',
    internalNextHop: 'unchanged',
    takesLongLivedStale: false,
    role: null,
    ...rest,
  };
}

export function attributesOf(route: RouteText, hasNextHop: boolean): PathAttribute[] {
  const segments: AsPathSegment[] = route.path.length === 0 ? [] : [{ type: 2, asns: route.path }];
  const attributes: PathAttribute[] = [
    makeAttribute({ code: 1 }, route.origin),
    makeAttribute({ code: 2 }, segments),
  ];
  if (hasNextHop) attributes.push(makeAttribute({ code: 3 }, parseAddress(route.nextHop)!.w0));
  for (const [name, code] of Object.entries(ORDINARY)) {
    const value = route[name as keyof RouteText];
    if (value !== undefined) attributes.push(makeAttribute({ code }, value));
  }
  return attributes.sort((a, b) => a.code - b.code);
}

function routeOf(attributes: readonly PathAttribute[]): RouteText {
  const reach = valueOfCode<MpReach>(attributes, 14);
  const hop = valueOfCode<number>(attributes, 3);
  const path = valueOfCode<readonly AsPathSegment[]>(attributes, 2)!;
  const ordinary = Object.entries(ORDINARY).flatMap(([name, code]) => {
    const value = valueOfCode<unknown>(attributes, code);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    origin: valueOfCode<number>(attributes, 1)!,
    path: path.flatMap(({ asns }) => asns),
    nextHop: reach === undefined ? wordText(hop!) : octetsText(reach.nextHop),
    ...Object.fromEntries(ordinary),
  };
}

function valueOfCode<V>(attributes: readonly PathAttribute[], code: number): V | undefined {
  return attributes.find((a) => a.code === code)?.value as V | undefined;
}

function listOf(nlri: readonly PrefixNlri[] | Uint8Array): readonly PrefixNlri[] {
  if (nlri instanceof Uint8Array) throw new Error('NLRI of an unknown family');
  return nlri;
}

function keyOf({ prefix, pathId }: PrefixNlri): string {
  return pathId === undefined ? formatPrefix(prefix) : `${formatPrefix(prefix)}#${pathId}`;
}

function add(packer: UpdatePacker, text: string, pathId: number): void {
  const { address, length } = parsePrefix(text)!;
  packer.add(address.w0, address.w1, address.w2, address.w3, length, pathId);
}

function addressOctets(text: string): Uint8Array {
  const { family, w0, w1, w2, w3 } = parseAddress(text)!;
  const view = new DataView(new ArrayBuffer(family === 4 ? 4 : 16));
  view.setUint32(0, w0);
  if (family === 6) [w1, w2, w3].forEach((word, i) => void view.setUint32(4 * i + 4, word));
  return new Uint8Array(view.buffer);
}

function wordText(word: number): string {
  return [24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.');
}

/** Eight groups in hexadecimal, or a dotted quad: made to be compared, not read. */
function octetsText(octets: Uint8Array): string {
  if (octets.length === 4) return [...octets].join('.');
  return Array.from({ length: 8 }, (_, i) => ((octets[2 * i]! << 8) | octets[2 * i + 1]!).toString(16)).join(
    ':',
  );
}
