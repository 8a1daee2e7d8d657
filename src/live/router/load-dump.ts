/**
 * Routes of MRT dumps for a router: each peer of a dump becomes one without a session. A table dump brings routes; the
 * updates and lost sessions of another one change them, in the order of the file, so that a table and the updates after
 * it give the table at the end of both. A peer that stands in several dumps, by address and AS, is one.
 */
import { formatAddress } from '../../addr/address.js';
import type { MpReach } from '../../bgp/attribute/014-mp-reach-nlri.js';
import { OUTCOME } from '../../bgp/attribute/descriptor.js';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../bgp/codec/address-family.js';
import { type CodecContext, OFFLINE } from '../../bgp/codec/codec-context.js';
import { HEADER_BYTES, MESSAGE_TYPE } from '../../bgp/codec/message.js';
import { readUpdate } from '../../bgp/codec/read-update.js';
import { UpdatePacker } from '../../bgp/codec/update-packer.js';
import { UpdateView } from '../../bgp/codec/update-view.js';
import type { BgpMessageEntry, MrtEntry, MrtPeer, RibEntry } from '../../bgp/mrt/mrt-entry.js';
import { readMrt } from '../../bgp/mrt/read-mrt.js';
import { ribAttributeSet } from '../../bgp/mrt/rib-attributes.js';
import { bunzip2IfNeeded } from '../../capture/bunzip2-source.js';
import { openByteSource } from '../../capture/byte-source.js';
import { FlowfateError } from '../../errors.js';
import type { LiveRouter } from './live-router.js';

const MP_REACH = 14;
/** RFC 6396 section 4.4.1 */
const ESTABLISHED = 6;
/** longest time without a turn for sessions and timers */
const SLICE_MS = 10;

export interface DumpCounts {
  readonly peers: number;
  /** of a table */
  readonly routes: number;
  /** UPDATEs that peers sent */
  readonly updates: number;
  /** other entries: other families, other messages, what the collector sent, what could not be read */
  readonly skipped: number;
  /** why reading ended early, or null */
  readonly fault: string | null;
}

/** One peer of the dumps on its way into the RIB. */
class DumpPeer {
  readonly row: number;
  private readonly packer: UpdatePacker;
  private readonly context: CodecContext;
  private readonly view = new UpdateView();

  constructor(
    private readonly router: LiveRouter,
    file: string,
    { address, asn, bgpIdentifier }: MrtPeer,
  ) {
    const isInternal = asn === router.config.local.asn;
    this.context = {
      ...OFFLINE,
      extendedMessages: true,
      peering: isInternal ? 'internal' : 'external',
      peerAsn: asn,
    };
    const name = `${file} ${formatAddress(address)}`;
    this.row = router.staticPeer(name, address, bgpIdentifier, this.context);
    this.packer = new UpdatePacker(this.context, (messages) => this.deliver(messages));
  }

  /** False where no message can hold the attributes. */
  add({ family, nlri }: RibEntry, attributes: RibEntry['routes'][number]['attributes']): boolean {
    if (nlri instanceof Uint8Array) return false;
    const reach = attributes.find(({ code, fault }) => code === MP_REACH && fault === undefined);
    const nextHop = (reach?.value as MpReach | undefined)?.nextHop ?? null;
    if (nextHop === null && family === IPV6_UNICAST) return false;
    const octets = ribAttributeSet(attributes.filter(({ code }) => code !== MP_REACH));
    if (!this.packer.announce(family, octets, nextHop)) return false;
    const { address, length } = nlri.prefix;
    this.packer.add(address.w0, address.w1, address.w2, address.w3, length, 0);
    return true;
  }

  /** An UPDATE as the peer sent it. False where it cannot be read. */
  hear({ bytes, view, at, end, context }: BgpMessageEntry): boolean {
    this.flush();
    const { asn4, addPathReceive } = context;
    const sent = { ...this.context, asn4, addPathReceive };
    readUpdate(bytes, view, at, end, sent, this.view);
    this.router.load(this.row, this.view, sent);
    return this.view.outcome !== OUTCOME.sessionReset;
  }

  /** Its session was lost: all that it has announced is gone. */
  lose(): void {
    this.flush();
    this.router.unload(this.row);
  }

