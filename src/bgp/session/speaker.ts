/**
 * All sessions of one speaker: which peer a connection belongs to, peers that come and go with the configuration,
 * and the moment from which on anything is announced.
 *
 * A connection belongs to the configured peer with its address (and our end, where that is named), else to the
 * first range that holds the address; a range makes a peer for each address that comes, and forgets it when nothing
 * is left of it. Everybody else is told Cease, connection rejected.
 *
 * In an open range (`sharing: 'by-port'`) several speakers may share an address: a second connection while the first
 * peer is busy is a peer of its own, named with its port.
 */
import { type Address, formatAddress, sameAddress } from '../../addr/address.js';
import { type Prefix, prefixContains } from '../../addr/prefix.js';
import type { FamilyKey } from '../codec/address-family.js';
import { OFFLINE } from '../codec/codec-context.js';
import { encodeMessage } from '../codec/message-codec.js';
import { CEASE, ERROR_CODE } from '../codec/notification-code.js';
import { makeNotification } from '../codec/notification-message.js';
import type { Agreement } from './open-exchange.js';
import { Peer, type PeerWorld } from './peer.js';
import { type LocalSpeaker, type PeerSettings, samePeerSettings } from './peer-settings.js';
import { beginDeferral, type DeferralEvent, RELEASED, stepDeferral } from './selection-deferral.js';
import type { Session, SessionHandler, StopCause } from './session-handler.js';
import type { Clock, Dial, Wire } from './wire.js';
import { WriteTurns } from './write-turns.js';

/** Peers of a whole range of addresses. */
export interface PeerRange {
  readonly prefix: Prefix;
  readonly template: Omit<PeerSettings, 'id' | 'address'>;
  readonly sharing: 'by-address' | 'by-port';
}

export interface SpeakerPeers {
  readonly peers: readonly PeerSettings[];
  /** the first that holds an address decides */
  readonly ranges: readonly PeerRange[];
}

export const MAX_RANGE_PEERS = 4096;

const CONNECTION_REJECTED = encodeMessage(
  makeNotification(ERROR_CODE.cease, CEASE.connectionRejected),
  OFFLINE,
);
const OUT_OF_RESOURCES = encodeMessage(makeNotification(ERROR_CODE.cease, CEASE.outOfResources), OFFLINE);

export class Speaker implements PeerWorld {
  readonly turns: WriteTurns;
  /** by id; configured ones in the order of the configuration, then those of ranges as they came */
  private readonly peerList = new Map<string, Peer>();
  private readonly ofRange = new Set<string>();
  private ranges: readonly PeerRange[] = [];
  private lastConnectionId = 0;
  private deferral = RELEASED;
  private cancelDeferral: (() => void) | null = null;
  private isStopped = false;
  /** connections of nobody that we know, since the beginning */
  rejected = 0;

  constructor(
    readonly local: LocalSpeaker,
    readonly clock: Clock,
    readonly dial: Dial,
    readonly handler: SessionHandler,
  ) {
    this.turns = new WriteTurns(clock);
  }

  /** Opens for business with these peers. */
  start({ peers, ranges }: SpeakerPeers): void {
    if (this.local.start === 'restarted') {
      const expected = peers.filter((peer) => peer.gracefulRestart !== null);
      this.deferral = beginDeferral(expected.map(({ id }) => id));
      if (this.deferral.name === 'deferring') {
        this.turns.hold();
        this.cancelDeferral = this.clock.after(this.local.selectionDeferralS * 1000, () =>
          this.defer({ kind: 'timerExpired' }),
        );
      }
    }
    this.ranges = ranges;
    for (const settings of peers) this.add(settings).start();
  }

  /** Another configuration: sessions of peers for which nothing has changed go on. */
  reconfigure({ peers, ranges }: SpeakerPeers): void {
    const wanted = new Map(peers.map((peer) => [peer.id, peer]));
    this.ranges = ranges;
    for (const [id, peer] of [...this.peerList]) {
      const settings = wanted.get(id) ?? this.fromRange(id, peer);
      if (settings === null) this.remove(id, peer);
      else {
        if (wanted.has(id)) this.ofRange.delete(id);
        if (!samePeerSettings(settings, peer.settings)) {
          peer.stop({ kind: 'configuration-changed' });
          peer.settings = settings;
        }
      }
    }
    for (const settings of peers) {
      if (!this.peerList.has(settings.id)) this.add(settings).start();
    }
  }

