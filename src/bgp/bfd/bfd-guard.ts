/**
 * BFD for BGP sessions: stands between the sessions and their handler, watches the peer of each established session
 * that wants it, and ends the session when BFD loses the peer (RFC 5882 section 4, Cease of RFC 9384).
 *
 *   sessions ──► BfdGuard ──► the handler proper
 *       ▲            └── watch, stop ──► Bfd
 *       └──── stop('bfd-down') ──────────┘
 *
 * Watching begins once the session is Established, when both addresses are known, and ends with it. A session whose
 * BFD never comes up stays (the peer may not have BFD configured yet); one whose BFD was switched off stays as well.
 */
import type { FamilyKey } from '../codec/address-family.js';
import type { UpdateView } from '../codec/update-view.js';
import type { PeerSettings } from '../session/peer-settings.js';
import type { PeerStateChange, Session, SessionEnd, SessionHandler } from '../session/session-handler.js';
import type { Bfd, BfdEvent, BfdReport, BfdSettings, BfdWatch } from './bfd.js';

export interface BfdGuardOptions {
  readonly bfd: Bfd;
  /** what a peer's configuration says now; `null` = off */
  readonly settingsOf: (peer: PeerSettings) => BfdSettings | null;
  /** for the log */
  readonly onEvent?: (peer: PeerSettings, event: BfdEvent) => void;
}

export class BfdGuard implements SessionHandler {
  private readonly inner: SessionHandler;
  private readonly options: BfdGuardOptions;
  private readonly watches = new Map<string, BfdWatch>();

  constructor(inner: SessionHandler, options: BfdGuardOptions) {
    this.inner = inner;
    this.options = options;
  }

  /** What BFD knows of a peer; `null` where it does not watch it. */
  report(peerId: string): BfdReport | null {
    return this.watches.get(peerId)?.report() ?? null;
  }

  established(session: Session): void {
    this.inner.established(session);
    const { peer, info } = session;
    const settings = this.options.settingsOf(peer);
    if (settings === null) return;
    const addresses = { address: info.remoteAddress, localAddress: info.localAddress };
    const watch = this.options.bfd.watch(addresses, settings, (event) => {
      this.options.onEvent?.(peer, event);
      if (event.kind === 'down' && event.why === 'failed') session.stop({ kind: 'bfd-down' });
    });
    this.watches.set(peer.id, watch);
  }

  down(session: Session, end: SessionEnd): void {
    this.watches.get(session.peer.id)?.stop();
    this.watches.delete(session.peer.id);
    this.inner.down(session, end);
  }

  update(session: Session, update: UpdateView): void {
    this.inner.update(session, update);
  }

  endOfRib(session: Session, family: FamilyKey): void {
    this.inner.endOfRib(session, family);
  }

  routeRefresh(session: Session, family: FamilyKey, subtype: number): void {
    this.inner.routeRefresh(session, family, subtype);
  }

  writable(session: Session): 'more' | 'done' {
    return this.inner.writable(session);
  }

  keepLongLived(peer: PeerSettings, families: readonly FamilyKey[]): void {
    this.inner.keepLongLived(peer, families);
  }

  sweepStale(peer: PeerSettings, families: readonly FamilyKey[]): void {
    this.inner.sweepStale(peer, families);
  }

  stateChanged(change: PeerStateChange): void {
    this.inner.stateChanged(change);
  }
}
