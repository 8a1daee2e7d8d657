/**
 * A running speaker: sessions on one side, VIPs on the other, and commands that change what is announced.
 *
 *   configuration, commands ──► announcements ──► a difference a session ──► peers
 *
 * It takes nothing in: what peers announce is read, judged by the session, and dropped. It ends by withdrawing all it
 * has announced and only then says Cease: a router that restarts gracefully with us would otherwise keep our routes
 * for its restart time.
 */
import { formatAddress } from '../../addr/address.js';
import { formatPrefix, parsePrefix } from '../../addr/prefix.js';
import { BfdGuard } from '../../bgp/bfd/bfd-guard.js';
import { type FamilyKey, familyName } from '../../bgp/codec/address-family.js';
import { OFFLINE } from '../../bgp/codec/codec-context.js';
import { MESSAGE_TYPE, REFRESH_SUBTYPE } from '../../bgp/codec/message.js';
import { encodeMessage } from '../../bgp/codec/message-codec.js';
import { BfdTransport } from '../../bgp/net/bfd-transport.js';
import { dialTcp, SYSTEM_CLOCK } from '../../bgp/net/transport.js';
import type {
  PeerStateChange,
  Session,
  SessionEnd,
  SessionHandler,
} from '../../bgp/session/session-handler.js';
import { Speaker } from '../../bgp/session/speaker.js';
import { nearest } from '../../cluster/yaml/nearest.js';
import type { Say } from '../program-log.js';
import { type OwnInterface, ownInterfaces } from '../router/own-addresses.js';
import { RouterLog } from '../router/router-log.js';
import { type Announcement, SessionAnnouncements } from './announcements.js';
import type { SpeakerConfig, Vip } from './speaker-config.js';

export const VIP_COMMANDS = ['announce', 'withdraw', 'drain', 'undrain'] as const;
export type VipCommand = (typeof VIP_COMMANDS)[number];

export interface SpeakerStatus {
  readonly kind: 'speaker';
  readonly asn: number;
  readonly routerId: string;
  readonly peers: readonly {
    readonly peer: string;
    readonly asn: number | null;
    readonly state: string;
    readonly announced: number;
    /** state of BFD; `null` where it does not watch the peer */
    readonly bfd: string | null;
    readonly lastError: string | null;
  }[];
  readonly vips: readonly {
    readonly vip: string;
    readonly state: 'announced' | 'draining' | 'withdrawn';
    /** peers that have been told */
    readonly peers: number;
  }[];
}

export class LiveSpeaker {
  config: SpeakerConfig;
  readonly speaker: Speaker;
  private readonly log: RouterLog;
  private readonly bfd: BfdTransport;
  private readonly guard: BfdGuard;
  private readonly interfaces: readonly OwnInterface[];
  /** by prefix, in the order of the configuration */
  private announcements: Map<string, Announcement>;
  private readonly sessions = new Map<
    string,
    { readonly session: Session; readonly told: SessionAnnouncements }
  >();
  /** peers whose refresh is under way and has a beginning and an end (RFC 7313) */
  private readonly refreshing = new Map<string, Set<FamilyKey>>();

  constructor(config: SpeakerConfig, print: Say) {
    this.config = config;
    this.log = new RouterLog(print, SYSTEM_CLOCK);
    this.interfaces = ownInterfaces();
    this.announcements = announcementsOf(config.vips, new Map());
    this.bfd = new BfdTransport({ onTrouble: (sentence) => this.log.line(sentence) });
    this.guard = new BfdGuard(this.handler(), {
      bfd: this.bfd,
      settingsOf: ({ id }) => this.config.bfd.get(id) ?? null,
      onEvent: ({ id }, event) =>
        this.log.line(event.kind === 'up' ? `${id}: bfd up` : `${id}: bfd down, ${event.reason}`),
    });
    this.speaker = new Speaker(config.local, SYSTEM_CLOCK, dialTcp, this.guard);
  }

  start(): void {
    this.speaker.start({ peers: this.config.peers, ranges: [] });
  }

  /** Another configuration: only differences go out. What was commanded of a VIP holds as long as it is configured. */
  reconfigure(config: SpeakerConfig): void {
    const before = this.config;
    this.config = config;
    const commanded = new Map(
      [...this.announcements].filter(([prefix, { vip, isAnnounced, isDraining }]) => {
        const configured = before.vips.find((one) => formatPrefix(one.prefix) === prefix) ?? vip;
        return isAnnounced !== configured.announce || isDraining !== configured.drain;
      }),
    );
    this.announcements = announcementsOf(config.vips, commanded);
    for (const { session } of [...this.sessions.values()]) {
      const { id } = session.peer;
      const isSame = JSON.stringify(before.bfd.get(id)) === JSON.stringify(config.bfd.get(id));
      const isKept = config.peers.some((peer) => peer.id === id);
      if (!isSame && isKept) session.stop({ kind: 'configuration-changed' });
    }
    this.speaker.reconfigure({ peers: config.peers, ranges: [] });
    this.tellAll();
  }

  /** Does what a command asks for; a sentence about what is wrong with it, or null. */
  command(command: VipCommand, which: string): string | null {
    const found = which === 'all' ? [...this.announcements.keys()] : this.find(which);
    if (typeof found === 'string') return found;
    for (const prefix of found) {
      const was = this.announcements.get(prefix)!;
      this.announcements.set(prefix, { ...was, ...AFTER[command] });
    }
    this.tellAll();
    return null;
  }