  /** A connection that somebody has opened to us. */
  accept(wire: Wire): void {
    const peer = this.isStopped ? null : (this.configured(wire) ?? this.ranged(wire));
    if (peer !== null) peer.accept(wire);
    else if (this.isStopped) wire.end(null);
    else {
      this.rejected++;
      const isFull = this.rangeOf(wire.remoteAddress) !== null;
      wire.end(isFull ? OUT_OF_RESOURCES : CONNECTION_REJECTED);
    }
  }

  peers(): readonly Peer[] {
    return [...this.peerList.values()];
  }

  peer(id: string): Peer | null {
    return this.peerList.get(id) ?? null;
  }

  session(id: string): Session | null {
    return this.peerList.get(id)?.session ?? null;
  }

  /** Ends every session and lets nobody in any more. */
  stop(cause: StopCause): void {
    this.isStopped = true;
    this.cancelDeferral?.();
    for (const peer of this.peers()) peer.stop(cause);
  }

  nextConnectionId(): number {
    return ++this.lastConnectionId;
  }

  sessionUp(peer: Peer, agreed: Agreement): void {
    this.defer({ kind: 'up', peer: peer.settings.id, restart: agreed.graceful });
  }

  sessionEndOfRib(peer: Peer, family: FamilyKey): void {
    this.defer({ kind: 'endOfRib', peer: peer.settings.id, family });
  }

  idle(peer: Peer): void {
    const { id } = peer.settings;
    // one that was shut down is remembered: forgotten, it would be let in again
    if (!this.ofRange.has(id) || this.peerList.get(id) !== peer || peer.isShutDown) return;
    this.peerList.delete(id);
    this.ofRange.delete(id);
  }

  private add(settings: PeerSettings): Peer {
    const peer = new Peer(settings, this);
    this.peerList.set(settings.id, peer);
    return peer;
  }

  private remove(id: string, peer: Peer): void {
    peer.stop({ kind: 'deconfigured' });
    this.peerList.delete(id);
    this.ofRange.delete(id);
    this.defer({ kind: 'gone', peer: id });
  }

  /** What a peer of a range is to be now, or `null` where no range holds it any more. */
  private fromRange(id: string, { settings }: Peer): PeerSettings | null {
    const range = this.rangeOf(settings.address);
    return range === null ? null : { ...range.template, id, address: settings.address };
  }

  private rangeOf(address: Address): PeerRange | null {
    return this.ranges.find(({ prefix }) => prefixContains(prefix, address)) ?? null;
  }

  private configured(wire: Wire): Peer | null {
    for (const [id, peer] of this.peerList) {
      if (this.ofRange.has(id)) continue;
      const { address, localAddress } = peer.settings;
      if (!sameAddress(address, wire.remoteAddress)) continue;
      if (localAddress === null || sameAddress(localAddress, wire.localAddress)) return peer;
    }
    return null;
  }

  private ranged(wire: Wire): Peer | null {
    const range = this.rangeOf(wire.remoteAddress);
    if (range === null) return null;
    const address = wire.remoteAddress;
    const name = formatAddress(address);
    const known = this.peerList.get(name);
    const isFree = known === undefined || known.isIdle || range.sharing === 'by-address';
    const id = isFree ? name : withPort(name, wire.remotePort);
    const peer = this.peerList.get(id);
    if (peer !== undefined) return peer;
    if (this.ofRange.size >= MAX_RANGE_PEERS && !this.makeRoom()) return null;
    this.ofRange.add(id);
    const made = this.add({ ...range.template, id, address, mode: 'passive' });
    made.start();
    return made;
  }

  /** The oldest peer of a range that has not said who it is gives way; false where there is none. */
  private makeRoom(): boolean {
    for (const id of this.ofRange) {
      const peer = this.peerList.get(id);
      if (peer?.stateName !== 'OpenSent') continue;
      peer.stop({ kind: 'out-of-resources' });
      // what it leaves, stale routes, keeps its place
      if (!this.ofRange.has(id)) return true;
    }
    return false;
  }

  private defer(event: DeferralEvent): void {
    if (this.deferral.name === 'released') return;
    this.deferral = stepDeferral(this.deferral, event);
    if (this.deferral.name === 'released') this.turns.release();
  }
}

function withPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
