/** Routes of an MRT table dump for a router: each peer of the dump becomes one without a session. */
import { formatAddress } from '../addr/address.js';
import { IPV4_UNICAST, IPV6_UNICAST } from '../bgp/address-family.js';
import type { MpReach } from '../bgp/attribute/014-mp-reach-nlri.js';
import { bunzip2IfNeeded } from '../bgp/bunzip2-source.js';
import { type CodecContext, OFFLINE } from '../bgp/codec-context.js';
import { HEADER_BYTES } from '../bgp/message.js';
import type { MrtPeer, RibEntry } from '../bgp/mrt/mrt-entry.js';
import { readMrt } from '../bgp/mrt/read-mrt.js';
import { ribAttributeSet } from '../bgp/mrt/rib-attributes.js';
import { readUpdate } from '../bgp/read-update.js';
import { UpdatePacker } from '../bgp/update-packer.js';
import { UpdateView } from '../bgp/update-view.js';
import { openByteSource } from '../capture/byte-source.js';
import { FlowfateError } from '../errors.js';
import type { LiveRouter } from './live-router.js';

const MP_REACH = 14;
/** longest time without a turn for sessions and timers */
const SLICE_MS = 10;

export interface DumpCounts {
  readonly peers: number;
  readonly routes: number;
  /** entries that are no unicast route: other families, updates, what could not be read */
  readonly skipped: number;
  /** why reading ended early, or null */
  readonly fault: string | null;
}

/** One peer of the dump on its way into the RIB. */
class DumpPeer {
  readonly row: number;
  readonly #packer: UpdatePacker;
  readonly #view = new UpdateView();

  constructor(
    private readonly router: LiveRouter,
    file: string,
    { address, asn, bgpIdentifier }: MrtPeer,
  ) {
    const isInternal = asn === router.config.local.asn;
    const context: CodecContext = {
      ...OFFLINE,
      extendedMessages: true,
      peering: isInternal ? 'internal' : 'external',
      peerAsn: asn,
    };
    const name = `${file} ${formatAddress(address)}`;
    this.row = router.staticPeer(name, address, bgpIdentifier, context);
    this.#packer = new UpdatePacker(context, (messages) => this.#deliver(messages, context));
  }

  /** False where no message can hold the attributes. */
  add({ family, nlri }: RibEntry, attributes: RibEntry['routes'][number]['attributes']): boolean {
    if (nlri instanceof Uint8Array) return false;
    const reach = attributes.find(({ code, fault }) => code === MP_REACH && fault === undefined);
    const nextHop = (reach?.value as MpReach | undefined)?.nextHop ?? null;
    if (nextHop === null && family === IPV6_UNICAST) return false;
    const octets = ribAttributeSet(attributes.filter(({ code }) => code !== MP_REACH));
    if (!this.#packer.announce(family, octets, nextHop)) return false;
    const { address, length } = nlri.prefix;
    this.#packer.add(address.w0, address.w1, address.w2, address.w3, length, 0);
    return true;
  }

  flush(): void {
    this.#packer.flush();
  }

  #deliver(messages: Uint8Array, context: CodecContext): void {
    const view = new DataView(messages.buffer, messages.byteOffset, messages.length);
    for (let at = 0; at < messages.length; ) {
      const end = at + view.getUint16(at + 16);
      readUpdate(messages, view, at + HEADER_BYTES, end, context, this.#view);
      this.router.load(this.row, this.#view);
      at = end;
    }
  }
}

/** Reads the whole dump, in slices between which the event loop turns. */
export async function loadDump(
  file: string,
  router: LiveRouter,
  isWanted: () => boolean,
): Promise<DumpCounts> {
  const source = bunzip2IfNeeded(openByteSource(file));
  const peers = new Map<string, DumpPeer>();
  let routes = 0;
  let skipped = 0;
  try {
    const dump = readMrt(source);
    let endMs = performance.now() + SLICE_MS;
    let next = dump.next();
    for (; next.done !== true && isWanted(); next = dump.next()) {
      const { entry } = next.value;
      if (entry.kind === 'rib' && (entry.family === IPV4_UNICAST || entry.family === IPV6_UNICAST)) {
        for (const { peer, attributes } of entry.routes) {
          if (peer !== null && peerOf(peers, router, file, peer).add(entry, attributes)) routes++;
          else skipped++;
        }
      } else if (entry.kind !== 'peer-index') skipped++;
      if (performance.now() < endMs) continue;
      await new Promise((resolve) => setImmediate(resolve));
      endMs = performance.now() + SLICE_MS;
    }
    for (const peer of peers.values()) peer.flush();
    router.flush();
    const ended = next.done === true ? next.value : null;
    return { peers: peers.size, routes, skipped, fault: (source.fault ?? ended)?.message ?? null };
  } finally {
    source.close();
  }
}

function peerOf(peers: Map<string, DumpPeer>, router: LiveRouter, file: string, peer: MrtPeer): DumpPeer {
  const key = `${formatAddress(peer.address)} ${peer.asn}`;
  let known = peers.get(key);
  if (known === undefined) {
    known = new DumpPeer(router, file, peer);
    peers.set(key, known);
  }
  return known;
}

/** What a person is told of a dump that was loaded. Throws where nothing in it was a route. */
export function dumpSentence(file: string, { peers, routes, skipped, fault }: DumpCounts): string {
  if (routes === 0) {
    const why = fault ?? 'it is no table dump, or holds other families';
    throw new FlowfateError('input', `${file} holds no IPv4 or IPv6 unicast route: ${why}`, { file });
  }
  const rest = skipped === 0 ? '' : `, ${skipped} other entries left out`;
  const damage = fault === null ? '' : `; it is damaged: ${fault}`;
  return `${file}: ${routes} routes of ${peers} peer${peers === 1 ? '' : 's'} loaded${rest}${damage}`;
}