  status(): SpeakerStatus {
    const { local } = this.config;
    return {
      kind: 'speaker',
      asn: local.asn,
      routerId: formatAddress({ family: 4, w0: local.bgpIdentifier, w1: 0, w2: 0, w3: 0 }),
      peers: this.speaker.peers().map(({ settings, stateName, remote, lastError }) => ({
        peer: settings.id,
        asn: remote?.asn ?? settings.asn,
        state: stateName,
        announced: this.sessions.get(settings.id)?.told.count ?? 0,
        bfd: this.guard.report(settings.id)?.state ?? null,
        lastError,
      })),
      vips: [...this.announcements].map(([vip, { isAnnounced, isDraining }]) => ({
        vip,
        state: !isAnnounced ? 'withdrawn' : isDraining ? 'draining' : 'announced',
        peers: [...this.sessions.values()].filter(({ told }) => told.has(vip)).length,
      })),
    };
  }

  /** Withdraws everything, then ends all sessions. */
  async stop(): Promise<void> {
    if (this.config.dialect === 'metallb-native') {
      // it closes its connections without a word, and its routes go with them
      this.speaker.stop({ kind: 'restart' });
    } else {
      for (const { told } of this.sessions.values()) told.update([]);
      this.speaker.stop({ kind: 'shutdown', text: 'the speaker stops' });
    }
    await this.bfd.close();
  }

  private find(which: string): string[] | string {
    const prefix = parsePrefix(which);
    const text = prefix === null ? null : formatPrefix(prefix);
    if (text !== null && this.announcements.has(text)) return [text];
    const known = [...this.announcements.keys()];
    const meant = nearest(text ?? which, known);
    const hint =
      known.length === 0
        ? 'its configuration names none'
        : meant !== null
          ? `did you mean ${meant}?`
          : `it has ${known.slice(0, 8).join(', ')}${known.length > 8 ? ', …' : ''}`;
    return `the speaker has no VIP ${which}; ${hint}`;
  }

  private tellAll(): void {
    for (const { session } of this.sessions.values()) session.requestWrite();
  }

  private handler(): SessionHandler {
    return {
      established: (session) => this.established(session),
      update: () => {},
      endOfRib: () => {},
      routeRefresh: (session, family, subtype) => this.routeRefresh(session, family, subtype),
      writable: (session) => this.write(session),
      down: (session, end) => this.down(session, end),
      keepLongLived: () => {},
      sweepStale: () => {},
      stateChanged: (change) => this.stateChanged(change),
    };
  }

  private established(session: Session): void {
    const endOfRib = this.config.dialect === 'standard' ? 'sent' : 'never';
    const told = new SessionAnnouncements(session, this.config.local.asn, this.interfaces, endOfRib);
    this.sessions.set(session.peer.id, { session, told });
    this.log.sessionUp(session);
    session.requestWrite();
  }

  private routeRefresh(session: Session, family: FamilyKey, subtype: number): void {
    const known = this.sessions.get(session.peer.id);
    if (known === undefined || subtype !== REFRESH_SUBTYPE.request) return;
    this.log.line(`${session.peer.id}: asks for all ${familyName(family)} routes again`);
    known.told.forget(family);
    if (session.info.refresh === 'enhanced') {
      const refreshing = this.refreshing.get(session.peer.id) ?? new Set();
      this.refreshing.set(session.peer.id, refreshing.add(family));
    }
    session.requestWrite();
  }

  private write(session: Session): 'done' {
    const known = this.sessions.get(session.peer.id);
    if (known === undefined) return 'done';
    const { id } = session.peer;
    const refreshing = this.refreshing.get(id) ?? [];
    for (const family of refreshing) session.send(refreshMark(family, REFRESH_SUBTYPE.begin));
    const { told, withdrawn } = known.told.update(this.announcements.values());
    for (const family of refreshing) session.send(refreshMark(family, REFRESH_SUBTYPE.end));
    this.refreshing.delete(id);
    for (const prefix of told) {
      const isDraining = this.announcements.get(prefix)?.isDraining === true;
      this.log.line(`${id}: ${prefix} announced${isDraining ? ', draining' : ''}`);
    }
    for (const prefix of withdrawn) this.log.line(`${id}: ${prefix} withdrawn`);
    return 'done';
  }

  private down(session: Session, end: SessionEnd): void {
    this.sessions.delete(session.peer.id);
    this.refreshing.delete(session.peer.id);
    this.log.sessionDown(session, end);
  }

  private stateChanged(change: PeerStateChange): void {
    this.log.stateChanged(change);
  }
}

const AFTER: Readonly<Record<VipCommand, Partial<Announcement>>> = {
  announce: { isAnnounced: true },
  withdraw: { isAnnounced: false },
  drain: { isDraining: true },
  undrain: { isDraining: false },
};

/** @param commanded VIPs that a command has made other than they are configured */
function announcementsOf(
  vips: readonly Vip[],
  commanded: ReadonlyMap<string, Announcement>,
): Map<string, Announcement> {
  return new Map(
    vips.map((vip) => {
      const prefix = formatPrefix(vip.prefix);
      const { isAnnounced = vip.announce, isDraining = vip.drain } = commanded.get(prefix) ?? {};
      return [prefix, { vip, isAnnounced, isDraining }];
    }),
  );
}

function refreshMark(family: FamilyKey, subtype: number): Uint8Array {
  return encodeMessage(
    { type: MESSAGE_TYPE.routeRefresh, family, subtype, filters: new Uint8Array(0) },
    OFFLINE,
  );
}