  flush(): void {
    this.packer.flush();
  }

  private deliver(messages: Uint8Array): void {
    const view = new DataView(messages.buffer, messages.byteOffset, messages.length);
    for (let at = 0; at < messages.length; ) {
      const end = at + view.getUint16(at + 16);
      readUpdate(messages, view, at + HEADER_BYTES, end, this.context, this.view);
      this.router.load(this.row, this.view, this.context);
      at = end;
    }
  }
}

/** The dumps of one router, one after the other. */
export class DumpLoader {
  private readonly peers = new Map<string, DumpPeer>();
  /** of the dump in hand */
  private readonly seen = new Set<DumpPeer>();
  private file = '';
  private routes = 0;
  private updates = 0;
  private skipped = 0;

  constructor(private readonly router: LiveRouter) {}

  /** Reads the whole dump, in slices between which the event loop turns. */
  async load(file: string, isWanted: () => boolean): Promise<DumpCounts> {
    const source = bunzip2IfNeeded(openByteSource(file));
    this.seen.clear();
    this.file = file;
    this.routes = 0;
    this.updates = 0;
    this.skipped = 0;
    try {
      const dump = readMrt(source);
      let endMs = performance.now() + SLICE_MS;
      let next = dump.next();
      for (; next.done !== true && isWanted(); next = dump.next()) {
        this.take(next.value.entry);
        if (performance.now() < endMs) continue;
        await new Promise((resolve) => setImmediate(resolve));
        endMs = performance.now() + SLICE_MS;
      }
      for (const peer of this.seen) peer.flush();
      this.router.flush();
      const ended = next.done === true ? next.value : null;
      return {
        ...{ peers: this.seen.size, routes: this.routes, updates: this.updates, skipped: this.skipped },
        fault: (source.fault ?? ended)?.message ?? null,
      };
    } finally {
      source.close();
    }
  }

  private take(entry: MrtEntry): void {
    switch (entry.kind) {
      case 'rib':
        this.takeTable(entry);
        break;
      case 'message':
        if (entry.type !== MESSAGE_TYPE.update || entry.sender !== 'peer') this.skipped++;
        else if (this.peerOf(entry.peer).hear(entry)) this.updates++;
        else this.skipped++;
        break;
      case 'state':
        if (entry.oldState === ESTABLISHED && entry.newState !== ESTABLISHED) this.peerOf(entry.peer).lose();
        break;
      case 'other':
      case 'malformed':
        this.skipped++;
        break;
      case 'peer-index':
        break;
    }
  }

  private takeTable(entry: RibEntry): void {
    const isUnicast = entry.family === IPV4_UNICAST || entry.family === IPV6_UNICAST;
    for (const { peer, attributes } of entry.routes) {
      if (isUnicast && peer !== null && this.peerOf(peer).add(entry, attributes)) this.routes++;
      else this.skipped++;
    }
  }

  private peerOf(peer: MrtPeer): DumpPeer {
    const key = `${formatAddress(peer.address)} ${peer.asn}`;
    let known = this.peers.get(key);
    if (known === undefined) {
      known = new DumpPeer(this.router, this.file, peer);
      this.peers.set(key, known);
    }
    this.seen.add(known);
    return known;
  }
}

/** What a person is told of a dump that was loaded. Throws where nothing in it says anything about routes. */
export function dumpSentence(file: string, { peers, routes, updates, skipped, fault }: DumpCounts): string {
  if (routes + updates === 0) {
    const why = fault ?? 'it is no dump of tables or updates, or holds other families';
    throw new FlowfateError('input', `${file} holds no IPv4 or IPv6 unicast route: ${why}`, { file });
  }
  const found = [routes > 0 ? counted(routes, 'route') : '', updates > 0 ? counted(updates, 'update') : ''];
  const rest = skipped === 0 ? '' : `, ${skipped} other entries left out`;
  const damage = fault === null ? '' : `; it is damaged: ${fault}`;
  const what = found.filter((text) => text !== '').join(' and ');
  return `${file}: ${what} of ${counted(peers, 'peer')} loaded${rest}${damage}`;
}

function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
